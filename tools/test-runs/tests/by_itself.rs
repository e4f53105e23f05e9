//! A test that makes a run by itself and says what it sees, with limits.
#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "these tests run processes, not simulations"
)]

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use run_record::schedule::Choice;
use run_record::setting::Setting;
use test_runs::build::TestCase;
use test_runs::process::{self, Item, Told};

mod common;

use common::{Script, limits};

fn told(script: &Script, does: &str, stop: bool) -> Told {
    script.does(does);
    let test = TestCase {
        name: "a_2A".into(),
        program: script.program.clone(),
        setting: Setting::default(),
        schedule: Choice::default(),
    };
    let (item, limits) = (Item::new(3, Some(7)), limits(Duration::from_millis(300)));
    let stop = AtomicBool::new(stop);
    process::by_itself(&test, &item, &limits, &script.scratch, &stop).expect("it can be run")
}

/// In one test: a program that is being written cannot be run, not even by another thread's child.
#[test]
fn what_hangs_or_floods_is_ended_and_our_own_environment_does_not_count() {
    let script = Script::new();
    let names = ["LAB_SETTING", "LAB_TRACE", "LAB_COVERAGE", "LAB_CHOICES", "LAB_SEEDS"];
    if std::env::var_os("LAB_SEEDS").is_some_and(|value| value == "ours") {
        let print = names.map(|name| format!("${name}")).concat();
        let said = told(&script, &format!("echo \"[{print}]\""), false);
        return assert_eq!(said.output.trim(), "[]");
    }
    let said = told(&script, "echo \"$LAB_SEED $LAB_SCHEDULE [$LAB_RECORDS]\"; exit 101", false);
    assert_eq!((said.output.trim(), said.ended), ("7 walk []", None));
    for (does, words) in [
        ("sleep 600 & sleep 600", "it made no progress and was killed"),
        ("yes", "it printed more than 64 MiB and was killed"),
        ("kill -SEGV $$", "the process died of signal 11"),
    ] {
        let ended = told(&script, does, false).ended.unwrap_or_default();
        assert_eq!(ended, words, "{does}");
    }
    assert_eq!(told(&script, "sleep 600", true).ended.as_deref(), Some("it was interrupted"));
    // Once more, in an environment with variables of the lab.
    let this = std::env::current_exe().expect("a test program");
    let mut command = std::process::Command::new(this);
    command
        .args(["--exact", "what_hangs_or_floods_is_ended_and_our_own_environment_does_not_count"]);
    for name in names {
        command.env(name, "ours");
    }
    let output = command.output().expect("it can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
