//! Each state once, with a number.

use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

/// States that have numbers, from 0 on.
pub(crate) struct States<S> {
    all: Vec<S>,
    hashes: Vec<u64>,
    numbers: HashTable<u32>,
}

impl<S: Eq + Hash> States<S> {
    pub(crate) fn new() -> States<S> {
        States { all: Vec::new(), hashes: Vec::new(), numbers: HashTable::new() }
    }

    /// The number of this state, and whether it is new.
    pub(crate) fn number(&mut self, state: S) -> (u32, bool) {
        // No seed: numbers and work are the same in every process.
        let hash = FxBuildHasher.hash_one(&state);
        let States { all, hashes, numbers } = self;
        let same = |&number: &u32| hashes[number as usize] == hash && all[number as usize] == state;
        if let Some(&number) = numbers.find(hash, same) {
            return (number, false);
        }
        let number = u32::try_from(all.len()).expect("the limit in bytes comes first");
        numbers.insert_unique(hash, number, |&number| hashes[number as usize]);
        all.push(state);
        hashes.push(hash);
        (number, true)
    }

    pub(crate) fn get(&self, number: u32) -> &S {
        &self.all[number as usize]
    }

    pub(crate) fn into_all(self) -> Vec<S> {
        self.all
    }
}

/// About what the tables take for one state, besides the state itself.
pub(crate) const OVERHEAD: usize = size_of::<u64>() + 2 * (size_of::<u32>() + 1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_states_have_one_number_and_numbers_count_from_zero() {
        let mut states = States::new();
        assert_eq!(states.number("a"), (0, true));
        assert_eq!(states.number("b"), (1, true));
        assert_eq!(states.number("a"), (0, false));
        assert_eq!(states.number("c"), (2, true));
        assert_eq!(states.get(1), &"b");
        assert_eq!(states.into_all(), ["a", "b", "c"]);
    }

    #[test]
    fn the_overhead_is_about_what_the_tables_take() {
        let mut states = States::new();
        (0..1_000).for_each(|state| assert!(states.number(state).1));
        let tables = states.hashes.capacity() * size_of::<u64>() + states.numbers.allocation_size();
        let about = 1_000 * OVERHEAD;
        assert!((tables * 9 / 10..tables * 11 / 10).contains(&about), "{about}, not {tables}");
    }
}
