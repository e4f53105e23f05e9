//! Whether a report can be what came of some runs. Its file may be damaged, or written by hand, and what is
//! made of it relies on this.

use test_runs::build::is_name;
use test_runs::run::Run;

use super::distribution::Distribution;
use super::model::{Counted, Report, TestReport};

/// No number but a seed is larger: not all readers of JSON take larger ones for the same.
const MOST: u64 = 1 << 53;
/// No test has more runs. Statistics of more would take minutes.
const MOST_RUNS: u64 = 100_000_000;
/// No lab has more tests.
const MOST_TESTS: usize = 1_000;
/// The last second of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// # Errors
/// What no run comes to.
pub(crate) fn report(report: &Report) -> Result<(), String> {
    if report.tests.len() > MOST_TESTS {
        return Err(format!("it has {} tests; the most is {MOST_TESTS}", report.tests.len()));
    }
    at_most("began", report.began, LAST_SECOND)?;
    at_most("wall_us", report.wall_us, MOST)?;
    at_most("jobs", report.jobs, MOST)?;
    at_most("repeated", report.determinism.repeated, MOST)?;
    at_most("more", report.determinism.more, MOST)?;
    let differences = &report.determinism.differences;
    differences.iter().try_for_each(|difference| of_name("a test", &difference.test))?;
    report.tests.iter().try_for_each(|test| {
        of_test(test).map_err(|problem| format!("of {}: {problem}", test.test.escape_debug()))
    })
}

/// # Errors
/// What no run has.
pub(crate) fn run(run: &Run) -> Result<(), String> {
    at_most("index", run.index, MOST)?;
    at_most("lab_us", run.lab_us, MOST)?;
    at_most("wall_us", run.wall_us, MOST)?;
    at_most("cpu_us", run.cpu_us, MOST)?;
    at_most("rpcs", run.rpcs, MOST)?;
    at_most("bytes", run.bytes, MOST)?;
    run.situations.values().try_for_each(|times| at_most("a situation", *times, MOST))
}

fn at_most(name: &str, value: u64, most: u64) -> Result<(), String> {
    match value > most {
        true => Err(format!("`{name}` is {value}; the most is {most}")),
        false => Ok(()),
    }
}

/// What names a test, or a part: nothing cleans it where it is shown.
fn of_name(what: &str, name: &str) -> Result<(), String> {
    match is_name(name) {
        true => Ok(()),
        false => Err(format!("`{}` is no name of {what}", name.escape_debug())),
    }
}

fn of_test(test: &TestReport) -> Result<(), String> {
    of_name("a test", &test.test)?;
    if !test.part.is_empty() {
        of_name("a part", &test.part)?;
    }
    let TestReport { runs, failures, .. } = *test;
    let until = test.until_failure.unwrap_or(Counted { failures: 0, runs: 0 });
    for Counted { failures, runs } in [Counted { failures, runs }, until] {
        at_most("runs", runs, MOST_RUNS)?;
        at_most("failures", failures, runs)?;
    }
    at_most("longest_us", test.longest_us, MOST)?;
    at_most("all_wall_us", test.all_wall_us, MOST)?;
    for values in [&test.lab_us, &test.wall_us, &test.cpu_us, &test.rpcs, &test.bytes] {
        of_values(values, runs - failures)?;
    }
    for reached in test.situations.values() {
        at_most("runs of a situation", reached.runs, runs)?;
        at_most("times of a situation", reached.times, MOST)?;
    }
    for group in &test.groups {
        run(&group.first)?;
        at_most("count of failures", group.count, failures)?;
        if group.first.failure.is_none() {
            return Err(format!("run {} failed without a failure", group.first.index));
        }
    }
    Ok(())
}

/// Those of so many runs.
fn of_values(values: &Distribution, runs: u64) -> Result<(), String> {
    at_most("most", values.most, MOST)?;
    at_most("least", values.least, values.most)?;
    let counted = values.values.values().try_fold(0_u64, |sum, count| sum.checked_add(*count));
    match counted == Some(values.count) && values.count == runs {
        true => Ok(()),
        false => Err(format!("{} values of {runs} runs are not all there", values.count)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::Difference;
    use super::super::model::tests;
    use super::*;

    #[test]
    fn what_names_a_test_steers_nothing() {
        const EVIL: &str = "\x1b]0;x\x07a_2A";
        let refused = |change: fn(&mut Report)| {
            let mut changed = tests::report("r", vec![tests::run(0, None)]);
            change(&mut changed);
            report(&changed).err().unwrap_or_default()
        };
        assert_eq!(refused(|_| {}), "");
        // A name may end in what separates the part.
        assert_eq!(refused(|report| report.tests[0].part = String::new()), "");
        for words in [
            refused(|report| report.tests[0].test = EVIL.into()),
            refused(|report| report.tests[0].part = EVIL.into()),
            refused(|report| {
                let (test, words) = (EVIL.into(), String::new());
                report.determinism.differences.push(Difference { test, seed: 1, words });
            }),
        ] {
            assert!(words.contains("`\\u{1b}]0;x\\u{7}a_2A` is no name of a "), "{words}");
        }
    }
}
