//! The tasks of this workspace: `cargo xtask --help`.
// They panic when a pipe is closed or a disk is full: `say` has what does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "this crate runs processes, not simulations"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};

mod autograder;
mod calibrate;
mod demands;
mod duration;
mod fuzz;
mod grade;
mod history;
mod hunt;
mod labs;
mod lock;
mod model;
mod page;
mod platforms;
mod progress;
mod readme;
mod sample_class;
mod samples;
mod say;
mod shell;
mod shrink;
mod skeleton;
mod stress;
mod trace;
mod traces;
mod under_test;
mod which;

/// Tasks of the Raft lab's workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Write a small crate to begin one's own solution of a lab in, with the lab's tests.
    Skeleton {
        /// The directory to write it to; must not exist, or be empty. Its name names the crate.
        dir: PathBuf,
        /// The lab: 2 (Raft), 3 (a key/value service) or 4 (the same in shards); or rsm, the layer between Raft and
        /// a service.
        #[arg(long, default_value = "2", value_parser = labs::Lab::to_begin)]
        lab: &'static labs::Lab,
    },
    Stress(Box<stress::Stress>),
    Soak(Box<stress::Soak>),
    Hunt(Box<hunt::Hunt>),
    Shrink(Box<shrink::Shrink>),
    Grade(Box<grade::Grade>),
    Autograder(autograder::Autograder),
    Calibrate(calibrate::Calibrate),
    SampleClass(sample_class::SampleClass),
    History(history::History),
    Demands(demands::Demands),
    Fuzz(fuzz::Fuzz),
    Model(model::Model),
    Trace(Box<trace::Trace>),
    /// Run each command that the README shows.
    Readme,
    /// Check that the commands of docs/debugging.md still say what it shows.
    Samples,
    /// Check that the workspace's libraries and programs build on other systems, as far as the toolchain has their
    /// targets.
    Platforms,
}

impl Args {
    /// Refuses options that have no effect beside others, as far as clap cannot tell.
    fn checked(self) -> Result<Args, clap::Error> {
        let words = match &self.task {
            Task::Stress(stress) => stress.run.without_effect(),
            Task::Soak(soak) => soak.run.without_effect(),
            Task::Hunt(hunt) => hunt.without_effect(),
            _ => None,
        };
        match words {
            Some(words) => Err(Args::command().error(ErrorKind::ArgumentConflict, words)),
            None => Ok(self),
        }
    }
}

/// What a wrong command line ends with (`EX_USAGE` of sysexits).
const USAGE: u8 = 64;

/// What a task ends with that could not do its work (`EX_SOFTWARE` of sysexits).
const BROKEN: u8 = 70;

/// The root of this workspace.
fn workspace() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// What is in a folder; nothing if it cannot be read.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Cargo: the one that runs us, if one does.
fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn main() -> ExitCode {
    if let Some(code) = test_runs::room::enter_if_asked() {
        return code;
    }
    test_runs::watchdog::serve_if_asked();
    test_runs::watchdog::stop_together();
    let args = match Args::try_parse().and_then(Args::checked) {
        Ok(args) => args,
        Err(error) => {
            // Help and version are no errors, and go to standard output.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let done = match args.task {
        Task::Skeleton { dir, lab } => skeleton::write(&dir, lab).map(|()| 0),
        Task::Stress(stress) => stress::run(&stress),
        Task::Soak(soak) => stress::soak(*soak),
        Task::Hunt(hunt) => hunt::run(&hunt),
        Task::Shrink(shrink) => shrink::run(&shrink),
        Task::Grade(grade) => grade::run(&grade),
        Task::Autograder(autograder) => autograder::write(&autograder).map(|()| 0),
        Task::Calibrate(calibrate) => calibrate::run(&calibrate),
        Task::SampleClass(sample) => sample_class::write(&sample).map(|()| 0),
        Task::History(history) => history::run(&history),
        Task::Demands(demands) => demands::run(&demands).map(|()| 0),
        Task::Fuzz(fuzz) => fuzz::run(&fuzz).map(|()| 0),
        Task::Model(model) => model::run(&model),
        Task::Trace(trace) => trace::run(&trace).map(|()| 0),
        Task::Readme => readme::run().map(|()| 0),
        Task::Samples => samples::run().map(|()| 0),
        Task::Platforms => platforms::run().map(|()| 0),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // A command line may hold another one.
            if let Some(error) = error.downcast_ref::<clap::Error>() {
                let _ = error.print();
                return ExitCode::from(USAGE);
            }
            if error.is::<test_runs::build::Interrupted>() {
                say::note(&error.to_string());
                return ExitCode::from(stress::NOT_WHOLE);
            }
            say::note(&format!("error: {error:#}"));
            ExitCode::from(BROKEN)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_do_nothing_is_refused_with_the_whole_command() {
        let refused = |line: &str| {
            let parsed = Args::try_parse_from(line.split(' ')).and_then(Args::checked);
            parsed.err().map(|error| (error.use_stderr(), error.to_string()))
        };
        for task in ["stress", "soak"] {
            let (error, words) =
                refused(&format!("xtask {task} --clock real --seed 9")).expect("no");
            assert!(error && words.contains("--seed has no effect with --clock real"), "{words}");
            assert_eq!(refused(&format!("xtask {task} --seed 9")), None);
        }
        for line in ["--by nothing --measure 5", "--by situations,nothing"] {
            let (error, words) = refused(&format!("xtask hunt --runs 5 {line}")).expect("no");
            assert!(error && words.contains("--by nothing has no effect"), "{words}");
        }
        for line in ["--by nothing", "--measure 5", "--measure 5 --by pairs,states"] {
            assert_eq!(refused(&format!("xtask hunt --runs 5 {line}")), None);
        }
        for line in ["xtask fuzz --iters", "xtask hunt --runs 5 --measure"] {
            assert_eq!(refused(&format!("{line} 1")), None);
            assert!(refused(&format!("{line} 0")).is_some(), "{line}");
        }
    }
}
