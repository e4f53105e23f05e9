//! The seam between the kernel, which decides who runs, and the means of switching to it.
//!
//! Both means run the same schedule: a seed gives the same trace hash on either (a test compares).
//! Coroutines are the default, being some twenty-five times cheaper to switch (`docs/performance.md`).
//! Threads are there for debuggers, for code that needs its own thread-local variables per task,
//! and for platforms without coroutines.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::kernel::Kernel;
use super::{coroutine, threads};
use crate::killed;

/// How a simulated world switches between its tasks. The schedule does not depend on it, but for one case: a
/// killed task that has caught a panic itself, while another task is being unwound. With coroutines std cannot tell
/// whose unwinding it is, and the task goes on for a little longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SwitchBy {
    /// Stackful coroutines on one OS thread: a switch costs nanoseconds. Tasks share the thread's
    /// thread-local variables. On Windows on arm64 there are none, and threads take their place.
    #[default]
    Coroutines,
    /// One OS thread per task, of which one at a time runs: a switch costs microseconds, and a
    /// debugger shows each task as a thread.
    Threads,
}

/// A world's means of switching.
pub(crate) enum Switch {
    Coroutines,
    Threads(threads::Baton),
}

impl Switch {
    pub(crate) fn new(by: SwitchBy) -> Switch {
        match by {
            SwitchBy::Coroutines if coroutine::AVAILABLE => Switch::Coroutines,
            SwitchBy::Coroutines | SwitchBy::Threads => Switch::Threads(threads::Baton::default()),
        }
    }

    /// Hands the turn from task `me` to task `next` (or back to [`run`] if the world is over) and
    /// returns when `me` has it again.
    pub(crate) fn to(&self, kernel: &Kernel, me: usize, next: Option<usize>) {
        match self {
            Switch::Coroutines => coroutine::suspend(next),
            Switch::Threads(baton) => baton.pass(kernel, me, next),
        }
    }
}

/// Runs a world from its first task to its end, on the calling thread.
pub(super) fn run(kernel: &Arc<Kernel>, first: usize) {
    match &kernel.switch {
        Switch::Coroutines => coroutine::run(kernel, first),
        Switch::Threads(baton) => baton.run(kernel, first),
    }
}

/// Runs the task in `slot`, which has the turn, and returns who has it next.
pub(crate) fn run_task(kernel: &Kernel, slot: usize) -> Option<usize> {
    let body = kernel.take_body(slot);
    let panic = match kernel.ended_before_start() {
        Some(serial) => {
            // Unwound like any killed task, so that the destructors of what it was given run to their
            // ends.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                let _given = body;
                killed::raise(Some(serial))
            }));
            None
        }
        // The value of a task that nobody joins is dropped behind the body's own catch.
        None => catch_unwind(AssertUnwindSafe(body))
            .unwrap_or_else(|payload| killed::words_of_panic(&*payload)),
    };
    kernel.exit(panic)
}
