//! Probabilistic concurrency testing: random priorities that change a few times.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

use super::draw::{self, below, one_in};
use super::{Order, entry};
use crate::sim::op::Touch;
use crate::sim::task::At;

/// The steps that changes are drawn from if nobody knows how many a run has.
const STEPS: u64 = 1_000;

/// Behind those steps any of the tasks draws another priority, once in so many steps.
const REDRAWN: u64 = 4;

/// Priorities that are drawn lie above this; those that are given by changes below.
const DRAWN: u64 = 1 << 63;

/// See [`Schedule::Pct`](crate::schedule::Schedule::Pct).
pub(super) struct Pct {
    rng: Xoshiro256PlusPlus,
    /// By slot: the highest one runs.
    priorities: Vec<u64>,
    step: u64,
    /// The steps at which the running task becomes the last one, the first of them at the end.
    changes: Vec<u64>,
    /// The priority that the next of these gets: below all that were given before.
    lowest: u64,
    /// The last step of those that changes are drawn from.
    steps: u64,
}

impl Pct {
    pub(super) fn new(mut rng: Xoshiro256PlusPlus, depth: u32, steps: Option<u64>) -> Pct {
        let steps = steps.filter(|steps| *steps > 0).unwrap_or(STEPS);
        let draw = |_| 1 + below(&mut rng, steps);
        let mut changes: Vec<u64> = (1..depth).map(draw).collect();
        changes.sort_unstable_by(|a, b| b.cmp(a));
        Pct { rng, priorities: Vec::new(), step: 0, changes, lowest: DRAWN - 1, steps }
    }

    fn highest(&self, ready: &[usize]) -> usize {
        let (mut highest, mut at) = (0, 0);
        for (place, &slot) in ready.iter().enumerate() {
            if self.priorities[slot] > highest {
                (highest, at) = (self.priorities[slot], place);
            }
        }
        at
    }

    fn becomes_last(&mut self, slot: usize) {
        self.priorities[slot] = self.lowest;
        self.lowest -= 1;
    }

    fn draw(&mut self) -> u64 {
        self.rng.next_u64() | DRAWN
    }
}

impl Order for Pct {
    fn begins(&mut self, slot: usize, _parent: Option<usize>) {
        *entry(&mut self.priorities, slot) = self.draw();
    }

    fn intends(&mut self, _slot: usize, _touch: Touch, _at: At) {}

    fn choose(&mut self, ready: &[usize]) -> usize {
        self.step += 1;
        let mut place = self.highest(ready);
        while self.changes.last().is_some_and(|at| *at <= self.step) {
            self.changes.pop();
            self.becomes_last(ready[place]);
            place = self.highest(ready);
        }
        if self.step > self.steps && one_in(&mut self.rng, REDRAWN) {
            let any = draw::place(&mut self.rng, ready.len());
            self.priorities[ready[any]] = self.draw();
            place = self.highest(ready);
        }
        place
    }

    fn gives_way(&mut self, slot: usize) {
        self.becomes_last(slot);
    }

    fn reseed(&mut self, rng: Xoshiro256PlusPlus) {
        self.rng = rng;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;

    fn pct(seed: u64, depth: u32, steps: u64) -> Pct {
        let rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut pct = Pct::new(rng, depth, Some(steps));
        (0..3).for_each(|slot| pct.begins(slot, None));
        pct
    }

    /// Who has the turn at each of so many steps.
    fn turns(pct: &mut Pct, steps: usize) -> Vec<usize> {
        (0..steps).map(|_| pct.choose(&[0, 1, 2])).collect()
    }

    fn switches(turns: &[usize]) -> usize {
        turns.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }

    #[test]
    fn a_depth_of_one_never_takes_the_turn_from_anybody() {
        let first: BTreeSet<usize> = (0..50)
            .map(|seed| {
                let turns = turns(&mut pct(seed, 1, 100), 100);
                assert_eq!(switches(&turns), 0);
                turns[0]
            })
            .collect();
        assert_eq!(first.len(), 3, "the seed draws who is first");
    }

    #[test]
    fn at_each_change_the_running_task_becomes_the_last() {
        let mut most = 0;
        for seed in 0..200 {
            let mut pct = pct(seed, 3, 100);
            let turns = turns(&mut pct, 100);
            most = most.max(switches(&turns));
            assert!(switches(&turns) <= 2 && pct.changes.is_empty());
        }
        assert_eq!(most, 2);
    }

    #[test]
    fn behind_the_steps_everybody_has_turns() {
        let mut pct = pct(3, 3, 100);
        turns(&mut pct, 100);
        let turns = turns(&mut pct, 1_000);
        for slot in 0..3 {
            let share = turns.iter().filter(|turn| **turn == slot).count();
            assert!(share > 150, "{slot} has {share} of 1,000 steps");
        }
    }

    #[test]
    fn who_gives_way_is_the_last() {
        let mut pct = pct(5, 1, 100);
        let first = pct.choose(&[0, 1, 2]);
        pct.gives_way(first);
        assert_ne!(pct.choose(&[0, 1, 2]), first);
    }
}
