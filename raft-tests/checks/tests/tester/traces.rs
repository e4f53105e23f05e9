//! What a traced run leaves behind, and what it says if it cannot.

use std::path::Path;
use std::process::Command;

use raft_checked::CheckedRaft;
use raft_tests::run::{Test, origin, simulated};
use raft_tests::{RaftType, part_2a};

/// The run itself, for the tests below: they run it in a process of its own.
fn run() {
    let test = Test {
        part: "2A",
        title: "initial election",
        servers: 3,
        unreliable: false,
        body: part_2a::initial_election,
    };
    simulated(&test, RaftType::of::<CheckedRaft>(), origin!("traced"));
}

/// Runs three seeds with this folder for traces; returns what is said.
fn said(name: &str, folder: &Path) -> String {
    let output = Command::new(std::env::current_exe().expect("a running program"))
        .args(["--exact", name, "--nocapture"])
        .env("LAB_SEED", "0")
        .env("LAB_SEEDS", "3")
        .env(tester::TRACE_VARIABLE, folder)
        .env_remove("LAB_RECORDS")
        .output()
        .expect("it can be run");
    let words = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    words.into_owned()
}

#[test]
fn a_passing_run_says_once_that_it_cannot_write_its_trace() {
    if std::env::var_os(tester::TRACE_VARIABLE).is_some() {
        return run();
    }
    let name = "traces::a_passing_run_says_once_that_it_cannot_write_its_trace";
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("no folder");
    std::fs::write(&file, "").expect("it can be written");
    let words = said(name, &file);
    assert_eq!(words.matches("there is no trace: cannot write").count(), 1, "{words}");

    let words = said(name, dir.path());
    assert!(!words.contains("there is no trace"), "{words}");
    let files = std::fs::read_dir(dir.path()).expect("a folder").count();
    assert_eq!(files, 1 + 2 * 3, "a trace and a page for each run, and no draft");
}
