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

use std::fs;
use std::path::{Path, PathBuf};

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
mod ours;
mod outcome;
mod print;
mod rooms;
mod running;
mod stamp;
mod stops;
mod student;
mod tokens;
mod warm;
mod ways_out;

pub(crate) use args::{Grade, LEAST_LOSS, SEEDS, read_weights};
pub(crate) use files::sources;
pub(crate) use one::GRADED_ANEW;
use one::Grader;
pub(crate) use ours::all as workspace_files;
use student::Student;

use crate::lock::{self, Lock};
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
    let student = Student::at(&grade.dir);
    let folder = match (&student, &grade.out) {
        (_, Some(folder)) => folder.clone(),
        (Ok(student), None) => usual_folder(student, grade)?,
        // Whoever has said where results are to be finds some there; nobody else does.
        (Err(_), None) => return student.map(|_| 0),
    };
    if !grade.dir.is_dir() {
        return student.map(|_| 0);
    }
    let _lock = held(&folder)?;
    let mut begun = match &student {
        Ok(student) => grader.begin(student, &folder)?,
        Err(error) => grader.begin_without("no crate", error, &folder)?,
    };
    let dir = platform::canonical(&grade.dir).unwrap_or_else(|_| grade.dir.clone());
    if let Some(other) = begun.outcome.another(&folder, &dir) {
        bail!(
            "{} has the results of the crate in {other}: name another folder with --out, or remove that one",
            folder.display()
        );
    }
    match &student {
        Ok(student) => {
            grader.grade(student, &mut begun, &folder).context("no points were given")?
        }
        Err(_) => begun.write(&folder)?,
    }
    let outcome = &begun.outcome;
    let stands = if begun.is_of_before() { "; the earlier result stands until then" } else { "" };
    say::print(format!("{}\nwritten to {}{stands}\n", outcome.text(), folder.display()))?;
    Ok(if outcome.is_finished() { 0 } else { crate::BROKEN })
}

/// Where results are if nobody says where.
fn usual_folder(student: &Student, grade: &Grade) -> Result<PathBuf> {
    let name = match grade.lab.number {
        "2" => student.name.clone(),
        // A crate may have the solutions of several labs.
        number => format!("{}-lab{number}", student.name),
    };
    Ok(package::target_directory(&workspace())?.join("grade").join(name))
}

/// Takes a folder for results: two gradings would write over each other's.
fn held(folder: &Path) -> Result<Lock> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    lock::take(folder, "grade", "name another folder with --out")
}
