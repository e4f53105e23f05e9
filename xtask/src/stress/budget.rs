//! The budgets of the course's handouts, and what a stress run used of them.
//!
//! Only what was measured in full is judged: a sum over the suite says nothing if a test is
//! missing.

use run_record::Clock;

use crate::labs::Lab;
use crate::stress::distribution::Distribution;
use crate::stress::model::{Report, TestReport};

/// The lab time a test may take, in seconds; the tester ends it then.
pub(crate) const TEST_LIMIT_S: f64 = 120.0;
/// How many heartbeats a second a peer may get.
const HEARTBEAT_LIMIT: f64 = 10.0;
/// The test that has little but heartbeats, and the number of its servers.
const HEARTBEAT_TEST: (&str, f64) = ("initial_election_2A", 3.0);

/// What the runs of some tests may take together.
struct Budget {
    what: &'static str,
    tests: Tests,
    time: Time,
    limit_s: f64,
    hard: bool,
}

/// All of these parts, or one test.
enum Tests {
    Parts(&'static str, &'static [&'static str]),
    One(&'static str),
}

#[derive(Clone, Copy)]
enum Time {
    Lab,
    Cpu,
}

const LAB_2: Tests = Tests::Parts("2", &["2A", "2B", "2C"]);
const PART_2B: Tests = Tests::Parts("2", &["2B"]);
const WITH_2D: Tests = Tests::Parts("2", &["2A", "2B", "2C", "2D"]);
const LAB_3: Tests = Tests::Parts("3", &["3A", "3B"]);
const PART_4A: Tests = Tests::Parts("4", &["4A"]);
const PART_4B: Tests = Tests::Parts("4", &["4B"]);
const LAB_4: Tests = Tests::Parts("4", &["4A", "4B"]);

const fn wish(what: &'static str, tests: Tests, time: Time, limit_s: f64) -> Budget {
    Budget { what, tests, time, limit_s, hard: false }
}

/// No lab may take more than this, says the handout of each.
const fn most(what: &'static str, tests: Tests) -> Budget {
    Budget { hard: true, ..wish(what, tests, Time::Lab, 600.0) }
}

/// What is wanted by the course's handouts, which are meant below, too. What is over a hard one is not let pass; the others are called reasonable.
static BUDGETS: [Budget; 17] = [
    most("lab time of all tests", LAB_2),
    most("lab time of all tests with 2D", WITH_2D),
    most("lab time of lab 3", LAB_3),
    most("lab time of lab 4", LAB_4),
    wish("lab time of all tests", LAB_2, Time::Lab, 240.0),
    wish("lab time of part 2B", PART_2B, Time::Lab, 60.0),
    wish("CPU time of part 2B", PART_2B, Time::Cpu, 5.0),
    wish("CPU time of all tests", LAB_2, Time::Cpu, 60.0),
    // The handout says nothing of this part alone. It is what the handout's own Raft takes, and most of it
    // is the tests' waiting.
    wish("lab time of part 2D", Tests::Parts("2", &["2D"]), Time::Lab, 294.0),
    wish("lab time of all tests with 2D", WITH_2D, Time::Lab, 360.0),
    wish("CPU time of all tests with 2D", WITH_2D, Time::Cpu, 60.0),
    wish("lab time of lab 3", LAB_3, Time::Lab, 400.0),
    wish("CPU time of lab 3", LAB_3, Time::Cpu, 700.0),
    wish("lab time of snapshot_size_3B", Tests::One("snapshot_size_3B"), Time::Lab, 20.0),
    // The handout has no budgets for lab 4, only what its own solution takes: 5.9 s and 101.5 s, or
    // 174.0 s with one test more. A good student's takes 119 s, and 7.4 s of CPU time for a test.
    wish("lab time of part 4A", PART_4A, Time::Lab, 10.0),
    wish("lab time of part 4B", PART_4B, Time::Lab, 174.0),
    wish("CPU time of part 4B", PART_4B, Time::Cpu, 104.0),
];

impl Budget {
    /// What was used of it; none if a test is missing.
    fn used_s(&self, tests: &[&TestReport]) -> Option<f64> {
        let names = match self.tests {
            Tests::Parts(lab, parts) => Lab::named(lab).ok()?.tests_of(parts),
            Tests::One(name) => vec![name],
        };
        let us = sum_of_means(tests, &names, |test| match self.time {
            Time::Lab => &test.lab_us,
            Time::Cpu => &test.cpu_us,
        });
        us.map(seconds)
    }
}

/// One budget and what was used of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    /// What is counted.
    pub(crate) what: String,
    /// On which clock.
    pub(crate) clock: Clock,
    pub(crate) used: f64,
    pub(crate) limit: f64,
    /// The unit of both, such as `s`.
    pub(crate) unit: &'static str,
    /// More was used than the limit.
    pub(crate) over: bool,
    /// To be over is an error. A budget that is not hard is a wish ("about 60 s") or is checked
    /// against an estimate.
    pub(crate) hard: bool,
}

impl Line {
    /// What was used, as text.
    pub(crate) fn used_text(&self) -> String {
        format!("{:.2} {}", self.used, self.unit)
    }

    /// The limit, as text.
    pub(crate) fn limit_text(&self) -> String {
        format!("{} {}", self.limit, self.unit)
    }

    /// The judgement in a word or two.
    pub(crate) fn verdict(&self) -> &'static str {
        match (self.over, self.hard) {
            (false, _) => "ok",
            (true, true) => "OVER",
            (true, false) => "over, not hard",
        }
    }
}

/// Checks all budgets that the report has enough runs for.
pub(crate) fn check(report: &Report) -> Vec<Line> {
    [Clock::Sim, Clock::Real].into_iter().flat_map(|clock| check_clock(report, clock)).collect()
}

/// Whether a hard budget is exceeded.
pub(crate) fn over(lines: &[Line]) -> bool {
    lines.iter().any(|line| line.over && line.hard)
}

/// Checks the budgets on one clock.
fn check_clock(report: &Report, clock: Clock) -> Vec<Line> {
    let tests: Vec<_> = report.tests.iter().filter(|test| test.clock == clock).collect();
    let mut lines = Vec::new();
    let mut add = |what: String, used: f64, limit: f64, unit, hard| {
        lines.push(Line { what, clock, used, limit, unit, over: used > limit, hard });
    };
    // Of processes that died before a run began nobody knows how long one took.
    let is_known = |test: &&&TestReport| test.longest_us > 0 || test.runs > test.failures;
    let longest = tests.iter().filter(is_known).max_by_key(|test| test.longest_us);
    if let Some(test) = longest {
        let what = format!("longest run: {}", test.test);
        add(what, seconds(test.longest_us as f64), TEST_LIMIT_S, "s", true);
    }
    for budget in &BUDGETS {
        if let Some(used) = budget.used_s(&tests) {
            add(budget.what.into(), used, budget.limit_s, "s", budget.hard);
        }
    }
    let (name, servers) = HEARTBEAT_TEST;
    let rpcs = sum_of_means(&tests, &[name], |test| &test.rpcs);
    let lab = sum_of_means(&tests, &[name], |test| &test.lab_us).filter(|lab| *lab > 0.0);
    if let (Some(rpcs), Some(lab)) = (rpcs, lab) {
        let used = rpcs / seconds(lab) / (servers - 1.0);
        add("heartbeats to a peer (estimate)".into(), used, HEARTBEAT_LIMIT, "/s", false);
    }
    lines
}

/// The sum over the named tests of the mean over their runs that passed; none if a test has none.
fn sum_of_means(
    tests: &[&TestReport],
    names: &[&str],
    of: impl Fn(&TestReport) -> &Distribution,
) -> Option<f64> {
    let mean = |name: &&str| {
        let test = tests.iter().find(|test| test.test == **name)?;
        of(test).mean()
    };
    names.iter().map(mean).sum()
}

/// Microseconds in seconds.
fn seconds(us: f64) -> f64 {
    us / 1e6
}

#[cfg(test)]
mod tests {
    use test_runs::run::Run;

    use super::*;
    use crate::stress::model::tests::{report, run, test};

    /// A report with a run of each named test, each of so many seconds of lab and CPU time.
    fn with(names: &[&str], lab_s: u64, cpu_ms: u64) -> Report {
        let of = |name: &&str| {
            let mut run = run(0, None);
            (run.lab_us, run.cpu_us, run.rpcs) = (lab_s * 1_000_000, cpu_ms * 1000, 60);
            test(name, Clock::Sim, vec![run])
        };
        Report { tests: names.iter().map(of).collect(), ..report("r", Vec::new()) }
    }

    /// The tests of some parts.
    fn of(lab: &str, parts: &[&str]) -> Vec<&'static str> {
        Lab::named(lab).expect("a lab").tests_of(parts)
    }

    fn lab_2() -> Vec<&'static str> {
        of("2", &["2A", "2B", "2C"])
    }

    fn line<'a>(lines: &'a [Line], what: &str, limit: f64) -> Option<&'a Line> {
        lines.iter().find(|line| line.what == what && line.limit == limit)
    }

    #[test]
    fn part_2d_has_budgets_alone_and_together_with_all_before_it() {
        let lines = check(&with(&of("2", &["2A", "2B", "2C", "2D"]), 3, 100));
        let lab = line(&lines, "lab time of all tests with 2D", 360.0);
        assert_eq!(lab.map(|line| line.used), Some(84.0));
        let cpu = line(&lines, "CPU time of all tests with 2D", 60.0);
        assert_eq!(cpu.map(|line| (line.used_text(), line.over)), Some(("2.80 s".into(), false)));
        let part_2d = of("2", &["2D"]);
        let alone = check(&with(&part_2d, 50, 100));
        let own = line(&alone, "lab time of part 2D", 294.0);
        assert_eq!(own.map(|line| (line.used, line.verdict())), Some((350.0, "over, not hard")));
        assert_eq!(line(&alone, "lab time of all tests with 2D", 360.0), None);
        let part = check(&with(&part_2d[1..], 3, 100));
        assert_eq!(line(&part, "lab time of part 2D", 294.0), None);
    }

    #[test]
    fn no_lab_may_take_more_than_600_s() {
        for (lab, parts) in
            [("2", &["2A", "2B", "2C", "2D"][..]), ("3", &["3A", "3B"]), ("4", &["4A", "4B"])]
        {
            let tests = of(lab, parts);
            let each = |s: u64| s / tests.len() as u64;
            assert!(over(&check(&with(&tests, each(700) + 1, 100))), "lab {lab}, 700 s");
            assert!(!over(&check(&with(&tests, each(590), 100))), "lab {lab}, 590 s");
        }
    }

    #[test]
    fn lab_3_has_budgets_of_its_own() {
        let lines = check(&with(&of("3", &["3A", "3B"]), 19, 100));
        let lab = line(&lines, "lab time of lab 3", 400.0).expect("all tests ran");
        assert_eq!((lab.used, lab.verdict()), (437.0, "over, not hard"));
        assert!(!line(&lines, "lab time of snapshot_size_3B", 20.0).expect("it ran").over);
        assert!(line(&lines, "lab time of all tests", 240.0).is_none());
    }

    #[test]
    fn the_parts_of_lab_4_have_budgets_of_their_own() {
        let lines = check(&with(&of("4", &["4A", "4B"]), 10, 100));
        let part_4a = line(&lines, "lab time of part 4A", 10.0).expect("all tests ran");
        assert_eq!((part_4a.used, part_4a.verdict()), (30.0, "over, not hard"));
        let part_4b = line(&lines, "lab time of part 4B", 174.0).expect("all tests ran");
        assert_eq!((part_4b.used, part_4b.verdict()), (140.0, "ok"));
        assert!(!line(&lines, "CPU time of part 4B", 104.0).expect("all tests ran").over);
    }

    #[test]
    fn sums_are_over_all_tests() {
        let lines = check(&with(&lab_2(), 3, 100));
        let sums: Vec<_> = lines.iter().map(|l| (l.what.as_str(), l.used, l.over)).collect();
        let longest = "longest run: unreliable_churn_2C";
        let expected = [
            (longest, 3.0, false),
            ("lab time of all tests", 63.0, false),
            ("lab time of all tests", 63.0, false),
            ("lab time of part 2B", 30.0, false),
            ("CPU time of part 2B", 1.0, false),
            ("CPU time of all tests", 2.1, false),
            ("heartbeats to a peer (estimate)", 10.0, false),
        ];
        assert_eq!(sums, expected);
        assert!(!over(&lines));
    }

    #[test]
    fn a_wish_may_be_missed_and_a_hard_budget_may_not() {
        let lines = check(&with(&lab_2(), 12, 6000));
        assert!(line(&lines, "lab time of all tests", 240.0).unwrap().over);
        assert!(!line(&lines, "lab time of all tests", 600.0).unwrap().over);
        assert!(line(&lines, "CPU time of part 2B", 5.0).unwrap().over);
        assert_eq!(
            line(&lines, "CPU time of all tests", 60.0).unwrap().verdict(),
            "over, not hard"
        );
        assert!(!over(&lines));
        assert!(over(&check(&with(&lab_2(), 29, 1))));
        assert!(over(&check(&with(&lab_2()[..1], 121, 1))));
        assert!(!over(&check(&with(&lab_2()[..1], 120, 1))));
    }

    #[test]
    fn what_was_filtered_out_is_not_judged() {
        let lines = check(&with(&lab_2()[1..], 3, 100));
        assert!(line(&lines, "lab time of all tests", 240.0).is_none());
        assert!(line(&lines, "heartbeats to a peer (estimate)", 10.0).is_none());
        assert!(line(&lines, "lab time of part 2B", 60.0).is_some());
        assert!(line(&check(&with(&lab_2()[4..], 3, 100)), "lab time of part 2B", 60.0).is_none());
        assert!(check(&with(&[], 0, 0)).is_empty());
    }

    #[test]
    fn a_test_that_never_passed_leaves_the_sum_open() {
        let mut report = with(&lab_2(), 3, 100);
        report.tests[20] = test(lab_2()[20], Clock::Sim, vec![run(0, Some("failed"))]);
        assert!(line(&check(&report), "lab time of all tests", 600.0).is_none());
    }

    #[test]
    fn nothing_is_said_of_runs_that_never_began() {
        let dead = Run { lab_us: 0, troubles: None, ..run(0, Some("the process died")) };
        assert!(check(&report("r", vec![dead.clone()])).is_empty());
        assert!(check(&report("r", Vec::new())).is_empty());
        // A run that passed in no time has begun.
        let quick = Run { lab_us: 0, ..run(1, None) };
        let lines = check(&report("r", vec![dead, quick]));
        assert!(lines[0].what.starts_with("longest run: "), "{lines:?}");
    }

    #[test]
    fn the_clocks_are_judged_apart() {
        let mut report = with(&lab_2(), 3, 100);
        report.tests[0].clock = Clock::Real;
        let lines = check(&report);
        assert!(line(&lines, "lab time of all tests", 600.0).is_none());
        assert_eq!(lines.iter().filter(|line| line.clock == Clock::Real).count(), 2);
    }
}
