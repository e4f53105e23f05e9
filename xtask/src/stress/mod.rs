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
use model::{Report, State};

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
        return joined(&report, folder);
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

/// Writes all forms of the report of a run, then shows it; returns the exit code.
fn conclude(report: &Report, folder: &Folder, history: Option<&Path>) -> Result<u8> {
    let budgets = budget::check(report);
    let written = write(report, &budgets, folder);
    if let Some(history) = history {
        remember(report, history);
    }
    show(report, &budgets, folder.path(), written)
}

/// The same for a report that was merged.
fn joined(report: &Report, folder: Folder) -> Result<u8> {
    let budgets = budget::check(report);
    let path = folder.path().to_owned();
    let written = write_or_remove(report, &budgets, folder);
    show(report, &budgets, &path, written)
}

/// Writes all forms of a report.
fn write(report: &Report, budgets: &[budget::Line], folder: &Folder) -> Result<()> {
    folder.write_json("report.json", report)?;
    folder.write("report.md", &markdown::render(report, budgets))?;
    folder.write("junit.xml", &junit::render(report, budgets)?)?;
    folder.write("report.html", &html::render(report, budgets))
}

/// The same. If it cannot be written, its folder is not in the way of the next try.
fn write_or_remove(report: &Report, budgets: &[budget::Line], folder: Folder) -> Result<()> {
    let written = write(report, budgets, &folder);
    if written.is_err() {
        folder.remove();
    }
    written
}

/// Adds a run to the history in this folder.
fn remember(report: &Report, history: &Path) {
    // One that was ended early stands there when somebody has gone on with it to its end.
    if report.state == State::Finished
        && let Err(error) = history::append(&history.join("history.ndjson"), report)
    {
        note(&format!("stress: note: {error:#}"));
    }
}

/// Shows a report, and where it was written, if it was; returns the exit code.
fn show(
    report: &Report,
    budgets: &[budget::Line],
    folder: &Path,
    written: Result<()>,
) -> Result<u8> {
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // The table is shown whatever becomes of the files, and the files are there whatever becomes of it.
    let mut text = table::render(report, budgets, colour);
    if written.is_ok() {
        text += &format!("\nreport: {}\n", folder.join("report.html").display());
    }
    let printed = print(&text);
    written.and(printed)?;
    Ok(code(report, budgets))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merged_report_that_cannot_be_written_is_not_in_the_way_of_the_next_try() {
        let top = tempfile::tempdir().expect("a folder");
        let report = model::tests::report("r", vec![model::tests::run(0, None)]);
        for form in ["report.json", "report.html"] {
            let out = top.path().join(form);
            // Where it would be written, nothing can be.
            let new = out.join(format!("{form}.new"));
            std::fs::create_dir_all(&new).expect("a folder");
            let write = || {
                let folder = Folder::new(&out).expect("nothing is in the way");
                write_or_remove(&report, &budget::check(&report), folder)
            };
            let words = write().expect_err("it cannot be written").to_string();
            assert!(words.contains("cannot write"), "{words}");
            std::fs::remove_dir(new).expect("it is left");
            assert_eq!(crate::entries(&out).count(), 0);
            write().expect("a report");
        }
    }

    #[test]
    fn a_run_stands_in_the_history_once_however_often_it_was_gone_on_with() {
        let top = tempfile::tempdir().expect("a folder");
        let of = |runs, state| {
            let runs = (0..runs).map(|index| model::tests::run(index, None)).collect();
            Report { state, ..model::tests::report("r", runs) }
        };
        let (first, second) = (of(4, State::Interrupted), of(7, State::Interrupted));
        let (last, again) = (of(10, State::Finished), of(10, State::Finished));
        for report in [first, second, last, again] {
            remember(&report, top.path());
        }
        let entries = history::read(&top.path().join("history.ndjson")).expect("a history");
        assert_eq!(entries.iter().map(|entry| entry.runs).collect::<Vec<_>>(), [10]);
    }
}
