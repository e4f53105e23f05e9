//! `cargo xtask skeleton DIR`: a crate to begin one's own Raft in.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use test_runs::platform;

/// The files of the skeleton; `{name}`, `{crate}` and `{workspace}` are filled in.
const FILES: [(&str, &str); 7] = [
    ("Cargo.toml", include_str!("../skeleton/Cargo.toml.in")),
    ("clippy.toml", include_str!("../../clippy.toml")),
    (".gitignore", include_str!("../skeleton/gitignore.in")),
    ("README.md", include_str!("../skeleton/README.md.in")),
    ("src/lib.rs", include_str!("../skeleton/lib.rs.in")),
    ("tests/sim.rs", include_str!("../skeleton/sim.rs.in")),
    ("tests/real.rs", include_str!("../skeleton/real.rs.in")),
];

/// Writes the skeleton.
pub(crate) fn write(dir: &Path) -> Result<()> {
    refuse_to_overwrite(dir)?;
    let dir = resolved(dir).with_context(|| format!("cannot use {}", dir.display()))?;
    let name = package_name(&dir)?;
    let workspace = workspace()?;
    if dir.starts_with(&workspace) {
        bail!(
            "{} lies within this workspace, which would take it for a member; choose a directory \
             outside of {}",
            dir.display(),
            workspace.display()
        );
    }
    for (path, template) in FILES {
        let text = template
            .replace("{workspace}", &in_quotes(&workspace))
            .replace("{name}", &name)
            .replace("{crate}", &name.replace('-', "_"));
        let path = dir.join(path);
        let parent = path.parent().expect("a file of the skeleton lies in its directory");
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    println!("wrote a skeleton to {}; now:\n", dir.display());
    println!("    cd {}\n    cargo test -- 2A\n", dir.display());
    println!("The tests fail until src/lib.rs has a Raft in it. README.md says where to begin.");
    Ok(())
}

/// The one way to write the path of something that need not exist yet.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let there = path.ancestors().find(|above| above.exists()).unwrap_or(&path);
    let missing = path.strip_prefix(there).unwrap_or(Path::new(""));
    Ok(platform::canonical(there)?.join(missing))
}

/// A path as it stands between the quotes of a string in a manifest.
pub(crate) fn in_quotes(path: &Path) -> String {
    path.display().to_string().replace('\\', "\\\\").replace('"', "\\\"")
}

fn refuse_to_overwrite(dir: &Path) -> Result<()> {
    match fs::read_dir(dir) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                bail!("{} is not empty; choose a directory that does not exist yet", dir.display());
            }
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot use {}", dir.display())),
    }
}

/// The name of a package that lives in this directory.
fn package_name(dir: &Path) -> Result<String> {
    let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let reserved = ["raft", "raft-api", "raft-tests", "labrt", "labrpc", "labgob", "persister"];
    if !starts_well || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
        bail!(
            "`{name}` cannot name a crate: it must begin with a letter and hold only letters, \
             digits, `-` and `_`"
        );
    }
    if reserved.contains(&name) {
        bail!("`{name}` is a crate of this workspace; choose another name, such as `my-{name}`");
    }
    Ok(name.to_string())
}

/// The root of this workspace.
fn workspace() -> Result<PathBuf> {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = xtask.parent().context("the xtask crate has no parent directory")?;
    platform::canonical(root)
        .with_context(|| format!("cannot find the workspace at {}", root.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_out_and_does_not_exist_yet_is_seen_to_lie_outside() {
        let top = tempfile::tempdir().expect("a directory");
        let top = platform::canonical(top.path()).expect("it exists");
        fs::create_dir(top.join("in")).expect("a directory");
        let resolve = |path: &str| resolved(&top.join(path)).expect("a path");
        assert_eq!(resolve("in/../my-raft"), top.join("my-raft"));
        assert_eq!(resolve("in/my/raft"), top.join("in/my/raft"));
        assert_eq!(resolve("in"), top.join("in"));
    }

    #[test]
    fn quotes_and_backslashes_of_a_path_are_escaped() {
        assert_eq!(in_quotes(Path::new("C:\\my \"raft\"")), "C:\\\\my \\\"raft\\\"");
    }
}
