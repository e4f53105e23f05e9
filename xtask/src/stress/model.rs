//! What a stress run has found: the data behind every form of its report.
//!
//! `report.json` is this, as it stands; [`test_runs::run`] describes a run. Times are in
//! microseconds. A field may be added without a new [`VERSION`]; a reader ignores what it does not
//! know.

use std::collections::BTreeMap;

use run_record::Clock;
use serde::{Deserialize, Serialize};
use test_runs::run::{Run, RunFailure, without_numbers};

/// The version of `report.json`.
pub(crate) const VERSION: u32 = 1;

/// A whole stress run, or several ones merged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) version: u32,
    /// The name of the run; its folder is called so.
    pub(crate) name: String,
    /// When it began, in seconds since 1970.
    pub(crate) began: u64,
    /// How long it took.
    pub(crate) wall_us: u64,
    /// The package under test.
    pub(crate) package: String,
    /// The base that all seeds were derived from.
    pub(crate) seed: u64,
    /// Which parts of the whole it has, such as `1/4`; empty for the whole.
    pub(crate) shards: Vec<String>,
    /// How many processes ran at once.
    pub(crate) jobs: u64,
    /// It was ended before it had done all it was to do.
    pub(crate) interrupted: bool,
    /// In the order of the lab.
    pub(crate) tests: Vec<TestReport>,
    /// Runs that were repeated, and those that differed.
    pub(crate) determinism: Determinism,
}

/// All runs of one test on one clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TestReport {
    pub(crate) test: String,
    pub(crate) part: String,
    pub(crate) clock: Clock,
    pub(crate) runs: Vec<Run>,
}

/// The check that a seed gives the same run twice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Determinism {
    /// How many runs were made again.
    pub(crate) repeated: u64,
    pub(crate) differences: Vec<Difference>,
}

/// A run that was another one the second time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Difference {
    pub(crate) test: String,
    pub(crate) seed: u64,
    /// Where it first differed, in words.
    pub(crate) words: String,
}

/// Failures that are alike: same test, same clock, same kind, same place, same words but for numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group<'a> {
    pub(crate) test: &'a TestReport,
    /// The one that failed earliest in lab time.
    pub(crate) first: &'a Run,
    pub(crate) failure: &'a RunFailure,
    pub(crate) count: usize,
}

impl TestReport {
    pub(crate) fn failures(&self) -> u64 {
        self.runs.iter().filter(|run| run.failure.is_some()).count() as u64
    }

    /// A quantity of all runs that passed, sorted.
    pub(crate) fn sorted(&self, quantity: impl Fn(&Run) -> u64) -> Vec<u64> {
        let passed = self.runs.iter().filter(|run| run.failure.is_none());
        let mut values: Vec<u64> = passed.map(quantity).collect();
        values.sort_unstable();
        values
    }
}

impl Report {
    pub(crate) fn runs(&self) -> u64 {
        self.tests.iter().map(|test| test.runs.len() as u64).sum()
    }

    pub(crate) fn failures(&self) -> u64 {
        self.tests.iter().map(TestReport::failures).sum()
    }

    /// All failures, alike ones together, the most frequent first.
    pub(crate) fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: BTreeMap<_, Group<'_>> = BTreeMap::new();
        for test in &self.tests {
            for run in &test.runs {
                let Some(failure) = &run.failure else { continue };
                let words = without_numbers(&failure.message);
                let key = (&test.test, test.clock, &failure.kind, &failure.location, words);
                let group =
                    groups.entry(key).or_insert(Group { test, first: run, failure, count: 0 });
                group.count += 1;
                if run.lab_us < group.first.lab_us {
                    (group.first, group.failure) = (run, failure);
                }
            }
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        groups
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A run for tests.
    pub(crate) fn run(index: u64, failure: Option<&str>) -> Run {
        Run {
            index,
            seed: Some(index * 10),
            lab_us: 1_000_000 + index,
            wall_us: 2000,
            cpu_us: 1000,
            rpcs: 50 + index,
            bytes: 500,
            committed: 3,
            hash: Some(format!("{index:016x}")),
            troubles: None,
            failure: failure.map(|message| RunFailure {
                kind: "panic".into(),
                message: message.into(),
                location: Some("a.rs:1:1".into()),
                check: String::new(),
                log: Some(format!("logs/{index}.txt")),
                replay: format!("LAB_SEED={} cargo test", index * 10),
            }),
        }
    }

    /// A report for tests.
    pub(crate) fn report(name: &str, runs: Vec<Run>) -> Report {
        Report {
            version: VERSION,
            name: name.into(),
            began: 1_700_000_000,
            wall_us: 5_000_000,
            package: "raft-tests".into(),
            seed: 1,
            shards: Vec::new(),
            jobs: 2,
            interrupted: false,
            tests: vec![TestReport {
                test: "initial_election_2A".into(),
                part: "2A".into(),
                clock: Clock::Sim,
                runs,
            }],
            determinism: Determinism::default(),
        }
    }

    #[test]
    fn alike_failures_are_one_group_and_the_earliest_stands_for_it() {
        let mut late = run(1, Some("one(104) failed"));
        late.lab_us = 9_000_000;
        let runs =
            vec![late, run(2, Some("one(7) failed")), run(3, Some("deadlock")), run(4, None)];
        let report = report("r", runs);
        let groups = report.groups();
        assert_eq!(groups.len(), 2);
        assert_eq!((groups[0].count, groups[0].first.index), (2, 2));
        assert_eq!(report.failures(), 3);
    }
}
