//! `cargo xtask shrink` and `cargo xtask hunt`, as a user runs them, on tests that fail in known ways.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "these tests run processes, not simulations"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

fn command(test: &str, seed: u64, out: &Path, args: &[&str]) -> Command {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake-suite");
    // The same place as for the tests of stress: what they have compiled is compiled.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fake-suite");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["shrink", "--test", test, "--seed", &seed.to_string()]).args(args);
    // The reference Raft has none of these tests, and to build it would take long.
    command
        .args(["--no-reference", "--package", "fake-suite", "--out"])
        .arg(out)
        .arg("--dir")
        .arg(suite);
    command.env("CARGO_TARGET_DIR", target).env("NO_COLOR", "1");
    command
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn shrink(test: &str, seed: u64, args: &[&str]) -> Output {
    command(test, seed, folder().path(), args).output().expect("xtask runs")
}

fn words(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    format!("{out}{}", String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", words(output));
}

#[track_caller]
fn json(output: &Output) -> Value {
    assert_code(output, 0);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A seed that fails as the test says.
const FAILS: u64 = 9;

const LEAST: &str = "losses=0,delays=0,reorders=0,crashes=1,cuts=0,duplicates=0,one-way-cuts=0,\
    slow-links=0,pauses=0,drifts=0,torn-saves=0,rounds=4,switches=0";

#[test]
fn the_smallest_case_is_found_and_repeated_by_its_command() {
    let out = folder();
    // What the user's environment says is not for these runs.
    let unwanted = folder();
    let mut command = command("reducible_2C", FAILS, out.path(), &["--json"]);
    command.env("LAB_TRACE", unwanted.path()).env("LAB_SETTING", "crashes=0");
    let report = json(&command.output().expect("it runs"));
    assert_eq!(std::fs::read_dir(unwanted.path()).expect("a folder").count(), 0);
    assert_eq!(report["verdict"]["check"], "agreement");
    assert_eq!(report["end"], "minimal");
    assert_eq!(report["smallest"]["setting"], LEAST);
    assert_eq!(report["checked"], serde_json::json!(["crashes", "rounds"]));
    assert_eq!(report["repeated"], true);
    assert_eq!(report["warning"], Value::Null);
    let seed = &report["smallest"]["seed"];
    let replay = report["replay"].as_str().expect("a command");
    // It is given outside of that workspace.
    let variables = format!("LAB_SETTING='{LEAST}' LAB_SEED={seed}");
    let expected = format!("{variables} cargo test --manifest-path ");
    assert!(replay.starts_with(&expected), "{replay}");
    let rest = "Cargo.toml -p fake-suite --test sim -- --exact reducible_2C";
    assert!(replay.ends_with(rest), "{replay}");
    // The trace is that of the smallest case, and a page that nobody writes is not named.
    let trace = PathBuf::from(report["trace"].as_str().expect("a trace"));
    assert_eq!(trace, out.path().join(format!("reducible_2C-{seed}.ndjson")));
    assert_eq!(std::fs::read_to_string(trace).expect("the trace"), LEAST);
    assert_eq!(report["page"], Value::Null);
    // A third of all seeds fail so, and a twelfth otherwise, here as in the whole test.
    for rate in ["neighbours", "whole"] {
        let number = |name: &str| report[rate][name].as_u64().expect("a number");
        assert_eq!(number("runs"), 200);
        assert_eq!(number("same") + number("other") + number("passed"), 200);
        assert!((45..90).contains(&number("same")), "{}", report[rate]);
        assert!((5..35).contains(&number("other")), "{}", report[rate]);
        let interval = &report[rate]["interval"];
        assert!(interval[0].as_f64() < report[rate]["share"].as_f64(), "{interval}");
    }
    assert_eq!(report["others"][0]["verdict"]["check"], "Log Matching");
    // Again the same, and so with another number of processes.
    let mut again = json(&command.args(["--jobs", "5"]).output().expect("it runs"));
    again["wall_us"] = report["wall_us"].clone();
    // The command that goes on has the options of this one.
    let go_on = again["go_on"].as_str().expect("a command").to_string();
    assert!(go_on.contains(" --jobs 5"), "{go_on}");
    again["go_on"] = go_on.replace(" --jobs 5", "").into();
    assert_eq!(again, report);
}

#[test]
fn the_report_says_it_in_words() {
    let output = shrink("reducible_2C", FAILS, &[]);
    assert_code(&output, 0);
    let text = String::from_utf8_lossy(&output.stdout);
    for expected in [
        "reducible_2C: agreement: server ",
        "smallest    1 crash; 4 rounds; no message is lost, no request is late, ",
        "with one less of crashes, or of rounds it was not seen to fail with 64 seeds",
        "neighbours  of 200 other seeds ",
        "whole test  of 200 other seeds ",
        "also seen   ",
        "replay: LAB_SETTING='losses=0,",
        "trace:  ",
    ] {
        assert!(text.contains(expected), "no `{expected}` in\n{text}");
    }
    assert!(!text.contains("page:") && !text.contains("warning"), "{text}");
    let progress = String::from_utf8_lossy(&output.stderr);
    assert!(progress.contains("it fails: agreement"), "{progress}");
    assert!(progress.contains("crashes=0: not seen to fail with "), "{progress}");
    assert!(progress.contains("still fails, with seed "), "{progress}");
}

#[test]
fn a_seed_that_passes_has_a_code_of_its_own() {
    let output = shrink("passes_2A", 7, &[]);
    assert_code(&output, 1);
    assert!(words(&output).contains("it passes"), "{}", words(&output));
    assert!(words(&output).contains("LAB_SEED=7 cargo test"), "{}", words(&output));
    // Nor does one that fails only if there is more than a setting allows.
    assert_code(&shrink("reducible_2C", FAILS, &["--setting", "crashes=0"]), 1);
}

#[test]
fn a_run_that_kills_its_process_is_shrunk_too() {
    let report = json(&shrink("dying_2C", 1, &["--json", "--neighbours", "20"]));
    assert_eq!(report["verdict"]["kind"], "crash");
    // Its runs that pass have no trouble of any other kind, and nothing is said of those.
    assert_eq!(report["smallest"]["setting"], "crashes=2");
    assert_eq!(report["smallest"]["words"], "2 crashes");
    assert_eq!(report["smallest"]["lab_us"], Value::Null);
    assert_eq!(report["repeated"], true);
    assert!(report["neighbours"]["same"].as_u64() > Some(5), "{}", report["neighbours"]);
}

#[test]
fn a_run_that_hangs_is_shrunk_too() {
    let args = ["--json", "--hang-after", "300ms", "--budget", "40s", "--neighbours", "0"];
    // The first and the last run are waited for with more patience.
    let began = Instant::now();
    let report = json(&shrink("waiting_2C", 2, &args));
    assert!(began.elapsed() < Duration::from_secs(180), "{:?}", began.elapsed());
    assert_eq!(report["verdict"]["kind"], "hang");
    assert_eq!(report["smallest"]["setting"], "crashes=1");
    assert_eq!(report["neighbours"], Value::Null);
}

#[test]
fn tries_and_budget_end_a_search_with_the_best_so_far() {
    let report = json(&shrink("reducible_2C", FAILS, &["--json", "--tries", "30"]));
    assert_eq!(report["end"], "tries");
    assert!(report["runs"].as_u64() <= Some(30));
    assert_eq!(report["checked"], serde_json::json!([]));
    assert_eq!(report["repeated"], true);
    let output = shrink("reducible_2C", FAILS, &["--budget", "1ms"]);
    assert_code(&output, 0);
    assert!(words(&output).contains("the time was used up; go on with"), "{}", words(&output));
    assert!(words(&output).contains("cargo xtask shrink --test reducible_2C --seed 9"));
    // What it says to go on with goes on.
    let setting = report["smallest"]["setting"].as_str().expect("a setting");
    let seed = report["smallest"]["seed"].as_u64().expect("a seed");
    let go_on = report["go_on"].as_str().expect("a command");
    assert!(go_on.contains(&format!("--seed {seed} --setting '{setting}'")), "{go_on}");
    let report = json(&shrink("reducible_2C", seed, &["--json", "--setting", setting]));
    assert_eq!(report["smallest"]["setting"], LEAST);
}

#[test]
fn a_folder_that_cannot_be_made_is_named_before_the_search() {
    let out = folder();
    std::fs::write(out.path().join("file"), "").expect("a file");
    let below = out.path().join("file/none");
    let output = command("reducible_2C", FAILS, &below, &[]).output().expect("xtask runs");
    assert_code(&output, 70);
    let text = words(&output);
    assert!(text.contains("cannot make a folder in ") && !text.contains("not seen to"), "{text}");
}

#[test]
fn a_trace_that_cannot_be_left_takes_nothing_of_the_result_with_it() {
    use std::process::Stdio;

    let top = folder();
    let out = top.path().join("traces");
    let mut command = command("reducible_2C", FAILS, &out, &["--json", "--neighbours", "20"]);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("xtask runs");
    let mut progress = std::io::BufReader::new(child.stderr.take().expect("its output"));
    let mut line = String::new();
    while !line.contains("it fails: ") {
        line.clear();
        let read = std::io::BufRead::read_line(&mut progress, &mut line).expect("its output");
        assert!(read > 0, "it has ended");
    }
    std::fs::remove_dir(&out).expect("it was made, and is empty");
    std::fs::write(&out, "").expect("a file");
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut progress, &mut rest).expect("its output");
    let output = child.wait_with_output().expect("it ends");
    assert_code(&output, 70);
    assert!(rest.contains("error: cannot make a folder in "), "{rest}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&report["end"], &report["repeated"]), (&"minimal".into(), &Value::Null));
    assert_eq!(report["smallest"]["setting"], LEAST);
    assert_eq!(report["neighbours"]["runs"], 20);
}

/// Windows lets no process send Ctrl-C to another.
#[test]
#[cfg(unix)]
fn an_interrupted_search_has_the_best_so_far() {
    use std::process::Stdio;

    let out = folder();
    let args = ["--json", "--hang-after", "60s", "--budget", "10m", "--setting", "crashes=2"];
    let mut command = command("dying_2C", 1, out.path(), &args);
    // So many seeds that it does not end before it is ended.
    command.args(["--seeds", "10000"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("xtask runs");
    let mut progress = std::io::BufReader::new(child.stderr.take().expect("its output"));
    let mut line = String::new();
    while !line.contains("still fails") {
        line.clear();
        let read = std::io::BufRead::read_line(&mut progress, &mut line).expect("its output");
        assert!(read > 0, "it has ended");
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    let rest = std::thread::spawn(move || std::io::copy(&mut progress, &mut std::io::sink()));
    let report = json(&child.wait_with_output().expect("it ends"));
    rest.join().expect("it is read").expect("it is read");
    assert_eq!(report["end"], "interrupted");
    assert_ne!(report["smallest"]["setting"], "crashes=2");
    assert_eq!(report["repeated"], Value::Null);
}

#[test]
fn a_case_that_does_not_fail_again_is_no_result() {
    let output = shrink("moody_2C", 1, &["--neighbours", "0"]);
    assert_code(&output, 70);
    assert!(words(&output).contains("ended otherwise"), "{}", words(&output));
}

#[test]
fn what_is_wrong_is_said_with_its_remedy() {
    let output = shrink("_2C", 1, &[]);
    assert_code(&output, 70);
    assert!(words(&output).contains("may be any of several tests: "), "{}", words(&output));
    let output = shrink("no_such_test", 1, &[]);
    assert_code(&output, 70);
    assert!(words(&output).contains("`no_such_test`; there are passes_2A, "), "{}", words(&output));
    for wrong in [
        ["--setting", "los=1"],
        ["--budget", "0s"],
        ["--budget", "x"],
        ["--seeds", "0"],
        ["--tries", "0"],
    ] {
        assert_code(&shrink("reducible_2C", FAILS, &wrong), 64);
    }
}

// ---- hunt --------------------------------------------------------------------------------------

fn hunt(out: &Path, args: &[&str]) -> Output {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake-suite");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fake-suite");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("hunt").args(args).args(["--package", "fake-suite", "--jobs", "1", "--out"]);
    command.arg(out).arg("--dir").arg(suite);
    command.env("CARGO_TARGET_DIR", target).env("NO_COLOR", "1");
    // What the caller's shell has set must not reach the runs.
    command.env("LAB_CHOICES", "1:1");
    command.output().expect("xtask runs")
}

/// What stands behind this word in a report.
fn said(output: &Output, word: &str) -> String {
    let text = words(output);
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("  {word} ")));
    line.unwrap_or_else(|| panic!("no {word} in {text}")).trim().to_string()
}

#[test]
fn a_hunt_finds_what_is_hidden_and_its_commands_show_it() {
    let [one, other] = [folder(), folder()];
    let args = ["hidden_2C", "--runs", "2000", "--seed", "1"];
    let found = hunt(one.path(), &args);
    assert_code(&found, 1);
    let replay = said(&found, "replay");
    assert!(replay.starts_with("LAB_CHOICES=") && replay.contains(" LAB_SEED="), "{replay}");
    let again = hunt(other.path(), &args);
    assert_eq!(said(&again, "replay"), replay, "with one job a hunt can be repeated");
    let shrink = said(&found, "shrink");
    let options = shrink.strip_prefix("cargo xtask shrink ").expect("a command");
    let out = folder();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("shrink").args(options.split(' ')).args([
        "--no-reference",
        "--tries",
        "1",
        "--out",
    ]);
    command.arg(out.path());
    command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("fake-suite"));
    let shrunk = command.output().expect("xtask runs");
    assert_code(&shrunk, 0);
    assert!(words(&shrunk).contains("LAB_CHOICES="), "{}", words(&shrunk));
}

#[test]
fn a_hunt_goes_on_where_it_ended() {
    let out = folder();
    let first = hunt(out.path(), &["passes_2A", "--runs", "20"]);
    assert_code(&first, 0);
    assert!(words(&first).contains("20 runs, "), "{}", words(&first));
    // Another test does not take away what is known.
    let other_test = hunt(out.path(), &["noisy_2B", "--runs", "5"]);
    assert_code(&other_test, 0);
    let second = hunt(out.path(), &["passes_2A", "--runs", "10"]);
    assert_code(&second, 0);
    assert!(words(&second).contains("10 runs after 20 of earlier hunts, "), "{}", words(&second));
    let other = hunt(out.path(), &["passes_2A", "--runs", "50", "--seed", "9"]);
    assert_code(&other, 70);
    assert!(words(&other).contains("choose another --name"), "{}", words(&other));
}

#[test]
fn a_hunt_counts_its_own_runs_and_none_are_no_good_news() {
    let out = folder();
    for time in 1..=3 {
        let output = hunt(out.path(), &["judged_2B", "--runs", "16"]);
        assert_eq!(output.status.code(), Some(1), "time {time}: {}", words(&output));
    }
    let output = hunt(out.path(), &["passes_2A", "--duration", "1ns"]);
    assert_code(&output, 70);
    assert!(words(&output).contains("no run was made"), "{}", words(&output));
}

#[test]
fn a_hunt_takes_away_what_it_is_told_and_says_so_to_those_who_go_on() {
    let [less, least] = [folder(), folder()];
    let found = hunt(less.path(), &["dying_2C", "--runs", "100", "--setting", "crashes=3"]);
    assert_code(&found, 1);
    for word in ["trace", "shrink"] {
        assert!(said(&found, word).contains(" --setting 'crashes=3'"), "{}", said(&found, word));
    }
    let nothing = hunt(least.path(), &["dying_2C", "--runs", "100", "--setting", "crashes=0"]);
    assert_code(&nothing, 0);
}

#[test]
fn a_hunt_survives_runs_that_take_their_process_down() {
    let out = folder();
    let found = hunt(out.path(), &["crashes_2B", "--runs", "100"]);
    assert_code(&found, 1);
    assert!(said(&found, "replay").starts_with("LAB_SEED="), "{}", words(&found));
    let log = PathBuf::from(said(&found, "log"));
    assert!(std::fs::read_to_string(log).expect("a log").contains("the process died of signal"));
}
