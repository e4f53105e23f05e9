//! The draws of a search.

use run_record::mix;
use serde::{Deserialize, Serialize};

/// A generator that counts and mixes: small enough to be saved with the search.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Draws(u64);

impl Draws {
    pub(super) fn new(seed: u64) -> Draws {
        Draws(seed)
    }

    fn next(&mut self) -> u64 {
        let drawn = mix(self.0);
        self.0 = self.0.wrapping_add(1);
        drawn
    }

    /// A number below `bound`, which is above 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// Any number, short enough to be copied by hand.
    pub(super) fn number(&mut self) -> u32 {
        (self.next() >> 44) as u32
    }
}
