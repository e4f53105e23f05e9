//! The words that all forms of a report share: sentences and figures with their units.

use run_record::Clock;
use test_runs::run::Run;
use test_runs::stats::wilson;

use crate::stress::model::{Group, Report, TestReport};

/// What kind of run it was: pairs of a word and its value.
pub(crate) fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("run", clean(&report.name)),
        ("of", date(report.began)),
        ("package", clean(&report.package)),
        ("seed", report.seed.to_string()),
        ("jobs", report.jobs.to_string()),
        ("took", time(report.wall_us)),
        ("runs", report.runs().to_string()),
        ("failures", report.failures().to_string()),
    ];
    if !report.shards.is_empty() {
        facts.push(("shards", clean(&report.shards.join(" "))));
    }
    if report.interrupted {
        facts.push(("ended", "early".into()));
    }
    facts
}

/// What the runs allow to claim, in one sentence.
pub(crate) fn claim(report: &Report) -> String {
    let (failing, clean): (Vec<_>, Vec<_>) = report.tests.iter().partition(|t| t.failures() > 0);
    let runs = clean.iter().map(|test| test.runs.len() as u64);
    let (least, most) = (runs.clone().min().unwrap_or(0), runs.max().unwrap_or(0));
    let count = if least == most { least.to_string() } else { format!("at least {least}") };
    let below = percent(wilson(0, least).1);
    let mut parts: Vec<_> = failing.iter().map(|test| failing_claim(test)).collect();
    parts.push(match (clean.len(), failing.len(), least) {
        (0, 0, _) => "no test has run, so nothing can be claimed".into(),
        (0, ..) => "no test had clean runs only".into(),
        (_, _, 0) => "not every test has run, so nothing can be claimed of the others".into(),
        (_, 0, _) => format!(
            "{count} clean runs of each test: each fails less often than {below} \
             with 95 % confidence"
        ),
        (1, ..) => format!(
            "{count} clean runs of the other test: it fails less often than {below} \
             with 95 % confidence"
        ),
        (others, ..) => format!(
            "{count} clean runs of each of the other {others} tests: each fails less often \
             than {below} with 95 % confidence"
        ),
    });
    let text = parts.join("; ") + ".";
    text[..1].to_uppercase() + &text[1..]
}

/// What can be claimed of a test that failed.
fn failing_claim(test: &TestReport) -> String {
    let (failures, runs) = (test.failures(), test.runs.len() as u64);
    let (low, high) = wilson(failures, runs);
    let (name, of, low, high) = (&test.test, clock(test.clock), percent(low), percent(high));
    format!(
        "test {name} ({of}) failed in {failures} of {runs} runs: between {low} and {high} of \
         its runs fail with 95 % confidence"
    )
}

/// The first line of a group of failures.
pub(crate) fn group_title(group: &Group<'_>) -> String {
    let (count, kind) = (group.count, clean(&group.failure.kind));
    let runs = if count == 1 { "run" } else { "runs" };
    format!("{kind} in {count} {runs} of {} ({})", group.test.test, clock(group.test.clock))
}

/// What else there is to say about a group: pairs of a word and its value.
pub(crate) fn group_facts(group: &Group<'_>) -> Vec<(&'static str, String)> {
    let Group { first, failure, .. } = group;
    let mut facts = Vec::new();
    facts.extend(failure.location.as_ref().map(|location| ("at", clean(location))));
    facts.push(("earliest", format!("{}, after {} of lab time", seed(first), time(first.lab_us))));
    facts.extend(failure.log.as_ref().map(|log| ("log", clean(log))));
    facts.push(("replay", clean(&failure.replay)));
    facts
}

/// What the repeated runs have shown, in one sentence each.
pub(crate) fn determinism(report: &Report) -> String {
    let repeated = report.determinism.repeated;
    let differences = &report.determinism.differences;
    if repeated == 0 && differences.is_empty() {
        return "Determinism: no run was repeated.".into();
    }
    if differences.is_empty() {
        return format!("Determinism: {repeated} runs were repeated, and none differed.");
    }
    let mut text =
        format!("Determinism: {} of {repeated} repeated runs differed.", differences.len());
    for difference in differences {
        let words = clean(&difference.words);
        text += &format!("\n    {} with seed {}: {words}", difference.test, difference.seed);
    }
    text
}

/// How to name a run: by its seed, or by its number if it has none.
pub(crate) fn seed(run: &Run) -> String {
    run.seed.map_or(format!("run {}", run.index), |seed| format!("seed {seed}"))
}

/// The name of a clock, in a word.
pub(crate) fn clock(clock: Clock) -> &'static str {
    match clock {
        Clock::Sim => "sim",
        Clock::Real => "real",
    }
}

/// A failure rate with its 95 % Wilson interval; just that if nothing failed, since it begins at 0.
pub(crate) fn rate(failures: u64, runs: u64) -> String {
    let (low, high) = wilson(failures, runs);
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
    let (days, second) = (seconds / 86400, seconds % 86400);
    // The Gregorian calendar repeats itself every 400 years, of 146097 days. Counted from a first
    // of March, a leap day is the last day of its year.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, (month + 2) % 12 + 1);
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// A text without control characters but ends of lines: it could be anything a process has said.
pub(crate) fn clean(text: &str) -> String {
    text.replace('\t', " ").chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stress::model::Difference;
    use crate::stress::model::tests::{report, run};

    /// A report of as many clean runs and of a second test with these runs.
    fn two(clean: u64, second: Vec<Run>) -> Report {
        let mut report = report("r", (0..clean).map(|index| run(index, None)).collect());
        let other = TestReport { test: "churn_2C".into(), runs: second, ..report.tests[0].clone() };
        report.tests.push(other);
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
    }

    #[test]
    fn determinism_names_what_differed() {
        let mut report = report("r", Vec::new());
        assert_eq!(determinism(&report), "Determinism: no run was repeated.");
        report.determinism.repeated = 5;
        assert!(determinism(&report).ends_with("5 runs were repeated, and none differed."));
        let words = "step 7\x1b[2J".into();
        report.determinism.differences.push(Difference { test: "t".into(), seed: 3, words });
        let text = "Determinism: 1 of 5 repeated runs differed.\n    t with seed 3: step 7[2J";
        assert_eq!(determinism(&report), text);
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
        assert_eq!(rate(0, 20), "0 % to 16.11 %");
        assert_eq!(rate(1, 29), "3.45 % (0.61 % to 17.18 %)");
        assert_eq!(rate(0, 0), "0 % to 100 %");
    }

    #[test]
    fn a_run_is_named_by_its_seed_or_its_number() {
        let mut run = run(4, None);
        assert_eq!(seed(&run), "seed 40");
        run.seed = None;
        assert_eq!(seed(&run), "run 4");
    }
}
