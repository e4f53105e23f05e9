//! What one command of cargo has built, another one need not build again.
//!
//! Cargo builds a library with the features that the packages of the command ask for, taken together. So
//! `cargo test -p raft-tests` and `cargo test --workspace` may want the same library with different ones,
//! and then build it twice, with all that depends on it.

use std::collections::BTreeSet;
use std::process::Command;

/// Packages that are often tested by themselves, or that commands of the README name.
const BY_THEMSELVES: [&str; 11] = [
    "blocking-raft",
    "kv-tests",
    "labrpc",
    "labrt",
    "raft",
    "raft-tests",
    "raft-zoo",
    "rsm-tests",
    "shard-tests",
    "tester",
    "xtask",
];

/// The libraries that a command builds for these packages, each with its features.
fn built(packages: &[&str]) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--locked", "--prefix", "none", "--no-dedupe", "--format", "{p} {f}"]);
    let output = cargo.args(packages).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let output = output.expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("a text");
    text.lines().map(str::to_string).collect()
}

#[test]
fn a_library_has_the_same_features_in_each_build() {
    let all = built(&["--workspace"]);
    for package in BY_THEMSELVES {
        let alone = built(&["--package", package]);
        let other: Vec<&String> = alone.difference(&all).collect();
        assert!(
            other.is_empty(),
            "built for `-p {package}`, and with other features for `--workspace`: {other:#?}; add the \
             missing ones to the dependencies of `run-record` or to the manifest of the workspace"
        );
    }
}
