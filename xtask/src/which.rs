//! The options that say which crate a task is for; `stress`, `hunt`, `trace` and `shrink` have them.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use test_runs::package::{self, Package, Wish};

use crate::{labs, shell, workspace};

/// Which crate a task is for.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Which {
    /// The package with the tests [default: the one of the current directory or, elsewhere in this
    /// workspace, the one with the tests that are asked for].
    #[arg(long)]
    pub(crate) package: Option<String>,
    /// The directory of the package or of its workspace, instead of the current one.
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
}

impl Which {
    /// Finds the package; `tests` are names of tests or parts of names.
    pub(crate) fn find<S: AsRef<str>>(&self, tests: &[S]) -> Result<Package> {
        let wish = Wish { dir: self.dir.as_deref(), name: self.package.as_deref() };
        package::find(wish, &workspace(), labs::suite_with(tests))
    }

    /// The same options, as they were given, for a command that is called from the same place.
    pub(crate) fn again(&self) -> String {
        let mut options = String::new();
        if let Some(package) = &self.package {
            options += &format!(" --package {package}");
        }
        if let Some(dir) = &self.dir {
            options += &format!(" --dir {}", shell::quoted(dir));
        }
        options
    }
}
