//! What can go wrong, in sentences that say what to do.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Why a persister could not be opened, read or written.
///
/// Each message is a sentence that names the file and the remedy. [`MemoryPersister`] never fails.
/// The Go persister has no errors at all: it lives in memory only.
///
/// [`MemoryPersister`]: crate::MemoryPersister
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PersistError {
    /// Another persister has this directory open, in this process or in another one.
    #[error(
        "{} is in use by another persister: stop that one, or give each server its own directory",
        path.display()
    )]
    Locked {
        /// The directory that was to be opened.
        path: PathBuf,
    },

    /// The operating system refused an operation.
    ///
    /// If it was a write, the last acknowledged state is intact, and later writes fail with
    /// [`Refused`](PersistError::Refused).
    #[error("cannot {action} {}: {source}; {}", path.display(), remedy(source))]
    Io {
        /// What was tried: a verb such as `write`.
        action: &'static str,
        /// The file or directory it was tried on.
        path: PathBuf,
        /// The operating system's own words.
        source: io::Error,
    },

    /// A directory on the way to the persister's own could not be synced. A power cut might take the
    /// persister's directory away with everything in it, so it was not opened.
    #[error(
        "cannot sync {}, without which a power cut may take {} away with all that is in it: \
         {source}; {}",
        path.display(),
        dir.display(),
        remedy_above(source)
    )]
    Above {
        /// The directory that could not be synced: the parent of `dir`, or farther up.
        path: PathBuf,
        /// The persister's directory.
        dir: PathBuf,
        /// The operating system's own words.
        source: io::Error,
    },

    /// On this platform, such as Windows, files cannot be kept as a persister must. Nothing was
    /// changed.
    #[error(
        "cannot keep a server's state in {}: on this platform a program has no sure way to make the \
         name of a file last through a power cut, or to replace a file that is open. Use a \
         `MemoryPersister`, or run the server on Linux or macOS",
        path.display()
    )]
    NoFiles {
        /// The directory that was to be opened.
        path: PathBuf,
    },

    /// A file holds bytes that no crash can leave behind. Nothing on the disk was changed.
    #[error(
        "{} is damaged at byte {offset}: expected {expected}, found {found}. Nothing was changed. \
         A Raft server must not go on with an older or an empty state, because it could vote \
         twice: retire this server and add one with a new identity. If the data does not matter, \
         delete the directory",
        path.display()
    )]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// Where the part begins that cannot be trusted, in bytes from the start of the file.
        offset: u64,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },

    /// The state file has a version of the format that this code does not know.
    #[error(
        "{} has format version {found}, but this program reads only versions {oldest} to {newest}: \
         open it with the program that wrote it. Nothing was changed",
        path.display()
    )]
    UnknownVersion {
        /// The state file.
        path: PathBuf,
        /// The version in its header.
        found: u32,
        /// The oldest version that this code reads.
        oldest: u32,
        /// The newest one, which it writes.
        newest: u32,
    },

    /// One record is longer than its length field can say. Nothing was written, and later writes
    /// work.
    #[error("a record of {len} bytes is too long: at most {max} bytes fit into one record")]
    TooLong {
        /// The length of the record, in bytes.
        len: usize,
        /// The longest record, in bytes.
        max: usize,
    },

    /// An earlier write failed, so this one was not tried.
    ///
    /// After a failed write or sync nobody knows what the disk holds. A second try could report
    /// success for bytes that never reached it.
    #[error(
        "nothing more is written to {}, because an earlier write failed ({first}). Reads still \
         give the last acknowledged state; mend the cause and open the directory again",
        path.display()
    )]
    Refused {
        /// The directory of the persister.
        path: PathBuf,
        /// The message of the first failure.
        first: String,
    },
}

impl PersistError {
    /// The file or directory that the error is about; none if a record is too long.
    pub fn path(&self) -> Option<&Path> {
        match self {
            PersistError::Locked { path }
            | PersistError::Io { path, .. }
            | PersistError::Above { path, .. }
            | PersistError::NoFiles { path }
            | PersistError::Damaged { path, .. }
            | PersistError::UnknownVersion { path, .. }
            | PersistError::Refused { path, .. } => Some(path),
            PersistError::TooLong { .. } => None,
        }
    }
}

/// The second half of an I/O message: what the reader can do about it.
fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "the disk is full: free some space, then open the directory again"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "this user must be able to write to the directory and the files in it"
        }
        ErrorKind::NotFound => "create the missing parent directory, or correct the path",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists | ErrorKind::IsADirectory => {
            "the path must lead to a directory that only a persister uses"
        }
        ErrorKind::InvalidInput | ErrorKind::Unsupported => {
            "its file system seems unable to do this: choose a directory on another one"
        }
        _ => "look for disk errors in the system's log, then open the directory again",
    }
}

/// The same, if a directory above the persister's could not be synced.
fn remedy_above(source: &io::Error) -> &'static str {
    match source.kind() {
        ErrorKind::PermissionDenied => {
            "this user must be able to read it, or the persister needs a directory whose parent this \
             user can read"
        }
        _ => remedy(source),
    }
}
