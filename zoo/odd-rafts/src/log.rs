//! The log. The first entry has index 1; what a snapshot holds may be forgotten.

use labgob::Gob;
use serde::{Deserialize, Serialize};

use crate::message::{Entry, Place};

#[derive(Clone, Debug, Default, Serialize, Deserialize, Gob)]
pub(crate) struct Log {
    /// The last forgotten entry; both are 0 if there is none.
    base_index: u64,
    base_term: u64,
    entries: Vec<Entry>,
}

impl Log {
    /// A log without entries, of which all up to this place are forgotten.
    pub(crate) fn behind(base: Place) -> Log {
        Log { base_index: base.index, base_term: base.term, entries: Vec::new() }
    }

    /// The last forgotten entry.
    pub(crate) fn base(&self) -> Place {
        Place { index: self.base_index, term: self.base_term }
    }

    /// Forgets all up to an index, which the log must have.
    pub(crate) fn forget_through(&mut self, index: u64) {
        self.base_term = self.term_at(index).expect("the log has it");
        self.entries.drain(..(index - self.base_index) as usize);
        self.base_index = index;
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn last(&self) -> Place {
        let term = self.entries.last().map_or(self.base_term, |entry| entry.term);
        Place { index: self.last_index(), term }
    }

    pub(crate) fn last_index(&self) -> u64 {
        self.base_index + self.entries.len() as u64
    }

    /// The term of the entry with this index, if there is one that is not forgotten.
    pub(crate) fn term_at(&self, index: u64) -> Option<u64> {
        match index.checked_sub(self.base_index)? {
            0 => Some(self.base_term),
            place => self.entries.get(place as usize - 1).map(|entry| entry.term),
        }
    }

    /// So many entries after an index, all of which the log must have.
    pub(crate) fn after(&self, index: u64, count: u64) -> &[Entry] {
        let place = (index - self.base_index) as usize;
        &self.entries[place..place + count as usize]
    }

    /// The first index of a term that the log has.
    pub(crate) fn first_of(&self, term: u64) -> u64 {
        self.base_index + self.entries.partition_point(|entry| entry.term < term) as u64 + 1
    }

    /// The last index of a term, if the log has that term.
    pub(crate) fn last_of(&self, term: u64) -> Option<u64> {
        let behind = self.entries.partition_point(|entry| entry.term <= term) as u64;
        let last = self.base_index + behind;
        (last > 0 && self.term_at(last) == Some(term)).then_some(last)
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Deletes all entries after this index.
    pub(crate) fn cut_after(&mut self, index: u64) {
        self.entries.truncate((index - self.base_index) as usize);
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
        Log { entries: entries(terms), ..Log::default() }
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
    fn indexes_are_the_same_behind_what_is_forgotten() {
        let mut log = log(&[1, 1, 4, 4, 6]);
        log.forget_through(3);
        assert_eq!((log.base(), log.last_index()), (Place { index: 3, term: 4 }, 5));
        assert_eq!(
            [2, 3, 4, 5, 6].map(|index| log.term_at(index)),
            [None, Some(4), Some(4), Some(6), None]
        );
        assert_eq!((log.first_of(6), log.last_of(4), log.last_of(1)), (5, Some(4), None));
        assert!(log.store(4, &entries(&[7])));
        assert_eq!(terms(&log), [4, 7]);
    }

    #[test]
    fn terms_are_found_by_their_ends() {
        let log = log(&[1, 1, 4, 4, 6]);
        assert_eq!((log.first_of(4), log.last_of(4)), (3, Some(4)));
        assert_eq!((log.last_of(5), log.last_of(0), log.last_of(6)), (None, None, Some(5)));
        assert_eq!((log.term_at(0), log.term_at(5), log.term_at(6)), (Some(0), Some(6), None));
    }
}
