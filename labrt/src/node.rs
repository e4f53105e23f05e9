//! Sets of tasks that can be killed, paused and given a clock of their own: the servers of a simulated
//! cluster.

use std::fmt;
use std::panic::Location;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::context::{self, Clock, Member};
use crate::killed::Killed;
use crate::thread::{self, JoinHandle};
use crate::time::ClockRate;

/// A set of tasks that can be killed together, without their cooperation.
///
/// Tasks started by a task of a node belong to that node too. When the node is killed, each of its
/// tasks ends by unwinding: on the simulated clock at its next step, with blocked ones woken for it;
/// on the real clock at its next call into this crate, where blocked ones look up once a second.
/// Destructors run. Clones name the same node.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

struct Inner {
    name: Arc<str>,
    killed: AtomicBool,
    paused: AtomicBool,
    clock: OnceLock<ClockRate>,
}

impl Node {
    /// A new node. The name appears in failure reports and names the node's random stream.
    pub fn new(name: impl Into<Arc<str>>) -> Node {
        let (killed, paused) = (AtomicBool::new(false), AtomicBool::new(false));
        let inner = Inner { name: name.into(), killed, paused, clock: OnceLock::new() };
        Node { inner: Arc::new(inner) }
    }

    /// The node the calling task belongs to.
    pub fn current() -> Option<Node> {
        context::with(|clock| match clock {
            Clock::Simulated(kernel) => kernel.running_node(),
            Clock::Real => context::member().node,
        })
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// True once [`kill`](Node::kill) has been called.
    pub fn is_killed(&self) -> bool {
        self.inner.killed.load(Ordering::SeqCst)
    }

    /// True if both name the same node.
    pub fn same(&self, other: &Node) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Kills the node: its tasks end, now and for ever. A task of the node that calls this ends
    /// itself.
    #[track_caller]
    pub fn kill(&self) {
        let at = Location::caller();
        self.inner.killed.store(true, Ordering::SeqCst);
        context::with(|clock| match clock {
            Clock::Simulated(kernel) => kernel.kill_node(self, at),
            Clock::Real => context::checkpoint(),
        });
    }

    /// Stops the node for a while: its tasks do not run before [`resume`](Node::resume), nor does one that
    /// [enters](Node::enter) it. Time goes on meanwhile: what becomes due, or is sent to them, waits for
    /// them. A kill ends the pause.
    ///
    /// A task that holds a lock goes on until it has released it, since the lock may be somebody else's (a
    /// network's). Its own node cannot tell the difference: the others of it that run are stopped.
    ///
    /// Simulated clock only: on the real one nothing happens, since a thread cannot be stopped from
    /// outside. A world in which nobody pauses a node makes the same steps as ever.
    #[track_caller]
    pub fn pause(&self) {
        let at = Location::caller();
        context::with(|clock| {
            if let Clock::Simulated(kernel) = clock {
                kernel.pause_node(self, at);
            }
        });
    }

    /// Ends a [pause](Node::pause), if there is one.
    #[track_caller]
    pub fn resume(&self) {
        let at = Location::caller();
        context::with(|clock| {
            if let Clock::Simulated(kernel) = clock {
                kernel.resume_node(self, at);
            }
        });
    }

    /// True from [`pause`](Node::pause) to [`resume`](Node::resume).
    pub fn is_paused(&self) -> bool {
        self.inner.paused.load(Ordering::SeqCst)
    }

    /// Sets the flag; true if that changes it.
    pub(crate) fn set_paused(&self, paused: bool) -> bool {
        self.inner.paused.swap(paused, Ordering::SeqCst) != paused
    }

    /// Has the clock of this node run at so many thousandths of the world's speed from now on: at 1,100 a
    /// sleep of 1.1 s takes 1 s of the world's time, and [`Instant`](crate::time::Instant) shows 1.1 s
    /// later. Sleeps, limits of waits and `Instant` go by the clock of the node whose code runs.
    ///
    /// Instants of nodes with different clocks must not be compared. Whoever runs code on tasks of nodes
    /// for others (a network) goes by [`Instant::of_world`](crate::time::Instant::of_world).
    ///
    /// Simulated clock only: on the real one nothing happens. A world whose clocks all run alike makes the
    /// same steps as ever.
    ///
    /// # Panics
    /// If the node's rate was set before, or is 0.
    #[track_caller]
    pub fn set_clock_rate(&self, thousandths: u32) {
        assert!(thousandths > 0, "a clock that stands still is no clock: its rate is above 0");
        context::with(|clock| {
            if let Clock::Simulated(kernel) = clock {
                let rate = ClockRate::new(kernel.now(), thousandths);
                let first = self.inner.clock.set(rate).is_ok();
                assert!(first, "the rate of a node's clock is set once");
                kernel.clocks_differ();
            }
        });
    }

    /// The rate of its clock, if that was set.
    pub(crate) fn clock_rate(&self) -> Option<ClockRate> {
        self.inner.clock.get().copied()
    }

    /// Starts a task of this node. A killed node's task ends before it runs anything.
    #[track_caller]
    pub fn spawn<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        thread::Builder::new().node(self.clone()).spawn(f)
    }

    /// Runs `f` as part of this node, on the calling task.
    ///
    /// While it runs the calling task can be killed with the node; it then goes on after this call.
    /// This is how a network's task runs a handler of a server that may crash meanwhile.
    ///
    /// # Errors
    /// [`Killed`] if the node is dead already, or if a kill ends `f`. What makes no call into this crate after the
    /// kill returns.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> Result<R, Killed> {
        if self.is_killed() {
            return Err(Killed::already());
        }
        let before = set_current(Some(self.clone()));
        let result = catch_unwind(AssertUnwindSafe(|| {
            hold_if_paused();
            f()
        }));
        set_current(before);
        match result {
            Ok(value) => Ok(value),
            // Dropping the payload is what tells the kernel that it was caught.
            Err(payload) if payload.is::<Killed>() => Err(Killed::already()),
            Err(payload) => resume_unwind(payload),
        }
    }
}

/// Runs `f` on the calling task outside of its node, so that a kill of the node does not end it
/// half way. The task ends afterwards, at its next step.
///
/// For code that works for others on a task that may die, such as a network that delivers a reply.
pub fn outside<R>(f: impl FnOnce() -> R) -> R {
    struct Back(Option<Node>);
    impl Drop for Back {
        fn drop(&mut self) {
            set_current(self.0.take());
        }
    }
    let _back = Back(set_current(None));
    f()
}

/// Runs `f`, in which the calling task is not held up by a [pause](Node::pause) of a node.
///
/// For code that runs on somebody else's task, who must not be stopped with the node: a network that has a
/// caller's task run a short handler of a server.
pub fn unpaused<R>(f: impl FnOnce() -> R) -> R {
    context::during(set_unpaused, true, f)
}

/// Has the calling task, which has just entered a node, wait for the end of a pause.
pub(crate) fn hold_if_paused() {
    context::with(|clock| {
        if let Clock::Simulated(kernel) = clock {
            kernel.hold_if_paused();
        }
    });
}

fn set_unpaused(unpaused: bool) -> bool {
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => kernel.set_unpaused(unpaused),
        Clock::Real => false,
    })
}

fn set_current(node: Option<Node>) -> Option<Node> {
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => kernel.enter_node(node),
        Clock::Real => {
            let world = context::member().world;
            context::set_member(Member { world, node }).node
        }
    })
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_killed() { " (killed)" } else { "" };
        write!(f, "Node({}{state})", self.inner.name)
    }
}
