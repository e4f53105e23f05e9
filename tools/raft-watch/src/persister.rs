//! What servers save, as seen from outside.

use std::sync::Arc;

use persister::Persister;
use raft_api::Persisted;

use super::judge::Look;

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
