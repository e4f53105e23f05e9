//! Compares two reports: what became slower, chattier or flakier beyond noise.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use statrs::function::factorial::ln_binomial;

use crate::stress::distribution::Distribution;
use crate::stress::model::{Counted, Report, TestReport};
use crate::stress::table::layout;
use crate::stress::table::words::{claim, clean, clock, date, rate, time};

/// The least probability of a difference by chance that is taken for chance.
const CHANCE: f64 = 0.01;
/// The number of standard deviations that a normal variable exceeds with that probability.
const Z99: f64 = 2.575_829_303_548_901;
/// With fewer runs the normal approximation of the test of medians is not good enough.
const ENOUGH_RUNS: u64 = 20;

/// A quantity to compare, and what it is called if it grew or shrank.
struct Quantity {
    name: &'static str,
    of: fn(&TestReport) -> &Distribution,
    text: fn(u64) -> String,
    grown: &'static str,
    shrunk: &'static str,
}

/// All quantities.
const QUANTITIES: [Quantity; 4] = [
    Quantity {
        name: "lab time",
        of: |test| &test.lab_us,
        text: time,
        grown: "slower",
        shrunk: "faster",
    },
    Quantity {
        name: "wall time",
        of: |test| &test.wall_us,
        text: time,
        grown: "slower",
        shrunk: "faster",
    },
    Quantity {
        name: "CPU time",
        of: |test| &test.cpu_us,
        text: time,
        grown: "hungrier",
        shrunk: "leaner",
    },
    Quantity {
        name: "RPCs",
        of: |test| &test.rpcs,
        text: |rpcs| rpcs.to_string(),
        grown: "chattier",
        shrunk: "quieter",
    },
];

/// The comparison as text: a table with medians and failure rates, and what differs beyond noise.
pub(crate) fn compare(a: &Report, b: &Report) -> String {
    let mut out = String::new();
    for (name, report) in [("a", a), ("b", b)] {
        let (run, date) = (clean(&report.name), date(report.began));
        out += &format!("{name}: {run} of {date}, {} jobs. {}\n", report.jobs, claim(report));
    }
    if let Some(words) = unlike(a, b) {
        out += &format!("{}\n", trace_view::clean(&words));
    }
    let mut rows = Vec::new();
    let mut marked = Vec::new();
    let mut tried = 0;
    for (a, b) in a.tests.iter().filter_map(|test| Some((test, find(b, test)?))) {
        let mut row = vec![a.test.clone(), clock(a.clock).to_string()];
        let mut words = Vec::new();
        for quantity in &QUANTITIES {
            let change = Change::of(quantity, a, b);
            tried += usize::from(change.tried);
            row.push(change.cell(quantity));
            words.extend(change.words);
        }
        let ([rate_a, rate_b], word) = rates(a, b);
        tried += usize::from(a.runs > 0 && b.runs > 0);
        row.extend([rate_a, rate_b]);
        words.extend(word);
        if !words.is_empty() {
            marked.push(format!("{}: {}", label(a), words.join(", ")));
        }
        rows.push(row);
    }
    let head =
        ["test", "clock", "lab p50", "wall p50", "CPU p50", "RPCs p50", "fails a", "fails b"];
    out += &format!("\n{}\n", layout(&head, &rows, 2).join("\n"));
    for (report, other, name) in [(a, b, "a"), (b, a, "b")] {
        let alone = report.tests.iter().filter(|test| find(other, test).is_none());
        let alone: Vec<_> = alone.map(label).collect();
        if !alone.is_empty() {
            out += &format!("\nOnly in {name}: {}.\n", alone.join(", "));
        }
    }
    out += &match marked.len() {
        0 => "\nNothing differs beyond noise.\n".to_string(),
        _ => format!("\nBeyond noise (marked with *):\n    {}\n", marked.join("\n    ")),
    };
    out + &format!(
        "\nMedians are of runs that passed, and are compared by a Mann-Whitney U test (normal \
         approximation, at\nleast {ENOUGH_RUNS} such runs on both sides), failure rates by a \
         two-sided Fisher exact test, each at 1 %.\nOf {tried} comparisons made, about {:.1} would \
         be marked if nothing had changed.\n",
        tried as f64 * CHANCE
    )
}

/// In what two runs are unlike beside their results, in a sentence; none if nothing is known.
fn unlike(a: &Report, b: &Report) -> Option<String> {
    let (one, other) = (&a.subject, &b.subject);
    let quoted = |text: &String| format!("`{text}`");
    let commit = |commit: &Option<String>| commit.as_ref().map_or("not known".into(), quoted);
    let mut facts = vec![
        ("package".to_string(), [quoted(&one.package), quoted(&other.package)]),
        ("profile".to_string(), [quoted(&one.profile), quoted(&other.profile)]),
        ("commit".to_string(), [commit(&one.commit), commit(&other.commit)]),
        ("schedule".to_string(), [one, other].map(|subject| format!("`{}`", subject.schedule))),
    ];
    facts.retain(|(_, [a, b])| a != b);
    if let (Some(one), Some(other)) = (&one.program, &other.program) {
        facts.extend(one.unlike(other));
    }
    let each: Vec<_> =
        facts.iter().map(|(what, [a, b])| format!("{what} ({a} in a, {b} in b)")).collect();
    (!each.is_empty()).then(|| format!("They are not of the same: {}.", each.join(", ")))
}

/// The same test on the same clock in another report.
fn find<'a>(report: &'a Report, test: &TestReport) -> Option<&'a TestReport> {
    report.tests.iter().find(|other| (&other.test, other.clock) == (&test.test, test.clock))
}

/// A test with its clock.
fn label(test: &TestReport) -> String {
    format!("{} ({})", test.test, clock(test.clock))
}

/// How a quantity of a test changed.
struct Change {
    /// The medians; none without runs that passed.
    medians: Option<(u64, u64)>,
    /// There were enough runs to tell noise from change.
    tried: bool,
    /// What changed, if it is beyond noise.
    words: Option<String>,
}

impl Change {
    /// Compares a quantity of the runs that passed.
    fn of(quantity: &Quantity, a: &TestReport, b: &TestReport) -> Change {
        let (a, b) = ((quantity.of)(a), (quantity.of)(b));
        let medians = a.percentile(50).zip(b.percentile(50));
        let tried = a.count.min(b.count) >= ENOUGH_RUNS;
        let word = match z(a, b) {
            z if !tried || z.abs() <= Z99 => None,
            z if z > 0.0 => Some(quantity.grown),
            _ => Some(quantity.shrunk),
        };
        let words = word.zip(medians);
        let words = words.map(|(word, (a, b))| format!("{} {word} {}", quantity.name, ratio(a, b)));
        Change { medians, tried, words }
    }

    /// Both medians and their ratio.
    fn cell(&self, quantity: &Quantity) -> String {
        let mark = if self.words.is_some() { "*" } else { " " };
        self.medians.map_or("- ".into(), |(a, b)| {
            format!("{} -> {} {}{mark}", (quantity.text)(a), (quantity.text)(b), ratio(a, b))
        })
    }
}

/// How many times the first the second is.
fn ratio(a: u64, b: u64) -> String {
    match (a, b) {
        (0, 0) => "x1.00".into(),
        (0, _) => "from 0".into(),
        (a, b) => format!("x{:.2}", b as f64 / a as f64),
    }
}

/// Both failure rates, and what changed if it is beyond noise.
fn rates(a: &TestReport, b: &TestReport) -> ([String; 2], Option<String>) {
    let rates = [rate(a), rate(b)];
    let [Counted { failures: fa, runs: na }, Counted { failures: fb, runs: nb }] =
        [a.counted(), b.counted()];
    if fisher(fa, na - fa, fb, nb - fb) >= CHANCE {
        return (rates.map(|rate| rate + " "), None);
    }
    let [fa, na, fb, nb] = [fa, na, fb, nb].map(u128::from);
    // As in a / na < b / nb.
    let word = match (fa * nb).cmp(&(fb * na)) {
        Ordering::Less => "flakier",
        _ => "steadier",
    };
    (rates.map(|rate| rate + "*"), Some(format!("failures {word}")))
}

/// By how many standard deviations the ranks of the second values are above chance: the
/// Mann-Whitney U test with the corrections for ties and for continuity.
fn z(a: &Distribution, b: &Distribution) -> f64 {
    let (n, m) = (a.count as f64, b.count as f64);
    let values: BTreeSet<u64> = a.values.keys().chain(b.values.keys()).copied().collect();
    let (mut below, mut u, mut ties) = (0.0, 0.0, 0.0);
    // Value by value: each of `b` scores the values of `a` below it, and half of those it equals.
    for value in values {
        let [in_a, in_b] =
            [a, b].map(|of| of.values.get(&value).map_or(0.0, |count| *count as f64));
        u += in_b * (below + in_a / 2.0);
        let tied = in_a + in_b;
        ties += tied * tied * tied - tied;
        below += in_a;
    }
    let variance = n * m / 12.0 * (n + m + 1.0 - ties / ((n + m) * (n + m - 1.0)).max(1.0));
    let above = u - n * m / 2.0;
    if variance <= 0.0 {
        return 0.0;
    }
    above.signum() * (above.abs() - 0.5).max(0.0) / variance.sqrt()
}

/// The two-sided probability of Fisher's exact test: that two equal rates differ as much as this or
/// more, given how many of all runs failed.
fn fisher(fails_a: u64, passes_a: u64, fails_b: u64, passes_b: u64) -> f64 {
    let (a, b) = (fails_a + passes_a, fails_b + passes_b);
    let fails = fails_a + fails_b;
    let of = |k: u64| ln_binomial(a, k) + ln_binomial(b, fails - k) - ln_binomial(a + b, fails);
    let seen = of(fails_a) + 1e-7;
    let cases = fails.saturating_sub(b)..=fails.min(a);
    cases.map(of).filter(|ln| *ln <= seen).map(f64::exp).sum::<f64>().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stress::model::tests::{report, run};

    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
    }

    /// A report of so many runs, of which the first failed, and the others took longer by so much.
    fn runs(name: &str, count: u64, fails: u64, more_us: u64) -> Report {
        let one = |index| {
            let mut run = run(index, (index < fails).then_some("no"));
            run.lab_us += more_us;
            run
        };
        report(name, (0..count).map(one).collect())
    }

    fn of(values: &[u64]) -> Distribution {
        let mut distribution = Distribution::default();
        values.iter().for_each(|value| distribution.add(*value));
        distribution
    }

    #[test]
    fn fisher_agrees_with_known_values() {
        near(fisher(8, 2, 1, 5), 0.034_965_034_965);
        near(fisher(3, 1, 1, 3), 0.485_714_285_714);
        near(fisher(0, 500, 0, 500), 1.0);
        near(fisher(0, 0, 3, 4), 1.0);
    }

    #[test]
    fn mann_whitney_agrees_with_known_values() {
        // U is 17 of 20: (17 - 10 - 0.5) / sqrt(50 / 3).
        let (men, women) = (of(&[16, 19, 22, 24, 29]), of(&[11, 12, 17, 20]));
        near(z(&women, &men), 1.592_168);
        near(z(&men, &women), -1.592_168);
        // With ties: U is 14 of 16, and the variance 16 / 12 * (9 - 30 / 56).
        near(
            z(&of(&[1, 2, 2, 3]), &of(&[2, 4, 4, 5])),
            (14.0 - 8.0 - 0.5) / (4.0 / 3.0 * (9.0 - 30.0 / 56.0f64)).sqrt(),
        );
        near(z(&of(&[7; 30]), &of(&[7; 30])), 0.0);
        near(z(&of(&[]), &of(&[1])), 0.0);
    }

    #[test]
    fn what_is_beyond_noise_is_marked() {
        let text = compare(&runs("old", 100, 0, 0), &runs("new", 100, 12, 500_000));
        assert!(text.contains("1.00 s -> 1.50 s x1.50* "), "{text}");
        assert!(text.contains(" 0 % to 3.70 %*  12.00 % (7.00 % to 19.81 %)*\n"), "{text}");
        let sentence = "initial_election_2A (sim): lab time slower x1.50, failures flakier\n";
        assert!(text.contains(sentence), "{text}");
        let back = compare(&runs("new", 100, 12, 500_000), &runs("old", 100, 0, 0));
        assert!(
            back.contains("lab time faster x0.67") && back.contains("failures steadier"),
            "{back}"
        );
    }

    #[test]
    fn what_is_unlike_beside_the_results_is_named() {
        let (a, mut b) = (runs("old", 3, 0, 0), runs("new", 3, 0, 0));
        assert!(!compare(&a, &b).contains("not of the same"), "{}", compare(&a, &b));
        let subject = &mut b.subject;
        (subject.package, subject.profile) = ("my-raft".into(), "release".into());
        (subject.commit, subject.schedule) = (Some("abc+".into()), "pos".parse().expect("one"));
        let program = subject.program.as_mut().expect("a program");
        program.flags.insert("RUSTFLAGS".into(), "-O".into());
        program.variables.insert("RAFT_ZOO".into(), Some("Evil\x1b".into()));
        program.variables.insert("UNSET".into(), None);
        let expected = "They are not of the same: package (`raft-tests` in a, `my-raft` in b), \
                        profile (`debug` in a, `release` in b), commit (not known in a, `abc+` in b), \
                        schedule (`walk` in a, `pos` in b), RAFT_ZOO (not set in a, `Evil\\u{1b}` in b), \
                        RUSTFLAGS (not set in a, `-O` in b).";
        let text = compare(&a, &b);
        assert!(text.lines().any(|line| line == expected), "{text}");
        // An earlier version did not keep which program it was.
        b = runs("new", 3, 0, 0);
        b.subject.program = None;
        assert!(!compare(&a, &b).contains("not of the same"));
    }

    #[test]
    fn noise_is_not_marked() {
        let text = compare(&runs("old", 100, 0, 0), &runs("new", 100, 2, 0));
        assert!(text.contains("\nNothing differs beyond noise.\n"), "{text}");
        assert!(text.contains("Of 5 comparisons made, about 0.1 would"), "{text}");
    }

    #[test]
    fn few_runs_are_never_beyond_noise() {
        let few = compare(&runs("old", 19, 0, 0), &runs("new", 100, 0, 500_000));
        assert!(few.contains("x1.50 ") && few.contains("Nothing differs"), "{few}");
        let enough = compare(&runs("old", 20, 0, 0), &runs("new", 100, 0, 500_000));
        assert!(enough.contains("x1.50*"), "{enough}");
    }

    #[test]
    fn tests_in_one_report_only_are_named() {
        let (a, mut b) = (runs("old", 3, 0, 0), runs("new", 3, 3, 0));
        assert!(compare(&a, &b).contains(" - "), "no median without a run that passed");
        b.tests[0].clock = run_record::Clock::Real;
        let text = compare(&a, &b);
        assert!(text.contains("\nOnly in a: initial_election_2A (sim).\n"), "{text}");
        assert!(text.contains("\nOnly in b: initial_election_2A (real).\n"), "{text}");
    }
}
