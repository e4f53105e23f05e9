//! Tasks that are cheap to start because their OS threads are used again.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::{Arc, Weak};

use crossbeam::channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;

use crate::context::{self, Clock, Member};
use crate::killed::words_of_panic;
use crate::sim::kernel::{Op, Touch};
use crate::thread::{os_name, run_as};
use crate::world::WorldShared;

/// A job; it calls its argument when its worker may be given the next one.
type Job = Box<dyn FnOnce(&mut dyn FnMut()) + Send>;

/// Starts tasks on threads that are kept for the next one; there is no limit to their number.
///
/// For short tasks that must not wait for each other, such as the handlers of a network. A task
/// started here belongs to no node (see [`Node::enter`](crate::Node::enter)), and to the world that
/// the pool was made in.
pub struct Pool {
    name: Arc<str>,
    member: Member,
    idle: Arc<Mutex<Idle>>,
}

/// The workers that wait for a job (real clock).
type Idle = Vec<Worker>;

/// What reaches a worker that waits. It gets its own address back with each job, so that it can
/// offer itself again; when the pool is dropped nobody has it, and the worker ends.
#[derive(Clone)]
struct Worker(Sender<(Job, Worker)>);

impl Pool {
    /// A pool whose tasks have this name.
    pub fn new(name: impl Into<Arc<str>>) -> Pool {
        let member = Member { world: context::world(), node: None };
        Pool { name: name.into(), member, idle: Arc::default() }
    }

    /// Starts a task.
    ///
    /// # Panics
    /// If the operating system refuses another thread.
    #[track_caller]
    pub fn run(&self, job: impl FnOnce() + Send + 'static) {
        self.run_with_end(job, |()| ());
    }

    /// Starts a task that ends with something short, which must not block: by then its thread can
    /// be given the next job already.
    ///
    /// For a job that answers somebody who asks the pool for another one at once: were the thread
    /// free only after the answer, that would find none free, time and again.
    ///
    /// # Panics
    /// If the operating system refuses another thread.
    #[track_caller]
    pub fn run_with_end<T>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
        end: impl FnOnce(T) + Send + 'static,
    ) {
        let at = Location::caller();
        context::with(|clock| match clock {
            Clock::Simulated(kernel) => {
                kernel.step(Op::Spawn, Touch::Nothing, at);
                let body = Box::new(move || {
                    let outcome = catch_unwind(AssertUnwindSafe(|| end(job())));
                    outcome.err().and_then(|payload| words_of_panic(&*payload))
                });
                kernel.spawn(self.name.clone(), None, body, at);
            }
            Clock::Real => {
                let cause = context::cause();
                let job = Box::new(move |free: &mut dyn FnMut()| {
                    context::set_cause(cause);
                    let value = job();
                    free();
                    end(value);
                });
                run_real(&self.name, &self.member, &self.idle, job);
            }
        });
    }
}

/// Gives a job to a worker that is idle, or to a new one.
fn run_real(name: &Arc<str>, member: &Member, idle: &Arc<Mutex<Idle>>, mut job: Job) {
    loop {
        let Some(worker) = idle.lock().pop() else { break };
        match worker.0.send((job, worker.clone())) {
            Ok(()) => return,
            // It has ended with its world, or by a panic.
            Err(refused) => job = refused.0.0,
        }
    }
    let (sender, jobs) = bounded(1);
    let (own, member, idle) = (name.clone(), member.clone(), Arc::downgrade(idle));
    let worker = move || work(&own, &member, (job, Worker(sender)), &jobs, &idle);
    let spawned = std::thread::Builder::new().name(os_name(name)).spawn(worker);
    if let Err(error) = spawned {
        panic!("cannot start a thread for the pool `{name}`: {error}");
    }
}

/// A worker does one job after the other until its pool is dropped or its world ends.
fn work(
    name: &Arc<str>,
    member: &Member,
    first: (Job, Worker),
    jobs: &Receiver<(Job, Worker)>,
    idle: &Weak<Mutex<Idle>>,
) {
    let (mut job, mut myself) = first;
    loop {
        let mut freed = false;
        let mut free = || {
            if let Some(pool) = idle.upgrade() {
                pool.lock().push(myself.clone());
                freed = true;
            }
        };
        let alive = member.world.as_ref().map(WorldShared::task_begins);
        let done = run_as(member.clone(), alive, || {
            job(&mut free);
            None
        });
        if !freed {
            return;
        }
        if !done {
            // Its end has panicked. It may have been given the next job before, which somebody else does then.
            if let (Ok((next, _)), Some(idle)) = (jobs.try_recv(), idle.upgrade()) {
                run_real(name, member, &idle, next);
            }
            return;
        }
        // Only the pool and who gives the next job have this worker's address now.
        drop(myself);
        match jobs.recv() {
            Ok(next) => (job, myself) = next,
            Err(_) => return,
        }
    }
}
