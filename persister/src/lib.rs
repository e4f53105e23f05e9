//! Two byte strings that outlive a server: its *Raft state* and its *snapshot*.
//!
//! A Raft server must not forget its term, its vote and its log when it crashes. It hands them to a
//! [`Persister`] as bytes, and reads them back when it starts again. What the bytes mean is not the
//! persister's business: this crate knows nothing of Raft, of an encoding, or of a clock.
//!
//! There are two of them:
//!
//! - [`MemoryPersister`] outlives the server but not the process. The lab's tester uses it: it
//!   crashes servers within one process, and gives each successor a [copy](MemoryPersister::copy).
//! - [`FilePersister`] keeps its content in a directory and survives the crash of the machine.
//!
//! Raft holds either as an `Arc<dyn Persister>`.
//!
//! ```
//! use std::sync::Arc;
//! use persister::{MemoryPersister, Persister};
//!
//! let disk: Arc<dyn Persister> = Arc::new(MemoryPersister::new());
//! disk.save_raft_state(b"[term 1]")?;
//! disk.append_raft_state(b"[entry 1]")?; // writes 9 bytes, however long the state is
//! assert_eq!(disk.read_raft_state()?, b"[term 1][entry 1]");
//! assert_eq!(disk.raft_state_size(), 17);
//!
//! // Entry 1 moves into a snapshot. State and snapshot change in one step.
//! disk.save_state_and_snapshot(b"[term 1]", b"everything up to entry 1")?;
//! # Ok::<(), persister::PersistError>(())
//! ```
//!
//! # The course's ways to save
//!
//! Its persister changed over the years; each form is here:
//!
//! | Go | here | the stored snapshot |
//! |---|---|---|
//! | `SaveRaftState(state)`, up to 2022 | [`save_raft_state`](Persister::save_raft_state) | stays |
//! | `SaveStateAndSnapshot(state, snapshot)`, up to 2022 | [`save_state_and_snapshot`](Persister::save_state_and_snapshot) | is replaced |
//! | `Save(state, snapshot)`, from 2023 on the only one | the same | is replaced |
//! | | [`append_raft_state`](Persister::append_raft_state) | stays |
//!
//! So with the later form *who saves an empty snapshot erases the one that is stored*. A restarted
//! server that saves its state that way must hand over the snapshot that it has read. That is easily
//! forgotten; the first form cannot go wrong in this way.
//!
//! # What is guaranteed
//!
//! 1. **Acknowledged means saved.** After a write has returned `Ok`, every later read gives its
//!    content, until the next write. For a [`FilePersister`] this holds across a power cut (see
//!    [the way to the directory](crate#the-way-to-the-directory)).
//! 2. **All or nothing.** A crash during a write leaves the content before it or the content after
//!    it. For [`save_state_and_snapshot`](Persister::save_state_and_snapshot) that is the *pair*:
//!    no reader ever finds the state of one call with the snapshot of another.
//! 3. **What was read once stays.** If a crash interrupts a write and the next open finds its
//!    content, a further crash cannot take it back.
//! 4. **No silent damage.** Each byte on the disk is under a checksum, or is a mark, which has one
//!    value only. A file that a crash cannot explain is an error, which names the file, the byte,
//!    what should be there and what is there. A refused open changes nothing.
//! 5. **No second try.** After a write has failed (the disk is full, a sync reports an error), all
//!    further writes are [refused](PersistError::Refused) with the first cause, while reads still
//!    give what was last acknowledged. After a failed sync nobody knows which bytes are on the
//!    disk, and a sync that is tried again may report success without having written them.
//! 6. **One owner.** A directory that is open cannot be opened again, by this process or another. If it is moved,
//!    it stays the owner's at its new place, and what is then made in its old place is another directory.
//!
//! The crate's tests run scripts on a simulated disk. They cut its power before every single
//! operation, and also during the recovery that follows. For each cut they try every outcome that
//! the simulated disk knows: which unsynced bytes, sectors and names survived.
//!
//! # Files
//!
//! A [`FilePersister`] owns a directory:
//!
//! | name | content |
//! |---|---|
//! | `raft-state` | a header, then the records of the Raft state |
//! | `snapshot-<generation>` | the bytes of the snapshot, nothing else; absent while it is empty |
//! | `raft-state.tmp` | the next `raft-state` while it is being written |
//!
//! The generation is 16 hexadecimal digits. Other files in the directory are left alone. There is
//! no lock file: the directory itself is locked, so that a refused open leaves no trace.
//!
//! The header of `raft-state`, 44 bytes, integers little-endian, checksums CRC-32:
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `RAFTSAVE` |
//! | 8 | 4 | version of the format: 2 |
//! | 12 | 8 | generation of the snapshot |
//! | 20 | 8 | length of the snapshot; 0: none, and no file |
//! | 28 | 4 | checksum of the snapshot |
//! | 32 | 8 | *base*: how many bytes of records were in the file when it got its name |
//! | 40 | 4 | checksum of the 40 bytes above, in every version |
//!
//! Each record, without its marks:
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 4 | length of the payload |
//! | 4 | 4 | checksum of the payload |
//! | 8 | 4 | checksum of the record's offset in the file (as 8 bytes) and of the 8 bytes above |
//! | 12 | length | payload |
//!
//! A *mark*, one byte `ff`, stands before each record, and at the start of each further 512-byte sector that it comes
//! to. So no sector in which a record was written holds only zeros. Version 1 had no marks. It is read, and the open
//! writes version 2; a program that knows only version 1 cannot open the directory any more.
//!
//! **Append**: write one record at the end, sync the file. The cost does not depend on the length
//! of the file.
//!
//! **Replace**: write and sync the new snapshot under its own name, if there is one; write and sync
//! `raft-state.tmp`; sync the directory, if there is a new snapshot; rename over `raft-state`; sync
//! the directory; remove the old snapshot. The rename is the one step that changes both strings,
//! because the header in `raft-state` says which snapshot is meant.
//!
//! **Open**: read and check everything; sync the directories above; remove the new snapshot that an
//! unfinished replacement left, whose room may be needed; sync the snapshot; then replace `raft-state` by a
//! copy of the good records, and remove the old snapshots. The copy is needed
//! because a file can be read from the operating system's memory although an earlier sync of it
//! failed. It also makes all records part of the base.
//!
//! # The way to the directory
//!
//! A directory whose name in its parent was never synced can vanish in a power cut, with all that is
//! in it, however well that was synced. The same holds for the parent's name, and so on. An open
//! cannot know whether somebody has synced them: it may find a directory because an earlier open made
//! it and was killed just then. So each open syncs every directory from the parent up to the root of
//! the file system. That costs some 0.05 ms for each where nothing is new (measured on ext4), once at
//! the start of a server.
//!
//! Four things are left to whoever made them: directories above the parent that this user may not
//! read (they are skipped; that the parent cannot be read is [an error](PersistError::Above)),
//! symbolic links on the way (the names that they lead to are synced, their own are not), mount
//! points (what lies above them is on another file system), and the new name of a directory that was moved while it
//! was open.
//!
//! # Platforms
//!
//! A [`MemoryPersister`] is the same everywhere. A [`FilePersister`] needs Unix: elsewhere each open
//! is refused at once with [`NoFiles`](PersistError::NoFiles). On Windows nothing in the standard
//! library is documented to make the name of a file last through a power cut; and whether a file that
//! is open can be replaced depends on the file system. On macOS it compiles, and nobody has run it.
//!
//! # A torn write or damage?
//!
//! A power cut during an append leaves a bad record at the end of the file. It was never
//! acknowledged, so it is dropped, and [`recovered`](FilePersister::recovered) tells how many bytes
//! that were. A bad record counts as such only if
//!
//! - it lies behind the base, which was synced as a whole;
//! - nothing that looks like a record follows it, since an append starts only after the one before
//!   it was synced; and
//! - the file ends too early, or one of the 512-byte sectors it lies in holds only zeros. A disk
//!   writes a sector as a whole or not at all, and what was never written reads as zeros; what was
//!   written has a mark.
//!
//! Everything else is [`Damaged`](PersistError::Damaged). So a flipped bit in the last record is
//! reported, not taken for a torn write. In a file of version 1, which has no marks, zeros of the record's own can
//! hide it.
//!
//! # What is missing
//!
//! - If something other than a crash cuts the file off behind its base, acknowledged appends are
//!   lost and it looks like a torn write, or, at the end of a record, like nothing at all. A mark
//!   that vouches for the last record would cost a second sync for each append. For the same
//!   reason, damage to the last record that fills a whole sector with zeros is taken for a torn
//!   write.
//! - Whoever removes or replaces a file in a directory that is open takes away what is appended to it from then on: an
//!   append does not look whether its file still has its name.
//! - File systems that leave old content, not zeros, in blocks that were never written make a torn
//!   write look like damage: the open fails although no acknowledged byte is lost.
//! - An append syncs once. Several writers do not share a sync, and the file is not extended in
//!   advance, which would spare the file system its journal.
//! - A record is at most 4 GiB. Opening reads the state and the snapshot into memory as a whole,
//!   and writes the state once.
//! - The tests simulate the disk. That the real one obeys a sync is not tested, and cannot be from
//!   within a process.
//! - Network file systems that cannot lock or sync a directory: [`FilePersister::open`] fails with an
//!   error.

mod disk;
mod error;
mod file;
mod format;
mod memory;
mod platform;
mod sim_disk;
mod store;
mod torn;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod fault_tests;

use std::sync::Arc;

pub use error::PersistError;
pub use file::FilePersister;
pub use memory::MemoryPersister;
pub use torn::Save;

/// A store of two byte strings, *Raft state* and *snapshot*, both empty at first.
///
/// Any number of threads may use one persister at once; each operation is one atomic step. What
/// holds across a crash is in the [crate's docs](crate).
///
/// Go: the type `Persister`. [`append_raft_state`](Persister::append_raft_state) has no counterpart
/// there. Sizes are in bytes.
pub trait Persister: Send + Sync {
    /// Replaces the Raft state. The snapshot stays. Go: `SaveRaftState`.
    ///
    /// # Errors
    ///
    /// [`PersistError::Io`] if the disk fails, [`PersistError::Refused`] after any earlier failure,
    /// [`PersistError::TooLong`] from 4 GiB on. The old content is intact in each case. The same
    /// holds for the other two writing methods.
    fn save_raft_state(&self, state: &[u8]) -> Result<(), PersistError>;

    /// Appends one record to the Raft state, at a cost that does not grow with the state.
    ///
    /// A crash never leaves a part of a record. [`read_raft_state`](Persister::read_raft_state)
    /// returns no boundaries, so the caller's records must tell their own ends.
    ///
    /// # Errors
    ///
    /// As [`save_raft_state`](Persister::save_raft_state).
    fn append_raft_state(&self, record: &[u8]) -> Result<(), PersistError>;

    /// What was last saved, followed by all records appended since; empty if there is nothing.
    /// Go: `ReadRaftState`.
    ///
    /// # Errors
    ///
    /// [`PersistError::Io`] if the disk cannot be read, [`PersistError::Damaged`] if it no longer
    /// holds what was saved.
    fn read_raft_state(&self) -> Result<Vec<u8>, PersistError>;

    /// The length of what [`read_raft_state`](Persister::read_raft_state) returns. Never waits for
    /// the disk. Go: `RaftStateSize`.
    fn raft_state_size(&self) -> usize;

    /// Replaces both strings in one atomic step. Go: `SaveStateAndSnapshot`, named `Save` in later
    /// years. An empty snapshot is none: it erases the stored one.
    ///
    /// # Errors
    ///
    /// As [`save_raft_state`](Persister::save_raft_state).
    fn save_state_and_snapshot(&self, state: &[u8], snapshot: &[u8]) -> Result<(), PersistError>;

    /// The snapshot that was last saved; empty if there is none. Go: `ReadSnapshot`.
    ///
    /// # Errors
    ///
    /// As [`read_raft_state`](Persister::read_raft_state).
    fn read_snapshot(&self) -> Result<Vec<u8>, PersistError>;

    /// The length of what [`read_snapshot`](Persister::read_snapshot) returns. Never waits for the
    /// disk. Go: `SnapshotSize`.
    fn snapshot_size(&self) -> usize;
}

/// A shared persister is a persister, so that generic code takes one or the other.
impl<P: Persister + ?Sized> Persister for Arc<P> {
    fn save_raft_state(&self, state: &[u8]) -> Result<(), PersistError> {
        (**self).save_raft_state(state)
    }

    fn append_raft_state(&self, record: &[u8]) -> Result<(), PersistError> {
        (**self).append_raft_state(record)
    }

    fn read_raft_state(&self) -> Result<Vec<u8>, PersistError> {
        (**self).read_raft_state()
    }

    fn raft_state_size(&self) -> usize {
        (**self).raft_state_size()
    }

    fn save_state_and_snapshot(&self, state: &[u8], snapshot: &[u8]) -> Result<(), PersistError> {
        (**self).save_state_and_snapshot(state, snapshot)
    }

    fn read_snapshot(&self) -> Result<Vec<u8>, PersistError> {
        (**self).read_snapshot()
    }

    fn snapshot_size(&self) -> usize {
        (**self).snapshot_size()
    }
}
