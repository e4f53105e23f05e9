//! Rafts that are odd in two ways.

use std::collections::BTreeSet;

use labrt::rng::{RngExt, Stream};
use odd_rafts::Odd;

/// How many there are.
const PAIRS: usize = 48;

/// What `PAIRS` are drawn with; any other number would do.
const SEED: u64 = 1;

/// Some dozens of pairs, the same at each run. Those that do not go together are left out.
pub(crate) fn drawn() -> Vec<Odd> {
    let names: Vec<&str> = Odd::names().collect();
    let mut rng = Stream::seeded(SEED);
    let mut drawn = BTreeSet::new();
    let mut pairs = Vec::new();
    while pairs.len() < PAIRS {
        let mut draw = || names[rng.random_range(0..names.len())];
        let (one, other) = (draw(), draw());
        let fresh = one != other && drawn.insert([one.min(other), one.max(other)]);
        if let Some(odd) = fresh.then(|| format!("{one}+{other}").parse().ok()).flatten() {
            pairs.push(odd);
        }
    }
    pairs
}
