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
