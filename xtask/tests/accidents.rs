//! `cargo xtask stress` when something goes wrong around it: what was done is kept, nothing is left
//! running, and no accident is taken for a fault of the code under test.
#![cfg(unix)]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "these tests run processes, not simulations"
)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// A stress run of the fake suite, with folders of its own.
struct Trial {
    top: TempDir,
}

impl Trial {
    fn new() -> Trial {
        let top = tempfile::tempdir().expect("a folder");
        fs::create_dir(top.path().join("tmp")).expect("a folder");
        Trial { top }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }

    /// The command with these arguments only.
    fn bare(&self, args: &[&str]) -> Command {
        self.task("stress", args)
    }

    /// The same of another task.
    fn task(&self, task: &str, args: &[&str]) -> Command {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fake-suite");
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg(task).args(args).env("CARGO_TARGET_DIR", target).env("NO_COLOR", "1");
        command.env("TMPDIR", self.path("tmp")).env("FAKE_PIDS", self.path("pids"));
        command
    }

    fn stress(&self, args: &[&str]) -> Command {
        let mut command = self.bare(args);
        command.args(["--package", "fake-suite", "--dir"]).arg(suite());
        if !args.contains(&"--hang-after") {
            command.args(["--hang-after", "60s"]);
        }
        command.arg("--out").arg(self.path("out"));
        command
    }

    fn report(&self) -> Value {
        let text = fs::read_to_string(self.path("out/report.json")).expect("a report");
        serde_json::from_str(&text).expect("JSON")
    }

    /// The numbers of the runs that are kept; each line is whole.
    fn runs(&self) -> Vec<u64> {
        let text = fs::read_to_string(self.path("out/runs.ndjson")).expect("runs");
        let number = |line| {
            let run: Value = serde_json::from_str(line).expect("JSON");
            run["index"].as_u64().expect("a number")
        };
        text.lines().map(number).collect()
    }

    /// The processes that have noted themselves.
    fn pids(&self) -> Vec<Pid> {
        let text = fs::read_to_string(self.path("pids")).unwrap_or_default();
        text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect()
    }

    fn left_in_tmp(&self) -> usize {
        fs::read_dir(self.path("tmp")).expect("a folder").count()
    }
}

fn suite() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake-suite")
}

/// Waits until something is so.
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(300), "not after 300 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("it runs");
}

fn words(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    format!("{out}{}", String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", words(output));
}

#[test]
fn a_run_that_is_ended_keeps_what_was_done_and_can_be_gone_on_with() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let trial = Trial::new();
        let mut child = trial.stress(&["patient", "--iters", "200"]).spawn().expect("xtask runs");
        let some =
            || fs::read_to_string(trial.path("out/runs.ndjson")).is_ok_and(|t| t.len() > 999);
        until("some runs", some);
        send(&child, signal);
        let status = child.wait().expect("it ends");
        assert_eq!(status.code(), Some(4), "nothing failed, but not all was done");
        assert_eq!(trial.report()["state"], "interrupted");
        let done = trial.runs().len();
        assert!((1..200).contains(&done), "{done}");
        assert_eq!(trial.report()["tests"][0]["runs"], done);
        assert_eq!(trial.left_in_tmp(), 0);
        let junit = fs::read_to_string(trial.path("out/junit.xml")).expect("a report");
        assert!(junit.contains("<failure message=\"it was ended early\""), "{junit}");

        let mut resumed = trial.bare(&["--resume"]);
        let resumed = resumed.arg(trial.path("out")).output().expect("xtask runs");
        assert_code(&resumed, 0);
        let mut runs = trial.runs();
        runs.sort_unstable();
        assert_eq!(runs, (0..200).collect::<Vec<u64>>(), "each run once");
        assert_eq!(trial.report()["state"], "finished");
        assert_eq!(trial.report()["tests"][0]["runs"], 200);
    }
}

/// Cargo, but for a build that takes long.
const SLOW_CARGO: &str = r#"#!/bin/sh
case "$1" in test) echo $$ > "$FAKE_PIDS"; exec sleep 600;; esac
exec "$REAL_CARGO" "$@"
"#;

#[test]
fn who_interrupts_the_build_ends_it_and_is_not_told_that_it_has_failed() {
    let one = ["--test", "passes_2A", "--seed", "1"];
    let tasks: [(&str, &[&str]); 4] =
        [("stress", &["passes"]), ("hunt", &["passes"]), ("shrink", &one), ("trace", &one)];
    for (task, args) in tasks {
        for signal in [Signal::INT, Signal::TERM] {
            let trial = Trial::new();
            let cargo = trial.path("cargo");
            fs::write(&cargo, SLOW_CARGO).expect("it can be written");
            fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("it is ours");
            let mut command = trial.task(task, args);
            command.args(["--package", "fake-suite", "--dir"]).arg(suite());
            command.env("CARGO", &cargo).env("REAL_CARGO", env!("CARGO"));
            let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
            let child = command.spawn().expect("xtask runs");
            until("cargo builds", || !trial.pids().is_empty());
            send(&child, signal);
            let output = child.wait_with_output().expect("it ends");
            assert_code(&output, 4);
            let said = words(&output);
            assert!(said.contains("interrupted before the first run; nothing was done"), "{said}");
            assert!(!said.contains("do not build"), "{task}: {said}");
            until("cargo has ended", || test_kill_process(trial.pids()[0]).is_err());
        }
    }
}

#[test]
fn nobody_goes_on_with_a_run_that_is_under_way() {
    let trial = Trial::new();
    let mut child = trial.stress(&["patient", "--iters", "5000"]).spawn().expect("xtask runs");
    let some = || fs::read_to_string(trial.path("out/runs.ndjson")).is_ok_and(|t| t.len() > 999);
    until("some runs", some);
    let second = trial.bare(&["--resume"]).arg(trial.path("out")).output().expect("xtask runs");
    assert_code(&second, 70);
    let who = format!("another stress (process {}) is at work in ", child.id());
    assert!(words(&second).contains(&who), "{}", words(&second));
    send(&child, Signal::INT);
    assert_eq!(child.wait().expect("it ends").code(), Some(4));
}

#[test]
fn what_a_kill_leaves_is_valid_and_nothing_goes_on() {
    let trial = Trial::new();
    // Three processes that hang, and one for the other test.
    let args = ["lingers", "patient", "--iters", "9", "--jobs", "4"];
    let mut child = trial.stress(&args).stdout(Stdio::null()).spawn().expect("xtask runs");
    // Each that hangs has started another process.
    until("all of them", || trial.pids().len() >= 6 && trial.runs().len() == 9);
    assert!(trial.left_in_tmp() > 0);
    send(&child, Signal::KILL);
    child.wait().expect("it ends");
    for pid in trial.pids() {
        until("its test processes are dead", || test_kill_process(pid).is_err());
    }
    until("its temporary folder is gone", || trial.left_in_tmp() == 0);
    assert_eq!(trial.report()["state"], "running");
    assert_eq!(trial.runs().len(), 9);
}

/// By Ctrl-Z, or because the machine sleeps: that is no lack of progress of the code under test.
#[test]
fn the_time_in_which_it_is_stopped_does_not_count() {
    let trial = Trial::new();
    let args = ["lingers", "--iters", "1", "--jobs", "1", "--hang-after", "6s"];
    let mut child = trial.stress(&args).stdout(Stdio::null()).spawn().expect("xtask runs");
    until("a process that hangs", || !trial.pids().is_empty());
    let began = Instant::now();
    send(&child, Signal::STOP);
    std::thread::sleep(Duration::from_secs(5));
    send(&child, Signal::CONT);
    let pid = trial.pids()[0];
    until("it is dead", || test_kill_process(pid).is_err());
    // Of the five seconds it counts one at most.
    assert!(began.elapsed() > Duration::from_secs(8), "after {:?}", began.elapsed());
    assert_eq!(child.wait().expect("it ends").code(), Some(1), "the run has failed");
}

/// A test process is in a group of its own, which a terminal does not stop.
#[test]
#[cfg(target_os = "linux")]
fn what_ctrl_z_stops_are_the_test_processes_too_until_it_goes_on() {
    let trial = Trial::new();
    let args = ["lingers", "--iters", "1", "--jobs", "1", "--hang-after", "600s"];
    let mut child = trial.stress(&args).stdout(Stdio::null()).spawn().expect("xtask runs");
    // It has started another process.
    until("a process that hangs, and another one", || trial.pids().len() == 2);
    let mut all = trial.pids();
    all.push(Pid::from_child(&child));
    let is_stopped = |pid: Pid| {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        // The name before it may have any letters.
        stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')))
    };
    // More than once.
    for _ in 0..2 {
        send(&child, Signal::TSTP);
        until("all of them are stopped", || all.iter().all(|pid| is_stopped(*pid)));
        send(&child, Signal::CONT);
        until("none of them is", || !all.iter().any(|pid| is_stopped(*pid)));
    }
    send(&child, Signal::INT);
    assert_eq!(child.wait().expect("it ends").code(), Some(4));
}

/// By the system for want of memory, or by somebody who cleans up: nobody knows what the run would have been.
#[test]
fn a_run_that_is_killed_when_it_is_made_again_is_no_other_one() {
    let trial = Trial::new();
    let output = trial.stress(&["shot", "--iters", "300"]).output().expect("xtask runs");
    assert_code(&output, 0);
    let shot = fs::read_to_string(trial.path("pids")).expect("what was done");
    assert_eq!(shot.lines().filter(|line| line.starts_with("shot ")).count(), 1);
    let determinism = &trial.report()["determinism"];
    // Of the three runs to be repeated, those behind it are.
    assert_eq!(determinism["repeated"], 2, "{determinism}");
    assert_eq!(determinism["differences"].as_array().map(Vec::len), Some(0), "{determinism}");
}

#[test]
fn what_a_test_has_started_ends_with_it_also_if_it_passes() {
    let trial = Trial::new();
    let output = trial.stress(&["spawns", "--iters", "5"]).output().expect("xtask runs");
    assert_code(&output, 0);
    // A process that had no time to note itself is dead as well.
    for pid in trial.pids() {
        until("it is dead", || test_kill_process(pid).is_err());
    }
    assert_eq!(trial.left_in_tmp(), 0);
}

#[test]
fn nobody_need_listen() {
    let trial = Trial::new();
    let mut command = trial.stress(&["passes", "--iters", "50"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("xtask runs");
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(trial.report()["state"], "finished");
    assert_eq!(trial.runs().len(), 50);
}

#[test]
#[cfg(target_os = "linux")]
fn a_table_that_cannot_be_written_costs_no_files() {
    let trial = Trial::new();
    let full = fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let output = trial.stress(&["passes", "--iters", "50"]).stdout(full).output();
    let output = output.expect("xtask runs");
    assert_code(&output, 70);
    assert!(words(&output).contains("cannot write to standard output"), "{}", words(&output));
    assert_eq!(trial.report()["state"], "finished");
    assert_eq!(trial.runs().len(), 50);
}

/// A folder on a small disk of its own, if this machine lets us have one.
#[cfg(target_os = "linux")]
fn on_small_disk(trial: &Trial, at: &str, command: &Command, kib: u32) -> Option<Output> {
    let at = trial.path(at);
    fs::create_dir_all(&at).expect("a folder");
    let script = "mount -t tmpfs -o size=$1k small \"$2\" || exit 99; shift 2; \"$@\"; code=$?; \
                  echo \"left: $(ls \"$OUT\" 2>/dev/null)\"; \
                  echo \"state: $(grep -o 'state.*' \"$OUT/report.json\" | head -1)\"; exit $code";
    let mut all = Command::new("unshare");
    all.args(["--mount", "--map-root-user", "sh", "-c", script, "sh", &kib.to_string()]);
    all.arg(&at).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        all.env(name, value.unwrap_or_default());
    }
    let output = all.env("OUT", trial.path("out")).output();
    let Ok(output) = output else {
        let why = "there is no program `unshare`";
        common::skipped(common::SMALL_DISK, "a_full_disk_is_no_fault_of_the_code_under_test", why);
        return None;
    };
    // The user has no right to it, or the system no such program.
    let refused = output.status.code() == Some(99) || !words(&output).contains("stress:");
    if refused {
        let why = format!("no small disk could be had: {}", words(&output));
        common::skipped(common::SMALL_DISK, "a_full_disk_is_no_fault_of_the_code_under_test", &why);
    }
    (!refused).then_some(output)
}

/// Whether a run is said to have crashed. (Situations that were not reached have crashes in their names.)
#[cfg(target_os = "linux")]
fn tells_of_a_crash(words: &str) -> bool {
    words.lines().any(|line| line.contains("crash") && !line.starts_with("never reached"))
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_no_fault_of_the_code_under_test() {
    let trial = Trial::new();
    // For temporary files: the records of test processes cannot be trusted.
    let command = trial.stress(&["passes", "--iters", "3000"]);
    if let Some(output) = on_small_disk(&trial, "tmp", &command, 64) {
        assert_code(&output, 70);
        assert!(words(&output).contains("is full (") && !tells_of_a_crash(&words(&output)));
        assert!(words(&output).contains("name another folder in the variable TMPDIR"));
    }
    // For the report: what there is room for is kept, and what was there before.
    let trial = Trial::new();
    let command = trial.stress(&["passes", "--iters", "3000"]);
    if let Some(output) = on_small_disk(&trial, "out", &command, 100) {
        assert_code(&output, 70);
        let words = words(&output);
        assert!(words.contains("cannot write") && words.contains("--resume"), "{words}");
        assert!(words.contains("report.json") && words.contains("runs.ndjson"), "{words}");
        assert!(words.contains("This says nothing about the code under test"), "{words}");
        assert!(!tells_of_a_crash(&words) && !words.contains("panicked"), "{words}");
    }
}

#[test]
fn each_run_has_a_folder_of_its_own() {
    let trial = Trial::new();
    let start = || {
        let mut command = trial.bare(&["passes", "--iters", "3", "--package", "fake-suite"]);
        command.arg("--dir").arg(suite()).stdout(Stdio::piped()).spawn().expect("xtask runs")
    };
    let both = [start(), start()].map(|child| child.wait_with_output().expect("it ends"));
    let reports = both.map(|output| {
        assert_code(&output, 0);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let path = text.lines().find_map(|line| line.strip_prefix("report: ")).expect("a report");
        PathBuf::from(path)
    });
    assert_ne!(reports[0], reports[1]);
    for report in reports {
        assert!(report.exists(), "{}", report.display());
        fs::remove_dir_all(report.parent().expect("a folder")).expect("it can be removed");
    }
    // Nobody's results are written over.
    assert_code(&trial.stress(&["passes", "--iters", "3"]).output().expect("xtask runs"), 0);
    let again = trial.stress(&["passes", "--iters", "3"]).output().expect("xtask runs");
    assert_code(&again, 70);
    assert!(words(&again).contains("has the results of another run"), "{}", words(&again));
}
