//! A program that cannot even list its tests.
#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "these tests run processes, not simulations"
)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use run_record::Clock;
use test_runs::build::Program;
use test_runs::process::{self, Limits};

/// In one test: a program that is being written cannot be run, not even by another thread's child.
#[test]
fn what_hangs_floods_or_fails_while_it_lists_its_tests_is_ended_and_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, scratch) = (folder.path().join("program"), folder.path().join("scratch"));
    fs::create_dir(&scratch).expect("a folder");
    let limits = Limits {
        hang_after: Duration::from_millis(300),
        memory_mib: 1024,
        trace: None,
        coverage: false,
        room: None,
    };
    let check = |script: &str, stop: bool| {
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("it is ours");
        let program = Program {
            clock: Clock::Sim,
            path: path.clone(),
            dir: folder.path().to_owned(),
            replay: String::new(),
            kept: None,
            sources: Vec::new(),
        };
        let words = process::check(&program, &limits, &scratch, &AtomicBool::new(stop));
        assert_eq!(fs::read_dir(&scratch).expect("a folder").count(), 0, "something is left");
        words.expect("it can be started")
    };
    assert_eq!(check("echo 'x: test'", false), None);
    let words = check("sleep 600 & sleep 600", false).expect("it hangs");
    assert!(words.starts_with("it made no progress and was killed"), "{words}");
    let words = check("while :; do :; done", false).expect("it computes for ever");
    assert!(words.starts_with("it made no progress and was killed"), "{words}");
    let words = check("yes", false).expect("it floods");
    assert!(words.starts_with("it printed more than 64 MiB and was killed"), "{words}");
    let words = check("echo why >&2; exit 3", false).expect("it fails");
    assert_eq!(words, "the process ended in the middle with exit code 3\nwhy");
    assert_eq!(check("sleep 600", true), None, "who ends it need not be told");
}
