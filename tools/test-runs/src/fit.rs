//! Do the records of a process fit the runs that were asked for?
//!
//! The code under test may write to the file of records too, and end the process whenever it likes. So
//! nothing in it is believed that does not fit: each run begins and ends once, in order, with its own test,
//! clock and seed; a simulated run that passed has a hash; and the process ends as its runs did.

use std::process::ExitStatus;

use run_record::{Begin, Clock, End, Record};

use crate::build::TestCase;
use crate::process::Item;

/// What a test program ends with if a test of it has failed.
const FAILED: i32 = 101;

/// Why these cannot be the records of these runs, in words; none if they can. They may break off: a process
/// can die in the middle. `None` stands for a line that the tester has not written, and no status for a
/// process that we have ended.
pub(crate) fn misfit(
    test: &TestCase,
    items: &[Item],
    records: &[Option<Record>],
    status: Option<ExitStatus>,
) -> Option<String> {
    let mut items = items.iter();
    let (mut open, mut failed) = (None, false);
    for record in records {
        match (record, open.take()) {
            (None, _) => return Some("a line was not written by the tester".to_string()),
            (Some(Record::Begin(begin)), None) => {
                let Some(item) = items.next() else {
                    return Some("there are more runs than were asked for".to_string());
                };
                let expected = expected(test, item, begin);
                if expected != *begin {
                    return Some(not_its_turn(begin, &expected));
                }
                open = Some(expected);
            }
            (Some(Record::End(end)), Some(begun)) => {
                failed |= end.failure.is_some();
                if let Some(words) = misfit_of_end(&begun, end) {
                    return Some(words);
                }
            }
            (Some(Record::Begin(begin)), Some(begun)) => {
                return Some(format!("{} began before {} had ended", name(begin), name(&begun)));
            }
            (Some(Record::End(end)), None) => {
                return Some(format!("{} ended, which had not begun", name(&end.run)));
            }
        }
    }
    let all_ended = open.is_none() && items.next().is_none();
    let status = status.filter(|_| all_ended)?;
    let fits = if failed { status.code() == Some(FAILED) } else { status.success() };
    let how = if failed { "a run had failed" } else { "all runs had passed" };
    (!fits).then(|| format!("{how}, but the process ended with {status}"))
}

/// How a run begins. Which part of its suite a test belongs to, it says itself.
fn expected(test: &TestCase, item: &Item, begun: &Begin) -> Begin {
    Begin {
        test: test.name.rsplit("::").next().unwrap_or_default().to_string(),
        part: begun.part.clone(),
        clock: test.program.clock,
        seed: item.seed,
        choices: item.choices.clone(),
    }
}

/// Another run began than the one that was asked for.
fn not_its_turn(begun: &Begin, expected: &Begin) -> String {
    let words = format!("{} began, which was not its turn", name(begun));
    match begun.test == expected.test {
        true => words,
        false => format!(
            "{words}: {} was asked for. A test's `origin!` has the name of its function, which calls the tester once",
            name(expected)
        ),
    }
}

fn misfit_of_end(begun: &Begin, end: &End) -> Option<String> {
    let passed = end.failure.is_none();
    if end.run != *begun {
        Some(format!("{} ended while {} ran", name(&end.run), name(begun)))
    } else if passed && begun.clock == Clock::Sim && end.hash.is_none() {
        Some(format!("{} has no hash, so nothing was simulated", name(begun)))
    } else {
        None
    }
}

fn name(run: &Begin) -> String {
    match run.seed {
        Some(seed) => format!("{} with seed {seed}", run.test),
        None => run.test.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use run_record::FailureRecord;
    use run_record::choices::Choices;
    use run_record::coverage::Coverage;
    use run_record::setting::Counts;
    use run_record::situations::Situations;

    use super::*;

    fn test() -> TestCase {
        TestCase::of_nothing("a::churn_2C")
    }

    fn begin(seed: u64) -> Begin {
        let (test, part) = ("churn_2C".to_string(), "2C".to_string());
        Begin { test, part, clock: Clock::Sim, seed: Some(seed), choices: Choices::default() }
    }

    fn end(seed: u64, failed: bool) -> End {
        let failure = FailureRecord {
            kind: "panic".into(),
            message: String::new(),
            location: None,
            text: String::new(),
            check: String::new(),
        };
        End {
            run: begin(seed),
            lab_us: 0,
            wall_us: 0,
            cpu_us: 0,
            servers: 3,
            rpcs: 0,
            bytes: 0,
            committed: 0,
            hash: (!failed).then(|| "0".repeat(16)),
            schedule: None,
            situations: Situations::new(),
            troubles: Counts::default(),
            coverage: Coverage::default(),
            not_judged: Vec::new(),
            asked: BTreeSet::new(),
            failure: failed.then_some(failure),
        }
    }

    fn begins(seed: u64) -> Option<Record> {
        Some(Record::Begin(begin(seed)))
    }

    fn ends(end: End) -> Option<Record> {
        Some(Record::End(Box::new(end)))
    }

    /// What is said of these records of runs with seeds 1 and 2.
    fn said(records: &[Option<Record>], status: Option<ExitStatus>) -> Option<String> {
        let items = [1, 2].map(|seed| Item::new(seed, Some(seed)));
        misfit(&test(), &items, records, status)
    }

    #[test]
    fn a_process_may_die_anywhere() {
        let all = [begins(1), ends(end(1, true)), begins(2), ends(end(2, false))];
        for length in 0..=all.len() {
            assert_eq!(said(&all[..length], None), None);
        }
    }

    #[test]
    fn each_run_begins_and_ends_once_and_as_itself() {
        let passed = |seed| ends(end(seed, false));
        let other = |change: fn(&mut Begin)| {
            let mut begin = begin(1);
            change(&mut begin);
            Some(Record::Begin(begin))
        };
        for (records, words) in [
            (vec![passed(1)], "had not begun"),
            (vec![begins(2)], "was not its turn"),
            (vec![other(|run| run.test = "figure_8_2C".into())], "was not its turn"),
            (
                vec![other(|run| run.test = "churn".into())],
                "churn_2C with seed 1 was asked for. A test's `origin!` has the name",
            ),
            (vec![other(|run| run.clock = Clock::Real)], "was not its turn"),
            (vec![begins(1), begins(2)], "before churn_2C with seed 1 had ended"),
            (vec![begins(1), passed(2)], "ended while churn_2C with seed 1 ran"),
            (vec![begins(1), passed(1), passed(1)], "had not begun"),
            (vec![begins(1), passed(1), begins(2), passed(2), begins(3)], "more runs than"),
            (vec![begins(1), None], "not written by the tester"),
            (vec![begins(1), ends(End { hash: None, ..end(1, false) })], "has no hash"),
        ] {
            let said = said(&records, None).unwrap_or_default();
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn the_process_ends_as_its_runs_did() {
        use std::os::unix::process::ExitStatusExt as _;

        let code = |code: i32| Some(ExitStatus::from_raw(code << 8));
        let signal = |signal: i32| Some(ExitStatus::from_raw(signal));
        let records = |failed| [begins(1), ends(end(1, failed)), begins(2), ends(end(2, false))];
        assert_eq!(said(&records(false), code(0)), None);
        assert_eq!(said(&records(true), code(101)), None);
        for (failed, status) in
            [(true, code(0)), (false, code(101)), (false, signal(6)), (true, signal(6))]
        {
            let said = said(&records(failed), status).unwrap_or_default();
            assert!(said.contains("but the process ended with"), "{said}");
        }
        // It died in the middle, which is said elsewhere.
        assert_eq!(said(&records(false)[..3], signal(6)), None);
    }
}
