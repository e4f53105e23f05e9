//! The report as text for a terminal, and the cells that all forms of it share.

pub(crate) mod words;

use crate::stress::budget::{Line, TEST_LIMIT_S};
use crate::stress::distribution::Distribution;
use crate::stress::model::{Report, TestReport};
use crate::stress::situations;
use words::{claim, clean, clock, determinism, facts, group_facts, group_title};
use words::{rate, seed, size, time};

/// The heads of the columns of the tests.
pub(crate) const HEAD: [&str; 16] = [
    "test",
    "clock",
    "runs",
    "failed",
    "failure rate (95 %)",
    "lab p50",
    "lab p95",
    "lab max",
    "of 120 s",
    "wall p50",
    "CPU p50",
    "RPCs p50",
    "RPCs max",
    "bytes p50",
    "bytes max",
    "first failing",
];
/// The heads of the columns of the budgets.
pub(crate) const BUDGET_HEAD: [&str; 5] = ["budget", "clock", "used", "limit", ""];

/// What makes a terminal show text in red, in green, and as before.
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const PLAIN: &str = "\x1b[0m";

/// The whole report as text, with the budgets as they were checked; each line ends in a newline.
pub(crate) fn render(report: &Report, budgets: &[Line], colour: bool) -> String {
    let paint = |good: bool, text: &str| match colour {
        true => format!("{}{text}{PLAIN}\n", if good { GREEN } else { RED }),
        false => format!("{text}\n"),
    };
    let mut out = String::new();
    let facts: Vec<_> = facts(report).iter().map(|(what, is)| format!("{what} {is}")).collect();
    out += &format!("{}\n\n", facts.join(", "));
    let rows: Vec<_> = report.tests.iter().map(cells).collect();
    let mut lines = layout(&HEAD, &rows, 2).into_iter();
    out += &format!("{}\n", lines.next().unwrap_or_default());
    for (line, test) in lines.zip(&report.tests) {
        out += &if test.failures > 0 { paint(false, &line) } else { line + "\n" };
    }
    if !budgets.is_empty() {
        let rows: Vec<_> = budgets.iter().map(budget_cells).collect();
        let mut lines = layout(&BUDGET_HEAD, &rows, 2).into_iter();
        out += &format!("\n{}\n", lines.next().unwrap_or_default());
        lines.zip(budgets).for_each(|(line, budget)| out += &paint(!budget.over, &line));
    }
    if situations::are_known(report) {
        let lines = layout(&situations::HEAD, &situations::rows(report), 2);
        lines.iter().for_each(|line| {
            out += &format!("{}{line}\n", if line == &lines[0] { "\n" } else { "" })
        });
        situations::sentences(report).iter().for_each(|line| out += &format!("{line}\n"));
    }
    out += &format!("\n{}", paint(report.failures() == 0 && report.runs() > 0, &claim(report)));
    for (test, group) in report.groups() {
        out += &format!("\n{}", paint(false, &group_title((test, group))));
        for line in clean(&group.verdict()).lines() {
            out += &format!("    {line}\n");
        }
        for (what, is) in group_facts(group) {
            out += &format!("    {what}: {is}\n");
        }
    }
    let same = report.determinism.differences.is_empty();
    out += &match report.determinism.repeated {
        0 => format!("\n{}\n", determinism(report)),
        _ => format!("\n{}", paint(same, &determinism(report))),
    };
    out
}

/// The cells of a test, as many as [`HEAD`] has.
pub(crate) fn cells(test: &TestReport) -> Vec<String> {
    let TestReport { lab_us: lab, wall_us: wall, cpu_us: cpu, rpcs, bytes, .. } = test;
    // A test that never passed has no figures; zeros would say that it was fast.
    let p = |values: &Distribution, percent, text: fn(u64) -> String| {
        values.percentile(percent).map_or("-".into(), text)
    };
    let of_limit = |us: u64| format!("{:.0} %", us as f64 / 1e4 / TEST_LIMIT_S);
    let first = test.first_failing.map(seed).unwrap_or_default();
    vec![
        test.test.clone(),
        clock(test.clock).into(),
        test.runs.to_string(),
        test.failures.to_string(),
        rate(test),
        p(lab, 50, time),
        p(lab, 95, time),
        p(lab, 100, time),
        p(lab, 100, of_limit),
        p(wall, 50, time),
        p(cpu, 50, time),
        p(rpcs, 50, |rpcs| rpcs.to_string()),
        p(rpcs, 100, |rpcs| rpcs.to_string()),
        p(bytes, 50, size),
        p(bytes, 100, size),
        first,
    ]
}

/// The cells of a budget, as many as [`BUDGET_HEAD`] has.
pub(crate) fn budget_cells(line: &Line) -> Vec<String> {
    let Line { what, clock: of, .. } = line;
    let texts = [line.used_text(), line.limit_text(), line.verdict().into()];
    [what.clone(), clock(*of).into()].into_iter().chain(texts).collect()
}

/// Columns of text, the head first. The first `left` columns begin in line, the others end in line.
/// A column without any content is left out.
pub(crate) fn layout(head: &[&str], rows: &[Vec<String>], left: usize) -> Vec<String> {
    let head: Vec<String> = head.iter().map(|text| text.to_string()).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..head.len())
        .map(|column| match width(column) {
            Some(0) => 0,
            width => width.unwrap_or(0).max(head[column].chars().count()),
        })
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().filter(|(_, (_, width))| **width > 0);
        let cells = cells.map(|(column, (text, &width))| match column < left {
            true => format!("{text:<width$}"),
            false => format!("{text:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string()
    };
    std::iter::once(&head).chain(rows).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stress::budget::check;
    use crate::stress::model::Difference;
    use crate::stress::model::tests::{report, run};
    use crate::stress::{html, junit, markdown};

    /// Ten runs, of which two failed.
    fn flaky() -> Report {
        let failing =
            |index| matches!(index, 3 | 7).then_some("one(104) failed to reach\nagreement");
        report("nightly", (0..10).map(|index| run(index, failing(index))).collect())
    }

    /// The report as text.
    fn text(report: &Report, colour: bool) -> String {
        render(report, &check(report), colour)
    }

    #[test]
    fn columns_are_in_line_and_no_wider_than_needed() {
        let row = |cells: [&str; 4]| cells.map(String::from).to_vec();
        let rows = [row(["a", "1", "", "x"]), row(["long", "12345", "", ""])];
        let lines = layout(&["name", "n", "none", "last"], &rows, 1);
        assert_eq!(lines, ["name      n  last", "a         1     x", "long  12345"]);
    }

    #[test]
    fn the_whole_of_a_flaky_test() {
        let expected = "\
run nightly, of 2023-11-14 22:13:20 UTC, package raft-tests, seed 1, jobs 2, took 5.00 s, runs 10, failures 2

test                 clock  runs  failed          failure rate (95 %)  lab p50  lab p95  lab max  of 120 s  wall p50  CPU p50  RPCs p50  RPCs max  bytes p50  bytes max  first failing
initial_election_2A  sim      10       2  20.00 % (5.67 % to 50.98 %)   1.00 s   1.00 s   1.00 s       1 %    2.0 ms   1.0 ms        54        59      500 B      500 B        seed 30

budget                            clock      used  limit
longest run: initial_election_2A  sim      1.00 s  120 s              ok
heartbeats to a peer (estimate)   sim    27.19 /s  10 /s  over, not hard

Test initial_election_2A (sim) failed in 2 of 10 runs: between 5.67 % and 50.98 % of its runs fail with 95 % confidence; no test had clean runs only.

panic in 2 runs of initial_election_2A (sim)
    one(104) failed to reach
    agreement
    at: a.rs:1:1
    earliest: seed 30, after 1.00 s of lab time
    log: logs/3.txt
    replay: LAB_SEED=30 cargo test

Determinism: no run that passed was repeated.
";
        assert_eq!(text(&flaky(), false), expected);
    }

    #[test]
    fn colours_do_not_change_the_text() {
        let colours = text(&flaky(), true);
        assert!(colours.contains("\x1b[31minitial_election_2A"));
        assert!(colours.contains("\x1b[32mlongest"));
        let plain = [RED, GREEN, PLAIN].iter().fold(colours, |text, code| text.replace(code, ""));
        assert_eq!(plain, text(&flaky(), false));
    }

    #[test]
    fn words_of_the_code_steer_nothing_in_any_report() {
        const EVIL: &str = "\x1b]0;x\x07 \u{202e}dlrow\u{2066}\n    replay: rm -rf x";
        let mut failed = run(0, Some(EVIL));
        let failure = failed.failure.as_mut().expect("it failed");
        let words = [&mut failure.kind, &mut failure.check, &mut failure.replay];
        words.into_iter().for_each(|words| *words = EVIL.into());
        (failure.location, failure.log) = (Some(EVIL.into()), Some(EVIL.into()));
        let mut report = report("r", vec![failed]);
        report.determinism.repeated = 1;
        let (test, words) = ("a_2A".into(), EVIL.into());
        report.determinism.differences.push(Difference { test, seed: 1, words });
        let budgets = check(&report);
        let shown = text(&report, false);
        for (form, text) in [
            ("table", shown.clone()),
            ("markdown", markdown::render(&report, &budgets)),
            ("html", html::render(&report, &budgets)),
            ("junit", junit::render(&report, &budgets).expect("it is encoded")),
        ] {
            let evil = ['\x1b', '\x07', '\u{202e}', '\u{2066}'];
            assert!(!text.contains(evil), "{form}: {text:?}");
        }
        // Those of the verdict are several lines; what is said besides is none of them.
        let replays = shown.lines().filter(|line| line.starts_with("    replay: "));
        assert_eq!(replays.count(), 1, "{shown}");
    }

    #[test]
    fn a_test_that_never_passed_has_no_figures() {
        let failed = report("r", vec![run(5, Some("no")), run(4, Some("no"))]);
        let cells = cells(&failed.tests[0]);
        assert_eq!(cells.len(), HEAD.len());
        assert_eq!(cells[3..6], ["2", "100 % (34.24 % to 100 %)", "-"]);
        assert_eq!((cells[8].as_str(), cells[15].as_str()), ("-", "seed 40"));
    }
}
