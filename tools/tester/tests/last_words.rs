//! A panic in a destructor during a panic ends the process. What came first, the seed and the command
//! that repeats it are out before.
//!
//! A test here runs itself in a process of its own, in which `LAB_SEED` is set and which keeps what tests
//! print to itself.

use std::env;
use std::process::Command;

use tester::{Test, origin};

struct Careless;

impl Drop for Careless {
    fn drop(&mut self) {
        panic!("the second panic");
    }
}

fn test() -> Test {
    Test::new("0", "two panics", |_| {
        let _careless = Careless;
        panic!("the first panic");
    })
}

fn said_by(name: &str) -> String {
    let program = env::current_exe().expect("a running program");
    let output = Command::new(program).args(["--exact", name]).env("LAB_SEED", "7").output();
    let output = output.expect("it can be run");
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn simulated() {
    if env::var_os("LAB_SEED").is_some() {
        return tester::simulated(&test(), origin!("simulated"));
    }
    let words = said_by("simulated");
    for part in [
        "FAILED: the first panic",
        "then a destructor of task `main` panicked at ",
        "the second panic",
        "seed 7",
        "replay: LAB_SEED=7 cargo test -p tester --test last_words -- --exact simulated",
    ] {
        assert!(words.contains(part), "`{part}` is not in: {words}");
    }
}

#[test]
fn real() {
    if env::var_os("LAB_SEED").is_some() {
        return tester::real(&test(), origin!("real"));
    }
    let words = said_by("real");
    for part in ["FAILED: the first panic", "the second panic", "run again: cargo test -p tester"] {
        assert!(words.contains(part), "`{part}` is not in: {words}");
    }
}
