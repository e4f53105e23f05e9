//! Situations of leaders that are deposed, and of what becomes of their entries.

use std::collections::BTreeMap;

use run_record::situations::Situation;

use super::Counts;
use super::logs::Logs;
use crate::understanding::Place;

/// What is remembered of tails at once. Older ones are forgotten.
const MOST_TAILS: usize = 64;

/// What leaders have counted and committed, and what they have left behind.
#[derive(Debug, Default)]
pub(super) struct Leaders {
    servers: usize,
    /// The highest `leaderCommit` that anybody has sent.
    committed: u64,
    /// The latest reign of each leader.
    reigns: BTreeMap<usize, Reign>,
    tails: Vec<Tail>,
}

#[derive(Debug)]
struct Reign {
    term: u64,
    /// By server: up to where its acceptance has come back.
    matched: Vec<u64>,
    /// An entry of an earlier term that a majority has and that is not committed.
    old: Option<Old>,
}

#[derive(Clone, Copy, Debug)]
struct Old {
    index: u64,
    /// The leader has sent something since, and did not commit it.
    passed_over: bool,
}

/// Entries that were not committed when their leader was deposed. They may be parted: the first of them are committed,
/// and the last ones are overwritten.
#[derive(Clone, Copy, Debug)]
struct Tail {
    server: usize,
    first: Place,
    last: Place,
    /// The last one is not there any more, and perhaps others.
    overwritten: bool,
    /// The first one is committed, and perhaps others.
    committed: bool,
    /// All are committed.
    all_committed: bool,
}

impl Leaders {
    pub(super) fn new(servers: usize) -> Leaders {
        Leaders { servers, ..Leaders::default() }
    }

    fn reign(&mut self, (leader, term): (usize, u64)) -> &mut Reign {
        let new = || Reign { term, matched: vec![0; self.servers], old: None };
        let reign = self.reigns.entry(leader).or_insert_with(new);
        if reign.term != term {
            *reign = Reign { term, matched: vec![0; self.servers], old: None };
        }
        reign
    }

    /// A leader says what is committed.
    pub(super) fn commits(
        &mut self,
        leader: (usize, u64),
        commit: u64,
        logs: &Logs,
        counts: &mut Counts,
    ) {
        self.committed = self.committed.max(commit);
        let reign = self.reign(leader);
        match &mut reign.old {
            Some(old) if commit >= old.index => {
                counts.add_if(old.passed_over, Situation::OldEntryCommittedLater);
                reign.old = None;
            }
            Some(old) if !old.passed_over => {
                old.passed_over = true;
                counts.add(Situation::OldEntryNotCounted);
            }
            _ => {}
        }
        for tail in &mut self.tails {
            let covers = |place: Place| {
                commit >= place.index && logs.term_at(leader.0, place.index) == place.term
            };
            tail.all_committed |= covers(tail.last);
            let is_new = !tail.committed && covers(tail.first);
            tail.committed |= is_new;
            counts.add_if(is_new, Situation::TailCommitted);
        }
    }

    /// An acceptance has come back to a leader.
    pub(super) fn counts(&mut self, leader: (usize, u64), from: usize, last: u64, logs: &Logs) {
        let committed = self.committed;
        let reign = self.reign(leader);
        reign.matched[from] = reign.matched[from].max(last);
        let index = reign.of_a_majority(leader.0);
        let term = logs.term_at(leader.0, index);
        let is_old = index > committed && term > 0 && term < leader.1;
        if is_old && reign.old.is_none_or(|old| old.index < index) {
            let passed_over = reign.old.is_some_and(|old| old.passed_over);
            reign.old = Some(Old { index, passed_over });
        }
    }

    /// A leader of a term leads no more.
    pub(super) fn deposed(&mut self, leader: (usize, u64), logs: &Logs, counts: &mut Counts) {
        let (server, term) = leader;
        let has = self.reign(leader).of_a_majority(server);
        let own = if logs.term_at(server, has) == term { has } else { 0 };
        let (index, last) = (self.committed.max(own) + 1, logs.last(server));
        if last < index {
            return;
        }
        counts.add(Situation::DeposedWithTail);
        let [first, last] = [index, last].map(|index| logs.place_at(server, index));
        self.leaves(server, first, last);
    }

    /// A leader leaves a tail. It may have left it before, and have led since without getting it committed; or a part of
    /// it is committed meanwhile, or more has come behind it.
    fn leaves(&mut self, server: usize, first: Place, last: Place) {
        let new = Tail {
            server,
            first,
            last,
            overwritten: false,
            committed: false,
            all_committed: false,
        };
        let is_known =
            |tail: &&mut Tail| tail.server == server && (tail.first == first || tail.last == last);
        if let Some(known) = self.tails.iter_mut().find(is_known) {
            let committed = known.committed && known.first == first;
            let same_end = known.last == last;
            let overwritten = known.overwritten && same_end;
            let all_committed = known.all_committed && same_end;
            *known = Tail { overwritten, committed, all_committed, ..new };
            return;
        }
        if self.tails.len() == MOST_TAILS {
            self.tails.remove(0);
        }
        self.tails.push(new);
    }

    /// The log of a server has changed, perhaps.
    pub(super) fn overwrites(&mut self, server: usize, logs: &Logs, counts: &mut Counts) {
        let of_server = self.tails.iter_mut().filter(|tail| tail.server == server);
        for tail in of_server.filter(|tail| !tail.overwritten && !tail.all_committed) {
            tail.overwritten = logs.place_at(server, tail.last.index) != tail.last;
            counts.add_if(tail.overwritten, Situation::TailOverwritten);
        }
    }
}

impl Reign {
    /// Up to where a majority has the leader's log, itself included.
    fn of_a_majority(&self, leader: usize) -> u64 {
        let others = self.matched.iter().enumerate().filter(|(server, _)| *server != leader);
        let mut matched: Vec<u64> = others.map(|(_, matched)| *matched).collect();
        matched.sort_unstable_by(|a, b| b.cmp(a));
        let needed = self.matched.len() / 2;
        needed.checked_sub(1).and_then(|place| matched.get(place)).copied().unwrap_or(0)
    }
}
