//! Sets of tasks that can be killed together: the servers of a simulated cluster.

use std::fmt;
use std::panic::Location;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::context::{self, Clock, Member};
use crate::killed::Killed;
use crate::thread::{self, JoinHandle};

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
}

impl Node {
    /// A new node. The name appears in failure reports and names the node's random stream.
    pub fn new(name: impl Into<Arc<str>>) -> Node {
        Node { inner: Arc::new(Inner { name: name.into(), killed: AtomicBool::new(false) }) }
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
    /// [`Killed`] if the node is dead already or is killed before `f` returns.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> Result<R, Killed> {
        if self.is_killed() {
            return Err(Killed::already());
        }
        let before = set_current(Some(self.clone()));
        let result = catch_unwind(AssertUnwindSafe(f));
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
