//! What all crates need is built before any of them: the first one must not lose its time to it.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use test_runs::package;

use super::rooms::Rooms;
use super::student::metadata;
use super::{running, stamp};
use crate::labs::Lab;
use crate::skeleton::lock_file;
use crate::workspace;

/// Builds a lab's tests and all that they are made of, for no crate. Nobody else must build there meanwhile.
///
/// # Errors
/// If they do not build, or cannot be fetched, or `stop` is set before they are built.
pub(crate) fn warm(lab: &Lab, rooms: &Rooms, target: &Path, stop: &AtomicBool) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a folder for temporary files")?;
    let dir = folder.path();
    let root = workspace();
    let manifest = format!(
        "[package]\nname = \"grading\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\n{}\n{}",
        stamp::suite_dependency(lab),
        stamp::profile()
    );
    let cannot = || format!("cannot write to {}", dir.display());
    fs::create_dir(dir.join("src")).with_context(cannot)?;
    let lock = lock_file(&root)?;
    for (path, text) in [("Cargo.toml", &*manifest), ("src/lib.rs", ""), ("Cargo.lock", &*lock)] {
        fs::write(dir.join(path), text).with_context(cannot)?;
    }
    metadata(dir, &["--filter-platform", &package::host()?])
        .context("cargo cannot find or fetch what the tests need")?;
    let mut cargo = rooms.cargo(dir, dir);
    cargo.args(["build", "--lib", "--offline"]).env("CARGO_TARGET_DIR", target);
    // Not there: see [`stamp`].
    cargo.arg("--manifest-path").arg(dir.join("Cargo.toml")).current_dir(root);
    let output = running::run(cargo, dir, |_| stop.load(Ordering::Relaxed))?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "the tests of lab {} do not build:\n{}",
        lab.number,
        words.trim()
    );
    Ok(())
}
