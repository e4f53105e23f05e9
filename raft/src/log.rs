use std::fmt;

use bytes::Bytes;
use labgob::Gob;
use serde::{Deserialize, Serialize};

/// One entry of the log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Gob)]
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

/// A log: entries with the indexes 1, 2, and so on, whose terms never decrease.
///
/// Index 0 stands for the place before the first entry and has term 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    entries: Vec<Entry>,
}

impl Log {
    /// The index of the last entry; 0 for an empty log.
    pub fn last_index(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The term of the last entry; 0 for an empty log.
    pub fn last_term(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.term)
    }

    /// The entry with this index.
    pub fn get(&self, index: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(index.checked_sub(1)?).ok()?)
    }

    /// The term of the entry with this index; 0 for index 0.
    pub fn term_at(&self, index: u64) -> Option<u64> {
        if index == 0 { Some(0) } else { self.get(index).map(|entry| entry.term) }
    }

    /// The entries from this index on.
    pub fn from(&self, index: u64) -> &[Entry] {
        let skip = usize::try_from(index.saturating_sub(1)).unwrap_or(usize::MAX);
        self.entries.get(skip..).unwrap_or(&[])
    }

    /// The first index with this term or a later one, or the one after the last entry.
    pub fn first_of_term(&self, term: u64) -> u64 {
        self.entries.partition_point(|entry| entry.term < term) as u64 + 1
    }

    /// The last index with this term, if there is any.
    pub fn last_of_term(&self, term: u64) -> Option<u64> {
        let index = self.entries.partition_point(|entry| entry.term <= term) as u64;
        (index > 0 && self.term_at(index) == Some(term)).then_some(index)
    }

    /// Appends an entry and returns its index.
    pub(crate) fn push(&mut self, entry: Entry) -> u64 {
        self.entries.push(entry);
        self.last_index()
    }

    /// Removes the entry with this index and all that follow it.
    pub(crate) fn truncate_from(&mut self, index: u64) {
        let keep = usize::try_from(index.saturating_sub(1)).unwrap_or(usize::MAX);
        self.entries.truncate(keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(terms: &[u64]) -> Log {
        let entry = |&term| Entry { term, command: Bytes::new() };
        Log { entries: terms.iter().map(entry).collect() }
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
        log.truncate_from(0);
        assert_eq!(log.last_index(), 0);
    }
}
