use std::fmt;
use std::panic::Location;

use super::Mutex;
use crate::context::{self, Clock};
use crate::sim::kernel::{Key, Op, Touch};

/// A cell that is written once, as [`std::sync::OnceLock`].
///
/// The function that makes the value may lock, wait and sleep; others wait for it meanwhile.
pub struct OnceLock<T> {
    value: std::sync::OnceLock<T>,
    /// Held by who makes the value.
    making: Mutex<()>,
}

impl<T> OnceLock<T> {
    /// An empty cell.
    pub const fn new() -> OnceLock<T> {
        OnceLock { value: std::sync::OnceLock::new(), making: Mutex::new(()) }
    }

    /// The value, if there is one yet. Never waits.
    #[track_caller]
    pub fn get(&self) -> Option<&T> {
        let at = Location::caller();
        context::with(|clock| match clock {
            Clock::Simulated(kernel) => {
                kernel.step(Op::Atomic, Touch::Reads(Key::of(&self.value)), at)
            }
            Clock::Real => context::checkpoint(),
        });
        self.value.get()
    }

    /// The value, to be changed.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// Puts a value in; waits if somebody is making one.
    ///
    /// # Errors
    /// Gives the value back if there is one already.
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        let _making = self.making.lock();
        self.value.set(value)
    }

    /// The value, made by `make` if there is none. If several tasks ask, one makes it and the others
    /// wait. Should `make` panic, the next one tries.
    ///
    /// A `make` that asks for the value of its own cell waits for itself: a deadlock, which the
    /// simulated clock reports.
    #[track_caller]
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let _making = self.making.lock();
        // Who waited for the lock finds what the other one has made.
        if self.value.get().is_none() {
            // Nobody else can have set it: the lock is held.
            let _ = self.value.set(make());
        }
        self.value.get().expect("set just now, or before")
    }

    /// The value, without the cell.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Takes the value out, so that the cell is empty again.
    pub fn take(&mut self) -> Option<T> {
        self.value.take()
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> OnceLock<T> {
        OnceLock::new()
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    fn clone(&self) -> OnceLock<T> {
        OnceLock { value: self.value.clone(), making: Mutex::new(()) }
    }
}

impl<T> From<T> for OnceLock<T> {
    fn from(value: T) -> OnceLock<T> {
        OnceLock { value: std::sync::OnceLock::from(value), making: Mutex::new(()) }
    }
}

impl<T: PartialEq> PartialEq for OnceLock<T> {
    fn eq(&self, other: &OnceLock<T>) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for OnceLock<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
