//! Where operating systems differ: whether files can be kept, how those of an open directory are reached, and which
//! directories lead to it.

use std::io;
use std::path::{Path, PathBuf};

/// Whether the standard library can do here what a persister in files needs: to lock a directory, to
/// wait until the names in it are on the disk, and to replace a file that is open.
pub(crate) const KEEPS_FILES: bool = cfg!(unix);

/// The directories above this one, from its parent upwards, as far as they are on the same file
/// system. What is above is the way to a mount point, and holds no name that leads to our bytes.
#[cfg(unix)]
pub(crate) fn above(dir: &Path) -> io::Result<Vec<PathBuf>> {
    use std::os::unix::fs::MetadataExt as _;

    let dir = dir.canonicalize()?;
    let device = dir.metadata()?.dev();
    let mut above = Vec::new();
    for parent in dir.ancestors().skip(1) {
        if parent.metadata()?.dev() != device {
            break;
        }
        above.push(parent.to_owned());
    }
    Ok(above)
}

/// Never asked, since no directory is opened.
#[cfg(not(unix))]
pub(crate) fn above(_: &Path) -> io::Result<Vec<PathBuf>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The files of a directory that is open, by their names in it. They are reached by way of its handle: whoever moves
/// the directory away may put another one in its place, and that one's files are not ours.
#[cfg(unix)]
pub(crate) mod inside {
    use std::fs::File;
    use std::io;

    use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, renameat, unlinkat};
    use rustix::io::retry_on_intr;

    /// All names but `.` and `..`. One that is no text is left out.
    pub(crate) fn list(dir: &File) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(dir)? {
            names.extend(entry?.file_name().to_str().ok().map(str::to_owned));
        }
        names.retain(|name| name != "." && name != "..");
        Ok(names)
    }

    /// For reading and writing.
    pub(crate) fn open(dir: &File, name: &str) -> io::Result<File> {
        open_as(dir, name, OFlags::empty())
    }

    /// The same; empty, and made if there is none.
    pub(crate) fn create(dir: &File, name: &str) -> io::Result<File> {
        open_as(dir, name, OFlags::CREATE | OFlags::TRUNC)
    }

    fn open_as(dir: &File, name: &str, how: OFlags) -> io::Result<File> {
        let (how, mode) = (how | OFlags::RDWR | OFlags::CLOEXEC, Mode::from_raw_mode(0o666));
        Ok(retry_on_intr(|| openat(dir, name, how, mode))?.into())
    }

    pub(crate) fn rename(dir: &File, from: &str, to: &str) -> io::Result<()> {
        Ok(renameat(dir, from, dir, to)?)
    }

    pub(crate) fn remove(dir: &File, name: &str) -> io::Result<()> {
        Ok(unlinkat(dir, name, AtFlags::empty())?)
    }
}

/// Never asked, since no directory is opened.
#[cfg(not(unix))]
pub(crate) mod inside {
    use std::fs::File;
    use std::io::{self, ErrorKind};

    pub(crate) fn list(_: &File) -> io::Result<Vec<String>> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(crate) fn open(_: &File, _: &str) -> io::Result<File> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(crate) fn create(_: &File, _: &str) -> io::Result<File> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(crate) fn rename(_: &File, _: &str, _: &str) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(crate) fn remove(_: &File, _: &str) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }
}
