//! The log. The first entry has index 1; before it there is one of term 0 that everybody has.

use crate::message::Entry;

pub(crate) struct Log {
    entries: Vec<Entry>,
}

impl Log {
    pub(crate) fn new(entries: Vec<Entry>) -> Log {
        Log { entries }
    }

    pub(crate) fn entries(&self) -> &Vec<Entry> {
        &self.entries
    }

    pub(crate) fn last_index(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(crate) fn last_term(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.term)
    }

    /// The term of the entry with this index, if there is one.
    pub(crate) fn term_at(&self, index: u64) -> Option<u64> {
        match index {
            0 => Some(0),
            _ => self.entries.get(index as usize - 1).map(|entry| entry.term),
        }
    }

    /// The entries after one index and up to another.
    pub(crate) fn between(&self, after: u64, last: u64) -> Vec<Entry> {
        self.entries[after as usize..last as usize].to_vec()
    }

    /// The first index of a term that the log has.
    pub(crate) fn first_index_of(&self, term: u64) -> u64 {
        self.entries.partition_point(|entry| entry.term < term) as u64 + 1
    }

    /// The last index of a term, if the log has that term.
    pub(crate) fn last_index_of(&self, term: u64) -> Option<u64> {
        let last = self.entries.partition_point(|entry| entry.term <= term) as u64;
        (self.term_at(last) == Some(term)).then_some(last)
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Deletes all entries after this index and appends others in their place.
    pub(crate) fn replace_after(&mut self, index: u64, entries: &[Entry]) {
        self.entries.truncate(index as usize);
        self.entries.extend_from_slice(entries);
    }
}
