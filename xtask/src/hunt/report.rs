//! What is said of a failure that was found.

use std::path::Path;

use run_record::schedule::Choice;
use test_runs::run::RunFailure;
use trace_view::{clean, clean_lines};

use super::corpus::Found;
use crate::shell;

/// The test, its seed and choices, the verdict, and the commands that go on from there.
///
/// Nothing in it steers a terminal. Words of the code under test may be several lines; these are set in.
///
/// `again`: the options of the hunt that the others have too. `log`: where its log is; none if that could not be kept.
pub(crate) fn of(
    found: &Found,
    failure: &RunFailure,
    schedule: Choice,
    again: &str,
    log: Option<&Path>,
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
    let (variables, replay) = (clean(&shell::variables(replay)), clean(replay));
    format!(
        "{test}: {}\n\
         \n  found    run {runs}: {case}\n  \
         replay   {replay}\n  \
         trace    {variables}cargo xtask trace {options}\n  \
         shrink   {variables}cargo xtask shrink {options}\n  \
         log      {}\n",
        clean_lines(failure.verdict().trim_end()).replace('\n', "\n  "),
        log.map_or("could not be kept".into(), |log| clean(&shell::quoted(log)))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use run_record::choices::Case;

    #[test]
    fn words_of_the_code_neither_steer_a_terminal_nor_look_like_ours() {
        const EVIL: &str = "\x1b]0;x\x07 \u{202e}dlrow\u{2066}\n\n  replay   rm -rf x";
        let found = Found {
            test: "churn_2C".into(),
            case: Case { seed: 3, choices: Default::default() },
            runs: 40,
            verdict: EVIL.into(),
            replay: format!("A='{EVIL}' cargo test"),
        };
        let failure = RunFailure { text: EVIL.into(), ..RunFailure::new(EVIL, EVIL) };
        let text = of(&found, &failure, Choice::default(), "", Some(Path::new("a\x1b.txt")));
        assert!(!text.contains(['\x1b', '\x07', '\u{202e}', '\u{2066}']), "{text:?}");
        let replays = text.lines().filter(|line| line.starts_with("  replay "));
        assert_eq!(replays.count(), 1, "{text}");
    }

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
        let text = of(&found, &failure, schedule, again, Some(Path::new("a.txt")));
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
