//! Tasks: OS threads on the real clock, turns of a seeded scheduler on the simulated one.

use std::convert::Infallible;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crossbeam::channel::RecvTimeoutError;
use parking_lot::Mutex;

use crate::context::{self, Clock, Member};
use crate::killed::{Killed, words_of_panic};
use crate::node::{self, Node};
use crate::sim::kernel::{At, Body, Kernel, Key, Op, TaskId, Touch, Waiting};
use crate::time::{Instant, Until};
use crate::world::{TaskAlive, WorldShared};

pub use std::thread::Result;

/// Starts a task. See [`Builder`] for one with a name.
///
/// In a world a panic of the task fails the whole run, joined or not.
///
/// # Panics
/// If the operating system refuses another thread.
#[track_caller]
pub fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(f)
}

/// Blocks the calling task for `duration`.
#[track_caller]
pub fn sleep(duration: Duration) {
    crate::time::sleep(Until::After(duration), Location::caller());
}

/// Blocks the calling task until `deadline`.
#[track_caller]
pub fn sleep_until(deadline: Instant) {
    crate::time::sleep(Until::At(deadline), Location::caller());
}

/// Lets other tasks go first. It does not let simulated time pass: a loop around this call that
/// waits for something to happen later is reported as spinning.
#[track_caller]
pub fn yield_now() {
    let at = Location::caller();
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => kernel.yield_now(at),
        Clock::Real => {
            context::checkpoint();
            std::thread::yield_now();
        }
    });
}

/// The calling task's name: `main` for a world's first task.
pub fn name() -> Option<Arc<str>> {
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => Some(kernel.running_name()),
        Clock::Real => std::thread::current().name().map(Arc::from),
    })
}

/// What to start a task with, as [`std::thread::Builder`].
#[derive(Debug, Default)]
pub struct Builder {
    name: Option<Arc<str>>,
    node: Membership,
}

/// Which node a task belongs to.
#[derive(Debug, Default)]
enum Membership {
    /// That of the task that starts it.
    #[default]
    Inherited,
    Of(Node),
    /// None.
    Outside,
}

impl Membership {
    /// The node, for a task started by one of node `starter`.
    fn resolve(self, starter: impl FnOnce() -> Option<Node>) -> Option<Node> {
        match self {
            Membership::Inherited => starter(),
            Membership::Of(node) => Some(node),
            Membership::Outside => None,
        }
    }
}

impl Builder {
    /// A task without a name of its own: it is called after the source line that starts it.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Sets the task's name, for failure reports.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Builder {
        self.name = Some(name.into());
        self
    }

    /// Makes the task part of `node`, instead of the calling task's.
    pub fn node(mut self, node: Node) -> Builder {
        self.node = Membership::Of(node);
        self
    }

    /// Makes the task part of no node.
    pub fn outside_nodes(mut self) -> Builder {
        self.node = Membership::Outside;
        self
    }

    /// Starts the task.
    ///
    /// # Panics
    /// If the operating system refuses another thread.
    #[track_caller]
    pub fn spawn<T: Send + 'static>(self, f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        let packet = Packet::default();
        let result = packet.clone();
        let body = Box::new(move || {
            let outcome = catch_unwind(AssertUnwindSafe(f));
            let words = outcome.as_ref().err().and_then(|payload| words_of_panic(&**payload));
            *result.lock() = Some(outcome);
            words
        });
        JoinHandle { task: self.start(body, Location::caller()), packet }
    }

    /// Starts a task. Apart from [`spawn`](Builder::spawn), so that this is compiled once, and not for each
    /// closure.
    fn start(self, body: Body, at: At) -> Task {
        context::with(|clock| match clock {
            Clock::Simulated(kernel) => {
                kernel.step(Op::Spawn, Touch::Nothing, at);
                let name = self.name.unwrap_or_else(|| name_of_place(at));
                let node = self.node.resolve(|| kernel.running_node());
                let world = Arc::downgrade(&kernel.shared);
                Task::Simulated { id: kernel.spawn(name, node, body, at), world }
            }
            Clock::Real => {
                context::checkpoint();
                let mut member = context::member();
                member.node = self.node.resolve(|| member.node);
                let name = self.name.unwrap_or_else(|| name_of_place(at));
                let (running, ended) = crossbeam::channel::bounded(0);
                let body = Box::new(move || {
                    let _running: crossbeam::channel::Sender<Infallible> = running;
                    body()
                });
                Task::Real { thread: spawn_member(&name, member, body), ended }
            }
        })
    }

    /// Runs `f` on the calling task, as if it were a task of its own: under this name, as part of
    /// this node (else of the calling task's), and so that it alone ends when it panics. In a world
    /// such a panic fails the run, and is reported as that of a task of this name.
    ///
    /// For code of somebody else that is too short for a task: a network's call of a handler that
    /// only passes its request on, say.
    ///
    /// # Errors
    /// The payload of the panic that ended `f`: [`Killed`] if the node is dead already, or if a kill ends `f`.
    pub fn run_here<T>(self, f: impl FnOnce() -> T) -> Result<T> {
        if let Membership::Of(node) = &self.node
            && node.is_killed()
        {
            return Err(Box::new(Killed::already()));
        }
        let name = self.name.clone();
        let host = Host::of(self.name, self.node);
        let result = catch(|| {
            node::hold_if_paused();
            f()
        });
        if let Err(payload) = &result
            && let Some(words) = words_of_panic(&**payload)
        {
            guest_panicked(name.as_deref(), words, host.unwinding);
        }
        result
    }
}

/// What ran on the calling task under this name has panicked: that fails the world.
fn guest_panicked(name: Option<&str>, words: String, unwinding: bool) {
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => kernel.guest_panicked(words, unwinding),
        Clock::Real => {
            if let Some(world) = context::member().world {
                world.fail_by_panic(name, words);
            }
        }
    });
}

/// What a task is called and belongs to, as far as that changes.
///
/// On the real clock a thread keeps its name.
#[derive(Default)]
pub(crate) struct Identity {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) node: Option<Option<Node>>,
}

impl Identity {
    /// Makes the calling task this; returns what it was, and whether it is being unwound.
    fn take_on(self) -> (Identity, bool) {
        context::with(|clock| match clock {
            Clock::Simulated(kernel) => kernel.take_on(self),
            Clock::Real => {
                let swap = |node| {
                    let world = context::member().world;
                    context::set_member(Member { world, node }).node
                };
                let former = Identity { name: None, node: self.node.map(swap) };
                (former, std::thread::panicking())
            }
        })
    }
}

/// A task that lets a guest run; it is itself again when this is dropped.
struct Host {
    identity: Identity,
    unwinding: bool,
}

impl Host {
    fn of(name: Option<Arc<str>>, node: Membership) -> Host {
        let node = match node {
            Membership::Inherited => None,
            Membership::Of(node) => Some(Some(node)),
            Membership::Outside => Some(None),
        };
        let (identity, unwinding) = Identity { name, node }.take_on();
        Host { identity, unwinding }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        std::mem::take(&mut self.identity).take_on();
    }
}

/// Catches panics, and the end of a killed task so that it is not unwound any further.
fn catch<T>(f: impl FnOnce() -> T) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Err(payload) if payload.is::<Killed>() => Err(Box::new(Killed::already())),
        result => result,
    }
}

/// Starts an OS thread that belongs to `member`.
pub(crate) fn spawn_member(name: &str, member: Member, body: Body) -> std::thread::JoinHandle<()> {
    let alive = member.world.as_ref().map(WorldShared::task_begins);
    let cause = context::cause();
    let body = move || {
        context::set_cause(cause);
        run_as(member, alive, body);
    };
    match std::thread::Builder::new().name(os_name(name)).spawn(body) {
        Ok(handle) => handle,
        Err(error) => panic!("cannot start a thread for the task `{name}`: {error}"),
    }
}

/// A name as a thread of the operating system may have it: without zeros.
pub(crate) fn os_name(name: &str) -> String {
    name.replace('\0', "\u{fffd}")
}

/// Runs `body` on the calling OS thread as a task that belongs to `member`; a panic fails its world, be it
/// one that `body` has caught, and returns the words of. False if one came out of `body`. Up to its end the task counts as
/// `_alive`.
fn run_as(
    member: Member,
    _alive: Option<TaskAlive>,
    body: impl FnOnce() -> Option<String>,
) -> bool {
    let world = member.world.clone();
    context::set_member(member);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        context::checkpoint();
        body()
    }));
    let returned = ended.is_ok();
    let words = ended.unwrap_or_else(|payload| words_of_panic(&*payload));
    if let (Some(words), Some(world)) = (words, world) {
        world.fail_by_panic(std::thread::current().name(), words);
    }
    returned
}

fn name_of_place(at: At) -> Arc<str> {
    let file = at.file().rsplit(['/', '\\']).next().unwrap_or(at.file());
    Arc::from(format!("{file}:{}", at.line()))
}

type Packet<T> = Arc<Mutex<Option<Result<T>>>>;

/// Waits for a task's end, as [`std::thread::JoinHandle`]. Dropping it lets the task go on.
pub struct JoinHandle<T> {
    task: Task,
    packet: Packet<T>,
}

/// A task that was started.
enum Task {
    Real {
        thread: std::thread::JoinHandle<()>,
        /// Disconnected when the task has ended.
        ended: crossbeam::channel::Receiver<Infallible>,
    },
    Simulated {
        id: TaskId,
        world: Weak<WorldShared>,
    },
}

impl<T> JoinHandle<T> {
    /// Waits until the task has ended and returns its result.
    ///
    /// # Errors
    /// The payload of the panic that ended it: [`Killed`] if it was killed.
    ///
    /// # Panics
    /// If a task of a simulated world that has not ended is joined from outside its world.
    #[track_caller]
    pub fn join(self) -> Result<T> {
        let JoinHandle { task, packet } = self;
        task.join(&|| packet.lock().is_some(), Location::caller());
        // A task that was killed before it began leaves nothing.
        let result = packet.lock().take();
        result.unwrap_or_else(|| Err(Box::new(Killed::already())))
    }

    /// True if the task has ended.
    pub fn is_finished(&self) -> bool {
        match &self.task {
            Task::Real { thread, .. } => thread.is_finished(),
            Task::Simulated { id, world } => {
                self.packet.lock().is_some()
                    || context::with(|clock| match clock {
                        Clock::Simulated(kernel) if is_of(kernel, world) => kernel.has_ended(*id),
                        _ => is_over(world),
                    })
            }
        }
    }
}

impl Task {
    /// Waits until it has ended; of a simulated one, until it has a result.
    fn join(self, has_result: &dyn Fn() -> bool, at: At) {
        match self {
            Task::Real { thread, ended } => {
                if context::can_be_killed() {
                    // std has no join that looks up in between.
                    context::in_slices(None, |slice| match ended.recv_deadline(slice) {
                        Err(RecvTimeoutError::Timeout) => None,
                        Err(RecvTimeoutError::Disconnected) => Some(()),
                        Ok(never) => match never {},
                    });
                }
                thread.join().expect("what a task runs catches its panics");
            }
            Task::Simulated { id, world } => context::with(|clock| match clock {
                Clock::Simulated(kernel) if is_of(kernel, &world) => {
                    join_simulated(kernel, id, has_result, at);
                }
                _ => assert!(
                    has_result() || is_over(&world),
                    "a task that has not ended is joined at {at}, outside of its simulated world"
                ),
            }),
        }
    }
}

/// Whether the kernel is that of this world.
fn is_of(kernel: &Kernel, world: &Weak<WorldShared>) -> bool {
    std::ptr::eq(Weak::as_ptr(world), Arc::as_ptr(&kernel.shared))
}

/// Whether the world has ended, or is about to.
fn is_over(world: &Weak<WorldShared>) -> bool {
    world.upgrade().is_none_or(|world| world.is_ending())
}

fn join_simulated(kernel: &Kernel, id: TaskId, has_result: &dyn Fn() -> bool, at: At) {
    kernel.step(Op::Join, Touch::Nothing, at);
    let waiting = Waiting::new("the end of a task", "", at);
    while !has_result() && !kernel.has_ended(id) {
        kernel.wait(Key::Exit(id.serial), waiting, None);
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("finished", &self.is_finished()).finish()
    }
}

mod pool;
pub use pool::Pool;
