//! The trace of a run that a task makes, and where it is left.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;
use test_runs::package::{self, Package};
use test_runs::watchdog;

use crate::entries;

/// How the name of a folder begins in which a run leaves its trace until it has ended.
const UNFINISHED: &str = ".running-";

/// Where a package's traces are, also those of its failed tests: other packages have tests of the same names. A run
/// from which something was taken away is not the one that its test and its seed stand for, and has another place.
///
/// # Errors
/// If cargo cannot say where it builds.
pub(crate) fn usual(package: &Package, changed: bool) -> Result<PathBuf> {
    let folder = package::target_directory(&package.dir)?.join("traces").join(&package.name);
    Ok(if changed { folder.join("changed") } else { folder })
}

/// A folder for the trace of one run, so that nobody takes another run's for it: not one that was left earlier, and
/// not one that is made at the same time. It goes with this value, and also if our process is killed.
pub(crate) struct Unfinished {
    home: PathBuf,
    own: TempDir,
}

impl Unfinished {
    /// For a trace that is to be in this folder in the end.
    ///
    /// # Errors
    /// If no folder can be made there.
    pub(crate) fn new(home: &Path) -> Result<Unfinished> {
        let cannot = || format!("cannot make a folder in {}", home.display());
        // The test program runs elsewhere.
        let home = std::path::absolute(home).with_context(cannot)?;
        fs::create_dir_all(&home).with_context(cannot)?;
        let own = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(&home);
        let own = own.with_context(cannot)?;
        watchdog::remove_at_death(own.path());
        Ok(Unfinished { home, own })
    }

    /// Where the run is to leave it.
    pub(crate) fn folder(&self) -> &Path {
        self.own.path()
    }

    /// The file with the trace, if one was left.
    pub(crate) fn trace(&self) -> Option<PathBuf> {
        let mut files = entries(self.own.path());
        files.find(|file| file.extension().is_some_and(|ending| ending == "ndjson"))
    }

    /// Moves all that was left to where it is to be, in place of an earlier run's. Returns where the trace is now, if
    /// there is one.
    ///
    /// # Errors
    /// If something cannot be moved.
    pub(crate) fn finish(self) -> Result<Option<PathBuf>> {
        let home = |file: &Path| Some(self.home.join(file.file_name()?));
        let trace = self.trace().as_deref().and_then(home);
        for file in entries(self.own.path()) {
            let Some(to) = home(&file) else { continue };
            fs::rename(&file, &to).with_context(|| format!("cannot write {}", to.display()))?;
        }
        Ok(trace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_the_trace_of_another_run_for_its_own() {
        let top = tempfile::tempdir().expect("a folder");
        let home = top.path().join("traces");
        let [one, two] = [(); 2].map(|()| Unfinished::new(&home).expect("a folder"));
        for (run, text) in [(&one, "one"), (&two, "two")] {
            assert_eq!(run.trace(), None);
            for name in ["x_2A-1.html", "x_2A-1.ndjson"] {
                fs::write(run.folder().join(name), text).expect("a file");
            }
        }
        let text = |file: PathBuf| fs::read_to_string(file).expect("a file");
        for (run, words) in [(two, "two"), (one, "one")] {
            assert_eq!(run.trace().map(text).as_deref(), Some(words));
            let trace = run.finish().expect("it can be moved").expect("a trace");
            assert_eq!(trace, home.join("x_2A-1.ndjson"));
            assert_eq!(
                (text(trace.with_extension("html")), text(trace)),
                (words.into(), words.into())
            );
        }
        assert_eq!(entries(&home).count(), 2, "nothing else is left");
    }
}
