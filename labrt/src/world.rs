//! One run of a closure with all the tasks it starts, on either clock.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::changes::Changes;
use crate::context::{self, Clock};
use crate::failure::{Failure, FailureKind, LastWords};
use crate::observe::Witness;
use crate::schedule::{Schedule, Work};
use crate::sim::kernel::Op;
use crate::sim::order;
use crate::sim::switch::SwitchBy;
use crate::sim::{self, panics};

/// What a world draws from itself. Streams of its tasks with these labels are others.
pub(crate) const SCHEDULER: &str = "scheduler";
pub(crate) const SCHEDULE: &str = "schedule";
const OWN_STREAMS: [&str; 2] = [SCHEDULER, SCHEDULE];

mod real;

pub use crate::changes::Change;

/// Runs `main` in a simulated world with this seed; [`Builder`] has the settings.
///
/// # Errors
/// The [`Failure`] of the run: a panic in any task, a deadlock, a world that does not come to rest.
#[track_caller]
pub fn simulate<T: Send + 'static>(
    seed: u64,
    main: impl FnOnce() -> T + Send + 'static,
) -> Result<Outcome<T>, Box<Failure>> {
    Builder::simulated(seed).run(main)
}

/// What a run that did not fail gives.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome<T> {
    /// What the main function returned.
    pub value: T,
    /// How long it took, on the world's clock. On the simulated one that includes the end of all tasks.
    pub elapsed: Duration,
    /// What only a simulated run has.
    pub trace: Option<Trace>,
}

/// The trace of a simulated run. Two runs of one seed have equal traces.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trace {
    /// A hash over (time, task, operation) of each step.
    pub hash: u64,
    /// How many steps there were.
    pub steps: u64,
    /// How often the turn was handed from one task to another.
    pub switches: u64,
    /// How many of those hand-overs were forced: the task could have gone on.
    pub forced_switches: u64,
    /// Each step, if [`Builder::record_events`] was set; empty otherwise.
    pub events: Vec<Event>,
    /// What each task is called, by its number, if [`Builder::record_events`] was set.
    pub tasks: Vec<String>,
}

/// One step of a simulated run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// When, since the world began.
    pub time: Duration,
    /// The number of the task; the main task has 0, the others count up in the order of their start.
    pub task: u64,
    /// What it did.
    pub op: Op,
    /// The line of the code under test that did it.
    pub at: &'static Location<'static>,
}

/// How to run a world.
#[derive(Clone, Debug)]
pub struct Builder {
    seed: u64,
    simulated: bool,
    settings: Settings,
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) switch_by: SwitchBy,
    pub(crate) switch_every: Option<u32>,
    pub(crate) forced_switches: u64,
    pub(crate) changes: Vec<Change>,
    pub(crate) schedule: Schedule,
    pub(crate) work: Option<Arc<Work>>,
    /// Where what the tasks do is counted, if this run is made for that.
    pub(crate) estimates: Option<order::Shared>,
    pub(crate) stack_size: usize,
    pub(crate) steps_per_instant: u64,
    pub(crate) time_limit: Duration,
    pub(crate) stuck_after: Duration,
    pub(crate) record_events: bool,
    pub(crate) last_words: LastWords,
    /// How the run is made again.
    pub(crate) replay: Arc<str>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            switch_by: SwitchBy::default(),
            switch_every: None,
            forced_switches: u64::MAX,
            changes: Vec::new(),
            schedule: Schedule::default(),
            work: None,
            estimates: None,
            stack_size: 2 << 20,
            steps_per_instant: 10_000_000,
            time_limit: Duration::MAX,
            stuck_after: Duration::from_secs(20),
            record_events: false,
            last_words: LastWords::default(),
            replay: Arc::default(),
        }
    }
}

impl Builder {
    /// A world on the simulated clock.
    pub fn simulated(seed: u64) -> Builder {
        Builder { seed, simulated: true, settings: Settings::default() }
    }

    /// A world on the real clock, whose random streams are seeded by the operating system.
    pub fn real() -> Builder {
        Builder { seed: rand::random(), simulated: false, settings: Settings::default() }
    }

    /// The world fails if it runs for longer than this on its own clock. Default: no limit.
    pub fn time_limit(mut self, limit: Duration) -> Builder {
        self.settings.time_limit = limit;
        self
    }

    /// How the simulated world switches between tasks; the schedule does not depend on it.
    pub fn switch_by(mut self, switch_by: SwitchBy) -> Builder {
        self.settings.switch_by = switch_by;
        self
    }

    /// How many steps lie on average between two forced switches of task; 0 for none, so that tasks
    /// run until they block. By default the seed decides: from 1 to 64, each doubling equally likely,
    /// since some mistakes need many switches close together and others a long undisturbed stretch.
    /// Simulated clock only.
    ///
    /// A task that makes 10,000 steps in a row has to let others go first in any case: it may rightly
    /// loop until one of them has done something.
    pub fn switch_every(mut self, steps: u32) -> Builder {
        self.settings.switch_every = Some(steps);
        self
    }

    /// How many forced switches there may be in the whole run. After that tasks run until they
    /// block, whatever [`switch_every`](Builder::switch_every) says: a calmer run, to see which
    /// interleaving matters. Waits on condition variables that end for no reason and weak exchanges
    /// that fail for none count as well. Default: no limit. Simulated clock only.
    pub fn forced_switches(mut self, most: u64) -> Builder {
        self.settings.forced_switches = most;
        self
    }

    /// From these moments on all draws are others: of the scheduler, and of all [streams](crate::rng)
    /// that belong to the world. Up to the first of them a run is the one without changes, and two runs
    /// that differ in their last change are the same up to that. So what is worth trying after the
    /// beginning of a run can be tried, again and again. A change is made when time passes it. Default:
    /// none. Simulated clock only.
    pub fn changes(mut self, changes: Vec<Change>) -> Builder {
        self.settings.changes = changes;
        self
    }

    /// How the next task is chosen. Default: [`Schedule::Walk`]. Simulated clock only.
    ///
    /// With another one [`switch_every`](Builder::switch_every) says only how often a timer may fire into
    /// running code, but for 0: then, and after the last of the
    /// [`forced_switches`](Builder::forced_switches), tasks run until they block.
    pub fn schedule(mut self, schedule: Schedule) -> Builder {
        self.settings.schedule = schedule;
        self
    }

    /// What runs of this program have to do, as a run of its own has found it out
    /// ([`estimate`](Builder::estimate)), for the schedules that want to know.
    pub fn work(mut self, work: Arc<Work>) -> Builder {
        self.settings.work = Some(work);
        self
    }

    /// What to do just before the process ends since a destructor panicked while its task was being
    /// unwound: the failure of such a run cannot be returned. It holds the first panic and the second
    /// one. By default it is written to standard error.
    pub fn last_words(mut self, say: impl Fn(&Failure) + Send + Sync + 'static) -> Builder {
        self.settings.last_words = LastWords::new(say);
        self
    }

    /// How the run is made again: a command, of a few hundred bytes at most. It is said where the process
    /// ends and nobody is there to say it, that is, at a stack overflow. Default: nothing. Simulated clock
    /// only.
    pub fn replay(mut self, words: impl Into<Arc<str>>) -> Builder {
        self.settings.replay = words.into();
        self
    }

    /// The size of each task's stack in bytes, of which the system gives only what is used.
    /// Default: 2 MiB, as std's threads have. Simulated clock only.
    ///
    /// # Panics
    /// If it is not from 16 KiB to 64 GiB.
    pub fn stack_size(mut self, bytes: usize) -> Builder {
        assert!(
            (16 << 10..=64 << 30).contains(&bytes),
            "a task's stack may have 16 KiB to 64 GiB, not {bytes} bytes"
        );
        self.settings.stack_size = bytes;
        self
    }

    /// How many steps may be made at one moment of simulated time before the world counts as
    /// spinning. Default: 10 million.
    pub fn steps_per_instant(mut self, steps: u64) -> Builder {
        self.settings.steps_per_instant = steps;
        self
    }

    /// After how much wall time without a step a simulated world counts as stuck. Default: 20 s. So does one whose
    /// time stands still for as long, and that makes fewer than 10,000 steps a second meanwhile. Time in which it
    /// waits for a processor does not count, where the system says how long that is (Linux).
    pub fn stuck_after(mut self, wall_time: Duration) -> Builder {
        self.settings.stuck_after = wall_time;
        self
    }

    /// Keeps every step in [`Trace::events`], to find the first one in which two runs differ.
    pub fn record_events(mut self, on: bool) -> Builder {
        self.settings.record_events = on;
        self
    }

    /// Runs `main` as the world's first task and counts what its tasks do, for other runs of the same
    /// program: see [`work`](Builder::work). How the run ends does not matter; what was counted up to
    /// then is returned. Empty on the real clock.
    #[track_caller]
    pub fn estimate<T: Send + 'static>(
        mut self,
        main: impl FnOnce() -> T + Send + 'static,
    ) -> Work {
        let counted = order::Shared::default();
        self.settings.estimates = Some(counted.clone());
        drop(self.run(main));
        let mut counted = counted.lock();
        std::mem::take(&mut *counted)
    }

    /// Runs `main` as the world's first task. When it returns, or the run fails, every task left
    /// is ended; then this returns.
    ///
    /// On the real clock a task ends at its next call into this crate. One that makes none is waited for, for 3 s in all,
    /// and then goes on behind the run's back; if the run has failed, its failure says how many do.
    ///
    /// # Errors
    /// The [`Failure`] of the run.
    #[track_caller]
    pub fn run<T: Send + 'static>(
        self,
        main: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Outcome<T>, Box<Failure>> {
        panics::install_hook();
        let changes = if self.simulated { self.settings.changes.clone() } else { Vec::new() };
        let changes = Changes::new(self.seed, changes);
        let words = self.settings.last_words.clone();
        let shared = Arc::new(WorldShared::new(self.seed, changes, words));
        if self.simulated {
            sim::run_world(self.settings, shared, main, Location::caller())
        } else {
            real::run_world(&self.settings, shared, main)
        }
    }
}

/// Puts a word into the trace hash of the simulated world the caller is in, as a step of the
/// calling task. Does nothing on the real clock.
///
/// For crates above whose decisions should show up when two runs are compared.
pub fn trace(word: u64) {
    context::with(|clock| {
        if let Clock::Simulated(kernel) = clock {
            kernel.note(Op::User(word));
        }
    });
}

/// True if the caller is a task of a simulated world.
pub fn is_simulated() -> bool {
    context::with(|clock| matches!(clock, Clock::Simulated(_)))
}

/// The world's one value of type `T`, made when first asked for; `None` outside a world.
///
/// This is what takes the place of a global variable: a checker that every server of a world
/// reports to, say.
pub fn local<T: Default + Send + Sync + 'static>() -> Option<Arc<T>> {
    context::world().map(|world| world.locals.get())
}

/// As [`local`], but a world that is run from within this one begins with the values that this one has by
/// then; what is asked for first after that is its own.
///
/// For what decides how the code of a world behaves: which of its variants a program is, say. A checker that
/// tries something in a world of its own tries the same program then.
///
/// ```
/// use std::sync::OnceLock;
/// use labrt::{simulate, world};
///
/// #[derive(Default)]
/// struct Variant(OnceLock<&'static str>);
/// let variant = || world::inherited::<Variant>().unwrap();
///
/// let inner = simulate(1, move || {
///     variant().0.set("the blue one").unwrap();
///     simulate(2, move || variant().0.get().copied()).unwrap().value
/// });
/// assert_eq!(inner.unwrap().value, Some("the blue one"));
/// ```
pub fn inherited<T: Default + Send + Sync + 'static>() -> Option<Arc<T>> {
    context::world().map(|world| world.inherited.get())
}

/// Values by their types.
#[derive(Default)]
struct Values(Mutex<FxHashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Values {
    /// The value of a type, made when first asked for.
    fn get<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let typed = |value: Arc<dyn Any + Send + Sync>| {
            value.downcast().unwrap_or_else(|_| unreachable!("the key is the value's type"))
        };
        if let Some(value) = self.0.lock().get(&TypeId::of::<T>()) {
            return typed(value.clone());
        }
        // Outside of the lock: it is the caller's code, and may ask for other values.
        let fresh = Arc::new(T::default());
        let mut values = self.0.lock();
        typed(values.entry(TypeId::of::<T>()).or_insert(fresh).clone())
    }

    /// The same values, for another world.
    fn pass_on(&self) -> Values {
        Values(Mutex::new(self.0.lock().clone()))
    }
}

/// Who knows more of a world than its tasks show.
#[derive(Default)]
pub(crate) struct Witnesses(Mutex<Vec<Weak<dyn Witness>>>);

impl Witnesses {
    pub(crate) fn add(&self, witness: Weak<dyn Witness>) {
        let mut all = self.0.lock();
        // Those who come and go take the room of those who are gone.
        if all.len() == all.capacity() {
            all.retain(|one| one.strong_count() > 0);
        }
        all.push(witness);
    }

    /// What they say. On the simulated clock no task runs meanwhile, so whoever has a witness has it still
    /// afterwards: none of them is dropped here, where the world may be locked.
    pub(crate) fn lines(&self) -> Vec<String> {
        let all = self.0.lock().clone();
        all.iter().filter_map(Weak::upgrade).flat_map(|one| one.lines()).collect()
    }
}

/// What all tasks of a world share, whatever its clock.
pub(crate) struct WorldShared {
    pub(crate) seed: u64,
    /// Tells the world from all others of the process. It differs from run to run: nothing that a run does may depend
    /// on it.
    pub(crate) number: u64,
    /// Where draws become others; none if they never do.
    pub(crate) changes: Option<Arc<Changes>>,
    /// How often each label has been asked for.
    streams: Mutex<BTreeMap<String, u64>>,
    locals: Values,
    pub(crate) witnesses: Witnesses,
    /// What the worlds get that are run from within this one.
    inherited: Values,
    /// The world's tasks are to end (real clock; the kernel knows by itself).
    ending: AtomicBool,
    /// The first failure (real clock).
    failure: Mutex<Option<Failure>>,
    began: std::time::Instant,
    /// Tasks that have not ended yet (real clock).
    alive: AtomicU64,
    last_words: LastWords,
}

impl WorldShared {
    fn new(seed: u64, changes: Option<Arc<Changes>>, last_words: LastWords) -> WorldShared {
        static WORLDS: AtomicU64 = AtomicU64::new(0);
        WorldShared {
            seed,
            number: WORLDS.fetch_add(1, Ordering::Relaxed),
            changes,
            streams: Mutex::default(),
            locals: Values::default(),
            witnesses: Witnesses::default(),
            inherited: context::world()
                .map_or_else(Values::default, |world| world.inherited.pass_on()),
            ending: AtomicBool::new(false),
            failure: Mutex::default(),
            began: std::time::Instant::now(),
            alive: AtomicU64::new(0),
            last_words,
        }
    }

    /// A panic that cannot unwind is about to end the process (real clock). If the run had failed
    /// before, that failure is the one to show.
    pub(crate) fn say_last_words(&self, failure: &Failure) {
        let earlier = self.failure.try_lock().and_then(|mut earlier| earlier.take());
        self.last_words.say(earlier.as_ref().unwrap_or(failure));
    }

    /// The seed of the `n`th stream with this label.
    pub(crate) fn stream_seed(&self, label: &str, n: u64) -> u64 {
        let mut hash = splitmix(self.seed);
        for byte in label.bytes() {
            hash = splitmix(hash ^ u64::from(byte));
        }
        splitmix(hash ^ splitmix(n))
    }

    pub(crate) fn next_stream_seed(&self, label: &str) -> u64 {
        let mut streams = self.streams.lock();
        let n = match streams.get_mut(label) {
            Some(uses) => {
                *uses += 1;
                *uses
            }
            None => {
                let first = u64::from(OWN_STREAMS.contains(&label));
                streams.insert(label.to_string(), first);
                first
            }
        };
        self.stream_seed(label, n)
    }

    /// How long ago the world began (real clock).
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    pub(crate) fn begin_ending(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// A task of the world has panicked: the world has failed (real clock).
    pub(crate) fn fail_by_panic(&self, task: Option<&str>, message: String) {
        let location = panics::take_location(&message);
        let task = task.map(|name| format!("task `{name}`"));
        self.fail(Failure {
            kind: FailureKind::Panic,
            seed: None,
            time: self.began.elapsed(),
            task,
            message,
            location,
            details: Vec::new(),
            forced_switches: 0,
        });
    }

    /// A task of the world begins; its guard is dropped at the task's end (real clock).
    pub(crate) fn task_begins(self: &Arc<Self>) -> TaskAlive {
        self.alive.fetch_add(1, Ordering::SeqCst);
        TaskAlive(self.clone())
    }

    fn tasks_alive(&self) -> u64 {
        self.alive.load(Ordering::SeqCst)
    }

    fn fail(&self, failure: Failure) {
        self.failure.lock().get_or_insert(failure);
        self.begin_ending();
    }
}

/// Counts a task of a world on the real clock as alive.
pub(crate) struct TaskAlive(Arc<WorldShared>);

impl Drop for TaskAlive {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A step of the splitmix64 generator: spreads the bits of `x` over the whole word.
pub(crate) fn splitmix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stream_of_a_task_is_the_world_s_own() {
        for label in [SCHEDULER, SCHEDULE] {
            let world = WorldShared::new(7, None, LastWords::default());
            let own = world.stream_seed(label, 0);
            let others: Vec<u64> = (0..3).map(|_| world.next_stream_seed(label)).collect();
            assert!(!others.contains(&own), "{label}");
        }
        let world = WorldShared::new(7, None, LastWords::default());
        assert_eq!(world.next_stream_seed("timer"), world.stream_seed("timer", 0));
    }
}
