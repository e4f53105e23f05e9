//! Cargo at work on a student's crate: it has no more time than the grading has.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Error, Result};
use test_runs::platform;
use test_runs::watchdog::Group;

/// How often it is asked whether it has ended, or must end.
const LOOK: Duration = Duration::from_millis(20);

/// Runs a command until it ends, or ends it with all that it has started as soon as `must_end` says so, which is told
/// the number of its process. It is ended too if we are killed. What it writes goes to files in `scratch` meanwhile.
///
/// # Errors
/// If it cannot be run, or what it has written cannot be read.
pub(crate) fn run(
    mut command: Command,
    scratch: &Path,
    mut must_end: impl FnMut(u32) -> bool,
) -> Result<Output> {
    let (out, err) = (scratch.join("cargo.out"), scratch.join("cargo.err"));
    let create = |file: &Path| {
        File::create(file).with_context(|| format!("cannot write {}", file.display()))
    };
    platform::own_group(&mut command);
    command.stdin(Stdio::null());
    let child = command.stdout(create(&out)?).stderr(create(&err)?).spawn();
    let mut child = child.context("cannot run cargo")?;
    // With its compilers, also if we are killed: one that is left would write into what the next build makes.
    let group = Group::of(child.id());
    while !platform::has_ended(&mut child).context("cannot wait for cargo")? {
        if must_end(child.id()) {
            platform::kill_group(child.id());
            let _ = child.kill();
        }
        std::thread::sleep(LOOK);
    }
    drop(group);
    let status = child.wait().context("cannot wait for cargo")?;
    let written = |file: &Path| {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok::<_, Error>(bytes)
    };
    Ok(Output { status, stdout: written(&out)?, stderr: written(&err)? })
}
