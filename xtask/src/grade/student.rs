//! The crate that is graded.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use test_runs::platform;
use toml::{Table, Value};

use super::outcome::plain as plain_text;
use super::running;
use crate::workspace;

/// No manifest is as large as this.
const MOST_OF_MANIFEST: u64 = 1 << 20;

/// No registry takes a longer name. Of such a one no file or folder could be called, with what cargo adds to it.
pub(crate) const MOST_OF_NAME: usize = 64;

/// How many folders are named.
const NAMED: usize = 5;

/// No pattern stands for more folders.
const MOST_MEMBERS: usize = 1000;
/// The kinds of a library.
const LIBRARIES: [&str; 6] = ["lib", "rlib", "dylib", "cdylib", "staticlib", "proc-macro"];

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
    /// Which package depends on which; none if only the packages of a workspace were asked for.
    pub(crate) resolve: Option<Resolve>,
}

/// What it says of dependencies.
#[derive(Debug, Deserialize)]
pub(crate) struct Resolve {
    pub(crate) nodes: Vec<Node>,
}

/// What it says of the dependencies of a package: all by their ids.
#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) dependencies: Vec<String>,
}

/// What it says of a package.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    /// No other package has the same.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) manifest_path: PathBuf,
    /// Where it comes from; none if it is a folder of this machine.
    pub(crate) source: Option<String>,
    pub(crate) targets: Vec<Target>,
}

/// What it says of a part of a package.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
}

impl Student {
    /// The crate in a directory, or in the only folder there: so it is handed in by many. Its workspace may lie
    /// anywhere above.
    pub(crate) fn at(dir: &Path) -> Result<Student> {
        Student::find(dir, Path::new(""))
    }

    /// The same of one who is among others: nothing above this folder is looked at.
    pub(crate) fn among_others(dir: &Path) -> Result<Student> {
        Student::find(dir, dir)
    }

    /// The crate in a directory. Its workspace does not lie outside of `top`.
    fn find(dir: &Path, top: &Path) -> Result<Student> {
        let canonical = |dir: &Path| {
            let found = platform::canonical(dir);
            found.with_context(|| format!("there is no crate at {}", dir.display()))
        };
        let mut dir = canonical(dir)?;
        let top = if top.as_os_str().is_empty() { PathBuf::new() } else { canonical(top)? };
        if !has_manifest(&dir)? {
            dir = only_below(&dir)?;
        }
        // Cargo is not asked: it would look for crates where they are on the student's machine.
        let manifest = manifest(&dir)?;
        let name = manifest.get("package").and_then(|package| package.get("name")?.as_str());
        let name =
            name.with_context(|| format!("the manifest of {} has no package", dir.display()))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        // It becomes part of our own manifest, and of paths.
        ensure!(
            !name.is_empty() && name.chars().all(plain),
            "the crate in {} is called `{}`, which cargo would not take",
            dir.display(),
            plain_text(name)
        );
        ensure!(
            name.len() <= MOST_OF_NAME,
            "the crate in {} has a name of {} letters; {MOST_OF_NAME} are the most",
            dir.display(),
            name.len()
        );
        let root = match manifest.contains_key("workspace") {
            true => dir.clone(),
            false => workspace_of(&dir, &manifest, &top)?,
        };
        Ok(Student { name: name.to_string(), dir, root })
    }

    /// The folder of all that the crate is built of: its workspace's; of this workspace's crates their own.
    pub(crate) fn top(&self) -> &Path {
        if self.is_ours() { &self.dir } else { &self.root }
    }

    /// True if it is a member of this workspace: only then it has this root.
    pub(crate) fn is_ours(&self) -> bool {
        platform::canonical(&workspace()).is_ok_and(|ours| self.root == ours)
    }
}

/// The manifest in a folder. It may be anything: a link to a secret, a pipe, a device without end.
fn manifest(dir: &Path) -> Result<Table> {
    let file = &dir.join("Cargo.toml");
    let cannot = || format!("cannot read {}", file.display());
    let data = fs::symlink_metadata(file).with_context(cannot)?;
    ensure!(
        data.is_file() && data.len() <= MOST_OF_MANIFEST,
        "{} must be a file, no link or pipe, of at most {} KiB",
        file.display(),
        MOST_OF_MANIFEST >> 10
    );
    let text = fs::read_to_string(file).with_context(cannot)?;
    // The words alone: the whole error shows a line of the file.
    text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |place| text[..place.start].lines().count().max(1));
        anyhow!("{} is no manifest: line {line}: {}", file.display(), error.message())
    })
}

/// The folder of the workspace that a crate without a workspace of its own is a member of; its own if it is of none.
/// Nothing outside of `top` is looked at. Who lies within this workspace, and is none of its members, has none but
/// its own folder: it is a stranger's, wherever it was put.
fn workspace_of(dir: &Path, of_crate: &Table, top: &Path) -> Result<PathBuf> {
    let ours = platform::canonical(&workspace()).unwrap_or_else(|_| workspace());
    if dir.starts_with(&ours) && members()?.iter().any(|member| member == dir) {
        return Ok(ours);
    }
    // It may say itself where its workspace is.
    let said = of_crate.get("package").and_then(|package| package.get("workspace")?.as_str());
    let said = said.and_then(|path| platform::canonical(&dir.join(path)).ok());
    let above = dir.ancestors().skip(1).filter(|above| *above != ours && above.starts_with(top));
    for root in above {
        let Ok(manifest) = manifest(root) else { continue };
        let Some(Value::Table(workspace)) = manifest.get("workspace") else { continue };
        // Cargo looks for another one above if this one excludes it, and refuses if it does not know it.
        if said.as_deref() == Some(root) || is_member(root, &manifest, workspace, dir) {
            return Ok(root.to_owned());
        }
    }
    Ok(dir.to_owned())
}

/// True if a folder is one of a workspace's members, as cargo sees it: it is listed, or what is listed depends on it
/// by a path.
fn is_member(root: &Path, manifest_of_root: &Table, workspace: &Table, dir: &Path) -> bool {
    let list = |key: &str| {
        let list = workspace.get(key).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).collect::<Vec<_>>()
    };
    let members = list("members");
    let is_excluded = |dir: &Path| {
        let listed = members.iter().any(|member| root.join(member) == dir);
        !listed && list("exclude").iter().any(|path| dir.starts_with(root.join(path)))
    };
    let mut left: Vec<PathBuf> = members.iter().flat_map(|member| matching(root, member)).collect();
    if manifest_of_root.contains_key("package") {
        left.push(root.to_owned());
    }
    let mut seen = BTreeSet::new();
    while let Some(one) = left.pop() {
        let Ok(one) = platform::canonical(&one) else { continue };
        if !one.starts_with(root) || is_excluded(&one) || !seen.insert(one.clone()) {
            continue;
        }
        if one == dir {
            return true;
        }
        if let Ok(manifest) = manifest(&one) {
            left.extend(paths(&manifest, &one, workspace, root));
        }
    }
    false
}

/// The folders that a member's name in a workspace's manifest stands for. It may be a pattern, as of a shell; one that
/// leads out of the workspace would have us look through all of the disk.
fn matching(root: &Path, member: &str) -> Vec<PathBuf> {
    let within = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if !Path::new(member).components().all(within) {
        return Vec::new();
    }
    let pattern = Path::new(&glob::Pattern::escape(&root.to_string_lossy())).join(member);
    let found = glob::glob(&pattern.to_string_lossy());
    found.into_iter().flatten().flatten().take(MOST_MEMBERS).collect()
}

/// The folders that a crate depends on by their paths.
fn paths(manifest: &Table, dir: &Path, workspace: &Table, root: &Path) -> Vec<PathBuf> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flatten();
    let tables = targets.filter_map(|(_, target)| target.as_table()).chain([manifest]);
    let kinds = [
        "dependencies",
        "dev-dependencies",
        "dev_dependencies",
        "build-dependencies",
        "build_dependencies",
    ];
    let all = tables.flat_map(|table| kinds.iter().filter_map(|kind| table.get(*kind)?.as_table()));
    let path = |(name, dependency): (&String, &Value)| {
        if dependency.get("workspace").and_then(Value::as_bool) == Some(true) {
            let there = workspace.get("dependencies").and_then(|all| all.get(name));
            return Some(root.join(there?.get("path")?.as_str()?));
        }
        Some(dir.join(dependency.get("path")?.as_str()?))
    };
    all.flatten().filter_map(path).collect()
}

/// The folders of this workspace's own members: only these are trusted.
///
/// # Errors
/// If cargo cannot say which there are.
pub(crate) fn members() -> Result<&'static [PathBuf]> {
    static MEMBERS: OnceLock<Vec<PathBuf>> = OnceLock::new();
    if let Some(members) = MEMBERS.get() {
        return Ok(members);
    }
    let packages = metadata(&workspace(), &["--no-deps"])?.packages;
    let dirs = packages.iter().map(|package| platform::canonical(package.dir()));
    let dirs =
        dirs.collect::<Result<Vec<_>, _>>().context("cannot find this workspace's crates")?;
    Ok(MEMBERS.get_or_init(|| dirs))
}

/// True if a folder has a manifest, be it what it may.
fn has_manifest(dir: &Path) -> Result<bool> {
    let file = dir.join("Cargo.toml");
    match fs::symlink_metadata(&file) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

/// The only crate in the folders of a folder that has no manifest itself.
fn only_below(dir: &Path) -> Result<PathBuf> {
    let folders = folders(dir)?;
    let with_manifest = |folders: Vec<PathBuf>| -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for folder in folders {
            if has_manifest(&folder)? {
                found.push(folder);
            }
        }
        Ok(found)
    };
    let mut found = with_manifest(folders.clone())?;
    if found.len() == 1 {
        return Ok(found.remove(0));
    }
    let named = |found: &[PathBuf]| {
        let names = found.iter().map(|path| path.strip_prefix(dir).unwrap_or(path).display());
        let names: Vec<String> = names.take(NAMED).map(|name| format!("`{name}`")).collect();
        let more = found.len().checked_sub(NAMED + 1);
        names.join(", ") + &more.map_or(String::new(), |more| format!(" and {} more", more + 1))
    };
    let words = format!("there is no Cargo.toml in {}", dir.display());
    ensure!(
        found.is_empty(),
        "{words}, and more than one of its folders has one, {}: hand in one, or grade the folder of one",
        named(&found)
    );
    let mut deeper = Vec::new();
    for folder in folders {
        deeper.extend(with_manifest(self::folders(&folder)?)?);
    }
    ensure!(
        deeper.is_empty(),
        "{words} or one folder deeper, but in {}: hand in that folder alone, or grade it",
        named(&deeper)
    );
    bail!("{words} or one folder deeper")
}

/// The folders in a folder, in order; none that is hidden, or a link.
fn folders(dir: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("cannot read {}", dir.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !is_hidden && entry.file_type().with_context(cannot)?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

impl Metadata {
    /// The packages that a package depends on.
    pub(crate) fn dependencies(&self, of: &Package) -> impl Iterator<Item = &Package> {
        let by_id: BTreeMap<&str, &Package> =
            self.packages.iter().map(|package| (&*package.id, package)).collect();
        let nodes = self.resolve.iter().flat_map(|resolve| &resolve.nodes);
        let ids = nodes.filter(move |node| node.id == of.id).flat_map(|node| &node.dependencies);
        ids.filter_map(move |id| by_id.get(&**id).copied())
    }
}

impl Package {
    /// The folder of its manifest.
    pub(crate) fn dir(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    /// What its library is called, if it has one: not always as the package is.
    pub(crate) fn lib_name(&self) -> Option<&str> {
        let is_library =
            |target: &&Target| target.kind.iter().any(|kind| LIBRARIES.contains(&&**kind));
        self.targets.iter().find(is_library).map(|target| target.name.as_str())
    }

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

/// Asks cargo about a crate of ours in a folder.
///
/// # Errors
/// If it cannot be asked, or what it says cannot be understood.
pub(crate) fn metadata(dir: &Path, options: &[&str]) -> Result<Metadata> {
    understood(&question(dir, options).output().context("cannot run cargo")?)
}

/// Asks cargo about a crate that is made of a student's, which may take any time, until `stop` is set. What it says lies
/// in `scratch` meanwhile.
///
/// # Errors
/// As of [`metadata`], and if it was stopped: then the error is [`Killed`].
pub(crate) fn metadata_until(
    dir: &Path,
    options: &[&str],
    scratch: &Path,
    stop: &AtomicBool,
) -> Result<Metadata> {
    let must_end = |_| stop.load(Ordering::Relaxed);
    understood(&running::run(question(dir, options), scratch, must_end)?)
}

/// What cargo is asked about the crate in a folder. It is not asked there: a folder, or one above it, may hold
/// settings that have cargo run programs.
fn question(dir: &Path, options: &[&str]) -> Command {
    let mut cargo = crate::cargo();
    cargo.args(["metadata", "--format-version", "1", "--color", "never"]).args(options);
    cargo.arg("--manifest-path").arg(dir.join("Cargo.toml")).current_dir(workspace());
    cargo
}

/// What cargo has said of a crate.
fn understood(output: &Output) -> Result<Metadata> {
    if output.status.code().is_none() {
        bail!(Killed(output.status));
    }
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).context("cannot read cargo's metadata")
}

/// Cargo did not end by itself: that says nothing about the crate.
#[derive(Debug)]
pub(crate) struct Killed(pub(crate) ExitStatus);

impl Display for Killed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "cargo was ended by somebody else: {}", self.0)
    }
}

impl Error for Killed {}

#[cfg(test)]
mod tests;
