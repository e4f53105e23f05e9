//! The simulation kernel: which task runs, what time it is, and who waits for what.
//!
//! All tasks of one simulated world share one [`Kernel`]. Exactly one of them runs at a time; it
//! gives up its turn only inside a call into this crate. Each such call is a *step*: it is counted,
//! mixed into the trace hash, and may hand the turn to another runnable task. When no task is
//! runnable, time jumps to the next timer. Every choice comes from the seed.
//!
//! The kernel knows waiting only in one form: a task waits on a [`Key`], with or without a
//! deadline, and is made runnable by a notification of that key, by the deadline or by being
//! killed. Locks, channels, condition variables and joins are all built from that.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

pub use super::op::Op;
use super::report;
pub(crate) use super::state::{At, Body, EPOCH, Held, Key, State, Status, Task, Waiting, Woken};
use super::state::{PanicBegun, draw_below, draw_gap};
use super::switch::Switch;
use crate::failure::{Failure, FailureKind};
use crate::killed;
use crate::node::Node;
use crate::observe::Cause;
use crate::sync::leaf;
use crate::world::{Settings, WorldShared};

type StateGuard<'a> = parking_lot::MutexGuard<'a, State>;

/// One simulated world's scheduler and clock. See the module.
pub(crate) struct Kernel {
    pub(crate) state: Mutex<State>,
    pub(crate) shared: Arc<WorldShared>,
    pub(crate) settings: Settings,
    pub(super) switch: Switch,
    itself: Weak<Kernel>,
    /// Counts steps for the watchdog, which must not take the lock.
    pub(crate) progress: AtomicU64,
}

impl Kernel {
    pub(crate) fn new(settings: Settings, shared: Arc<WorldShared>) -> Arc<Kernel> {
        let state = State::new(shared.seed, shared.stream_seed("scheduler", 0), &settings);
        let switch = Switch::new(settings.switch_by);
        Arc::new_cyclic(|itself| Kernel {
            state: Mutex::new(state),
            shared,
            settings,
            switch,
            itself: itself.clone(),
            progress: AtomicU64::new(0),
        })
    }

    pub(super) fn itself(&self) -> Arc<Kernel> {
        self.itself.upgrade().expect("a kernel that is being used is alive")
    }

    // ---- Steps of the running task -------------------------------------------------------------

    /// The running task calls into this crate: count it, end the task if it has been killed, and
    /// perhaps let another one go first.
    pub(crate) fn step(&self, op: Op, at: At) {
        assert!(
            !leaf::is_held() || std::thread::panicking(),
            "a call into labrt at {at} while a Leaf is locked: another task that needs it would \
             block the whole world"
        );
        let mut state = self.state.lock();
        state.running().last = at;
        self.count(&mut state, op);
        let mut state = self.end_if_killed(state);
        if state.until_switch > 0 {
            state.until_switch -= 1;
            return;
        }
        state.until_switch = draw_gap(&mut state.scheduler, self.settings.switch_every);
        if !state.runnable.is_empty() && state.forced_switches < state.most_forced_switches {
            state.forced_switches += 1;
            self.give_way(state);
        }
    }

    /// Lets the other runnable tasks go first.
    pub(crate) fn yield_now(&self, at: At) {
        self.step(Op::Yield, at);
        let state = self.state.lock();
        if !state.runnable.is_empty() {
            self.give_way(state);
        }
    }

    fn give_way(&self, mut state: StateGuard<'_>) {
        let current = state.current;
        state.runnable.push(current);
        self.pass_turn(state);
        drop(self.end_if_killed(self.state.lock()));
    }

    /// Blocks the running task until `key` is notified or `deadline` has come.
    pub(crate) fn wait(&self, key: Key, waiting: Waiting, deadline: Option<Duration>) -> Woken {
        self.block(Some(key), waiting, deadline)
    }

    /// Blocks the running task until `deadline`.
    pub(crate) fn sleep_until(&self, deadline: Duration, at: At) {
        self.block(None, Waiting { what: "a sleep", type_name: "", at }, Some(deadline));
    }

    fn block(&self, key: Option<Key>, waiting: Waiting, deadline: Option<Duration>) -> Woken {
        let mut state = self.state.lock();
        let slot = state.current;
        let since = state.now;
        state.running().last = waiting.at;
        let mut state = self.end_if_killed(state);
        if let Some(key) = key {
            state.waiters.entry(key).or_default().push_back(slot);
        }
        if let Some(deadline) = deadline {
            state.set_timer(slot, deadline);
        }
        state.running().status = Status::Blocked { key, waiting, since };
        // Others may go on for ever: this task and those it waits for will not.
        if deadline.is_none()
            && state.is_waited_for(slot)
            && let Some(report) = report::circle(&state, slot)
        {
            self.fail_in(&mut state, FailureKind::Deadlock, report);
        }
        self.pass_turn(state);

        let mut state = self.state.lock();
        let woken = state.running().woken;
        if woken == Woken::TimedOut {
            // What it does from here on was caused by a timer.
            state.running().cause = None;
        }
        self.count(&mut state, if woken == Woken::Notified { Op::Woken } else { Op::TimedOut });
        if let (Woken::Notified, Some(key), true) = (woken, key, state.must_end()) {
            // The notification was meant for somebody who can act on it.
            state.notify_one(key);
        }
        drop(self.end_if_killed(state));
        woken
    }

    /// Makes one task that waits on `key` runnable, chosen by the seed. True if there was one.
    pub(crate) fn notify_one(&self, key: Key) -> bool {
        self.state.lock().notify_one(key)
    }

    /// Makes all tasks that wait on `key` runnable; how many there were.
    pub(crate) fn notify_all(&self, key: Key) -> usize {
        self.state.lock().notify_all(key)
    }

    /// The running task now holds the lock `key`.
    pub(crate) fn acquired(&self, key: Key, at: At) {
        self.state.lock().running().held.push(Held { key, at });
    }

    /// The running task has released the lock `key`; one (or every) task waiting for it may try.
    pub(crate) fn released(&self, key: Key, wake_all: bool) {
        let mut state = self.state.lock();
        if state.abandoned {
            return;
        }
        let held = &mut state.running().held;
        if let Some(place) = held.iter().rposition(|held| held.key == key) {
            held.swap_remove(place);
        }
        if wake_all {
            state.notify_all(key);
        } else {
            state.notify_one(key);
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.state.lock().now
    }

    /// How long ago the world began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now() - EPOCH
    }

    pub(crate) fn is_unwinding(&self) -> bool {
        self.state.lock().running().unwinding
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.state.lock().ending
    }

    pub(crate) fn cause(&self) -> Option<Cause> {
        self.state.lock().running().cause
    }

    /// Sets what led to what the running task does from here on; returns what it was.
    pub(crate) fn set_cause(&self, cause: Option<Cause>) -> Option<Cause> {
        std::mem::replace(&mut self.state.lock().running().cause, cause)
    }

    /// Where the running task has taken the locks that it holds.
    pub(crate) fn held(&self) -> Vec<At> {
        self.state.lock().running().held.iter().map(|held| held.at).collect()
    }

    /// Tasks that have waited for a lock for so long.
    pub(crate) fn waits_for_locks(&self, at_least: Duration) -> Vec<String> {
        report::waits_for_locks(&self.state.lock(), at_least)
    }

    /// The running task goes on with what the task that woke it was doing.
    pub(crate) fn take_over_cause(&self) {
        let mut state = self.state.lock();
        let task = state.running();
        task.cause = task.woken_by;
    }

    /// Records something that a crate above wants in the trace. Not a switch point.
    pub(crate) fn note(&self, op: Op) {
        let mut state = self.state.lock();
        let serial = state.running().serial;
        state.mix(serial, op);
    }

    /// Starts a task; it inherits the running task's node unless one is given.
    pub(crate) fn spawn(&self, name: Arc<str>, node: Option<Node>, body: Body, at: At) -> u64 {
        let node = node.or_else(|| self.running_node());
        self.add(name, node, body, at)
    }

    /// Starts a task that belongs to no node.
    pub(crate) fn spawn_outside_nodes(&self, name: Arc<str>, body: Body, at: At) {
        self.add(name, None, body, at);
    }

    fn add(&self, name: Arc<str>, node: Option<Node>, body: Body, at: At) -> u64 {
        let mut state = self.state.lock();
        let slot = state.add_task(name, node, body, at);
        self.switch.prepare(self, slot);
        state.tasks[slot].as_ref().expect("just added").serial
    }

    pub(crate) fn running_node(&self) -> Option<Node> {
        self.state.lock().running_node()
    }

    pub(crate) fn running_name(&self) -> Arc<str> {
        self.state.lock().running().name.clone()
    }

    /// Makes the running task a member of `node`, and returns what it belonged to before.
    pub(crate) fn enter_node(&self, node: Option<Node>) -> Option<Node> {
        let mut state = self.state.lock();
        let task = state.running();
        std::mem::replace(&mut task.node, node)
    }

    /// A `Killed` has been caught at the border of its node: the task goes on outside of it.
    pub(crate) fn caught_kill(&self) {
        self.state.lock().running().unwinding = false;
    }

    /// Wakes every task of `node`, whose flag has just been set, so that it ends.
    pub(crate) fn kill_node(&self, node: &Node, at: At) {
        let mut state = self.state.lock();
        for slot in 0..state.tasks.len() {
            let of_node = |task: &Task| task.node.as_ref().is_some_and(|n| n.same(node));
            if state.tasks[slot].as_ref().is_some_and(of_node) {
                state.interrupt(slot);
            }
        }
        drop(state);
        self.step(Op::Kill, at);
    }

    pub(crate) fn has_ended(&self, serial: u64) -> bool {
        self.state.lock().tasks.iter().flatten().all(|task| task.serial != serial)
    }

    /// A panic begins in the running task (called from the panic hook). False if the kernel's own
    /// lock is held, that is, if the kernel itself panicked.
    pub(crate) fn panic_begins(&self, at: Option<String>) -> bool {
        let Some(mut state) = self.state.try_lock() else { return false };
        let current = state.current;
        if state.tasks.get(current).is_none_or(Option::is_none) {
            return false;
        }
        // Now, since unwinding releases the task's own locks.
        let waits = report::long_waits(&state);
        let task = state.running();
        task.unwinding = true;
        task.panic = Some(PanicBegun { at, waits });
        true
    }

    /// Ends the running task if it has been killed, by unwinding it.
    fn end_if_killed<'s>(&'s self, mut state: StateGuard<'s>) -> StateGuard<'s> {
        if state.abandoned {
            let me = state.current;
            drop(state);
            self.switch.to(me, None);
            unreachable!("an abandoned world's task never gets the turn again");
        }
        if state.must_end() {
            state.running().unwinding = true;
            drop(state);
            killed::raise();
        }
        state
    }

    fn count(&self, state: &mut State, op: Op) {
        state.steps += 1;
        state.steps_here += 1;
        self.progress.store(state.steps, Relaxed);
        let serial = state.running().serial;
        state.mix(serial, op);
        if state.steps_here > self.settings.steps_per_instant {
            if state.ending {
                return self.abandon(state);
            }
            let report = report::spinning(state.running(), self.settings.steps_per_instant);
            self.fail_in(state, FailureKind::Spinning, report);
        }
    }

    // ---- Beginning, switching and ending -------------------------------------------------------

    /// Adds the first task and gives it the turn.
    pub(crate) fn start(&self, name: Arc<str>, body: Body, at: At) -> usize {
        let mut state = self.state.lock();
        let slot = state.add_task(name, None, body, at);
        self.switch.prepare(self, slot);
        self.choose(&mut state).expect("the first task is runnable")
    }

    /// What the task in `slot` is to run; taken once, when it first gets the turn.
    pub(crate) fn take_body(&self, slot: usize) -> Body {
        let mut state = self.state.lock();
        let task = state.tasks[slot].as_mut().expect("a task that gets the turn exists");
        task.body.take().expect("a task starts once")
    }

    /// True if the running task is to end before it has begun.
    pub(crate) fn ended_before_start(&self) -> bool {
        self.state.lock().must_end()
    }

    /// The running task has ended, with the words of its panic if it panicked. Returns the slot of
    /// the next task, `None` when the world is over.
    pub(crate) fn exit(&self, panic: Option<String>) -> Option<usize> {
        let mut state = self.state.lock();
        self.count(&mut state, Op::Exit);
        if let Some(words) = panic {
            let report = report::panicked(state.running(), words);
            self.fail_in(&mut state, FailureKind::Panic, report);
        }
        let slot = state.current;
        let task = state.tasks[slot].take().expect("the running task exists");
        state.free.push(slot);
        state.live -= 1;
        state.notify_all(Key::Exit(task.serial));
        if task.serial == 0 {
            state.begin_ending();
        }
        self.choose(&mut state)
    }

    /// Ends the run as failed from outside the world (the watchdog). The tasks stay where they are.
    pub(crate) fn fail_stuck(&self) -> Failure {
        let mut state = self.state.lock();
        let report = report::stuck(&state, self.settings.stuck_after);
        let failure = self.failure(&state, FailureKind::Stuck, report);
        state.failure.get_or_insert_with(|| failure.clone());
        failure
    }

    fn fail_in(&self, state: &mut State, kind: FailureKind, report: report::Report) {
        if state.failure.is_none() {
            state.failure = Some(self.failure(state, kind, report));
        }
        state.begin_ending();
    }

    fn failure(&self, state: &State, kind: FailureKind, report: report::Report) -> Failure {
        Failure {
            kind,
            seed: Some(self.shared.seed),
            time: state.now - EPOCH,
            task: report.task,
            message: report.message,
            location: report.location,
            details: report.details,
            forced_switches: state.forced_switches,
        }
    }

    /// Hands the turn to the next task; returns when the caller has it again.
    fn pass_turn(&self, mut state: StateGuard<'_>) {
        let me = state.current;
        let next = self.choose(&mut state);
        state.switches += 1;
        drop(state);
        if next != Some(me) {
            self.switch.to(me, next);
        }
    }

    /// Chooses the next task to run and makes it current; `None` when the world is over.
    fn choose(&self, state: &mut State) -> Option<usize> {
        loop {
            if !state.runnable.is_empty() {
                let place = draw_below(&mut state.scheduler, state.runnable.len());
                state.current = state.runnable.swap_remove(place);
                return Some(state.current);
            }
            if state.live == 0 {
                return None;
            }
            if state.fire_next_timers() {
                if state.now > state.deadline {
                    if state.ending {
                        self.abandon(state);
                        return None;
                    }
                    let report = report::time_limit(state, self.settings.time_limit);
                    self.fail_in(state, FailureKind::TimeLimit, report);
                }
            } else if state.ending {
                self.abandon(state);
                return None;
            } else {
                let report = report::deadlock(state);
                self.fail_in(state, FailureKind::Deadlock, report);
            }
        }
    }

    /// The destructors of an ending world do not come to an end: what is left is leaked.
    fn abandon(&self, state: &mut State) {
        if state.failure.is_none() {
            let report = report::teardown(state);
            state.failure = Some(self.failure(state, FailureKind::Teardown, report));
        }
        state.abandoned = true;
    }

    pub(crate) fn was_abandoned(&self) -> bool {
        self.state.lock().abandoned
    }
}
