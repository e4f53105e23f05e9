//! Where operating systems differ: whether files can be kept, and which directories lead to them.

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
