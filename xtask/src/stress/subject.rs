//! What is run: the facts that two reports must agree in to be parts of one.

use std::path::Path;
use std::process::Command;

use test_runs::package::Package;
use test_runs::plan::Goal;

use super::args::RunArgs;
use super::model::Subject;
use super::program::Program;
use super::words;

/// What these arguments run, of this program.
pub(crate) fn subject(args: &RunArgs, package: &Package, program: Program) -> Subject {
    let goal = args.goal();
    Subject {
        package: package.name.clone(),
        profile: if args.release { "release" } else { "debug" }.into(),
        commit: commit(&package.dir),
        filters: args.filters.clone(),
        seed: args.seed,
        schedule: args.schedule,
        goal: in_words(&goal),
        iterations: match goal {
            Goal::Iterations(n) => Some(n),
            _ => None,
        },
        program: Some(program),
        stops_at_failure: args.fail_fast || matches!(goal, Goal::UpperBound(_)),
    }
}

/// When each test has been run often enough.
fn in_words(goal: &Goal) -> String {
    match goal {
        Goal::Iterations(n) => format!("{n} runs each"),
        Goal::Until(_) => "for a set time".to_string(),
        Goal::UpperBound(rate) => {
            format!("until each surely fails below {}", words::percent(*rate))
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_said_with_no_more_digits_than_a_rate_has() {
        // A hundred times this is no number of two digits.
        let goal = in_words(&Goal::UpperBound(0.000_7));
        assert_eq!(goal, "until each surely fails below 0.0700 %");
        assert_eq!(in_words(&Goal::UpperBound(0.02)), "until each surely fails below 2.00 %");
    }
}
