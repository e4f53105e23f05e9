use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Mutex, MutexGuard, with_kernel};
use crate::context::{self, Clock};
use crate::sim::kernel::{At, Key, Op, Touch, Waiting, Woken};
use crate::time::{Instant, Until};

/// A condition variable, as [`parking_lot::Condvar`].
///
/// A wait may end without a notification, and on the simulated clock rarely does: loop around it or
/// use [`wait_while`](Condvar::wait_while). On a thread of a real world that can be killed each wait ends after a
/// second at the latest, with `timed_out` only if its own time is over. On the simulated clock
/// [`notify_one`](Condvar::notify_one) wakes a waiter of the seed's choice.
#[derive(Default)]
pub struct Condvar {
    inner: parking_lot::Condvar,
    /// Where the mutex lies with which tasks of a simulated world wait.
    mutex: AtomicUsize,
}

/// Whether a wait with a limit has reached it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// True if the wait ended because its time was over.
    pub fn timed_out(self) -> bool {
        self.0
    }
}

impl Condvar {
    /// A condition variable nobody waits on.
    pub const fn new() -> Condvar {
        Condvar { inner: parking_lot::Condvar::new(), mutex: AtomicUsize::new(0) }
    }

    /// Releases the lock, waits for a notification, and takes the lock again.
    #[track_caller]
    pub fn wait<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>) {
        self.wait_with(guard, Until::Never, Location::caller());
    }

    /// As [`wait`](Condvar::wait), for at most `timeout`.
    #[track_caller]
    pub fn wait_for<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        timeout: Duration,
    ) -> WaitTimeoutResult {
        self.wait_with(guard, Until::After(timeout), Location::caller())
    }

    /// As [`wait`](Condvar::wait), until `deadline` at most.
    #[track_caller]
    pub fn wait_until<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        deadline: Instant,
    ) -> WaitTimeoutResult {
        self.wait_with(guard, Until::At(deadline), Location::caller())
    }

    /// Waits as long as `condition` holds.
    #[track_caller]
    pub fn wait_while<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) {
        let at = Location::caller();
        while condition(&mut **guard) {
            self.wait_with(guard, Until::Never, at);
        }
    }

    /// Waits as long as `condition` holds, for at most `timeout`; the result tells whether the
    /// time was over while it still held.
    #[track_caller]
    pub fn wait_while_for<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        mut condition: impl FnMut(&mut T) -> bool,
        timeout: Duration,
    ) -> WaitTimeoutResult {
        let at = Location::caller();
        // Out of range is further away than any run lasts.
        let until = Instant::now().checked_add(timeout).map_or(Until::Never, Until::At);
        while condition(&mut **guard) {
            if self.wait_with(guard, until, at).timed_out() {
                return WaitTimeoutResult(condition(&mut **guard));
            }
        }
        WaitTimeoutResult(false)
    }

    /// Wakes one waiter; true if there was one.
    #[track_caller]
    pub fn notify_one(&self) -> bool {
        let at = Location::caller();
        let mut woken = false;
        let simulated = with_kernel(|kernel| {
            kernel.step(Op::Notify, Touch::Changes(self.key()), at);
            woken = kernel.notify_one(self.key());
        });
        if simulated {
            return woken;
        }
        context::checkpoint();
        self.inner.notify_one()
    }

    /// Wakes all waiters; how many there were.
    #[track_caller]
    pub fn notify_all(&self) -> usize {
        let at = Location::caller();
        let mut woken = 0;
        let simulated = with_kernel(|kernel| {
            kernel.step(Op::Notify, Touch::Changes(self.key()), at);
            woken = kernel.notify_all(self.key());
        });
        if simulated {
            return woken;
        }
        context::checkpoint();
        self.inner.notify_all()
    }

    /// All that wait at one time do so with one mutex, as on the real clock.
    #[track_caller]
    fn check_mutex<T: ?Sized>(&self, mutex: &Mutex<T>) {
        let mutex = std::ptr::from_ref(mutex).addr();
        let mut others_wait = false;
        with_kernel(|kernel| others_wait = kernel.has_waiters(self.key()));
        let known = self.mutex.swap(mutex, Ordering::Relaxed);
        assert!(
            !others_wait || known == mutex,
            "a Condvar is used with two mutexes: others wait on it with another one"
        );
    }

    #[track_caller]
    fn wait_with<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        until: Until,
        at: At,
    ) -> WaitTimeoutResult {
        self.check_mutex(guard.mutex);
        context::with(|clock| match clock {
            Clock::Simulated(kernel) => {
                kernel.step(Op::Wait, Touch::Changes(self.key()), at);
                let deadline = until.simulated(kernel);
                let sooner = kernel.perhaps_sooner(deadline);
                // No other task runs between the release and the wait: a notification cannot be
                // missed in between.
                guard.release();
                let waiting = Waiting::new("a notification of a Condvar", "", at);
                let woken = if sooner == Some(kernel.now()) && sooner != deadline {
                    kernel.yield_now(at);
                    Woken::TimedOut
                } else {
                    kernel.wait(self.key(), waiting, sooner)
                };
                if woken == Woken::Notified {
                    kernel.take_over_cause();
                }
                let again = guard.mutex.lock_until(Until::Never, at).expect("no deadline");
                *guard = again;
                WaitTimeoutResult(woken == Woken::TimedOut && sooner == deadline)
            }
            Clock::Real => {
                context::checkpoint();
                let inner = guard.inner.as_mut().expect("a guard outside of a wait holds its lock");
                let deadline = until.real();
                if !context::can_be_killed() {
                    return match deadline {
                        None => {
                            self.inner.wait(inner);
                            WaitTimeoutResult(false)
                        }
                        Some(deadline) => {
                            WaitTimeoutResult(self.inner.wait_until(inner, deadline).timed_out())
                        }
                    };
                }
                // A wait without a deadline ends once a second for no reason, which every caller
                // must expect; the task then sees whether it has been killed.
                let slice = std::time::Instant::now() + context::SLICE;
                let until = deadline.map_or(slice, |deadline| deadline.min(slice));
                let over = self.inner.wait_until(inner, until).timed_out();
                // Who is killed while it waits stands in the queue until it wakes up. A notification that it gets
                // meanwhile belongs to the next one: the dead do nothing with it.
                context::checkpoint_with(|| {
                    if !over {
                        self.inner.notify_one();
                    }
                });
                WaitTimeoutResult(over && Some(until) == deadline)
            }
        })
    }

    fn key(&self) -> Key {
        Key::of(&self.inner)
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Condvar")
    }
}
