//! Selectively uniform random walk: who is next is drawn by how much each task has yet to do.

use std::collections::BTreeMap;

use rand_xoshiro::Xoshiro256PlusPlus;
use rustc_hash::FxHashMap;

use super::draw::{below, one_in, place};
use super::work::{Origin, Origins, Place, Work};
use super::{Order, entry};
use crate::sim::op::Touch;
use crate::sim::state::At;

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
        Surw { rng, interesting, expected, origins, tasks, intended: None }
    }

    /// Draws who is to make the next interesting operation, by what each has yet to do.
    fn draw(&mut self, ready: &[usize]) -> usize {
        // What nobody expected counts as one more.
        let weight = |task: &Task| task.left.max(1);
        let all: u64 = ready.iter().map(|&slot| weight(&self.tasks[slot])).sum();
        let mut drawn = below(&mut self.rng, all);
        for &slot in ready {
            let weight = weight(&self.tasks[slot]);
            if drawn < weight {
                return slot;
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
        let intended = match self.intended.filter(|slot| ready.contains(slot)) {
            Some(slot) => slot,
            None => self.draw(ready),
        };
        self.intended = Some(intended);
        let free = |slot: usize| slot == intended || !self.tasks[slot].interesting;
        let count = ready.iter().filter(|&&slot| free(slot)).count();
        let drawn = if count == 1 { 0 } else { place(&mut self.rng, count) };
        let mut places = (0..ready.len()).filter(|&place| free(ready[place]));
        let chosen = places.nth(drawn).expect("the intended task is free to run");
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
}
