//! What belongs to this workspace: the sources of its members, and what cargo needs beside them.
//!
//! A checkout holds more: results, traces, submissions, notes. None of that decides how a crate is graded, and none
//! of it is for students' code to read. So it is left out of the print, of the rooms and of the zip, wherever it lies.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use test_runs::platform;

use super::files::below;
use super::student::members;
use crate::{entries, workspace};

/// The files at the top: what cargo and clippy read, and what whoever is given the rest may do with it.
const TOP: [&str; 7] = [
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "clippy.toml",
    "rust-toolchain",
    "rust-toolchain.toml",
];
/// The folders of a member that are its own; the last three have what is no Rust.
const FOLDERS: [&str; 7] =
    ["src", "tests", "benches", "examples", "autograder", "skeleton", "corpus"];
/// How the files end that a member has beside these folders.
const ENDINGS: [&str; 3] = ["rs", "toml", "md"];
/// What decides what comes of a grading: of all that, the manifests and what is built.
const BUILT: &str = "src";

/// The files and folders of this workspace that belong to it.
///
/// # Errors
/// If cargo cannot say which members there are.
pub(crate) fn parts() -> Result<Vec<PathBuf>> {
    let root = platform::canonical(&workspace()).context("cannot find this workspace")?;
    Ok(parts_of(&root, members()?))
}

fn parts_of(root: &Path, members: &[PathBuf]) -> Vec<PathBuf> {
    let mut parts: Vec<PathBuf> = TOP.iter().map(|name| root.join(name)).collect();
    for member in members {
        parts.extend(FOLDERS.iter().map(|name| member.join(name)));
        let is_own = |file: &PathBuf| {
            let ending = file.extension().unwrap_or_default();
            ENDINGS.iter().any(|own| ending == *own) && is_file(file)
        };
        let mut own: Vec<PathBuf> = entries(member).filter(is_own).collect();
        own.sort();
        parts.extend(own);
    }
    parts.retain(|part| fs::symlink_metadata(part).is_ok_and(|data| !data.is_symlink()));
    parts
}

fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|data| data.is_file())
}

/// The files of this workspace, relative to it, in order.
///
/// # Errors
/// As of [`parts`], or if something cannot be read.
pub(crate) fn all() -> Result<Vec<PathBuf>> {
    let root = &platform::canonical(&workspace()).context("cannot find this workspace")?;
    files_of(root, &parts_of(root, members()?))
}

/// The files of this workspace that decide, beside a crate and the settings, what comes of a grading: relative to
/// it, in order.
///
/// # Errors
/// As of [`all`].
pub(crate) fn deciding() -> Result<Vec<PathBuf>> {
    let root = &platform::canonical(&workspace()).context("cannot find this workspace")?;
    let decides = |part: &PathBuf| {
        let name = part.file_name().unwrap_or_default();
        name == BUILT || (is_file(part) && name != "README.md" && name != "LICENSE")
    };
    let parts: Vec<_> = parts_of(root, members()?).into_iter().filter(decides).collect();
    files_of(root, &parts)
}

fn files_of(root: &Path, parts: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for part in parts {
        let relative = part.strip_prefix(root);
        let relative = relative.with_context(|| format!("{} lies elsewhere", part.display()))?;
        match is_file(part) {
            true => files.push(relative.to_owned()),
            false => files.extend(below(part)?.into_iter().map(|file| relative.join(file))),
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(top: &Path, files: &[&str]) {
        for file in files {
            let file = top.join(file);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(file, "").expect("a file");
        }
    }

    #[test]
    fn only_what_belongs_to_the_workspace_is_taken() {
        let top = tempfile::tempdir().expect("a folder");
        let top = top.path();
        let own = [
            ".cargo/config.toml",
            "Cargo.toml",
            "raft/Cargo.toml",
            "raft/README.md",
            "raft/src/lib.rs",
            "raft/src/target/mod.rs",
            "raft/tests/all.rs",
        ];
        write(top, &own);
        write(top, &["results/grade.json", "submissions/ann/src/lib.rs", "notes.md", "x.zip"]);
        write(
            top,
            &["raft/results/grade.json", "raft/target/x.rs", "raft/trace.ndjson", "docs/a.md"],
        );
        let parts = parts_of(top, &[top.join("raft")]);
        assert_eq!(files_of(top, &parts).expect("files"), own.map(PathBuf::from));
        for part in parts {
            assert!(!part.ends_with("raft") && part != top, "{}: too much", part.display());
        }
    }

    #[test]
    fn what_builds_the_tests_of_a_lab_decides_and_words_do_not() {
        let deciding = deciding().expect("files");
        for file in
            [".cargo/config.toml", "Cargo.lock", "raft-tests/src/suite.rs", "labrt/Cargo.toml"]
        {
            assert!(deciding.contains(&PathBuf::from(file)), "{file}");
        }
        for file in ["linearizability/README.md", "raft-tests/tests/sim.rs", "docs/grading.md"] {
            assert!(workspace().join(file).exists(), "{file}: it is another one now");
            assert!(!deciding.contains(&PathBuf::from(file)), "{file}");
        }
    }

    /// Else it would be missing from the zip and from the rooms.
    #[test]
    fn a_member_has_no_other_folders() {
        for member in members().expect("members") {
            for entry in entries(member).filter(|entry| entry.is_dir()) {
                let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let known = FOLDERS.contains(&&*name) || ["target", ".git"].contains(&&*name);
                // Members lie within others.
                let holds_members =
                    members().expect("members").iter().any(|one| one.starts_with(&entry));
                // What was put there by hand has no sources of ours.
                let has_sources =
                    entries(&entry).any(|file| file.extension().is_some_and(|end| end == "rs"));
                assert!(known || holds_members || !has_sources, "{}", entry.display());
            }
        }
    }
}
