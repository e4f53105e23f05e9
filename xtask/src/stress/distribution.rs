//! How a quantity was distributed over many runs, in little memory.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// So many bits of a value are kept: those below them are rounded.
const BITS: u32 = 10;

/// The values of a quantity and how often each was seen. Values from 1,024 on are rounded to three
/// digits (by less than 0.1 %), so that even of a million runs there are some thousand values only.
/// Sum, least and most are exact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Distribution {
    pub(crate) count: u64,
    pub(crate) sum: u64,
    pub(crate) least: u64,
    pub(crate) most: u64,
    /// How often each rounded value was seen.
    pub(crate) values: BTreeMap<u64, u64>,
}

impl Distribution {
    pub(crate) fn add(&mut self, value: u64) {
        self.least = if self.count == 0 { value } else { self.least.min(value) };
        self.most = self.most.max(value);
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
        *self.values.entry(rounded(value)).or_default() += 1;
    }

    /// Adds all values of another one.
    pub(crate) fn absorb(&mut self, other: &Distribution) {
        if other.count == 0 {
            return;
        }
        self.least = if self.count == 0 { other.least } else { self.least.min(other.least) };
        self.most = self.most.max(other.most);
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        for (value, count) in &other.values {
            *self.values.entry(*value).or_default() += count;
        }
    }

    /// The value that `percent` of the values do not exceed (nearest rank); none without values.
    pub(crate) fn percentile(&self, percent: u64) -> Option<u64> {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut below = 0;
        let found = self.values.iter().find(|(_, count)| {
            below += **count;
            below >= rank
        });
        let value = found.map(|(value, _)| (*value).clamp(self.least, self.most));
        value.map(|value| if rank == self.count { self.most } else { value })
    }

    /// None without values.
    pub(crate) fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }
}

/// The nearest value whose bits beyond the first ones are 0.
fn rounded(value: u64) -> u64 {
    let beyond = (u64::BITS - value.leading_zeros()).saturating_sub(BITS);
    let half = (1_u64 << beyond) >> 1;
    (value.saturating_add(half) >> beyond) << beyond
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Distribution {
        let mut distribution = Distribution::default();
        values.into_iter().for_each(|value| distribution.add(value));
        distribution
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        assert_eq!(of([]).percentile(50), None);
        assert_eq!(of([7]).percentile(95), Some(7));
        let hundred = of(1..=100);
        assert_eq!((hundred.percentile(50), hundred.percentile(95)), (Some(50), Some(95)));
        assert_eq!(of([1, 2, 3, 4]).percentile(50), Some(2));
        assert_eq!(of([3, 1_000_001]).percentile(100), Some(1_000_001));
    }

    #[test]
    fn a_value_is_rounded_by_less_than_a_thousandth() {
        for value in (0..64).map(|bit| 1_u64 << bit).flat_map(|one| [one - 1, one, one + one / 3]) {
            let by = rounded(value).abs_diff(value) as f64;
            assert!(by <= value as f64 / 1000.0, "{value}");
        }
        assert_eq!([1, 1023, 1025, 3_012_345].map(rounded), [1, 1023, 1026, 3_010_560]);
        rounded(u64::MAX);
    }

    #[test]
    fn many_values_take_little_room() {
        let many = of((0..1_000_000).map(|run| 3_000_000 + run % 100_000 * 11));
        assert!(many.values.len() < 1000, "{}", many.values.len());
        assert_eq!((many.count, many.least, many.most), (1_000_000, 3_000_000, 4_099_989));
    }

    #[test]
    fn parts_are_the_whole() {
        let mut joint = of([5, 2000]);
        joint.absorb(&of([]));
        joint.absorb(&of([1, 9999]));
        assert_eq!(joint, of([1, 5, 2000, 9999]));
        let mut empty = of([]);
        empty.absorb(&joint);
        assert_eq!((empty.mean(), empty), (Some(3001.25), joint));
    }
}
