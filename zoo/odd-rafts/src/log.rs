//! The log. The first entry has index 1.

use labgob::Gob;
use serde::{Deserialize, Serialize};

use crate::message::{Entry, Place};

#[derive(Clone, Debug, Default, Serialize, Deserialize, Gob)]
pub(crate) struct Log {
    entries: Vec<Entry>,
}

impl Log {
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn last(&self) -> Place {
        let term = self.entries.last().map_or(0, |entry| entry.term);
        Place { index: self.last_index(), term }
    }

    pub(crate) fn last_index(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The term of the entry with this index, if there is one.
    pub(crate) fn term_at(&self, index: u64) -> Option<u64> {
        match index.checked_sub(1) {
            None => Some(0),
            Some(place) => self.entries.get(place as usize).map(|entry| entry.term),
        }
    }

    /// So many entries after an index, all of which the log must have.
    pub(crate) fn after(&self, index: u64, count: u64) -> &[Entry] {
        &self.entries[index as usize..(index + count) as usize]
    }

    /// The first index of a term that the log has.
    pub(crate) fn first_of(&self, term: u64) -> u64 {
        self.entries.partition_point(|entry| entry.term < term) as u64 + 1
    }

    /// The last index of a term, if the log has that term.
    pub(crate) fn last_of(&self, term: u64) -> Option<u64> {
        let last = self.entries.partition_point(|entry| entry.term <= term) as u64;
        (last > 0 && self.term_at(last) == Some(term)).then_some(last)
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Deletes all entries after this index.
    pub(crate) fn cut_after(&mut self, index: u64) {
        self.entries.truncate(index as usize);
    }

    /// Stores entries that follow an index. Only an entry that conflicts with one of these is deleted,
    /// with all that follow it. Returns whether anything has changed.
    pub(crate) fn store(&mut self, prev: u64, new: &[Entry]) -> bool {
        let differs = |(index, entry): (u64, &Entry)| self.term_at(index) != Some(entry.term);
        let Some(known) = (prev + 1..).zip(new).position(differs) else { return false };
        self.cut_after(prev + known as u64);
        self.entries.extend_from_slice(&new[known..]);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(terms: &[u64]) -> Log {
        Log { entries: entries(terms) }
    }

    fn entries(terms: &[u64]) -> Vec<Entry> {
        terms.iter().map(|term| Entry { term: *term, command: Default::default() }).collect()
    }

    fn terms(log: &Log) -> Vec<u64> {
        log.entries().iter().map(|entry| entry.term).collect()
    }

    #[test]
    fn only_a_conflict_cuts_the_log() {
        let mut log = log(&[1, 1, 2]);
        assert!(!log.store(0, &entries(&[1, 1])));
        assert_eq!(terms(&log), [1, 1, 2]);
        assert!(log.store(1, &entries(&[1, 3])));
        assert_eq!(terms(&log), [1, 1, 3]);
        assert!(log.store(0, &entries(&[2])));
        assert_eq!(terms(&log), [2]);
    }

    #[test]
    fn terms_are_found_by_their_ends() {
        let log = log(&[1, 1, 4, 4, 6]);
        assert_eq!((log.first_of(4), log.last_of(4)), (3, Some(4)));
        assert_eq!((log.last_of(5), log.last_of(0), log.last_of(6)), (None, None, Some(5)));
        assert_eq!((log.term_at(0), log.term_at(5), log.term_at(6)), (Some(0), Some(6), None));
    }
}
