//! The check that a seed gives the same run twice.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use run_record::Clock;
use test_runs::build::TestCase;
use test_runs::engine::Results;
use test_runs::process::{self, Item, Limits};

use super::model::{Determinism, Difference};

/// One run in so many is repeated, and at least one of each test.
const EVERY: u64 = 100;

/// Repeats some of the simulated runs that passed and compares their hashes.
pub(crate) fn check(
    tests: &[TestCase],
    results: &Results,
    limits: &Limits,
    scratch: &Path,
    stop: &AtomicBool,
) -> Result<Determinism> {
    let mut determinism = Determinism::default();
    for (test, runs) in tests.iter().zip(results) {
        if test.program.clock == Clock::Real {
            continue;
        }
        let passed = runs.iter().map(|(run, _)| run).filter(|run| run.failure.is_none());
        let first = passed.clone().map(|run| run.index).min();
        let chosen: Vec<_> =
            passed.filter(|run| run.index % EVERY == 0 || Some(run.index) == first).collect();
        let items: Vec<Item> =
            chosen.iter().map(|run| Item { index: run.index, seed: run.seed }).collect();
        if items.is_empty() {
            continue;
        }
        let again = process::run(test, &items, limits, scratch, stop)?;
        for (once, (twice, _)) in chosen.iter().zip(&again.runs) {
            determinism.repeated += 1;
            if once.hash != twice.hash {
                let seed = once.seed.unwrap_or_default();
                let words = first_difference(test, seed)?;
                determinism.differences.push(Difference { test: test.name.clone(), seed, words });
            }
        }
    }
    Ok(determinism)
}

/// Has the test itself make the run twice, event by event; it says where they differ.
fn first_difference(test: &TestCase, seed: u64) -> Result<String> {
    let output = Command::new(&test.program.path)
        .args(["--exact", &test.name])
        .current_dir(&test.program.dir)
        .env_remove(run_record::VARIABLE)
        .env_remove("LAB_SEEDS")
        .env("LAB_SEED", seed.to_string())
        .output()
        .with_context(|| format!("cannot run {}", test.program.path.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = text.lines().find(|line| line.contains("At step"));
    Ok(words.map_or_else(
        || "the hashes differ between two processes, but not within one".to_string(),
        |line| line.trim().to_string(),
    ))
}
