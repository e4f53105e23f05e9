use std::fmt;

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
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.inner.lock())
    }
}

impl<T: fmt::Debug> fmt::Debug for Leaf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
