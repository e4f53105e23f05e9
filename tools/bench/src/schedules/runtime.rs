//! What a program may use of a runtime, so that one source runs on labrt and on shuttle.
//!
//! The names are those of std, and a program brings the traits into scope: `Mutex::new(0)` is the
//! mutex of whatever runtime the program is compiled for. All atomic operations are sequentially
//! consistent, since neither runtime simulates anything weaker.

use std::ops::DerefMut;
use std::sync::Arc;

/// A simulated scheduler with its tasks, locks and atomics.
pub trait Runtime: Sized + 'static {
    /// Its lock.
    type Mutex<T: Send + 'static>: Mutex<T>;
    /// Its condition variable.
    type Condvar: Condvar<Self>;
    /// Its atomic `bool`.
    type Flag: Atomic<bool>;
    /// Its atomic `usize`.
    type Number: Number;
    /// What waits for the end of a task.
    type Handle: Handle;

    /// Starts a task.
    fn spawn(task: impl FnOnce() + Send + 'static) -> Self::Handle;

    /// Lets other tasks go first.
    fn yield_now();
}

/// A mutual exclusion lock.
pub trait Mutex<T>: Send + Sync + 'static {
    /// Holds the lock until it is dropped.
    type Guard<'a>: DerefMut<Target = T>;

    /// A lock that is free.
    fn new(value: T) -> Self;

    /// Waits for the lock and takes it.
    fn lock(&self) -> Self::Guard<'_>;
}

/// What holds a runtime's lock.
pub type Guard<'a, R, T> = <<R as Runtime>::Mutex<T> as Mutex<T>>::Guard<'a>;

/// A condition variable.
pub trait Condvar<R: Runtime>: Send + Sync + 'static {
    /// One that nobody waits on.
    fn new() -> Self;

    /// Releases the lock, waits for a notification, and takes the lock again.
    fn wait<'a, T: Send + 'static>(&self, guard: Guard<'a, R, T>) -> Guard<'a, R, T>;

    /// Waits as long as `condition` holds.
    fn wait_while<'a, T: Send + 'static>(
        &self,
        mut guard: Guard<'a, R, T>,
        condition: impl Fn(&T) -> bool,
    ) -> Guard<'a, R, T> {
        while condition(&guard) {
            guard = self.wait(guard);
        }
        guard
    }

    /// Wakes one waiter, if there is one.
    fn notify_one(&self);

    /// Wakes all waiters.
    fn notify_all(&self);
}

/// An atomic value.
pub trait Atomic<V>: Send + Sync + 'static {
    /// One that begins with this value.
    fn new(value: V) -> Self;

    /// Its value.
    fn load(&self) -> V;

    /// Replaces its value.
    fn store(&self, value: V);

    /// Replaces its value and returns the one before.
    fn swap(&self, value: V) -> V;

    /// Replaces its value if that is `current`; true if it was.
    fn replace(&self, current: V, new: V) -> bool;
}

/// An atomic number.
pub trait Number: Atomic<usize> {
    /// Adds to it and returns the value before.
    fn fetch_add(&self, value: usize) -> usize;

    /// Subtracts from it and returns the value before.
    fn fetch_sub(&self, value: usize) -> usize;
}

/// Waits for the end of a task.
pub trait Handle {
    /// Waits until the task has ended.
    fn join(self);
}

/// Runs each function as a task of its own, all on the same value, and waits until all have ended.
pub(super) fn race<R: Runtime, S: Send + Sync + 'static>(shared: S, tasks: &[fn(&S)]) -> Arc<S> {
    let shared = Arc::new(shared);
    let start = |&task: &fn(&S)| {
        let shared = shared.clone();
        R::spawn(move || task(&shared))
    };
    let started: Vec<R::Handle> = tasks.iter().map(start).collect();
    started.into_iter().for_each(Handle::join);
    shared
}

/// Implements [`Atomic`] for a type with std's methods.
macro_rules! atomic {
    ($atomic:ty, $value:ty) => {
        impl $crate::schedules::runtime::Atomic<$value> for $atomic {
            fn new(value: $value) -> Self {
                <$atomic>::new(value)
            }

            fn load(&self) -> $value {
                self.load(std::sync::atomic::Ordering::SeqCst)
            }

            fn store(&self, value: $value) {
                self.store(value, std::sync::atomic::Ordering::SeqCst);
            }

            fn swap(&self, value: $value) -> $value {
                self.swap(value, std::sync::atomic::Ordering::SeqCst)
            }

            fn replace(&self, current: $value, new: $value) -> bool {
                let order = std::sync::atomic::Ordering::SeqCst;
                self.compare_exchange(current, new, order, order).is_ok()
            }
        }
    };
}

/// Implements [`Number`] for a type with std's methods.
macro_rules! number {
    ($atomic:ty) => {
        impl $crate::schedules::runtime::Number for $atomic {
            fn fetch_add(&self, value: usize) -> usize {
                self.fetch_add(value, std::sync::atomic::Ordering::SeqCst)
            }

            fn fetch_sub(&self, value: usize) -> usize {
                self.fetch_sub(value, std::sync::atomic::Ordering::SeqCst)
            }
        }
    };
}

pub(super) use {atomic, number};
