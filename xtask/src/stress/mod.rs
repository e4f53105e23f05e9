//! `cargo xtask stress`: N runs of every test, what fails and how often, and what it costs.
//!
//! ```text
//! args -> test_runs: build (once), plan, engine -> runs
//!                                                   |
//!                                                   v
//!                  model: Report -> table, report.json, .md, .html, junit.xml
//! ```

use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use run_record::Clock;
use test_runs::build::{self, TestCase};
use test_runs::engine::{self, Results};
use test_runs::plan::{Goal, Plan};
use test_runs::platform;
use test_runs::process::Limits;

mod args;
pub(crate) mod budget;
mod compare;
mod determinism;
mod history;
mod html;
mod junit;
mod markdown;
mod merge;
mod model;
mod table;

pub(crate) use args::Stress;
use args::{Command, RunArgs};
use model::{Report, TestReport, VERSION};

use crate::progress::Display;
use crate::workspace;

/// The exit codes beside 0.
pub(crate) const FAILURES: u8 = 1;
pub(crate) const OVER_BUDGET: u8 = 2;
pub(crate) const NOT_DETERMINISTIC: u8 = 3;

/// Set by Ctrl-C.
static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Does what the command line asks for; returns the exit code.
pub(crate) fn run(stress: &Stress) -> Result<u8> {
    if let Some(Command::Merge { reports, out }) = &stress.command {
        let merged = reports.iter().map(|dir| load(dir)).collect::<Result<Vec<_>>>()?;
        let report = merge::merge(merged)?;
        copy_logs(reports, out)?;
        return finish(&report, out);
    }
    if let Some([a, b]) = stress.compare.as_deref() {
        print!("{}", compare::compare(&load(a)?, &load(b)?));
        return Ok(0);
    }
    run_tests(&stress.run)
}

fn run_tests(args: &RunArgs) -> Result<u8> {
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let workspace = args.dir.clone().unwrap_or_else(workspace);
    let tests = find_tests(args, &workspace)?;
    let start = Instant::now();
    let name = args.name.clone().unwrap_or_else(|| format!("run-{began}"));
    let folder = args.out.clone().unwrap_or_else(|| stress_folder().join(&name));
    // Before hours of work, not after: can the report be written?
    let logs = folder.join("logs");
    fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
    let scratch = tempfile::tempdir().context("cannot make a folder for temporary files")?;
    let stop = STOP.clone();
    let on_interrupt = stop.clone();
    ctrlc::set_handler(move || on_interrupt.store(true, Ordering::Relaxed))
        .context("cannot take care of Ctrl-C")?;

    let jobs = jobs(args);
    header(args, &tests, jobs);
    let limits = Limits { hang_after: args.hang_after, memory_mib: args.memory, trace: None };
    let settings = engine::Settings {
        jobs,
        limits: limits.clone(),
        fail_fast: args.fail_fast,
        pin: args.load == 1 && args.clock == args::ClockArg::Sim,
        scratch: scratch.path(),
        stop: &stop,
    };
    let mut display = Display::new(tests.len(), jobs);
    let plan = Plan::new(&tests, args.seed, args.goal(), args.shard);
    let results = engine::execute(&tests, plan, &settings, &mut |plan| display.show(&tests, plan));
    display.finish();
    let results = results?;
    let interrupted = stop.load(Ordering::Relaxed);
    let determinism = match interrupted {
        false => determinism::check(&tests, &results, &limits, scratch.path(), &stop)?,
        true => model::Determinism::default(),
    };
    let report = Report {
        version: VERSION,
        name,
        began,
        wall_us: micros(start.elapsed()),
        package: args.package.clone(),
        seed: args.seed,
        shards: args.shard.map(|shard| format!("{}/{}", shard.k, shard.n)).into_iter().collect(),
        jobs: jobs as u64,
        interrupted,
        tests: keep(&tests, results, &folder)?,
        determinism,
    };
    finish(&report, &folder)
}

/// Brings the logs of several reports together; their names tell test, clock and run.
fn copy_logs(reports: &[PathBuf], out: &Path) -> Result<()> {
    let to = out.join("logs");
    fs::create_dir_all(&to).with_context(|| format!("cannot make {}", to.display()))?;
    for report in reports {
        let logs = report.join("logs");
        let Ok(entries) = fs::read_dir(&logs) else { continue };
        for entry in entries.flatten() {
            let copied = fs::copy(entry.path(), to.join(entry.file_name()));
            copied.with_context(|| format!("cannot copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// Builds and lists; at least one test, or an error.
fn find_tests(args: &RunArgs, workspace: &Path) -> Result<Vec<TestCase>> {
    let programs = build::build(workspace, &args.package, args.release, build::Messages::Shown)?;
    let mut tests = Vec::new();
    for program in programs.iter().filter(|program| args.clock.has(program.clock)) {
        tests.extend(build::list(program, &args.filters)?);
    }
    if tests.is_empty() {
        bail!(
            "no test of {} on this clock matches {}; `cargo test -p {} -- --list` shows all",
            args.package,
            if args.filters.is_empty() { "anything".into() } else { args.filters.join(", ") },
            args.package
        );
    }
    // In the order of the lab; what is not of the lab comes last.
    let place = |test: &TestCase| budget::LAB.iter().position(|name| *name == test.name);
    tests.sort_by_key(|test| (test.program.clock, place(test).unwrap_or(usize::MAX)));
    Ok(tests)
}

fn jobs(args: &RunArgs) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let usual = match args.clock {
        args::ClockArg::Sim => cores,
        // A real test sleeps for all but a hundredth of its time.
        args::ClockArg::Real | args::ClockArg::Both => cores * 8,
    };
    usize::try_from(args.jobs.unwrap_or(usual) * args.load).unwrap_or(1)
}

fn header(args: &RunArgs, tests: &[TestCase], jobs: usize) {
    let clocks: Vec<&str> = [(Clock::Sim, "simulated"), (Clock::Real, "real")]
        .into_iter()
        .filter(|(clock, _)| args.clock.has(*clock))
        .map(|(_, name)| name)
        .collect();
    let goal = match args.goal() {
        Goal::Iterations(n) => format!("{n} runs each"),
        Goal::Until(_) => "for a set time".to_string(),
        Goal::UpperBound(rate) => format!("until each surely fails below {} %", rate * 100.0),
    };
    eprintln!(
        "stress: {} tests of {} on the {} clock, {goal}, {jobs} at once, base seed {}",
        tests.len(),
        args.package,
        clocks.join(" and the "),
        args.seed
    );
    if let Some(absent) = platform::ABSENT {
        eprintln!("stress: note: {absent}");
    }
}

/// Writes the logs of failed runs and turns the results into a report's.
fn keep(tests: &[TestCase], results: Results, folder: &Path) -> Result<Vec<TestReport>> {
    let mut reports = Vec::new();
    for (test, results) in tests.iter().zip(results) {
        let mut runs = Vec::new();
        for (mut run, log) in results {
            if let (Some(failure), Some(log)) = (&mut run.failure, log) {
                let clock = if test.program.clock == Clock::Sim { "sim" } else { "real" };
                let path = format!("logs/{}-{clock}-{}.txt", test.name, run.index);
                let file = folder.join(&path);
                fs::write(&file, log)
                    .with_context(|| format!("cannot write {}", file.display()))?;
                failure.log = Some(path);
            }
            runs.push(run);
        }
        runs.sort_by_key(|run| run.index);
        reports.push(TestReport {
            test: test.name.clone(),
            part: test.part().to_string(),
            clock: test.program.clock,
            runs,
        });
    }
    Ok(reports)
}

/// Writes all forms of the report and shows it; returns the exit code.
fn finish(report: &Report, folder: &Path) -> Result<u8> {
    let budgets = budget::check(report);
    // Shown before anything is written: a full disk must not take the result along.
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    print!("{}", table::render(report, &budgets, colour));
    let json = serde_json::to_string_pretty(report).context("cannot encode the report")?;
    let files = [
        ("report.json", json),
        ("report.md", markdown::render(report, &budgets)),
        ("junit.xml", junit::render(report)),
        ("report.html", html::render(report, &budgets)),
    ];
    for (name, text) in files {
        let file = folder.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    // Runs lie side by side, and the history of all of them beside them.
    history::append(&folder.with_file_name("history.ndjson"), report)?;
    println!("\nreport: {}", folder.join("report.html").display());
    Ok(if report.failures() > 0 {
        FAILURES
    } else if !report.determinism.differences.is_empty() {
        NOT_DETERMINISTIC
    } else if budget::over(&budgets) {
        OVER_BUDGET
    } else {
        0
    })
}

/// Reads the report of a folder, or of a run's name.
fn load(folder: &Path) -> Result<Report> {
    let direct = folder.join("report.json");
    let named = stress_folder().join(folder).join("report.json");
    let file = if direct.exists() { direct } else { named };
    let text =
        fs::read_to_string(&file).with_context(|| format!("no report at {}", file.display()))?;
    let report: Report = serde_json::from_str(&text)
        .with_context(|| format!("{} is not a report of `cargo xtask stress`", file.display()))?;
    if report.version != VERSION {
        bail!(
            "{} has version {}; this xtask reads version {VERSION}",
            file.display(),
            report.version
        );
    }
    Ok(report)
}

fn stress_folder() -> PathBuf {
    workspace().join("target/stress")
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
