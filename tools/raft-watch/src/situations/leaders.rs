//! Situations of leaders that are deposed, and of what becomes of their entries.

use std::collections::BTreeMap;

use run_record::situations::Situation;

use super::Counts;
use super::logs::Logs;

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

/// An entry that was not committed when its leader was deposed.
#[derive(Clone, Copy, Debug)]
struct Tail {
    server: usize,
    index: u64,
    term: u64,
    overwritten: bool,
    committed: bool,
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
            let covers = commit >= tail.index && !tail.committed;
            if covers && logs.term_at(leader.0, tail.index) == tail.term {
                tail.committed = true;
                counts.add(Situation::TailCommitted);
            }
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
        let index = self.committed.max(own) + 1;
        if logs.last(server) < index {
            return;
        }
        counts.add(Situation::DeposedWithTail);
        if self.tails.len() == MOST_TAILS {
            self.tails.remove(0);
        }
        let term = logs.term_at(server, index);
        self.tails.push(Tail { server, index, term, overwritten: false, committed: false });
    }

    /// The log of a server has changed, perhaps.
    pub(super) fn overwrites(&mut self, server: usize, logs: &Logs, counts: &mut Counts) {
        let of_server = self.tails.iter_mut().filter(|tail| tail.server == server);
        for tail in of_server.filter(|tail| !tail.overwritten && !tail.committed) {
            tail.overwritten = logs.term_at(server, tail.index) != tail.term;
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
