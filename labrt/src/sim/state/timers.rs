//! Time: the timers of waits, and the moments from which on draws are others.

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::time::Duration;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use super::{EPOCH, State, nanos};
use crate::changes::Changes;
use crate::sim::task::{Queued, Woken};

/// What a world's own draws are called when they become others; streams are called by their seeds.
const SCHEDULER: u64 = 0;
const ORDER: u64 = 1;

/// When the change behind so many others is due; never if there is none.
pub(super) fn moment_of_change(changes: Option<&Changes>, done: usize) -> Duration {
    let at = changes.and_then(|changes| changes.due(done));
    at.map_or(Duration::MAX, |at| EPOCH.saturating_add(at))
}

/// An entry of the heap: at `at` it is time to look at the timer of the task in `slot`, if `id` is still
/// the task's entry. That timer is due then or later: most waits end before their deadlines and are
/// followed by one with a later deadline, for which the entry of the first one serves.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timer {
    at: Duration,
    id: u64,
    slot: usize,
}

impl State {
    pub(in crate::sim) fn set_timer(&mut self, slot: usize, at: Duration) {
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
    pub(in crate::sim) fn next_timer_at(&mut self) -> Option<Duration> {
        self.next_timer().map(|(at, _)| at)
    }

    /// Advances time to the next timer and wakes every task whose timer is due at that moment.
    pub(in crate::sim) fn fire_next_timers(&mut self) -> bool {
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
        let Some(changes) = &self.changes else { return };
        while self.now >= self.next_change {
            changes.make(self.changed);
            self.changed += 1;
            self.next_change = moment_of_change(Some(changes), self.changed);
        }
        self.chance.reseed(changes.seed(SCHEDULER));
        if let Some(order) = &mut self.order {
            order.reseed(Xoshiro256PlusPlus::seed_from_u64(changes.seed(ORDER)));
        }
    }
}
