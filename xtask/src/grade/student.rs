//! The crate that is graded.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use test_runs::platform;

use crate::workspace;

/// A student's crate.
#[derive(Clone, Debug)]
pub(crate) struct Student {
    /// Its package's name.
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    /// The folder of its workspace; mostly its own.
    pub(crate) root: PathBuf,
}

/// What `cargo metadata` says.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    workspace_root: PathBuf,
}

/// What it says of a package.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    /// Where it comes from; none if it is a folder of this machine.
    pub(crate) source: Option<String>,
    pub(crate) targets: Vec<Target>,
}

/// What it says of a part of a package.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) kind: Vec<String>,
}

impl Student {
    /// The crate in a directory.
    pub(crate) fn at(dir: &Path) -> Result<Student> {
        let found = platform::canonical(dir);
        let dir = found.with_context(|| format!("there is no crate at {}", dir.display()))?;
        let metadata = metadata(&dir, &["--no-deps"])
            .with_context(|| format!("{} is no crate", dir.display()))?;
        let manifest = dir.join("Cargo.toml");
        let mut packages = metadata.packages.into_iter();
        let package = packages.find(|package| package.manifest_path == manifest);
        let package = package.with_context(|| format!("{} has no package", manifest.display()))?;
        let root = platform::canonical(&metadata.workspace_root)
            .with_context(|| format!("cannot use {}", metadata.workspace_root.display()))?;
        Ok(Student { name: package.name, dir, root })
    }

    /// True if it is a crate of this workspace.
    pub(crate) fn is_ours(&self) -> bool {
        platform::canonical(&workspace()).is_ok_and(|ours| self.root == ours)
    }
}

impl Package {
    /// What it does when it is built, before anything of it is run, in words; none if nothing.
    pub(crate) fn acts_when_built(&self) -> Option<&'static str> {
        let has = |wanted: &str| {
            self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == wanted))
        };
        match (has("custom-build"), has("proc-macro")) {
            (true, _) => Some("a build script"),
            (_, true) => Some("a procedural macro"),
            _ => None,
        }
    }
}

/// Asks cargo about the crate in a folder. It is not asked there: a folder may hold settings that have cargo
/// run programs.
pub(crate) fn metadata(dir: &Path, options: &[&str]) -> Result<Metadata> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--format-version", "1", "--color", "never"]).args(options);
    cargo.arg("--manifest-path").arg(dir.join("Cargo.toml"));
    let output = cargo.current_dir(workspace()).output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).context("cannot read cargo's metadata")
}
