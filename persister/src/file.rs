//! The public face of the persister on a disk: locks and sizes around a [`Store`].

#![allow(
    clippy::disallowed_types,
    reason = "the lock is held across disk operations, never across a wait of the simulated clock"
)]

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::disk::{Disk, RealDisk};
use crate::store::Store;
use crate::{PersistError, Persister};

/// A persister in a directory of its own, for servers that must survive a crash of the process or
/// of the machine.
///
/// A write that has returned `Ok` is on the disk. The [crate's docs](crate) say what holds after a
/// crash. The directory stays locked until this value is dropped.
///
/// Writes wait for the disk: 0.1 to 10 milliseconds each on usual hardware. Under the simulated
/// clock that time does not pass for the simulated world; use [`MemoryPersister`] there.
///
/// There is no Go counterpart: the course's persister lives in memory.
///
/// [`MemoryPersister`]: crate::MemoryPersister
///
/// ```
/// use persister::{FilePersister, Persister};
///
/// # if !cfg!(unix) { return Ok(()); } // there are no such files there
/// # let parent = tempfile::tempdir().unwrap();
/// # let dir = parent.path().join("server-1");
/// let disk = FilePersister::open(&dir)?;
/// disk.save_state_and_snapshot(b"term 3", b"x = 5")?;
/// drop(disk);
///
/// let disk = FilePersister::open(&dir)?;
/// assert_eq!(disk.read_raft_state()?, b"term 3");
/// assert_eq!(disk.read_snapshot()?, b"x = 5");
/// # Ok::<(), persister::PersistError>(())
/// ```
pub struct FilePersister {
    store: Mutex<Store>,
    // Beside the lock, so that asking for a size does not wait for a sync.
    state_size: AtomicUsize,
    snapshot_size: AtomicUsize,
    dir: PathBuf,
    recovered: u64,
}

impl FilePersister {
    /// Opens a directory, or creates it if its parent exists.
    ///
    /// # Errors
    ///
    /// - [`Locked`](PersistError::Locked): someone has it open.
    /// - [`Damaged`](PersistError::Damaged): a file holds what no crash can leave behind.
    /// - [`UnknownVersion`](PersistError::UnknownVersion): another program wrote it.
    /// - [`Io`](PersistError::Io): for example, the parent is missing, the path leads to a file, or
    ///   the directory cannot be written.
    /// - [`Above`](PersistError::Above): the parent, or a directory farther up, cannot be synced.
    /// - [`NoFiles`](PersistError::NoFiles): on Windows, always.
    ///
    /// A failed open leaves the content of the directory as it was. If even the open cannot write,
    /// it fails: a server that could never save its vote must not start.
    pub fn open(dir: impl AsRef<Path>) -> Result<FilePersister, PersistError> {
        let dir = dir.as_ref();
        FilePersister::on(Box::new(RealDisk::open(dir, true)?), dir)
    }

    /// Like [`open`](FilePersister::open), but no write waits for the disk.
    ///
    /// Good for tests and measurements. A crash of the process loses nothing. A power cut can lose
    /// acknowledged writes, and can leave files that the next open reports as damaged.
    ///
    /// # Errors
    ///
    /// As [`open`](FilePersister::open), but it needs nothing of the directories above.
    pub fn open_unsynced(dir: impl AsRef<Path>) -> Result<FilePersister, PersistError> {
        let dir = dir.as_ref();
        FilePersister::on(Box::new(RealDisk::open(dir, false)?), dir)
    }

    pub(crate) fn on(disk: Box<dyn Disk>, dir: &Path) -> Result<FilePersister, PersistError> {
        let (store, recovered) = Store::open(disk, dir)?;
        Ok(FilePersister {
            state_size: AtomicUsize::new(store.state_size()),
            snapshot_size: AtomicUsize::new(store.snapshot_size()),
            store: Mutex::new(store),
            dir: dir.to_owned(),
            recovered,
        })
    }

    /// The directory, as its path was when it was opened. If it was moved since then, it is elsewhere, and so is all that
    /// is saved.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// How many bytes of an unfinished append were dropped when the directory was opened; 0 if the
    /// last run ended well. They belonged to a write that was never acknowledged.
    pub fn recovered(&self) -> u64 {
        self.recovered
    }

    fn write(
        &self,
        write: impl FnOnce(&mut Store) -> Result<(), PersistError>,
    ) -> Result<(), PersistError> {
        let mut store = self.store.lock();
        write(&mut store)?;
        // Stored under the lock, so that the sizes follow the order of the writes.
        self.state_size.store(store.state_size(), Ordering::Release);
        self.snapshot_size.store(store.snapshot_size(), Ordering::Release);
        Ok(())
    }
}

impl Persister for FilePersister {
    fn save_raft_state(&self, state: &[u8]) -> Result<(), PersistError> {
        self.write(|store| store.replace(state, None))
    }

    fn append_raft_state(&self, record: &[u8]) -> Result<(), PersistError> {
        self.write(|store| store.append(record))
    }

    fn read_raft_state(&self) -> Result<Vec<u8>, PersistError> {
        self.store.lock().read_state()
    }

    fn raft_state_size(&self) -> usize {
        self.state_size.load(Ordering::Acquire)
    }

    fn save_state_and_snapshot(&self, state: &[u8], snapshot: &[u8]) -> Result<(), PersistError> {
        self.write(|store| store.replace(state, Some(snapshot)))
    }

    fn read_snapshot(&self) -> Result<Vec<u8>, PersistError> {
        self.store.lock().read_snapshot()
    }

    fn snapshot_size(&self) -> usize {
        self.snapshot_size.load(Ordering::Acquire)
    }
}

impl fmt::Debug for FilePersister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilePersister")
            .field("dir", &self.dir)
            .field("raft_state_size", &self.raft_state_size())
            .field("snapshot_size", &self.snapshot_size())
            .field("recovered", &self.recovered)
            .finish()
    }
}
