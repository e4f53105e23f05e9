//! The few things a file persister asks of a disk, and the real disk.
//!
//! The crash tests put a simulated disk in its place (`sim_disk.rs`).

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::PersistError;
use crate::platform::{self, inside};

/// One directory, and the way to it. A change of names lasts through a power cut only after a sync
/// of the directory that they are in.
pub(crate) trait Disk: Send {
    /// The names in the directory, in no particular order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Opens a file for reading and writing; none if there is no such name.
    fn open(&self, name: &str) -> io::Result<Option<Box<dyn DiskFile>>>;
    /// Creates a file, or empties the one of that name.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Gives a file another name. A file that had that name before loses it in the same step.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a name. Whoever has the file open can still read it.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Waits until all changes of names are on the disk.
    fn sync(&self) -> io::Result<()>;
    /// The directories above this one that can hold a name which does not last yet, from the parent
    /// upwards.
    fn above(&self) -> io::Result<Vec<PathBuf>>;
    /// Waits until all changes of names in one of the directories [above](Disk::above) are on the
    /// disk.
    fn sync_above(&self, dir: &Path) -> io::Result<()>;
}

/// One open file. Its bytes last through a power cut only after [`DiskFile::sync`].
pub(crate) trait DiskFile: Send {
    /// The length of the file, in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Reads exactly the first `len` bytes.
    fn read(&self, len: u64) -> io::Result<Vec<u8>>;
    /// Writes all bytes at an offset. After an error, any part of them may be in the file.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Waits until all bytes and the length are on the disk.
    fn sync(&mut self) -> io::Result<()>;
}

/// A directory of the operating system, locked for as long as this value lives.
pub(crate) struct RealDisk {
    // Where the directory was when it was opened. Only the way to it is looked for there.
    dir: PathBuf,
    // Locked, and what all that is done in the directory goes through: the path may lead to another
    // one by then, which is not locked, or is someone else's. The directory itself is locked, not a
    // file in it, so that a refused open leaves nothing behind.
    handle: File,
    synced: bool,
}

impl RealDisk {
    /// Opens and locks a directory, creating it if only its last part is missing. With `synced`
    /// off, nothing ever waits for the disk.
    pub(crate) fn open(dir: &Path, synced: bool) -> Result<RealDisk, PersistError> {
        if !platform::KEEPS_FILES {
            return Err(PersistError::NoFiles { path: dir.to_owned() });
        }
        let failed = |action: &'static str| {
            move |source| PersistError::Io { action, path: dir.to_owned(), source }
        };
        match fs::create_dir(dir) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed("create")(error)),
        }
        // Asked before the open, which would wait for ever on a named pipe.
        if !fs::metadata(dir).map_err(failed("open"))?.is_dir() {
            return Err(failed("open")(ErrorKind::NotADirectory.into()));
        }
        let handle = File::open(dir).map_err(failed("open"))?;
        match handle.try_lock() {
            Ok(()) => {
                // What the path leads to may change while the directory is open: a relative one, a link.
                let dir = dir.canonicalize().map_err(failed("open"))?;
                Ok(RealDisk { dir, handle, synced })
            }
            Err(TryLockError::WouldBlock) => Err(PersistError::Locked { path: dir.to_owned() }),
            Err(TryLockError::Error(error)) => Err(failed("lock")(error)),
        }
    }
}

impl Drop for RealDisk {
    fn drop(&mut self) {
        // To close the handle is not enough: a process that somebody else is starting has a copy of it
        // for a moment, and the lock belongs to all copies. An error changes nothing: it is closed next.
        let _ = self.handle.unlock();
    }
}

impl Disk for RealDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        // All our names are plain text; any other name belongs to someone else.
        inside::list(&self.handle)
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn DiskFile>>> {
        match inside::open(&self.handle, name) {
            Ok(file) => Ok(Some(Box::new(RealFile { file, synced: self.synced }))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = inside::create(&self.handle, name)?;
        Ok(Box::new(RealFile { file, synced: self.synced }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        inside::rename(&self.handle, from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        inside::remove(&self.handle, name)
    }

    fn sync(&self) -> io::Result<()> {
        if self.synced { self.handle.sync_all() } else { Ok(()) }
    }

    fn above(&self) -> io::Result<Vec<PathBuf>> {
        if self.synced { platform::above(&self.dir) } else { Ok(Vec::new()) }
    }

    fn sync_above(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

struct RealFile {
    file: File,
    synced: bool,
}

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, len: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        file.take(len).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == len { Ok(bytes) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        // `sync_data` covers the length too; only times and the like may lag behind.
        if self.synced { self.file.sync_data() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_handle_in_a_child_does_not_keep_the_lock() {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = RealDisk::open(dir.path(), true).expect("nobody else uses it");
        let copy = disk.handle.try_clone().expect("a copy, as a child gets it");
        drop(disk);
        RealDisk::open(dir.path(), true).expect("the first one is gone");
        drop(copy);
    }
}
