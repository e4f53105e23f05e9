//! What the library keeps: in memory for itself, and as one value for the persister.

use std::error::Error;

use labgob::Gob;
use raft_api::{Bytes, Persisted};
use serde::{Deserialize, Serialize};
use tikv_raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use tikv_raft::util::limit_size;
use tikv_raft::{GetEntriesContext, RaftState, Storage, StorageError};

/// What is saved.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Gob)]
pub(crate) struct Saved {
    term: u64,
    /// The server that has the vote, counted from 1; 0 is nobody.
    vote: u64,
    commit: u64,
    entries: Vec<SavedEntry>,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct SavedEntry {
    term: u64,
    data: Bytes,
}

impl Saved {
    /// Reads what a server has saved; a new one has saved nothing.
    pub(crate) fn restore(saved: &[u8]) -> Result<Saved, Box<dyn Error + Send + Sync>> {
        match saved {
            [] => Ok(Saved::default()),
            saved => Ok(labgob::decode(saved)?),
        }
    }

    /// What it means to the tester. The indexes are those of the log, with the leaders' own entries.
    pub(crate) fn meaning(&self) -> Persisted {
        Persisted {
            term: self.term,
            voted_for: self.vote.checked_sub(1).map(|place| place as usize),
            log_terms: self.entries.iter().map(|entry| entry.term).collect(),
            ..Persisted::default()
        }
    }
}

pub(super) struct Store {
    saved: Saved,
    servers: usize,
}

impl Store {
    pub(super) fn new(saved: Saved, servers: usize) -> Store {
        Store { saved, servers }
    }

    pub(super) fn encoded(&self) -> Vec<u8> {
        labgob::encode(&self.saved)
    }

    /// Stores entries in place of those from the first one's index on.
    pub(super) fn append(&mut self, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        self.saved.entries.truncate(first.index as usize - 1);
        let saved = |entry: &Entry| SavedEntry { term: entry.term, data: entry.data.clone() };
        self.saved.entries.extend(entries.iter().map(saved));
    }

    pub(super) fn set_hard_state(&mut self, hard: &HardState) {
        (self.saved.term, self.saved.vote) = (hard.term, hard.vote);
        self.saved.commit = hard.commit;
    }

    pub(super) fn set_commit(&mut self, commit: u64) {
        self.saved.commit = commit;
    }

    /// How many of the entries before an index are the service's.
    pub(super) fn commands_before(&self, index: u64) -> u64 {
        let before = self.saved.entries.iter().take(index as usize - 1);
        before.filter(|entry| !entry.data.is_empty()).count() as u64
    }

    fn entry(&self, index: u64) -> Entry {
        let SavedEntry { term, data } = &self.saved.entries[index as usize - 1];
        Entry { index, term: *term, data: data.clone(), ..Entry::default() }
    }
}

impl Storage for Store {
    fn initial_state(&self) -> tikv_raft::Result<RaftState> {
        let Saved { term, vote, commit, .. } = self.saved;
        let hard = HardState { term, vote, commit, ..HardState::default() };
        let voters = (1..=self.servers as u64).collect();
        let servers = ConfState { voters, ..ConfState::default() };
        Ok(RaftState::new(hard, servers))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> tikv_raft::Result<Vec<Entry>> {
        let mut entries = (low..high).map(|index| self.entry(index)).collect();
        limit_size(&mut entries, max_size.into());
        Ok(entries)
    }

    fn term(&self, index: u64) -> tikv_raft::Result<u64> {
        if index == 0 {
            return Ok(0);
        }
        let entry = self.saved.entries.get(index as usize - 1);
        entry.map(|entry| entry.term).ok_or_else(|| StorageError::Unavailable.into())
    }

    fn first_index(&self) -> tikv_raft::Result<u64> {
        Ok(1)
    }

    fn last_index(&self) -> tikv_raft::Result<u64> {
        Ok(self.saved.entries.len() as u64)
    }

    fn snapshot(&self, _request_index: u64, _to: u64) -> tikv_raft::Result<Snapshot> {
        // Nothing is ever taken out of the log, so nobody needs one.
        Err(StorageError::SnapshotTemporarilyUnavailable.into())
    }
}
