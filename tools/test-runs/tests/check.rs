//! A program that cannot even list its tests.
#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "these tests run processes, not simulations"
)]

mod common;

use std::fs;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use common::{Script, limits};
use test_runs::process;

/// In one test: a program that is being written cannot be run, not even by another thread's child.
#[test]
fn what_hangs_floods_or_fails_while_it_lists_its_tests_is_ended_and_said() {
    let (own, limits) = (Script::new(), limits(Duration::from_millis(300)));
    let check = |script: &str, stop: bool| {
        own.does(script);
        let words = process::check(&own.program, &limits, &own.scratch, &AtomicBool::new(stop));
        assert_eq!(fs::read_dir(&own.scratch).expect("a folder").count(), 0, "something is left");
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
