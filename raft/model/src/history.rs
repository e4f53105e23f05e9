//! What must never be forgotten of a cluster's past: who led, and what was committed.

use std::hash::Hash as _;

use bytes::Bytes;
use raft::rules::{Core, Output};
use raft::{Entry, Log, Place};

use crate::fingerprint::{Fingerprint, Renaming, fingerprint};
use crate::message::{in_short, text};
use crate::violation::{Property, Violation};

/// What is known of a cluster's past. All else that the properties need stands in its present.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// Who was elected in each term, from term 1 on.
    pub(crate) leaders: Vec<Option<usize>>,
    /// All entries that some server has committed, from index 1 on.
    pub(crate) committed: Vec<Committed>,
}

/// A committed entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Committed {
    pub(crate) entry: Entry,
    /// The term that the first server to commit it was in. A leader has committed it in this term or an
    /// earlier one.
    pub(crate) in_term: u64,
}

/// What a step does to the history.
#[derive(Clone, Debug)]
pub(crate) struct News {
    pub(crate) me: usize,
    /// The term that the server is in.
    pub(crate) term: u64,
    /// The term that the server was elected in, if it was.
    pub(crate) elected: Option<u64>,
    /// The log that it has now.
    pub(crate) log: Log,
    /// Its new snapshot, if it has one.
    pub(crate) snapshot: Option<Bytes>,
    /// What it commits: the first index, and the entries.
    pub(crate) committed: Option<(u64, Vec<Entry>)>,
}

impl News {
    /// What an output does to the history, if anything.
    pub(crate) fn of(core: &Core, output: &Output) -> Option<News> {
        let committed = output.committed.clone().map(|indexes| {
            let entries = indexes.clone().zip(core.log().from(*indexes.start()));
            (*indexes.start(), entries.map(|(_, entry)| entry.clone()).collect())
        });
        let snapshot = output.unsaved.snapshot.then(|| core.snapshot().clone());
        let is_news = output.elected.is_some() || committed.is_some() || snapshot.is_some();
        is_news.then(|| News {
            me: core.me(),
            term: core.term(),
            elected: output.elected,
            log: core.log().clone(),
            snapshot,
            committed,
        })
    }
}

impl History {
    /// The history with this step.
    ///
    /// # Errors
    /// If the step contradicts it.
    pub(crate) fn with(&self, news: &News) -> Result<History, Violation> {
        let mut history = self.clone();
        history.check_snapshot(news)?;
        if let Some(term) = news.elected {
            history.elect(news.me, term)?;
        }
        if let Some((first, entries)) = &news.committed {
            history.commit(news, *first, entries)?;
        }
        Ok(history)
    }

    fn elect(&mut self, me: usize, term: u64) -> Result<(), Violation> {
        let at = (term - 1) as usize;
        self.leaders.resize(self.leaders.len().max(at + 1), None);
        match self.leaders[at].replace(me) {
            Some(other) if other != me => {
                let words = format!("servers {other} and {me} are both elected in term {term}");
                Err(Violation::new(Property::ElectionSafety, words))
            }
            _ => Ok(()),
        }
    }

    /// Leader Completeness, of the leader of a term with this log. It is about terms later than that of the
    /// commit, and about their own term: who is elected late, when a later term has begun, need not have what
    /// was committed there.
    pub(crate) fn check_complete(&self, me: usize, term: u64, log: &Log) -> Result<(), Violation> {
        for (index, Committed { entry, in_term }) in (1..).zip(&self.committed) {
            if *in_term <= term && index > log.base().index && log.get(index) != Some(entry) {
                let words = format!(
                    "server {me} leads term {term} without entry {index}, {}, which was committed in \
                     term {in_term}",
                    in_short(std::slice::from_ref(entry))
                );
                return Err(Violation::new(Property::LeaderCompleteness, words));
            }
        }
        Ok(())
    }

    fn commit(&mut self, news: &News, first: u64, entries: &[Entry]) -> Result<(), Violation> {
        let (me, in_term) = (news.me, news.term);
        for (index, entry) in (first..).zip(entries) {
            let at = (index - 1) as usize;
            assert!(
                at <= self.committed.len(),
                "server {me} commits {index} and not what is before it"
            );
            match self.committed.get(at) {
                None => self.committed.push(Committed { entry: entry.clone(), in_term }),
                Some(known) if known.entry == *entry => {}
                Some(Committed { entry: known, .. }) => {
                    let words = format!(
                        "server {me} commits {} at index {index}, where {} was committed before",
                        in_short(std::slice::from_ref(entry)),
                        in_short(std::slice::from_ref(known))
                    );
                    return Err(Violation::new(Property::StateMachineSafety, words));
                }
            }
        }
        Ok(())
    }

    fn check_snapshot(&self, news: &News) -> Result<(), Violation> {
        let Some(data) = &news.snapshot else { return Ok(()) };
        let Place { index, term } = news.log.base();
        let covered = self.committed.get(..index as usize);
        let is_right = covered.is_some_and(|covered| {
            covered.last().is_some_and(|last| last.entry.term == term)
                && covered.iter().flat_map(|one| one.entry.command.iter()).eq(data.iter())
        });
        if is_right {
            return Ok(());
        }
        let committed: Vec<Entry> = self.committed.iter().map(|one| one.entry.clone()).collect();
        let words = format!(
            "server {} has the snapshot `{}` up to {index}/{term}, but committed is {}",
            news.me,
            text(data),
            in_short(&committed)
        );
        Err(Violation::new(Property::Snapshots, words))
    }

    /// What stands for it if the servers are renamed.
    pub(crate) fn fingerprint(&self, renaming: &Renaming) -> Fingerprint {
        let leaders = self.leaders.iter().map(|leader| leader.map(|server| renaming.of(server)));
        let leaders: Vec<Option<usize>> = leaders.collect();
        fingerprint(|hasher| ("history", &leaders, &self.committed).hash(hasher))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_of_something_else_is_noticed() {
        let entry = Entry { term: 1, command: Bytes::from_static(b"a") };
        let committed = vec![Committed { entry, in_term: 1 }];
        let history = History { leaders: vec![Some(0)], committed };
        let takes = |snapshot: &'static str, term| {
            history.check_snapshot(&News {
                me: 0,
                term: 1,
                elected: None,
                log: Log::behind(Place { index: 1, term }),
                snapshot: Some(Bytes::from_static(snapshot.as_bytes())),
                committed: None,
            })
        };
        assert_eq!(takes("a", 1), Ok(()));
        for (snapshot, term) in [("x", 1), ("", 1), ("ab", 1), ("a", 2)] {
            let broken = takes(snapshot, term).expect_err("it is not what was committed");
            assert_eq!(broken.property, Property::Snapshots);
        }
    }
}
