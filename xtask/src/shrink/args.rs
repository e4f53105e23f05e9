//! The command line of `cargo xtask shrink`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use run_record::choices::Choices;
use run_record::schedule::Choice;
use run_record::setting::Setting;

use crate::which::Which;

/// Find the smallest case in which a simulated run still fails as it does.
///
/// Exit codes: 0 found, 1 the seed does not fail, 64 wrong command line, 70 it could not be done.
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
