//! State and snapshot on a disk: open and recover, append, replace.
//!
//! The order of the disk operations is the whole point of this file. `crash_tests.rs` cuts the
//! power between any two of them.

use std::borrow::Cow;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::PersistError;
use crate::disk::{Disk, DiskFile};
use crate::format::{self, HEADER_LEN, Header, Log};

const STATE: &str = "raft-state";
const STATE_TEMP: &str = "raft-state.tmp";
const SNAPSHOT_PREFIX: &str = "snapshot-";

/// The two strings of one directory. One thread at a time uses it.
pub(crate) struct Store {
    disk: Box<dyn Disk>,
    dir: PathBuf,
    // The two files stay open: after a failed replacement their names may already lead to the new
    // content, but these handles still lead to what was acknowledged.
    state: StateFile,
    snapshot: Option<Box<dyn DiskFile>>,
    state_size: usize,
    first_failure: Option<String>,
}

/// The state file, up to the last acknowledged byte.
struct StateFile {
    file: Box<dyn DiskFile>,
    header: Header,
    end: usize,
}

impl Store {
    /// Opens what the directory holds and mends what a crash left behind. Returns also how many
    /// bytes of an unfinished append were dropped.
    pub(crate) fn open(disk: Box<dyn Disk>, dir: &Path) -> Result<(Store, u64), PersistError> {
        // First everything is read and checked. Up to here nothing is changed.
        let names = disk.list().map_err(|e| failed("list", dir, e))?;
        let found = find_state(&*disk, dir, &names)?;
        let mut snapshot = match &found {
            Some((_, log)) => open_snapshot(&*disk, dir, &log.header)?,
            None => None,
        };
        let (header, base, state_size, torn) = match &found {
            Some((bytes, log)) => {
                let base = log.records(bytes)?;
                (log.header.clone(), base, log.state.len(), log.torn as u64)
            }
            None => (Header::default(), Cow::default(), 0, 0),
        };
        sync_above(&*disk, dir)?;
        // A save that failed has left it, and nothing can need it: a power cut only brings older states back. It may
        // have taken the room that this open needs.
        remove_snapshots(&*disk, dir, &names, |generation| generation > header.generation)?;
        // It may never have been synced, if the directory was open without that. Before the state, which needs it.
        if let Some(file) = &mut snapshot {
            let path = dir.join(snapshot_name(header.generation));
            file.sync().map_err(|e| failed("sync", &path, e))?;
        }
        // What was read may be in the operating system's memory only: the last process may have
        // been killed before its sync, or its sync may have failed. Only writing it again makes it
        // last. This also drops a torn tail, brings an old file to the form of today, and finds out
        // now that a directory cannot be written.
        let state = write_state(&*disk, dir, header, &base, false)?;
        // After the sync: until then, a power cut could bring back an older state file, and it
        // would need the older snapshot.
        let newest = state.header.generation;
        remove_snapshots(&*disk, dir, &names, |generation| generation < newest)?;
        let dir = dir.to_owned();
        Ok((Store { disk, dir, state, snapshot, state_size, first_failure: None }, torn))
    }

    /// Appends one record: one write and one sync, however long the file is.
    pub(crate) fn append(&mut self, record: &[u8]) -> Result<(), PersistError> {
        self.refuse_after_failure()?;
        let bytes = format::record(self.state.end, record)?;
        let StateFile { file, end, .. } = &mut self.state;
        let written = match file.write_at(*end as u64, &bytes) {
            Ok(()) => file.sync().map_err(|e| ("sync", e)),
            Err(error) => Err(("write", error)),
        };
        if let Err((action, error)) = written {
            // What was written stays: the next open takes it, whole and written anew, or drops it.
            let error = failed(action, &self.dir.join(STATE), error);
            return Err(self.remember(error));
        }
        *end += bytes.len();
        self.state_size += record.len();
        Ok(())
    }

    /// Replaces the state, and the snapshot if one is given, in one atomic step.
    pub(crate) fn replace(
        &mut self,
        state: &[u8],
        snapshot: Option<&[u8]>,
    ) -> Result<(), PersistError> {
        self.refuse_after_failure()?;
        let base = format::record(HEADER_LEN, state)?;
        let Header { generation, snapshot_len, .. } = self.state.header;
        self.try_replace(&base, snapshot).map_err(|error| self.remember(error))?;
        self.state_size = state.len();
        if snapshot.is_some() && snapshot_len > 0 {
            // The step is done and nothing refers to the old file: a failure costs only space, and
            // the next open tries again.
            let _ = self.disk.remove(&snapshot_name(generation));
        }
        Ok(())
    }

    fn try_replace(&mut self, base: &[u8], snapshot: Option<&[u8]>) -> Result<(), PersistError> {
        let (disk, dir) = (&*self.disk, &*self.dir);
        let mut header = self.state.header.clone();
        let mut written = None;
        if let Some(bytes) = snapshot {
            header.generation += 1;
            header.snapshot_len = bytes.len() as u64;
            header.snapshot_crc = crc32fast::hash(bytes);
            if !bytes.is_empty() {
                written = Some(write_file(disk, dir, &snapshot_name(header.generation), bytes)?);
            }
        }
        self.state = write_state(disk, dir, header, base, written.is_some())?;
        if snapshot.is_some() {
            self.snapshot = written;
        }
        Ok(())
    }

    /// The acknowledged state.
    pub(crate) fn read_state(&self) -> Result<Vec<u8>, PersistError> {
        let StateFile { file, end, .. } = &self.state;
        let path = self.dir.join(STATE);
        let bytes = file.read(*end as u64).map_err(|e| failed("read", &path, e))?;
        let log = format::read_log(&bytes).map_err(|e| e.of_file(path.clone()))?;
        if log.torn > 0 {
            // It was whole when it was acknowledged, so no crash can explain this.
            let expected = "the record that was saved there".into();
            let found = format!("{} bytes that are no record", log.torn);
            return Err(PersistError::Damaged { path, offset: log.end as u64, expected, found });
        }
        Ok(log.state)
    }

    /// The acknowledged snapshot.
    pub(crate) fn read_snapshot(&self) -> Result<Vec<u8>, PersistError> {
        match &self.snapshot {
            Some(file) => check_snapshot(&**file, &self.dir, &self.state.header),
            None => Ok(Vec::new()),
        }
    }

    /// Bytes of the acknowledged state, without the format's own.
    pub(crate) fn state_size(&self) -> usize {
        self.state_size
    }

    /// Bytes of the acknowledged snapshot.
    pub(crate) fn snapshot_size(&self) -> usize {
        self.state.header.snapshot_len as usize
    }

    fn refuse_after_failure(&self) -> Result<(), PersistError> {
        match &self.first_failure {
            Some(first) => {
                Err(PersistError::Refused { path: self.dir.clone(), first: first.clone() })
            }
            None => Ok(()),
        }
    }

    fn remember(&mut self, error: PersistError) -> PersistError {
        self.first_failure = Some(error.to_string());
        error
    }
}

/// The bytes of the state file, also taken apart; none in a directory that was never used.
fn find_state(
    disk: &dyn Disk,
    dir: &Path,
    names: &[String],
) -> Result<Option<(Vec<u8>, Log)>, PersistError> {
    let path = dir.join(STATE);
    let Some(file) = disk.open(STATE).map_err(|e| failed("open", &path, e))? else {
        // The state file is there before the first snapshot is, and no crash takes it away.
        return match names.iter().find(|name| generation_of(name).is_some()) {
            Some(name) => Err(PersistError::Damaged {
                path,
                offset: 0,
                expected: format!("a state file, because there is a {name}"),
                found: "no such file".into(),
            }),
            None => Ok(None),
        };
    };
    let bytes = file.len().and_then(|len| file.read(len)).map_err(|e| failed("read", &path, e))?;
    let log = format::read_log(&bytes).map_err(|e| e.of_file(path))?;
    Ok(Some((bytes, log)))
}

/// Makes the directory itself last: its name in its parent, the parent's own name, and so on.
///
/// Nobody knows who made them, and whether they were synced then: an earlier open, or the program
/// around it, may have been killed just before. So every open syncs them all.
fn sync_above(disk: &dyn Disk, dir: &Path) -> Result<(), PersistError> {
    let above = disk.above().map_err(|e| failed("find the parents of", dir, e))?;
    for (distance, parent) in above.iter().enumerate() {
        match disk.sync_above(parent) {
            // Not the parent: it may be we who made a name in it. What lies farther up and may not
            // even be read was made by the system's owner, and is hoped to last.
            Err(error) if distance > 0 && error.kind() == ErrorKind::PermissionDenied => {}
            Err(source) => {
                let (path, dir) = (parent.clone(), dir.to_owned());
                return Err(PersistError::Above { path, dir, source });
            }
            Ok(()) => {}
        }
    }
    Ok(())
}

/// Puts a new state file in the place of the old one. Once this returns, it lasts.
fn write_state(
    disk: &dyn Disk,
    dir: &Path,
    mut header: Header,
    base: &[u8],
    new_snapshot: bool,
) -> Result<StateFile, PersistError> {
    header.base_len = base.len() as u64;
    let bytes = [&header.encode(), base].concat();
    let file = write_file(disk, dir, STATE_TEMP, &bytes).inspect_err(|_| {
        // Half a file would only take space, which may be what is missing.
        let _ = disk.remove(STATE_TEMP);
    })?;
    if new_snapshot {
        // The snapshot's name must last before the state that needs it can.
        disk.sync().map_err(|e| failed("sync", dir, e))?;
    }
    disk.rename(STATE_TEMP, STATE).map_err(|e| failed("rename a file to", &dir.join(STATE), e))?;
    disk.sync().map_err(|e| failed("sync", dir, e))?;
    Ok(StateFile { file, header, end: HEADER_LEN + base.len() })
}

/// Writes and syncs a whole file. Its name does not last yet.
fn write_file(
    disk: &dyn Disk,
    dir: &Path,
    name: &str,
    bytes: &[u8],
) -> Result<Box<dyn DiskFile>, PersistError> {
    let path = dir.join(name);
    let mut file = disk.create(name).map_err(|e| failed("create", &path, e))?;
    file.write_at(0, bytes).map_err(|e| failed("write", &path, e))?;
    file.sync().map_err(|e| failed("sync", &path, e))?;
    Ok(file)
}

/// The snapshot that a header names, after a full check; none if the header says so.
fn open_snapshot(
    disk: &dyn Disk,
    dir: &Path,
    header: &Header,
) -> Result<Option<Box<dyn DiskFile>>, PersistError> {
    if header.snapshot_len == 0 {
        return Ok(None);
    }
    let path = dir.join(snapshot_name(header.generation));
    let opened = disk.open(&snapshot_name(header.generation));
    let Some(file) = opened.map_err(|e| failed("open", &path, e))? else {
        let expected = format!("a snapshot of {} bytes, as {STATE} says", header.snapshot_len);
        return Err(PersistError::Damaged {
            path,
            offset: 0,
            expected,
            found: "no such file".into(),
        });
    };
    check_snapshot(&*file, dir, header)?;
    Ok(Some(file))
}

/// Removes the snapshots of these generations, of those that have such a name.
fn remove_snapshots(
    disk: &dyn Disk,
    dir: &Path,
    names: &[String],
    of: impl Fn(u64) -> bool,
) -> Result<(), PersistError> {
    for name in names.iter().filter(|name| generation_of(name).is_some_and(&of)) {
        disk.remove(name).map_err(|e| failed("remove", &dir.join(name), e))?;
    }
    Ok(())
}

/// Reads a snapshot and compares it with what the state file says of it.
fn check_snapshot(
    file: &dyn DiskFile,
    dir: &Path,
    header: &Header,
) -> Result<Vec<u8>, PersistError> {
    let path = dir.join(snapshot_name(header.generation));
    let len = file.len().map_err(|e| failed("read", &path, e))?;
    if len != header.snapshot_len {
        let expected = format!("{} bytes, as {STATE} says", header.snapshot_len);
        let offset = len.min(header.snapshot_len);
        let found = format!("{len} bytes");
        return Err(PersistError::Damaged { path, offset, expected, found });
    }
    let bytes = file.read(len).map_err(|e| failed("read", &path, e))?;
    let crc = crc32fast::hash(&bytes);
    if crc != header.snapshot_crc {
        let expected = format!("{len} bytes with checksum {:08x}", header.snapshot_crc);
        let found = format!("checksum {crc:08x}");
        return Err(PersistError::Damaged { path, offset: 0, expected, found });
    }
    Ok(bytes)
}

fn snapshot_name(generation: u64) -> String {
    format!("{SNAPSHOT_PREFIX}{generation:016x}")
}

/// The generation of a snapshot's file name; none for any other name.
fn generation_of(name: &str) -> Option<u64> {
    let generation = u64::from_str_radix(name.strip_prefix(SNAPSHOT_PREFIX)?, 16).ok()?;
    // A name that we would spell differently belongs to someone else.
    (snapshot_name(generation) == name).then_some(generation)
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> PersistError {
    PersistError::Io { action, path: path.to_owned(), source }
}
