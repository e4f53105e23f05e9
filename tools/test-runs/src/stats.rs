//! The statistics of runs.

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

/// The value that `percent` of the values do not exceed (nearest rank); 0 without values.
///
/// # Panics
/// If the values are not sorted.
pub fn percentile(sorted: &[u64], percent: u64) -> u64 {
    assert!(sorted.is_sorted(), "percentiles are of sorted values");
    let rank = (sorted.len() as u64 * percent).div_ceil(100).max(1) as usize;
    sorted.get(rank - 1).copied().unwrap_or(0)
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
        // 500 clean runs: below 0.8 % (and below 0.6 % by the one-sided rule of three).
        assert!(wilson(0, 500).1 < 0.008);
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        assert_eq!(percentile(&[], 50), 0);
        assert_eq!(percentile(&[7], 95), 7);
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!((percentile(&hundred, 50), percentile(&hundred, 95)), (50, 95));
        assert_eq!(percentile(&[1, 2, 3, 4], 50), 2);
    }
}
