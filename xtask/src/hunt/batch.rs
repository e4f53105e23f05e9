//! Making the runs of a batch.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use test_runs::build::TestCase;
use test_runs::process::{self, Item, Limits};
use test_runs::run::Run;

use run_record::choices::Case;

/// Where runs are made.
pub(crate) struct Place<'a> {
    pub(crate) limits: Limits,
    /// A folder for files that are not kept.
    pub(crate) scratch: &'a Path,
    /// Set from outside to end early.
    pub(crate) stop: &'a AtomicBool,
}

impl Place<'_> {
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Makes these runs, in as many processes as it takes one after the other; fewer if it is stopped.
    /// They come back in their order, with the log of the first failure.
    pub(crate) fn run(
        &self,
        test: &TestCase,
        cases: Vec<Case>,
    ) -> Result<Vec<(Case, Run, String)>> {
        let item = |(index, case): (u64, &Case)| Item {
            choices: case.choices.clone(),
            ..Item::new(index, Some(case.seed))
        };
        let mut left: Vec<Item> = (0..).zip(&cases).map(item).collect();
        let mut runs = Vec::new();
        while !left.is_empty() && !self.is_stopped() {
            let finished = process::run(test, &left, &self.limits, self.scratch, self.stop)
                .with_context(|| format!("while running {}", test.name))?;
            runs.extend(finished.runs);
            left = finished.left;
        }
        let with_case = |(case, (run, log)): (Case, (Run, Option<String>))| {
            (case, run, log.unwrap_or_default())
        };
        Ok(cases.into_iter().zip(runs).map(with_case).collect())
    }
}
