//! Makes one report of those of several shards.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};

use crate::stress::budget::LAB;
use crate::stress::model::{Report, TestReport};
use crate::stress::table::words::clock;

/// Pools the runs of all reports; per test and clock they are in the order of their numbers.
///
/// The shards are taken to have run side by side: the whole took as long as the longest, with the
/// processes of all.
///
/// # Errors
/// If there is no report, if they are not parts of one plan, or if two of them have the same run.
pub(crate) fn merge(reports: Vec<Report>) -> Result<Report> {
    let mut reports = reports.into_iter();
    let mut whole = reports.next().context("there is no report to merge")?;
    let mut names = vec![whole.name.clone()];
    for part in reports {
        same("version", &whole.name, whole.version, &part.name, part.version)?;
        same("package", &whole.name, &whole.package, &part.name, &part.package)?;
        same("seed", &whole.name, whole.seed, &part.name, part.seed)?;
        if !names.contains(&part.name) {
            names.push(part.name);
        }
        whole.began = whole.began.min(part.began);
        whole.wall_us = whole.wall_us.max(part.wall_us);
        whole.jobs += part.jobs;
        whole.interrupted |= part.interrupted;
        whole.shards.extend(part.shards);
        whole.determinism.repeated += part.determinism.repeated;
        whole.determinism.differences.extend(part.determinism.differences);
        pool(&mut whole.tests, part.tests);
    }
    whole.name = names.join("+");
    for test in &mut whole.tests {
        test.runs.sort_by_key(|run| run.index);
        let mut seen = BTreeSet::new();
        if let Some(run) = test.runs.iter().find(|run| !seen.insert(run.index)) {
            let (name, clock, index) = (&test.test, clock(test.clock), run.index);
            anyhow::bail!("run {index} of {name} on clock `{clock}` is there twice");
        }
    }
    Ok(whole)
}

/// Refuses two reports that differ in what must be the same.
fn same<T: PartialEq + std::fmt::Display>(
    what: &str,
    name: &str,
    is: T,
    other_name: &str,
    other: T,
) -> Result<()> {
    ensure!(
        is == other,
        "cannot merge `{name}` with `{other_name}`: the {what} of one is {is}, of the other {other}"
    );
    Ok(())
}

/// Adds the tests of a part. If it has others than the whole, all are put in the order of the lab.
fn pool(tests: &mut Vec<TestReport>, part: Vec<TestReport>) {
    let before = tests.len();
    for test in part {
        let same = |t: &&mut TestReport| (&t.test, t.clock) == (&test.test, test.clock);
        match tests.iter_mut().find(same) {
            Some(known) => known.runs.extend(test.runs),
            None => tests.push(test),
        }
    }
    if tests.len() > before {
        let place = |name: &str| LAB.iter().position(|test| *test == name).unwrap_or(LAB.len());
        tests.sort_by_key(|test| (test.clock, place(&test.test)));
    }
}

#[cfg(test)]
mod tests {
    use run_record::Clock;

    use super::*;
    use crate::stress::model::Difference;
    use crate::stress::model::tests::{report, run};

    /// A report of all tests on both clocks with some of the runs.
    fn part(shard: &str, mine: impl Fn(usize, u64) -> bool) -> Report {
        let mut part = report("r", Vec::new());
        let like = part.tests.remove(0);
        for clock in [Clock::Sim, Clock::Real] {
            for (place, name) in LAB.iter().enumerate() {
                let runs = (0..12).filter(|index| mine(place, *index));
                let runs: Vec<_> =
                    runs.map(|index| run(index, (index == 5).then_some("no"))).collect();
                if !runs.is_empty() {
                    let test = name.to_string();
                    part.tests.push(TestReport { test, clock, runs, ..like.clone() });
                }
            }
        }
        part.shards.extend((!shard.is_empty()).then(|| shard.to_string()));
        part
    }

    fn refusal(change: impl Fn(&mut Report)) -> String {
        let mut other = part("2/2", |_, index| index >= 6);
        change(&mut other);
        merge(vec![part("1/2", |_, index| index < 6), other]).unwrap_err().to_string()
    }

    #[test]
    fn shards_by_run_make_the_whole() {
        let shards = (0..4).rev().map(|n| part(&format!("{n}/4"), |_, index| index % 4 == n));
        let merged = merge(shards.collect()).unwrap();
        assert_eq!(merged.tests, part("", |_, _| true).tests);
        assert_eq!(merged.shards, ["3/4", "2/4", "1/4", "0/4"]);
        assert_eq!((merged.name.as_str(), merged.jobs, merged.wall_us), ("r", 8, 5_000_000));
    }

    #[test]
    fn shards_by_test_make_the_whole() {
        let shards = (0..3).rev().map(|n| part("", |place, _| place % 3 == n));
        assert_eq!(merge(shards.collect()).unwrap(), Report { jobs: 6, ..part("", |_, _| true) });
    }

    #[test]
    fn one_report_is_itself() {
        let one = part("", |_, _| true);
        assert_eq!(merge(vec![one.clone()]).unwrap(), one);
        assert_eq!(merge(Vec::new()).unwrap_err().to_string(), "there is no report to merge");
    }

    #[test]
    fn what_is_not_of_one_plan_is_refused() {
        let seed = "cannot merge `r` with `r`: the seed of one is 1, of the other 9";
        assert_eq!(refusal(|other| other.seed = 9), seed);
        assert!(refusal(|other| other.version = 9).contains("the version of one is 1, of"));
        assert!(refusal(|other| other.package = "x".into()).contains("of the other x"));
        let twice = "run 3 of churn_2C on clock `real` is there twice";
        let churn = LAB.iter().position(|name| *name == "churn_2C").unwrap() + LAB.len();
        assert_eq!(refusal(|other| other.tests[churn].runs[0].index = 3), twice);
    }

    #[test]
    fn what_any_shard_has_seen_the_whole_has_seen() {
        let mut second = part("2/2", |_, index| index >= 6);
        (second.interrupted, second.name, second.began) = (true, "s".into(), 5);
        second.determinism.repeated = 3;
        let words = "step 1".into();
        second.determinism.differences.push(Difference { test: "t".into(), seed: 7, words });
        let merged = merge(vec![part("1/2", |_, index| index < 6), second.clone()]).unwrap();
        assert!(merged.interrupted);
        assert_eq!((merged.name.as_str(), merged.began), ("r+s", 5));
        assert_eq!(merged.determinism, second.determinism);
    }
}
