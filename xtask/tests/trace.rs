//! `cargo xtask trace`, as a user runs it, on a test that leaves a trace as one of the lab does.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "these tests run processes, not simulations"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A trace of three events; `SETTING` stands for a value.
const TRACE: &str = r#"{"trace":1,"test":"leaves_a_trace_2A","title":"a title","part":"2A","package":"p","clock":"sim","seed":7,"setting":SETTING,"replay":"LAB_SEED=7 cargo test","lanes":["server 0","server 1"],"servers":2}
{"n":1,"us":0,"lane":0,"task":"t","event":"started"}
{"n":2,"us":5,"lane":0,"task":"t","event":"state","role":"leader","term":3,"vote":0,"commit":0}
{"n":3,"us":6,"lane":1,"task":"t","event":"note","topic":"timer","text":"fires"}
{"end_us":9,"events":3,"verdict":null}
"#;

fn xtask(args: &[&str]) -> Command {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("traced");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("trace").args(args).env("CARGO_TARGET_DIR", target);
    command
}

/// Runs it; standard output and standard error, and the exit code.
fn run(args: &[&str]) -> (String, String, Option<i32>) {
    let Output { stdout, stderr, status } = xtask(args).output().expect("xtask runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&stdout), text(&stderr), status.code())
}

fn file(dir: &Path) -> PathBuf {
    let file = dir.join("t.ndjson");
    fs::write(&file, TRACE.replace("SETTING", "null")).expect("it can be written");
    file
}

#[test]
fn a_file_is_shown_without_colours_to_a_pipe() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = file(dir.path());
    let file = file.to_str().expect("a name in UTF-8");
    let (out, err, code) = run(&[file]);
    assert_eq!((err.as_str(), code), ("", Some(0)));
    assert!(out.contains("● t3 leader") && !out.contains('\x1b'), "{out}");
    let (out, _, _) = run(&[file, "--only", "timer", "--ascii", "--width", "80"]);
    assert!(out.contains("timer: fires") && !out.contains("t3 leader") && out.is_ascii(), "{out}");
    let (out, _, _) = run(&[file, "--summary", "--page"]);
    assert!(out.contains("no page at") && !out.contains("timer: fires"), "{out}");
    assert!(run(&[file, "--logs", "1"]).0.starts_with("logs around index 1"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("t.ndjson");
    let (mut text, note) =
        (TRACE.replace("SETTING", "null"), TRACE.lines().nth(3).expect("a note"));
    let end = text.find("{\"end_us\"").expect("an end");
    text.insert_str(end, &format!("{note}\n").repeat(20_000));
    fs::write(&file, text).expect("it can be written");
    let mut command = xtask(&["--all"]);
    let mut child = command
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("xtask runs");
    let mut first = String::new();
    let mut reader = BufReader::new(child.stdout.take().expect("a pipe"));
    reader.read_line(&mut first).expect("a line");
    drop(reader);
    let output = child.wait_with_output().expect("it ends");
    assert!(first.contains("leaves_a_trace_2A passed"), "{first}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn what_cannot_be_shown_is_said() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = file(dir.path());
    let file = file.to_str().expect("a name in UTF-8");
    for (args, words, code) in [
        (&["no/such.ndjson"][..], "there is no file no/such.ndjson", 70),
        (&["Cargo.toml"], "Cargo.toml is not a trace", 70),
        (&[file, "--only", "votes"], "there is no topic `votes`; there are term, vote", 70),
        (&[file, "--server", "2"], "there is no server 2: this trace has 0 to 1", 70),
        (&[file, "--from", "soon"], "`soon` is no time; write it like 3.2s", 64),
        (&["--test", "x"], "--seed", 64),
        (&[file, "--test", "x", "--seed", "1"], "cannot be used with", 64),
        (&[], "required", 64),
    ] {
        let (_, err, exit) = run(args);
        assert!(err.contains(words) && exit == Some(code), "{args:?}: {exit:?} {err}");
    }
}

#[test]
fn a_test_is_run_and_shown() {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let file = dir.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("it can be made");
        fs::write(file, text).expect("it can be written");
    };
    write(
        "Cargo.toml",
        "[package]\nname = \"traced\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[[test]]\nname = \
         \"sim\"\nharness = false\n\n[workspace]\n",
    );
    write("src/lib.rs", "");
    let main = r##"
        fn main() {
            let test = "leaves_a_trace_2A";
            if std::env::args().any(|arg| arg == "--list") {
                let others = ["leaves_nothing", "floods", "hoards", "aborts", "exits"];
                println!("{test}: test");
                return others.iter().for_each(|test| println!("{test}_2A: test"));
            }
            let var = |name| std::env::var(name).unwrap_or_default();
            println!("it is run");
            let of = std::env::args().skip_while(|arg| arg != "--exact").nth(1);
            match of.as_deref() {
                Some("floods_2A") => loop {
                    println!("{}", "x".repeat(1000));
                },
                Some("hoards_2A") => {
                    // Memory counts once it is written to.
                    let hoard = vec![1_u8; 200 << 20];
                    std::thread::sleep(std::time::Duration::from_secs(600));
                    println!("{}", hoard.len());
                }
                Some("aborts_2A") => std::process::abort(),
                Some("exits_2A") => std::process::exit(0),
                _ => {}
            }
            if std::env::args().any(|arg| arg == test) {
                let setting = format!("\"{}\"", var("LAB_SETTING"));
                let file = format!("{}/{test}-{}.ndjson", var("LAB_TRACE"), var("LAB_SEED"));
                std::fs::write(file, include_str!("trace").replace("SETTING", &setting)).unwrap();
            }
            std::process::exit(101);
        }"##;
    write("tests/sim.rs", main);
    write("tests/trace", TRACE);
    let folder = dir.path().to_str().expect("a name in UTF-8");
    let traced = |test: &str, more: &[&str]| {
        let args = ["--test", test, "--seed", "7", "--package", "traced", "--dir", folder];
        run(&[&args[..], more].concat())
    };
    // Who is in the crate need not say which one it is.
    let mut command = xtask(&["--test", "leaves_a_trace", "--seed", "7"]);
    let output = command.current_dir(dir.path().join("src")).output().expect("xtask runs");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("trace: leaves_a_trace_2A of traced with seed 7"), "{err}");
    let (out, err, code) = traced("leaves_a_trace", &["--setting", "losses=0"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("● t3 leader") && out.contains("losses=0 (this was"), "{out}");
    let (_, err, code) = traced("leaves_nothing_2A", &[]);
    assert!(err.contains("without a trace in") && err.contains("it is run"), "{err}");
    assert_eq!(code, Some(70));
    let (_, err, _) = traced("leaves_nothing_2B", &[]);
    assert!(err.contains("there are leaves_a_trace_2A, leaves_nothing_2A"), "{err}");
    // It has the limits of the runs of `stress`, whose texts send the user here.
    let mut deaths = vec![
        ("floods_2A", "it printed more than 64 MiB and was killed. It printed"),
        ("exits_2A", "it has ended its process in the middle of the run, or its tests are too old"),
    ];
    if cfg!(unix) {
        deaths.push(("aborts_2A", "the process died of signal "));
    }
    if cfg!(target_os = "linux") {
        deaths.push(("hoards_2A", " MiB of memory and was killed. It printed"));
    }
    for (test, why) in deaths {
        let (_, err, code) = traced(test, &["--memory", "64"]);
        assert!(err.contains(why) && code == Some(70), "{test}: {err}");
    }
    let (_, err, _) = traced("leaves", &[]);
    assert!(err.contains("may be any of several tests"), "{err}");
}
