//! What must hold between the servers of a cluster, checked while they run.
//!
//! The properties are those of Figure 3 of the paper, and what they rest on. A server reports each
//! change when it is saved and before anyone else can see it. So a contradiction is found at the
//! moment it arises and not when it has led to a wrong answer; and what a crash can still take back
//! was never reported.

use std::collections::{BTreeMap, btree_map};
use std::hash::{Hash, Hasher};

use bytes::Bytes;
use labrt::sync::Leaf;
use labtrace::{Verdict, verdict};
use rustc_hash::FxHasher;

use raft::rules::{Core, Output};
use raft::{Entry, Log};

/// Watches one cluster, from its beginning.
///
/// # Panics
/// Its methods panic when two servers contradict each other; in a world that fails the run.
#[derive(Debug, Default)]
pub struct ClusterChecker {
    seen: Leaf<Seen>,
}

/// What is known of a cluster's past.
#[derive(Debug, Default)]
struct Seen {
    /// Who led each term, and with which log.
    leaders: BTreeMap<u64, By<Begun>>,
    /// Whom each server voted for in each term.
    votes: BTreeMap<(usize, u64), By<usize>>,
    /// For each (index, term) some log has had: the term before, and the command's hash.
    entries: BTreeMap<(u64, u64), By<(u64, u64)>>,
    /// The committed entries by their indexes.
    committed: BTreeMap<u64, Committed>,
    /// Not all that was committed was seen here, so what a snapshot covers may be news.
    in_part: bool,
}

/// A committed entry.
#[derive(Clone, Copy, Debug)]
struct Committed {
    /// Its term and its command's hash.
    by: By<(u64, u64)>,
    /// The term that the first server to commit it was in. A leader has committed it in this term or an
    /// earlier one.
    in_term: u64,
}

/// The log with which a leader began, behind all that was committed by then. What leaders of earlier terms
/// commit later must be in it: whatever this one adds is of its own term.
#[derive(Debug, Default)]
struct Begun {
    /// The last index of what was committed, and of what the log had forgotten.
    behind: u64,
    /// The entries that follow, as the last index and the term of each run of entries of one term.
    runs: Vec<(u64, u64)>,
}

/// A fact, with the server and the moment that it comes from.
#[derive(Clone, Copy, Debug)]
struct By<T> {
    what: T,
    server: usize,
    us: u64,
}

type Checked = Result<(), Box<Verdict>>;

impl ClusterChecker {
    /// Watches one server alone, which may have a past. It learns from the server's snapshots what the
    /// others have committed.
    pub fn of_one_server() -> ClusterChecker {
        ClusterChecker { seen: Leaf::new(Seen { in_part: true, ..Seen::default() }) }
    }

    /// A server has saved what this output changes, and has told nobody yet.
    pub fn saved(&self, core: &Core, output: &Output) {
        let us = labtrace::now_us();
        let checked = self.seen.with(|seen| {
            seen.check_vote(core, output, us)?;
            seen.check_base(core, us)?;
            seen.check_log(core, output, us)?;
            seen.check_leader(core, output, us)?;
            seen.check_committed(core, output, us)
        });
        if let Err(broken) = checked {
            labtrace::fail(*broken);
        }
    }
}

impl Seen {
    /// A server votes once in a term, across restarts too (section 5.2).
    fn check_vote(&mut self, core: &Core, output: &Output, us: u64) -> Checked {
        let (me, hard) = (core.me(), core.hard_state());
        let Some(vote) = hard.voted_for.filter(|_| output.unsaved.hard_state) else {
            return Ok(());
        };
        let this = By { what: vote, server: me, us };
        let former = *self.votes.entry((me, hard.term)).or_insert(this);
        if former.what == vote {
            return Ok(());
        }
        let term = hard.term;
        let words = format!(
            "one vote a term: server {me} votes for {vote} in term {term}, after it voted for {}",
            former.what
        );
        let voted = |vote| format!("server {me} voted for {vote} in term {term}");
        Err(Box::new(
            verdict("one vote a term", words)
                .fact_at(former.us, me, voted(former.what))
                .fact_at(us, me, voted(vote))
                .build(),
        ))
    }

    /// A snapshot covers only what is committed, and the log's base is the last entry of it (section 7).
    /// So Log Matching and the others hold across it.
    fn check_base(&mut self, core: &Core, us: u64) -> Checked {
        let (me, base) = (core.me(), core.log().base());
        let known = self.committed.get(&base.index).map(|committed| committed.by);
        if base.index == 0 || known.is_some_and(|by| by.what.0 == base.term) {
            return Ok(());
        }
        let has =
            format!("server {me} has a snapshot up to entry {} of term {}", base.index, base.term);
        let verdict = match known {
            Some(by) => {
                let words = format!(
                    "snapshots: {has}, but the committed entry {} is of term {}",
                    base.index, by.what.0
                );
                verdict("snapshots", words).fact_at(
                    by.us,
                    by.server,
                    format!("server {} committed an entry of term {}", by.server, by.what.0),
                )
            }
            None if self.in_part => return Ok(()),
            None => {
                let words = format!("snapshots: {has}, which nobody has committed");
                verdict("snapshots", words)
            }
        };
        Err(Box::new(verdict.index(base.index).fact_at(us, me, has).build()))
    }

    /// Log Matching: entries with the same index and term hold the same command and follow the same
    /// entry.
    fn check_log(&mut self, core: &Core, output: &Output, us: u64) -> Checked {
        let Some(from) = output.unsaved.log_from else { return Ok(()) };
        let me = core.me();
        // What changes is behind the base, whose term the log knows.
        let mut before = core.log().term_at(from - 1).unwrap_or(0);
        for (index, entry) in (from..).zip(core.log().from(from)) {
            let this = By { what: (before, hash(&entry.command)), server: me, us };
            let known = *self.entries.entry((index, entry.term)).or_insert(this);
            if known.what != this.what {
                let words = format!(
                    "Log Matching: server {me} has {entry:?} at index {index}, which differs from \
                     an entry with the same index and term elsewhere, or follows another one"
                );
                let has = |by: By<(u64, u64)>| {
                    let (before, server) = (by.what.0, by.server);
                    format!(
                        "server {server} had an entry of term {} at index {index}, behind one of \
                         term {before}",
                        entry.term
                    )
                };
                return Err(Box::new(
                    verdict("Log Matching", words)
                        .index(index)
                        .fact_at(known.us, known.server, has(known))
                        .fact_at(us, me, has(this))
                        .build(),
                ));
            }
            before = entry.term;
        }
        Ok(())
    }

    /// Election Safety: at most one leader in a term. Leader Completeness: its log has everything
    /// that was committed in earlier terms. (One that is elected late, when a later term has its leader
    /// already, may lack what that one has committed.)
    fn check_leader(&mut self, core: &Core, output: &Output, us: u64) -> Checked {
        let Some(term) = output.elected else { return Ok(()) };
        let me = core.me();
        if let Some(first) = self.leaders.get(&term).filter(|first| first.server != me) {
            let words =
                format!("Election Safety: servers {} and {me} both lead term {term}", first.server);
            return Err(Box::new(
                verdict("Election Safety", words)
                    .fact_at(first.us, first.server, elected(first.server, term))
                    .fact_at(us, me, elected(me, term))
                    .build(),
            ));
        }
        // What is before the base of its log it has committed, and was checked then.
        for (&index, Committed { by, in_term }) in self.committed.range(core.log().first_index()..)
        {
            if *in_term <= term && core.log().term_at(index) != Some(by.what.0) {
                return Err(incomplete(index, *by, term, By { what: (), server: me, us }));
            }
        }
        let committed = self.committed.last_key_value().map_or(0, |(&index, _)| index);
        let this = By { what: Begun::of(core.log(), committed), server: me, us };
        self.leaders.entry(term).or_insert(this);
        Ok(())
    }

    /// State Machine Safety: an index is committed with one entry only.
    fn check_committed(&mut self, core: &Core, output: &Output, us: u64) -> Checked {
        let me = core.me();
        let Some(indexes) = output.committed.clone() else { return Ok(()) };
        for (index, entry) in indexes.clone().zip(core.log().from(*indexes.start())) {
            let follows = index - 1;
            let in_snapshot = follows == core.log().base().index;
            if !in_snapshot && !self.committed.contains_key(&follows) {
                let words = format!(
                    "server {me} commits index {index}, but nothing was committed at {follows}"
                );
                return Err(Box::new(verdict("State Machine Safety", words).build()));
            }
            let this = By { what: term_and_hash(entry), server: me, us };
            let this_first = Committed { by: this, in_term: core.term() };
            let known = match self.committed.entry(index) {
                btree_map::Entry::Occupied(known) => known.get().by,
                btree_map::Entry::Vacant(place) => {
                    check_leaders(&self.leaders, index, this_first)?;
                    place.insert(this_first).by
                }
            };
            if known.what != this.what {
                let words = format!(
                    "State Machine Safety: server {me} commits {entry:?} at index {index}, where \
                     an entry of term {} was committed before",
                    known.what.0
                );
                let committed = |by: By<(u64, u64)>| {
                    format!("server {} committed an entry of term {}", by.server, by.what.0)
                };
                return Err(Box::new(
                    verdict("State Machine Safety", words)
                        .index(index)
                        .fact_at(known.us, known.server, committed(known))
                        .fact_at(us, me, committed(this))
                        .build(),
                ));
            }
        }
        Ok(())
    }
}

impl Begun {
    /// What follows `committed` in the log of who is elected now.
    fn of(log: &Log, committed: u64) -> Begun {
        let behind = committed.max(log.base().index);
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for (index, entry) in (behind + 1..).zip(log.from(behind + 1)) {
            match runs.last_mut() {
                Some((last, term)) if *term == entry.term => *last = index,
                _ => runs.push((index, entry.term)),
            }
        }
        Begun { behind, runs }
    }

    /// True if the leader had an entry of this term at this index.
    fn has(&self, index: u64, term: u64) -> bool {
        let run = self.runs.iter().find(|(last, _)| index <= *last);
        index <= self.behind || run.is_some_and(|(_, of)| *of == term)
    }
}

/// Leader Completeness, of who leads already, in the term in which this entry is committed now or a later one.
fn check_leaders(leaders: &BTreeMap<u64, By<Begun>>, index: u64, committed: Committed) -> Checked {
    let Committed { by, in_term } = committed;
    for (&term, By { what: begun, server, us }) in leaders.range(in_term..) {
        // Those of its own term a leader adds itself.
        if by.what.0 < term && !begun.has(index, by.what.0) {
            let leader = By { what: (), server: *server, us: *us };
            return Err(incomplete(index, by, term, leader));
        }
    }
    Ok(())
}

fn elected(server: usize, term: u64) -> String {
    format!("server {server} was elected leader of term {term}")
}

/// Says that the leader of a term lacks a committed entry.
fn incomplete(index: u64, by: By<(u64, u64)>, term: u64, leader: By<()>) -> Box<Verdict> {
    let server = leader.server;
    let words = format!(
        "Leader Completeness: server {server} leads term {term} without entry {index} of term {}, \
         which is committed",
        by.what.0
    );
    Box::new(
        verdict("Leader Completeness", words)
            .index(index)
            .fact_at(by.us, by.server, format!("server {} committed it", by.server))
            .fact_at(leader.us, server, elected(server, term))
            .build(),
    )
}

fn term_and_hash(entry: &Entry) -> (u64, u64) {
    (entry.term, hash(&entry.command))
}

fn hash(command: &Bytes) -> u64 {
    let mut hasher = FxHasher::default();
    command.hash(&mut hasher);
    hasher.finish()
}
