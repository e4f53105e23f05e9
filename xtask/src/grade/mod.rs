//! `cargo xtask grade DIR`: points for a student's crate.
//!
//! ```text
//! args -> student: is it a crate that can be graded? -> stamp: the suite in a crate of our own -> build
//!                                                                                                   |
//!                          outcome: grade.txt, grade.json, results.json <- execute: test after test
//! ```
//!
//! Nothing in the crate decides how it is tested. Each test runs with several seeds in processes with
//! limits of time, memory and output; a run whose records do not fit has failed, however it came to that.
//! The results are on the disk from the beginning, and are replaced as a whole after each test. What is no
//! fault of the student's (no network, a full disk) is an error, and gives no points at all, not even none.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use test_runs::package;

mod args;
mod execute;
mod outcome;
mod stamp;
mod student;

pub(crate) use args::Grade;
use execute::Execution;
use outcome::Outcome;
use stamp::Failure;
use student::Student;

use crate::{say, workspace};

/// Grades a crate; returns the exit code.
pub(crate) fn run(grade: &Grade) -> Result<u8> {
    let weights = args::read_weights(grade.lab, grade.weights.as_deref())?;
    let types = args::types(grade.lab, &grade.types)?;
    let student = Student::at(&grade.dir)?;
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
    let (interrupted, stop) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let on_signal = (interrupted.clone(), stop.clone());
    ctrlc::set_handler(move || {
        on_signal.0.store(true, Ordering::Relaxed);
        on_signal.1.store(true, Ordering::Relaxed);
    })
    .context("cannot take care of signals")?;
    let mut outcome = Outcome::new(&student.name, grade.lab, &weights, grade.seeds);
    outcome.write(&folder)?;
    let execution = Execution::new(grade, interrupted, stop);
    match execution
        .and_then(|execution| judge(grade, types, &execution, &student, &mut outcome, &folder))
    {
        Ok(()) => {}
        Err(error) => {
            // Whatever is in the files by now, they are no result.
            outcome.withdraw(&format!("{error:#}"));
            outcome.write(&folder)?;
            return Err(error.context("no points were given"));
        }
    }
    outcome.write(&folder)?;
    say::print(format!("{}\nwritten to {}\n", outcome.text(), folder.display()))?;
    Ok(if outcome.is_finished() { 0 } else { crate::BROKEN })
}

/// Fills in the outcome. What stands in the way of any result is an error.
fn judge(
    grade: &Grade,
    types: Vec<String>,
    execution: &Execution,
    student: &Student,
    outcome: &mut Outcome,
    folder: &Path,
) -> Result<()> {
    let stamped = stamp::stamp(execution.scratch(), student, grade.lab, types)?;
    if let Some(problem) = stamped.problem(student) {
        outcome.fail(&problem);
        return Ok(());
    }
    let program = match stamped.build(student, execution.stop()) {
        Ok(program) => program,
        // Then it is no matter what else there is to say.
        Err(_) if execution.ends(outcome) => return Ok(()),
        Err(Failure::Student(problem)) => {
            outcome.fail(&problem);
            return Ok(());
        }
        Err(Failure::Type(words)) if !grade.types.is_empty() => bail!("{words}"),
        Err(Failure::Type(problem)) => {
            outcome.fail(&problem);
            return Ok(());
        }
        Err(Failure::Machine(error)) => return Err(error),
    };
    for place in 0..outcome.tests.len() {
        let counted = execution.run(&program, &outcome.tests[place].test)?;
        outcome.take(place, counted);
        if execution.ends(outcome) {
            return Ok(());
        }
        outcome.write(folder)?;
        say::note(&format!("grade: {}", outcome.tests[place].line()));
    }
    outcome.finish();
    Ok(())
}
