//! The handout's budgets, and what a stress run used of them.
//!
//! Only what was measured in full is judged: a sum over the suite says nothing if a test is
//! missing.

use run_record::Clock;

use crate::stress::distribution::Distribution;
use crate::stress::model::{Report, TestReport};

/// The lab time a test may take, in seconds; the tester ends it then.
pub(crate) const TEST_LIMIT_S: f64 = 120.0;
/// The lab time of all tests: the most that is let pass, and what the handout calls reasonable.
const SUITE_LIMITS_S: [(f64, bool); 2] = [(600.0, true), (240.0, false)];
/// The lab time of the tests of part 2B.
const PART_2B_LIMIT_S: f64 = 60.0;
/// The CPU time of the tests of part 2B, and of all.
const CPU_LIMITS_S: (f64, f64) = (5.0, 60.0);
/// How many heartbeats a second a peer may get.
const HEARTBEAT_LIMIT: f64 = 10.0;
/// The test that has little but heartbeats, and the number of its servers.
const HEARTBEAT_TEST: (&str, f64) = ("initial_election_2A", 3.0);

/// The lab time and the CPU time of the tests with snapshots and all before them.
const WITH_2D_LIMITS_S: (f64, f64) = (360.0, 60.0);

/// The tests of parts 2A to 2C, in their order.
pub(crate) const LAB: [&str; 21] = [
    "initial_election_2A",
    "election_after_network_failure_2A",
    "multiple_elections_2A",
    "basic_agreement_2B",
    "rpc_byte_count_2B",
    "progressive_failure_of_followers_2B",
    "failure_of_leaders_2B",
    "agreement_despite_follower_disconnection_2B",
    "no_agreement_if_too_many_followers_disconnect_2B",
    "concurrent_starts_2B",
    "rejoin_of_partitioned_leader_2B",
    "leader_backs_up_quickly_2B",
    "rpc_counts_2B",
    "basic_persistence_2C",
    "more_persistence_2C",
    "partitioned_leader_and_one_follower_crash_2C",
    "figure_8_2C",
    "unreliable_agreement_2C",
    "figure_8_unreliable_2C",
    "churn_2C",
    "unreliable_churn_2C",
];

/// The tests of part 2D.
const PART_2D: [&str; 7] = [
    "snapshot_basic_2D",
    "snapshot_install_2D",
    "snapshot_install_unreliable_2D",
    "snapshot_install_crash_2D",
    "snapshot_install_unreliable_crash_2D",
    "snapshot_all_crash_2D",
    "snapshot_init_2D",
];

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
    let longest = tests.iter().filter(|test| test.runs > 0).max_by_key(|test| test.longest_us);
    if let Some(test) = longest {
        let what = format!("longest run: {}", test.test);
        add(what, seconds(test.longest_us as f64), TEST_LIMIT_S, "s", true);
    }
    let part_2b: Vec<&str> = LAB.into_iter().filter(|name| name.ends_with("_2B")).collect();
    if let Some(used) = sum_of_means(&tests, &LAB, |test| &test.lab_us) {
        for (limit, hard) in SUITE_LIMITS_S {
            add("lab time of all tests".into(), seconds(used), limit, "s", hard);
        }
    }
    if let Some(used) = sum_of_means(&tests, &part_2b, |test| &test.lab_us) {
        add("lab time of part 2B".into(), seconds(used), PART_2B_LIMIT_S, "s", false);
    }
    if let Some(used) = sum_of_means(&tests, &part_2b, |test| &test.cpu_us) {
        add("CPU time of part 2B".into(), seconds(used), CPU_LIMITS_S.0, "s", false);
    }
    if let Some(used) = sum_of_means(&tests, &LAB, |test| &test.cpu_us) {
        add("CPU time of all tests".into(), seconds(used), CPU_LIMITS_S.1, "s", false);
    }
    let with_2d: Vec<&str> = LAB.into_iter().chain(PART_2D).collect();
    if let Some(used) = sum_of_means(&tests, &with_2d, |test| &test.lab_us) {
        let what = "lab time of all tests with 2D".into();
        add(what, seconds(used), WITH_2D_LIMITS_S.0, "s", false);
    }
    if let Some(used) = sum_of_means(&tests, &with_2d, |test| &test.cpu_us) {
        let what = "CPU time of all tests with 2D".into();
        add(what, seconds(used), WITH_2D_LIMITS_S.1, "s", false);
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

    fn line<'a>(lines: &'a [Line], what: &str, limit: f64) -> Option<&'a Line> {
        lines.iter().find(|line| line.what == what && line.limit == limit)
    }

    #[test]
    fn the_tests_are_those_of_the_suite() {
        let suite = include_str!("../../../raft-tests/src/suite.rs");
        for name in LAB.into_iter().chain(PART_2D) {
            assert!(suite.contains(&format!(" {name}:")), "the suite has no test {name}");
        }
        let stamped = suite.matches("_2A:").count()
            + suite.matches("_2B:").count()
            + suite.matches("_2C:").count()
            + suite.matches("_2D:").count();
        assert_eq!(stamped, LAB.len() + PART_2D.len());
    }

    #[test]
    fn part_2d_has_budgets_together_with_all_before_it() {
        let all: Vec<&str> = LAB.into_iter().chain(PART_2D).collect();
        let lines = check(&with(&all, 3, 100));
        let lab = line(&lines, "lab time of all tests with 2D", 360.0);
        assert_eq!(lab.map(|line| line.used), Some(84.0));
        let alone = check(&with(&PART_2D, 3, 100));
        assert_eq!(line(&alone, "lab time of all tests with 2D", 360.0), None);
    }

    #[test]
    fn sums_are_over_all_tests() {
        let lines = check(&with(&LAB, 3, 100));
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
        let lines = check(&with(&LAB, 12, 6000));
        assert!(line(&lines, "lab time of all tests", 240.0).unwrap().over);
        assert!(!line(&lines, "lab time of all tests", 600.0).unwrap().over);
        assert!(line(&lines, "CPU time of part 2B", 5.0).unwrap().over);
        assert_eq!(
            line(&lines, "CPU time of all tests", 60.0).unwrap().verdict(),
            "over, not hard"
        );
        assert!(!over(&lines));
        assert!(over(&check(&with(&LAB, 29, 1))));
        assert!(over(&check(&with(&LAB[..1], 121, 1))));
        assert!(!over(&check(&with(&LAB[..1], 120, 1))));
    }

    #[test]
    fn what_was_filtered_out_is_not_judged() {
        let lines = check(&with(&LAB[1..], 3, 100));
        assert!(line(&lines, "lab time of all tests", 240.0).is_none());
        assert!(line(&lines, "heartbeats to a peer (estimate)", 10.0).is_none());
        assert!(line(&lines, "lab time of part 2B", 60.0).is_some());
        assert!(line(&check(&with(&LAB[4..], 3, 100)), "lab time of part 2B", 60.0).is_none());
        assert!(check(&with(&[], 0, 0)).is_empty());
    }

    #[test]
    fn a_test_that_never_passed_leaves_the_sum_open() {
        let mut report = with(&LAB, 3, 100);
        report.tests[20] = test(LAB[20], Clock::Sim, vec![run(0, Some("failed"))]);
        assert!(line(&check(&report), "lab time of all tests", 600.0).is_none());
    }

    #[test]
    fn the_clocks_are_judged_apart() {
        let mut report = with(&LAB, 3, 100);
        report.tests[0].clock = Clock::Real;
        let lines = check(&report);
        assert!(line(&lines, "lab time of all tests", 600.0).is_none());
        assert_eq!(lines.iter().filter(|line| line.clock == Clock::Real).count(), 2);
    }
}
