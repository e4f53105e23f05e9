//! The zip for Gradescope, used as Gradescope does, and its results held against Gradescope's documents.
#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "these tests run processes, not simulations"
)]

mod common;

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value};

/// The fields that the documents name, each with whether a value is of its type.
type Fields = &'static [(&'static str, fn(&Value) -> bool)];

const SUBMISSION: Fields = &[
    ("score", Value::is_number),
    ("execution_time", Value::is_number),
    ("output", Value::is_string),
    ("output_format", is_format),
    ("test_output_format", is_format),
    ("test_name_format", is_format),
    ("visibility", is_visibility),
    ("stdout_visibility", is_visibility),
    ("extra_data", Value::is_object),
    ("tests", Value::is_array),
    ("leaderboard", Value::is_array),
];
const TEST: Fields = &[
    ("score", Value::is_number),
    ("max_score", Value::is_number),
    ("status", |value| ["passed", "failed"].iter().any(|status| value == status)),
    ("name", Value::is_string),
    ("name_format", is_format),
    ("number", Value::is_string),
    ("output", Value::is_string),
    ("output_format", is_format),
    ("tags", Value::is_array),
    ("visibility", is_visibility),
    ("extra_data", Value::is_object),
];

fn is_format(value: &Value) -> bool {
    ["text", "html", "simple_format", "md", "ansi"].iter().any(|format| value == format)
}

fn is_visibility(value: &Value) -> bool {
    let known = ["hidden", "after_due_date", "after_published", "visible"];
    known.iter().any(|visibility| value == visibility)
}

fn assert_fits(object: &Map<String, Value>, fields: Fields) {
    for (name, value) in object {
        let field = fields.iter().find(|(known, _)| known == name);
        let (_, fits) = field.unwrap_or_else(|| panic!("{name} is no field"));
        assert!(fits(value), "{name}: {value}");
    }
}

/// Results as Gradescope takes them: of a whole submission, a score there or at each test is required.
fn assert_is_a_result(results: &Value) {
    let submission = results.as_object().expect("an object");
    assert_fits(submission, SUBMISSION);
    let tests = submission.get("tests").and_then(Value::as_array).cloned().unwrap_or_default();
    for test in &tests {
        assert_fits(test.as_object().expect("an object"), TEST);
    }
    let each = !tests.is_empty() && tests.iter().all(|test| test.get("score").is_some());
    assert!(submission.contains_key("score") || each, "{results}");
}

#[test]
fn the_zip_grades_a_submission() {
    let top = tempfile::tempdir().expect("a folder");
    let zip = top.path().join("autograder.zip");
    let xtask = env!("CARGO_BIN_EXE_xtask");
    let written =
        Command::new(xtask).arg("autograder").arg(&zip).args(["--", "--seeds", "3"]).output();
    assert!(written.expect("xtask runs").status.success());
    let mut zip = zip::ZipArchive::new(File::open(&zip).expect("a file")).expect("a zip");
    let mut script = String::new();
    zip.by_name("run_autograder").expect("a script").read_to_string(&mut script).expect("text");
    // What `setup.sh` would have built there.
    let target = top.path().join("source/workspace/target/debug");
    fs::create_dir_all(&target).expect("a folder");
    std::os::unix::fs::symlink(xtask, target.join("xtask")).expect("a link");
    fs::create_dir_all(top.path().join("results")).expect("a folder");
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skeleton");
    let submission = top.path().join("submission");
    let grade = || {
        let mut bash = Command::new("bash");
        bash.args(["-c", &script]).env("AUTOGRADER", top.path()).env("CARGO_TARGET_DIR", &built);
        let output = bash.output().expect("bash runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if said.contains("cannot be locked in on this system") {
            common::skipped(common::ROOM, "the_zip_grades_a_submission", &said);
            return None;
        }
        let text = fs::read_to_string(top.path().join("results/results.json")).expect(&said);
        Some(serde_json::from_str::<Value>(&text).expect("JSON"))
    };
    // Something that is no crate.
    fs::create_dir_all(&submission).expect("a folder");
    let Some(results) = grade() else { return };
    assert_is_a_result(&results);
    assert_eq!(results["score"].as_f64(), Some(0.0), "{results}");
    assert!(results["output"].as_str().is_some_and(|words| words.contains("there is no crate")));
    // A crate in a folder, as many hand it in, which must not have what it has.
    let dir = submission.join("my-raft").display().to_string();
    assert!(
        Command::new(xtask).args(["skeleton", &dir]).output().expect("it runs").status.success()
    );
    fs::write(submission.join("my-raft/src/more.rs"), "pub unsafe fn f() {}").expect("a file");
    let results = grade().expect("a result");
    assert_is_a_result(&results);
    assert!(
        results["output"].as_str().is_some_and(|words| words.contains("`unsafe` at src/more.rs:1"))
    );
    assert_eq!(results["tests"].as_array().map(Vec::len), Some(21));
}

#[test]
fn options_that_grade_does_not_have_are_a_wrong_command_line() {
    for (options, words) in [
        (["--lab", "3"], "cannot be used multiple times"),
        (["--out", "x"], "cannot be among the options"),
    ] {
        let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
        let output =
            xtask.args(["autograder", "/does/not/exist/a.zip", "--"]).args(options).output();
        let output = output.expect("xtask runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{said}");
        assert!(said.contains(words) && !said.contains("error: error:"), "{said}");
    }
}

/// An image in which a right solution has not all points would grade nobody justly.
#[test]
fn an_image_is_made_only_where_a_right_solution_has_all_points() {
    let top = tempfile::tempdir().expect("a folder");
    let zip = top.path().join("autograder.zip");
    let written = Command::new(env!("CARGO_BIN_EXE_xtask")).arg("autograder").arg(&zip).output();
    assert!(written.expect("xtask runs").status.success());
    let mut zip = zip::ZipArchive::new(File::open(&zip).expect("a file")).expect("a zip");
    let mut script = String::new();
    zip.by_name("setup.sh").expect("a script").read_to_string(&mut script).expect("text");
    let (_, warm) = script.split_once("cargo build --package xtask\n").expect("it builds xtask");
    let made = |points: &str| {
        // Stands for xtask: its last argument is the folder for results.
        let xtask = format!(
            "target/debug/xtask() {{ echo 'right: {points} points' > \"${{@: -1}}/grade.txt\"; }}"
        );
        let script = format!("set -euo pipefail\n{xtask}\n{warm}");
        let output = Command::new("bash").args(["-c", &script]).output().expect("bash runs");
        output.status.success()
    };
    assert!(made("100.0 of 100.0"));
    assert!(!made("0.0 of 100.0"));
    assert!(!made("90.0 of 100.0"));
}
