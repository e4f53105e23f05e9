use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::time::Duration;

use super::{Takers, Wanted, acquire, release, try_acquire};
use crate::sim::kernel::{Key, Op, Waiting};
use crate::time::{Instant, Until};

/// A mutual exclusion lock, as [`parking_lot::Mutex`].
#[derive(Default)]
pub struct Mutex<T: ?Sized> {
    takers: Takers,
    inner: parking_lot::Mutex<T>,
}

impl<T> Mutex<T> {
    /// A lock that is free.
    pub const fn new(value: T) -> Mutex<T> {
        Mutex { takers: Takers::new(), inner: parking_lot::Mutex::new(value) }
    }

    /// The value, without the lock.
    pub fn into_inner(self) -> T {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for the lock and takes it.
    ///
    /// A task that takes a lock it holds already waits for ever: a deadlock, which the simulated
    /// clock reports.
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.lock_until(Until::Never, Location::caller()).expect("without a deadline it gets it")
    }

    /// Takes the lock if it is free.
    #[track_caller]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let at = Location::caller();
        let taken = try_acquire(self.wanted(), at, || self.inner.try_lock());
        taken.map(|(inner, key)| self.guard(inner, key))
    }

    /// Waits for the lock for at most `timeout`.
    #[track_caller]
    pub fn try_lock_for(&self, timeout: Duration) -> Option<MutexGuard<'_, T>> {
        self.lock_until(Until::After(timeout), Location::caller())
    }

    /// Waits for the lock until `deadline`.
    #[track_caller]
    pub fn try_lock_until(&self, deadline: Instant) -> Option<MutexGuard<'_, T>> {
        self.lock_until(Until::At(deadline), Location::caller())
    }

    pub(super) fn lock_until(
        &self,
        until: Until,
        at: &'static Location<'static>,
    ) -> Option<MutexGuard<'_, T>> {
        let waiting = Waiting::new("a Mutex", std::any::type_name::<T>(), at);
        let taken = acquire(
            self.wanted(),
            waiting,
            until,
            || self.inner.try_lock(),
            |deadline| self.inner.try_lock_until(deadline),
        );
        taken.map(|(inner, key)| self.guard(inner, key))
    }

    /// The value; the exclusive borrow proves that nobody holds the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }

    /// True if somebody holds the lock at this moment.
    pub fn is_locked(&self) -> bool {
        self.inner.is_locked()
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted { key: Key::of(&self.inner), op: Op::Lock, takers: &self.takers }
    }

    fn guard<'a>(
        &'a self,
        inner: parking_lot::MutexGuard<'a, T>,
        key: Option<Key>,
    ) -> MutexGuard<'a, T> {
        MutexGuard { mutex: self, inner: Some(inner), key }
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Mutex<T> {
        Mutex::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// Holds a [`Mutex`]; dropping it releases the lock.
#[must_use = "the lock is released as soon as the guard is dropped"]
pub struct MutexGuard<'a, T: ?Sized> {
    pub(super) mutex: &'a Mutex<T>,
    /// `None` only while a condition variable waits with this guard.
    pub(super) inner: Option<parking_lot::MutexGuard<'a, T>>,
    /// What tasks of the simulated world wait on for this lock; `None` on the real clock.
    pub(super) key: Option<Key>,
}

impl<T: ?Sized> MutexGuard<'_, T> {
    /// Releases the lock; what `Drop` does, and what a condition variable's wait begins with.
    pub(super) fn release(&mut self) {
        if let (Some(inner), key) = (self.inner.take(), self.key) {
            drop(inner);
            if let Some(key) = key {
                release(key, false);
            }
        }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        self.release();
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.inner.as_deref().expect("a guard outside of a wait holds its lock")
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.inner.as_deref_mut().expect("a guard outside of a wait holds its lock")
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
