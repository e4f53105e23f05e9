//! The state of a simulated world: its tasks, who can run, who waits, and the timers.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::chance::Chance;
use super::circles::Suspect;
use super::op::Op;
use super::order::Order;
use super::task::{At, Body, Key, Task};
use crate::changes::Changes;
use crate::failure::Failure;
use crate::node::Node;
use crate::world::{Event, Settings};

mod pauses;
mod timers;
mod waiting;

use timers::{Timer, moment_of_change};

/// Simulated time when a world begins. Far from zero, so that `Instant::now() - d` works for every
/// reasonable `d`, as it does on the real clock.
pub(crate) const EPOCH: Duration = Duration::from_secs(1_000_000);

/// After so many steps in a row of one task others have their turn, also where no switches are
/// forced (any more): a task may rightly loop until another one has done something.
pub(super) const MOST_STEPS_IN_A_ROW: u32 = 10_000;

/// How much simulated time the destructors of an ending world may take.
const TEARDOWN_LIMIT: Duration = Duration::from_secs(600);

/// A moment in ns; `u64::MAX` if it is too far away.
pub(super) fn nanos(moment: Duration) -> u64 {
    u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX)
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
    changes: Option<Arc<Changes>>,
    changed: usize,
    next_change: Duration,
    /// Who chooses the next task, if it is not the walk.
    pub(super) order: Option<Box<dyn Order>>,
    /// Steps until the next forced switch point, or until it is looked whether the turn has lasted too long.
    pub(super) until_switch: u32,
    /// How many more then still lie before the next forced switch point.
    gap_left: u32,
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
        changes: Option<Arc<Changes>>,
        order: Option<Box<dyn Order>>,
        settings: &Settings,
    ) -> State {
        let mut chance = Chance::new(scheduler_seed, settings.switch_every);
        let gap = chance.gap();
        let next_change = moment_of_change(changes.as_deref(), 0);
        let mut state = State {
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
            changes,
            changed: 0,
            next_change,
            order,
            until_switch: 0,
            gap_left: 0,
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
        };
        state.set_gap(gap, MOST_STEPS_IN_A_ROW);
        state
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

    /// The task in `slot` does not say what it does next, and others go on.
    pub(super) fn lets_go(&mut self, slot: usize) {
        self.order.iter_mut().for_each(|order| order.lets_go(slot));
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
        let parent = self.tasks.get_mut(self.current).and_then(Option::as_mut);
        let cause = parent.and_then(|parent| {
            parent.started_others += 1;
            parent.cause
        });
        let task = Task::new(serial, name, node, body, at, cause);
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

    /// True if the gap between two forced switches is over; the next one begins then. A long one is looked at
    /// in between.
    pub(super) fn gap_is_over(&mut self) -> bool {
        let is_over = self.gap_left == 0;
        let gap = if is_over { self.chance.gap() } else { self.gap_left };
        self.set_gap(gap, MOST_STEPS_IN_A_ROW);
        is_over
    }

    /// The turn is looked at after so many steps, before the gap is over if need be.
    pub(super) fn look_again_after(&mut self, steps: u32) {
        // Where nothing is forced any more, no gap counts.
        let gap = if self.may_force() { self.until_switch + self.gap_left } else { steps };
        self.set_gap(gap, steps);
    }

    fn set_gap(&mut self, gap: u32, look_after: u32) {
        self.until_switch = gap.min(look_after);
        self.gap_left = gap - self.until_switch;
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
        self.running().notified = None;
    }
}
