//! The report as `junit.xml`, for what shows the tests of a continuous integration.
//!
//! A test case stands for all runs of a test: it fails if any run of it did, and says how often. What
//! else makes a report bad is a case of its own, so that nothing bad looks green.

use std::time::Duration;

use anyhow::{Context, Result};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use run_record::Clock;

use crate::stress::budget::Line;
use crate::stress::model::{Report, TestReport};
use crate::stress::words::{
    claim, clean, clock, determinism, group_facts, group_title, moment, rate, shortfall,
};

/// The whole report in JUnit's XML: a suite for each clock, a case for each test.
///
/// # Errors
/// If it cannot be encoded.
pub(crate) fn render(report: &Report, budgets: &[Line]) -> Result<String> {
    let mut junit = quick_junit::Report::new(report.name.as_str());
    let mut time = Duration::ZERO;
    for of in [Clock::Sim, Clock::Real] {
        let tests: Vec<_> = report.tests.iter().filter(|test| test.clock == of).collect();
        if tests.is_empty() {
            continue;
        }
        let mut suite = TestSuite::new(format!("{} ({})", report.subject.package, clock(of)));
        let wall = tests.iter().map(|test| wall(test)).sum();
        time += wall;
        suite.set_timestamp(moment(report.began)).set_time(wall);
        for property in properties(report) {
            suite.add_property((property.0, property.1.as_str()));
        }
        suite.add_test_cases(tests.iter().map(|test| case(report, test)));
        suite.add_test_cases(others(report, of, budgets));
        junit.add_test_suite(suite);
    }
    junit.set_time(time);
    Ok(without_skipped(&junit.to_string().context("cannot encode junit.xml")?))
}

/// The same XML, whose outermost element does not say how many cases were skipped: the schema of Jenkins' xUnit plugin
/// has no such attribute there.
fn without_skipped(xml: &str) -> String {
    let Some((before, rest)) = xml.split_once("<testsuites ") else { return xml.to_string() };
    let (outermost, inside) = rest.split_once('>').unwrap_or((rest, ""));
    let Some((one, other)) = outermost.split_once(" skipped=\"") else { return xml.to_string() };
    let other = other.split_once('"').map_or("", |(_, other)| other);
    format!("{before}<testsuites {one}{other}>{inside}")
}

/// What kind of run it was.
fn properties(report: &Report) -> [(&'static str, String); 6] {
    let subject = &report.subject;
    [
        ("seed", subject.seed.to_string()),
        ("commit", subject.commit.clone().unwrap_or_default()),
        ("jobs", report.jobs.to_string()),
        ("shards", report.shards.join(" ")),
        ("whole", report.is_whole().to_string()),
        ("claim", claim(report)),
    ]
}

/// All runs of a test as one case. Its time is that of all runs together.
fn case(report: &Report, test: &TestReport) -> TestCase {
    let groups = report.groups();
    let mut groups = groups.iter().filter(|(of, _)| std::ptr::eq(*of, test)).peekable();
    let failure = groups.peek().map(|(_, group)| {
        let often = format!("{} of {} runs failed, {}", test.failures, test.runs, rate(test));
        (group.failure().title().to_string(), format!("{often}: {}", group.failure().message))
    });
    let mut text = String::new();
    for (_, group) in groups {
        text += &format!("{}\n    {}\n", group_title((test, group)), group.verdict());
        for (what, is) in group_facts(group) {
            text += &format!("    {what}: {is}\n");
        }
    }
    let failure = failure.map(|(kind, message)| (kind, message, text));
    let mut case = match test.runs {
        // What nobody has run is not green.
        0 => TestCase::new(test.test.as_str(), not_run()),
        _ => of(&test.test, failure),
    };
    case.set_classname(format!("{}.{}", report.subject.package, test.part)).set_time(wall(test));
    case
}

/// What is bad or good about the report beside its tests.
fn others(report: &Report, on: Clock, budgets: &[Line]) -> Vec<TestCase> {
    let mut cases = Vec::new();
    if on == Clock::Sim && report.determinism.repeated > 0 {
        let words = determinism(report);
        let message = words.lines().next().unwrap_or_default().to_string();
        let differs = !report.determinism.differences.is_empty();
        cases.push(of("determinism", differs.then(|| ("determinism".into(), message, words))));
    }
    for line in budgets.iter().filter(|line| line.clock == on && line.hard) {
        let words = format!("{} of {}", line.used_text(), line.limit_text());
        let failure = line.over.then(|| ("budget".into(), words.clone(), words));
        cases.push(of(&format!("budget: {} of {}", line.what, line.limit_text()), failure));
    }
    let lack = shortfall(report);
    cases.push(of("whole", lack.map(|words| ("not whole".into(), words.clone(), words))));
    for case in &mut cases {
        case.set_classname(report.subject.package.as_str()).set_time(Duration::ZERO);
    }
    cases
}

fn not_run() -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message("no run of it was made");
    status
}

/// A case, with the kind, message and text of its failure.
fn of(name: &str, failure: Option<(String, String, String)>) -> TestCase {
    let Some((kind, message, text)) = failure else {
        return TestCase::new(name, TestCaseStatus::success());
    };
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type(plain(&kind)).set_message(plain(&message)).set_description(plain(&text));
    TestCase::new(name, status)
}

/// A text without what XML does not allow at all.
fn plain(text: &str) -> String {
    clean(text).replace(['\u{fffe}', '\u{ffff}'], "")
}

/// The wall time of all runs of a test.
fn wall(test: &TestReport) -> Duration {
    Duration::from_micros(test.all_wall_us)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stress::budget::check;
    use crate::stress::model::tests::{report, run, test};
    use crate::stress::model::{Difference, State};

    fn xml(report: &Report) -> String {
        render(report, &check(report)).expect("it can be encoded")
    }

    #[test]
    fn a_suite_for_each_clock_and_a_case_for_each_test() {
        let mut report = report("r", vec![run(0, None), run(1, Some("no")), run(2, Some("never"))]);
        assert_eq!(xml(&report).matches("<testsuite ").count(), 1);
        report.tests.push(test("initial_election_2A", Clock::Real, vec![run(0, None)]));
        let xml = xml(&report);
        assert_eq!(xml.matches("<testsuite ").count(), 2);
        // Two tests, a hard budget and the word about the whole for each clock.
        let sums = "<testsuites name=\"r\" tests=\"6\" failures=\"1\" errors=\"0\" time=\"0.008\">";
        assert!(xml.contains(sums), "{xml}");
        assert!(xml.contains("<testsuite name=\"raft-tests (real)\" tests=\"3\""), "{xml}");
        assert!(xml.contains("timestamp=\"2023-11-14T22:13:20"), "{xml}");
        let case =
            "<testcase name=\"initial_election_2A\" classname=\"raft-tests.2A\" time=\"0.006\">";
        assert!(xml.contains(case), "{xml}");
        let failure = "<failure message=\"2 of 3 runs failed, 66.67 % (20.77 % to 93.85 %): ";
        assert!(xml.contains(failure), "{xml}");
        assert_eq!(xml.matches("panic in 1 run of initial_election_2A (sim)").count(), 2);
    }

    /// The schema of Jenkins' xUnit plugin, and that of Surefire, allow no more.
    #[test]
    fn times_have_three_decimals() {
        let mut long = run(0, None);
        long.wall_us = 7_602_898;
        let xml = xml(&report("r", vec![long]));
        let times: Vec<&str> = xml.split("time=\"").skip(1).collect();
        assert!(times.len() > 3, "{xml}");
        for time in times {
            let time = time.split('"').next().expect("it ends");
            assert!(time.split('.').next_back().is_some_and(|digits| digits.len() <= 3), "{time}");
        }
    }

    #[test]
    fn any_text_may_be_in_a_failure() {
        let evil = "x < \"y\"\n\u{1b}[31m]]>\u{0}\u{ffff}";
        let xml = xml(&report("a&b", vec![run(1, Some(evil))]));
        assert!(xml.contains("<testsuites name=\"a&amp;b\""), "{xml}");
        assert!(xml.contains("x &lt; &quot;y&quot;"), "{xml}");
        assert!(!xml.contains(['\u{1b}', '\u{0}', '\u{ffff}']), "{xml}");
        assert!(xml.contains("]]&gt;") && !xml.contains("]]>"), "{xml}");
    }

    #[test]
    fn a_test_that_was_not_run_is_skipped() {
        let mut report = report("r", vec![run(0, None)]);
        report.tests.push(test("backup_2B", Clock::Sim, Vec::new()));
        let xml = xml(&report);
        assert!(xml.contains("<skipped message=\"no run of it was made\"/>"), "{xml}");
        let (_, outermost) = xml.split_once("<testsuites ").expect("it has suites");
        let (outermost, inside) = outermost.split_once('>').expect("it ends");
        assert!(!outermost.contains("skipped"), "{outermost}");
        assert!(inside.contains(" skipped=\"1\""), "{inside}");
    }

    #[test]
    fn what_is_bad_beside_the_tests_is_not_green() {
        let mut report = report("r", vec![run(0, None)]);
        report.determinism.repeated = 1;
        assert!(!xml(&report).contains("<failure"), "{}", xml(&report));
        let words = "step 3".into();
        report.determinism.differences.push(Difference { test: "t".into(), seed: 7, words });
        assert!(xml(&report).contains("t with seed 7: step 3"));
        report.determinism.differences.clear();
        report.tests[0].longest_us = 121_000_000;
        let over = "<failure message=\"121.00 s of 120 s\" type=\"budget\">";
        assert!(xml(&report).contains(over), "{}", xml(&report));
        report.tests[0].longest_us = 1;
        report.state = State::Interrupted;
        assert!(
            xml(&report).contains("<failure message=\"it was ended early\" type=\"not whole\"")
        );
    }
}
