//! The command line of `cargo xtask stress`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand, ValueEnum};
use run_record::Clock;
use run_record::schedule::Choice;
use serde::{Deserialize, Serialize};
use test_runs::plan::{Goal, Shard};

use crate::duration::LONGEST;
use crate::which::Which;

/// The most runs of a test: more than anybody has time for.
const MOST_RUNS: u64 = 100_000_000;

/// Repeat each test many times and report what fails, how often, and what it costs.
///
/// Exit codes: 0 fine, 1 failures, 2 over budget, 3 not deterministic, 4 nothing failed but not all was
/// done, 64 wrong command line, 70 the machine is at fault, such as a full disk.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Stress {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Compare two finished runs, named as folders or as names under target/stress.
    #[arg(long, num_args = 2, value_names = ["A", "B"], exclusive = true)]
    pub(crate) compare: Option<Vec<PathBuf>>,
    /// Go on with a run that was stopped or killed, named as a folder or as a name under target/stress.
    #[arg(long, value_name = "RUN", exclusive = true)]
    pub(crate) resume: Option<PathBuf>,
}

/// Repeat the swarm test: any number of servers, any faults at once, and progress in the end.
///
/// It is `stress` of the tests whose names end in `_soak`, with its options, its report and its exit codes; filters
/// choose among these tests. `stress --resume`, `stress --compare` and `stress merge` know its runs too. Each seed
/// draws how many servers there are and which faults a run has: lost, late, overtaken and duplicated messages, cuts in
/// both directions or in one, slow links, crashes, also in the middle of a save, servers that pause, clocks that run
/// fast or slow.
///
/// Of this workspace it is the test of lab 2, unless a filter is the name of another lab's, such as service_soak, or
/// --package names that lab's tests.
#[derive(Args, Clone, Debug)]
pub(crate) struct Soak {
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Command {
    /// Join the reports of several shards or machines into one; anything else among them is left out.
    Merge {
        /// The folders of the reports.
        #[arg(required = true)]
        reports: Vec<PathBuf>,
        /// The folder to write the joint report to.
        #[arg(long)]
        out: PathBuf,
    },
}

#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunArgs {
    /// Run only tests whose names contain one of these, as in `cargo test`: 2A, figure_8, ... One that is in no name
    /// is an error.
    pub(crate) filters: Vec<String>,
    /// How often to run each test [default: 100].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MOST_RUNS))]
    pub(crate) iters: Option<u64>,
    /// Run for so long instead, such as 10m; each test at least once.
    #[arg(long, value_parser = crate::duration::parse, conflicts_with = "iters")]
    pub(crate) duration: Option<Duration>,
    /// Run until the failure rate of every test is below this with 95 % confidence, such as 0.1%,
    /// or a test has failed.
    #[arg(long, value_parser = parse_rate, conflicts_with_all = ["iters", "duration"])]
    pub(crate) until_upper: Option<f64>,
    /// Which clock to run on.
    #[arg(long, value_enum, default_value = "sim")]
    pub(crate) clock: ClockArg,
    /// How simulated runs choose the next task: walk, pct:3, pos or surw; mixed: each seed has one of them.
    #[arg(long, value_name = "S", default_value = "walk")]
    #[serde(default)]
    pub(crate) schedule: Choice,
    /// How many processes to run at once [default: the cores; eight times as many on the real
    /// clock, whose tests mostly sleep].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub(crate) jobs: Option<u64>,
    /// Run so many times more processes than that, to overload the machine on purpose.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub(crate) load: u64,
    /// What all seeds are derived from.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Begin nothing new after the first failure.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) which: Which,
    /// Build and run with optimisations and without debug assertions.
    #[arg(long)]
    pub(crate) release: bool,
    /// The name of the run [default: the time].
    #[arg(long, value_parser = parse_name)]
    pub(crate) name: Option<String>,
    /// The folder for the report [default: target/stress/NAME].
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// Run only the k-th of n parts of the plan; join them with `stress merge`.
    #[arg(long, value_parser = parse_shard, value_name = "K/N", conflicts_with_all = ["duration", "until_upper"])]
    pub(crate) shard: Option<Shard>,
    /// Kill a run that makes no progress for so long. The simulation itself reports earlier.
    #[arg(long, value_parser = crate::duration::parse, default_value = "150s")]
    pub(crate) hang_after: Duration,
    /// How much memory a test process may take, in MiB; only Linux can limit it.
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u64).range(64..))]
    pub(crate) memory: u64,
    /// Of these tests run those only that are a soak. No option: the command decides.
    #[arg(skip)]
    #[serde(default)]
    pub(crate) soak: bool,
}

impl RunArgs {
    /// Which options have no effect beside others, in words; none if all have.
    pub(crate) fn without_effect(&self) -> Option<String> {
        let real = self.clock == ClockArg::Real;
        let given = [
            ("--schedule", !self.schedule.is_default(), "the system chooses which task is next"),
            ("--seed", self.seed != 0, "no run has a seed"),
        ];
        let (option, _, why) = given.into_iter().find(|(_, given, _)| real && *given)?;
        Some(format!("{option} has no effect with --clock real, where {why}"))
    }

    /// When each test has been run often enough; a set time counts from now on.
    pub(crate) fn goal(&self) -> Goal {
        match (self.iters, self.duration, self.until_upper) {
            (_, Some(duration), _) => Goal::Until(Instant::now() + duration.min(LONGEST)),
            (_, _, Some(rate)) => Goal::UpperBound(rate),
            (iters, None, None) => Goal::Iterations(iters.unwrap_or(100)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub(crate) enum ClockArg {
    Sim,
    Real,
    Both,
}

impl ClockArg {
    pub(crate) fn all(self) -> &'static [Clock] {
        match self {
            ClockArg::Sim => &[Clock::Sim],
            ClockArg::Real => &[Clock::Real],
            ClockArg::Both => &[Clock::Sim, Clock::Real],
        }
    }
}

/// Each that is missing is named.
const MOST_SHARDS: u64 = 10_000;

pub(crate) fn parse_shard(text: &str) -> Result<Shard, String> {
    let parsed = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    match parsed {
        Some((k, n)) if (1..=n).contains(&k) && n <= MOST_SHARDS => Ok(Shard { k, n }),
        _ => Err(format!("a shard is written k/n with 1 <= k <= n <= {MOST_SHARDS}, such as 2/4")),
    }
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let (number, scale) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    match number.trim().parse::<f64>().map(|number| number / scale) {
        Ok(rate) if rate > 0.0 && rate < 1.0 => Ok(rate),
        _ => Err("a rate lies between 0 and 1, or 0% and 100%, such as 0.1%".to_string()),
    }
}

pub(crate) fn parse_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match !text.is_empty() && text.chars().all(fits) && !text.starts_with('.') {
        true => Ok(text.to_string()),
        false => Err("a name has letters, digits, `-`, `_` and `.` only".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_rates_and_names_are_checked() {
        assert_eq!(parse_shard("2/4"), Ok(Shard { k: 2, n: 4 }));
        for wrong in ["0/4", "5/4", "1", "a/b", "1/0", "-1/2", "1/18446744073709551615"] {
            assert!(parse_shard(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_rate("0.1%"), Ok(0.001));
        assert_eq!(parse_rate("0.25"), Ok(0.25));
        for wrong in ["0", "1", "100%", "x", "-1%", "nan"] {
            assert!(parse_rate(wrong).is_err(), "{wrong}");
        }
        assert!(parse_name("night-1").is_ok());
        assert!(parse_name("../x").is_err() && parse_name("").is_err());
    }

    #[derive(clap::Parser)]
    struct CommandLine {
        #[command(flatten)]
        stress: Stress,
    }

    fn parsed(line: &str) -> Result<Stress, String> {
        let line = <CommandLine as clap::Parser>::try_parse_from(line.split(' '));
        line.map(|line| line.stress).map_err(|error| error.to_string())
    }

    #[test]
    fn what_says_how_to_make_runs_is_not_ignored_where_none_are_made() {
        for other in ["--iters 5", "--seed 9", "--fail-fast", "--name z", "2A", "--resume C"] {
            for line in
                [format!("stress --compare A B {other}"), format!("stress {other} --compare A B")]
            {
                assert!(parsed(&line).is_err(), "{line}");
            }
        }
        assert!(parsed("stress --compare A B").is_ok());
    }

    #[test]
    fn what_only_simulated_runs_have_is_not_ignored_on_the_real_clock() {
        let words = |line: &str| parsed(line).expect("a command line").run.without_effect();
        for option in ["--schedule pos", "--seed 9"] {
            let said = words(&format!("stress --clock real {option}"));
            assert!(said.is_some_and(|words| words.contains("no effect with --clock real")));
            assert_eq!(words(&format!("stress --clock both {option}")), None);
            assert_eq!(words(&format!("stress {option}")), None);
        }
        assert_eq!(words("stress --clock real"), None);
    }
}
