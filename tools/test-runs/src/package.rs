//! Which package a command is for: the one it is called from, unless the user says another.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use run_record::Clock;
use serde::Deserialize;

use crate::platform;

/// The name of the test target that holds the tests of the lab on this clock.
pub fn target(clock: Clock) -> &'static str {
    match clock {
        Clock::Sim => "sim",
        Clock::Real => "wall",
    }
}

/// A package with tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Where cargo is to be run for it.
    pub dir: PathBuf,
}

/// What the user has said about the package.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish<'a> {
    /// A directory in its workspace.
    pub dir: Option<&'a Path>,
    /// Its name.
    pub name: Option<&'a str>,
}

/// What `cargo metadata` says of a workspace.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Member>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

/// What `cargo metadata` says of a package.
#[derive(Debug, Deserialize)]
struct Member {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Member {
    fn dir(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    /// The clocks on which it has the tests of the lab.
    fn clocks(&self) -> Vec<Clock> {
        let is_test = |target: &&Target| target.kind.iter().any(|kind| kind == "test");
        let tests: Vec<&str> =
            self.targets.iter().filter(is_test).map(|target| target.name.as_str()).collect();
        let has = |clock: &Clock| tests.contains(&target(*clock));
        [Clock::Sim, Clock::Real].into_iter().filter(has).collect()
    }
}

/// Finds the package that the user means: by its name; else the one that the directory lies in, which is
/// the current one if the user names none; else, for who is elsewhere in the workspace `home` or in no
/// package at all, the one called `usual` there.
///
/// # Errors
/// If there is no such directory or package, or it cannot be told which one is meant.
pub fn find(wish: Wish<'_>, home: &Path, usual: &str) -> Result<Package> {
    let home = platform::canonical(home)
        .with_context(|| format!("there is no workspace at {}", home.display()))?;
    let dir = match wish.dir {
        Some(dir) => dir.to_owned(),
        None => env::current_dir().context("the current directory cannot be used")?,
    };
    let mut dir = platform::canonical(&dir)
        .with_context(|| format!("there is no directory {}", dir.display()))?;
    if dir.ends_with("Cargo.toml") {
        dir.pop();
    }
    ensure!(dir.is_dir(), "{} is a file; the directory of a package is needed", dir.display());
    let at_home = |name: &str| Package { name: name.to_string(), dir: home.clone() };
    if !dir.ancestors().any(|above| above.join("Cargo.toml").exists()) {
        ensure!(wish.dir.is_none(), "there is no Cargo.toml in {} or above it", dir.display());
        return Ok(at_home(wish.name.unwrap_or(usual)));
    }
    let metadata = metadata(&dir)?;
    match wish.name {
        Some(name) if metadata.packages.iter().any(|member| member.name == name) => {
            Ok(Package { name: name.to_string(), dir })
        }
        // From anywhere, a package of the home may be named.
        Some(name) if wish.dir.is_none() => Ok(at_home(name)),
        Some(name) => bail!("{} has no package `{name}`; {}", dir.display(), metadata.choice()),
        None if platform::canonical(&metadata.workspace_root).is_ok_and(|root| root == home) => {
            let here = metadata.package_at(&dir).filter(|member| !member.clocks().is_empty());
            Ok(at_home(here.map_or(usual, |member| member.name.as_str())))
        }
        None => {
            let here = metadata.package_at(&dir).or_else(|| metadata.only_one());
            let Some(here) = here else {
                bail!("which package? give --package; {}", metadata.choice());
            };
            Ok(Package { name: here.name.clone(), dir })
        }
    }
}

impl Metadata {
    /// The package that a directory lies in.
    fn package_at(&self, dir: &Path) -> Option<&Member> {
        let around = self.packages.iter().filter(|member| {
            platform::canonical(member.dir()).is_ok_and(|package| dir.starts_with(package))
        });
        around.max_by_key(|member| member.dir().components().count())
    }

    /// The package with tests of the lab, if there are not several.
    fn only_one(&self) -> Option<&Member> {
        let mut all = self.packages.iter().filter(|member| !member.clocks().is_empty());
        all.next().filter(|_| all.next().is_none())
    }

    /// In words, what there is.
    fn choice(&self) -> String {
        let names: Vec<&str> = self.packages.iter().map(|member| member.name.as_str()).collect();
        format!("there are {}", names.join(", "))
    }
}

/// The platform that cargo builds for, if it is not told otherwise.
///
/// # Errors
/// If cargo cannot be run, or does not say.
pub fn host() -> Result<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).arg("-vV").output().context("cannot run cargo")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("cargo does not say for what it builds")?.to_string())
}

/// Where cargo puts what it builds for the crate that a directory lies in: `target`, or what
/// CARGO_TARGET_DIR or a configuration of cargo's says.
///
/// # Errors
/// If cargo cannot be run, or says that there is no crate.
pub fn target_directory(dir: &Path) -> Result<PathBuf> {
    Ok(metadata(dir)?.target_directory)
}

/// The clocks on which a package has the tests of the lab.
///
/// # Errors
/// If cargo cannot be run, or knows no such package there.
pub fn clocks(dir: &Path, package: &str) -> Result<Vec<Clock>> {
    Ok(member(dir, package)?.clocks())
}

/// The names of the packages that a package depends on, for its tests too.
///
/// # Errors
/// If cargo cannot be run, or knows no such package there.
pub fn dependencies(dir: &Path, package: &str) -> Result<Vec<String>> {
    Ok(member(dir, package)?.dependencies.into_iter().map(|one| one.name).collect())
}

fn member(dir: &Path, package: &str) -> Result<Member> {
    let mut metadata = metadata(dir)?;
    let place = metadata.packages.iter().position(|member| member.name == package);
    let place = place.with_context(|| {
        format!("{} has no package `{package}`; {}", dir.display(), metadata.choice())
    })?;
    Ok(metadata.packages.swap_remove(place))
}

fn metadata(dir: &Path) -> Result<Metadata> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--no-deps", "--format-version", "1", "--color", "never"]);
    let output = cargo.current_dir(dir).output().context("cannot run cargo")?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("cargo cannot read the crate at {}: {}", dir.display(), words.trim());
    }
    serde_json::from_slice(&output.stdout).context("cannot read cargo's metadata")
}
