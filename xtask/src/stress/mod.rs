//! `cargo xtask stress`: N runs of every test, what fails and how often, and what it costs.
//!
//! ```text
//! args -> session -> test_runs: build (once), plan, engine -> runs as they end
//!            |                                                  |
//!            |                     folder: runs.ndjson, logs <--+--> tally: counts, groups
//!            v                                                          |
//!         repeat: some runs once more                                   v
//!                              model: Report -> table, report.json, .md, .html, junit.xml
//! ```
//!
//! `runs.ndjson` has each run, and a report has counts only; in memory is one run of a hundred, to be
//! repeated. `merge` and `--resume` count the same file again.
#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a closed pipe or a full disk must not end a run: see `crate::say`"
)]

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use test_runs::package;

mod args;
pub(crate) mod budget;
mod compare;
mod distribution;
mod folder;
#[cfg(test)]
mod fuzz;
mod history;
mod html;
mod junit;
pub(crate) mod markdown;
mod merge;
mod model;
mod plausible;
mod program;
mod repeat;
mod session;
mod situations;
mod subject;
mod table;
mod tally;
use table::words;

use args::{Command, RunArgs};
pub(crate) use args::{Soak, Stress, parse_name};
use folder::Folder;
use model::Report;

use crate::say::{note, print};

/// The exit codes beside 0.
pub(crate) const FAILURES: u8 = 1;
pub(crate) const OVER_BUDGET: u8 = 2;
pub(crate) const NOT_DETERMINISTIC: u8 = 3;
pub(crate) const NOT_WHOLE: u8 = 4;

/// Does what the command line asks for; returns the exit code.
pub(crate) fn run(stress: &Stress) -> Result<u8> {
    if let Some(Command::Merge { reports, out }) = &stress.command {
        let (report, folder) = merge::merge(reports, out)?;
        return conclude(&report, &folder, None);
    }
    if let Some([a, b]) = stress.compare.as_deref() {
        let [a, b] = [a, b].map(|named| folder::report(&session::folder_of(named)));
        print(compare::compare(&a?, &b?))?;
        return Ok(0);
    }
    match &stress.resume {
        Some(named) => session::resume(&session::folder_of(named)),
        None => session::run(&stress.run),
    }
}

/// Repeats the swarm test; returns the exit code.
pub(crate) fn soak(soak: Soak) -> Result<u8> {
    session::run(&RunArgs { soak: true, ..soak.run })
}

/// Writes all forms of the report, then shows it; returns the exit code.
fn conclude(report: &Report, folder: &Folder, history: Option<&Path>) -> Result<u8> {
    let budgets = budget::check(report);
    // The table is shown whatever becomes of the files, and the files are there whatever becomes of it.
    let written = folder
        .write_json("report.json", report)
        .and_then(|()| folder.write("report.md", &markdown::render(report, &budgets)))
        .and_then(|()| folder.write("junit.xml", &junit::render(report, &budgets)?))
        .and_then(|()| folder.write("report.html", &html::render(report, &budgets)));
    if let Some(history) = history
        && let Err(error) = history::append(&history.join("history.ndjson"), report)
    {
        note(&format!("stress: note: {error:#}"));
    }
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut text = table::render(report, &budgets, colour);
    if written.is_ok() {
        text += &format!("\nreport: {}\n", folder.path().join("report.html").display());
    }
    let printed = print(&text);
    written.and(printed)?;
    Ok(code(report, &budgets))
}

/// What the report comes to, the worst first.
fn code(report: &Report, budgets: &[budget::Line]) -> u8 {
    let groups = report.groups();
    if groups.iter().any(|(_, group)| !group.is_not_by_seed_alone()) {
        FAILURES
    } else if !groups.is_empty() || !report.determinism.differences.is_empty() {
        NOT_DETERMINISTIC
    } else if budget::over(budgets) {
        OVER_BUDGET
    } else if !report.is_whole() {
        NOT_WHOLE
    } else {
        0
    }
}

/// Where the runs of a directory's workspace are kept.
fn stress_folder(dir: &Path) -> Result<PathBuf> {
    Ok(package::target_directory(dir)?.join("stress"))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
