//! What the process knows about the types it has used: what follows from their shapes, how far
//! their serde code has been checked, and their names, for the error texts of other types.
//!
//! The table is filled without locks and read with one load. It never changes what is encoded or
//! decoded: it saves time, finds mistakes and makes error texts.

use std::any::TypeId;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::Gob;
use crate::depth::{MAX_DEPTH, levels};
use crate::graph::Graph;
use crate::shape::{Facts, Shape};
use crate::watch::Watch;

/// What follows from a type's shape.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    pub(crate) fingerprint: u32,
    /// Only this crate limits how deep its values may be nested.
    pub(crate) recursive: bool,
    /// `Deserialize` takes only what `Serialize` writes.
    pub(crate) one_form: bool,
    /// Where a value begins on the way to the greatest depth.
    pub(crate) depth: u32,
}

/// What follows from the shape of `T`: a constant to the compiler, unless the type is recursive.
#[inline(always)]
pub(crate) fn known<T: Gob>() -> Known {
    let facts = const { T::SHAPE.facts() };
    if facts.recursive {
        return slot::<T>().map_or_else(|| Known::of(T::SHAPE), |slot| slot.known);
    }
    Known::at_once(facts)
}

impl Known {
    #[inline(always)]
    fn at_once(facts: Facts) -> Known {
        let Facts { fingerprint, recursive, one_form } = facts;
        Known { fingerprint, recursive, one_form, depth: 0 }
    }

    fn of(shape: &'static Shape) -> Known {
        let facts = shape.facts();
        if !facts.recursive {
            return Known::at_once(facts);
        }
        let graph = Graph::of(shape);
        Known {
            fingerprint: graph.fingerprint(),
            recursive: true,
            one_form: graph.has_one_form(),
            depth: MAX_DEPTH - levels(&graph),
        }
    }
}

/// What is known about one type.
struct Slot {
    id: TypeId,
    shape: &'static Shape,
    known: Known,
    /// How often the type was used, or [`DONE`].
    uses: AtomicU32,
    watch: OnceLock<Watch>,
}

const DONE: u32 = u32::MAX;

/// Types beyond so many are checked at each use, and have no names in other types' errors.
const SLOTS: usize = 512;

static TABLE: [OnceLock<Slot>; SLOTS] = [const { OnceLock::new() }; SLOTS];

/// The slot of a type; none if too many others came first.
#[inline(always)]
fn slot<T: Gob>() -> Option<&'static Slot> {
    match TABLE[home::<T>()].get() {
        Some(slot) if slot.id == TypeId::of::<T>() => Some(slot),
        _ => search::<T>(),
    }
}

/// Where a type usually has its slot.
#[inline(always)]
fn home<T: Gob>() -> usize {
    const { T::SHAPE.facts().fingerprint as usize % SLOTS }
}

#[inline(never)]
fn search<T: Gob>() -> Option<&'static Slot> {
    let id = TypeId::of::<T>();
    let new = || Slot {
        id,
        shape: T::SHAPE,
        known: Known::of(T::SHAPE),
        uses: AtomicU32::new(0),
        watch: OnceLock::new(),
    };
    let (before, after) = TABLE.split_at(home::<T>());
    after.iter().chain(before).map(|place| place.get_or_init(new)).find(|slot| slot.id == id)
}

/// Remembers a type, so that errors can name it.
pub(crate) fn remember<T: Gob>() {
    slot::<T>();
}

/// The shape of a type with this fingerprint, if one has been used.
pub(crate) fn shape_of(fingerprint: u32) -> Option<&'static Shape> {
    let slots = TABLE.iter().filter_map(OnceLock::get);
    slots.filter(|slot| slot.known.fingerprint == fingerprint).map(|slot| slot.shape).next()
}

/// Counts a use of a type with a value that has these bytes. True if it is to be checked.
///
/// Each value that holds something where no checked one did is checked, so nothing can get lost
/// there for long: an empty list, for instance, shows nothing of its elements. Ever fewer of the
/// others are, in case a mistake shows now and then only. When everything has been met, the checks
/// end.
#[inline(always)]
pub(crate) fn is_due<T: Gob>(bytes: &[u8]) -> bool {
    match slot::<T>() {
        Some(slot) if slot.uses.load(Relaxed) == DONE => false,
        Some(slot) => slot.is_due(bytes),
        None => true,
    }
}

/// The value with these bytes has been checked.
pub(crate) fn passed<T: Gob>(bytes: &[u8]) {
    let Some(slot) = slot::<T>() else { return };
    let watch = slot.watch.get_or_init(|| Watch::of(slot.shape));
    watch.meet(bytes);
    if watch.is_complete() {
        slot.uses.store(DONE, Relaxed);
    }
}

/// The next use is to be checked again.
pub(crate) fn failed<T: Gob>() {
    if let Some(slot) = slot::<T>() {
        slot.uses.store(0, Relaxed);
    }
}

impl Slot {
    #[inline(never)]
    fn is_due(&self, bytes: &[u8]) -> bool {
        // Two threads may count one use for two; that is cheaper than counting exactly.
        let uses = self.uses.load(Relaxed).saturating_add(1).min(DONE - 1);
        self.uses.store(uses, Relaxed);
        uses.is_power_of_two() || self.watch.get().is_none_or(|watch| watch.has_news(bytes))
    }
}
