//! The command line of `cargo xtask shrink`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser};
use run_record::choices::Choices;
use run_record::schedule::Choice;
use run_record::setting::Setting;

use super::case::Case;
use crate::shell;
use crate::which::Which;

/// Find the smallest case in which a simulated run still fails as it does.
///
/// Exit codes: 0 found, 1 the seed does not fail, 4 ended before the first run, 64 wrong command line, 70 it could
/// not be done.
#[derive(Args, Clone, Debug)]
pub(crate) struct Shrink {
    /// The test that fails, by its name or a part that no other test has: figure_8_2C, ...
    #[arg(long)]
    pub(crate) test: String,
    /// The seed it fails with.
    #[arg(long)]
    pub(crate) seed: u64,
    /// From when on the runs draw other numbers than their seeds would, as LAB_CHOICES says it.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) choices: Choices,
    /// What has been taken away from the test already, as LAB_SETTING says it.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) setting: Setting,
    /// How the runs choose the next task: walk, pct:3, pos or surw; mixed: each seed has one of them.
    #[arg(long, value_name = "S", default_value = "walk")]
    pub(crate) schedule: Choice,
    /// How long to search and count; what has been found by then is the result.
    #[arg(long, value_parser = crate::duration::parse, default_value = "60s")]
    pub(crate) budget: Duration,
    /// Make at most so many runs for the search, so that the result does not depend on the machine.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) tries: Option<u64>,
    /// With how many seeds to try a setting before it counts as one that does not fail.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) seeds: u64,
    /// With how many other seeds to count how often the smallest setting and the whole test fail.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(..=100_000))]
    pub(crate) neighbours: u64,
    #[command(flatten)]
    pub(crate) which: Which,
    /// Build and run with optimisations and without debug assertions.
    #[arg(long)]
    pub(crate) release: bool,
    /// Do not try settings on the reference: what fails may then fail with any solution.
    #[arg(long)]
    pub(crate) no_reference: bool,
    /// How many processes to run at once [default: the cores].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub(crate) jobs: Option<u64>,
    /// The folder for the trace of the smallest case [default: target/traces/PACKAGE/changed].
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// Write the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Kill a run that makes no progress for so long; the first and the last have six times as long.
    #[arg(long, value_parser = crate::duration::parse, default_value = "5s")]
    pub(crate) hang_after: Duration,
    /// How much memory a test process may take, in MiB; only Linux can limit it.
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u64).range(64..))]
    pub(crate) memory: u64,
}

impl Shrink {
    /// The command that goes on where a search has ended, with all options of this one.
    pub(crate) fn go_on(&self, case: &Case) -> String {
        let variables = shell::variables(&case.failed.replay);
        let test = run_record::shell::word(&self.test);
        let mut command =
            format!("{variables}cargo xtask shrink --test {test} --seed {}", case.seed);
        if !case.setting.is_whole() {
            command += &format!(" --setting '{}'", case.setting);
        }
        if !self.choices.is_empty() {
            command += &format!(" --choices {}", self.choices);
        }
        if !self.schedule.is_default() {
            command += &format!(" --schedule {}", self.schedule);
        }
        command + &self.which.again() + &self.numbers() + &self.switches()
    }

    /// The options with a value that are not as they would be without a word.
    fn numbers(&self) -> String {
        let usual = Line::parse_from(["shrink", "--test", "t", "--seed", "0"]).shrink;
        let duration = |of: Duration| humantime::format_duration(of).to_string().replace(' ', "");
        let path = |of: &Option<PathBuf>| of.as_deref().map(shell::quoted);
        let number = |of: u64| Some(of.to_string());
        let of = |args: &Shrink| {
            [
                ("--budget", Some(duration(args.budget))),
                ("--tries", args.tries.map(|tries| tries.to_string())),
                ("--seeds", number(args.seeds)),
                ("--neighbours", number(args.neighbours)),
                ("--jobs", args.jobs.map(|jobs| jobs.to_string())),
                ("--out", path(&args.out)),
                ("--hang-after", Some(duration(args.hang_after))),
                ("--memory", number(args.memory)),
            ]
        };
        let changed = of(self).into_iter().zip(of(&usual)).filter(|(now, usual)| now != usual);
        let said = changed.filter_map(|((name, value), _)| Some(format!(" {name} {}", value?)));
        said.collect()
    }

    /// The options without a value.
    fn switches(&self) -> String {
        let all = [
            (self.release, " --release"),
            (self.no_reference, " --no-reference"),
            (self.json, " --json"),
        ];
        all.into_iter().filter(|(given, _)| *given).map(|(_, name)| name).collect()
    }
}

/// A command line of nothing else: it knows what is usual.
#[derive(Parser)]
struct Line {
    #[command(flatten)]
    shrink: Shrink,
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::super::case::{Failed, Verdict};
    use super::*;

    /// The words of a command as a shell takes them.
    fn words(command: &str) -> Vec<String> {
        let print = format!("printf '%s\\n' {command}");
        let said = std::process::Command::new("sh").args(["-c", &print]).output();
        let said = String::from_utf8(said.expect("sh runs").stdout).expect("a text");
        said.lines().map(str::to_string).collect()
    }

    fn again(line: &str) -> (Shrink, Shrink) {
        let parsed = |words: Vec<String>| Line::try_parse_from(words).expect("a command").shrink;
        let first = parsed(words(line));
        let failed = Failed {
            verdict: Verdict::default(),
            troubles: None,
            lab_us: None,
            replay: "A='x  y' LAB_SEED=7 cargo test".into(),
        };
        let setting: Setting = "losses=0,cuts=1".parse().expect("a setting");
        let command = first.go_on(&Case { setting, seed: 9, failed });
        let rest = command.strip_prefix("A='x  y' cargo xtask ").expect("its variables");
        (Shrink { setting, seed: 9, ..first }, parsed(words(rest)))
    }

    #[test]
    fn the_command_that_goes_on_has_all_options() {
        for line in [
            "shrink --test figure_8_2C --seed 7",
            "shrink --test figure_8_2C --seed 7 --choices 1.5:3 --schedule pct:3 --budget 90s \
             --tries 500 --seeds 100 --neighbours 0 --package my-raft --dir '../a b' --release \
             --no-reference --jobs 3 --out 'x  y' --json --hang-after 1500ms --memory 100",
        ] {
            let (expected, found) = again(line);
            assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{line}");
        }
    }
}
