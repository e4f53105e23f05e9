//! How `LAB_SCHEDULE` is heeded. A test here runs itself in a process of its own, with a schedule in the
//! environment.

use std::env;
use std::process::{Command, Output};

use labrt::sync::{Arc, Mutex};
use labrt::thread;
use run_record::{End, Record};
use tester::{Test, Totals, origin};

/// Two tasks add to one number; if that is to be found, the test fails when one of them comes between the
/// two steps of the other.
fn test(found: bool) -> Test {
    Test::new("0", "a lost update", move |_| {
        let total = Arc::new(Mutex::new(0));
        let tasks = [(), ()].map(|()| {
            let total = total.clone();
            thread::spawn(move || {
                let before = *total.lock();
                *total.lock() = before + 1;
            })
        });
        tasks.into_iter().for_each(|task| task.join().expect("it does not panic"));
        assert!(!found || *total.lock() == 2, "an update got lost");
        Totals::default()
    })
}

fn is_inside() -> bool {
    env::var_os("LAB_SEED").is_some()
}

fn play(name: &str, schedule: &str, change: impl FnOnce(&mut Command)) -> Output {
    let mut command = Command::new(env::current_exe().expect("a running program"));
    command.args(["--exact", name]).env("LAB_SCHEDULE", schedule).env("LAB_SEED", "0");
    command.env("LAB_SEEDS", "40").env_remove("LAB_RECORDS");
    change(&mut command);
    command.output().expect("it can be run")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The ends of 40 runs.
fn ends(name: &str, schedule: &str) -> Vec<End> {
    let folder = tempfile::tempdir().expect("a folder");
    let records = folder.path().join("records");
    play(name, schedule, |command| _ = command.env("LAB_RECORDS", &records));
    let text = std::fs::read_to_string(records).expect("there are records");
    let ends = text.lines().filter_map(|line| match Record::from_line(line) {
        Ok(Record::End(end)) => Some(*end),
        _ => None,
    });
    ends.collect()
}

#[test]
fn a_replay_names_the_schedule_and_repeats_the_run() {
    let name = "a_replay_names_the_schedule_and_repeats_the_run";
    if is_inside() {
        return tester::simulated(&test(true), origin!(name));
    }
    let words = said(&play(name, "mixed", |_| ()));
    let replay = words.lines().find_map(|line| line.trim().strip_prefix("replay: "));
    let replay = replay.unwrap_or_else(|| panic!("no replay in: {words}"));
    let value = |name: &str| {
        let word = replay.split(' ').find_map(|word| word.strip_prefix(name));
        word.unwrap_or("walk").to_string()
    };
    let (schedule, seed) = (value("LAB_SCHEDULE="), value("LAB_SEED="));
    let again = play(name, &schedule, |command| {
        command.env("LAB_SEED", &seed).env_remove("LAB_SEEDS");
    });
    assert!(!again.status.success() && said(&again).contains("an update got lost"), "{replay}");
    let schedule_is_said = format!("(seed {seed}, {schedule})");
    assert!(schedule == "walk" || said(&again).contains(&schedule_is_said), "{}", said(&again));
}

#[test]
fn records_say_which_schedule_each_run_had() {
    let name = "records_say_which_schedule_each_run_had";
    if is_inside() {
        return tester::simulated(&test(false), origin!(name));
    }
    for schedule in ["walk", "pct:3", "pos", "surw"] {
        let (once, again) = (ends(name, schedule), ends(name, schedule));
        assert_eq!(once.len(), 40);
        assert!(once.iter().all(|end| end.schedule.as_deref() == Some(schedule)));
        let same = |(a, b): (&End, &End)| a.hash.is_some() && a.hash == b.hash;
        assert!(once.iter().zip(&again).all(same), "{schedule}");
    }
    let mixed = ends(name, "mixed");
    for (number, schedule) in ["walk", "pct:3", "pos", "surw"].into_iter().enumerate() {
        let of = |end: &&End| end.run.seed.is_some_and(|seed| seed % 4 == number as u64);
        assert!(mixed.iter().filter(of).all(|end| end.schedule.as_deref() == Some(schedule)));
    }
}

#[test]
fn what_is_no_schedule_is_refused() {
    let name = "what_is_no_schedule_is_refused";
    if is_inside() {
        return tester::simulated(&test(false), origin!(name));
    }
    let output = play(name, "fast", |_| ());
    let words = said(&output) + &String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        words.contains("LAB_SCHEDULE: `fast` is no schedule; there are walk, pct:3"),
        "{words}"
    );
}
