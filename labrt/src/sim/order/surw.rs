//! Selectively uniform random walk: who is next is drawn by how much each task has yet to do.

use std::collections::BTreeMap;

use rand_xoshiro::Xoshiro256PlusPlus;
use rustc_hash::FxHashMap;

use super::draw::{below, one_in, place};
use super::work::{Origin, Origins, Place, Work};
use super::{Order, entry};
use crate::sim::op::Touch;
use crate::sim::task::At;

/// In one of so many runs every operation is interesting.
const EVERYTHING: u64 = 2;

/// See [`Schedule::Surw`](crate::schedule::Schedule::Surw).
pub(super) struct Surw {
    rng: Xoshiro256PlusPlus,
    interesting: Interesting,
    /// How many interesting operations a task makes, with those of all tasks that come from it.
    expected: BTreeMap<Origin, u64>,
    origins: Origins,
    /// By slot.
    tasks: Vec<Task>,
    /// Who is to make the next interesting operation.
    intended: Option<usize>,
    /// Who may go on now: places among those that are ready. Kept for its memory.
    free: Vec<usize>,
}

#[derive(Clone, Default)]
struct Task {
    /// How many interesting operations it has yet to make, with those of the tasks that it will start.
    left: u64,
    /// Whether its next operation is one of them.
    interesting: bool,
}

/// Which operations wait for the draw.
enum Interesting {
    All,
    At {
        places: Vec<Place>,
        /// What has been asked before, by the address of the place, which never changes.
        known: FxHashMap<usize, bool>,
    },
}

impl Interesting {
    fn draw(rng: &mut Xoshiro256PlusPlus, work: &Work) -> Interesting {
        let mut kinds = work.kinds();
        if kinds.is_empty() || one_in(rng, EVERYTHING) {
            return Interesting::All;
        }
        let kind = place(rng, kinds.len());
        Interesting::At { places: kinds.swap_remove(kind), known: FxHashMap::default() }
    }

    fn holds(&mut self, at: At) -> bool {
        match self {
            Interesting::All => true,
            Interesting::At { places, known } => {
                *known.entry(std::ptr::from_ref(at) as usize).or_insert_with(|| places.contains(at))
            }
        }
    }

    fn holds_at(&self, place: &Place) -> bool {
        match self {
            Interesting::All => true,
            Interesting::At { places, .. } => places.contains(place),
        }
    }
}

impl Surw {
    pub(super) fn new(mut rng: Xoshiro256PlusPlus, work: Option<&Work>) -> Surw {
        let (interesting, expected) = match work {
            Some(work) => {
                let interesting = Interesting::draw(&mut rng, work);
                let expected = expected(work, &interesting);
                (interesting, expected)
            }
            None => (Interesting::All, BTreeMap::new()),
        };
        let (origins, tasks) = (Origins::default(), Vec::new());
        let (intended, free) = (None, Vec::new());
        Surw { rng, interesting, expected, origins, tasks, intended, free }
    }

    /// Draws who is to make the next interesting operation, by what each has yet to do: a place in `ready`.
    fn draw(&mut self, ready: &[usize]) -> usize {
        // What nobody expected counts as one more.
        let weight = |task: &Task| task.left.max(1);
        let all: u64 = ready.iter().map(|&slot| weight(&self.tasks[slot])).sum();
        let mut drawn = below(&mut self.rng, all);
        for (place, &slot) in ready.iter().enumerate() {
            let weight = weight(&self.tasks[slot]);
            if drawn < weight {
                return place;
            }
            drawn -= weight;
        }
        unreachable!("the number drawn is below the sum of all weights")
    }
}

/// For each task how many interesting operations it makes, with those of all tasks that come from it.
fn expected(work: &Work, interesting: &Interesting) -> BTreeMap<Origin, u64> {
    let mut sums = BTreeMap::new();
    for (origin, task) in &work.tasks {
        let counts = task.at.iter().filter(|(place, _)| interesting.holds_at(place));
        let own: u64 = counts.map(|(_, count)| count).sum();
        let mut from = Some(*origin);
        while let Some(origin) = from {
            *sums.entry(origin).or_default() += own;
            from = work.tasks.get(&origin).and_then(|task| task.parent);
        }
    }
    sums
}

impl Order for Surw {
    fn begins(&mut self, slot: usize, parent: Option<usize>) {
        let (origin, _) = self.origins.begins(slot, parent);
        let left = self.expected.get(&origin).copied().unwrap_or(0);
        *entry(&mut self.tasks, slot) = Task { left, interesting: false };
        if let Some(parent) = parent {
            let task = entry(&mut self.tasks, parent);
            task.left = task.left.saturating_sub(left);
        }
    }

    fn intends(&mut self, slot: usize, _touch: Touch, at: At) {
        self.tasks[slot].interesting = self.interesting.holds(at);
    }

    fn choose(&mut self, ready: &[usize]) -> usize {
        let mut intended = None;
        self.free.clear();
        for (place, &slot) in ready.iter().enumerate() {
            if self.intended == Some(slot) {
                intended = Some(place);
            } else if !self.tasks[slot].interesting {
                self.free.push(place);
            }
        }
        let intended = intended.unwrap_or_else(|| self.draw(ready));
        self.intended = Some(ready[intended]);
        if self.tasks[ready[intended]].interesting || !self.free.contains(&intended) {
            self.free.push(intended);
        }
        let drawn = if self.free.len() == 1 { 0 } else { place(&mut self.rng, self.free.len()) };
        let chosen = self.free[drawn];
        let task = &mut self.tasks[ready[chosen]];
        if task.interesting {
            (task.left, task.interesting) = (task.left.saturating_sub(1), false);
            self.intended = None;
        }
        chosen
    }

    fn gives_way(&mut self, slot: usize) {
        if self.intended == Some(slot) {
            self.intended = None;
        }
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
    use crate::sim::order::work::Counted;

    /// A main task and two that it has started, which have this much to do in the estimate.
    fn surw(seed: u64, counts: [u64; 2], at: At) -> Surw {
        let mut origins = Origins::default();
        let (main, _) = origins.begins(0, None);
        let mut work = Work::default();
        work.tasks.insert(main, Counted::default());
        for (slot, count) in [1, 2].into_iter().zip(counts) {
            let (origin, parent) = origins.begins(slot, Some(0));
            let counted = Counted { parent, at: BTreeMap::from([(*at, count)]) };
            work.tasks.insert(origin, counted);
        }
        let mut surw = Surw::new(Xoshiro256PlusPlus::seed_from_u64(seed), Some(&work));
        surw.begins(0, None);
        assert_eq!(surw.tasks[0].left, counts.iter().sum(), "what it starts is its share");
        [1, 2].into_iter().for_each(|slot| surw.begins(slot, Some(0)));
        assert_eq!(surw.tasks[0].left, 0);
        surw
    }

    /// How often each order of all operations of the two tasks comes up; an order is who made the
    /// operations of the second task, as places.
    #[test]
    fn each_order_of_the_expected_operations_is_equally_likely() {
        let at = Location::caller();
        let mut orders: BTreeMap<Vec<usize>, u32> = BTreeMap::new();
        const SEEDS: u64 = 6_000;
        for seed in 0..SEEDS {
            let mut surw = surw(seed, [4, 1], at);
            let mut left = [4, 1];
            let mut order = Vec::new();
            while left != [0, 0] {
                let ready: Vec<usize> = (1..=2).filter(|slot| left[slot - 1] > 0).collect();
                ready.iter().for_each(|&slot| surw.intends(slot, Touch::Nothing, at));
                let slot = ready[surw.choose(&ready)];
                left[slot - 1] -= 1;
                order.push(slot);
            }
            *orders.entry(order).or_default() += 1;
        }
        // One operation among four others: five orders.
        assert_eq!(orders.len(), 5);
        for (order, count) in &orders {
            assert!((1_050..1_350).contains(count), "{order:?} {count} times of {SEEDS}");
        }
    }

    #[test]
    fn only_what_is_interesting_waits_for_the_draw() {
        let at = Location::caller();
        let mut surw = surw(1, [5, 5], at);
        surw.interesting = Interesting::At { places: vec![*at], known: FxHashMap::default() };
        surw.intended = Some(1);
        surw.intends(1, Touch::Nothing, Location::caller());
        surw.intends(2, Touch::Nothing, at);
        for _ in 0..20 {
            assert_eq!(surw.choose(&[2, 1]), 1, "the other one waits, and this one is not counted");
        }
        assert_eq!((surw.tasks[1].left, surw.tasks[2].left), (5, 5));
        surw.intends(1, Touch::Nothing, at);
        surw.choose(&[2, 1]);
        assert_eq!((surw.tasks[1].left, surw.intended), (4, None));
    }
}
