//! Sets of small numbers.

/// A set of numbers below a bound.
#[derive(Clone, Debug)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    /// The empty set, with room for numbers below `bound`.
    pub(super) fn new(bound: usize) -> Bits {
        Bits(vec![0; bound.div_ceil(64)])
    }

    pub(super) fn has(&self, number: u32) -> bool {
        self.0[number as usize / 64] & mask(number) != 0
    }

    pub(super) fn insert(&mut self, number: u32) {
        self.0[number as usize / 64] |= mask(number);
    }

    pub(super) fn remove(&mut self, number: u32) {
        self.0[number as usize / 64] &= !mask(number);
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.0
    }

    /// The numbers that are here and not in `other`, which has the same bound.
    pub(super) fn without<'a>(&'a self, other: &'a Bits) -> impl Iterator<Item = u32> + 'a {
        self.0.iter().zip(&other.0).enumerate().flat_map(|(place, (here, there))| {
            let mut rest = here & !there;
            std::iter::from_fn(move || {
                let lowest = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(place as u32 * 64 + lowest)
            })
        })
    }
}

fn mask(number: u32) -> u64 {
    1 << (number % 64)
}

/// Whether each number of the one set is in the other; both as words.
pub(super) fn is_subset(one: &[u64], other: &[u64]) -> bool {
    one.iter().zip(other).all(|(one, other)| one & !other == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_in() {
        let (mut some, mut other) = (Bits::new(130), Bits::new(130));
        for number in [0, 63, 64, 129] {
            some.insert(number);
        }
        other.insert(64);
        assert_eq!(some.without(&other).collect::<Vec<_>>(), [0, 63, 129]);
        assert!(some.has(64) && !some.has(65));
        assert!(is_subset(other.words(), some.words()));
        assert!(!is_subset(some.words(), other.words()));
        some.remove(64);
        assert!(!is_subset(other.words(), some.words()));
    }
}
