//! Which clock the calling code is on, and which world and node it belongs to.

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::Arc;

use crate::killed;
use crate::node::Node;
use crate::observe::Cause;
use crate::sim::kernel::Kernel;
use crate::world::WorldShared;

thread_local! {
    /// The simulated world this thread belongs to.
    static INSIDE: Inside = const { Inside { kernel: OnceCell::new(), left: Cell::new(false) } };
    /// What a thread on the real clock belongs to.
    static MEMBER: RefCell<Member> = const { RefCell::new(Member { world: None, node: None }) };
    /// What led to what a thread on the real clock does.
    static CAUSE: Cell<Option<Cause>> = const { Cell::new(None) };
}

/// The simulated world a thread belongs to: one in its whole life, from when it starts until the
/// world ends. What the thread still runs after that, such as the destructors of its thread-local
/// variables, is on the real clock.
struct Inside {
    kernel: OnceCell<Arc<Kernel>>,
    left: Cell<bool>,
}

/// What a thread on the real clock belongs to.
#[derive(Clone, Default)]
pub(crate) struct Member {
    pub(crate) world: Option<Arc<WorldShared>>,
    pub(crate) node: Option<Node>,
}

impl Member {
    fn must_end(&self) -> bool {
        self.world.as_ref().is_some_and(|world| world.is_ending())
            || self.node.as_ref().is_some_and(Node::is_killed)
    }
}

/// The clock the calling code is on.
pub(crate) enum Clock<'a> {
    Simulated(&'a Kernel),
    Real,
}

/// Calls `f` with the clock the caller is on.
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(Clock<'_>) -> R) -> R {
    let mut f = Some(f);
    let mut call = |clock: Clock<'_>| (f.take().expect("called once"))(clock);
    // A thread that is being torn down has lost its variables: it is on the real clock.
    INSIDE
        .try_with(|inside| match inside.kernel.get() {
            Some(kernel) if !inside.left.get() => call(Clock::Simulated(kernel)),
            _ => call(Clock::Real),
        })
        .unwrap_or_else(|_| call(Clock::Real))
}

/// Makes the calling thread part of a simulated world.
pub(crate) fn enter_kernel(kernel: &Arc<Kernel>) {
    INSIDE.with(|inside| {
        let fresh = inside.kernel.set(kernel.clone()).is_ok();
        assert!(fresh, "a thread belongs to one simulated world for its whole life");
    });
}

/// The calling thread's simulated world has ended.
pub(crate) fn leave_kernel() {
    INSIDE.with(|inside| inside.left.set(true));
}

/// The world the caller belongs to.
pub(crate) fn world() -> Option<Arc<WorldShared>> {
    with(|clock| match clock {
        Clock::Simulated(kernel) => Some(kernel.shared.clone()),
        Clock::Real => member().world,
    })
}

/// What the calling thread belongs to (real clock).
pub(crate) fn member() -> Member {
    MEMBER.try_with(|member| member.borrow().clone()).unwrap_or_default()
}

/// Changes what the calling thread belongs to (real clock); returns what it was.
pub(crate) fn set_member(member: Member) -> Member {
    MEMBER.with(|cell| cell.replace(member))
}

/// What led to what the calling thread does (real clock).
pub(crate) fn cause() -> Option<Cause> {
    CAUSE.try_with(Cell::get).unwrap_or_default()
}

/// Sets it; returns what it was (real clock).
pub(crate) fn set_cause(cause: Option<Cause>) -> Option<Cause> {
    CAUSE.try_with(|cell| cell.replace(cause)).unwrap_or_default()
}

/// Ends the calling thread if it has been killed (real clock).
///
/// A thread that is unwinding already is left alone, so that its destructors run to their end.
#[inline]
pub(crate) fn checkpoint() {
    checkpoint_with(|| ());
}

/// As [`checkpoint`], with what the thread has to do before it ends.
#[inline]
pub(crate) fn checkpoint_with(before: impl FnOnce()) {
    if must_end() && !std::thread::panicking() {
        before();
        end();
    }
}

/// Ends the calling thread. One that catches that again and again would keep a processor busy for ever.
#[cold]
fn end() -> ! {
    thread_local! {
        static ENDED: Cell<u32> = const { Cell::new(0) };
    }
    let ended = ENDED.get();
    ENDED.set(ended + 1);
    if ended < killed::MOST_CAUGHT {
        killed::raise(None);
    }
    loop {
        std::thread::park();
    }
}

fn must_end() -> bool {
    MEMBER.try_with(|member| member.borrow().must_end()).unwrap_or(false)
}

/// True if the calling thread can be killed, and so must not block without looking up.
#[inline]
pub(crate) fn can_be_killed() -> bool {
    MEMBER
        .try_with(|member| {
            let member = member.borrow();
            member.world.is_some() || member.node.is_some()
        })
        .unwrap_or(false)
}

/// How long a thread that can be killed blocks before it looks whether it has been (real clock).
pub(crate) const SLICE: std::time::Duration = std::time::Duration::from_secs(1);

/// Blocks by calling `attempt` with one deadline after the other until it gives a result or
/// `deadline` has passed (real clock). A thread that has been killed ends in between.
pub(crate) fn in_slices<R>(
    deadline: Option<std::time::Instant>,
    mut attempt: impl FnMut(std::time::Instant) -> Option<R>,
) -> Option<R> {
    loop {
        checkpoint();
        let slice = std::time::Instant::now() + SLICE;
        let last = deadline.filter(|deadline| *deadline <= slice);
        if let Some(result) = attempt(last.unwrap_or(slice)) {
            return Some(result);
        }
        if last.is_some() {
            checkpoint();
            return None;
        }
    }
}

/// Runs `f` with something set, and sets it back however that ends.
pub(crate) fn during<T: Copy, R>(set: fn(T) -> T, value: T, f: impl FnOnce() -> R) -> R {
    struct Back<T: Copy>(fn(T) -> T, T);
    impl<T: Copy> Drop for Back<T> {
        fn drop(&mut self) {
            self.0(self.1);
        }
    }
    let _back = Back(set, set(value));
    f()
}
