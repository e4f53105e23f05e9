//! The command line of `cargo xtask hunt`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use run_record::coverage::Kind;
use run_record::schedule::Choice;
use run_record::setting::Setting;

use crate::stress::parse_name;
use crate::which::Which;

/// Search for a run that fails, guided by what was seen in the runs before.
///
/// Runs in which something new was seen are kept, and made again with other random choices from some
/// moment on. A test is done when a run of it has failed.
///
/// Exit codes: 0 nothing failed, 1 failures, 4 ended before the first run, 64 wrong command line, 70 the machine is at
/// fault.
#[derive(Args, Clone, Debug)]
pub(crate) struct Hunt {
    /// Run only tests whose names contain one of these, as in `cargo test`: 2A, figure_8, ... One that is in no name
    /// is an error.
    pub(crate) filters: Vec<String>,
    /// How long to search [default: 5m, if --runs does not end it].
    #[arg(long, value_parser = crate::duration::parse)]
    pub(crate) duration: Option<Duration>,
    /// How many runs of each test to make at most, those of earlier hunts not counted.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) runs: Option<u64>,
    /// What all choices are derived from.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// What to go by; with `nothing` each run has a seed of its own.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [By::Situations])]
    pub(crate) by: Vec<By>,
    /// How runs choose the next task: walk, pct:3, pos or surw; mixed: each seed has one of them.
    #[arg(long, value_name = "S", default_value = "walk")]
    pub(crate) schedule: Choice,
    /// What to take away from the tests, such as losses=0,crashes=2.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) setting: Setting,
    /// Measure instead: make so many searches of each test that end with the first failure, guided and
    /// with seeds alone, and show how many runs and how much CPU time they took.
    #[arg(long, value_name = "SEARCHES", requires = "runs",
        value_parser = clap::value_parser!(u64).range(1..=100_000), conflicts_with_all = ["duration", "name", "out"])]
    pub(crate) measure: Option<u64>,
    #[command(flatten)]
    pub(crate) which: Which,
    /// Build and run with optimisations and without debug assertions.
    #[arg(long)]
    pub(crate) release: bool,
    /// How many processes to run at once [default: the cores].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub(crate) jobs: Option<u64>,
    /// The name of the hunt [default: the package]; one of that name is gone on with.
    #[arg(long, value_parser = parse_name)]
    pub(crate) name: Option<String>,
    /// The folder for what is kept [default: target/hunt/NAME].
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// Kill a run that makes no progress for so long. The simulation itself reports earlier.
    #[arg(long, value_parser = crate::duration::parse, default_value = "150s")]
    pub(crate) hang_after: Duration,
    /// How much memory a test process may take, in MiB; only Linux can limit it.
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u64).range(64..))]
    pub(crate) memory: u64,
}

/// A kind of coverage, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// How often servers came into which situation.
    Situations,
    /// Which kinds of events followed on each other at a server.
    Pairs,
    /// What the servers of a group were like together.
    States,
    /// Nothing.
    Nothing,
}

impl Hunt {
    /// The kinds of coverage to go by.
    pub(crate) fn kinds(&self) -> BTreeSet<Kind> {
        let kind = |by: &By| match by {
            By::Situations => Some(Kind::Situations),
            By::Pairs => Some(Kind::Pairs),
            By::States => Some(Kind::States),
            By::Nothing => None,
        };
        self.by.iter().filter_map(kind).collect()
    }

    /// Which options have no effect beside others, in words; none if all have.
    pub(crate) fn without_effect(&self) -> Option<String> {
        if !self.by.contains(&By::Nothing) {
            return None;
        }
        if !self.kinds().is_empty() {
            return Some("--by nothing has no effect beside what there is to go by".into());
        }
        let words =
            "--by nothing has no effect with --measure, which always shows seeds alone, too";
        self.measure.map(|_| words.into())
    }

    /// The options of this hunt that `trace` and `shrink` have too, as they were given.
    pub(crate) fn again(&self) -> String {
        let setting = match self.setting.is_whole() {
            true => String::new(),
            false => format!(" --setting '{}'", self.setting),
        };
        let release = if self.release { " --release" } else { "" };
        setting + &self.which.again() + release
    }
}
