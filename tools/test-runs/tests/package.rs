//! Which package a command is for.
#![allow(clippy::disallowed_types, reason = "these tests run processes, not simulations")]

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use test_runs::package::{Package, Wish, find};
use test_runs::platform::canonical;

/// Packages by their folders; those whose name begins with `t` have tests of the lab.
fn workspace(packages: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = canonical(folder.path()).expect("it exists");
    let write = |path: &Path, text: &str| {
        fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        fs::write(path, text).expect("it can be written");
    };
    let members = packages.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    write(&root.join("Cargo.toml"), &format!("[workspace]\nmembers = [{members}]\n"));
    for name in packages {
        let at = root.join(name);
        let manifest = format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n");
        write(&at.join("Cargo.toml"), &manifest);
        write(&at.join("src/lib.rs"), "");
        if name.starts_with('t') {
            write(&at.join("tests/sim.rs"), "");
        }
    }
    (folder, root)
}

fn found(dir: &Path, name: Option<&str>, home: &Path) -> Result<Package, String> {
    find(Wish { dir: Some(dir), name }, home, "tests").map_err(|error| error.to_string())
}

#[test]
fn a_crate_is_known_by_the_directory() {
    let (_home, home) = workspace(&["tests", "plain", "tzoo"]);
    let (_theirs, theirs) = workspace(&["tmine", "other"]);
    for (dir, name) in [
        (theirs.join("tmine"), "tmine"),
        (theirs.join("tmine/src"), "tmine"),
        // Nobody has said which, but only one has tests.
        (theirs.clone(), "tmine"),
        // That there are none here is told by who looks for them.
        (theirs.join("other"), "other"),
    ] {
        let package = Package { name: name.into(), dir: dir.clone() };
        assert_eq!(found(&dir, None, &home), Ok(package));
    }
    // At home, whoever works on something without tests means the usual ones.
    for (dir, name) in [("", "tests"), ("plain", "tests"), ("tzoo/src", "tzoo")] {
        let package = Package { name: name.into(), dir: home.clone() };
        assert_eq!(found(&home.join(dir), None, &home), Ok(package));
    }
}

#[test]
fn a_name_counts_more_than_the_directory() {
    let (_home, home) = workspace(&["tests", "tzoo"]);
    let (_theirs, theirs) = workspace(&["tmine", "tother"]);
    let dir = theirs.join("tmine");
    let package = Package { name: "tother".into(), dir: dir.clone() };
    assert_eq!(found(&dir, Some("tother"), &home), Ok(package));
    let words = found(&dir, Some("tzoo"), &home).expect_err("it is not there");
    assert!(words.contains("no package `tzoo`; there are tmine, tother"), "{words}");
    let words = found(&theirs, None, &home).expect_err("there are two");
    assert!(words.contains("which package? give --package; there are tmine, tother"), "{words}");
}

#[test]
fn where_there_is_no_crate_is_said() {
    let (_home, home) = workspace(&["tests"]);
    let nowhere = tempfile::tempdir().expect("a folder");
    let words = found(nowhere.path(), None, &home).expect_err("there is none");
    assert!(words.contains("there is no Cargo.toml in"), "{words}");
    let words = found(&nowhere.path().join("no"), None, &home).expect_err("there is none");
    assert!(words.contains("there is no directory"), "{words}");
    fs::write(nowhere.path().join("Cargo.toml"), "[package\n").expect("a file");
    let words = found(nowhere.path(), None, &home).expect_err("it is broken");
    assert!(words.contains("cargo cannot read the crate at"), "{words}");
}
