//! Carrying out a plan with several processes at once.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
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
    limits: &'a Limits,
    scratch: &'a Path,
    stop: &'a AtomicBool,
    fail_fast: bool,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    plan: Plan,
    /// For each test, its runs with the logs of failed ones.
    runs: Vec<Vec<(Run, Option<String>)>>,
    /// Why the engine itself cannot go on.
    error: Option<anyhow::Error>,
}

/// How the engine is to work.
pub struct Settings<'a> {
    /// How many processes run at once.
    pub jobs: usize,
    /// What each process may do.
    pub limits: Limits,
    /// The first failure ends it.
    pub fail_fast: bool,
    /// Each worker is kept on one core, where that is possible.
    pub pin: bool,
    /// A folder for files that are not kept.
    pub scratch: &'a Path,
    /// Set from outside to end early.
    pub stop: &'a AtomicBool,
}

/// The runs of each test, with the logs of those that failed.
pub type Results = Vec<Vec<(Run, Option<String>)>>;

/// Carries out the plan; returns what was done, also if it was ended early. `show` is called now and
/// then, and at the end, with how far the plan is.
///
/// # Errors
/// If a process cannot be started, or what it has left cannot be read.
pub fn execute(
    tests: &[TestCase],
    plan: Plan,
    settings: &Settings<'_>,
    show: &mut dyn FnMut(&Plan),
) -> Result<Results> {
    let shared = Shared {
        tests,
        limits: &settings.limits,
        scratch: settings.scratch,
        stop: settings.stop,
        fail_fast: settings.fail_fast,
        state: Mutex::new(State { plan, runs: vec![Vec::new(); tests.len()], error: None }),
        changed: Condvar::new(),
    };
    let cores = platform::cores();
    std::thread::scope(|scope| {
        for worker in 0..settings.jobs {
            let core = settings.pin.then(|| cores.get(worker % cores.len().max(1))).flatten();
            let shared = &shared;
            scope.spawn(move || {
                if let Some(&core) = core {
                    platform::stay_on(core);
                }
                shared.work();
            });
        }
        shared.show_until_done(show);
    });
    let state = shared.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    match state.error {
        Some(error) => Err(error),
        None => Ok(state.runs),
    }
}

impl Shared<'_> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self, state: &State) -> bool {
        self.stop.load(Ordering::Relaxed) || state.error.is_some() || state.plan.is_done()
    }

    fn work(&self) {
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
            let finished = process::run(test, &items, self.limits, self.scratch, self.stop)
                .with_context(|| format!("while running {}", test.name));
            self.take(place, finished, began.elapsed());
        }
    }

    fn take(&self, place: usize, finished: Result<Finished>, wall: Duration) {
        let mut state = self.lock();
        match finished {
            Ok(Finished { runs, left }) => {
                let failures = runs.iter().filter(|(run, _)| run.failure.is_some()).count() as u64;
                state.plan.finished(place, (runs.len() as u64, failures), left, wall);
                state.runs[place].extend(runs);
                if self.fail_fast && failures > 0 {
                    self.stop.store(true, Ordering::Relaxed);
                }
            }
            Err(error) => {
                state.error.get_or_insert(error);
            }
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
