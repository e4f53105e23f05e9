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

/// Priorities that are drawn lie above this.
const DRAWN: u64 = 1 << 63;

/// Those that are given by changes lie above this and below the drawn ones.
const CHANGED: u64 = 1 << 62;

/// See [`Schedule::Pct`](crate::schedule::Schedule::Pct).
pub(super) struct Pct {
    rng: Xoshiro256PlusPlus,
    /// By slot: the highest one runs.
    priorities: Vec<u64>,
    /// By slot: the task has said what it does next, and has not had the turn since.
    intending: Vec<bool>,
    /// How many operations were made. A choice that none follows, as of a task that has been woken, is no step.
    step: u64,
    /// The first of them is at the end.
    changes: Vec<Change>,
    /// The priority that who gives way next gets: below all that were given before.
    lowest: u64,
    /// The last step of those that changes are drawn from.
    steps: u64,
}

/// A step at which the task whose turn it is gets another priority. Which one has nothing to do with when that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    at: u64,
    priority: u64,
}

impl Pct {
    pub(super) fn new(mut rng: Xoshiro256PlusPlus, depth: u32, steps: Option<u64>) -> Pct {
        let steps = steps.filter(|steps| *steps > 0).unwrap_or(STEPS);
        let draw = |n| Change { at: 1 + below(&mut rng, steps), priority: CHANGED + u64::from(n) };
        let mut changes: Vec<Change> = (1..depth).map(draw).collect();
        changes.sort_unstable_by(|a, b| b.cmp(a));
        let (priorities, intending) = (Vec::new(), Vec::new());
        Pct { rng, priorities, intending, step: 0, changes, lowest: CHANGED, steps }
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

    /// The change that is due if the task in `slot` has the turn now: it would make the operation of that step.
    fn change_before(&mut self, slot: usize) -> Option<Change> {
        let next = self.step + 1;
        self.changes.pop_if(|change| self.intending[slot] && change.at <= next)
    }

    fn draw(&mut self) -> u64 {
        self.rng.next_u64() | DRAWN
    }
}

impl Order for Pct {
    fn begins(&mut self, slot: usize, _parent: Option<usize>) {
        *entry(&mut self.priorities, slot) = self.draw();
        *entry(&mut self.intending, slot) = false;
    }

    fn lets_go(&mut self, slot: usize) {
        self.intending[slot] = false;
    }

    fn intends(&mut self, slot: usize, _touch: Touch, _at: At) {
        // Who was alone has made its last operation without being chosen.
        self.step += u64::from(std::mem::replace(&mut self.intending[slot], true));
    }

    fn choose(&mut self, ready: &[usize]) -> usize {
        let mut place = self.highest(ready);
        while let Some(change) = self.change_before(ready[place]) {
            self.priorities[ready[place]] = change.priority;
            place = self.highest(ready);
        }
        // The change may have left the turn to a task that is only woken: the tail begins with the first step behind all.
        if self.step >= self.steps && one_in(&mut self.rng, REDRAWN) {
            let any = draw::place(&mut self.rng, ready.len());
            self.priorities[ready[any]] = self.draw();
            place = self.highest(ready);
        }
        self.step += u64::from(std::mem::take(&mut self.intending[ready[place]]));
        place
    }

    fn gives_way(&mut self, slot: usize) {
        self.lowest -= 1;
        self.priorities[slot] = self.lowest;
    }

    fn reseed(&mut self, rng: Xoshiro256PlusPlus) {
        self.rng = rng;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::panic::Location;

    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;

    const TASKS: [usize; 3] = [0, 1, 2];

    /// All tasks are about to make their first operation.
    fn pct(seed: u64, depth: u32, steps: u64) -> Pct {
        let rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut pct = Pct::new(rng, depth, Some(steps));
        TASKS.into_iter().for_each(|slot| pct.begins(slot, None));
        TASKS.into_iter().for_each(|slot| intends(&mut pct, slot));
        pct
    }

    fn intends(pct: &mut Pct, slot: usize) {
        pct.intends(slot, Touch::Nothing, Location::caller());
    }

    /// Who makes each of so many operations.
    fn turns(pct: &mut Pct, steps: usize) -> Vec<usize> {
        let turn = |_| {
            let slot = pct.choose(&TASKS);
            intends(pct, slot);
            slot
        };
        (0..steps).map(turn).collect()
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
    fn at_each_change_the_running_task_falls_behind() {
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
    fn of_two_that_have_fallen_behind_either_one_may_go_first() {
        // Who was changed first runs before who was changed second, or behind it.
        let mut orders = BTreeSet::new();
        for seed in 0..200 {
            let mut pct = pct(seed, 3, 100);
            let mut fell = turns(&mut pct, 100);
            fell.dedup();
            if let [first, second, _] = fell[..]
                && first != second
                && TASKS.iter().filter(|slot| pct.priorities[**slot] < DRAWN).count() == 2
            {
                orders.insert(pct.priorities[first] > pct.priorities[second]);
            }
        }
        assert_eq!(orders, [false, true].into());
    }

    /// In a world in which each operation blocks its task, every second choice is of one that has been woken.
    #[test]
    fn changes_lie_in_all_of_a_run_that_blocks_at_each_operation() {
        const OPERATIONS: u64 = 100;
        let mut latest = 0;
        for seed in 0..100 {
            let mut pct = pct(seed, 3, OPERATIONS);
            let drawn = pct.priorities.clone();
            let mut choices = 0;
            while pct.step < OPERATIONS {
                choices += 1;
                let slot = pct.choose(&TASKS);
                if !pct.changes.is_empty() {
                    latest = latest.max(choices + 1);
                }
                // It has made its operation, and is woken; or it has been woken, and says what it does next.
                if choices % 2 == 0 {
                    intends(&mut pct, slot);
                }
                let is_own = |slot: &&usize| pct.priorities[**slot] == drawn[**slot];
                let changed = |slot: &&usize| pct.priorities[**slot] < DRAWN;
                let redrawn = TASKS.iter().filter(|slot| !is_own(slot) && !changed(slot)).count();
                assert_eq!(redrawn, 0, "seed {seed}, choice {choices}");
            }
        }
        assert!(latest > 2 * OPERATIONS * 9 / 10, "the last change of all was at choice {latest}");
    }

    #[test]
    fn behind_the_steps_everybody_has_turns() {
        let mut pct = pct(3, 3, 100);
        turns(&mut pct, 100);
        let turns = turns(&mut pct, 1_000);
        for slot in TASKS {
            let share = turns.iter().filter(|turn| **turn == slot).count();
            assert!(share > 150, "{slot} has {share} of 1,000 steps");
        }
    }

    #[test]
    fn who_gives_way_is_the_last() {
        let mut pct = pct(5, 1, 100);
        let first = pct.choose(&TASKS);
        pct.gives_way(first);
        assert_ne!(pct.choose(&TASKS), first);
    }

    #[test]
    fn who_is_never_chosen_since_it_is_alone_makes_steps_all_the_same() {
        let mut pct = pct(5, 1, 100);
        (0..10).for_each(|_| intends(&mut pct, 0));
        assert_eq!(pct.step, 10);
        pct.lets_go(0);
        intends(&mut pct, 0);
        assert_eq!(pct.step, 10);
    }
}
