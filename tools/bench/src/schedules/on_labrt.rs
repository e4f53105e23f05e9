//! The programs on labrt's simulated clock: a world for each seed.

use labrt::sync::atomic::{AtomicBool, AtomicUsize};
use labrt::sync::{Arc, Condvar, Mutex, MutexGuard};
use labrt::thread::{self, JoinHandle};
use labrt::world::Builder;
use labrt::{Failure, FailureKind, Schedule};

use super::runtime::{self, Guard, Handle, Runtime, atomic, number};
use super::{Caught, Sign};

/// labrt as a program's runtime.
#[derive(Debug)]
pub enum OnLabrt {}

impl Runtime for OnLabrt {
    type Mutex<T: Send + 'static> = Mutex<T>;
    type Condvar = Condvar;
    type Flag = AtomicBool;
    type Number = AtomicUsize;
    type Handle = JoinHandle<()>;

    fn spawn(task: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
        thread::spawn(task)
    }

    fn yield_now() {
        thread::yield_now();
    }
}

impl<T: Send + 'static> runtime::Mutex<T> for Mutex<T> {
    type Guard<'a> = MutexGuard<'a, T>;

    fn new(value: T) -> Self {
        Mutex::new(value)
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.lock()
    }
}

impl runtime::Condvar<OnLabrt> for Condvar {
    fn new() -> Self {
        Condvar::new()
    }

    fn wait<'a, T: Send + 'static>(
        &self,
        mut guard: Guard<'a, OnLabrt, T>,
    ) -> Guard<'a, OnLabrt, T> {
        self.wait(&mut guard);
        guard
    }

    fn notify_one(&self) {
        self.notify_one();
    }

    fn notify_all(&self) {
        self.notify_all();
    }
}

atomic!(AtomicBool, bool);
atomic!(AtomicUsize, usize);
number!(AtomicUsize);

impl Handle for JoinHandle<()> {
    fn join(self) {
        // A task that panicked has failed the whole run already.
        let _ = self.join();
    }
}

/// How the worlds of a program are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Worlds {
    pub(super) schedule: Schedule,
    pub(super) switch_every: Option<u32>,
}

/// Runs `program` with the seeds 0, 1, 2 ..., and returns what failed. If the schedule wants to know what
/// there is to do, one more run finds that out first.
pub(super) fn failures(
    program: impl Fn() + Copy + Send + 'static,
    worlds: Worlds,
    seeds: u32,
) -> Vec<Caught> {
    let work = worlds.schedule.wants_work().then(|| Builder::simulated(0).estimate(program));
    let work = work.map(Arc::new);
    let run = |seed: u32| {
        let mut world = Builder::simulated(seed.into()).schedule(worlds.schedule);
        if let Some(steps) = worlds.switch_every {
            world = world.switch_every(steps);
        }
        if let Some(work) = &work {
            world = world.work(work.clone());
        }
        world.run(program).err()
    };
    (0..seeds).filter_map(run).map(|failure| caught(&failure)).collect()
}

fn caught(failure: &Failure) -> Caught {
    let sign = match failure.kind {
        FailureKind::Panic => Some(Sign::Panic),
        FailureKind::Deadlock => Some(Sign::Deadlock),
        _ => None,
    };
    Caught { sign, words: failure.to_string() }
}
