//! The lines of a test, as a user sees them: a test here runs itself in a process of its own.

use std::env;
use std::process::Command;
use std::time::Duration;

use tester::{Test, Totals, origin};

/// The variable that says that a process is one of those.
const INSIDE: &str = "LAB_SEED";

const TOTALS: Totals =
    Totals { time: Duration::from_millis(3140), servers: 3, rpcs: 58, bytes: 0, operations: 7 };

fn test() -> Test {
    Test::new("0", "a title", |_| TOTALS)
}

fn said_by(name: &str, setting: &str) -> String {
    let mut run = Command::new(env::current_exe().expect("a running program"));
    run.args(["--exact", name]).env(INSIDE, "7").env("LAB_SETTING", setting);
    let output = run.output().expect("it can be run");
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn assert_says(words: &str, line: &str) {
    assert!(words.lines().any(|said| said == line), "`{line}` is not in: {words}");
}

#[test]
fn simulated() {
    if env::var_os(INSIDE).is_some() {
        return tester::simulated(&test(), origin!("simulated"));
    }
    assert_says(&said_by("simulated", ""), "Test (0): a title (seed 7) ...");
    assert_says(&said_by("simulated", ""), "  ... Passed --   3.1  3   58    7");
    let less = said_by("simulated", "losses=0,cuts=1");
    assert_says(&less, "Test (0): a title (seed 7, losses=0,cuts=1) ...");
}

#[test]
fn real() {
    if env::var_os(INSIDE).is_some() {
        return tester::real(&test(), origin!("real"));
    }
    assert_says(&said_by("real", ""), "Test (0): a title ...");
    // What is taken away from a test is said, or its pass would look whole.
    assert_says(&said_by("real", "losses=0"), "Test (0): a title (losses=0) ...");
}

#[test]
fn each_step_has_a_title_and_a_line() {
    let name = "each_step_has_a_title_and_a_line";
    if env::var_os(INSIDE).is_some() {
        let steps = Test::new("0", "the whole", |run| {
            run.ends_step(TOTALS);
            Totals { rpcs: 60, ..TOTALS }.since(&Totals { rpcs: 58, operations: 6, ..TOTALS })
        });
        return tester::simulated(&steps.in_steps(&["one", "other"]), origin!(name));
    }
    let words = said_by(name, "");
    let lines: Vec<&str> = words.lines().filter(|line| line.contains("...")).take(4).collect();
    let expected = [
        "Test (0): one (seed 7) ...",
        "  ... Passed --   3.1  3   58    7",
        "Test (0): other (seed 7) ...",
        "  ... Passed --   0.0  3    2    1",
    ];
    assert_eq!(lines, expected);
}

/// What the code under test panics with may be anything, and as long as it likes. (On the real clock std prints it too,
/// by itself.)
#[test]
fn words_of_the_code_steer_no_terminal_and_do_not_bury_the_rest() {
    let name = "words_of_the_code_steer_no_terminal_and_do_not_bury_the_rest";
    if env::var_os(INSIDE).is_some() {
        let test = Test::new("0", "a title", |_| {
            let evil = "\x1b]0;x\x07 \0 \u{9b}2J \u{202e}dlrow\u{2066}";
            panic!("{evil}{}", "long ".repeat(2_000_000));
        });
        return tester::simulated(&test, origin!(name));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut run = Command::new(env::current_exe().expect("a running program"));
    run.args(["--exact", name]).env(INSIDE, "7").env(tester::TRACE_VARIABLE, folder.path());
    let output = run.env("RUST_BACKTRACE", "0").output().expect("it can be run");
    assert!(!output.status.success());
    let said = [output.stdout, output.stderr].concat();
    assert!(said.len() < 20_000, "{} bytes", said.len());
    let said = String::from_utf8(said).expect("text");
    let steers = |c: char| {
        let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        turns || (c.is_control() && c != '\n')
    };
    assert!(!said.contains(steers), "{said:?}");
    for part in ["FAILED: \\u{1b}]0;x", "bytes)", "replay: LAB_SEED=7 cargo test"] {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
}
