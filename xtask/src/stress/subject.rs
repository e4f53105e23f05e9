//! What is run: the facts that two reports must agree in to be parts of one.

use std::path::Path;
use std::process::Command;

use test_runs::package::Package;
use test_runs::plan::Goal;

use super::args::RunArgs;
use super::model::Subject;
use super::program::Program;

/// What these arguments run, of this program.
pub(crate) fn subject(args: &RunArgs, package: &Package, program: Program) -> Subject {
    let goal = args.goal();
    let in_words = match goal {
        Goal::Iterations(n) => format!("{n} runs each"),
        Goal::Until(_) => "for a set time".to_string(),
        Goal::UpperBound(rate) => format!("until each surely fails below {} %", rate * 100.0),
    };
    Subject {
        package: package.name.clone(),
        profile: if args.release { "release" } else { "debug" }.into(),
        commit: commit(&package.dir),
        filters: args.filters.clone(),
        seed: args.seed,
        schedule: args.schedule,
        goal: in_words,
        iterations: match goal {
            Goal::Iterations(n) => Some(n),
            _ => None,
        },
        program: Some(program),
        stops_at_failure: args.fail_fast || matches!(goal, Goal::UpperBound(_)),
    }
}

/// The commit of the code in a directory, with `+` if files that git knows have changed since.
pub(crate) fn commit(dir: &Path) -> Option<String> {
    let commit = git(dir, &["rev-parse", "HEAD"])?;
    let changed = git(dir, &["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changed.is_empty() { commit } else { commit + "+" })
}

/// What git says in a directory; none if it cannot.
pub(super) fn git(dir: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(dir).args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}
