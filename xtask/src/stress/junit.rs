//! The report as `junit.xml`, for what shows the tests of a continuous integration.
//!
//! A test case stands for all runs of a test: it fails if any run of it did, and says how often.

use run_record::Clock;

use crate::stress::model::{Report, TestReport};
use crate::stress::table::words::{claim, clock, determinism, group_facts, group_title, rate};

/// The whole report in JUnit's XML: a suite for each clock, a case for each test.
pub(crate) fn render(report: &Report) -> String {
    let mut suites = String::new();
    let (mut tests, mut failures, mut time_us) = (0, 0, 0);
    for of in [Clock::Sim, Clock::Real] {
        let of_clock: Vec<_> = report.tests.iter().filter(|test| test.clock == of).collect();
        if of_clock.is_empty() {
            continue;
        }
        let mut cases: Vec<_> = of_clock.iter().map(|test| case(report, test)).collect();
        if of == Clock::Sim && report.determinism.repeated > 0 {
            cases.push(determinism_case(report));
        }
        let failed = cases.iter().filter(|case| case.contains("<failure")).count();
        let us: u64 = of_clock.iter().map(|test| wall_us(test)).sum();
        suites += &format!(
            "  <testsuite name=\"{} ({})\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" \
             skipped=\"0\" time=\"{}\" timestamp=\"{}\">\n{}{}  </testsuite>\n",
            escape(&report.package),
            clock(of),
            cases.len(),
            seconds(us),
            timestamp(report.began),
            properties(report),
            cases.concat()
        );
        (tests, failures, time_us) = (tests + cases.len(), failures + failed, time_us + us);
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{}\" tests=\"{tests}\" \
         failures=\"{failures}\" errors=\"0\" time=\"{}\">\n{suites}</testsuites>\n",
        escape(&report.name),
        seconds(time_us)
    )
}

/// What kind of run it was.
fn properties(report: &Report) -> String {
    let mut out = "    <properties>\n".to_string();
    let interrupted = report.interrupted.to_string();
    for (name, value) in [
        ("seed", report.seed.to_string()),
        ("jobs", report.jobs.to_string()),
        ("shards", report.shards.join(" ")),
        ("interrupted", interrupted),
        ("claim", claim(report)),
    ] {
        out += &format!("      <property name=\"{name}\" value=\"{}\"/>\n", escape(&value));
    }
    out + "    </properties>\n"
}

/// All runs of a test as one case. Its time is that of all runs together.
fn case(report: &Report, test: &TestReport) -> String {
    let (failures, runs) = (test.failures(), test.runs.len() as u64);
    let groups = report.groups();
    let mut groups = groups.iter().filter(|group| std::ptr::eq(group.test, test)).peekable();
    let failure = groups.peek().map(|group| {
        let often = format!("{failures} of {runs} runs failed, {}", rate(failures, runs));
        (group.failure.kind.clone(), format!("{often}: {}", group.failure.message))
    });
    let mut text = String::new();
    for group in groups {
        text += &format!("{}\n    {}\n", group_title(group), group.failure.message);
        for (what, is) in group_facts(group) {
            text += &format!("    {what}: {is}\n");
        }
    }
    let class = format!("{}.{}", report.package, test.part);
    let failure = failure.map(|(kind, message)| (kind, message, text));
    case_text(&class, &test.test, wall_us(test), failure)
}

/// The repeated runs as a case: a report whose seeds do not hold must not look clean.
fn determinism_case(report: &Report) -> String {
    let words = determinism(report);
    let message = words.lines().next().unwrap_or_default().to_string();
    let differs = !report.determinism.differences.is_empty();
    let failure = differs.then(|| ("determinism".into(), message, words));
    case_text(&report.package, "determinism", 0, failure)
}

/// A case, with the kind, message and text of its failure.
fn case_text(
    class: &str,
    name: &str,
    us: u64,
    failure: Option<(String, String, String)>,
) -> String {
    let (class, name, time) = (escape(class), escape(name), seconds(us));
    let head = format!("    <testcase classname=\"{class}\" name=\"{name}\" time=\"{time}\"");
    let Some((kind, message, text)) = failure else { return head + "/>\n" };
    let (kind, message, text) = (escape(&kind), escape(&message), escape_text(&text));
    format!(
        "{head}>\n      <failure type=\"{kind}\" message=\"{message}\">{text}</failure>\n    \
         </testcase>\n"
    )
}

/// The wall time of all runs of a test.
fn wall_us(test: &TestReport) -> u64 {
    test.runs.iter().map(|run| run.wall_us).sum()
}

/// Microseconds in seconds, as JUnit has them.
fn seconds(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

/// A second since 1970 as a date of XML, in UTC.
fn timestamp(seconds: u64) -> String {
    crate::stress::table::words::date(seconds).replace(" UTC", "").replace(' ', "T")
}

/// Text for an attribute; a reader would make spaces of the ends of lines.
fn escape(text: &str) -> String {
    escape_text(text).replace('"', "&quot;").replace('\n', "&#10;").replace('\t', "&#9;")
}

/// Text for an element. What XML does not allow at all is left out.
fn escape_text(text: &str) -> String {
    let allowed = |c: &char| match c {
        '\n' | '\t' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        c => !c.is_control(),
    };
    let text: String = text.chars().filter(allowed).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stress::model::Difference;
    use crate::stress::model::tests::{report, run};

    #[test]
    fn a_suite_for_each_clock_and_a_case_for_each_test() {
        let mut report = report("r", vec![run(0, None), run(1, Some("no")), run(2, Some("never"))]);
        assert_eq!(render(&report).matches("<testsuite ").count(), 1);
        let mut real = report.tests[0].clone();
        (real.clock, real.runs) = (Clock::Real, vec![run(0, None)]);
        report.tests.push(real);
        let xml = render(&report);
        assert_eq!(xml.matches("<testsuite ").count(), 2);
        assert!(xml.contains("<testsuites name=\"r\" tests=\"2\" failures=\"1\" errors=\"0\" "));
        let suite = "name=\"raft-tests (real)\" tests=\"1\" failures=\"0\" errors=\"0\" \
                     skipped=\"0\" time=\"0.002000\" timestamp=\"2023-11-14T22:13:20\">";
        assert!(xml.contains(suite), "{xml}");
        let case = "<testcase classname=\"raft-tests.2A\" name=\"initial_election_2A\" \
                    time=\"0.006000\">\n      <failure type=\"panic\" message=\"2 of 3 runs \
                    failed, 66.67 % (20.77 % to 93.85 %): ";
        assert!(xml.contains(case), "{xml}");
        assert_eq!(xml.matches("panic in 1 run of initial_election_2A (sim)").count(), 2);
    }

    #[test]
    fn any_text_may_be_in_a_failure() {
        let xml =
            render(&report("a&b", vec![run(1, Some("x < \"y\"\n\u{1b}[31m]]>\u{0}\u{ffff}"))]));
        assert!(xml.contains("<testsuites name=\"a&amp;b\""));
        assert!(xml.contains("x &lt; &quot;y&quot;&#10;[31m]]&gt;\">"), "{xml}");
        assert!(xml.contains("    x &lt; \"y\"\n[31m]]&gt;\n"), "{xml}");
        assert!(!xml.contains(['\u{1b}', '\u{0}', '\u{ffff}']));
    }

    #[test]
    fn a_difference_is_a_failure() {
        let mut report = report("r", vec![run(0, None)]);
        report.determinism.repeated = 1;
        assert!(render(&report).contains("name=\"determinism\" time=\"0.000000\"/>"));
        let words = "step 3".into();
        report.determinism.differences.push(Difference { test: "t".into(), seed: 7, words });
        assert!(render(&report).contains("t with seed 7: step 3</failure>"));
    }
}
