//! The programs on shuttle, with any of its schedulers.
//!
//! shuttle is made to stop at the first failure and to print what led to it. Here failures are
//! counted, so it must not see them: a failing schedule is ended by a scheduler that offers no next
//! task, which shuttle takes for a schedule that is not worth going on with. `Counting` is that
//! scheduler; it leaves every choice to the one inside it, and notices both kinds of failure.
//!
//! - A panic is noted by a hook as it begins. Its task then runs to its end undisturbed.
//! - A deadlock is noted when no task can run but the *sentinel*: a task that the inner scheduler
//!   never hears of, which exists so that shuttle does not find the deadlock itself.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Once;

use shuttle::scheduler::{RandomScheduler, Schedule, Scheduler, Task, TaskId};
use shuttle::sync::atomic::{AtomicBool, AtomicUsize};
use shuttle::sync::{Condvar, Mutex, MutexGuard};
use shuttle::thread::{self, JoinHandle};
use shuttle::{Config, FailurePersistence, Runner};

use super::runtime::{self, Guard, Handle, Runtime, atomic, number};
use super::{Caught, Sign};

/// shuttle as a program's runtime.
#[derive(Debug)]
pub enum OnShuttle {}

/// Why no lock is poisoned.
const NO_POISON: &str = "once a task has panicked, no other one runs";

impl Runtime for OnShuttle {
    type Mutex<T: Send + 'static> = Mutex<T>;
    type Condvar = Condvar;
    type Flag = AtomicBool;
    type Number = AtomicUsize;
    type Handle = JoinHandle<()>;

    fn spawn(task: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
        thread::spawn(|| {
            // The hook has noted the panic.
            let _ = catch_unwind(AssertUnwindSafe(task));
        })
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
        self.lock().expect(NO_POISON)
    }
}

impl runtime::Condvar<OnShuttle> for Condvar {
    fn new() -> Self {
        Condvar::new()
    }

    fn wait<'a, T: Send + 'static>(
        &self,
        guard: Guard<'a, OnShuttle, T>,
    ) -> Guard<'a, OnShuttle, T> {
        self.wait(guard).expect(NO_POISON)
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
        self.join().expect("panics are caught in the task");
    }
}

/// How far the schedule that runs on this thread has come.
enum Progress {
    /// No schedule runs.
    None,
    Running,
    /// The program has returned.
    Returned,
    Failed(Caught),
}

thread_local! {
    static PROGRESS: RefCell<Progress> = const { RefCell::new(Progress::None) };
}

/// A scheduler that notes failures and ends their schedules. See the module.
struct Counting<S> {
    inner: S,
    failures: Rc<RefCell<Vec<Caught>>>,
}

/// The first task that a program's main task starts.
fn is_sentinel(task: &Task) -> bool {
    task.id() == TaskId::from(1)
}

impl<S: Scheduler> Scheduler for Counting<S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        let schedule = self.inner.new_execution();
        let next = if schedule.is_some() { Progress::Running } else { Progress::None };
        if let Progress::Failed(caught) = PROGRESS.replace(next) {
            self.failures.borrow_mut().push(caught);
        }
        schedule
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        if PROGRESS.with_borrow(|progress| matches!(progress, Progress::Failed(_))) {
            return current.filter(|&current| runnable.iter().any(|task| task.id() == current));
        }
        let tasks: Vec<&Task> =
            runnable.iter().copied().filter(|task| !is_sentinel(task)).collect();
        if !tasks.is_empty() {
            return self.inner.next_task(&tasks, current, is_yielding);
        }
        if PROGRESS.with_borrow(|progress| matches!(progress, Progress::Returned)) {
            return runnable.first().map(|sentinel| sentinel.id());
        }
        fail(Sign::Deadlock, "every task waits".to_string());
        None
    }

    fn next_u64(&mut self) -> u64 {
        self.inner.next_u64()
    }
}

fn fail(sign: Sign, words: String) {
    PROGRESS.set(Progress::Failed(Caught { sign: Some(sign), words }));
}

/// Runs `program` once for each schedule that `scheduler` has, and returns what failed.
///
/// # Panics
/// If shuttle itself fails: at a program that does not come to an end.
pub(super) fn failures(
    program: impl Fn() + Send + Sync + 'static,
    scheduler: impl Scheduler + 'static,
) -> Vec<Caught> {
    let failures = Rc::default();
    let counting = Counting { inner: scheduler, failures: Rc::clone(&failures) };
    let body = move || {
        drop(thread::spawn(|| {}));
        if catch_unwind(AssertUnwindSafe(&program)).is_ok() {
            PROGRESS.set(Progress::Returned);
        }
    };
    let done = catch_unwind(AssertUnwindSafe(|| Runner::new(counting, config()).run(body)));
    if let Err(payload) = done {
        match PROGRESS.replace(Progress::None) {
            Progress::Failed(caught) => panic!("shuttle failed: {}", caught.words),
            _ => resume_unwind(payload),
        }
    }
    failures.take()
}

fn config() -> Config {
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::None;
    config
}

/// Puts our panic hook in the place of shuttle's, and labrt's in front of it, once in a process.
///
/// To be called before the first run on either runtime: while hooks are exchanged, no panic of
/// another thread must need one.
pub(super) fn install_hook() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let former = std::panic::take_hook();
        // shuttle sets its hook with its first schedule. It prints every panic of the process.
        Runner::new(RandomScheduler::new_from_seed(0, 1), config()).run(|| {});
        std::panic::set_hook(Box::new(move |info| {
            // labrt hands on what panics in a world if a backtrace is wanted. Here nobody wants it.
            if !note(info) && !labrt::world::is_simulated() {
                former(info);
            }
        }));
        labrt::simulate(0, || {}).expect("an empty world cannot fail");
    });
}

/// Notes a panic as the failure of the schedule that runs on this thread; false if none does.
fn note(info: &PanicHookInfo<'_>) -> bool {
    let first = PROGRESS.with_borrow(|progress| match progress {
        Progress::None => None,
        Progress::Running | Progress::Returned => Some(true),
        Progress::Failed(_) => Some(false),
    });
    if first == Some(true) {
        let words = info.payload_as_str().unwrap_or("a panic whose payload is not text");
        let place = info.location().map(|place| format!(" at {place}")).unwrap_or_default();
        fail(Sign::Panic, format!("{words}{place}"));
    }
    first.is_some()
}

#[cfg(test)]
mod tests {
    use super::super::runtime::race;
    use super::*;

    const SCHEDULES: usize = 200;

    fn failures_of(program: fn()) -> Vec<Caught> {
        install_hook();
        failures(program, RandomScheduler::new_from_seed(0, SCHEDULES))
    }

    fn add_one(number: &AtomicUsize) {
        runtime::Number::fetch_add(number, 1);
    }

    #[test]
    fn a_program_without_a_bug_passes() {
        let failures = failures_of(|| {
            let count = race::<OnShuttle, _>(AtomicUsize::new(0), &[add_one, add_one]);
            assert_eq!(runtime::Atomic::load(&*count), 2);
        });
        assert!(failures.is_empty(), "{failures:?}");
    }

    #[test]
    fn a_panic_counts_once_though_another_task_waits_for_the_lock() {
        let failures = failures_of(|| {
            let fail = |lock: &Mutex<()>| {
                let _held = runtime::Mutex::lock(lock);
                panic!("here");
            };
            race::<OnShuttle, _>(Mutex::new(()), &[fail, fail]);
        });
        assert_eq!(failures.len(), SCHEDULES);
        assert!(failures.iter().all(|caught| caught.sign == Some(Sign::Panic)));
        assert!(failures[0].words.starts_with("here at "), "{}", failures[0].words);
    }

    #[test]
    fn a_panic_of_the_main_task_counts() {
        let failures = failures_of(|| {
            let count = race::<OnShuttle, _>(AtomicUsize::new(0), &[add_one]);
            assert_eq!(runtime::Atomic::load(&*count), 2);
        });
        assert_eq!(failures.len(), SCHEDULES);
    }

    #[test]
    fn a_deadlock_counts() {
        let failures = failures_of(|| {
            let wait = |(lock, never): &(Mutex<()>, Condvar)| {
                let held = runtime::Mutex::lock(lock);
                drop(runtime::Condvar::wait(never, held));
            };
            race::<OnShuttle, _>((Mutex::new(()), Condvar::new()), &[wait, wait]);
        });
        assert_eq!(failures.len(), SCHEDULES);
        assert!(failures.iter().all(|caught| caught.sign == Some(Sign::Deadlock)));
    }

    #[test]
    #[should_panic = "shuttle failed: exceeded max_steps bound"]
    fn a_program_without_an_end_is_not_counted() {
        failures_of(|| {
            loop {
                OnShuttle::yield_now();
            }
        });
    }
}
