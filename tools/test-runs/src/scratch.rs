//! The folder for what test processes leave behind until it has been read.

use std::path::Path;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::{platform, watchdog};

/// With less room than this, in bytes, what a test process leaves behind cannot be trusted.
const LEAST_ROOM: u64 = 1 << 20;

/// A folder for temporary files, for no other user. It goes with this value, and also if our process is killed.
#[derive(Debug)]
pub struct Scratch(TempDir);

impl Scratch {
    /// Makes the folder.
    ///
    /// # Errors
    /// If it cannot be made, or if there is no room for what test processes write.
    pub fn new() -> Result<Scratch> {
        let folder = platform::private_folder().with_context(|| {
            format!(
                "cannot make a folder for temporary files in {}",
                std::env::temp_dir().display()
            )
        })?;
        watchdog::remove_at_death(folder.path());
        check_room(folder.path())?;
        Ok(Scratch(folder))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Says so if a disk is full: a test process that cannot leave its records there dies, and that is no
/// fault of the code under test.
///
/// # Errors
/// If there is no room in the folder.
pub fn check_room(folder: &Path) -> Result<()> {
    match platform::free_space(folder) {
        Some(room) if room < LEAST_ROOM => bail!(
            "the disk with {} is full ({} kB are left); test processes leave their results there \
             until they are read: make room, or name another folder in the variable TMPDIR",
            folder.display(),
            room / 1000
        ),
        _ => Ok(()),
    }
}
