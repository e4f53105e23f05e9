//! A run that fails only after others in its process: the command that is said to repeat it does not, and
//! the report says so. A test here runs itself in a process of its own, in which `LAB_SEEDS` is set.

use std::env;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use labrt::sync::Mutex;
use tester::{Test, Totals, origin};

/// Runs a test here, if this is a process made for it; or else says what such a process prints.
fn play(name: &'static str, body: impl Fn() + Send + Sync + 'static) -> Option<String> {
    if env::var_os("LAB_SEED").is_some() || env::var_os("LAB_SEEDS").is_some() {
        let test = Test::new("0", name, move |_| {
            // A step or two, so that there is a run.
            drop(Mutex::new(()).lock());
            body();
            Totals::default()
        });
        tester::simulated(&test, origin!(name));
        return None;
    }
    let program = env::current_exe().expect("a running program");
    let output = Command::new(program).args(["--exact", name]).env("LAB_SEEDS", "3").output();
    let output = output.expect("it can be run");
    assert!(!output.status.success());
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn statics_are_named_if_a_replay_will_pass() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let words = play("statics_are_named_if_a_replay_will_pass", || {
        // The first seed's run, the same once more to compare, and then the second seed's.
        assert!(RUNS.fetch_add(1, Ordering::Relaxed) < 3, "one run too many");
    });
    let Some(words) = words else { return };
    assert!(words.contains("FAILED: one run too many"), "{words}");
    assert!(words.contains("careful: in a process of its own this run passes: "), "{words}");
    assert!(words.contains("what a static holds"), "{words}");
}

#[test]
fn another_failure_is_quoted() {
    let words = play("another_failure_is_quoted", || match env::var_os("LAB_RECORDS") {
        Some(_) => panic!("it fails there"),
        None => panic!("it fails here"),
    });
    let Some(words) = words else { return };
    assert!(words.contains("FAILED: it fails here"), "{words}");
    assert!(words.contains("this run fails at 0.000000 s with `it fails there`: "), "{words}");
}

#[test]
fn a_run_that_fails_alike_everywhere_needs_no_word() {
    let name = "a_run_that_fails_alike_everywhere_needs_no_word";
    let Some(words) = play(name, || panic!("always")) else { return };
    assert!(words.contains("FAILED: always"), "{words}");
    assert!(!words.contains("careful:"), "{words}");
}
