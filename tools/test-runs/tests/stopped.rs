//! Runs that are ended from outside before anybody knows what came of them.
#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "these tests run processes, not simulations"
)]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{Script, limits};
use run_record::schedule::Choice;
use run_record::setting::Setting;
use test_runs::build::TestCase;
use test_runs::process::{self, Item};

/// Floods among others, and hangs alone.
const FLOODS: &str = "case \"$LAB_SEED\" in *,*) yes;; *) : > alone; sleep 600;; esac";

#[test]
fn a_run_that_could_not_be_made_alone_has_not_failed_yet() {
    let own = Script::new();
    own.does(FLOODS);
    let test = TestCase {
        name: "a_test".to_string(),
        program: own.program.clone(),
        setting: Setting::default(),
        schedule: Choice::default(),
    };
    let items: Vec<Item> = (0..3).map(|seed| Item::new(seed, Some(seed))).collect();
    let (alone, stop, over) =
        (own.program.dir.join("alone"), AtomicBool::new(false), AtomicBool::new(false));
    let finished = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !alone.exists() && !over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(5));
            }
            stop.store(true, Ordering::Relaxed);
        });
        let limits = limits(Duration::from_secs(60));
        let finished = process::run(&test, &items, &limits, &own.scratch, &stop);
        over.store(true, Ordering::Relaxed);
        finished.expect("it can be started")
    });
    assert!(alone.exists(), "it was run once more: {finished:?}");
    assert!(finished.runs.is_empty(), "{finished:?}");
    assert_eq!(finished.left, items, "all are to be made yet");
}
