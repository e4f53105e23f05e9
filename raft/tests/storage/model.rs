//! A server's storage, watched, and a plain copy of what it should hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use labrt::thread;
use persister::{MemoryPersister, PersistError, Persister};
use raft::rules::Core;
use raft::storage::Storage;
use raft::{AppendEntriesArgs, Entry, HardState, Log, Stored};

/// A persister that counts, and fails when told to.
#[derive(Default)]
pub(crate) struct Watched {
    inner: MemoryPersister,
    bytes_written: AtomicU64,
    writes: AtomicU64,
    replacements: AtomicU64,
    /// The number of the first write that fails; 0 for none.
    fails_at: AtomicU64,
    /// How long a write takes, in milliseconds.
    write_ms: AtomicU64,
}

impl Watched {
    pub(crate) fn bytes_written(&self) -> u64 {
        self.bytes_written.load(Ordering::Relaxed)
    }

    /// How often something was written.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// How often the whole state was written.
    pub(crate) fn replacements(&self) -> u64 {
        self.replacements.load(Ordering::Relaxed)
    }

    pub(crate) fn fail_at(&self, write: u64) {
        self.fails_at.store(write, Ordering::Relaxed);
    }

    pub(crate) fn set_write_ms(&self, ms: u64) {
        self.write_ms.store(ms, Ordering::Relaxed);
    }

    fn write(&self, bytes: &[u8]) -> Result<(), PersistError> {
        match self.write_ms.load(Ordering::Relaxed) {
            0 => {}
            ms => thread::sleep(Duration::from_millis(ms)),
        }
        let number = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        let fails_at = self.fails_at.load(Ordering::Relaxed);
        if fails_at != 0 && number >= fails_at {
            return Err(disk_full());
        }
        self.bytes_written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

fn disk_full() -> PersistError {
    let source = std::io::ErrorKind::StorageFull.into();
    PersistError::Io { action: "use", path: "the test's disk".into(), source }
}

impl Persister for Watched {
    fn save_raft_state(&self, state: &[u8]) -> Result<(), PersistError> {
        self.write(state)?;
        self.replacements.fetch_add(1, Ordering::Relaxed);
        self.inner.save_raft_state(state)
    }

    fn append_raft_state(&self, record: &[u8]) -> Result<(), PersistError> {
        self.write(record)?;
        self.inner.append_raft_state(record)
    }

    fn read_raft_state(&self) -> Result<Vec<u8>, PersistError> {
        self.inner.read_raft_state()
    }

    fn raft_state_size(&self) -> usize {
        self.inner.raft_state_size()
    }

    fn save_state_and_snapshot(&self, state: &[u8], snapshot: &[u8]) -> Result<(), PersistError> {
        self.write(&[state, snapshot].concat())?;
        self.inner.save_state_and_snapshot(state, snapshot)
    }

    fn read_snapshot(&self) -> Result<Vec<u8>, PersistError> {
        self.inner.read_snapshot()
    }

    fn snapshot_size(&self) -> usize {
        self.inner.snapshot_size()
    }
}

/// A persister that cannot be read.
pub(crate) struct Unreadable;

impl Persister for Unreadable {
    fn save_raft_state(&self, _: &[u8]) -> Result<(), PersistError> {
        Err(disk_full())
    }

    fn append_raft_state(&self, _: &[u8]) -> Result<(), PersistError> {
        Err(disk_full())
    }

    fn read_raft_state(&self) -> Result<Vec<u8>, PersistError> {
        Err(disk_full())
    }

    fn raft_state_size(&self) -> usize {
        0
    }

    fn save_state_and_snapshot(&self, _: &[u8], _: &[u8]) -> Result<(), PersistError> {
        Err(disk_full())
    }

    fn read_snapshot(&self) -> Result<Vec<u8>, PersistError> {
        Err(disk_full())
    }

    fn snapshot_size(&self) -> usize {
        0
    }
}

/// A server whose state is saved after each event, and a plain copy of what it should hold.
pub(crate) struct Saved {
    pub(crate) core: Core,
    pub(crate) storage: Storage,
    pub(crate) persister: Arc<Watched>,
    pub(crate) hard: HardState,
    pub(crate) entries: Vec<Entry>,
}

impl Saved {
    pub(crate) fn new(servers: usize) -> Saved {
        let persister = Arc::new(Watched::default());
        let (storage, stored) = Storage::open(persister.clone()).unwrap();
        let hard = stored.hard;
        let core = Core::new(0, servers, stored);
        Saved { core, storage, persister, hard, entries: Vec::new() }
    }

    pub(crate) fn save(&mut self) {
        let output = self.core.take_output();
        self.storage.save(&self.core, &output.unsaved).unwrap();
    }

    /// An election, which changes term and vote.
    pub(crate) fn stand(&mut self) {
        self.core.election_timeout();
        self.hard = HardState { term: self.hard.term + 1, voted_for: Some(0) };
        self.save();
    }

    /// The leader of the next term puts entries of these sizes behind entry `prev`.
    pub(crate) fn replace(&mut self, prev: usize, sizes: &[usize]) {
        let term = self.hard.term + 1;
        let entry = |&size: &usize| Entry { term, command: vec![b'c'; size].into() };
        let entries: Vec<_> = sizes.iter().map(entry).collect();
        let args = AppendEntriesArgs {
            term,
            leader_id: 1,
            prev_log_index: prev as u64,
            prev_log_term: prev.checked_sub(1).map_or(0, |place| self.entries[place].term),
            entries: entries.clone(),
            leader_commit: 0,
        };
        assert!(self.core.append_entries(&args).success);
        self.hard = HardState { term, voted_for: None };
        if !entries.is_empty() {
            self.entries.truncate(prev);
            self.entries.extend(entries);
        }
        self.save();
    }

    /// A server that is alone takes a command.
    pub(crate) fn propose(&mut self, size: usize) {
        self.core.propose(vec![b'c'; size].into()).expect("it leads");
    }

    pub(crate) fn check(&self) {
        let (_, Stored { hard, log, .. }) = Storage::open(self.persister.clone()).unwrap();
        assert_eq!(hard, self.hard);
        assert_eq!(log.entries(), self.entries);
        assert_eq!((hard, &log), (self.core.hard_state(), self.core.log()));
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.persister.read_raft_state().unwrap()
    }
}

/// A small history, the ends of its records, and the state at each end.
pub(crate) fn history() -> (Vec<u8>, Vec<(usize, HardState, Log)>) {
    let mut saved = Saved::new(3);
    let mut ends = Vec::new();
    let steps: [(usize, &[usize]); 6] =
        [(0, &[3, 4]), (2, &[5]), (1, &[6, 6, 300]), (4, &[]), (4, &[7]), (2, &[1])];
    for (prev, sizes) in steps {
        saved.replace(prev, sizes);
        ends.push((saved.bytes().len(), saved.hard, saved.core.log().clone()));
        saved.stand();
        ends.push((saved.bytes().len(), saved.hard, saved.core.log().clone()));
    }
    assert_eq!(saved.persister.replacements(), 0);
    (saved.bytes(), ends)
}
