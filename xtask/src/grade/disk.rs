//! What a build writes to the disk: how much, and what is left of it.
//!
//! A limit for each file is not enough: a few lines of source can make the compiler write any number of large
//! ones. No system limits a folder for us without privileges, so it is looked at while cargo runs. And what was
//! built of a student's crate is of no use to the next one: it is removed, so that a class does not fill the
//! disk either.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::entries;

/// How often the size is looked at: to walk through a folder takes some milliseconds.
const LOOK: Duration = Duration::from_millis(500);
/// How often somebody who waits for another grading looks whether it is over.
const WAIT: Duration = Duration::from_millis(20);
/// What is held while a crate is built.
const LOCK: &str = "grading.lock";
/// The folders in which cargo keeps what it has built, below the one of a profile.
const KEPT_IN: [&str; 5] = ["", "build", "deps", ".fingerprint", "incremental"];
/// How a folder begins that the compiler leaves behind if it is killed.
const UNFINISHED: &str = "rmeta";

/// A build of a student's crate. There is one at a time in a folder, since what it leaves is removed by name.
#[derive(Debug)]
pub(crate) struct Building {
    target: PathBuf,
    watched: [PathBuf; 2],
    most: u64,
    /// What was there before.
    before: u64,
    looked: Instant,
    _lock: File,
}

impl Building {
    /// Waits for other gradings that build in the same folder. The build may write so many bytes to `target` and
    /// `scratch`.
    ///
    /// # Errors
    /// If the folder cannot be used, or `stop` is set while others still build: what is there is theirs.
    pub(crate) fn begin(
        target: &Path,
        scratch: &Path,
        most: u64,
        stop: &AtomicBool,
    ) -> Result<Building> {
        let path = target.join(LOCK);
        let cannot = || format!("cannot use {}", path.display());
        fs::create_dir_all(target).with_context(cannot)?;
        let lock = File::create(&path).with_context(cannot)?;
        while let Err(refused) = lock.try_lock() {
            match refused {
                TryLockError::Error(error) => return Err(error).with_context(cannot),
                TryLockError::WouldBlock if stop.load(Ordering::Relaxed) => {
                    bail!("it was ended while it waited for another grading to build")
                }
                TryLockError::WouldBlock => std::thread::sleep(WAIT),
            }
        }
        let (target, watched) = (target.to_owned(), [target, scratch].map(Path::to_owned));
        let looked = Instant::now();
        let mut building = Building { target, watched, most, before: 0, looked, _lock: lock };
        building.count_from_now();
        Ok(building)
    }

    /// What is there by now does not count: it was built for all.
    pub(crate) fn count_from_now(&mut self) {
        self.before = self.size();
    }

    fn size(&self) -> u64 {
        self.watched.iter().map(|folder| size(folder)).sum()
    }

    /// How much may be written.
    pub(crate) fn most_mib(&self) -> u64 {
        self.most >> 20
    }

    /// True if too much was written, as far as was looked: not each time that this is called.
    pub(crate) fn may_be_over(&mut self) -> bool {
        if self.looked.elapsed() < LOOK {
            return false;
        }
        let over = self.is_over();
        self.looked = Instant::now();
        over
    }

    /// True if too much was written.
    pub(crate) fn is_over(&self) -> bool {
        self.size().saturating_sub(self.before) > self.most
    }

    /// Removes what was built of packages and libraries of these names, and what a killed compiler has left if one was killed.
    pub(crate) fn remove(&self, names: &BTreeSet<String>, killed: bool) {
        for profile in entries(&self.target) {
            for path in KEPT_IN.iter().flat_map(|folder| entries(&profile.join(folder))) {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if is_of(&name, names) || (killed && name.starts_with(UNFINISHED)) {
                    // What cannot be removed only takes room.
                    let _ = match path.is_dir() {
                        true => fs::remove_dir_all(&path),
                        false => fs::remove_file(&path),
                    };
                }
            }
        }
    }
}

/// How many bytes the files below a folder have. One that goes while we look has none.
fn size(folder: &Path) -> u64 {
    let (mut bytes, mut left) = (0, vec![folder.to_owned()]);
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(data) if data.is_dir() => left.push(entry.path()),
                Ok(data) => bytes += data.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}

/// True if cargo or the compiler has made a file of this name for a package or library of these names: it begins with
/// that, after `lib` for a library, up to a hash or an ending.
fn is_of(file: &str, names: &BTreeSet<String>) -> bool {
    let stem = file.split('.').next().unwrap_or(file);
    let stem = match stem.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 => name,
        _ => stem,
    };
    let stem = stem.replace('-', "_");
    [Some(stem.as_str()), stem.strip_prefix("lib")]
        .into_iter()
        .flatten()
        .any(|stem| names.iter().any(|name| name.replace('-', "_") == stem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: PathBuf, bytes: usize) {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, vec![0; bytes]).expect("a file");
    }

    #[test]
    fn what_was_there_before_does_not_count() {
        let top = tempfile::tempdir().expect("a folder");
        let (target, scratch) = (top.path().join("target"), top.path().join("scratch"));
        write(target.join("debug/deps/old"), 5000);
        let building = Building::begin(&target, &scratch, 1000, &AtomicBool::new(false));
        let mut building = building.expect("it begins");
        write(target.join("debug/deps/new"), 600);
        assert!(!building.is_over());
        write(scratch.join("deep/new"), 600);
        assert!(building.is_over());
        building.count_from_now();
        assert!(!building.is_over());
    }

    #[test]
    fn only_what_is_of_these_packages_is_removed() {
        let top = tempfile::tempdir().expect("a folder");
        let target = top.path().join("target");
        let own = [
            "debug/libmy_raft.rlib",
            "debug/deps/libmy_raft-0123456789abcdef.rlib",
            "debug/deps/my_raft-0123456789abcdef.my_raft.0abc-cgu.0.rcgu.o",
            "debug/.fingerprint/my-raft-0123456789abcdef/lib",
            "debug/deps/rmetaXy12/full.rmeta",
        ];
        let others = [
            "debug/deps/libmy_raft_too-0123456789abcdef.rlib",
            "debug/deps/libraft-0123456789abcdef.rlib",
            "debug/.fingerprint/my-0123456789abcdef/lib",
        ];
        for file in own.iter().chain(&others) {
            write(target.join(file), 1);
        }
        let building = Building::begin(&target, top.path(), 1, &AtomicBool::new(false));
        let packages = BTreeSet::from(["my-raft".to_string()]);
        let left = |files: &[&'static str]| -> Vec<&str> {
            files.iter().filter(|file| target.join(file).exists()).copied().collect()
        };
        let building = building.expect("it begins");
        building.remove(&packages, false);
        assert_eq!(left(&own), [own[4]]);
        building.remove(&packages, true);
        assert!(left(&own).is_empty());
        assert_eq!(left(&others), others);
    }

    #[test]
    fn one_builds_at_a_time_and_who_waits_can_be_stopped() {
        let top = tempfile::tempdir().expect("a folder");
        let begin = |stop| Building::begin(top.path(), top.path(), 1, &AtomicBool::new(stop));
        let first = begin(false).expect("nobody else builds");
        let words = begin(true).expect_err("it waits no longer, and builds nothing").to_string();
        assert!(words.contains("waited for another grading"), "{words}");
        drop(first);
        begin(false).expect("nobody builds any more");
    }
}
