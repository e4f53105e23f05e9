//! The simulation kernel: which task runs, what time it is, and who waits for what.
//!
//! All tasks of one simulated world share one [`Kernel`]. Exactly one of them runs at a time; it
//! gives up its turn only inside a call into this crate. Each such call is a *step*: it is counted,
//! mixed into the trace hash, and may hand the turn to another runnable task. When no task is
//! runnable, time jumps to the next timer. Every choice comes from the seed.
//!
//! A *forced switch* takes the turn from a task that could go on. Running code takes no time of
//! its own; instead a forced switch sometimes lets a timer fire that is due within a moment, so that
//! what wakes up then meets code in the middle of its work.
//!
//! Nothing of the user's runs while the kernel's state is locked: neither a task's body nor a
//! destructor. What a removed task leaves is dropped after unlocking.
//!
//! The kernel knows waiting only in one form: a task waits on a [`Key`], with or without a
//! deadline, and is made runnable by a notification of that key, by the deadline or by being
//! killed. Locks, channels, condition variables and joins are all built from that.
//!
//! Here are steps, waiting and waking, time, and how worlds and tasks begin and end; what is asked of the
//! running task without a step is in `running`.

mod running;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

pub use super::op::Op;
pub(crate) use super::op::Touch;
pub(crate) use super::state::{EPOCH, State};
use super::state::{MOST_STEPS_IN_A_ROW, nanos};
use super::switch::Switch;
pub(crate) use super::task::{
    At, Body, Key, ROOM, Receives, Status, TO_WRITE, Task, TaskId, Waiting, Woken,
};
use super::watch::Threads;
use super::{order, report};
use crate::failure::FailureKind;
use crate::node::Node;
use crate::sync::{Takers, leaf};
use crate::time::ClockRate;
use crate::world::{SCHEDULE, SCHEDULER, Settings, WorldShared};

pub(super) type StateGuard<'a> = parking_lot::MutexGuard<'a, State>;

/// One simulated world's scheduler and clock. See the module.
pub(crate) struct Kernel {
    pub(crate) state: Mutex<State>,
    pub(crate) shared: Arc<WorldShared>,
    pub(crate) settings: Settings,
    pub(super) switch: Switch,
    pub(super) itself: Weak<Kernel>,
    /// Steps, and simulated time in ns, for those who must not take the lock (the watchdog) or need
    /// not: time stands still while a task has the turn, unless it fires a timer itself.
    pub(crate) progress: AtomicU64,
    pub(crate) time: AtomicU64,
    /// Some node's clock does not run as the world's does.
    clocks_differ: AtomicBool,
    /// The threads that it runs on.
    pub(super) threads: Threads,
    /// How many of its tasks run a world of their own just now.
    pub(super) hosts: AtomicUsize,
}

impl Kernel {
    pub(crate) fn new(settings: Settings, shared: Arc<WorldShared>) -> Arc<Kernel> {
        let order = order::of(&settings, shared.stream_seed(SCHEDULE, 0));
        let (scheduler, changes) = (shared.stream_seed(SCHEDULER, 0), shared.changes.clone());
        let state = State::new(shared.seed, scheduler, changes, order, &settings);
        let switch = Switch::new(settings.switch_by);
        Arc::new_cyclic(|itself| Kernel {
            state: Mutex::new(state),
            shared,
            settings,
            switch,
            itself: itself.clone(),
            progress: AtomicU64::new(0),
            time: AtomicU64::new(nanos(EPOCH)),
            clocks_differ: AtomicBool::new(false),
            threads: Threads::default(),
            hosts: AtomicUsize::new(0),
        })
    }

    pub(super) fn itself(&self) -> Arc<Kernel> {
        self.itself.upgrade().expect("a kernel that is being used is alive")
    }

    // ---- Steps of the running task -------------------------------------------------------------

    /// The running task calls into this crate: count it, end the task if it has been killed, and
    /// perhaps let another one go first.
    pub(crate) fn step(&self, op: Op, touch: Touch, at: At) {
        drop(self.step_and_keep(op, touch, at));
    }

    /// As [`step`](Kernel::step), before the running task tries to take the lock `key`: it counts as
    /// held from here on, unless [`not_acquired`](Kernel::not_acquired) follows.
    pub(crate) fn step_to_acquire(&self, key: Key, op: Op, at: At, takers: &Takers) {
        let touch = if op == Op::Read { Touch::Reads(key) } else { Touch::Changes(key) };
        self.step_and_keep(op, touch, at).running().take(key, op, at, takers);
    }

    /// A step; the state stays locked for what follows.
    fn step_and_keep(&self, op: Op, touch: Touch, at: At) -> StateGuard<'_> {
        let mut state = self.begin_step(op, at);
        let me = state.current;
        if let Some(order) = &mut state.order {
            order.intends(me, touch, at);
            return self.step_in_order(state);
        }
        if state.until_switch > 0 {
            state.until_switch -= 1;
            return state;
        }
        self.force_switch(state)
    }

    fn begin_step(&self, op: Op, at: At) -> StateGuard<'_> {
        assert!(
            !leaf::is_held() || std::thread::panicking(),
            "a call into labrt at {at} while a Leaf is locked, or in code that must not be \
             interrupted: another task that needs it would block the whole world"
        );
        let mut state = self.state.lock();
        state.running().last = at;
        self.count(&mut state, op);
        let state = self.end_if_killed(state);
        if state.paused_nodes > 0 && state.is_held_back(state.current) {
            return self.hold_back(state);
        }
        state
    }

    /// Holds the running task up if its node is paused. No step.
    pub(crate) fn hold_if_paused(&self) {
        let state = self.state.lock();
        if state.paused_nodes > 0 && state.is_held_back(state.current) {
            drop(self.hold_back(state));
        }
    }

    /// The running task goes on when its node is not paused any more.
    #[cold]
    fn hold_back<'s>(&'s self, mut state: StateGuard<'s>) -> StateGuard<'s> {
        let me = state.current;
        state.lets_go(me);
        state.hold_back_running();
        self.pass_turn(state);
        self.end_if_killed(self.state.lock())
    }

    /// Takes the turn from the running task, if another one can have it.
    fn force_switch<'s>(&'s self, mut state: StateGuard<'s>) -> StateGuard<'s> {
        let is_due = state.gap_is_over();
        if !is_due || !state.may_force() {
            let in_a_row = state.steps - state.turn_began;
            if in_a_row >= u64::from(MOST_STEPS_IN_A_ROW) {
                return self.give_way(state);
            }
            state.look_again_after(MOST_STEPS_IN_A_ROW - in_a_row as u32);
            return state;
        }
        self.perhaps_let_time_pass(&mut state);
        if state.runnable.is_empty() {
            return state;
        }
        state.forced_switches += 1;
        self.give_way(state)
    }

    /// The order says who goes first; at the moments at which a switch would be forced without it, time
    /// may pass.
    fn step_in_order<'s>(&'s self, mut state: StateGuard<'s>) -> StateGuard<'s> {
        if state.until_switch > 0 {
            state.until_switch -= 1;
        } else if state.may_force() && state.gap_is_over() {
            self.perhaps_let_time_pass(&mut state);
        }
        if state.steps - state.turn_began >= u64::from(MOST_STEPS_IN_A_ROW) {
            return self.give_way(state);
        }
        match state.take_preferred() {
            Some(next) => {
                state.forced_switches += 1;
                self.hand_over(state, next)
            }
            None => state,
        }
    }

    /// Fires a timer into running code if it is due within a moment: always if no other task can run,
    /// else by chance.
    fn perhaps_let_time_pass(&self, state: &mut State) {
        if state.runnable.is_empty() || state.chance.pauses() {
            let soon = state.now + state.chance.pause();
            if state.next_timer_at().is_some_and(|at| at <= soon) {
                self.fire_next_timers(state);
                self.look_at_limit(state);
            }
        }
    }

    /// Lets another runnable task go first.
    pub(crate) fn yield_now(&self, at: At) {
        let mut state = self.begin_step(Op::Yield, at);
        let me = state.current;
        state.order.iter_mut().for_each(|order| order.intends(me, Touch::Nothing, at));
        drop(self.give_way(state));
    }

    /// Hands the turn to another runnable task, if there is one; the running one stays runnable.
    fn give_way<'s>(&'s self, mut state: StateGuard<'s>) -> StateGuard<'s> {
        let me = state.current;
        state.order.iter_mut().for_each(|order| order.gives_way(me));
        match state.take_runnable() {
            Some(next) => self.hand_over(state, next),
            None => state,
        }
    }

    /// The running task stays runnable, and `next` has the turn.
    fn hand_over<'s>(&'s self, mut state: StateGuard<'s>, next: usize) -> StateGuard<'s> {
        let me = state.current;
        state.may_run(me);
        state.give_turn(next);
        state.switches += 1;
        drop(state);
        self.switch.to(self, me, Some(next));
        self.end_if_killed(self.state.lock())
    }

    /// Blocks the running task until `key` is notified or `deadline` has come.
    pub(crate) fn wait(&self, key: Key, waiting: Waiting, deadline: Option<Duration>) -> Woken {
        self.block(Some(key), waiting, deadline)
    }

    /// Blocks the running task until `deadline`; for ever, if there is none.
    pub(crate) fn sleep_until(&self, deadline: Option<Duration>, at: At) {
        while self.block(None, Waiting::new("a sleep", "", at), deadline) == Woken::Notified {}
    }

    /// A task that is being unwound is woken by a kill, too: to its caller that is a notification for no reason.
    fn block(&self, key: Option<Key>, waiting: Waiting, deadline: Option<Duration>) -> Woken {
        match self.block_once(key, waiting, deadline) {
            Woken::TimedOut if deadline.is_none_or(|at| at > self.now()) => Woken::Notified,
            woken => woken,
        }
    }

    fn block_once(&self, key: Option<Key>, waiting: Waiting, deadline: Option<Duration>) -> Woken {
        let mut state = self.state.lock();
        let slot = state.current;
        let since = state.now;
        state.running().last = waiting.at;
        // Not `end_if_killed`, which may let others go first: what this task waits for could happen then.
        let mut state = self.end_if_killed_at_once(state);
        if let Some(key) = key {
            state.join_queue(key, slot);
        }
        if let Some(deadline) = deadline {
            state.set_timer(slot, deadline);
        }
        let task = state.running();
        task.status = Status::Blocked { key, waiting, since };
        let awaited = waiting.receiver.map(|one| one.task).filter(|_| !task.held.is_empty());
        state.awaited_receivers.extend(awaited);
        // Others may go on for ever: this task and those it waits for will not.
        if deadline.is_none() && state.is_waited_for(slot) {
            self.look_for_circle(&mut state);
        }
        self.pass_turn(state);

        let mut state = self.state.lock();
        if let Some(place) =
            awaited.and_then(|one| state.awaited_receivers.iter().position(|other| *other == one))
        {
            state.awaited_receivers.swap_remove(place);
        }
        let woken = state.running().woken;
        if woken == Woken::TimedOut {
            // What it does from here on was caused by a timer.
            state.running().cause = None;
        }
        self.count(&mut state, if woken == Woken::Notified { Op::Woken } else { Op::TimedOut });
        // Who may be ended while it is found out whether it is being unwound could not pass it on.
        let ends = state.may_have_to_end()
            && (state.abandoned || state.may_have_caught_its_panic() || state.must_end());
        if let (Woken::Notified, Some(key), true) = (woken, key, ends) {
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

    /// Whether a task waits on `key`.
    pub(crate) fn has_waiters(&self, key: Key) -> bool {
        self.state.lock().has_waiters(key)
    }

    /// The running task now holds the lock `key`.
    pub(crate) fn acquired(&self, key: Key, op: Op, at: At, takers: &Takers) {
        self.state.lock().running().take(key, op, at, takers);
    }

    /// The running task has not got the lock `key`.
    pub(crate) fn not_acquired(&self, key: Key) {
        self.state.lock().running().release(key);
    }

    /// The running task has released the lock `key`; one (or every) task waiting for it may try.
    pub(crate) fn released(&self, key: Key, wake_all: bool) {
        let mut state = self.state.lock();
        if state.abandoned {
            return;
        }
        state.running().release(key);
        if wake_all {
            state.notify_all(key);
        } else {
            state.notify_one(key);
        }
    }

    /// Whether a reader lets a writer go first that waits for a lock.
    pub(crate) fn bars_readers(&self) -> bool {
        let mut state = self.state.lock();
        // A writer of a paused node does not take the lock, and nobody else would let the reader go on.
        let bars = state.paused_nodes == 0 && state.may_force() && state.chance.below(2) == 0;
        state.forced_switches += u64::from(bars);
        bars
    }

    /// The deadline of a wait on a condition variable, which may rarely end for no reason. The present
    /// moment: it has ended already, though others may go first.
    pub(crate) fn perhaps_sooner(&self, deadline: Option<Duration>) -> Option<Duration> {
        let mut state = self.state.lock();
        if !state.may_force() {
            return deadline;
        }
        let sooner = state.chance.spurious_wait().map(|wait| state.now + wait);
        match sooner.filter(|sooner| deadline.is_none_or(|deadline| *sooner < deadline)) {
            Some(sooner) => {
                state.forced_switches += 1;
                Some(sooner)
            }
            None => deadline,
        }
    }

    /// True if a weak exchange is to fail for no reason, which is rare.
    pub(crate) fn spurious_failure(&self) -> bool {
        let mut state = self.state.lock();
        let fails = state.may_force() && state.chance.spurious_failure();
        state.forced_switches += u64::from(fails);
        fails
    }

    pub(crate) fn now(&self) -> Duration {
        match self.time.load(Relaxed) {
            u64::MAX => self.state.lock().now,
            ns => Duration::from_nanos(ns),
        }
    }

    /// Nodes have clocks of their own from now on.
    pub(crate) fn clocks_differ(&self) {
        self.clocks_differ.store(true, Relaxed);
    }

    /// The clock of the running task's node, if it is not the world's.
    pub(crate) fn local_clock(&self) -> Option<ClockRate> {
        if !self.clocks_differ.load(Relaxed) {
            return None;
        }
        self.state.lock().running().node.as_ref().and_then(Node::clock_rate)
    }

    fn fire_next_timers(&self, state: &mut State) -> bool {
        let fired = state.fire_next_timers();
        self.time.store(state.now_ns, Relaxed);
        fired
    }

    /// Records something that a crate above wants in the trace. Not a switch point.
    pub(crate) fn note(&self, op: Op) {
        let mut state = self.state.lock();
        let serial = state.running().serial;
        state.mix(serial, op);
    }

    /// Starts a task.
    pub(crate) fn spawn(&self, name: Arc<str>, node: Option<Node>, body: Body, at: At) -> TaskId {
        let mut state = self.state.lock();
        let serial = state.next_serial;
        TaskId { slot: state.add_task(name, node, body, at), serial }
    }

    pub(super) fn count(&self, state: &mut State, op: Op) {
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
        state.add_task(name, None, body, at);
        self.choose(&mut state).expect("the first task is runnable")
    }

    /// What the task in `slot` is to run; taken once, when it first gets the turn.
    pub(crate) fn take_body(&self, slot: usize) -> Body {
        let mut state = self.state.lock();
        let task = state.tasks[slot].as_mut().expect("a task that gets the turn exists");
        task.body.take().expect("a task starts once")
    }

    /// The running task's number, if it is to end before it has begun.
    pub(crate) fn ended_before_start(&self) -> Option<u64> {
        let mut state = self.state.lock();
        let ends = state.must_end();
        let task = state.running();
        task.unwinding |= ends;
        ends.then_some(task.serial)
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
        state.lets_go(slot);
        state.free.push(slot);
        state.live -= 1;
        state.notify_all(Key::Exit(task.serial));
        if task.serial == 0 {
            state.begin_ending();
        }
        // Its stack can serve another task.
        let waiting = state.without_stack.pop();
        waiting.into_iter().for_each(|slot| state.may_run(slot));
        let next = self.choose(&mut state);
        drop(state);
        next
    }

    /// Hands the turn to the next task; returns when the caller has it again.
    pub(super) fn pass_turn(&self, mut state: StateGuard<'_>) {
        let me = state.current;
        let next = self.choose(&mut state);
        state.switches += 1;
        drop(state);
        if next != Some(me) {
            self.switch.to(self, me, next);
        }
    }

    /// Time has passed: ends the run if that was too long.
    fn look_at_limit(&self, state: &mut State) {
        if state.now <= state.deadline {
            return;
        }
        if state.ending {
            return self.abandon(state);
        }
        let mut report = report::time_limit(state, self.settings.time_limit);
        report.details.extend(self.shared.witnesses.lines());
        self.fail_in(state, FailureKind::TimeLimit, report);
    }

    /// Chooses the next task to run and makes it current; `None` when the world is over.
    pub(super) fn choose(&self, state: &mut State) -> Option<usize> {
        loop {
            if state.abandoned {
                return None;
            }
            if let Some(slot) = state.take_runnable() {
                state.give_turn(slot);
                return Some(slot);
            }
            if state.live == 0 {
                return None;
            }
            if self.fire_next_timers(state) {
                if !state.suspects.is_empty() {
                    self.look_at_suspects(state);
                }
                self.look_at_limit(state);
            } else if state.ending {
                self.abandon(state);
                return None;
            } else {
                let report = report::deadlock(state);
                self.fail_in(state, FailureKind::Deadlock, report);
            }
        }
    }
}
