//! Orders: the ways to choose the next task that look at what each task is about to do.
//!
//! An order knows tasks by their slots. The kernel tells it of each task that begins and of each
//! operation before it is made, and asks who may go on. It is asked at every step, also when only one
//! task can run: whoever is chosen makes its operation then.

use std::sync::Arc;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use super::op::Touch;
use super::task::At;
use crate::schedule::Schedule;
use crate::world::Settings;

mod draw;
mod pct;
mod pos;
mod surw;
mod work;

pub use work::Work;

/// Chooses the next task.
pub(super) trait Order: Send {
    /// A task begins in `slot`, started by the one in `parent`; the first one has none.
    fn begins(&mut self, slot: usize, parent: Option<usize>);

    /// The task in `slot` has ended, or is held up before it says what it does next: what it touched last
    /// may be gone, and something else may have its address.
    fn lets_go(&mut self, _slot: usize) {}

    /// The next operation of the task in `slot` touches this, and stands there.
    fn intends(&mut self, slot: usize, touch: Touch, at: At);

    /// Which of these tasks has the turn and makes its operation: a place in `ready`, which has one at
    /// least.
    fn choose(&mut self, ready: &[usize]) -> usize;

    /// The task in `slot` lets others go first, or has to.
    fn gives_way(&mut self, slot: usize);

    /// All that it draws from here on is drawn from this.
    fn reseed(&mut self, rng: Xoshiro256PlusPlus);
}

/// The order that a world is to have; none for the walk, which is the kernel's own.
pub(super) fn of(settings: &Settings, seed: u64) -> Option<Box<dyn Order>> {
    let rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    if let Some(work) = &settings.estimates {
        return Some(Box::new(work::Counting::new(rng, work.clone())));
    }
    let work = settings.work.as_deref();
    Some(match settings.schedule {
        Schedule::Walk => return None,
        Schedule::Pct { depth } => Box::new(pct::Pct::new(rng, depth, work.map(Work::operations))),
        Schedule::Pos => Box::new(pos::Pos::new(rng)),
        Schedule::Surw => Box::new(surw::Surw::new(rng, work)),
    })
}

/// What a world's settings say about its [`Work`].
pub(crate) type Shared = Arc<parking_lot::Mutex<Work>>;

/// The entry of a slot in a list that has one for each.
fn entry<T: Clone + Default>(list: &mut Vec<T>, slot: usize) -> &mut T {
    if slot >= list.len() {
        list.resize(slot + 1, T::default());
    }
    &mut list[slot]
}
