//! `cargo xtask grade DIR`: points for a student's crate.
//!
//! Nothing in the crate decides how it is tested: the suite is stamped out in a crate of our own that
//! depends on the student's. Each test runs with several seeds in processes with limits of time,
//! memory and output; a run that leaves no record of its end has failed, however it came to that.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use run_record::Clock;
use serde::{Deserialize, Serialize};
use test_runs::build::{self, Messages, TestCase};
use test_runs::engine::{self, Results};
use test_runs::plan::{Goal, Plan};
use test_runs::platform;
use test_runs::process::Limits;
use test_runs::run::Run;

use crate::progress::Display;
use crate::skeleton::in_quotes;
use crate::workspace;

/// Run the suite on a student's crate and give points for each part.
///
/// A test earns its share of the part's points times the share of its runs that passed. The exit code
/// is 0 whatever the points are, and 70 if there can be no result.
#[derive(Args, Clone, Debug)]
pub(crate) struct Grade {
    /// The student's crate.
    dir: PathBuf,
    /// With how many seeds each test runs.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// What the seeds are derived from; the same for all students of a class.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// A JSON file with the points of each part, such as {"2A": 30, "2B": 35, "2C": 35}.
    #[arg(long)]
    weights: Option<PathBuf>,
    /// The type that implements `raft_api::Raft`, within the crate.
    #[arg(long = "type", default_value = "Raft")]
    raft: String,
    /// The folder for grade.txt, grade.json and results.json (for Gradescope) [default:
    /// target/grade/NAME].
    #[arg(long)]
    out: Option<PathBuf>,
}

/// A student's result; `grade.json` is this.
#[derive(Debug, Serialize)]
struct Outcome {
    package: String,
    points: f64,
    of: f64,
    /// Why there could be no tests, if so.
    problem: Option<String>,
    tests: Vec<Graded>,
}

/// One test's part of it.
#[derive(Debug, Serialize)]
struct Graded {
    test: String,
    part: String,
    runs: u64,
    passed: u64,
    points: f64,
    of: f64,
    /// The first failure: what happened, and the command that repeats it.
    failure: Option<String>,
}

/// What `cargo metadata` says of a package.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
}

/// Grades a crate.
pub(crate) fn run(grade: &Grade) -> Result<()> {
    let weights = read_weights(grade.weights.as_deref())?;
    let dir = platform::canonical(&grade.dir);
    let dir = dir.with_context(|| format!("there is no crate at {}", grade.dir.display()))?;
    let package = package_of(&dir)?;
    let folder =
        grade.out.clone().unwrap_or_else(|| workspace().join("target/grade").join(&package));
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let scratch = tempfile::tempdir().context("cannot make a folder for temporary files")?;
    stamp(scratch.path(), &dir, &package, &grade.raft)?;

    let reference = expected_tests()?;
    let programs = build::build(scratch.path(), "graded", false, Messages::Kept);
    let result = match programs {
        Err(problem) => {
            let problem = format!("the crate does not compile with the suite:\n{problem:#}");
            result(package, Some(problem), &weights, &reference, &BTreeMap::new())
        }
        Ok(programs) => {
            let mut tests = Vec::new();
            for program in programs.iter().filter(|program| program.clock == Clock::Sim) {
                tests.extend(build::list(program, &[])?);
            }
            for test in &mut tests {
                test.program.replay = format!("cargo test -p {package} --test sim");
            }
            let results = execute(grade, &tests, scratch.path())?;
            let by_name = tests.iter().map(|test| test.name.clone()).zip(results).collect();
            result(package, None, &weights, &reference, &by_name)
        }
    };
    write(&result, &folder)
}

fn execute(grade: &Grade, tests: &[TestCase], scratch: &Path) -> Result<Results> {
    if let Some(absent) = platform::ABSENT {
        eprintln!("grade: note: {absent}");
    }
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let stop = AtomicBool::new(false);
    let settings = engine::Settings {
        jobs,
        limits: Limits { hang_after: Duration::from_secs(60), memory_mib: 2048, trace: None },
        fail_fast: false,
        pin: true,
        scratch,
        stop: &stop,
    };
    let plan = Plan::new(tests, grade.seed, Goal::Iterations(grade.seeds), None);
    let mut display = Display::new(tests.len(), jobs);
    let results = engine::execute(tests, plan, &settings, &mut |plan| display.show(tests, plan));
    display.finish();
    results
}

/// The points of each part.
fn read_weights(file: Option<&Path>) -> Result<BTreeMap<String, f64>> {
    let Some(file) = file else {
        return Ok([("2A", 30.0), ("2B", 35.0), ("2C", 35.0)].map(|(p, w)| (p.into(), w)).into());
    };
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let weights: BTreeMap<String, f64> = serde_json::from_str(&text).with_context(|| {
        format!("{} must be JSON such as {{\"2A\": 30, \"2B\": 70}}", file.display())
    })?;
    for (part, points) in &weights {
        ensure!(["2A", "2B", "2C"].contains(&part.as_str()), "there is no part `{part}`");
        ensure!(*points >= 0.0, "part {part} has {points} points");
    }
    Ok(weights)
}

fn package_of(dir: &Path) -> Result<String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(dir)
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("{} is no crate: {}", dir.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("cannot read cargo's metadata")?;
    let manifest = dir.join("Cargo.toml");
    let package = metadata.packages.into_iter().find(|package| package.manifest_path == manifest);
    Ok(package.with_context(|| format!("{} has no package", manifest.display()))?.name)
}

/// Writes the crate that has the suite for the student's type.
fn stamp(at: &Path, dir: &Path, package: &str, raft: &str) -> Result<()> {
    let tests = at.join("tests");
    fs::create_dir_all(&tests).context("cannot make the folder of the suite")?;
    fs::create_dir_all(at.join("src")).context("cannot make the folder of the suite")?;
    let root = workspace();
    let manifest = format!(
        "[package]\nname = \"graded\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\n\
         {package} = {{ path = \"{}\" }}\n\
         raft-tests = {{ path = \"{}\" }}\n\n\
         [profile.dev]\nopt-level = 2\ndebug = \"line-tables-only\"\n\n[workspace]\n",
        in_quotes(dir),
        in_quotes(&root.join("raft-tests"))
    );
    let krate = package.replace('-', "_");
    let suite = format!("raft_tests::suite!(simulated, {krate}::{raft});\n");
    for (path, text) in
        [("Cargo.toml", manifest.as_str()), ("src/lib.rs", ""), ("tests/sim.rs", &suite)]
    {
        fs::write(at.join(path), text).with_context(|| format!("cannot write {path}"))?;
    }
    Ok(())
}

/// Name and part of each test of the lab, from the reference's own suite.
fn expected_tests() -> Result<Vec<(String, String)>> {
    let root = workspace();
    let programs = build::build(&root, "raft-tests", false, Messages::Kept)?;
    let program = programs.iter().find(|program| program.clock == Clock::Sim);
    let tests = build::list(program.context("raft-tests has no target `sim`")?, &[])?;
    Ok(tests.iter().map(|test| (test.name.clone(), test.part().to_string())).collect())
}

fn result(
    package: String,
    problem: Option<String>,
    weights: &BTreeMap<String, f64>,
    expected: &[(String, String)],
    results: &BTreeMap<String, Vec<(Run, Option<String>)>>,
) -> Outcome {
    let mut tests = Vec::new();
    for (test, part) in expected {
        let count = expected.iter().filter(|(_, other)| other == part).count();
        let of = weights.get(part).copied().unwrap_or(0.0) / count as f64;
        let runs = results.get(test).map_or(&[][..], Vec::as_slice);
        let passed = runs.iter().filter(|(run, _)| run.failure.is_none()).count();
        let failure = runs
            .iter()
            .find_map(|(run, _)| run.failure.as_ref())
            .map(|failure| format!("{}: {}\n{}", failure.kind, failure.message, failure.replay));
        tests.push(Graded {
            test: test.clone(),
            part: part.clone(),
            runs: runs.len() as u64,
            passed: passed as u64,
            points: if runs.is_empty() { 0.0 } else { of * passed as f64 / runs.len() as f64 },
            of,
            failure,
        });
    }
    tests.sort_by(|a, b| a.part.cmp(&b.part));
    let points = tests.iter().map(|test| test.points).sum();
    Outcome { package, points, of: weights.values().sum(), problem, tests }
}

fn write(result: &Outcome, folder: &Path) -> Result<()> {
    let text = text(result);
    let json = serde_json::to_string_pretty(result).context("cannot encode the result")?;
    let gradescope = serde_json::to_string_pretty(&gradescope(result, &text))
        .context("cannot encode the result")?;
    for (name, text) in [("grade.txt", &text), ("grade.json", &json), ("results.json", &gradescope)]
    {
        let file = folder.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    print!("{text}");
    println!("\nwritten to {}", folder.display());
    Ok(())
}

fn text(result: &Outcome) -> String {
    let mut text = format!("{}: {:.1} of {:.1} points\n", result.package, result.points, result.of);
    if let Some(problem) = &result.problem {
        let _ = writeln!(text, "\n{problem}");
    }
    for test in &result.tests {
        let Graded { test, runs, passed, points, of, failure, .. } = test;
        let _ = writeln!(text, "  {points:5.2} of {of:5.2}  {passed:>3}/{runs} passed  {test}");
        for line in failure.iter().flat_map(|failure| failure.lines()) {
            let _ = writeln!(text, "                  {line}");
        }
    }
    text
}

/// The form that Gradescope's autograder reads from `results.json`.
fn gradescope(result: &Outcome, text: &str) -> serde_json::Value {
    let test = |test: &Graded| {
        serde_json::json!({
            "name": test.test,
            "number": test.part,
            "score": round(test.points),
            "max_score": round(test.of),
            "output": format!(
                "{} of {} runs passed\n{}",
                test.passed,
                test.runs,
                test.failure.as_deref().unwrap_or("")
            ),
        })
    };
    serde_json::json!({
        "score": round(result.points),
        "output": text,
        "tests": result.tests.iter().map(test).collect::<Vec<_>>(),
    })
}

fn round(points: f64) -> f64 {
    (points * 100.0).round() / 100.0
}
