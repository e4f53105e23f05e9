//! The persister of the lab: it lives in memory and outlives the server, not the process.

#![allow(
    clippy::disallowed_types,
    reason = "the lock is held while bytes are copied, never across anything that waits"
)]

use std::fmt;

use parking_lot::Mutex;

use crate::{PersistError, Persister};

/// A persister in memory, for servers that crash and restart within one process.
///
/// An append copies its record and nothing else, apart from the doubling of a growing vector. No
/// operation ever fails or waits.
///
/// For testers it can be left as a crash in the middle of a save would leave a
/// [`FilePersister`](crate::FilePersister): [`save_torn`](MemoryPersister::save_torn).
///
/// Go: `Persister`, made by `MakePersister()`.
///
/// ```
/// use persister::{MemoryPersister, Persister};
///
/// let disk = MemoryPersister::new();
/// disk.save_raft_state(b"term 1")?;
/// disk.append_raft_state(b", vote 2")?;
/// assert_eq!(disk.read_raft_state()?, b"term 1, vote 2");
/// # Ok::<(), persister::PersistError>(())
/// ```
#[derive(Default)]
pub struct MemoryPersister {
    // Both strings under one lock: the pair changes in one step.
    held: Mutex<Held>,
}

#[derive(Clone, Default)]
struct Held {
    state: Vec<u8>,
    snapshot: Vec<u8>,
}

impl MemoryPersister {
    /// An empty persister. Go: `MakePersister()`.
    pub fn new() -> MemoryPersister {
        MemoryPersister::default()
    }

    /// A persister with the same content that shares nothing with this one. Go: `Copy()`.
    ///
    /// A tester takes a copy when it crashes a server. Whatever the dead instance still writes
    /// goes to the old persister, and its successor reads the copy.
    ///
    /// ```
    /// use persister::{MemoryPersister, Persister};
    ///
    /// let old = MemoryPersister::new();
    /// old.save_raft_state(b"before the crash")?;
    /// let new = old.copy();
    /// old.save_raft_state(b"written by a dead instance")?;
    /// assert_eq!(new.read_raft_state()?, b"before the crash");
    /// # Ok::<(), persister::PersistError>(())
    /// ```
    #[must_use = "the copy is the result; this persister does not change"]
    pub fn copy(&self) -> MemoryPersister {
        let held = self.held.lock().clone();
        MemoryPersister { held: Mutex::new(held) }
    }
}

impl Persister for MemoryPersister {
    fn save_raft_state(&self, state: &[u8]) -> Result<(), PersistError> {
        let mut held = self.held.lock();
        held.state.clear();
        held.state.extend_from_slice(state);
        Ok(())
    }

    fn append_raft_state(&self, record: &[u8]) -> Result<(), PersistError> {
        self.held.lock().state.extend_from_slice(record);
        Ok(())
    }

    fn read_raft_state(&self) -> Result<Vec<u8>, PersistError> {
        Ok(self.held.lock().state.clone())
    }

    fn raft_state_size(&self) -> usize {
        self.held.lock().state.len()
    }

    fn save_state_and_snapshot(&self, state: &[u8], snapshot: &[u8]) -> Result<(), PersistError> {
        // Copied before the lock is taken: a snapshot may be large.
        let new = Held { state: state.to_vec(), snapshot: snapshot.to_vec() };
        *self.held.lock() = new;
        Ok(())
    }

    fn read_snapshot(&self) -> Result<Vec<u8>, PersistError> {
        Ok(self.held.lock().snapshot.clone())
    }

    fn snapshot_size(&self) -> usize {
        self.held.lock().snapshot.len()
    }
}

impl fmt::Debug for MemoryPersister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Sizes only: the bytes mean nothing here and may be many.
        let held = self.held.lock();
        f.debug_struct("MemoryPersister")
            .field("raft_state_size", &held.state.len())
            .field("snapshot_size", &held.snapshot.len())
            .finish()
    }
}
