//! From some runs of each test to what gradings would come of such a crate.
//!
//! The runs of a test are independent of each other and of those of other tests: each has a seed of its own. So
//! the rates at which the tests fail say all there is to say about a grading, and gradings can be drawn
//! instead of being made. How sure that is: rates are only known within limits. They are drawn too, as low
//! as the runs allow for ([Clopper and Pearson's](https://doi.org/10.1093/biomet/26.4.404) lower limit, at a
//! level that is drawn): then a grading that loses enough is not taken for more probable than it is.

use run_record::mix;
use statrs::distribution::{Beta, Binomial, ContinuousCDF, Discrete};

/// What a mistake has to cost, in points: what is asked of grading, whatever [`crate::grade::LEAST_LOSS`] is.
pub(super) const ENOUGH: f64 = 10.0;
/// Points are sums of fractions.
const ROUNDING: f64 = 0.005;
/// How many gradings are drawn with the rates that were seen.
const GRADINGS: u64 = 20_000;
/// How many times lower rates are drawn, and how many gradings with each.
const RATES: u64 = 200;
const GRADINGS_EACH: u64 = 1_000;

/// What was seen of a test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seen {
    /// What it is worth in points.
    pub(super) of: f64,
    pub(super) runs: u64,
    pub(super) failed: u64,
}

/// A probability, and what it is at least with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Chance {
    pub(super) seen: f64,
    pub(super) at_least: f64,
}

/// What gradings come of a crate.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Estimate {
    /// The points that it loses in the mean.
    pub(super) loss: f64,
    /// The standard deviation of these from one base of seeds to another.
    pub(super) spread: f64,
    /// The points that 99 of 100 gradings lose at least.
    pub(super) nearly_always: f64,
    /// That a grading is just: a mistake loses [`ENOUGH`], and what is right loses nothing.
    pub(super) just: Chance,
}

/// Gradings that may come of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grading {
    /// With how many seeds each test runs.
    pub(super) seeds: u64,
    /// How many points are lost at least if any run fails.
    pub(super) least_loss: f64,
}

/// What comes of gradings of a crate that is right or is not.
pub(super) fn estimate(tests: &[Seen], grading: Grading, right: bool) -> Estimate {
    let rates: Vec<f64> = tests.iter().map(Seen::rate).collect();
    let mut losses = losses(tests, &rates, grading, GRADINGS, &mut Draws(0));
    losses.sort_by(f64::total_cmp);
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / GRADINGS as f64;
    let loss = mean(&mut losses.iter().copied());
    Estimate {
        loss,
        spread: mean(&mut losses.iter().map(|one| (one - loss).powi(2))).sqrt(),
        nearly_always: losses[losses.len() / 100],
        just: match right {
            true => loses_nothing(tests, &rates, grading.seeds),
            false => Chance {
                seen: share_that_costs_enough(&losses),
                at_least: costs_enough_at_least(tests, grading),
            },
        },
    }
}

impl Seen {
    fn rate(&self) -> f64 {
        self.failed as f64 / self.runs.max(1) as f64
    }

    /// A rate that is lower than the true one with this probability.
    fn low_rate(&self, probability: f64) -> f64 {
        if self.failed == 0 {
            return 0.0;
        }
        let (failed, runs) = (self.failed as f64, self.runs as f64);
        let beta = Beta::new(failed, runs - failed + 1.0);
        beta.map_or(0.0, |beta| beta.inverse_cdf(1.0 - probability))
    }
}

/// Of something right: the runs are as many gradings as they are a multiple of the seeds, and each run that
/// failed has cost at most one of them.
fn loses_nothing(tests: &[Seen], rates: &[f64], seeds: u64) -> Chance {
    let runs = tests.iter().map(|test| test.runs).min().unwrap_or(0);
    let gradings = runs / seeds;
    let clean = gradings.saturating_sub(tests.iter().map(|test| test.failed).sum());
    let all = Seen { of: 1.0, runs: gradings, failed: clean };
    let seeds = i32::try_from(seeds).unwrap_or(i32::MAX);
    Chance {
        seen: rates.iter().map(|p| (1.0 - p).powi(seeds)).product(),
        at_least: all.low_rate(0.95),
    }
}

/// The probability that a grading costs enough, with 95 % confidence.
fn costs_enough_at_least(tests: &[Seen], grading: Grading) -> f64 {
    let mut draws = Draws(1 << 40);
    let mut shares: Vec<f64> = (0..RATES)
        .map(|_| {
            let rates: Vec<f64> = tests.iter().map(|test| test.low_rate(draws.next())).collect();
            share_that_costs_enough(&losses(tests, &rates, grading, GRADINGS_EACH, &mut draws))
        })
        .collect();
    shares.sort_by(f64::total_cmp);
    shares[shares.len() / 20]
}

fn share_that_costs_enough(losses: &[f64]) -> f64 {
    let enough = losses.iter().filter(|loss| **loss >= ENOUGH - ROUNDING);
    enough.count() as f64 / losses.len() as f64
}

/// The points that so many gradings lose, if the tests fail at these rates.
fn losses(
    tests: &[Seen],
    rates: &[f64],
    Grading { seeds, least_loss }: Grading,
    gradings: u64,
    draws: &mut Draws,
) -> Vec<f64> {
    let each = tests.iter().zip(rates).filter(|(_, rate)| **rate > 0.0);
    let each: Vec<(f64, Vec<f64>)> =
        each.map(|(test, rate)| (test.of / seeds as f64, cumulated(seeds, *rate))).collect();
    let mut loss = |_| {
        let (mut failed, mut lost) = (0, 0.0);
        for (points, chances) in &each {
            let at = draws.next();
            let count = chances.partition_point(|chance| *chance <= at);
            failed += count;
            lost += points * count as f64;
        }
        if failed > 0 { f64::max(lost, least_loss) } else { lost }
    };
    (0..gradings).map(&mut loss).collect()
}

/// The probabilities that at most 0, 1, 2 and so on of so many runs fail, all runs left out.
fn cumulated(runs: u64, rate: f64) -> Vec<f64> {
    let Ok(binomial) = Binomial::new(rate.clamp(0.0, 1.0), runs) else { return Vec::new() };
    let mut sum = 0.0;
    let mut add = |failed| {
        sum += binomial.pmf(failed);
        sum
    };
    (0..runs).map(&mut add).collect()
}

/// Numbers from 0 to 1, the same each time.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f64 {
        self.0 += 1;
        (mix(self.0) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(of: f64, runs: u64, failed: u64) -> Seen {
        Seen { of, runs, failed }
    }

    /// Without anything that is lost at least.
    const PLAIN: Grading = Grading { seeds: 20, least_loss: 0.0 };

    fn near(value: f64, expected: f64, by: f64) {
        assert!((value - expected).abs() <= by, "{value} is not {expected}");
    }

    #[test]
    fn what_always_fails_always_costs_the_same() {
        let estimate = estimate(&[seen(12.0, 1000, 1000), seen(50.0, 1000, 0)], PLAIN, false);
        assert_eq!((estimate.loss, estimate.spread, estimate.nearly_always), (12.0, 0.0, 12.0));
        assert_eq!(estimate.just.seen, 1.0);
        assert!(estimate.just.at_least > 0.98, "{estimate:?}");
    }

    #[test]
    fn drawn_gradings_are_those_of_the_binomial_distribution() {
        // 20 points, half of the runs fail: 10 points are lost if at least 10 of 20 runs fail.
        let estimate = estimate(&[seen(20.0, 100_000, 50_000)], PLAIN, false);
        near(estimate.loss, 10.0, 0.05);
        near(estimate.spread, 5_f64.sqrt(), 0.05);
        near(estimate.just.seen, 0.588, 0.015);
        near(estimate.just.at_least, 0.56, 0.03);
        // At least 5 of 20 fail with 99.4 %, and at least 6 with 97.9 %.
        assert_eq!(estimate.nearly_always, 5.0);
    }

    #[test]
    fn what_shows_rarely_costs_enough_if_it_shows() {
        // One test of 5 points; of 20 runs one fails with 87.8 %.
        let tests = [seen(5.0, 1000, 100), seen(95.0, 1000, 0)];
        assert_eq!(estimate(&tests, PLAIN, false).just.seen, 0.0);
        let grading = Grading { least_loss: 10.0, ..PLAIN };
        let estimate = estimate(&tests, grading, false);
        near(estimate.just.seen, 0.878, 0.01);
        near(estimate.loss, 8.78, 0.1);
        near(estimate.just.at_least, 0.82, 0.03);
    }

    #[test]
    fn fewer_runs_say_less() {
        let at_least = |runs| {
            let estimate = estimate(&[seen(20.0, runs, runs * 8 / 10)], PLAIN, false);
            near(estimate.just.seen, 0.999, 0.002);
            estimate.just.at_least
        };
        let limits = [20, 100, 1000].map(at_least);
        assert!(limits[0] < limits[1] && limits[1] < limits[2], "{limits:?}");
        assert!(limits[0] < 0.98 && limits[2] > 0.99, "{limits:?}");
    }

    #[test]
    fn what_is_right_must_lose_nothing() {
        let clean = [seen(10.0, 6000, 0), seen(90.0, 6000, 0)];
        let just = estimate(&clean, PLAIN, true).just;
        // 300 gradings without a loss: the rule of three.
        assert_eq!(just.seen, 1.0);
        near(just.at_least, 0.99, 0.001);
        let just = estimate(&[clean[0], seen(90.0, 6000, 3)], PLAIN, true).just;
        near(just.seen, 0.99, 0.001);
        near(just.at_least, 0.974, 0.001);
    }
}
