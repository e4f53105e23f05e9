//! The choices that the seed makes for the scheduler.

use std::time::Duration;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// A run without a setting has a mean number of steps between two forced switches from 1 to 2 to
/// this power, each doubling equally likely. Some mistakes need many switches close together,
/// others a long undisturbed stretch, and no one mean finds both.
const WIDEST_GAP_LOG2: f64 = 6.0;

/// Running code takes up to 2 to this power ns (1 ms) between two steps.
const LONGEST_PAUSE_LOG2: usize = 20;

/// A wait on a condition variable that ends for no reason does so after up to 2 to this power ns
/// (0.5 s).
const LONGEST_SPURIOUS_WAIT_LOG2: usize = 29;

/// One in so many waits on a condition variable ends for no reason.
const SPURIOUS_WAITS: usize = 16;

/// One in so many weak exchanges fails for no reason.
const SPURIOUS_FAILURES: usize = 32;

/// One in so many forced switches lets time pass although another task could run.
const PAUSES: usize = 8;

/// Draws the scheduler's choices.
pub(super) struct Chance {
    rng: Xoshiro256PlusPlus,
    /// The logarithm of the probability that a step is followed by another one of the same task.
    /// `None`: no switch is forced.
    ln_stay: Option<f64>,
}

impl Chance {
    /// `switch_every`: the mean number of steps between two forced switches, 0 for none; `None`: it
    /// is drawn.
    pub(super) fn new(seed: u64, switch_every: Option<u32>) -> Chance {
        let mut chance = Chance { rng: Xoshiro256PlusPlus::seed_from_u64(seed), ln_stay: None };
        let mean = match switch_every {
            Some(0) => return chance,
            Some(steps) => f64::from(steps),
            None => (chance.uniform() * WIDEST_GAP_LOG2).exp2(),
        };
        chance.ln_stay = Some((1.0 - 1.0 / mean).ln());
        chance
    }

    /// All draws from here on are others. How often a switch is forced stays as it is.
    pub(super) fn reseed(&mut self, seed: u64) {
        self.rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    }

    /// True if there are forced switches at all.
    pub(super) fn forces(&self) -> bool {
        self.ln_stay.is_some()
    }

    /// How many steps pass before the next forced switch: geometrically distributed; 0 if there are
    /// none.
    pub(super) fn gap(&mut self) -> u32 {
        match self.ln_stay {
            Some(ln_stay) => (self.uniform().ln() / ln_stay) as u32,
            None => 0,
        }
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        if bound == 1 {
            return 0;
        }
        // A multiply-shift draw: its bias is below 2^-40 for any number of tasks that fits in memory.
        ((u128::from(self.rng.next_u64()) * bound as u128) >> 64) as usize
    }

    /// True if time passes at a forced switch although another task could run.
    pub(super) fn pauses(&mut self) -> bool {
        self.below(PAUSES) == 0
    }

    /// How long the running code takes for what it does at this moment.
    pub(super) fn pause(&mut self) -> Duration {
        self.log_uniform(LONGEST_PAUSE_LOG2)
    }

    /// After how long a wait ends for no reason, if it does; zero if it does not even begin.
    pub(super) fn spurious_wait(&mut self) -> Option<Duration> {
        if self.below(SPURIOUS_WAITS) > 0 {
            return None;
        }
        let begins = self.below(2) == 0;
        Some(if begins { self.log_uniform(LONGEST_SPURIOUS_WAIT_LOG2) } else { Duration::ZERO })
    }

    /// True if a weak exchange fails for no reason.
    pub(super) fn spurious_failure(&mut self) -> bool {
        self.below(SPURIOUS_FAILURES) == 0
    }

    /// 1 ns to 2^`log2` ns, each power of two equally likely.
    fn log_uniform(&mut self, log2: usize) -> Duration {
        Duration::from_nanos(1 << self.below(log2 + 1))
    }

    /// A number above 0 and up to 1.
    fn uniform(&mut self) -> f64 {
        ((self.rng.next_u64() >> 11) as f64 + 1.0) / (1u64 << 53) as f64
    }
}
