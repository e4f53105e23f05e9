use std::cell::OnceCell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Takers, Wanted, acquire, release, try_acquire, with_kernel};
use crate::sim::kernel::{Key, Op, TO_WRITE, Waiting};
use crate::time::Until;

/// A lock with many readers or one writer, as [`parking_lot::RwLock`].
///
/// A writer that waits holds up later readers, but for those that the seed lets pass. So a task that takes a second
/// share while it holds one may wait for itself, as on the real clock.
#[derive(Default)]
pub struct RwLock<T: ?Sized> {
    takers: Takers,
    /// How many tasks of a simulated world wait to write.
    writers: AtomicUsize,
    inner: parking_lot::RwLock<T>,
}

impl<T> RwLock<T> {
    /// A lock that is free.
    pub const fn new(value: T) -> RwLock<T> {
        RwLock {
            takers: Takers::new(),
            writers: AtomicUsize::new(0),
            inner: parking_lot::RwLock::new(value),
        }
    }

    /// The value, without the lock.
    pub fn into_inner(self) -> T {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until no writer holds the lock, and mostly until none waits for it, and takes a share of it.
    #[track_caller]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        let waiting = self.waiting("a RwLock (to read)", Location::caller());
        let (inner, key) = acquire(
            self.wanted(Op::Read),
            waiting,
            Until::Never,
            || if self.writer_goes_first() { None } else { self.inner.try_read() },
            |deadline| self.inner.try_read_until(deadline),
        )
        .expect("without a deadline it gets it");
        RwLockReadGuard { inner: Some(inner), key }
    }

    /// Takes a share of the lock if no writer holds it, and mostly only if none waits for it.
    #[track_caller]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        let attempt = || if self.writer_goes_first() { None } else { self.inner.try_read() };
        let (inner, key) = try_acquire(self.wanted(Op::Read), Location::caller(), attempt)?;
        Some(RwLockReadGuard { inner: Some(inner), key })
    }

    /// Waits until nobody holds the lock and takes it.
    #[track_caller]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        let waiting = self.waiting(TO_WRITE, Location::caller());
        let waits = OnceCell::new();
        let attempt = || {
            let taken = self.inner.try_write();
            if taken.is_none() {
                waits.get_or_init(|| WaitingWriter::of(&self.writers, Key::of(&self.inner)));
            }
            taken
        };
        let (inner, key) =
            acquire(self.wanted(Op::Write), waiting, Until::Never, attempt, |deadline| {
                self.inner.try_write_until(deadline)
            })
            .expect("without a deadline it gets it");
        drop(waits);
        RwLockWriteGuard { inner: Some(inner), key }
    }

    /// Takes the lock if nobody holds it.
    #[track_caller]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        let attempt = || self.inner.try_write();
        let (inner, key) = try_acquire(self.wanted(Op::Write), Location::caller(), attempt)?;
        Some(RwLockWriteGuard { inner: Some(inner), key })
    }

    /// The value; the exclusive borrow proves that nobody holds the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }

    /// Whether a reader lets a writer go first that waits: the seed's choice.
    fn writer_goes_first(&self) -> bool {
        let mut first = false;
        if self.writers.load(Ordering::Relaxed) > 0 {
            with_kernel(|kernel| first = kernel.bars_readers());
        }
        first
    }

    fn wanted(&self, op: Op) -> Wanted<'_> {
        Wanted { key: Key::of(&self.inner), op, takers: &self.takers }
    }

    fn waiting(&self, what: &'static str, at: &'static Location<'static>) -> Waiting {
        Waiting::new(what, std::any::type_name::<T>(), at)
    }
}

/// A task of a simulated world waits to write.
struct WaitingWriter<'a> {
    writers: &'a AtomicUsize,
    key: Key,
}

impl WaitingWriter<'_> {
    /// Nothing on the real clock, where the lock knows it itself.
    fn of(writers: &AtomicUsize, key: Key) -> Option<WaitingWriter<'_>> {
        with_kernel(|_| ()).then(|| {
            writers.fetch_add(1, Ordering::Relaxed);
            WaitingWriter { writers, key }
        })
    }
}

impl Drop for WaitingWriter<'_> {
    fn drop(&mut self) {
        self.writers.fetch_sub(1, Ordering::Relaxed);
        // Readers may have waited for nothing else, if it was killed.
        with_kernel(|kernel| {
            kernel.notify_all(self.key);
        });
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> RwLock<T> {
        RwLock::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// Holds a share of a [`RwLock`]; dropping it gives the share back.
#[must_use = "the lock is released as soon as the guard is dropped"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    /// `Some` until dropped.
    inner: Option<parking_lot::RwLockReadGuard<'a, T>>,
    key: Option<Key>,
}

/// Holds a [`RwLock`] alone; dropping it releases the lock.
#[must_use = "the lock is released as soon as the guard is dropped"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    /// `Some` until dropped.
    inner: Option<parking_lot::RwLockWriteGuard<'a, T>>,
    key: Option<Key>,
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    fn drop(&mut self) {
        drop(self.inner.take());
        if let Some(key) = self.key {
            release(key, true);
        }
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    fn drop(&mut self) {
        drop(self.inner.take());
        if let Some(key) = self.key {
            release(key, true);
        }
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.inner.as_deref().expect("held until dropped")
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.inner.as_deref().expect("held until dropped")
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.inner.as_deref_mut().expect("held until dropped")
    }
}
