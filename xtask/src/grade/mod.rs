//! `cargo xtask grade DIR`: points for a student's crate, or for all crates of a class.
//!
//! ```text
//! args -> class: each crate -> one: student -> stamp: the suite in a crate of our own -> build
//!           |                                                                              |
//!           table, page, alike       outcome: three files, after each test <- execute: test after test
//! ```
//!
//! Nothing in the crate decides how it is tested. Each test runs with several seeds in processes with
//! limits of time, memory and output; a run whose records do not fit has failed, however it came to that.
//! The results are on the disk from the beginning, and are replaced as a whole after each test. What is no
//! fault of the student's (no network, a full disk) is an error, and gives no points at all, not even none.

use anyhow::{Context, Result, bail};
use test_runs::{package, platform};

mod allowed;
mod args;
mod class;
mod disk;
mod execute;
mod files;
#[cfg(test)]
mod fuzz;
mod intake;
mod one;
mod outcome;
mod rooms;
mod stamp;
mod stops;
mod student;
mod tokens;
mod warm;
mod ways_out;

pub(crate) use args::{Grade, LEAST_LOSS, SEEDS};
pub(crate) use files::{files, sources};
use one::Grader;
use student::Student;

use crate::{say, workspace};

/// Grades a crate or a class; returns the exit code.
pub(crate) fn run(grade: &Grade) -> Result<u8> {
    if let Some(absent) = platform::ABSENT {
        say::note(&format!("grade: note: {absent}"));
    }
    let grader = Grader::new(grade)?;
    if let Some(class) = &grade.class {
        return class::run(grade, &grader, class);
    }
    let student = match (Student::at(&grade.dir), &grade.out) {
        (Ok(student), _) => student,
        // Whoever has said where results are to be finds some there.
        (Err(error), Some(folder)) if grade.dir.is_dir() => {
            let outcome = grader.no_crate("no crate", &error);
            outcome.write(folder)?;
            say::print(outcome.text())?;
            return Ok(0);
        }
        (Err(error), _) => return Err(error),
    };
    let folder = match &grade.out {
        Some(folder) => folder.clone(),
        None => {
            let name = match grade.lab.number {
                "2" => student.name.clone(),
                // A crate may have the solutions of several labs.
                number => format!("{}-lab{number}", student.name),
            };
            package::target_directory(&workspace())?.join("grade").join(name)
        }
    };
    let mut outcome = grader.begin(&student, &folder);
    if let Some(other) = outcome.another(&folder) {
        bail!(
            "{} has the results of the crate in {other}: name another folder with --out, or remove that one",
            folder.display()
        );
    }
    grader.grade(&student, &mut outcome, &folder).context("no points were given")?;
    say::print(format!("{}\nwritten to {}\n", outcome.text(), folder.display()))?;
    Ok(if outcome.is_finished() { 0 } else { crate::BROKEN })
}
