//! What is said of a failure that was found.

use std::path::Path;

use run_record::schedule::Choice;
use test_runs::run::RunFailure;

use super::corpus::Found;
use crate::shell;

/// The test, its seed and choices, the verdict, and the commands that go on from there.
///
/// `again`: the options of the hunt that the others have too.
pub(crate) fn of(
    found: &Found,
    failure: &RunFailure,
    schedule: Choice,
    again: &str,
    log: &Path,
) -> String {
    let Found { test, case, runs, replay, .. } = found;
    let mut options = format!("--test {test} --seed {}", case.seed);
    if !case.choices.is_empty() {
        options += &format!(" --choices {}", case.choices);
    }
    if !schedule.is_default() {
        options += &format!(" --schedule {}", schedule.of_seed(case.seed));
    }
    options += again;
    let variables = shell::variables(replay);
    format!(
        "{test}: {}\n\
         \n  found    run {runs}: {case}\n  \
         replay   {replay}\n  \
         trace    {variables}cargo xtask trace {options}\n  \
         shrink   {variables}cargo xtask shrink {options}\n  \
         log      {}\n",
        failure.verdict().trim_end(),
        shell::quoted(log)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use run_record::choices::Case;

    #[test]
    fn a_failure_says_how_to_go_on() {
        let replay = "LAB_CHOICES=1.500000:7 RAFT_ZOO=LockOrder LAB_SEED=3 cargo test -p raft-zoo";
        let found = Found {
            test: "churn_2C".into(),
            case: Case { seed: 3, choices: "1.5:7".parse().expect("choices") },
            runs: 40,
            verdict: "deadlock".into(),
            replay: replay.into(),
        };
        let failure = RunFailure::new("deadlock", "it is stuck");
        let (schedule, again) =
            ("pos".parse().expect("a schedule"), " --package raft-zoo --release");
        let text = of(&found, &failure, schedule, again, Path::new("a.txt"));
        let options = "--test churn_2C --seed 3 --choices 1.500000:7 --schedule pos \
                       --package raft-zoo --release";
        for line in [
            "churn_2C: it is stuck".to_string(),
            "  found    run 40: seed 3, choices 1.500000:7".to_string(),
            format!("  replay   {replay}"),
            format!("  trace    RAFT_ZOO=LockOrder cargo xtask trace {options}"),
            format!("  shrink   RAFT_ZOO=LockOrder cargo xtask shrink {options}"),
            "  log      a.txt".to_string(),
        ] {
            assert!(text.lines().any(|one| one == line), "no `{line}` in {text}");
        }
    }
}
