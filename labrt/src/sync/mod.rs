//! Locks, condition variables and atomics, in parking_lot's shapes.
//!
//! Each can be made on either clock, in a `static` too, and belongs to whoever uses it. On the
//! simulated clock taking a lock, notifying and every atomic operation may hand the turn to another
//! task; a guard may be held while its task sleeps, waits or calls. Nothing here is poisoned: a
//! panic in a world fails its run.

mod atomics;
mod condvar;
pub(crate) mod leaf;
mod mutex;
mod once_lock;
mod rwlock;

/// Atomic integers and flags, as in [`std::sync::atomic`], each operation a possible switch point.
pub mod atomic {
    pub use super::atomics::*;
    pub use std::sync::atomic::Ordering;
}

pub use condvar::{Condvar, WaitTimeoutResult};
pub use leaf::{Leaf, uninterrupted};
pub use mutex::{Mutex, MutexGuard};
pub use once_lock::OnceLock;
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use std::sync::{Arc, Weak};

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::context::{self, Clock};
use crate::sim::kernel::{At, Kernel, Key, Op, Waiting, Woken};
use crate::time::Until;

/// Who has ever wanted a lock; see [`observe::held_locks_of_several`](crate::observe::held_locks_of_several).
#[derive(Default)]
pub(crate) struct Takers {
    /// `NOBODY` yet, `HANDLER`, `SEVERAL` kinds of other tasks, or where the only kind was started.
    kinds: AtomicUsize,
    /// Tells the lock from all others of the process; 0 before anybody has wanted it.
    number: AtomicU64,
    /// Somebody has wanted it for himself alone, and not a share of it.
    alone: AtomicBool,
}

impl Takers {
    const NOBODY: usize = 0;
    const HANDLER: usize = 1;
    const SEVERAL: usize = 2;

    pub(crate) const fn new() -> Takers {
        Takers {
            kinds: AtomicUsize::new(Takers::NOBODY),
            number: AtomicU64::new(0),
            alone: AtomicBool::new(false),
        }
    }

    /// A task that was started there wants the lock.
    pub(crate) fn add(&self, started: At) {
        // Where a location lies in memory tells it from others, and orders nothing.
        let kind = std::ptr::from_ref(started).addr();
        match self.kinds.load(Ordering::Relaxed) {
            Takers::NOBODY => self.kinds.store(kind, Ordering::Relaxed),
            known if known == Takers::HANDLER || known == kind => {}
            _ => self.kinds.store(Takers::SEVERAL, Ordering::Relaxed),
        }
    }

    /// A handler wants the lock.
    pub(crate) fn add_handler(&self) {
        self.kinds.store(Takers::HANDLER, Ordering::Relaxed);
    }

    /// Somebody wants the lock for himself alone.
    pub(crate) fn add_alone(&self) {
        self.alone.store(true, Ordering::Relaxed);
    }

    /// Whether anybody has ever wanted the lock for himself alone.
    pub(crate) fn any_alone(&self) -> bool {
        self.alone.load(Ordering::Relaxed)
    }

    pub(crate) fn are(&self) -> Kinds {
        match self.kinds.load(Ordering::Relaxed) {
            Takers::HANDLER => Kinds::Handler,
            Takers::SEVERAL => Kinds::Several,
            _ => Kinds::One,
        }
    }

    /// What tells the lock from others. Where it lies does not: another one may lie there later.
    pub(crate) fn number(&self) -> u64 {
        static LAST: AtomicU64 = AtomicU64::new(0);
        match self.number.load(Ordering::Relaxed) {
            0 => {
                let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
                self.number.store(number, Ordering::Relaxed);
                number
            }
            number => number,
        }
    }
}

/// What kinds of tasks have wanted a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kinds {
    /// One, or none.
    One,
    /// Several, none of them a handler.
    Several,
    /// A handler, and maybe others.
    Handler,
}

/// A lock that a task wants: what tasks wait on for it, how it is taken, and who has taken it.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    key: Key,
    op: Op,
    takers: &'a Takers,
}

/// Takes a lock on either clock, by trying.
///
/// `attempt` gets the lock if it is free; `attempt_until` waits for it on the real clock.
fn acquire<G>(
    wanted: Wanted<'_>,
    waiting: Waiting,
    until: Until,
    attempt: impl Fn() -> Option<G>,
    attempt_until: impl Fn(std::time::Instant) -> Option<G>,
) -> Option<(G, Option<Key>)> {
    let Wanted { key, op, takers } = wanted;
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => {
            kernel.step_to_acquire(key, op, waiting.at, takers);
            let guard = match attempt() {
                Some(guard) => guard,
                None => {
                    kernel.not_acquired(key);
                    wait_for(kernel, wanted, waiting, until, attempt)?
                }
            };
            Some((guard, Some(key)))
        }
        Clock::Real => {
            context::checkpoint();
            let guard = match attempt() {
                Some(guard) => guard,
                None => context::in_slices(until.real(), attempt_until)?,
            };
            Some((guard, None))
        }
    })
}

/// Takes a lock of the simulated clock that was not free.
fn wait_for<G>(
    kernel: &Kernel,
    Wanted { key, op, takers }: Wanted<'_>,
    waiting: Waiting,
    until: Until,
    attempt: impl Fn() -> Option<G>,
) -> Option<G> {
    let deadline = until.simulated(kernel);
    loop {
        let woken = kernel.wait(key, waiting, deadline);
        match (attempt(), woken) {
            (Some(guard), _) => {
                kernel.acquired(key, op, waiting.at, takers);
                return Some(guard);
            }
            (None, Woken::TimedOut) => return None,
            (None, Woken::Notified) => {}
        }
    }
}

/// Takes a lock if it is free.
fn try_acquire<G>(
    Wanted { key, op, takers }: Wanted<'_>,
    at: At,
    attempt: impl FnOnce() -> Option<G>,
) -> Option<(G, Option<Key>)> {
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => {
            kernel.step_to_acquire(key, op, at, takers);
            let guard = attempt();
            if guard.is_none() {
                kernel.not_acquired(key);
            }
            Some((guard?, Some(key)))
        }
        Clock::Real => {
            context::checkpoint();
            Some((attempt()?, None))
        }
    })
}

/// A simulated lock has been released: whoever waits for it may try.
fn release(key: Key, wake_all: bool) {
    context::with(|clock| {
        if let Clock::Simulated(kernel) = clock {
            kernel.released(key, wake_all);
        }
    });
}

/// Calls `f` with the kernel of the simulated world the caller is in; false if it is in none.
fn with_kernel(f: impl FnOnce(&Kernel)) -> bool {
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => {
            f(kernel);
            true
        }
        Clock::Real => false,
    })
}
