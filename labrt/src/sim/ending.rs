//! How tasks and runs end: by a kill, a panic, a failure, or from outside.

use std::time::Duration;

use super::kernel::{At, EPOCH, Kernel, Op, StateGuard, Touch};
use super::report::{self, Stuck};
use super::state::State;
use super::task::{PanicBegun, Status, Task, Waiting};
use crate::failure::{Failure, FailureKind};
use crate::killed::{self, MOST_CAUGHT};
use crate::node::Node;

/// How long a killed task waits at a step if it cannot be told whether a panic still unwinds it.
const UNDECIDED_PAUSE: Duration = Duration::from_millis(1);

/// How long the watchdog waits for the kernel's lock, which is held for moments only.
const WATCHDOG_PATIENCE: Duration = Duration::from_secs(1);

/// The end of a task.
impl Kernel {
    /// Wakes every task of `node`, whose flag has just been set, so that it ends.
    pub(crate) fn kill_node(&self, node: &Node, at: At) {
        let mut state = self.state.lock();
        if node.set_paused(false) {
            state.resume();
        }
        for slot in 0..state.tasks.len() {
            let of_node = |task: &Task| task.node.as_ref().is_some_and(|n| n.same(node));
            if state.tasks[slot].as_ref().is_some_and(of_node) {
                state.interrupt(slot);
            }
        }
        drop(state);
        self.step(Op::Kill, Touch::Nothing, at);
    }

    /// Holds the tasks of `node` back from here on, unless it is dead.
    pub(crate) fn pause_node(&self, node: &Node, at: At) {
        self.step(Op::Pause, Touch::Nothing, at);
        let mut state = self.state.lock();
        if !node.is_killed() && node.set_paused(true) {
            state.pause();
        }
    }

    /// Lets the tasks of `node` go on.
    pub(crate) fn resume_node(&self, node: &Node, at: At) {
        self.step(Op::Resume, Touch::Nothing, at);
        let mut state = self.state.lock();
        if node.set_paused(false) {
            state.resume();
        }
    }

    /// Ends the running task if it has been killed, by unwinding it.
    pub(super) fn end_if_killed<'s>(&'s self, mut state: StateGuard<'s>) -> StateGuard<'s> {
        if !state.may_have_to_end() {
            return state;
        }
        self.end_or_go_on(state)
    }

    /// As [`end_if_killed`](Kernel::end_if_killed), but nobody else goes first.
    pub(super) fn end_if_killed_at_once<'s>(&'s self, mut state: StateGuard<'s>) -> StateGuard<'s> {
        match state.may_have_to_end() && !state.may_have_caught_its_panic() {
            true => self.end_or_go_on(state),
            false => state,
        }
    }

    #[cold]
    fn end_or_go_on<'s>(&'s self, mut state: StateGuard<'s>) -> StateGuard<'s> {
        if state.abandoned {
            let me = state.current;
            drop(state);
            self.switch.to(self, me, None);
            unreachable!("an abandoned world's task never gets the turn again");
        }
        if state.may_have_caught_its_panic() {
            state = self.wait_for_others_to_unwind(state);
        }
        if state.must_end() {
            let task = state.running();
            task.unwinding = true;
            let serial = task.serial;
            drop(state);
            killed::raise(Some(serial));
        }
        state
    }

    /// A task that may or may not be unwinding is neither ended nor left to itself: it gets on slowly
    /// until that can be told.
    fn wait_for_others_to_unwind<'s>(&'s self, mut state: StateGuard<'s>) -> StateGuard<'s> {
        let slot = state.current;
        state.lets_go(slot);
        let (at, since) = (state.running().last, state.now);
        state.set_timer(slot, since + UNDECIDED_PAUSE);
        let waiting = Waiting::new("other tasks to be unwound", "", at);
        state.running().status = Status::Blocked { key: None, waiting, since };
        self.pass_turn(state);
        self.state.lock()
    }

    /// What ended this task by unwinding has been caught: it goes on.
    pub(crate) fn caught_kill(&self, serial: u64) {
        let mut state = self.state.lock();
        let current = state.current;
        let task = state.tasks.get_mut(current).and_then(Option::as_mut);
        let Some(task) = task.filter(|task| task.serial == serial) else { return };
        task.unwound();
        task.caught_kills += 1;
        let caught = task.caught_kills;
        if caught == MOST_CAUGHT {
            let report = report::catches_its_end(task);
            self.fail_in(&mut state, FailureKind::Spinning, report);
        } else if caught > 2 * MOST_CAUGHT && state.ending {
            // Nor does it end with its world.
            self.abandon(&mut state);
        }
    }
}

/// Panics.
impl Kernel {
    /// A panic begins in the running task (called from the panic hook). False if the kernel's own
    /// lock is held, that is, if the kernel itself panicked.
    pub(crate) fn panic_begins(&self, words: String, at: Option<String>) -> bool {
        let Some(mut state) = self.state.try_lock() else { return false };
        let current = state.current;
        if state.tasks.get(current).is_none_or(Option::is_none) {
            return false;
        }
        // Now, since unwinding releases the task's own locks.
        let waits = report::long_waits(&state);
        let task = state.running();
        let title = report::title(task);
        task.unwinding = true;
        task.panics.push(PanicBegun { words, at, title, waits });
        true
    }

    /// A guest of the running task has panicked (see [`crate::thread::Builder::run_here`]), which was
    /// being unwound before, or not.
    pub(crate) fn guest_panicked(&self, words: String, host_unwinds: bool) {
        let mut state = self.state.lock();
        let report = report::panicked(state.running(), words);
        state.running().unwinding = host_unwinds;
        self.fail_in(&mut state, FailureKind::Panic, report);
    }

    /// The failure to show before the process ends, since a destructor panicked while the running
    /// task was being unwound (called from the panic hook).
    pub(crate) fn last_words(&self) -> Option<Failure> {
        let mut state = self.state.try_lock()?;
        let current = state.current;
        state.tasks.get(current)?.as_ref()?;
        let report = report::panic_in_destructor(state.running());
        let failure = match state.failure.take() {
            Some(failure) => failure,
            None => self.failure(&state, FailureKind::Panic, report.first),
        };
        Some(Failure { details: [failure.details, report.then].concat(), ..failure })
    }

    /// Says that the running task has overflowed its stack. Called from a signal handler: it neither
    /// allocates nor waits.
    #[cfg(unix)] // elsewhere no handler is set up
    pub(super) fn say_overflow(&self, out: &mut impl std::fmt::Write) -> std::fmt::Result {
        write!(out, "stack overflow in a simulated run of seed {}: ", self.shared.seed)?;
        let state = self.state.try_lock();
        let task = state.as_ref().and_then(|state| state.tasks.get(state.current)?.as_ref());
        match task {
            Some(task) => {
                write!(out, "task `{}`", task.name)?;
                if let Some(node) = &task.node {
                    write!(out, " of {}", node.name())?;
                }
                write!(out, ", started at {}, last seen at {}", task.started, task.last)?;
            }
            None => out.write_str("a task inside labrt")?,
        }
        write!(
            out,
            ". Its stack has {} bytes (labrt::world::Builder::stack_size sets it); does it call \
             itself without end?",
            self.settings.stack_size
        )?;
        match &*self.settings.replay {
            "" => Ok(()),
            replay => write!(out, "\n    replay: {replay}"),
        }
    }
}

/// The end of a run.
impl Kernel {
    pub(super) fn fail_in(&self, state: &mut State, kind: FailureKind, report: report::Report) {
        if state.failure.is_none() {
            state.failure = Some(self.failure(state, kind, report));
        }
        state.begin_ending();
    }

    pub(super) fn failure(
        &self,
        state: &State,
        kind: FailureKind,
        report: report::Report,
    ) -> Failure {
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

    /// There is no memory for the stack of the task in `slot`, which has the turn: the run fails, and
    /// the task waits for the end of another one. Returns who has the turn instead.
    pub(crate) fn no_stack(&self, slot: usize, error: &std::io::Error) -> Option<usize> {
        let mut state = self.state.lock();
        if state.failure.is_none() {
            let mut report = report::no_stack(&state, self.settings.stack_size, error);
            report.details.extend(self.shared.witnesses.lines());
            self.fail_in(&mut state, FailureKind::NoMemory, report);
        }
        state.without_stack.push(slot);
        self.choose(&mut state)
    }

    /// There is no thread for the world.
    pub(super) fn fail_to_begin(&self, error: &std::io::Error) -> Failure {
        let report = report::no_thread(error);
        self.failure(&self.state.lock(), FailureKind::NoMemory, report)
    }

    /// Ends the run as failed from outside the world (the watchdog). The running task goes no further
    /// than to its next step, and the others stay where they are.
    pub(super) fn fail_stuck(&self, how: Stuck) -> Failure {
        let after = self.settings.stuck_after;
        let Some(mut state) = self.state.try_lock_for(WATCHDOG_PATIENCE) else {
            return Failure {
                kind: FailureKind::Stuck,
                seed: Some(self.shared.seed),
                time: Duration::ZERO,
                task: None,
                message: format!("no step for {} s of wall time", after.as_secs_f64()),
                location: None,
                details: vec!["the scheduler itself is locked, which is a mistake in labrt".into()],
                forced_switches: 0,
            };
        };
        let report = report::stuck(&state, how, after);
        let failure = self.failure(&state, FailureKind::Stuck, report);
        state.failure.get_or_insert_with(|| failure.clone());
        state.abandoned = true;
        failure
    }

    /// The destructors of an ending world do not come to an end: what is left is leaked.
    pub(super) fn abandon(&self, state: &mut State) {
        if state.failure.is_none() {
            let report = report::teardown(state);
            state.failure = Some(self.failure(state, FailureKind::Teardown, report));
        }
        state.abandoned = true;
    }

    /// Leaks the tasks of an abandoned world: their destructors would wait for what never comes.
    pub(crate) fn leak_tasks(&self) {
        let mut state = self.state.lock();
        if state.abandoned {
            std::mem::forget(std::mem::take(&mut state.tasks));
        }
    }
}
