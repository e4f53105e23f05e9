//! `cargo xtask grade`, as an instructor runs it.
#![allow(clippy::disallowed_types, reason = "these tests run processes, not simulations")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn xtask(args: &[&str]) -> Output {
    // What other tests of xtask have compiled for a skeleton is compiled for this one too.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skeleton");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(args).env("CARGO_TARGET_DIR", target).output().expect("xtask runs")
}

fn words(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    format!("{out}{}", String::from_utf8_lossy(&output.stderr))
}

fn json(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).expect("the file");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn points_are_given_for_what_passes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("weights"), r#"{"2A": 60, "2B": 40}"#).expect("a file");
    let blocking = root.join("zoo/blocking-raft").display().to_string();
    let output = xtask(&[
        "grade",
        &blocking,
        "--type",
        "BlockingRaft",
        "--seeds",
        "3",
        "--weights",
        &path("weights"),
        "--out",
        &path("out"),
    ]);
    assert!(output.status.success(), "{}", words(&output));
    let grade = json(&folder.path().join("out/grade.json"));
    // It does elections and has no log.
    assert_eq!((grade["points"].as_f64(), grade["of"].as_f64()), (Some(60.0), Some(100.0)));
    assert_eq!(grade["tests"].as_array().map(Vec::len), Some(21));
    let first = &grade["tests"][0];
    assert_eq!((first["runs"].as_u64(), first["passed"].as_u64()), (Some(3), Some(3)));
    let results = json(&folder.path().join("out/results.json"));
    assert_eq!(results["score"].as_f64(), Some(60.0));
    assert_eq!(results["tests"].as_array().map(Vec::len), Some(21));
    let text = std::fs::read_to_string(folder.path().join("out/grade.txt")).expect("the text");
    assert!(text.starts_with("blocking-raft: 60.0 of 100.0 points"), "{text}");
    assert!(text.contains("one(100) failed to reach agreement"), "{text}");
}

#[test]
fn a_crate_that_does_not_compile_has_a_clear_result() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    assert!(xtask(&["skeleton", &path("my-raft")]).status.success());
    let file = folder.path().join("my-raft/src/lib.rs");
    std::fs::write(&file, "pub struct Raft; fn broken( {").expect("a file");
    let output = xtask(&["grade", &path("my-raft"), "--out", &path("out")]);
    assert!(output.status.success(), "{}", words(&output));
    let grade = json(&folder.path().join("out/grade.json"));
    assert_eq!(grade["points"].as_f64(), Some(0.0));
    let problem = grade["problem"].as_str().expect("a problem");
    assert!(problem.contains("does not compile") && problem.contains("src/lib.rs"), "{problem}");
}

#[test]
fn what_cannot_be_graded_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().display().to_string();
    assert_eq!(xtask(&["grade", "/does/not/exist"]).status.code(), Some(70));
    assert_eq!(xtask(&["grade", &dir]).status.code(), Some(70));
    let weights = folder.path().join("weights").display().to_string();
    std::fs::write(&weights, r#"{"2Z": 60}"#).expect("a file");
    let output = xtask(&["grade", &dir, "--weights", &weights]);
    assert_eq!(output.status.code(), Some(70));
    assert!(words(&output).contains("there is no part `2Z`"), "{}", words(&output));
}
