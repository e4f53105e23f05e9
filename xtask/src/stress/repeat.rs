//! Making runs once more: does a seed give the same run twice, and does a failure need only its seed?
//!
//! A run is repeated as the first one of a process, where it can. So what an earlier run has left behind,
//! such as the value of a static, shows.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use run_record::Clock;
use test_runs::build::TestCase;
use test_runs::engine;
use test_runs::process::{self, Item, Limits, NOT_ALONE};
use test_runs::run::{Run, RunFailure};

use super::model::{Alone, Determinism, Difference, Group};
use super::tally::Tally;

/// What lets a seed give two different runs, in words.
pub(crate) const CAUSES: &str = "usual causes: the order of a HashMap or HashSet; a static or thread-local value that outlives a \
     run; the clock of std or random numbers of the operating system instead of labrt's";

/// So many runs are repeated in one process.
const TOGETHER: usize = 50;
/// So many kinds of failures are tried again, the most frequent first.
const MOST_GROUPS: usize = 50;

/// How runs are made here.
pub(crate) struct Again<'a> {
    pub(crate) tests: &'a [TestCase],
    pub(crate) jobs: usize,
    pub(crate) limits: &'a Limits,
    pub(crate) scratch: &'a Path,
    pub(crate) stop: &'a AtomicBool,
}

impl Again<'_> {
    /// Repeats some of the simulated runs that passed and compares their hashes.
    pub(crate) fn passed(&self, tallies: &[Tally]) -> Result<Determinism> {
        let simulated = self.tests.iter().zip(tallies).filter(|(test, _)| is_simulated(test));
        let some: Vec<_> = simulated
            .flat_map(|(test, tally)| {
                tally.to_repeat().chunks(TOGETHER).map(move |runs| (test, runs))
            })
            .collect();
        let parts = engine::each(self.jobs, &some, |(test, runs)| self.compare(test, runs))?;
        let mut whole = Determinism::default();
        for part in parts {
            whole.repeated += part.repeated;
            whole.differences.extend(part.differences);
        }
        Ok(whole)
    }

    fn compare(&self, test: &TestCase, runs: &[Run]) -> Result<Determinism> {
        let mut determinism = Determinism::default();
        let items: Vec<Item> = runs.iter().map(item).collect();
        let again = process::run(test, &items, self.limits, self.scratch, self.stop)?;
        for (once, (twice, _)) in runs.iter().zip(&again.runs) {
            determinism.repeated += 1;
            if once.hash != twice.hash {
                let seed = once.seed.unwrap_or_default();
                let words = first_difference(test, seed)?;
                determinism.differences.push(Difference { test: test.name.clone(), seed, words });
            }
        }
        Ok(determinism)
    }

    /// Makes the first failure of each group once more, alone, and notes what came of it.
    pub(crate) fn failed(&self, groups: &mut [(&TestCase, &mut Group)]) -> Result<()> {
        groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.count));
        let tried: Vec<_> = groups
            .iter()
            .take(MOST_GROUPS)
            .map(|(test, group)| (*test, group.first.clone()))
            .collect();
        let alone = engine::each(self.jobs, &tried, |(test, run)| self.alone(test, run))?;
        for ((_, group), alone) in groups.iter_mut().zip(alone) {
            group.alone = alone;
        }
        Ok(())
    }

    fn alone(&self, test: &TestCase, run: &Run) -> Result<Option<Alone>> {
        let Some(failure) = run.failure.as_ref().filter(|_| is_simulated(test)) else {
            return Ok(None);
        };
        // It was made again already, when it took its process down.
        if failure.message.ends_with(NOT_ALONE) {
            return Ok(Some(Alone { same: false, words: "it passed then".into() }));
        }
        // None of the runs of its process counts; which of them forged a record, nobody knows.
        if failure.kind == "records" {
            return Ok(None);
        }
        // As the first of its process it would hang for as long again, and show nothing.
        if failure.kind == "hang" && run.before == 0 {
            return Ok(None);
        }
        let again = process::run(test, &[item(run)], self.limits, self.scratch, self.stop)?;
        let Some((again, _)) = again.runs.first() else { return Ok(None) };
        Ok(Some(match &again.failure {
            None => Alone { same: false, words: "it passed then".into() },
            Some(other) if alike(failure, other) => Alone { same: true, words: String::new() },
            Some(other) => Alone {
                same: false,
                words: format!("it failed otherwise then, {}: {}", other.title(), other.message),
            },
        }))
    }
}

/// Whether a run has failed in the same way again. Which limit a runaway program meets first is a
/// question of how busy the machine is.
fn alike(a: &RunFailure, b: &RunFailure) -> bool {
    let runaway = |failure: &RunFailure| {
        ["hang", "memory", "output", "stuck"].contains(&failure.kind.as_str())
    };
    (a.kind == b.kind && a.check == b.check) || (runaway(a) && runaway(b))
}

fn is_simulated(test: &TestCase) -> bool {
    test.program.clock == Clock::Sim
}

fn item(run: &Run) -> Item {
    Item::new(run.index, run.seed)
}

/// Has the test itself make the run twice, event by event; it says where they differ.
fn first_difference(test: &TestCase, seed: u64) -> Result<String> {
    let output = Command::new(&test.program.path)
        .args(["--exact", &test.name])
        .current_dir(&test.program.dir)
        .env_remove(run_record::VARIABLE)
        .env_remove("LAB_SEEDS")
        .env_remove(run_record::choices::VARIABLE)
        .env("LAB_SEED", seed.to_string())
        .env(run_record::schedule::VARIABLE, test.schedule.to_string())
        .output()
        .with_context(|| format!("cannot run {}", test.program.path.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = text.lines().find(|line| line.contains("At step"));
    Ok(words.map_or_else(
        || {
            "the run was another one in a process of its own; within one process it is the same"
                .into()
        },
        |line| line.trim().to_string(),
    ))
}
