//! How often a setting fails: with seeds that had no part in finding it.

use run_record::setting::Setting;
use serde::Serialize;
use test_runs::plan;
use test_runs::stats::wilson;

use super::trials::{Halt, World};

/// So many runs at a time, so that a budget that ends leaves what was seen until then.
const BATCH: u64 = 20;

/// How some runs of a setting ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Rate {
    pub(crate) runs: u64,
    /// Those that failed with the same verdict.
    pub(crate) same: u64,
    /// Those that failed with another one.
    pub(crate) other: u64,
    pub(crate) passed: u64,
}

impl Rate {
    /// The share of the same verdict, and its 95 % Wilson interval.
    pub(crate) fn share(&self) -> (f64, (f64, f64)) {
        (self.same as f64 / self.runs.max(1) as f64, wilson(self.same, self.runs))
    }
}

/// Runs a setting with so many seeds, or fewer if the time ends.
///
/// # Errors
/// If runs cannot be made.
pub(crate) fn count(
    world: &mut dyn World,
    setting: &Setting,
    (test, origin): (&str, u64),
    wanted: &str,
    seeds: u64,
) -> anyhow::Result<Rate> {
    // Others than those of the search: a setting was kept because some of those fail with it.
    let seed = |number| plan::seed(origin, &format!("neighbours of {test}"), number);
    let mut rate = Rate::default();
    for begin in (0..seeds).step_by(BATCH as usize) {
        let batch: Vec<u64> = (begin..seeds.min(begin + BATCH)).map(seed).collect();
        let outcomes = match world.run(setting, &batch) {
            Ok(outcomes) => outcomes,
            Err(Halt::Broken(error)) => return Err(error),
            Err(Halt::Budget | Halt::Tries | Halt::Interrupted) => break,
        };
        for outcome in outcomes {
            rate.runs += 1;
            match outcome {
                None => rate.passed += 1,
                Some(failed) if failed.verdict.name() == wanted => rate.same += 1,
                Some(_) => rate.other += 1,
            }
        }
    }
    Ok(rate)
}
