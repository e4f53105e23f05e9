//! What a stress run has found: the data behind every form of its report.
//!
//! `report.json` is this, as it stands. Times are in microseconds. A field may be added without a new
//! [`VERSION`]; a reader ignores what it does not know. Single runs are in `runs.ndjson`, as
//! [`test_runs::run`] describes them; of a report they are only counted, so that its size does not
//! depend on their number.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use run_record::Clock;
use run_record::schedule::Choice;
use serde::{Deserialize, Serialize};
use test_runs::run::{Run, RunFailure};
use test_runs::stats::{inverse, inverse_of_parts, wilson};

use super::distribution::Distribution;
use super::program::Program;
use super::situations::AllReached;

/// The version of `report.json`, `plan.json` and `runs.ndjson`.
pub(crate) const VERSION: u32 = 2;

/// A whole stress run, or several ones merged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) version: u32,
    /// The name of the run.
    pub(crate) name: String,
    /// When it began, in seconds since 1970.
    pub(crate) began: u64,
    /// How long it took.
    pub(crate) wall_us: u64,
    pub(crate) state: State,
    /// What was run.
    pub(crate) subject: Subject,
    /// Which parts of the whole it has, such as `1/4`; empty for the whole.
    pub(crate) shards: Vec<String>,
    /// Those parts that a merged report has not.
    #[serde(default)]
    pub(crate) missing: Vec<String>,
    /// How many processes ran at once.
    pub(crate) jobs: u64,
    /// In the order of the lab.
    pub(crate) tests: Vec<TestReport>,
    /// Runs that were repeated, and those that differed.
    pub(crate) determinism: Determinism,
}

/// How far a stress run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It goes on, or its process was killed.
    Running,
    /// All was done.
    Finished,
    /// It was ended from outside.
    Interrupted,
    /// The machine gave out, such as its disk.
    Failed,
}

/// What was run: reports that agree in it are parts of one plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subject {
    /// The package under test.
    pub(crate) package: String,
    /// How it was built: `debug` or `release`.
    pub(crate) profile: String,
    /// The commit of its code, with `+` if the code was changed since; none if it is in no repository.
    pub(crate) commit: Option<String>,
    /// Which program it is; earlier versions did not ask.
    #[serde(default)]
    pub(crate) program: Option<Program>,
    /// Which tests were asked for; all if it is empty.
    pub(crate) filters: Vec<String>,
    /// The base that all seeds were derived from.
    pub(crate) seed: u64,
    /// How simulated runs chose the next task.
    #[serde(default)]
    pub(crate) schedule: Choice,
    /// What ends the runs of a test, in words.
    pub(crate) goal: String,
    /// How many runs of each test there are in the whole plan, if that was set.
    pub(crate) iterations: Option<u64>,
    /// A failure ends the runs of a test.
    pub(crate) stops_at_failure: bool,
}

/// All runs of one test on one clock. Figures are of those that passed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TestReport {
    pub(crate) test: String,
    pub(crate) part: String,
    pub(crate) clock: Clock,
    pub(crate) runs: u64,
    pub(crate) failures: u64,
    /// If a failure ends the runs: those up to the first that failed, which alone count for the rate.
    pub(crate) until_failure: Option<Counted>,
    /// If a failure ends the runs: it is put together of parts, and some of them have ended without one.
    #[serde(default)]
    pub(crate) has_clean_part: bool,
    /// The failed run with the least number.
    pub(crate) first_failing: Option<Name>,
    /// The longest lab time of all runs.
    pub(crate) longest_us: u64,
    /// The wall time of all runs together.
    pub(crate) all_wall_us: u64,
    pub(crate) lab_us: Distribution,
    pub(crate) wall_us: Distribution,
    pub(crate) cpu_us: Distribution,
    pub(crate) rpcs: Distribution,
    pub(crate) bytes: Distribution,
    /// Which situations its servers came into.
    #[serde(default)]
    pub(crate) situations: AllReached,
    /// Which rules could not be judged, and why, in a sentence each; and in how many runs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) not_judged: BTreeMap<String, u64>,
    /// Failures, alike ones together.
    pub(crate) groups: Vec<Group>,
}

/// Which run it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Name {
    pub(crate) index: u64,
    pub(crate) seed: Option<u64>,
}

/// Runs, and those of them that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) failures: u64,
    pub(crate) runs: u64,
}

/// Failures that are alike: same test, same clock, and what [`RunFailure::likeness`] says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) count: u64,
    /// The one that failed earliest in lab time.
    pub(crate) first: Run,
    /// What came of making that one once more, alone; none if it was not tried.
    pub(crate) alone: Option<Alone>,
    /// They are not alike: there were too many kinds to tell all apart.
    #[serde(default)]
    pub(crate) mixed: bool,
}

/// What came of making a failed run once more, as the first of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Alone {
    /// It failed in the same way.
    pub(crate) same: bool,
    /// What it did instead, in words.
    pub(crate) words: String,
}

/// The check that a seed gives the same run twice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Determinism {
    /// How many runs were made again.
    pub(crate) repeated: u64,
    /// Those that differed; of each test the first [`MOST_DIFFERENCES`].
    pub(crate) differences: Vec<Difference>,
    /// How many more there were.
    #[serde(default)]
    pub(crate) more: u64,
    /// How many kinds of failures were too many to be tried again, too.
    #[serde(default)]
    pub(crate) untried: u64,
}

/// Of so many runs of a test that differ it is said where. They grow with the number of runs, and a report does not.
pub(crate) const MOST_DIFFERENCES: usize = 20;

impl Determinism {
    /// How many runs differed.
    pub(crate) fn differed(&self) -> u64 {
        self.differences.len() as u64 + self.more
    }

    /// Adds what was found in other runs.
    pub(crate) fn absorb(&mut self, other: &Determinism) {
        self.repeated += other.repeated;
        self.more += other.more;
        self.untried += other.untried;
        for difference in &other.differences {
            let of_test = self.differences.iter().filter(|known| known.test == difference.test);
            match of_test.count() < MOST_DIFFERENCES {
                true => self.differences.push(difference.clone()),
                false => self.more += 1,
            }
        }
    }
}

/// A run that was another one the second time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Difference {
    pub(crate) test: String,
    pub(crate) seed: u64,
    /// Where it first differed, in words.
    pub(crate) words: String,
}

impl Group {
    /// Why its runs failed.
    ///
    /// # Panics
    /// If it was made of a run that passed.
    pub(crate) fn failure(&self) -> &RunFailure {
        self.first.failure.as_ref().expect("a group is of runs that failed")
    }

    /// What groups are sorted by.
    pub(crate) fn place(&self) -> (bool, Reverse<u64>) {
        (self.mixed, Reverse(self.count))
    }

    /// What its runs failed by.
    pub(crate) fn title(&self) -> &str {
        if self.mixed { "other failures, of further kinds," } else { self.failure().title() }
    }

    /// The verdict of its runs, or of the first of them if they are not alike.
    pub(crate) fn verdict(&self) -> String {
        let verdict = self.failure().verdict();
        if self.mixed { format!("one of them: {verdict}") } else { verdict.to_string() }
    }

    /// The failure needs more than its seed.
    pub(crate) fn is_not_by_seed_alone(&self) -> bool {
        self.alone.as_ref().is_some_and(|alone| !alone.same)
    }
}

impl TestReport {
    /// A test that has not run yet.
    pub(crate) fn new(test: &str, part: &str, clock: Clock) -> TestReport {
        TestReport {
            test: test.into(),
            part: part.into(),
            clock,
            runs: 0,
            failures: 0,
            until_failure: None,
            has_clean_part: false,
            first_failing: None,
            longest_us: 0,
            all_wall_us: 0,
            lab_us: Distribution::default(),
            wall_us: Distribution::default(),
            cpu_us: Distribution::default(),
            rpcs: Distribution::default(),
            bytes: Distribution::default(),
            situations: AllReached::new(),
            not_judged: BTreeMap::new(),
            groups: Vec::new(),
        }
    }

    /// The failures and runs that count for the failure rate.
    pub(crate) fn counted(&self) -> Counted {
        let all = Counted { failures: self.failures, runs: self.runs };
        self.until_failure.filter(|counted| counted.failures > 0).unwrap_or(all)
    }

    /// The 95 % interval of the failure rate, by the rule that ended the runs.
    pub(crate) fn interval(&self) -> (f64, f64) {
        let Counted { failures, runs } = self.counted();
        match self.until_failure {
            Some(_) if self.has_clean_part => inverse_of_parts(failures, runs),
            Some(_) => inverse(failures, runs),
            None => wilson(failures, runs),
        }
    }
}

impl Report {
    pub(crate) fn runs(&self) -> u64 {
        self.tests.iter().map(|test| test.runs).sum()
    }

    pub(crate) fn failures(&self) -> u64 {
        self.tests.iter().map(|test| test.failures).sum()
    }

    /// All was done that was to be done.
    pub(crate) fn is_whole(&self) -> bool {
        self.state == State::Finished && self.missing.is_empty()
    }

    /// All failures, alike ones together, the most frequent first; behind them those that are not told apart.
    pub(crate) fn groups(&self) -> Vec<(&TestReport, &Group)> {
        let of = |test| -> Vec<_> { Vec::from_iter(groups_of(test)) };
        let mut groups: Vec<_> = self.tests.iter().flat_map(of).collect();
        groups.sort_by_key(|(_, group)| group.place());
        groups
    }
}

fn groups_of(test: &TestReport) -> impl Iterator<Item = (&TestReport, &Group)> {
    test.groups.iter().map(move |group| (test, group))
}

#[cfg(test)]
pub(crate) mod tests {
    use run_record::setting::Counts;
    use test_runs::plan::Shard;

    use super::*;
    use crate::stress::tally::Tally;

    /// A run for tests.
    pub(crate) fn run(index: u64, failure: Option<&str>) -> Run {
        Run {
            before: index % 3,
            lab_us: 1_000_000 + index,
            wall_us: 2000,
            cpu_us: 1000,
            rpcs: 50 + index,
            bytes: 500,
            committed: 3,
            hash: Some(format!("{index:016x}")),
            troubles: Some(Counts::default()),
            failure: failure.map(|message| RunFailure {
                location: Some("a.rs:1:1".into()),
                log: Some(format!("logs/{index}.txt")),
                replay: format!("LAB_SEED={} cargo test", index * 10),
                ..RunFailure::new("panic", message)
            }),
            ..Run::unmeasured(index, Some(index * 10))
        }
    }

    /// A test with these runs.
    pub(crate) fn test(name: &str, clock: Clock, runs: Vec<Run>) -> TestReport {
        let mut tally = Tally::new(name, "2A", clock, Shard::WHOLE, false);
        runs.into_iter().for_each(|run| tally.add(&run));
        tally.into_report()
    }

    /// A program for tests, with code that is in no commit.
    pub(crate) fn program() -> Program {
        Program {
            executables: [(Clock::Sim, "1234".into())].into(),
            commits: None,
            flags: BTreeMap::new(),
            variables: BTreeMap::new(),
        }
    }

    /// A report for tests.
    pub(crate) fn report(name: &str, runs: Vec<Run>) -> Report {
        Report {
            version: VERSION,
            name: name.into(),
            began: 1_700_000_000,
            wall_us: 5_000_000,
            state: State::Finished,
            subject: Subject {
                package: "raft-tests".into(),
                profile: "debug".into(),
                commit: None,
                program: Some(program()),
                filters: Vec::new(),
                seed: 1,
                schedule: Choice::default(),
                goal: "10 runs each".into(),
                iterations: Some(10),
                stops_at_failure: false,
            },
            shards: Vec::new(),
            missing: Vec::new(),
            jobs: 2,
            tests: vec![test("initial_election_2A", Clock::Sim, runs)],
            determinism: Determinism::default(),
        }
    }

    #[test]
    fn of_many_differences_the_first_of_each_test_are_kept_and_the_others_counted() {
        let of = |test: &str, seed| Difference { test: test.into(), seed, words: "step 7".into() };
        let mut whole = Determinism::default();
        for seed in 0..300 {
            let differences = vec![of("a_2A", seed), of("b_2B", seed)];
            whole.absorb(&Determinism { repeated: 2, differences, more: 0, untried: 1 });
        }
        assert_eq!((whole.differences.len(), whole.more), (2 * MOST_DIFFERENCES, 560));
        assert_eq!((whole.repeated, whole.differed(), whole.untried), (600, 600, 300));
        assert!(whole.differences.iter().all(|difference| difference.seed < 20));
        // Reports of earlier versions have all of them.
        let read: Determinism =
            serde_json::from_str(r#"{"repeated":1,"differences":[]}"#).expect("it is read");
        assert_eq!(read.more, 0);
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
        assert_eq!((groups[0].1.count, groups[0].1.first.index), (2, 2));
        assert_eq!(report.failures(), 3);
    }

    #[test]
    fn failures_that_are_not_alike_are_said_to_be_so_behind_all_others() {
        let mut report = report("r", vec![run(1, Some("one")), run(2, Some("two"))]);
        let many = &mut report.tests[0].groups[0];
        (many.mixed, many.count) = (true, 40);
        let groups = report.groups();
        assert_eq!(groups[0].1.failure().message, "two");
        let title = super::super::table::words::group_title(groups[1]);
        assert!(title.starts_with("other failures, of further kinds, in 40 runs of "), "{title}");
        assert_eq!(groups[1].1.verdict(), "one of them: one");
        // Reports of earlier versions do not say it.
        let mut text = serde_json::to_value(groups[0].1).expect("it is encoded");
        text.as_object_mut().expect("an object").remove("mixed");
        let read: Group = serde_json::from_value(text).expect("it is read");
        assert_eq!(&read, groups[0].1);
    }
}
