//! What the process knows about the types it has used: whether their serde code has been checked,
//! and their names, for the error texts of other types.
//!
//! The table is filled without locks and read with one load. It changes error texts and finds
//! mistakes; it never changes what is encoded or decoded.

use std::any::TypeId;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::Gob;
use crate::shape::Shape;

/// What is known about one type.
pub(crate) struct Slot {
    who: OnceLock<Who>,
    pub(crate) encoding: Checks,
    pub(crate) decoding: Checks,
}

struct Who {
    id: TypeId,
    fingerprint: u32,
    shape: &'static Shape,
}

/// The checks of one direction of a type.
pub(crate) struct Checks {
    /// How often the type was used, or [`DONE`].
    uses: AtomicU32,
    /// The parts that have been checked, one bit each.
    covered: AtomicU64,
}

const DONE: u32 = u32::MAX;

/// The first so many uses are all checked, as long as some part of the type has not been met.
const ALWAYS: u32 = 64;

impl Slot {
    const fn new() -> Slot {
        Slot { who: OnceLock::new(), encoding: Checks::new(), decoding: Checks::new() }
    }
}

impl Checks {
    const fn new() -> Checks {
        Checks { uses: AtomicU32::new(0), covered: AtomicU64::new(0) }
    }

    /// Counts one use. True if it is to be checked.
    ///
    /// An empty list shows nothing of its elements, so one check may not be enough. As long as
    /// parts are missing, the first uses are all checked, then ever fewer, so that the checks
    /// cost nothing in the long run.
    #[inline(always)]
    pub(crate) fn due(&self) -> bool {
        let uses = self.uses.load(Relaxed);
        if uses == DONE {
            return false;
        }
        // Two threads may count one use for two; that is cheaper than counting exactly.
        self.uses.store(if uses == DONE - 1 { uses } else { uses + 1 }, Relaxed);
        uses < ALWAYS || uses.is_power_of_two()
    }

    /// A check has met these parts, of all that there are.
    pub(crate) fn passed(&self, (met, all): (u64, u64)) {
        let covered = self.covered.fetch_or(met, Relaxed) | met;
        if covered == all {
            self.uses.store(DONE, Relaxed);
        }
    }

    /// The next use is to be checked again.
    pub(crate) fn failed(&self) {
        self.uses.store(0, Relaxed);
    }
}

/// Types beyond so many are checked at each use, and have no names in other types' errors.
const SLOTS: usize = 512;

static TABLE: [Slot; SLOTS] = [const { Slot::new() }; SLOTS];
static OVERFLOW: Slot = Slot::new();

/// The slot of a type, found by its fingerprint: usually the first one looked at.
#[inline(always)]
pub(crate) fn slot<T: Gob>() -> &'static Slot {
    let home = &TABLE[T::FINGERPRINT as usize % SLOTS];
    match home.who.get() {
        Some(who) if who.id == TypeId::of::<T>() => home,
        _ => search::<T>(),
    }
}

#[inline(never)]
fn search<T: Gob>() -> &'static Slot {
    let id = TypeId::of::<T>();
    for slot in around(T::FINGERPRINT) {
        let who = || Who { id, fingerprint: T::FINGERPRINT, shape: T::SHAPE };
        if slot.who.get_or_init(who).id == id {
            return slot;
        }
    }
    OVERFLOW.encoding.failed();
    OVERFLOW.decoding.failed();
    &OVERFLOW
}

/// A type with this fingerprint, if one has been used.
pub(crate) fn known(fingerprint: u32) -> Option<&'static Shape> {
    around(fingerprint)
        .map_while(|slot| slot.who.get())
        .find(|who| who.fingerprint == fingerprint)
        .map(|who| who.shape)
}

fn around(fingerprint: u32) -> impl Iterator<Item = &'static Slot> {
    let home = fingerprint as usize % SLOTS;
    TABLE[home..].iter().chain(&TABLE[..home])
}
