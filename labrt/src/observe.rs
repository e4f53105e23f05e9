//! Looking at a world without taking part in it, for traces and checkers.
//!
//! Nothing here is a step: it never hands the turn to another task and never ends one. So a run
//! that is watched is the same, to the last step, as one that is not.
//!
//! # Causes
//!
//! A [`Cause`] is a number that travels with the flow of control: a task has the cause of the task
//! that started it, of who sent the message it received last, or of who woke it from its wait on a
//! condition variable; it has none after a sleep or a wait that timed out. Who watches gives out
//! the numbers ([`set_cause`]) and asks for them ([`cause`]) to find out what led to what. On the
//! real clock they travel to started tasks only.

use std::num::NonZeroU64;
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::context::{self, Clock};

/// What led to what a task does: a number with a meaning for whoever gave it out.
pub type Cause = NonZeroU64;

/// Whether anybody in this process has ever set a cause. Until then messages do not carry any.
static USED: AtomicBool = AtomicBool::new(false);

/// How long ago the caller's world began, on its clock; `None` outside a world.
pub fn elapsed() -> Option<Duration> {
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => Some(kernel.elapsed()),
        Clock::Real => context::member().world.map(|world| world.elapsed()),
    })
}

/// True once the caller's world is ending: its main task has returned, or the run has failed. What
/// still happens are destructors.
pub fn is_ending() -> bool {
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => kernel.is_ending(),
        Clock::Real => context::member().world.is_some_and(|world| world.is_ending()),
    })
}

/// True if the calling task is being unwound by a panic or a kill, so that a panic would be its
/// second one.
///
/// [`std::thread::panicking`] does not tell: the tasks of a simulated world share a thread, and one
/// that is unwound may wait while others run.
pub fn is_unwinding() -> bool {
    context::with(|clock| match clock {
        // That a panic was caught, the kernel sees at the task's next step only.
        Clock::Simulated(kernel) => std::thread::panicking() && kernel.is_unwinding(),
        Clock::Real => std::thread::panicking(),
    })
}

/// The calling task's cause.
pub fn cause() -> Option<Cause> {
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => kernel.cause(),
        Clock::Real => context::cause(),
    })
}

/// Sets the calling task's cause; returns what it was.
pub fn set_cause(cause: Option<Cause>) -> Option<Cause> {
    if cause.is_some() {
        USED.store(true, Ordering::Relaxed);
    }
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => kernel.set_cause(cause),
        Clock::Real => context::set_cause(cause),
    })
}

/// Runs `f` with this cause.
pub fn with_cause<R>(cause: Option<Cause>, f: impl FnOnce() -> R) -> R {
    context::during(set_cause, cause, f)
}

/// A lock that a task holds, and that others want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLock {
    /// Tells the lock from all others of the process. Which number it is says nothing, and is not the same in each run.
    pub lock: u64,
    /// Where the task has taken it, as `file:line:column`.
    pub taken_at: String,
    /// A [handler](as_handler) has wanted it, not only tasks that were started at different places.
    pub by_handler: bool,
    /// It is a [share](crate::sync::RwLock::read) of a lock that nobody had wanted to write when the task took it: who
    /// reads gets one, too.
    pub harmless: bool,
}

/// Those locks that the calling task holds which several kinds of tasks had wanted when it took them: a
/// [handler](as_handler), or tasks that were started at different places. Who holds one of them for long lets others
/// wait, unless it is [harmless](HeldLock::harmless). The oldest first. Simulated clock only; empty on the real one,
/// which keeps no books.
pub fn held_locks_of_several() -> Vec<HeldLock> {
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => kernel.held_of_several(),
        Clock::Real => Vec::new(),
    })
}

/// Runs something that somebody waits for, such as the handler of a request. The locks that it wants are
/// [remembered](held_locks_of_several). No step; on the real clock just a call.
pub fn as_handler<R>(f: impl FnOnce() -> R) -> R {
    fn set_serving(serving: bool) -> bool {
        context::with(|clock| match clock {
            Clock::Simulated(kernel) => kernel.set_serving(serving),
            Clock::Real => false,
        })
    }
    context::during(set_serving, true, f)
}

/// One line for each task that has waited for a lock for at least so long: which lock, where, and
/// who holds it. Simulated clock only.
pub fn waits_for_locks(at_least: Duration) -> Vec<String> {
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => kernel.waits_for_locks(at_least),
        Clock::Real => Vec::new(),
    })
}

/// One line for each task of the nodes of this name that has waited for at least so long: for what,
/// where and since when; if it is a lock, also who holds it. Many that do the same are one line.
/// Simulated clock only.
pub fn waits_of(node: &str, at_least: Duration) -> Vec<String> {
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => kernel.waits_of(node, at_least),
        Clock::Real => Vec::new(),
    })
}

/// Something that knows of a world what its tasks do not show, such as a network that has calls open.
pub trait Witness: Send + Sync {
    /// What a report should say besides the tasks: some lines, or none.
    ///
    /// A simulated world is locked meanwhile: no call into this crate but [`Leaf::with`](crate::sync::Leaf::with).
    fn lines(&self) -> Vec<String>;
}

/// Has a witness asked if the caller's world fails at its time limit, or since there is no memory for another
/// task: what it says is among the failure's [details](crate::Failure::details). It is asked as long as it lives.
/// Does nothing outside a world.
pub fn add_witness(witness: Weak<dyn Witness>) {
    if let Some(world) = context::world() {
        world.witnesses.add(witness);
    }
}

/// The cause that a message sent now carries.
pub(crate) fn cause_of_message() -> Option<Cause> {
    if USED.load(Ordering::Relaxed) { cause() } else { None }
}

/// The calling task has received a message with this cause.
pub(crate) fn message_taken(cause: Option<Cause>) {
    if USED.load(Ordering::Relaxed) {
        set_cause(cause);
    }
}
