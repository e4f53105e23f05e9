//! Tests that end their process run in a process of their own: the test program itself, started once
//! more for this one test.

use std::process::{Command, Output};

/// Set for the process in which the test is to do it.
const CHILD: &str = "LABRT_TEST_CHILD";

/// True in the process that is to do it.
pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs the test of this name in a process of its own, with libtest keeping its output, as it does
/// for a user.
pub(crate) fn run_child(test: &str) -> Output {
    run(Command::new(std::env::current_exe().unwrap()).args(["--exact", test]))
}

/// The same with at most `kib` KiB of address space.
#[cfg(target_os = "linux")]
pub(crate) fn run_child_within(test: &str, kib: u64) -> Output {
    let script = format!("ulimit -v {kib}; exec \"$0\" --exact {test} --test-threads 1");
    run(Command::new("sh").arg("-c").arg(script).arg(std::env::current_exe().unwrap()))
}

fn run(command: &mut Command) -> Output {
    command.env(CHILD, "1").env_remove("RUST_BACKTRACE").output().unwrap()
}

/// What it wrote to standard error.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
