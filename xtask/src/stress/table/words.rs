//! The words that all forms of a report share: sentences and figures with their units.

use chrono::DateTime;
use run_record::Clock;
use test_runs::stats::wilson;
use trace_view::clean as clean_line;
pub(crate) use trace_view::clean_lines as clean;

use crate::say;
use crate::stress::model::{Counted, Group, Name, Report, State, TestReport};
use crate::stress::repeat::CAUSES;

/// What kind of run it was: pairs of a word and its value.
pub(crate) fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("run", clean(&report.name)),
        ("of", date(report.began)),
        ("package", clean(&report.subject.package)),
        ("seed", report.subject.seed.to_string()),
        ("jobs", report.jobs.to_string()),
        ("took", time(report.wall_us)),
        ("runs", report.runs().to_string()),
        ("failures", report.failures().to_string()),
    ];
    if !report.shards.is_empty() {
        facts.push(("shards", clean(&report.shards.join(" "))));
    }
    facts.extend(shortfall(report).map(|words| ("not whole:", words)));
    facts
}

/// What a report lacks of the whole, if it does.
pub(crate) fn shortfall(report: &Report) -> Option<String> {
    let state = match report.state {
        State::Finished => None,
        State::Running => Some("it has not come to its end".to_string()),
        State::Interrupted => Some("it was ended early".to_string()),
        State::Failed => Some("the machine gave out".to_string()),
    };
    let missing = match report.missing.as_slice() {
        [] => None,
        [one] => Some(format!("shard {} is missing", clean(one))),
        several => Some(format!("shards {} are missing", clean(&several.join(", ")))),
    };
    let all: Vec<String> = state.into_iter().chain(missing).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// Of so many failing tests each is claimed how often it fails. Nobody reads more of them in a sentence.
const MOST_CLAIMS: usize = 3;

/// What the runs allow to claim, in one sentence.
pub(crate) fn claim(report: &Report) -> String {
    let (failing, clean): (Vec<_>, Vec<_>) = report.tests.iter().partition(|t| t.failures > 0);
    let runs = clean.iter().map(|test| test.runs);
    let (least, most) = (runs.clone().min().unwrap_or(0), runs.max().unwrap_or(0));
    let count = if least == 1 { "1 clean run".into() } else { format!("{least} clean runs") };
    let count = if least == most { count } else { format!("at least {count}") };
    let below = percent(wilson(0, least).1);
    let mut parts: Vec<_> = match failing.len() {
        0..=MOST_CLAIMS => failing.iter().map(|test| failing_claim(report, test)).collect(),
        many => vec![format!("{many} tests failed, as often as the table says")],
    };
    parts.push(match (clean.len(), failing.len(), least) {
        (0, 0, _) => "no test has run, so nothing can be claimed".into(),
        (0, ..) => "no test had clean runs only".into(),
        (_, _, 0) => "not every test has run, so nothing can be claimed of the others".into(),
        (_, 0, _) => format!(
            "{count} of each test: each fails less often than {below} \
             with 95 % confidence"
        ),
        (1, ..) => format!(
            "{count} of the other test: it fails less often than {below} \
             with 95 % confidence"
        ),
        (others, ..) => format!(
            "{count} of each of the other {others} tests: each fails less often \
             than {below} with 95 % confidence"
        ),
    });
    let text = parts.join("; ") + ".";
    text[..1].to_uppercase() + &text[1..]
}

/// What can be claimed of a test that failed.
fn failing_claim(report: &Report, test: &TestReport) -> String {
    let (low, high) = test.interval();
    let (name, of, low, high) = (&test.test, clock(test.clock), percent(low), percent(high));
    let TestReport { failures, runs, .. } = test;
    let counted = match test.until_failure {
        // Whoever stops at a failure has chosen when: another interval belongs to that. Of several shards, the
        // number is a sum, and no run has it.
        Some(Counted { failures: 1, runs }) if report.shards.len() <= 1 => {
            format!(", first in run {runs}")
        }
        _ => String::new(),
    };
    format!(
        "test {name} ({of}) failed in {failures} of {}{counted}: between {low} and {high} of \
         its runs fail with 95 % confidence",
        say::counted(*runs, "run")
    )
}

/// The first line of a group of failures.
pub(crate) fn group_title((test, group): (&TestReport, &Group)) -> String {
    let (runs, title) = (say::counted(group.count, "run"), clean_line(group.title()));
    let not_alone = if group.is_not_by_seed_alone() { ", but not by this seed alone" } else { "" };
    format!("{title} in {runs} of {} ({}){not_alone}", test.test, clock(test.clock))
}

/// What else there is to say about a group: pairs of a word and its value.
pub(crate) fn group_facts(group: &Group) -> Vec<(&'static str, String)> {
    let (first, failure) = (&group.first, group.failure());
    let mut facts = Vec::new();
    // The test's own words say where it was noticed, in words of the lab.
    let says_where = failure.text.lines().any(|line| line.trim_start().starts_with("at "));
    let place = failure.location.as_ref().filter(|_| !says_where);
    facts.extend(place.map(|place| ("at", clean_line(place))));
    if let Some(alone) = group.alone.as_ref().filter(|alone| !alone.same) {
        let words = clean_line(&alone.words);
        let came = match first.before {
            0 => "as it had been the first time".to_string(),
            1 => "a run had come before it the first time".to_string(),
            before => format!("{before} runs had come before it the first time"),
        };
        let words = format!("made once more, alone, {words} ({came}); {CAUSES}");
        facts.push(("not by this seed alone", words));
    }
    let name = Name { index: first.index, seed: first.seed };
    facts.push(match first.known_lab_us() {
        Some(us) => ("earliest", format!("{}, after {} of lab time", seed(name), time(us))),
        // Its process died, and so did those of all others.
        None => ("one of them", seed(name)),
    });
    facts.extend(failure.log.as_ref().map(|log| ("log", clean_line(log))));
    facts.push(("replay", clean_line(&failure.replay)));
    facts
}

/// What the repeated runs have shown, in one sentence each, and which failures were not repeated.
pub(crate) fn determinism(report: &Report) -> String {
    let text = differences(report);
    match report.determinism.untried {
        0 => text,
        1 => text + "\n    1 more kind of failures was not tried again",
        kinds => text + &format!("\n    {kinds} more kinds of failures were not tried again"),
    }
}

/// What the repeated runs have shown.
fn differences(report: &Report) -> String {
    let repeated = report.determinism.repeated;
    let differences = &report.determinism.differences;
    if repeated == 0 && differences.is_empty() {
        return "Determinism: no run that passed was repeated.".into();
    }
    if differences.is_empty() {
        let runs = if repeated == 1 { "1 run was" } else { &*format!("{repeated} runs were") };
        return format!("Determinism: {runs} repeated, and none differed.");
    }
    let differed = report.determinism.differed();
    let mut text = format!("Determinism: {differed} of {repeated} repeated runs differed.");
    for difference in differences {
        let words = clean_line(&difference.words);
        text += &format!("\n    {} with seed {}: {words}", difference.test, difference.seed);
    }
    if report.determinism.more > 0 {
        text += &format!("\n    and {} more", report.determinism.more);
    }
    text + &format!("\n    {CAUSES}")
}

/// How to name a run: by its seed, or by its number if it has none.
pub(crate) fn seed(run: Name) -> String {
    run.seed.map_or(format!("run {}", run.index), |seed| format!("seed {seed}"))
}

/// The name of a clock, in a word.
pub(crate) fn clock(clock: Clock) -> &'static str {
    match clock {
        Clock::Sim => "sim",
        Clock::Real => "real",
    }
}

/// A failure rate with its 95 % interval; just that if nothing failed, since it begins at 0.
pub(crate) fn rate(test: &TestReport) -> String {
    let Counted { failures, runs } = test.counted();
    let (low, high) = test.interval();
    let interval = format!("{} to {}", percent(low), percent(high));
    match failures {
        0 => interval,
        _ => format!("{} ({interval})", percent(failures as f64 / runs as f64)),
    }
}

/// A share in per cent; small ones with more digits.
pub(crate) fn percent(share: f64) -> String {
    match share {
        0.0 => "0 %".into(),
        1.0 => "100 %".into(),
        small if small < 0.001 => format!("{:.4} %", small * 100.0),
        share => format!("{:.2} %", share * 100.0),
    }
}

/// A time of so many microseconds.
pub(crate) fn time(us: u64) -> String {
    match us {
        0..1000 => format!("{us} us"),
        1000..999_950 => format!("{:.1} ms", us as f64 / 1e3),
        _ => format!("{:.2} s", us as f64 / 1e6),
    }
}

/// So many bytes.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..999_950 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// The date of a second since 1970, in UTC.
pub(crate) fn date(seconds: u64) -> String {
    moment(seconds).format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A second since 1970; the first one for what no calendar has.
pub(crate) fn moment(seconds: u64) -> DateTime<chrono::Utc> {
    let known = i64::try_from(seconds).ok().and_then(|second| DateTime::from_timestamp(second, 0));
    known.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use test_runs::plan::Shard;
    use test_runs::run::Run;

    use super::*;
    use crate::stress::model::tests::{report, run, test};
    use crate::stress::model::{Alone, Difference};
    use crate::stress::tally::Tally;

    /// A report of as many clean runs and of a second test with these runs.
    fn two(clean: u64, second: Vec<Run>) -> Report {
        let mut report = report("r", (0..clean).map(|index| run(index, None)).collect());
        report.tests.push(test("churn_2C", Clock::Sim, second));
        report
    }

    #[test]
    fn clean_runs_claim_a_bound() {
        let clean = |count| (0..count).map(|index| run(index, None)).collect::<Vec<_>>();
        let bound = "each fails less often than 0.76 % with 95 % confidence.";
        let expected = format!("500 clean runs of each test: {bound}");
        assert_eq!(claim(&report("r", clean(500))), expected);
        assert_eq!(claim(&two(500, clean(700))), expected.replace("500", "At least 500"));
        assert!(claim(&two(500, clean(0))).starts_with("Not every test has run"));
        let mut none = report("r", Vec::new());
        none.tests.clear();
        assert_eq!(claim(&none), "No test has run, so nothing can be claimed.");
    }

    #[test]
    fn failures_claim_an_interval() {
        let failing = (0..29).map(|index| run(index, (index == 9).then_some("no"))).collect();
        let expected = "Test churn_2C (sim) failed in 1 of 29 runs: between 0.61 % and 17.18 % of \
                        its runs fail with 95 % confidence; 20 clean runs of the other test: it \
                        fails less often than 16.11 % with 95 % confidence.";
        assert_eq!(claim(&two(20, failing)), expected);
        let mut one = two(1, vec![run(0, Some("no"))]);
        let expected = "Test churn_2C (sim) failed in 1 of 1 run: between 20.65 % and 100 % of its \
                        runs fail with 95 % confidence; 1 clean run of the other test: it fails \
                        less often than 79.35 % with 95 % confidence.";
        assert_eq!(claim(&one), expected);
        for name in ["backup_2B", "figure_8_2C", "speed_3A"] {
            one.tests.push(test(name, Clock::Sim, vec![run(0, Some("no"))]));
        }
        let many = "4 tests failed, as often as the table says; 1 clean run of the other test: ";
        assert!(claim(&one).starts_with(many), "{}", claim(&one));
    }

    #[test]
    fn determinism_names_what_differed() {
        let mut report = report("r", Vec::new());
        assert_eq!(determinism(&report), "Determinism: no run that passed was repeated.");
        report.determinism.repeated = 5;
        assert!(determinism(&report).ends_with("5 runs were repeated, and none differed."));
        let words = "step 7\x1b[2J".into();
        report.determinism.differences.push(Difference { test: "t".into(), seed: 3, words });
        let text = "Determinism: 1 of 5 repeated runs differed.\n    t with seed 3: step 7\\u{1b}[2J\n    usual";
        assert!(determinism(&report).starts_with(text), "{}", determinism(&report));
        (report.determinism.repeated, report.determinism.more) = (300, 280);
        let text = determinism(&report);
        assert!(text.starts_with("Determinism: 281 of 300 repeated runs differed."), "{text}");
        assert!(text.contains("\n    and 280 more\n    usual"), "{text}");
    }

    #[test]
    fn no_lab_time_is_said_of_a_run_that_told_none() {
        let mut dead = run(7, Some("no"));
        (dead.lab_us, dead.troubles) = (0, None);
        let report = report("r", vec![dead]);
        let facts = group_facts(report.groups()[0].1);
        assert!(facts.contains(&("one of them", "seed 70".to_string())), "{facts:?}");
        assert!(!facts.iter().any(|(_, value)| value.contains("lab time")), "{facts:?}");
    }

    #[test]
    fn dates_of_known_seconds() {
        assert_eq!(date(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(date(951_782_399), "2000-02-28 23:59:59 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(date(1_700_000_000), "2023-11-14 22:13:20 UTC");
        assert_eq!(date(4_107_542_400), "2100-03-01 00:00:00 UTC");
    }

    #[test]
    fn figures_have_units() {
        let times = [999, 1000, 999_949, 999_950, 3_140_000].map(time);
        assert_eq!(times, ["999 us", "1.0 ms", "999.9 ms", "1.00 s", "3.14 s"]);
        assert_eq!([999, 1000, 2_500_000].map(size), ["999 B", "1.0 kB", "2.5 MB"]);
        let shares = [0.0, 0.000_5, 0.007_624, 1.0].map(percent);
        assert_eq!(shares, ["0 %", "0.0500 %", "0.76 %", "100 %"]);
        let of = |runs: u64, fails: u64| {
            let failing = |index| (index < fails).then_some("no");
            test("a", Clock::Sim, (0..runs).map(|index| run(index, failing(index))).collect())
        };
        assert_eq!(rate(&of(20, 0)), "0 % to 16.11 %");
        assert_eq!(rate(&of(29, 1)), "3.45 % (0.61 % to 17.18 %)");
        assert_eq!(rate(&of(0, 0)), "0 % to 100 %");
    }

    #[test]
    fn a_run_is_named_by_its_seed_or_its_number() {
        assert_eq!(seed(Name { index: 4, seed: Some(40) }), "seed 40");
        assert_eq!(seed(Name { index: 4, seed: None }), "run 4");
    }

    #[test]
    fn runs_that_a_failure_ended_have_the_interval_for_that() {
        let mut tally = Tally::new("a_2A", "2A", Clock::Sim, Shard::WHOLE, true);
        (0..40).for_each(|index| tally.add(&run(index, (index >= 29).then_some("no"))));
        let report = Report { tests: vec![tally.into_report()], ..report("r", Vec::new()) };
        let expected = "Test a_2A (sim) failed in 11 of 40 runs, first in run 30: between 0.0844 % \
                        and 11.94 % of its runs fail";
        assert!(claim(&report).starts_with(expected), "{}", claim(&report));
        assert_eq!(rate(&report.tests[0]), "3.33 % (0.0844 % to 11.94 %)");
        // Of two shards, nobody knows the run by the sum of both.
        let shards = vec!["1/2".into(), "2/2".into()];
        let expected = expected.replace(", first in run 30", "");
        let merged = claim(&Report { shards, ..report });
        assert!(merged.starts_with(&expected), "{merged}");
    }

    #[test]
    fn a_failure_that_needs_more_than_its_seed_says_so() {
        let mut report = report("r", vec![run(7, Some("no"))]);
        let alone = Alone { same: false, words: "it passed then".into() };
        report.tests[0].groups[0].alone = Some(alone);
        let groups = report.groups();
        assert!(group_title(groups[0]).ends_with("(sim), but not by this seed alone"));
        let (what, is) = &group_facts(groups[0].1)[1];
        assert_eq!(*what, "not by this seed alone");
        let begin = "made once more, alone, it passed then (a run had come before it the first time); usual causes: the";
        assert!(is.starts_with(begin), "{is}");
    }

    #[test]
    fn what_is_not_whole_says_why() {
        let mut report = report("r", Vec::new());
        assert_eq!(shortfall(&report), None);
        report.state = State::Interrupted;
        report.missing = vec!["3/4".into()];
        let words = "it was ended early; shard 3/4 is missing";
        assert_eq!(shortfall(&report).as_deref(), Some(words));
    }
}
