//! What the tasks of a run did, as an estimate of what they will do in others.

use std::collections::BTreeMap;
use std::panic::Location;

use rand_xoshiro::Xoshiro256PlusPlus;

use super::draw::{one_in, place};
use super::{Order, Shared, entry};
use crate::sim::op::Touch;
use crate::sim::task::At;

/// While work is counted, another task gets the turn once in so many steps.
const SWITCHED: u64 = 3;

/// How many operations the tasks of a run made, and where.
///
/// It knows tasks by who started them and in which order, and operations by their places in the source,
/// so that what it says means something for another run of the same program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    operations: u64,
    /// By origin.
    pub(super) tasks: BTreeMap<Origin, Counted>,
    /// The places where objects are touched, each with the first place known to touch the same object.
    kinds: BTreeMap<Place, Place>,
}

/// What a task did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// Who started it.
    pub(super) parent: Option<Origin>,
    /// How many operations it made at each place.
    pub(super) at: BTreeMap<Place, u64>,
}

/// Stands for a task in all runs: made of who started it, and of how many that one had started before.
pub(super) type Origin = u64;

/// A place in the source.
pub(super) type Place = Location<'static>;

impl Work {
    /// How many operations all tasks made together.
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// The kinds of objects that more than one task touched: the places that touch one of each kind.
    pub(super) fn kinds(&self) -> Vec<Vec<Place>> {
        let mut kinds: BTreeMap<Place, Vec<Place>> = BTreeMap::new();
        for place in self.kinds.keys() {
            kinds.entry(self.kind(*place)).or_default().push(*place);
        }
        let touches =
            |task: &&Counted, kind: &[Place]| kind.iter().any(|p| task.at.contains_key(p));
        let shared = |kind: &Vec<Place>| {
            self.tasks.values().filter(|task| touches(task, kind)).nth(1).is_some()
        };
        kinds.into_values().filter(shared).collect()
    }

    fn kind(&self, place: Place) -> Place {
        match self.kinds.get(&place) {
            Some(first) if *first != place => self.kind(*first),
            _ => place,
        }
    }

    /// Two places touch the same object.
    fn join(&mut self, one: Place, other: Place) {
        let (one, other) = (self.kind(one), self.kind(other));
        self.kinds.insert(one.max(other), one.min(other));
    }
}

/// Gives each task its [`Origin`].
#[derive(Default)]
pub(super) struct Origins(Vec<(Origin, u64)>);

impl Origins {
    /// The origin of a task that begins in `slot`, and that of who starts it.
    pub(super) fn begins(
        &mut self,
        slot: usize,
        parent: Option<usize>,
    ) -> (Origin, Option<Origin>) {
        let (parent, number) = match parent {
            Some(parent) => {
                let (origin, started) = entry(&mut self.0, parent);
                *started += 1;
                (Some(*origin), *started)
            }
            None => (None, 0),
        };
        let mixed =
            parent.unwrap_or(0).rotate_left(23) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let origin = mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (mixed >> 29);
        *entry(&mut self.0, slot) = (origin, 0);
        (origin, parent)
    }

    pub(super) fn of(&self, slot: usize) -> Origin {
        self.0[slot].0
    }
}

/// The order of a run that is made to count what its tasks do: a walk with many switches.
pub(super) struct Counting {
    rng: Xoshiro256PlusPlus,
    work: Shared,
    origins: Origins,
    /// By slot: what the task is about to do, if it is alive.
    next: Vec<Option<(Touch, Place)>>,
    /// Who had the turn last.
    last: usize,
}

impl Counting {
    pub(super) fn new(rng: Xoshiro256PlusPlus, work: Shared) -> Counting {
        Counting { rng, work, origins: Origins::default(), next: Vec::new(), last: usize::MAX }
    }
}

impl Order for Counting {
    fn begins(&mut self, slot: usize, parent: Option<usize>) {
        let (origin, parent) = self.origins.begins(slot, parent);
        *entry(&mut self.next, slot) = None;
        self.work.lock().tasks.insert(origin, Counted { parent, at: BTreeMap::new() });
    }

    fn lets_go(&mut self, slot: usize) {
        self.next[slot] = None;
    }

    fn intends(&mut self, slot: usize, touch: Touch, at: At) {
        let mut work = self.work.lock();
        work.operations += 1;
        if let Some(task) = work.tasks.get_mut(&self.origins.of(slot)) {
            *task.at.entry(*at).or_default() += 1;
        }
        self.next[slot] = Some((touch, *at));
        if touch == Touch::Nothing {
            return;
        }
        work.kinds.entry(*at).or_insert(*at);
        // Addresses are compared while both tasks are alive, never over time: they may be used again.
        for (other, place) in self.next.iter().flatten() {
            if other.object() == touch.object() {
                work.join(*at, *place);
            }
        }
    }

    fn choose(&mut self, ready: &[usize]) -> usize {
        let stays = ready.iter().position(|slot| *slot == self.last);
        let place = match stays {
            Some(place) if !one_in(&mut self.rng, SWITCHED) => place,
            _ => place(&mut self.rng, ready.len()),
        };
        self.last = ready[place];
        place
    }

    fn gives_way(&mut self, _slot: usize) {
        self.last = usize::MAX;
    }

    fn reseed(&mut self, rng: Xoshiro256PlusPlus) {
        self.rng = rng;
    }
}
