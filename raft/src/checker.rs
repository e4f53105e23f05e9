//! What must hold between the servers of a cluster, checked while they run.
//!
//! The properties are those of Figure 3 of the paper, and what they rest on. A server reports each
//! change before anyone else can see it, so a contradiction is found at the moment it arises and not
//! when it has led to a wrong answer.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use labrt::sync::Leaf;

use crate::log::Entry;
use crate::rules::{Core, Output};
use crate::storage::Storage;

/// Watches one cluster.
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
    /// Who led each term.
    leaders: BTreeMap<u64, usize>,
    /// Whom each server voted for in each term.
    votes: BTreeMap<(usize, u64), usize>,
    /// For each (index, term) some log has had: the term before, and the command's hash.
    entries: BTreeMap<(u64, u64), (u64, u64)>,
    /// Term and command's hash of each committed entry.
    committed: Vec<(u64, u64)>,
    saves: u64,
}

impl ClusterChecker {
    /// A server is about to perform this output.
    pub fn observe(&self, core: &Core, output: &Output) {
        self.seen.with(|seen| {
            let broken = seen
                .check_vote(core, output)
                .and_then(|()| seen.check_log(core, output))
                .and_then(|()| seen.check_leader(core, output))
                .and_then(|()| seen.check_committed(core, output));
            if let Err(words) = broken {
                panic!("{words}");
            }
        });
    }

    /// A server has saved its state and is about to let others know what it did: everything must be
    /// on stable storage. Looks at every small state, and the less often the larger it is, so that
    /// looking costs no more than the rest.
    pub fn check_saved(&self, core: &Core, storage: &Storage) {
        let turn = self.seen.with(|seen| {
            seen.saves += 1;
            seen.saves
        });
        let entries = core.log().last_index();
        if entries < 8 || turn.is_multiple_of(entries.max(64)) {
            assert!(
                storage.holds(core),
                "server {}: it is about to answer and send, but its state is not saved",
                core.me()
            );
        }
    }
}

impl Seen {
    /// A server votes once in a term, across restarts too (section 5.2).
    fn check_vote(&mut self, core: &Core, output: &Output) -> Result<(), String> {
        let (me, hard) = (core.me(), core.hard_state());
        let Some(vote) = hard.voted_for.filter(|_| output.save.hard_state) else { return Ok(()) };
        match self.votes.insert((me, hard.term), vote) {
            Some(former) if former != vote => Err(format!(
                "one vote a term: server {me} votes for {vote} in term {}, after it voted for \
                 {former}",
                hard.term
            )),
            _ => Ok(()),
        }
    }

    /// Log Matching: entries with the same index and term hold the same command and follow the same
    /// entry.
    fn check_log(&mut self, core: &Core, output: &Output) -> Result<(), String> {
        let Some(from) = output.save.log_from else { return Ok(()) };
        let mut before = core.log().term_at(from - 1).unwrap_or(0);
        for (index, entry) in (from..).zip(core.log().from(from)) {
            let this = (before, hash(&entry.command));
            let known = *self.entries.entry((index, entry.term)).or_insert(this);
            if known != this {
                return Err(format!(
                    "Log Matching: server {} has {entry:?} at index {index}, which differs from an \
                     entry with the same index and term elsewhere, or follows another one",
                    core.me()
                ));
            }
            before = entry.term;
        }
        Ok(())
    }

    /// Election Safety: at most one leader in a term. Leader Completeness: its log has everything
    /// that was committed before.
    fn check_leader(&mut self, core: &Core, output: &Output) -> Result<(), String> {
        let Some(term) = output.elected else { return Ok(()) };
        let me = core.me();
        if let Some(other) = self.leaders.insert(term, me).filter(|other| *other != me) {
            return Err(format!("Election Safety: servers {other} and {me} both lead term {term}"));
        }
        for (index, &(committed, _)) in (1..).zip(&self.committed) {
            if core.log().term_at(index) != Some(committed) {
                return Err(format!(
                    "Leader Completeness: server {me} leads term {term} without entry {index} of \
                     term {committed}, which was committed before"
                ));
            }
        }
        Ok(())
    }

    /// State Machine Safety: an index is committed with one entry only.
    fn check_committed(&mut self, core: &Core, output: &Output) -> Result<(), String> {
        for index in output.committed.clone().into_iter().flatten() {
            let entry = core.log().get(index).expect("what is committed is in the log");
            let place = usize::try_from(index - 1).expect("an index in memory");
            let this = term_and_hash(entry);
            match self.committed.get(place) {
                Some(known) if *known != this => {
                    return Err(format!(
                        "State Machine Safety: server {} commits {entry:?} at index {index}, where \
                         an entry of term {} was committed before",
                        core.me(),
                        known.0
                    ));
                }
                Some(_) => {}
                None if place == self.committed.len() => self.committed.push(this),
                None => {
                    return Err(format!(
                        "server {} commits index {index}, but nothing was committed at {}",
                        core.me(),
                        index - 1
                    ));
                }
            }
        }
        Ok(())
    }
}

fn term_and_hash(entry: &Entry) -> (u64, u64) {
    (entry.term, hash(&entry.command))
}

fn hash(command: &Bytes) -> u64 {
    let mut hasher = DefaultHasher::new();
    command.hash(&mut hasher);
    hasher.finish()
}
