//! `cargo xtask platforms`: does the workspace build on other systems?

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use test_runs::package;

use crate::{say, workspace};

/// What is said to be supported; `docs/platforms.md` has the same list.
const TARGETS: [&str; 6] = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
    "aarch64-pc-windows-msvc",
];

/// Checks the workspace's libraries and programs for each target that the toolchain has; the others are named. This
/// machine's own is what every other command builds for.
pub(crate) fn run() -> Result<()> {
    let host = package::host()?;
    for target in TARGETS {
        if target == host {
            say::print(format!("{target}: this machine's, which each build checks\n"))?;
            continue;
        }
        if !is_installed(target)? {
            say::print(format!(
                "{target}: not checked; `rustup target add {target}` makes that possible\n"
            ))?;
            continue;
        }
        // Benches need a C compiler for the target.
        let mut cargo = crate::cargo();
        cargo.args(["check", "--quiet", "--workspace", "--exclude", "bench", "--target", target]);
        let status = cargo.current_dir(workspace()).status().context("cannot run cargo")?;
        if !status.success() {
            bail!("the workspace does not build for {target}; see cargo's messages");
        }
        say::print(format!("{target}: libraries and programs build\n"))?;
    }
    Ok(())
}

/// Whether the toolchain has the standard library of a target.
fn is_installed(target: &str) -> Result<bool> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .context("cannot run rustc")?;
    let dir = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    Ok(output.status.success() && dir.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_does_not_exist_is_not_installed() {
        assert!(!is_installed("no-such-target").expect("rustc runs"));
    }

    #[test]
    fn the_docs_name_the_same_targets() {
        let docs = include_str!("../../docs/platforms.md");
        for target in TARGETS {
            assert!(docs.contains(&format!("`{target}`")), "docs/platforms.md has no {target}");
        }
    }
}
