//! Draws that the orders have in common.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

/// A number below `bound`, which is above 0.
pub(super) fn below(rng: &mut Xoshiro256PlusPlus, bound: u64) -> u64 {
    // A multiply-shift draw: its bias is below 2^-20 for all that is counted here.
    ((u128::from(rng.next_u64()) * u128::from(bound)) >> 64) as u64
}

/// A place in a list of so many.
pub(super) fn place(rng: &mut Xoshiro256PlusPlus, places: usize) -> usize {
    below(rng, places as u64) as usize
}

/// True once in so many draws.
pub(super) fn one_in(rng: &mut Xoshiro256PlusPlus, draws: u64) -> bool {
    below(rng, draws) == 0
}
