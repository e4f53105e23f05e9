//! A process that is killed and not by us: it need not be its own fault.
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
use run_record::schedule::Choice;
use run_record::setting::Setting;
use test_runs::build::TestCase;
use test_runs::process::{self, Finished, Item};

/// Notes that it was run, and goes on only after it was run so often.
const KILLED_TIMES: &str = "echo x >> ran; if [ $(wc -l < ran) -le TIMES ]; then kill -9 $$; fi";

/// In one test: a program that is being written cannot be run, not even by another thread's child.
#[test]
fn who_is_killed_is_run_again_alone_and_what_it_does_then_counts() {
    let (own, limits) = (Script::new(), limits(Duration::from_secs(60)));
    let notes = own.program.dir.join("ran");
    let prepare = |times: usize, script: &str| {
        let _ = fs::remove_file(&notes);
        own.does(&format!("{}\n{script}", KILLED_TIMES.replace("TIMES", &times.to_string())));
    };
    let ran = || {
        let text = fs::read_to_string(&notes).expect("it was run");
        text.lines().count()
    };
    let run = |times: usize, seeds: u64| -> Finished {
        prepare(times, "exit 3");
        let test = TestCase {
            name: "a_test".to_string(),
            program: own.program.clone(),
            setting: Setting::default(),
            schedule: Choice::default(),
        };
        let items: Vec<Item> = (0..seeds).map(|seed| Item::new(seed, Some(seed))).collect();
        let made = process::run(&test, &items, &limits, &own.scratch, &AtomicBool::new(false));
        made.expect("it can be started")
    };
    let message = |finished: &Finished| {
        assert_eq!(finished.runs.len(), 1, "{finished:?}");
        finished.runs[0].0.failure.as_ref().expect("it fails").message.clone()
    };
    for seeds in [1, 3] {
        let once = run(1, seeds);
        assert_eq!(message(&once), "the process ended in the middle with exit code 3");
        assert_eq!((once.runs[0].0.index, once.runs[0].0.before, ran()), (0, 0, 2));
        assert_eq!(once.left.len() as u64, seeds - 1);
        let twice = run(9, seeds);
        let words = message(&twice);
        assert!(words.starts_with("the process died of signal 9"), "{words}");
        assert!(words.ends_with("; so it did when it was run once more, alone"), "{words}");
        assert_eq!(ran(), 2, "and not once more");
        assert_eq!(twice.left.len() as u64, seeds - 1);
    }
    // Nor is it its own fault when it is to list its tests, however often: no run can be charged with it.
    let check = |times: usize| {
        prepare(times, "echo 'x: test'");
        process::check(&own.program, &limits, &own.scratch, &AtomicBool::new(false))
    };
    assert_eq!(check(1).expect("it lists its tests"), None);
    let error = check(9).expect_err("it is killed again").to_string();
    assert!(error.contains("was killed twice"), "{error}");
    assert_eq!(ran(), 2, "and not once more");
}
