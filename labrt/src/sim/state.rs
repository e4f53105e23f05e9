//! The state of a simulated world: its tasks, who can run, who waits, and the timers.

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use rustc_hash::FxHashMap;

use super::chance::Chance;
use super::circles::Suspect;
use super::op::Op;
use super::order::Order;
use crate::course::Course;
use crate::failure::Failure;
use crate::node::Node;
use crate::observe::Cause;
use crate::world::{Event, Settings};

/// Simulated time when a world begins. Far from zero, so that `Instant::now() - d` works for every
/// reasonable `d`, as it does on the real clock.
pub(crate) const EPOCH: Duration = Duration::from_secs(1_000_000);

/// How much simulated time the destructors of an ending world may take.
const TEARDOWN_LIMIT: Duration = Duration::from_secs(600);

/// What a world's own draws are called when they become others; streams are called by their seeds.
const SCHEDULER: u64 = 0;
const ORDER: u64 = 1;

/// When the change behind so many others is due; never if there is none.
fn moment_of_change(course: Option<&Course>, done: usize) -> Duration {
    let at = course.and_then(|course| course.due(done));
    at.map_or(Duration::MAX, |at| EPOCH.saturating_add(at))
}

/// A moment in ns; `u64::MAX` if it is too far away.
pub(super) fn nanos(moment: Duration) -> u64 {
    u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX)
}

/// A place in source code, for reports.
pub(crate) type At = &'static Location<'static>;

/// What a task runs. Panics are caught inside; the result is the words of one, if there was one.
pub(crate) type Body = Box<dyn FnOnce() -> Option<String> + Send>;

/// What a task can wait on. Addresses serve to find a waiter, never to order anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// An object in memory (it cannot move while somebody waits on it).
    Object(usize),
    /// The second queue of an object that has two (a channel's senders).
    Second(usize),
    /// The end of the task with this serial number.
    Exit(u64),
}

impl Key {
    pub(crate) fn of<T: ?Sized>(object: &T) -> Key {
        Key::Object(std::ptr::from_ref(object).cast::<()>() as usize)
    }

    pub(crate) fn second_of<T: ?Sized>(object: &T) -> Key {
        Key::Second(std::ptr::from_ref(object).cast::<()>() as usize)
    }
}

/// What a blocked task waits for, in words, for the deadlock report.
#[derive(Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) what: &'static str,
    /// The type of what is locked or sent; empty if there is none.
    pub(crate) type_name: &'static str,
    pub(crate) at: At,
    /// The task that has to receive first, as far as that is known.
    pub(crate) receiver: Option<u64>,
}

impl Waiting {
    pub(crate) fn new(what: &'static str, type_name: &'static str, at: At) -> Waiting {
        Waiting { what, type_name, at, receiver: None }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        if self.type_name.is_empty() { Ok(()) } else { write!(f, " of {}", self.type_name) }
    }
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    Notified,
    TimedOut,
}

pub(crate) enum Status {
    /// Has the turn, or waits for it.
    Ready,
    Blocked {
        key: Option<Key>,
        waiting: Waiting,
        /// When the wait began.
        since: Duration,
    },
}

/// A lock some task holds.
pub(crate) struct Held {
    pub(crate) key: Key,
    pub(crate) at: At,
}

/// Names a task: slots are used again, serial numbers are not.
#[derive(Clone, Copy)]
pub(crate) struct TaskId {
    pub(super) slot: usize,
    pub(crate) serial: u64,
}

pub(crate) struct Task {
    pub(crate) serial: u64,
    pub(crate) name: Arc<str>,
    pub(crate) node: Option<Node>,
    pub(crate) status: Status,
    pub(crate) held: Vec<Held>,
    /// Where it was started.
    pub(crate) started: At,
    /// Where it last called into this crate.
    pub(crate) last: At,
    pub(super) body: Option<Body>,
    pub(super) woken: Woken,
    /// The timer of its wait; 0 if it has none.
    pub(super) timer: u64,
    /// When that is due.
    due: Duration,
    /// The heap's entry for it; all others of its slot are void.
    queued: Queued,
    /// A panic is unwinding its stack: it is not ended a second time, and its destructors may
    /// lock, wait and sleep like any other code.
    pub(super) unwinding: bool,
    /// It runs code that no pause of a node holds up.
    pub(super) unpaused: bool,
    /// Its panics since it was last seen not to be unwinding, noted by the panic hook. All but the
    /// first began in a destructor that the first one runs.
    pub(super) panics: Vec<PanicBegun>,
    /// What led to what it is doing; see [`crate::observe`].
    pub(crate) cause: Option<Cause>,
    /// The cause of the task that woke it last.
    pub(super) woken_by: Option<Cause>,
}

/// What is known when a panic begins.
pub(super) struct PanicBegun {
    pub(super) words: String,
    /// Where.
    pub(super) at: Option<String>,
    /// The task's title at that moment: it may panic as the guest of another node.
    pub(super) title: String,
    /// Tasks that had long waited for a lock.
    pub(super) waits: Vec<String>,
}

impl Task {
    /// It is not being unwound any more.
    pub(super) fn unwound(&mut self) {
        self.unwinding = false;
        self.panics.clear();
    }

    /// It does not hold the lock `key` any more, taken last.
    pub(super) fn release(&mut self, key: Key) {
        if let Some(place) = self.held.iter().rposition(|held| held.key == key) {
            self.held.swap_remove(place);
        }
    }

    /// True if nothing but a notification can end its wait.
    pub(super) fn waits_without_limit(&self) -> bool {
        self.timer == 0 && matches!(self.status, Status::Blocked { .. })
    }
}

/// An entry of the heap: at `at` it is time to look at the timer of the task in `slot`, if `id` is still
/// the task's entry. That timer is due then or later: most waits end before their deadlines and are
/// followed by one with a later deadline, for which the entry of the first one serves.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Timer {
    at: Duration,
    id: u64,
    slot: usize,
}

/// What a task knows of its entry in the heap of timers.
#[derive(Default)]
struct Queued {
    /// Its number: that of the timer it was made for. 0 if there is no entry.
    id: u64,
    at: Duration,
}

pub(crate) struct State {
    pub(crate) now: Duration,
    /// The same in ns, as far as they can be counted.
    pub(super) now_ns: u64,
    pub(crate) steps: u64,
    pub(crate) switches: u64,
    pub(crate) hash: u64,
    pub(crate) failure: Option<Failure>,
    pub(crate) tasks: Vec<Option<Task>>,
    pub(crate) current: usize,
    pub(crate) events: Option<Vec<Event>>,
    /// The titles of all tasks by their numbers, if events are kept.
    pub(crate) titles: Vec<String>,
    pub(super) free: Vec<usize>,
    pub(super) runnable: Vec<usize>,
    /// How many nodes are paused.
    pub(super) paused_nodes: usize,
    /// Ready tasks that do not run, since their nodes are paused.
    held_back: Vec<usize>,
    timers: BinaryHeap<Reverse<Timer>>,
    waiters: FxHashMap<Key, VecDeque<usize>>,
    /// Queues that nobody waits in, for their memory: nearly every wait needs one.
    spare_queues: Vec<VecDeque<usize>>,
    /// The tasks that have to receive what others send with a lock held, once for each of these.
    pub(super) awaited_receivers: Vec<u64>,
    /// Circles of tasks in which one waits for another to receive. They count when they have lasted
    /// for a while: somebody else may have the receiver as well.
    pub(super) suspects: Vec<Suspect>,
    /// Ready tasks that there was no memory for a stack for; each waits for the end of another one.
    pub(super) without_stack: Vec<usize>,
    pub(super) chance: Chance,
    /// The moments from which on draws are others, how many of them are past, and the next one.
    course: Option<Arc<Course>>,
    changed: usize,
    next_change: Duration,
    /// Who chooses the next task, if it is not the walk.
    pub(super) order: Option<Box<dyn Order>>,
    /// Steps until the next forced switch point.
    pub(super) until_switch: u32,
    /// How many forced switches there were, and how many there may be.
    pub(crate) forced_switches: u64,
    pub(super) most_forced_switches: u64,
    /// The number of steps when the running task got its turn.
    pub(super) turn_began: u64,
    /// Steps since time last advanced.
    pub(super) steps_here: u64,
    pub(super) next_serial: u64,
    pub(super) next_timer: u64,
    pub(super) live: usize,
    /// The world fails when time passes this; an ending one is abandoned.
    pub(super) deadline: Duration,
    /// Main has returned or the run has failed: every task is to end.
    pub(super) ending: bool,
    /// Even the destructors got stuck: what is left is leaked.
    pub(super) abandoned: bool,
}

impl State {
    pub(super) fn new(
        seed: u64,
        scheduler_seed: u64,
        course: Option<Arc<Course>>,
        order: Option<Box<dyn Order>>,
        settings: &Settings,
    ) -> State {
        let mut chance = Chance::new(scheduler_seed, settings.switch_every);
        let until_switch = chance.gap();
        let next_change = moment_of_change(course.as_deref(), 0);
        State {
            now: EPOCH,
            now_ns: nanos(EPOCH),
            steps: 0,
            switches: 0,
            hash: seed,
            failure: None,
            tasks: Vec::new(),
            current: usize::MAX,
            events: settings.record_events.then(Vec::new),
            titles: Vec::new(),
            free: Vec::new(),
            runnable: Vec::new(),
            paused_nodes: 0,
            held_back: Vec::new(),
            timers: BinaryHeap::new(),
            waiters: FxHashMap::default(),
            spare_queues: Vec::new(),
            awaited_receivers: Vec::new(),
            suspects: Vec::new(),
            without_stack: Vec::new(),
            chance,
            course,
            changed: 0,
            next_change,
            order,
            until_switch,
            forced_switches: 0,
            most_forced_switches: settings.forced_switches,
            turn_began: 0,
            steps_here: 0,
            next_serial: 0,
            next_timer: 0,
            live: 0,
            deadline: EPOCH.saturating_add(settings.time_limit),
            ending: false,
            abandoned: false,
        }
    }

    pub(crate) fn running(&mut self) -> &mut Task {
        self.tasks[self.current].as_mut().expect("the running task exists")
    }

    pub(super) fn running_node(&self) -> Option<Node> {
        self.tasks.get(self.current).and_then(Option::as_ref).and_then(|task| task.node.clone())
    }

    /// False if the running task simply goes on, as it nearly always does.
    pub(super) fn may_have_to_end(&mut self) -> bool {
        let world_ends = self.abandoned || self.ending;
        let task = self.running();
        world_ends || task.unwinding || task.node.as_ref().is_some_and(Node::is_killed)
    }

    /// True if the running task has been killed and is not on its way out already.
    pub(super) fn must_end(&mut self) -> bool {
        let task = self.running();
        if task.unwinding && !std::thread::panicking() {
            task.unwound(); // the user's own catch_unwind stopped it
        }
        !self.running().unwinding && self.is_killed()
    }

    /// True if the running task is to end.
    fn is_killed(&mut self) -> bool {
        self.ending || self.running().node.as_ref().is_some_and(Node::is_killed)
    }

    /// True if it cannot be told whether the running task, which has been killed, is still being
    /// unwound by its panic or has caught it: std's flag belongs to the thread, and another task's
    /// unwinding keeps it set.
    pub(super) fn may_have_caught_its_panic(&mut self) -> bool {
        let current = self.current;
        let task = self.running();
        if !task.unwinding || task.panics.is_empty() || !self.is_killed() {
            return false;
        }
        let others = self.tasks.iter().enumerate().filter(|(slot, _)| *slot != current);
        others.filter_map(|(_, task)| task.as_ref()).any(|task| task.unwinding)
    }

    /// True if other tasks can depend on the one in `slot`: it holds a lock, is being joined, or has
    /// to receive what somebody sends with a lock held.
    pub(super) fn is_waited_for(&self, slot: usize) -> bool {
        let task = self.tasks[slot].as_ref();
        task.is_some_and(|task| {
            !task.held.is_empty()
                || self.waiters.contains_key(&Key::Exit(task.serial))
                || self.awaited_receivers.contains(&task.serial)
        })
    }

    pub(super) fn add_task(
        &mut self,
        name: Arc<str>,
        node: Option<Node>,
        body: Body,
        at: At,
    ) -> usize {
        let serial = self.next_serial;
        self.next_serial += 1;
        let cause = self.tasks.get(self.current).and_then(|task| task.as_ref()?.cause);
        let task = Task {
            serial,
            name,
            node,
            status: Status::Ready,
            held: Vec::new(),
            started: at,
            last: at,
            body: Some(body),
            woken: Woken::Notified,
            timer: 0,
            due: Duration::ZERO,
            queued: Queued::default(),
            unwinding: false,
            unpaused: false,
            panics: Vec::new(),
            cause,
            woken_by: None,
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.tasks.push(None);
            self.tasks.len() - 1
        });
        if self.events.is_some() {
            self.titles.push(super::report::title(&task));
        }
        self.tasks[slot] = Some(task);
        self.live += 1;
        self.may_run(slot);
        let parent = Some(self.current).filter(|slot| self.tasks.get(*slot).is_some());
        self.order.iter_mut().for_each(|order| order.begins(slot, parent));
        slot
    }

    pub(super) fn set_timer(&mut self, slot: usize, at: Duration) {
        self.next_timer += 1;
        let id = self.next_timer;
        let task = self.tasks[slot].as_mut().expect("a waiting task exists");
        (task.timer, task.due) = (id, at);
        if task.queued.id == 0 || at < task.queued.at {
            task.queued = Queued { id, at };
            self.timers.push(Reverse(Timer { at, id, slot }));
        }
    }

    /// When the next timer is due, and whose it is. It is the first entry of the heap then.
    fn next_timer(&mut self) -> Option<(Duration, usize)> {
        loop {
            let mut first = self.timers.peek_mut()?;
            let Reverse(Timer { at, id, slot }) = *first;
            let task = self.tasks[slot].as_mut().filter(|task| task.queued.id == id);
            match task {
                Some(task) if task.timer == id => return Some((at, slot)),
                Some(task) if task.timer != 0 => {
                    task.queued = Queued { id: task.timer, at: task.due };
                    *first = Reverse(Timer { at: task.due, id: task.timer, slot });
                }
                void => {
                    void.into_iter().for_each(|task| task.queued = Queued::default());
                    PeekMut::pop(first);
                }
            }
        }
    }

    /// When the next timer is due.
    pub(super) fn next_timer_at(&mut self) -> Option<Duration> {
        self.next_timer().map(|(at, _)| at)
    }

    /// Advances time to the next timer and wakes every task whose timer is due at that moment.
    pub(super) fn fire_next_timers(&mut self) -> bool {
        let mut fired = false;
        while let Some((at, slot)) = self.next_timer() {
            if fired && at > self.now {
                break;
            }
            if at > self.now {
                (self.now, self.now_ns) = (at, nanos(at));
                self.steps_here = 0;
                if at >= self.next_change {
                    self.change_draws();
                }
            }
            self.make_ready(slot, Woken::TimedOut);
            fired = true;
        }
        fired
    }

    /// A change is due: all draws are others from here on.
    fn change_draws(&mut self) {
        let Some(course) = &self.course else { return };
        while self.now >= self.next_change {
            course.make(self.changed);
            self.changed += 1;
            self.next_change = moment_of_change(Some(course), self.changed);
        }
        self.chance.reseed(course.seed(SCHEDULER));
        if let Some(order) = &mut self.order {
            order.reseed(Xoshiro256PlusPlus::seed_from_u64(course.seed(ORDER)));
        }
    }

    /// Makes a blocked task runnable; it leaves the queue it waits in.
    pub(super) fn make_ready(&mut self, slot: usize, woken: Woken) {
        let waker = match woken {
            Woken::Notified => self.tasks.get(self.current).and_then(|task| task.as_ref()?.cause),
            Woken::TimedOut => None,
        };
        let task = self.tasks[slot].as_mut().expect("a waiting task exists");
        let status = std::mem::replace(&mut task.status, Status::Ready);
        let Status::Blocked { key, .. } = status else { return };
        task.timer = 0;
        task.woken = woken;
        task.woken_by = waker;
        self.may_run(slot);
        // A notified task has been taken out of its queue already.
        if let (Woken::TimedOut, Some(key)) = (woken, key) {
            self.leave_queue(key, slot);
        }
    }

    // ---- Pauses --------------------------------------------------------------------------------

    /// The task in `slot` can have the turn, unless its node is paused.
    pub(super) fn may_run(&mut self, slot: usize) {
        match self.is_held_back(slot) {
            true => self.held_back.push(slot),
            false => self.runnable.push(slot),
        }
    }

    /// True if the task in `slot` must not go on, since its node is paused.
    pub(super) fn is_held_back(&self, slot: usize) -> bool {
        if self.paused_nodes == 0 || self.ending {
            return false;
        }
        let Some(task) = &self.tasks[slot] else { return false };
        let paused = task.node.as_ref().is_some_and(Node::is_paused);
        paused && task.held.is_empty() && !task.unpaused && !task.unwinding
    }

    /// The running task is held back from here on; it must give its turn away.
    pub(super) fn hold_back_running(&mut self) {
        self.held_back.push(self.current);
    }

    /// One more node is paused.
    pub(super) fn pause(&mut self) {
        self.paused_nodes += 1;
        for slot in std::mem::take(&mut self.runnable) {
            self.may_run(slot);
        }
    }

    /// One node less is paused.
    pub(super) fn resume(&mut self) {
        self.paused_nodes -= 1;
        self.release_held_back();
    }

    fn release_held_back(&mut self) {
        for slot in std::mem::take(&mut self.held_back) {
            self.may_run(slot);
        }
    }

    // ---- Waiting -------------------------------------------------------------------------------

    /// The task in `slot` waits on `key` from now on.
    pub(super) fn join_queue(&mut self, key: Key, slot: usize) {
        let spare = &mut self.spare_queues;
        let queue = self.waiters.entry(key).or_insert_with(|| spare.pop().unwrap_or_default());
        queue.push_back(slot);
    }

    fn leave_queue(&mut self, key: Key, slot: usize) {
        if let Entry::Occupied(mut queue) = self.waiters.entry(key) {
            queue.get_mut().retain(|&waiter| waiter != slot);
            if queue.get().is_empty() {
                self.spare_queues.push(queue.remove());
            }
        }
    }

    pub(super) fn notify_one(&mut self, key: Key) -> bool {
        let Entry::Occupied(mut queue) = self.waiters.entry(key) else { return false };
        let place = self.chance.below(queue.get().len());
        let slot = queue.get_mut().swap_remove_back(place);
        if queue.get().is_empty() {
            self.spare_queues.push(queue.remove());
        }
        self.make_ready(slot.expect("a queue in the table has a waiter"), Woken::Notified);
        true
    }

    pub(super) fn notify_all(&mut self, key: Key) -> usize {
        let Some(mut queue) = self.waiters.remove(&key) else { return 0 };
        let count = queue.len();
        for slot in queue.drain(..) {
            self.make_ready(slot, Woken::Notified);
        }
        self.spare_queues.push(queue);
        count
    }

    /// Wakes a task, whatever it waits for, because it is to end.
    pub(super) fn interrupt(&mut self, slot: usize) {
        self.make_ready(slot, Woken::TimedOut);
    }

    /// From here on every task ends at its next step.
    pub(super) fn begin_ending(&mut self) {
        if self.ending {
            return;
        }
        self.ending = true;
        self.release_held_back();
        self.steps_here = 0;
        self.deadline = self.now.saturating_add(TEARDOWN_LIMIT);
        for slot in 0..self.tasks.len() {
            if self.tasks[slot].is_some() {
                self.interrupt(slot);
            }
        }
    }

    pub(super) fn mix(&mut self, serial: u64, op: Op) {
        for word in [self.now_ns, serial, op.code()] {
            self.hash = (self.hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
        if self.events.is_some() {
            let (time, at) = (self.now - EPOCH, self.running().last);
            let event = Event { time, task: serial, op, at };
            self.events.iter_mut().for_each(|events| events.push(event));
        }
    }

    /// True if another forced switch, or what counts as one, is allowed.
    pub(super) fn may_force(&self) -> bool {
        self.forced_switches < self.most_forced_switches && self.chance.forces()
    }

    /// The next task of those that can run, removed from their list: any of them, unless an order
    /// chooses.
    pub(super) fn take_runnable(&mut self) -> Option<usize> {
        if self.runnable.is_empty() {
            return None;
        }
        let place = match &mut self.order {
            None => self.chance.below(self.runnable.len()),
            Some(order) => order.choose(&self.runnable),
        };
        Some(self.runnable.swap_remove(place))
    }

    /// The task that the order lets go first although the running one could go on, removed from the
    /// list of those that can run.
    pub(super) fn take_preferred(&mut self) -> Option<usize> {
        let (me, may_force) = (self.current, self.may_force());
        let order = self.order.as_mut()?;
        if self.runnable.is_empty() || !may_force {
            order.choose(&[me]);
            return None;
        }
        self.runnable.push(me);
        let place = order.choose(&self.runnable);
        self.runnable.pop();
        (place < self.runnable.len()).then(|| self.runnable.swap_remove(place))
    }

    /// The task in `slot` has the turn.
    pub(super) fn give_turn(&mut self, slot: usize) {
        self.current = slot;
        self.turn_began = self.steps;
    }
}
