//! The statistics of runs.
//!
//! An interval depends on the rule by which the runs have ended. [`wilson`] is for a number of runs that
//! was set beforehand; [`inverse`] for runs that went on until enough had failed. The one in the place of
//! the other claims too much: Wilson's interval of runs that stopped at their first failure holds for 84
//! of 100 such series, not for 95.

use statrs::distribution::{Beta, ContinuousCDF};

/// The value below which 95 % of a normal distribution lies on both sides of its mean.
const Z95: f64 = 1.959_963_984_540_054;

/// The 95 % Wilson interval of a rate of which `failures` in `runs` were seen.
///
/// Without runs nothing is known: 0 to 1.
pub fn wilson(failures: u64, runs: u64) -> (f64, f64) {
    if runs == 0 {
        return (0.0, 1.0);
    }
    let (n, z2) = (runs as f64, Z95 * Z95);
    let rate = failures as f64 / n;
    let centre = rate + z2 / (2.0 * n);
    let spread = Z95 * (rate * (1.0 - rate) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    // At the ends the interval begins or ends exactly there; rounding must not say otherwise.
    let lower = if failures == 0 { 0.0 } else { ((centre - spread) / scale).max(0.0) };
    let upper = if failures == runs { 1.0 } else { ((centre + spread) / scale).min(1.0) };
    (lower, upper)
}

/// After so many runs without a failure, [`wilson`]'s interval ends below this rate.
pub fn clean_runs_for(rate: f64) -> u64 {
    let z2 = Z95 * Z95;
    // The end of the interval is z2 / (n + z2).
    ((z2 / rate - z2).floor() as u64).saturating_add(1)
}

/// The 95 % interval of a rate, of runs that were made until so many had failed, the last one among them
/// (inverse sampling; the runs have a negative binomial distribution). Exact: it holds for 95 % of such
/// series or for a little more, whatever the rate is.
///
/// Without failures it is [`wilson`]'s, which is the wider one there.
pub fn inverse(failures: u64, runs: u64) -> (f64, f64) {
    let failures = failures.min(runs);
    if failures == 0 {
        return wilson(0, runs);
    }
    let (r, n) = (failures as f64, runs as f64);
    let quantile = |a, b, at| Beta::new(a, b).map_or(at, |beta| beta.inverse_cdf(at));
    // So many failures in fewer runs, or in more, would be a surprise of 2.5 % each.
    let lower = quantile(r, n - r + 1.0, 0.025);
    let upper = if failures == runs { 1.0 } else { quantile(r, n - r, 0.975) };
    (lower, upper)
}

/// The same of several parts of which some have ended without a failure, since they were bounded.
///
/// Those failed less often than [`inverse`] takes for granted, which claims that the last run of all has failed. So
/// the upper end is that of a number of runs that was set beforehand, and the interval holds a little more often than
/// it says.
pub fn inverse_of_parts(failures: u64, runs: u64) -> (f64, f64) {
    let (lower, upper) = inverse(failures, runs);
    match failures == 0 || failures == runs {
        true => (lower, upper),
        false => {
            let (r, n) = (failures as f64, runs as f64);
            let upper = Beta::new(r + 1.0, n - r).map_or(1.0, |beta| beta.inverse_cdf(0.975));
            (lower, upper)
        }
    }
}

/// How many kinds one more run of each test would show that the test has not shown yet, with the 95 %
/// interval: the estimate of Good and Turing, with Esty's variance (Annals of Statistics 11, 1983).
///
/// For each test: how many kinds were seen in exactly one of its runs, in exactly two, and how many runs
/// there were. A test without runs is left out. The interval does not end below what no kind at all in so
/// many runs allows for one that comes with a chance of 2.5 %.
pub fn unseen(tests: &[(u64, u64, u64)]) -> (f64, f64, f64) {
    let (mut sum, mut variance, mut least) = (0.0, 0.0, 0.0_f64);
    for &(once, twice, runs) in tests.iter().filter(|(.., runs)| *runs > 0) {
        let (once, twice, runs) = (once as f64, twice as f64, runs as f64);
        sum += once / runs;
        variance += (once + 2.0 * twice) / (runs * runs);
        least = least.max(-(0.025_f64.ln()) / runs);
    }
    let spread = Z95 * variance.sqrt();
    (sum, (sum - spread).max(0.0), (sum + spread).max(least))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(interval: (f64, f64), expected: (f64, f64)) {
        let near = |a: f64, b: f64| (a - b).abs() < 5e-5;
        assert!(near(interval.0, expected.0) && near(interval.1, expected.1), "{interval:?}");
    }

    #[test]
    fn wilson_agrees_with_published_values() {
        // Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        close(wilson(81, 263), (0.2553, 0.3662));
        close(wilson(15, 148), (0.0624, 0.1605));
        close(wilson(0, 20), (0.0, 0.1611));
        close(wilson(1, 29), (0.0061, 0.1718));
    }

    #[test]
    fn wilson_at_the_ends() {
        assert_eq!(wilson(0, 0), (0.0, 1.0));
        assert_eq!(wilson(0, 500).0, 0.0);
        assert_eq!(wilson(7, 7).1, 1.0);
        for rate in [0.5, 0.02, 0.001] {
            let runs = clean_runs_for(rate);
            assert!(wilson(0, runs).1 < rate && wilson(0, runs - 1).1 >= rate, "{rate}: {runs}");
        }
        // 500 clean runs: below 0.8 % (and below 0.6 % by the one-sided rule of three).
        assert!(wilson(0, 500).1 < 0.008);
    }

    #[test]
    fn inverse_sampling_until_the_first_failure_is_the_geometric_distribution() {
        for n in [2, 10, 500] {
            let exact = |share: f64, n: u64| 1.0 - share.powf(1.0 / n as f64);
            let (lower, upper) = inverse(1, n);
            assert!((lower - exact(0.975, n)).abs() < 1e-9, "{lower}");
            assert!((upper - exact(0.025, n - 1)).abs() < 1e-9, "{upper}");
        }
        assert_eq!(inverse(1, 1).1, 1.0);
        assert_eq!(inverse(0, 500), wilson(0, 500));
        assert_eq!(inverse(0, 0), (0.0, 1.0));
    }

    /// Numbers between 0 and 1, the same each time.
    fn chances(base: u64) -> impl Iterator<Item = f64> {
        (0..).map(move |index| {
            (crate::plan::seed(base, "", index) as f64 + 0.5) / (1_u64 << 40) as f64
        })
    }

    /// The share of 4,000 series whose interval holds the rate.
    fn coverage(
        rate: f64,
        mut series: impl FnMut(&mut dyn Iterator<Item = f64>) -> (f64, f64),
    ) -> f64 {
        let mut chances = chances(rate.to_bits());
        let holds = (0..4000).filter(|_| {
            let (lower, upper) = series(&mut chances);
            lower <= rate && rate <= upper
        });
        holds.count() as f64 / 4000.0
    }

    /// How many runs it takes until one fails.
    fn until_failure(rate: f64, chances: &mut dyn Iterator<Item = f64>) -> u64 {
        let chance = chances.next().expect("there is always one more");
        1 + (chance.ln() / (1.0 - rate).ln()) as u64
    }

    #[test]
    fn an_interval_holds_for_its_own_stopping_rule() {
        for rate in [0.3, 0.1, 0.03, 0.01, 0.001] {
            let first = coverage(rate, |chances| inverse(1, until_failure(rate, chances)));
            assert!(first > 0.94, "until the first failure at {rate}: {first}");
            let third = coverage(rate, |chances| {
                inverse(3, (0..3).map(|_| until_failure(rate, chances)).sum())
            });
            assert!(third > 0.94, "until the third failure at {rate}: {third}");
            let bounded = coverage(rate, |chances| match until_failure(rate, chances) {
                runs @ ..=300 => inverse(1, runs),
                _ => wilson(0, 300),
            });
            assert!(bounded > 0.94, "until a failure or a bound at {rate}: {bounded}");
        }
        // Several such series, put together.
        for (parts, bound, rate) in [(4, 25, 0.05), (8, 50, 0.01), (2, 100, 0.03)] {
            let merged = coverage(rate, |chances| {
                let (mut failures, mut runs) = (0, 0);
                for _ in 0..parts {
                    let until = until_failure(rate, chances);
                    failures += u64::from(until <= bound);
                    runs += until.min(bound);
                }
                if failures == parts {
                    inverse(failures, runs)
                } else {
                    inverse_of_parts(failures, runs)
                }
            });
            assert!(merged > 0.94, "{parts} parts of {bound} at {rate}: {merged}");
        }
        // Wilson's holds on average over the rates; at some of them a little less often.
        let fixed: Vec<f64> = (1..20)
            .map(|step| step as f64 / 40.0)
            .map(|rate| {
                coverage(rate, |chances| {
                    let failed = chances.take(60).filter(|chance| *chance < rate).count();
                    wilson(failed as u64, 60)
                })
            })
            .collect();
        let mean = fixed.iter().sum::<f64>() / fixed.len() as f64;
        assert!((0.94..0.96).contains(&mean), "a set number of runs: {fixed:?}");
    }

    #[test]
    fn what_was_never_seen_is_estimated_by_what_was_seen_once() {
        assert_eq!(unseen(&[]), (0.0, 0.0, 0.0));
        assert_eq!(unseen(&[(5, 0, 0)]), (0.0, 0.0, 0.0));
        let (sum, lower, upper) = unseen(&[(0, 0, 100)]);
        assert!(sum == 0.0 && lower == 0.0 && (0.036..0.037).contains(&upper), "{upper}");
        assert_eq!(unseen(&[(2, 0, 100), (1, 0, 100)]).0, 0.03);

        // Kinds that come with very different chances, each by itself, in 200 runs.
        let rates: Vec<f64> = (0..40).map(|kind| 0.5_f64.powf(f64::from(kind) / 3.0)).collect();
        let mut chances = chances(1);
        let holds = (0..1000).filter(|_| {
            let counts: Vec<u64> = rates
                .iter()
                .map(|rate| {
                    chances.by_ref().take(200).filter(|chance| chance < rate).count() as u64
                })
                .collect();
            let missing = rates.iter().zip(&counts).filter(|(_, count)| **count == 0);
            let truth: f64 = missing.map(|(rate, _)| rate).sum();
            let of = |times| counts.iter().filter(|count| **count == times).count() as u64;
            let (_, lower, upper) = unseen(&[(of(1), of(2), 200)]);
            (lower..=upper).contains(&truth)
        });
        let share = holds.count() as f64 / 1000.0;
        assert!(share > 0.93, "{share}");
    }

    #[test]
    fn an_interval_for_another_rule_claims_too_much() {
        let wrong = coverage(0.01, |chances| wilson(1, until_failure(0.01, chances)));
        assert!((0.80..0.88).contains(&wrong), "{wrong}");
    }
}
