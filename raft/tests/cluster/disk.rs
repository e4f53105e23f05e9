//! A disk that takes its time.

use std::time::Duration;

use labrt::sync::Leaf;
use labrt::thread;
use labrt::time::Instant;
use persister::{MemoryPersister, PersistError, Persister};

/// A persister in memory whose writes take as long as the test wants.
#[derive(Default)]
pub(crate) struct Disk {
    inner: MemoryPersister,
    pace: Leaf<Pace>,
}

#[derive(Clone, Copy, Default)]
struct Pace {
    /// How long each write takes.
    write: Duration,
    /// No write ends before this moment.
    stalled_until: Option<Instant>,
}

impl Disk {
    /// From now on each write takes so long.
    pub(crate) fn set_write_time(&self, write: Duration) {
        self.pace.with(|pace| pace.write = write);
    }

    /// No write ends before so much time has passed.
    pub(crate) fn stall(&self, time: Duration) {
        let until = Instant::now() + time;
        self.pace.with(|pace| pace.stalled_until = Some(until));
    }

    /// What is on the disk, on another one that takes no time.
    pub(crate) fn copy(&self) -> Disk {
        Disk { inner: self.inner.copy(), pace: Leaf::default() }
    }

    fn write(&self) {
        let Pace { write, stalled_until } = self.pace.with(|pace| *pace);
        if write > Duration::ZERO {
            thread::sleep(write);
        }
        if let Some(until) = stalled_until {
            thread::sleep_until(until);
        }
    }
}

impl Persister for Disk {
    fn save_raft_state(&self, state: &[u8]) -> Result<(), PersistError> {
        self.write();
        self.inner.save_raft_state(state)
    }

    fn append_raft_state(&self, record: &[u8]) -> Result<(), PersistError> {
        self.write();
        self.inner.append_raft_state(record)
    }

    fn read_raft_state(&self) -> Result<Vec<u8>, PersistError> {
        self.inner.read_raft_state()
    }

    fn raft_state_size(&self) -> usize {
        self.inner.raft_state_size()
    }

    fn save_state_and_snapshot(&self, state: &[u8], snapshot: &[u8]) -> Result<(), PersistError> {
        self.write();
        self.inner.save_state_and_snapshot(state, snapshot)
    }

    fn read_snapshot(&self) -> Result<Vec<u8>, PersistError> {
        self.inner.read_snapshot()
    }

    fn snapshot_size(&self) -> usize {
        self.inner.snapshot_size()
    }
}
