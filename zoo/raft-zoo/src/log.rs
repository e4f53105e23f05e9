//! The log. The first entry has index 1; before it there is one of term 0 that everybody has. What a
//! snapshot holds is forgotten, all but index and term of the last entry.

use crate::message::Entry;

#[derive(Default)]
pub(crate) struct Log {
    /// `lastIncludedIndex` of the snapshot; 0 without one.
    base: u64,
    /// `lastIncludedTerm`.
    base_term: u64,
    entries: Vec<Entry>,
}

impl Log {
    pub(crate) fn new(base: u64, base_term: u64, entries: Vec<Entry>) -> Log {
        Log { base, base_term, entries }
    }

    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    pub(crate) fn base_term(&self) -> u64 {
        self.base_term
    }

    pub(crate) fn entries(&self) -> &Vec<Entry> {
        &self.entries
    }

    pub(crate) fn last_index(&self) -> u64 {
        self.base + self.entries.len() as u64
    }

    pub(crate) fn last_term(&self) -> u64 {
        self.entries.last().map_or(self.base_term, |entry| entry.term)
    }

    /// The term of the entry with this index, if there is one and it is not forgotten.
    pub(crate) fn term_at(&self, index: u64) -> Option<u64> {
        match index.checked_sub(self.base)? {
            0 => Some(self.base_term),
            behind => self.entries.get(behind as usize - 1).map(|entry| entry.term),
        }
    }

    /// The entries after one index and up to another, so far as they are not forgotten.
    pub(crate) fn between(&self, after: u64, last: u64) -> Vec<Entry> {
        let place = |index: u64| index.saturating_sub(self.base) as usize;
        self.entries[place(after)..place(last)].to_vec()
    }

    /// The first index of a term that the log has.
    pub(crate) fn first_index_of(&self, term: u64) -> u64 {
        self.base + self.entries.partition_point(|entry| entry.term < term) as u64 + 1
    }

    /// The last index of a term, if the log has that term.
    pub(crate) fn last_index_of(&self, term: u64) -> Option<u64> {
        let last = self.base + self.entries.partition_point(|entry| entry.term <= term) as u64;
        (self.term_at(last) == Some(term)).then_some(last)
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Deletes all entries after this index and appends others in their place.
    pub(crate) fn replace_after(&mut self, index: u64, entries: &[Entry]) {
        self.entries.truncate((index - self.base) as usize);
        self.entries.extend_from_slice(entries);
    }

    /// Forgets the entries up to this index, which the log must have, but for the last `kept` of them.
    pub(crate) fn forget_through(&mut self, index: u64, kept: u64) {
        let term = self.term_at(index).expect("what is applied is in the log");
        self.entries.drain(..(index - self.base - kept) as usize);
        (self.base, self.base_term) = (index, term);
    }
}
