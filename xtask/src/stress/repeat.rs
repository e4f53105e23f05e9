//! Making runs once more: does a seed give the same run twice, and does a failure need only its seed?
//!
//! A run is repeated as the first one of a process, where it can. So what an earlier run has left behind,
//! such as the value of a static, shows.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use run_record::Clock;
use test_runs::build::TestCase;
use test_runs::engine;
use test_runs::process::{self, Item, Limits, NOT_ALONE, Told};
use test_runs::run::{Run, RunFailure};

use super::model::{Alone, Determinism, Difference, Group, MOST_DIFFERENCES};
use super::tally::Tally;

/// What lets a seed give two different runs, in words.
pub(crate) const CAUSES: &str = "usual causes: the order of a HashMap or HashSet; a static or thread-local value that outlives a \
     run; the clock of std or random numbers of the operating system instead of labrt's";

/// So many runs are repeated in one process.
const TOGETHER: usize = 50;
/// So many kinds of failures of all tests together are tried again, the most frequent first.
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
    /// Repeats some of the simulated runs that passed and compares their hashes. Of those of a test that differ, the
    /// first are made again to see where; of the others it is enough that they do.
    pub(crate) fn passed(&self, tallies: &[Tally]) -> Result<Determinism> {
        let simulated = self.tests.iter().zip(tallies).filter(|(test, _)| is_simulated(test));
        let some: Vec<_> = simulated
            .flat_map(|(test, tally)| {
                tally.to_repeat().chunks(TOGETHER).map(move |runs| (test, runs))
            })
            .collect();
        let parts = engine::each(self.jobs, &some, |(test, runs)| self.compare(test, runs))?;
        let mut whole = Determinism::default();
        let mut differing: Vec<(&TestCase, Vec<&Run>)> = Vec::new();
        for ((test, _), (repeated, runs)) in some.iter().zip(parts) {
            whole.repeated += repeated;
            match differing.last_mut() {
                Some((last, known)) if std::ptr::eq(*last, *test) => known.extend(runs),
                _ => differing.push((*test, runs)),
            }
        }
        let mut explained = Vec::new();
        for (test, runs) in differing {
            whole.more += runs.len().saturating_sub(MOST_DIFFERENCES) as u64;
            explained.extend(runs.into_iter().take(MOST_DIFFERENCES).map(|run| (test, run)));
        }
        whole.differences = engine::each(self.jobs, &explained, |(test, run)| {
            let words = self.first_difference(test, run)?;
            let seed = run.seed.unwrap_or_default();
            Ok(Difference { test: test.name.clone(), seed, words })
        })?;
        Ok(whole)
    }

    /// Makes these runs again; returns how many were compared, and those that differ.
    fn compare<'r>(&self, test: &TestCase, runs: &'r [Run]) -> Result<(u64, Vec<&'r Run>)> {
        let (mut repeated, mut differing) = (0, Vec::new());
        let mut left: Vec<Item> = runs.iter().map(item).collect();
        // One that takes its process down leaves those behind it for the next one.
        while !left.is_empty() && !self.stop.load(Ordering::Relaxed) {
            let again = process::run(test, &left, self.limits, self.scratch, self.stop)?;
            for (twice, _) in &again.runs {
                let Some(once) = runs.iter().find(|once| once.index == twice.index) else {
                    continue;
                };
                let Some(same) = is_same(once, twice) else { continue };
                repeated += 1;
                if !same {
                    differing.push(once);
                }
            }
            left = again.left;
        }
        Ok((repeated, differing))
    }

    /// Has the test itself make the run twice, event by event; it says where they differ.
    fn first_difference(&self, test: &TestCase, run: &Run) -> Result<String> {
        let hang_after = self.limits.hang_after * PATIENCE;
        let limits = Limits { hang_after, ..self.limits.clone() };
        let told = process::by_itself(test, &item(run), &limits, self.scratch, self.stop)?;
        Ok(where_they_part(&told))
    }

    /// Makes the first failure of each group once more, alone, and notes what came of it; returns for how many groups
    /// that was too much. Those that are not told apart have no first one that stands for them, and what is not
    /// simulated has no seed.
    pub(crate) fn failed(&self, groups: &mut [(&TestCase, &mut Group)]) -> Result<u64> {
        groups.sort_by_key(|(_, group)| group.place());
        let of_one_kind = groups.iter_mut().filter(|(_, group)| !group.mixed);
        let mut kinds: Vec<_> = of_one_kind.filter(|(test, _)| is_simulated(test)).collect();
        let untried = kinds.len().saturating_sub(MOST_GROUPS);
        kinds.truncate(MOST_GROUPS);
        let tried: Vec<_> =
            kinds.iter().map(|(test, group)| (*test, group.first.clone())).collect();
        let alone = engine::each(self.jobs, &tried, |(test, run)| self.alone(test, run))?;
        for ((_, group), alone) in kinds.into_iter().zip(alone) {
            group.alone = alone;
        }
        Ok(untried as u64)
    }

    fn alone(&self, test: &TestCase, run: &Run) -> Result<Option<Alone>> {
        let Some(failure) = &run.failure else { return Ok(None) };
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
        Ok(again.runs.first().and_then(|(again, _)| came_of(failure, again)))
    }
}

/// Whether a run that passed was the same one when it was made again; none if nobody knows.
fn is_same(once: &Run, twice: &Run) -> Option<bool> {
    (!twice.was_killed()).then(|| once.hash == twice.hash)
}

/// What came of making a run that failed like this once more; none if nobody knows.
fn came_of(failure: &RunFailure, again: &Run) -> Option<Alone> {
    Some(match &again.failure {
        None => Alone { same: false, words: "it passed then".into() },
        Some(other) if alike(failure, other) => Alone { same: true, words: String::new() },
        Some(_) if again.was_killed() => return None,
        Some(other) => Alone {
            same: false,
            words: format!("it failed otherwise then, {}: {}", other.title(), other.message),
        },
    })
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
    use std::time::Duration;

    use test_runs::process::KILLED_AGAIN;

    use super::*;
    use crate::stress::model::tests::{report, run};
    use crate::stress::words;
    use crate::under_test;

    #[test]
    fn a_run_that_is_killed_when_it_is_made_again_tells_nothing() {
        let killed = |kind: &str| {
            let message = format!("the process died of signal 9{KILLED_AGAIN}");
            let failure = Some(RunFailure::new(kind, message));
            Run { failure, hash: None, ..run(1, None) }
        };
        let once = run(1, None);
        assert_eq!(is_same(&once, &killed("crash")), None);
        assert_eq!(is_same(&once, &killed("panic")), Some(false), "the code can say so too");
        assert_eq!(is_same(&once, &once), Some(true));
        let failure = RunFailure::new("panic", "no");
        assert_eq!(came_of(&failure, &killed("crash")), None);
        let otherwise = came_of(&failure, &run(1, None)).expect("it is known");
        assert!(!otherwise.same && otherwise.words == "it passed then");
        // One that was always killed is so each time.
        let always = killed("crash").failure.expect("it failed");
        assert!(came_of(&always, &killed("crash")).is_some_and(|alone| alone.same));
    }

    #[test]
    fn kinds_that_are_too_many_to_be_tried_again_are_counted() {
        // What took its process down was made again already, so no process is needed here.
        let said = |kind: u8| format!("{}{NOT_ALONE}", char::from(b'A' + kind));
        let runs = (0..60).map(|kind| run(kind.into(), Some(&said(kind)))).collect();
        let mut report = report("r", runs);
        let (case, stop) = (under_test::tests::case("a_2A"), AtomicBool::new(false));
        let limits = Limits {
            hang_after: Duration::from_secs(1),
            memory_mib: 64,
            trace: None,
            coverage: false,
            room: None,
        };
        let tests = [case];
        let again =
            Again { tests: &tests, jobs: 1, limits: &limits, scratch: Path::new(""), stop: &stop };
        let mut groups: Vec<_> =
            report.tests[0].groups.iter_mut().map(|group| (&tests[0], group)).collect();
        assert_eq!(groups.len(), 60);
        let untried = again.failed(&mut groups).expect("no process is needed");
        assert_eq!(groups.iter().filter(|(_, group)| group.alone.is_some()).count(), MOST_GROUPS);
        assert_eq!(untried, 10);
        report.determinism.untried = untried;
        let line = "\n    10 more kinds of failures were not tried again";
        assert!(words::determinism(&report).contains(line), "{}", words::determinism(&report));
    }

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
