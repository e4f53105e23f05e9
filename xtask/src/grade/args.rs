//! The command line of `cargo xtask grade`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;

/// Run the suite on a student's crate and give points for each part.
///
/// A test earns its share of the part's points times the share of its runs that passed. The exit code
/// is 0 whatever the points are, and 70 if there can be no result or grading was interrupted.
#[derive(Args, Clone, Debug)]
pub(crate) struct Grade {
    /// The student's crate.
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// With how many seeds each test runs.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seeds: u64,
    /// What the seeds are derived from; the same for all students of a class.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Stop after so long, such as 10m. Runs that were not made then count as failed.
    #[arg(long, value_parser = humantime::parse_duration, value_name = "TIME")]
    pub(crate) time_limit: Option<Duration>,
    /// A JSON file with the points of each part, such as {"2A": 30, "2B": 35, "2C": 35}.
    #[arg(long)]
    pub(crate) weights: Option<PathBuf>,
    /// The type that implements `raft_api::Raft`, within the crate [default: Raft].
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) raft: Option<String>,
    /// The folder for grade.txt, grade.json and results.json (for Gradescope) [default:
    /// target/grade/NAME].
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
}

/// The points of each part.
pub(crate) type Weights = BTreeMap<String, f64>;

/// Reads the points of each part from a file; those of the lab without one.
pub(crate) fn read_weights(file: Option<&Path>) -> Result<Weights> {
    let Some(file) = file else {
        return Ok([("2A", 30.0), ("2B", 35.0), ("2C", 35.0)].map(|(p, w)| (p.into(), w)).into());
    };
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let weights: Weights = serde_json::from_str(&text).with_context(|| {
        format!("{} must be JSON such as {{\"2A\": 30, \"2B\": 70}}", file.display())
    })?;
    for (part, points) in &weights {
        ensure!(["2A", "2B", "2C", "2D"].contains(&part.as_str()), "there is no part `{part}`");
        ensure!(*points >= 0.0, "part {part} has {points} points");
    }
    Ok(weights)
}
