//! What servers save, as seen from outside.

use std::sync::Arc;

use labtrace::{Session, What};
use persister::{PersistError, Persister};
use raft_api::Persisted;

use super::judge::Look;

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

/// Looks at what a server has saved, each time while that is little, and the less often the more it
/// is, so that looking costs no more than the rest.
#[derive(Clone, Default)]
pub(crate) struct Saves {
    persister: Option<Arc<dyn Persister>>,
    looks: usize,
    silent: bool,
}

impl Saves {
    pub(crate) fn of(persister: Arc<dyn Persister>) -> Saves {
        Saves { persister: Some(persister), looks: 0, silent: false }
    }

    /// What is saved, if this is the time to look and the Raft says what it means.
    pub(crate) fn look(
        &mut self,
        read: fn(&[u8]) -> Option<Persisted>,
        look: Look,
    ) -> Option<Persisted> {
        const LITTLE: usize = 2048;
        let persister = self.persister.as_ref()?;
        self.looks += 1;
        let dear = (persister.raft_state_size() / LITTLE).max(1);
        if look == Look::IfCheap && !self.looks.is_multiple_of(dear) {
            return None;
        }
        let state = persister.read_raft_state().ok()?;
        let saved = read(&state);
        self.silent |= saved.is_none() && !state.is_empty();
        saved
    }

    /// Something is saved, and the Raft does not say what.
    pub(crate) fn is_silent(&self) -> bool {
        self.silent
    }
}
