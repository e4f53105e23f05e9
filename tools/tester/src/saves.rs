//! Telling the trace what servers save.

use std::sync::Arc;

use labtrace::{Session, What};
use persister::{PersistError, Persister};

/// A server's persister that tells the trace of each save.
pub(crate) struct WatchedPersister {
    inner: Arc<dyn Persister>,
    session: Session,
    lane: u32,
}

impl WatchedPersister {
    pub(crate) fn new(inner: Arc<dyn Persister>, session: Session, lane: u32) -> Self {
        WatchedPersister { inner, session, lane }
    }

    fn saved(&self, result: Result<(), PersistError>) -> Result<(), PersistError> {
        if result.is_ok() {
            let bytes = self.inner.raft_state_size() as u64;
            self.session.record(Some(self.lane), What::Saved { bytes });
        }
        result
    }
}

impl Persister for WatchedPersister {
    fn save_raft_state(&self, state: &[u8]) -> Result<(), PersistError> {
        self.saved(self.inner.save_raft_state(state))
    }

    fn append_raft_state(&self, record: &[u8]) -> Result<(), PersistError> {
        self.saved(self.inner.append_raft_state(record))
    }

    fn read_raft_state(&self) -> Result<Vec<u8>, PersistError> {
        self.inner.read_raft_state()
    }

    fn raft_state_size(&self) -> usize {
        self.inner.raft_state_size()
    }

    fn save_state_and_snapshot(&self, state: &[u8], snapshot: &[u8]) -> Result<(), PersistError> {
        self.saved(self.inner.save_state_and_snapshot(state, snapshot))
    }

    fn read_snapshot(&self) -> Result<Vec<u8>, PersistError> {
        self.inner.read_snapshot()
    }

    fn snapshot_size(&self) -> usize {
        self.inner.snapshot_size()
    }
}
