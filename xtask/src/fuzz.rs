//! `cargo xtask fuzz`: random and damaged input for whatever reads bytes, for as long as one likes.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::say::note;
use crate::workspace;

/// A test program that has targets.
struct Program {
    /// As cargo's options name it.
    options: &'static [&'static str],
    /// What the names of the targets begin with, after the modules above.
    module: &'static str,
}

const PROGRAMS: [Program; 2] = [
    Program { options: &["--package", "fuzz", "--test", "targets"], module: "" },
    Program { options: &["--package", "xtask", "--bin", "xtask"], module: "fuzz::" },
];

/// What the crate `fuzz` reads, which this program is not linked to.
const INPUTS: &str = "LAB_FUZZ_INPUTS";
const SECONDS: &str = "LAB_FUZZ_SECONDS";
const SEED: &str = "LAB_FUZZ_SEED";

/// What `--duration` and `--iters` stand for if neither is given.
const USUAL: Duration = Duration::from_secs(60);

/// Give random and damaged input to whatever reads bytes: decoders, saved states, files, traces, reports,
/// histories, students' crates.
///
/// The targets are tests, which try a few hundred inputs each; this tries more. A target that fails says
/// where the input is. docs/fuzz.md has the rest.
#[derive(Args, Clone, Debug)]
pub(crate) struct Fuzz {
    /// Only targets whose tests have this in their names, such as `saved_kv`; all without it.
    target: Option<String>,
    /// How many inputs each target makes.
    #[arg(long, value_name = "N", conflicts_with = "duration", value_parser = clap::value_parser!(u64).range(1..))]
    iters: Option<u64>,
    /// For how long each target makes inputs; a minute if nothing is said.
    #[arg(long, value_name = "TIME", value_parser = crate::duration::parse)]
    duration: Option<Duration>,
    /// Another number, other inputs.
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
}

/// Runs the targets, one after the other.
///
/// # Errors
/// If one fails, or there is none of that name.
pub(crate) fn run(args: &Fuzz) -> Result<()> {
    let (mut found, mut failed) = (0, false);
    for program in &PROGRAMS {
        let targets = targets(program, args)?;
        found += targets;
        // One at a time, so that each has its time; what they say is of interest when they pass, too.
        failed |= targets > 0
            && !cargo(program, args, &["--test-threads", "1", "--nocapture"])
                .status()
                .context("cannot run cargo")?
                .success();
    }
    if let (0, Some(target)) = (found, &args.target) {
        bail!("no target has `{target}` in its name; without a name all are run, and named");
    }
    if failed {
        bail!("a target failed: see above");
    }
    note("fuzz: nothing was found");
    Ok(())
}

/// How many targets of a program are meant.
fn targets(program: &Program, args: &Fuzz) -> Result<usize> {
    let listed = cargo(program, args, &["--list"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    ensure!(listed.status.success(), "the targets do not build: see above");
    let listed = String::from_utf8_lossy(&listed.stdout);
    Ok(listed.lines().filter(|line| line.ends_with(": test")).count())
}

/// A command that runs the targets of a program that are meant.
fn cargo(program: &Program, args: &Fuzz, options: &[&str]) -> Command {
    let mut cargo = crate::cargo();
    cargo.current_dir(workspace()).args(["test", "--quiet"]).args(program.options).arg("--");
    let target = args.target.as_deref().unwrap_or_default();
    cargo.arg(format!("{}{target}", program.module)).args(options);
    let (name, amount) = amount(args);
    cargo.env(name, amount.to_string()).env(SEED, args.seed.to_string());
    cargo
}

/// The variable that says how much is tried, and how much that is.
fn amount(args: &Fuzz) -> (&'static str, u64) {
    match args.iters {
        Some(inputs) => (INPUTS, inputs),
        None => (SECONDS, args.duration.unwrap_or(USUAL).as_secs().max(1)),
    }
}
