//! Making runs once more: does a seed give the same run twice, and does a failure need only its seed?
//!
//! A run is repeated as the first one of a process, where it can. So what an earlier run has left behind,
//! such as the value of a static, shows.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use run_record::Clock;
use test_runs::build::TestCase;
use test_runs::engine;
use test_runs::process::{self, Item, Limits, NOT_ALONE, Told};
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
                let words = self.first_difference(test, once)?;
                determinism.differences.push(Difference { test: test.name.clone(), seed, words });
            }
        }
        Ok(determinism)
    }

    /// Has the test itself make the run twice, event by event; it says where they differ.
    fn first_difference(&self, test: &TestCase, run: &Run) -> Result<String> {
        let hang_after = self.limits.hang_after * PATIENCE;
        let limits = Limits { hang_after, ..self.limits.clone() };
        let told = process::by_itself(test, &item(run), &limits, self.scratch, self.stop)?;
        Ok(where_they_part(&told))
    }

    /// Makes the first failure of each group once more, alone, and notes what came of it. Those that are not told apart
    /// have no first one that stands for them.
    pub(crate) fn failed(&self, groups: &mut [(&TestCase, &mut Group)]) -> Result<()> {
        groups.sort_by_key(|(_, group)| group.place());
        let tried: Vec<_> = groups
            .iter()
            .take_while(|(_, group)| !group.mixed)
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

/// The test makes such a run four times itself, two of them with each step recorded, and tells nothing meanwhile. So it
/// may make no progress for so many times longer.
const PATIENCE: u32 = 6;

/// Where two runs of a seed part, in words, as the test itself says it.
fn where_they_part(told: &Told) -> String {
    let step = told.output.lines().find(|line| line.contains("At step"));
    match (step, &told.ended) {
        (Some(step), _) => step.trim().to_string(),
        (None, Some(words)) => {
            format!("the run was another one; made again to see where, {words}")
        }
        (None, None) => {
            "the run was another one in a process of its own; within one process it is the same"
                .into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_two_runs_part_is_said_or_why_nobody_knows() {
        let words = |output: &str, ended: Option<&str>| {
            where_they_part(&Told { output: output.into(), ended: ended.map(str::to_string) })
        };
        assert_eq!(words("x\n  At step 7 of 9.\ny", Some("it hung")), "At step 7 of 9.");
        let hung = words("x", Some("it made no progress and was killed"));
        assert!(hung.ends_with("to see where, it made no progress and was killed"), "{hung}");
        assert!(words("x", None).ends_with("within one process it is the same"));
    }
}
