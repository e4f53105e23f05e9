use std::fmt;

use bytes::Bytes;
use labgob::Gob;
use serde::{Deserialize, Serialize};

/// No log comes to such an index: at a thousand million entries a second it would take 290 years. So
/// there is always a next one.
pub(crate) const MAX_INDEX: u64 = u64::MAX / 2;

/// One entry of the log.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize, Gob)]
pub struct Entry {
    /// The term in which a leader received it.
    pub term: u64,
    /// The command for the state machine.
    pub command: Bytes,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:?}", self.term, self.command)
    }
}

/// Where an entry stands, and its term: what tells it from every other one (Log Matching).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Gob)]
pub struct Place {
    /// Its index.
    pub index: u64,
    /// Its term.
    pub term: u64,
}

/// A log: entries whose indexes follow each other and whose terms never decrease.
///
/// It begins behind its *base*: 0/0 for a log with all its entries, so that the first one has index
/// 1; else the last entry that the server's snapshot holds. Of what is before the base nothing is
/// known but that it is committed. An index is no position: only this type knows where in memory an
/// entry lies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Log {
    base: Place,
    entries: Vec<Entry>,
}

impl Log {
    //= state.begin, snapshot.base-term
    /// A log without entries, whose first one will follow `base`.
    pub fn behind(base: Place) -> Log {
        Log { base, entries: Vec::new() }
    }

    /// The place before the first entry.
    pub fn base(&self) -> Place {
        self.base
    }

    /// The index of the first entry, also if there is none yet.
    pub fn first_index(&self) -> u64 {
        self.base.index + 1
    }

    /// The index of the last entry; that of the base if there is none.
    pub fn last_index(&self) -> u64 {
        self.base.index + self.entries.len() as u64
    }

    /// The term of the last entry; that of the base if there is none.
    pub fn last_term(&self) -> u64 {
        self.entries.last().map_or(self.base.term, |entry| entry.term)
    }

    /// The entry with this index; none if it is not there, or not there any more.
    pub fn get(&self, index: u64) -> Option<&Entry> {
        self.entries.get(self.position(index)?)
    }

    /// The term of the entry with this index. It is known of the base too, and of nothing before it.
    pub fn term_at(&self, index: u64) -> Option<u64> {
        match index == self.base.index {
            true => Some(self.base.term),
            false => self.get(index).map(|entry| entry.term),
        }
    }

    /// All entries; the first one has the index [`first_index`](Log::first_index).
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries from this index on; none if it is behind the last one.
    ///
    /// # Panics
    /// If the index is not behind the base: the entries would be taken for others.
    pub fn from(&self, index: u64) -> &[Entry] {
        let base = self.base.index;
        let position = self.position(index);
        let position = position.unwrap_or_else(|| {
            panic!("entries from index {index} on of a log that begins behind {base}")
        });
        self.entries.get(position..).unwrap_or(&[])
    }

    /// The first index with this term or a later one, or the one after the last entry.
    pub fn first_of_term(&self, term: u64) -> u64 {
        self.first_index() + self.entries.partition_point(|entry| entry.term < term) as u64
    }

    /// The last index with this term, if there is any; it may be that of the base.
    pub fn last_of_term(&self, term: u64) -> Option<u64> {
        let up_to_term = self.entries.partition_point(|entry| entry.term <= term) as u64;
        let index = self.base.index + up_to_term;
        (index > 0 && self.term_at(index) == Some(term)).then_some(index)
    }

    /// Appends an entry and returns its index.
    pub(crate) fn push(&mut self, entry: Entry) -> u64 {
        self.entries.push(entry);
        self.last_index()
    }

    /// Removes the entry with this index and all that follow it.
    ///
    /// # Panics
    /// If the index is not behind the base: what is before it is committed.
    pub(crate) fn truncate_from(&mut self, index: u64) {
        let base = self.base.index;
        let keep = self.position(index);
        let keep = keep.unwrap_or_else(|| {
            panic!("a log that begins behind {base} cannot lose its entries from {index} on")
        });
        self.entries.truncate(keep);
    }

    /// Forgets the entries up to and with this one, which becomes the base, and gives their memory
    /// back. Costs as much as there are entries left.
    ///
    /// # Panics
    /// If there is no such entry.
    pub(crate) fn forget_through(&mut self, index: u64) {
        let term = self.get(index).map(|entry| entry.term);
        let term = term.unwrap_or_else(|| panic!("entry {index}, to be forgotten, is not there"));
        let left = self.position(index + 1).expect("it is behind an entry");
        // A new vector: the old one would keep the room for what it has lost.
        self.entries = self.entries.split_off(left);
        self.base = Place { index, term };
    }

    /// Where in memory the entry with this index lies, or would lie; none for the base and before.
    fn position(&self, index: u64) -> Option<usize> {
        let behind = index.checked_sub(self.first_index())?;
        Some(usize::try_from(behind).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(terms: &[u64]) -> Log {
        log_behind(Place::default(), terms)
    }

    fn log_behind(base: Place, terms: &[u64]) -> Log {
        let mut log = Log::behind(base);
        for &term in terms {
            log.push(Entry { term, command: Bytes::new() });
        }
        log
    }

    #[test]
    fn index_0_is_before_the_first_entry() {
        let empty = Log::default();
        assert_eq!((empty.last_index(), empty.last_term(), empty.term_at(0)), (0, 0, Some(0)));
        assert_eq!(empty.get(0), None);
        assert_eq!(log(&[3]).term_at(1), Some(3));
        assert_eq!(log(&[3]).term_at(2), None);
        assert_eq!(log(&[3]).get(u64::MAX), None);
    }

    #[test]
    fn terms_are_found() {
        let log = log(&[1, 1, 4, 4, 5]);
        assert_eq!((log.first_of_term(4), log.last_of_term(4)), (3, Some(4)));
        assert_eq!((log.first_of_term(1), log.last_of_term(1)), (1, Some(2)));
        assert_eq!((log.first_of_term(2), log.last_of_term(2)), (3, None));
        assert_eq!((log.first_of_term(9), log.last_of_term(9)), (6, None));
        assert_eq!((log.first_of_term(0), log.last_of_term(0)), (1, None));
    }

    #[test]
    fn slices_and_truncation_follow_the_indexes() {
        let mut log = log(&[1, 2, 3]);
        assert_eq!(log.from(1).len(), 3);
        assert_eq!(log.from(3).len(), 1);
        assert_eq!(log.from(4).len(), 0);
        assert_eq!(log.from(u64::MAX).len(), 0);
        log.truncate_from(2);
        assert_eq!(log.last_index(), 1);
        log.truncate_from(1);
        assert_eq!(log.last_index(), 0);
        log.truncate_from(5);
        assert_eq!(log.last_index(), 0);
    }

    const BASE: Place = Place { index: 10, term: 4 };

    #[test]
    fn a_log_without_entries_ends_with_its_base() {
        let mut log = Log::behind(BASE);
        assert_eq!((log.first_index(), log.last_index(), log.last_term()), (11, 10, 4));
        assert_eq!((log.term_at(9), log.term_at(10), log.term_at(11)), (None, Some(4), None));
        assert_eq!((log.get(10), log.get(0), log.term_at(0)), (None, None, None));
        assert_eq!(log.push(Entry { term: 5, command: Bytes::new() }), 11);
        assert_eq!((log.last_index(), log.last_term(), log.term_at(11)), (11, 5, Some(5)));
    }

    #[test]
    fn entries_behind_a_base_are_found_by_their_indexes() {
        let log = log_behind(BASE, &[4, 6, 6, 7]);
        assert_eq!((log.first_index(), log.last_index()), (11, 14));
        let terms = [10, 11, 12, 13, 14, 15].map(|index| log.term_at(index));
        assert_eq!(terms, [Some(4), Some(4), Some(6), Some(6), Some(7), None]);
        assert_eq!((log.from(11), log.from(13)), (log.entries(), &log.entries()[2..]));
        assert_eq!((log.from(14).len(), log.from(15).len(), log.from(u64::MAX).len()), (1, 0, 0));
    }

    #[test]
    fn terms_are_found_behind_a_base_and_at_it() {
        let log = log_behind(BASE, &[4, 6, 6, 7]);
        assert_eq!((log.first_of_term(6), log.last_of_term(6)), (12, Some(13)));
        assert_eq!((log.first_of_term(5), log.last_of_term(5)), (12, None));
        // The base's own term, with and without an entry behind it, and terms before it.
        assert_eq!((log.first_of_term(4), log.last_of_term(4)), (11, Some(11)));
        assert_eq!(log_behind(BASE, &[6]).last_of_term(4), Some(10));
        assert_eq!((log.first_of_term(3), log.last_of_term(3)), (11, None));
    }

    #[test]
    fn truncation_leaves_the_base() {
        let mut log = log_behind(BASE, &[4, 6, 6, 7]);
        log.truncate_from(13);
        assert_eq!((log.last_index(), log.last_term()), (12, 6));
        log.truncate_from(11);
        assert_eq!(log, Log::behind(BASE));
    }

    #[test]
    fn what_is_forgotten_leaves_a_base_and_no_room() {
        let mut log = log_behind(BASE, &[4, 6, 6, 7]);
        log.forget_through(12);
        assert_eq!(log, log_behind(Place { index: 12, term: 6 }, &[6, 7]));
        assert_eq!(log.entries.capacity(), 2);
        log.forget_through(14);
        assert_eq!(log, Log::behind(Place { index: 14, term: 7 }));
        assert_eq!(log.entries.capacity(), 0);
        assert_eq!(log.push(Entry { term: 7, command: Bytes::new() }), 15);
    }

    #[test]
    #[should_panic(expected = "entry 15, to be forgotten, is not there")]
    fn what_is_not_there_cannot_be_forgotten() {
        log_behind(BASE, &[4, 6, 6, 7]).forget_through(15);
    }

    #[test]
    #[should_panic(expected = "entries from index 10 on of a log that begins behind 10")]
    fn what_is_not_there_any_more_is_not_mistaken_for_what_is() {
        log_behind(BASE, &[4, 6]).from(10);
    }

    #[test]
    #[should_panic(expected = "a log that begins behind 10 cannot lose its entries from 3 on")]
    fn what_is_before_the_base_cannot_be_removed() {
        log_behind(BASE, &[4, 6]).truncate_from(3);
    }
}
