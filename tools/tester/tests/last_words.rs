//! A panic in a destructor during a panic ends the process, and a stack overflow does. What came first, the seed
//! and the command that repeats it are out before.
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
    [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat()
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

#[cfg(unix)] // elsewhere nobody is told of a stack overflow
#[test]
fn overflow() {
    fn deeper(depth: u64) -> u64 {
        let frame = std::hint::black_box([depth; 64]);
        if frame[0] == u64::MAX { 0 } else { frame[1] + deeper(depth + 1) }
    }
    if env::var_os("LAB_SEED").is_some() {
        let test = Test::new("0", "an overflow", |_| {
            deeper(0);
            unreachable!("nobody gets as deep");
        });
        return tester::simulated(&test, origin!("overflow"));
    }
    let words = said_by("overflow");
    for part in [
        "stack overflow in a simulated run of seed 7: task `main`",
        "replay: LAB_SEED=7 cargo test -p tester --test last_words -- --exact overflow",
    ] {
        assert!(words.contains(part), "`{part}` is not in: {words}");
    }
}
