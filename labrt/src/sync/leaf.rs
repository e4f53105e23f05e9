use std::cell::Cell;
use std::fmt;

thread_local! {
    /// How many of these locks the calling thread holds.
    static HELD: Cell<u32> = const { Cell::new(0) };
}

/// Counts a lock as held, however its closure ends.
struct Counted;

impl Counted {
    #[inline]
    fn new() -> Counted {
        HELD.set(HELD.get() + 1);
        Counted
    }
}

impl Drop for Counted {
    #[inline]
    fn drop(&mut self) {
        HELD.set(HELD.get() - 1);
    }
}

/// True inside a closure of [`Leaf::with`] or [`uninterrupted`].
pub(crate) fn is_held() -> bool {
    HELD.get() > 0
}

/// Runs code that must make no call into this crate, as a closure of [`Leaf::with`] must not. On the
/// simulated clock such a call panics and names its place.
///
/// For code of somebody else that runs where it must neither wait nor be ended: the making of a
/// message on a network's way, say.
#[inline]
pub fn uninterrupted<R>(f: impl FnOnce() -> R) -> R {
    let _counted = Counted::new();
    f()
}

/// A value behind a lock that is held only while a short closure runs.
///
/// For the inside of data structures. It is no switch point and cannot end a killed task, so what
/// happens inside is one indivisible step of the code around it. In return the closure must not
/// call back into this crate: no other lock, no channel, no sleep. (On the simulated clock breaking
/// this rule can block the whole world, which is then reported as stuck.)
#[derive(Default)]
pub struct Leaf<T> {
    inner: parking_lot::Mutex<T>,
}

impl<T> Leaf<T> {
    /// A lock that is free.
    pub const fn new(value: T) -> Leaf<T> {
        Leaf { inner: parking_lot::Mutex::new(value) }
    }

    /// Calls `f` with the value.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        uninterrupted(|| f(&mut self.inner.lock()))
    }
}

impl<T: fmt::Debug> fmt::Debug for Leaf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
