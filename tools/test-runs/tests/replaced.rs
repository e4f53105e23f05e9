//! A program that goes on when a newer one has taken its file's place.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_types, reason = "these tests run processes, not simulations")]

use std::fs;
use std::process::Command;

use test_runs::platform::ourselves;

/// Set for the process that is to do it: the file that it was started from.
const CHILD: &str = "TEST_RUNS_TEST_CHILD";

/// As cargo replaces a program: the old file is taken away, and a new one comes.
#[test]
fn a_program_that_was_built_again_can_start_itself() {
    if let Some(file) = std::env::var_os(CHILD) {
        fs::remove_file(&file).expect("it can be removed");
        fs::write(&file, "another program").expect("it can be written");
        let program = ourselves().expect("it is known");
        let output = Command::new(program).arg("--list").output().expect("it can be started");
        let list = String::from_utf8_lossy(&output.stdout);
        return assert!(list.contains("a_program_that_was_built_again"), "{output:?}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("program");
    fs::copy(std::env::current_exe().expect("a running program"), &file).expect("it can be copied");
    let name = "a_program_that_was_built_again_can_start_itself";
    let output = Command::new(&file).args(["--exact", name]).env(CHILD, &file).output();
    let output = output.expect("it can be started");
    assert!(output.status.success(), "{output:?}");
}
