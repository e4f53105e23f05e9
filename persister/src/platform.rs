//! Where operating systems differ: what can be locked, and which names can be made to last.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Whether a program can wait until the names in a directory are on the disk.
pub(crate) const CAN_SYNC_NAMES: bool = cfg!(unix);

/// What is locked while a directory is in use: the directory itself, so that a refused open leaves
/// nothing behind.
#[cfg(unix)]
pub(crate) fn open_lock(dir: &Path) -> io::Result<File> {
    File::open(dir)
}

/// What is locked while a directory is in use. A directory cannot be locked, so it is an empty file
/// in it.
#[cfg(not(unix))]
pub(crate) fn open_lock(dir: &Path) -> io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false).open(dir.join("lock"))
}

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

/// No directory can be synced, so none is named.
#[cfg(not(unix))]
pub(crate) fn above(_: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(Vec::new())
}
