//! Carrying out a plan with several processes at once.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::build::TestCase;
use crate::plan::Plan;
use crate::platform;
use crate::process::{self, Finished, Limits};
use crate::run::Run;

/// How often it is shown how far the plan is, if nothing happens.
const SHOWN_EVERY: Duration = Duration::from_millis(200);

/// What all workers share.
struct Shared<'a> {
    tests: &'a [TestCase],
    settings: &'a Settings<'a>,
    state: Mutex<State<'a>>,
    changed: Condvar,
}

struct State<'a> {
    plan: Plan,
    take: &'a mut Take<'a>,
    /// Why the engine itself cannot go on.
    error: Option<anyhow::Error>,
}

/// How the engine is to work.
pub struct Settings<'a> {
    /// How many processes run at once.
    pub jobs: usize,
    /// What each process may do.
    pub limits: Limits,
    /// After a failure nothing new is begun.
    pub fail_fast: bool,
    /// Each worker is kept on one core, where that is possible.
    pub pin: bool,
    /// A folder for files that are not kept.
    pub scratch: &'a Path,
    /// Set from outside to end early.
    pub stop: &'a AtomicBool,
}

/// Some runs of a test, those that failed with their logs.
pub type Runs = Vec<(Run, Option<String>)>;

/// Takes runs of the test at this place as soon as their process has ended, one process after another.
/// An error ends the work.
pub type Take<'a> = dyn FnMut(usize, Runs) -> Result<()> + Send + 'a;

/// Carries out the plan, also if it is ended early, and gives each run away as soon as it has been made:
/// of many runs, none stays in memory. `show` is called now and then, and at the end, with how far the plan
/// is. After an error, all that was made until then has been given away.
///
/// # Errors
/// If a process cannot be started, what it has left cannot be read, or `take` fails.
pub fn stream<'a>(
    tests: &'a [TestCase],
    plan: Plan,
    settings: &'a Settings<'a>,
    take: &'a mut Take<'a>,
    show: &mut dyn FnMut(&Plan),
) -> Result<()> {
    let state = Mutex::new(State { plan, take, error: None });
    let shared = Shared { tests, settings, state, changed: Condvar::new() };
    let cores = if settings.pin { platform::cores() } else { Vec::new() };
    std::thread::scope(|scope| {
        for worker in 0..settings.jobs {
            let core = cores.get(worker % cores.len().max(1)).copied();
            let shared = &shared;
            scope.spawn(move || {
                core.into_iter().for_each(platform::stay_on);
                shared.work();
            });
        }
        shared.show_until_done(show);
    });
    let state = shared.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    state.error.map_or(Ok(()), Err)
}

/// Does some work for each of these, several at once; the results are in the same order.
///
/// # Errors
/// The first error of one of them; the rest is not begun then.
pub fn each<T: Sync, R: Send>(
    jobs: usize,
    all: &[T],
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<R>>>> = Mutex::new(all.iter().map(|_| None).collect());
    let lock = || results.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(all.len()) {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(one) = all.get(place) else { return };
                    let result = work(one);
                    // After an error nothing more is begun.
                    if result.is_err() {
                        next.store(all.len(), Ordering::Relaxed);
                    }
                    lock()[place] = Some(result);
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect()
}

impl<'a> Shared<'a> {
    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self, state: &State<'_>) -> bool {
        self.settings.stop.load(Ordering::Relaxed) || state.error.is_some() || state.plan.is_done()
    }

    fn work(&self) {
        let Settings { limits, scratch, stop, .. } = self.settings;
        loop {
            let mut state = self.lock();
            let (place, items) = loop {
                if self.is_over(&state) {
                    return;
                }
                if let Some(next) = state.plan.hand_out() {
                    break next;
                }
                // Others may yet give back what they did not come to.
                let waited = self.changed.wait_timeout(state, Duration::from_millis(100));
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            };
            drop(state);
            let began = Instant::now();
            let test = &self.tests[place];
            let finished = process::run(test, &items, limits, scratch, stop)
                .with_context(|| format!("while running {}", test.name));
            self.take(place, finished, began.elapsed());
        }
    }

    fn take(&self, place: usize, finished: Result<Finished>, wall: Duration) {
        let mut state = self.lock();
        let taken = finished.and_then(|Finished { runs, left }| {
            let failures = runs.iter().filter(|(run, _)| run.failure.is_some()).count() as u64;
            state.plan.finished(place, (runs.len() as u64, failures), left, wall);
            if self.settings.fail_fast && failures > 0 {
                state.plan.close();
            }
            (state.take)(place, runs)
        });
        if let Err(error) = taken {
            state.error.get_or_insert(error);
        }
        drop(state);
        self.changed.notify_all();
    }

    fn show_until_done(&self, show: &mut dyn FnMut(&Plan)) {
        loop {
            let state = self.lock();
            let over = self.is_over(&state);
            show(&state.plan);
            if over {
                return;
            }
            let wait = self.changed.wait_timeout(state, SHOWN_EVERY);
            drop(wait.unwrap_or_else(PoisonError::into_inner));
        }
    }
}
