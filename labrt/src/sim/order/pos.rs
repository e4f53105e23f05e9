//! Partial order sampling: random numbers that are drawn anew where operations meet.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

use super::{Order, entry};
use crate::sim::op::Touch;
use crate::sim::task::At;

/// The part of the numbers that a task draws from when it lets others go first.
const LAST: u64 = 1 << 63;

/// See [`Schedule::Pos`](crate::schedule::Schedule::Pos).
pub(super) struct Pos {
    rng: Xoshiro256PlusPlus,
    /// By slot.
    tasks: Vec<Task>,
}

#[derive(Clone, Default)]
struct Task {
    /// The smallest one runs.
    number: u64,
    next: Touch,
}

impl Pos {
    pub(super) fn new(rng: Xoshiro256PlusPlus) -> Pos {
        Pos { rng, tasks: Vec::new() }
    }
}

impl Order for Pos {
    fn begins(&mut self, slot: usize, _parent: Option<usize>) {
        let number = self.rng.next_u64();
        *entry(&mut self.tasks, slot) = Task { number, next: Touch::Nothing };
    }

    fn intends(&mut self, slot: usize, touch: Touch, _at: At) {
        self.tasks[slot].next = touch;
    }

    fn lets_go(&mut self, slot: usize) {
        self.tasks[slot].next = Touch::Nothing;
    }

    fn choose(&mut self, ready: &[usize]) -> usize {
        let (mut smallest, mut place) = (u64::MAX, 0);
        for (at, &slot) in ready.iter().enumerate() {
            if self.tasks[slot].number < smallest {
                (smallest, place) = (self.tasks[slot].number, at);
            }
        }
        let chosen = ready[place];
        let touched = self.tasks[chosen].next;
        self.tasks[chosen].number = self.rng.next_u64();
        if touched != Touch::Nothing {
            for &slot in ready {
                if slot != chosen && self.tasks[slot].next.meets(touched) {
                    self.tasks[slot].number = self.rng.next_u64();
                }
            }
        }
        place
    }

    fn gives_way(&mut self, slot: usize) {
        self.tasks[slot].number = self.rng.next_u64() | LAST;
    }

    fn reseed(&mut self, rng: Xoshiro256PlusPlus) {
        self.rng = rng;
    }
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;
    use crate::sim::task::Key;

    /// Three tasks, of which each is about to do this.
    fn pos(seed: u64, next: [Touch; 3]) -> Pos {
        let mut pos = Pos::new(Xoshiro256PlusPlus::seed_from_u64(seed));
        for (slot, touch) in next.into_iter().enumerate() {
            pos.begins(slot, None);
            pos.intends(slot, touch, Location::caller());
        }
        pos
    }

    fn numbers(pos: &Pos) -> Vec<u64> {
        pos.tasks.iter().map(|task| task.number).collect()
    }

    const OBJECT: Key = Key::Object(8);

    #[test]
    fn the_smallest_number_runs_and_is_drawn_anew() {
        let mut pos = pos(1, [Touch::Nothing; 3]);
        let before = numbers(&pos);
        let chosen = pos.choose(&[0, 1, 2]);
        assert_eq!(before.iter().min(), Some(&before[chosen]));
        let changed = |slot: &usize| numbers(&pos)[*slot] != before[*slot];
        assert_eq!((0..3).filter(changed).collect::<Vec<_>>(), [chosen]);
    }

    #[test]
    fn so_is_that_of_who_meets_the_operation() {
        let (read, change) = (Touch::Reads(OBJECT), Touch::Changes(OBJECT));
        for seed in 0..20 {
            for (next, meets) in [
                ([change; 3], true),
                ([read; 3], false),
                ([change, Touch::Changes(Key::Second(8)), Touch::Changes(Key::Object(9))], false),
            ] {
                let mut pos = pos(seed, next);
                let before = numbers(&pos);
                pos.choose(&[0, 1, 2]);
                let changed = numbers(&pos).iter().zip(&before).filter(|(a, b)| a != b).count();
                assert_eq!(changed, if meets { 3 } else { 1 });
            }
        }
    }

    #[test]
    fn who_gives_way_comes_after_most_others() {
        let after = (0..1_000).filter(|&seed| {
            let mut pos = pos(seed, [Touch::Nothing; 3]);
            pos.gives_way(0);
            pos.choose(&[0, 1, 2]) != 0
        });
        assert!(after.count() > 850);
    }
}
