//! The way of one crate: from its folder to its result.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Error, Result, anyhow, bail};
use test_runs::package;

use super::allowed::Allowed;
use super::args::{self, Grade, Weights};
use super::disk::Building;
use super::execute::Execution;
use super::outcome::{AnotherWay, Begun, Outcome};
use super::print::Print;
use super::rooms::Rooms;
use super::stamp::{self, Failure};
use super::stops::Signals;
use super::student::{Killed, Student};
use super::{intake, warm, ways_out};
use crate::{say, workspace};

/// How the line begins that says that what was there is graded anew.
pub(crate) const GRADED_ANEW: &str = "grade: all is graded anew: ";

/// Grades one crate after the other, all in the same way.
pub(crate) struct Grader<'a> {
    grade: &'a Grade,
    weights: Weights,
    types: Vec<String>,
    allowed: Allowed,
    rooms: Rooms,
    signals: Signals,
    /// How all crates are graded.
    print: Print,
    /// Where cargo builds: what one crate needs, the next one need not build again.
    target: PathBuf,
    /// What all crates need is built.
    is_warm: Cell<bool>,
}

impl<'a> Grader<'a> {
    /// # Errors
    /// If the command line asks for what makes no sense.
    pub(crate) fn new(grade: &'a Grade) -> Result<Grader<'a>> {
        let weights = args::read_weights(grade.lab, grade.weights.as_deref())?;
        let types = args::types(grade.lab, &grade.types)?;
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => std::path::absolute(folder)?,
            None => package::target_directory(&workspace())?.join("grade").join(".build"),
        };
        let rooms = Rooms::new(grade, &target)?;
        let more = [("--weights", format!("{weights:?}")), ("--type", types.join(", "))];
        let print = Print::of_all(grade, &more)?;
        Ok(Grader {
            grade,
            weights,
            types,
            allowed: Allowed::new(grade)?,
            rooms,
            signals: Signals::heeded()?,
            print,
            target,
            is_warm: Cell::new(false),
        })
    }

    /// True if a signal has come: then no other crate is to be begun.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.signals.came()
    }

    /// The result before anything is done, or what an earlier grading has left.
    ///
    /// # Errors
    /// If an earlier grading is to be gone on with, and it was another way of grading.
    pub(crate) fn begin(&self, student: &Student, folder: &Path) -> Result<Begun> {
        let outcome = match self.print.of(student, folder) {
            Ok(print) => self.empty(&student.name, print),
            // Its files cannot be read, or are too many.
            Err(error) => self.no_crate(&student.name, &error),
        };
        self.resumed(outcome.of(&student.dir), folder)
    }

    /// The same of what is no crate that can be graded, or cannot be read.
    ///
    /// # Errors
    /// As of [`Grader::begin`].
    pub(crate) fn begin_without(&self, name: &str, error: &Error, folder: &Path) -> Result<Begun> {
        self.resumed(self.no_crate(name, error), folder)
    }

    fn resumed(&self, outcome: Outcome, folder: &Path) -> Result<Begun> {
        if !self.grade.resume {
            return Ok(Begun::of(outcome));
        }
        let remedy = match self.grade.class {
            Some(_) => "without --resume, and with another folder for --out, all is graded anew",
            None => "without --resume it is graded anew",
        };
        match outcome.clone().resumed(folder, self.grade.time_limit()) {
            Err(error) if self.grade.else_anew && error.is::<AnotherWay>() => {
                say::note(&format!("{GRADED_ANEW}{error:#}"));
                Ok(Begun::of(outcome))
            }
            begun => {
                begun.map_err(|error| anyhow!("{error:#}. Nothing was written over; {remedy}"))
            }
        }
    }

    fn no_crate(&self, name: &str, error: &Error) -> Outcome {
        let mut outcome = self.empty(name, self.print.clone());
        match is_of_machine(error) {
            true => outcome.withdraw(&format!("{error:#}")),
            false => outcome.fail(&format!("there is no crate that can be graded: {error:#}")),
        }
        outcome
    }

    /// The result of a crate of which nothing is known yet.
    fn empty(&self, name: &str, print: Print) -> Outcome {
        let Grade { lab, seeds, least_loss, .. } = self.grade;
        Outcome::new(name, lab, &self.weights, (*seeds, *least_loss), print)
    }

    /// Grades a crate. Its result is in the folder from the beginning, and is replaced as the work goes on.
    ///
    /// # Errors
    /// If there can be no result, and that is not the student's fault. The files say so too.
    pub(crate) fn grade(&self, student: &Student, begun: &mut Begun, folder: &Path) -> Result<()> {
        begun.write(folder)?;
        if begun.outcome.is_withdrawn() {
            bail!("{}", begun.outcome.state());
        }
        if begun.outcome.is_finished() {
            return Ok(());
        }
        let stop = self.signals.stop();
        let judged = Execution::new(self.grade, self.rooms.for_runs(), stop)
            .and_then(|mut execution| self.judge(&mut execution, student, begun, folder));
        if let Err(error) = &judged {
            // Whatever is in the files by now, they are no result.
            begun.outcome.withdraw(&format!("{error:#}"));
        }
        begun.write(folder)?;
        judged
    }

    /// Fills in the outcome. What stands in the way of any result is an error.
    fn judge(
        &self,
        execution: &mut Execution,
        student: &Student,
        begun: &mut Begun,
        folder: &Path,
    ) -> Result<()> {
        let outcome = &mut begun.outcome;
        let (scratch, lab) = (&execution.scratch().to_owned(), self.grade.lab);
        let taken = intake::take_in(student, &self.allowed, &scratch.join("student"))?;
        taken.remarks.iter().for_each(|words| outcome.remark(words));
        let student = &taken.student;
        let (problem, remark) = ways_out::found(student, &self.allowed)?;
        remark.iter().for_each(|words| outcome.remark(words));
        let problems: Vec<String> = taken.problem.into_iter().chain(problem).collect();
        if !problems.is_empty() {
            outcome.fail(&problems.join("\n"));
            return Ok(());
        }
        let most = self.grade.build_size.saturating_mul(1 << 20);
        let mut building = match Building::begin(&self.target, scratch, most, execution.stop()) {
            Ok(building) => building,
            // It was ended while it waited.
            Err(_) if execution.ends(outcome) => return Ok(()),
            Err(error) => return Err(error),
        };
        if !self.is_warm.get() {
            match warm::warm(lab, &self.rooms, &self.target, execution.stop()) {
                Ok(()) => self.is_warm.set(true),
                // A signal may have ended cargo too.
                Err(_) if execution.ends(outcome) => return Ok(()),
                Err(error) => return Err(error),
            }
            building.count_from_now();
        }
        // It has waited for others; that was not its own time.
        execution.begin_limit(self.grade.time_limit());
        let suite = match student.is_ours() {
            // It is often graded again, and need not be built again.
            true => self.target.join("suites").join(format!("{}-lab{}", student.name, lab.number)),
            false => scratch.join("suite"),
        };
        let types = self.types.clone();
        let stamped = match stamp::stamp(
            &suite,
            scratch,
            student,
            lab,
            types,
            (&self.target, execution.stop()),
        ) {
            Ok(stamped) => stamped,
            // What has ended us may have ended cargo before.
            Err(_) if execution.ends(outcome) => return Ok(()),
            Err(Failure::Machine(error)) => return Err(error),
            Err(Failure::Student(problem) | Failure::Type(problem)) => {
                outcome.fail(&problem);
                return Ok(());
            }
        };
        if let Some(problem) = stamped.problem(student, &self.allowed) {
            outcome.fail(&problem);
            return Ok(());
        }
        let program = match stamped.build(student, &self.rooms, &mut building, execution.stop()) {
            Ok(program) => program,
            // Then it is no matter what else there is to say.
            Err(_) if execution.ends(outcome) => return Ok(()),
            Err(Failure::Student(problem)) => {
                outcome.fail(&problem);
                return Ok(());
            }
            Err(Failure::Type(words)) if !self.grade.types.is_empty() => bail!("{words}"),
            Err(Failure::Type(problem)) => {
                outcome.fail(&problem);
                return Ok(());
            }
            Err(Failure::Machine(error)) => return Err(error),
        };
        // Others may build while it is run.
        drop(building);
        let problem = execution.check(&program)?;
        if execution.ends(outcome) {
            return Ok(());
        }
        if let Some(words) = problem {
            outcome.fail(&format!("the test program does not even list its tests: {words}"));
            return Ok(());
        }
        for place in 0..begun.outcome.tests.len() {
            let outcome = &mut begun.outcome;
            if outcome.tests[place].done {
                continue;
            }
            let counted = execution.run(&program, &outcome.tests[place].test)?;
            outcome.take(place, counted);
            if execution.ends_before_all(outcome) {
                return Ok(());
            }
            begun.write(folder)?;
            say::note(&format!("grade: {}", begun.outcome.tests[place].line()));
        }
        begun.outcome.finish();
        Ok(())
    }
}

/// True if what stands in the way of a crate says nothing about it: something is there and cannot be read, or cargo was
/// killed. That something is not there, or is no text, is the student's fault.
fn is_of_machine(error: &Error) -> bool {
    let of_crate = [ErrorKind::NotFound, ErrorKind::NotADirectory, ErrorKind::InvalidData];
    error.chain().any(|cause| match cause.downcast_ref::<io::Error>() {
        Some(error) => !of_crate.contains(&error.kind()),
        None => cause.is::<Killed>(),
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn what_cannot_be_read_says_nothing_about_the_crate() {
        let of = |kind: ErrorKind| {
            let failed: Result<(), io::Error> = Err(kind.into());
            is_of_machine(&failed.context("cannot read x").context("more").expect_err("it fails"))
        };
        for kind in [ErrorKind::PermissionDenied, ErrorKind::Other, ErrorKind::TimedOut] {
            assert!(of(kind), "{kind}");
        }
        for kind in [ErrorKind::NotFound, ErrorKind::NotADirectory, ErrorKind::InvalidData] {
            assert!(!of(kind), "{kind}");
        }
        assert!(!is_of_machine(&anyhow!("it has more than 5000 files")));
    }
}
