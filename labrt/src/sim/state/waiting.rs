//! Queues of tasks that wait, and how a wait ends.

use std::collections::hash_map::Entry;

use super::State;
use crate::sim::task::{Key, Status, Woken};

impl State {
    /// Makes a blocked task runnable; it leaves the queue it waits in.
    pub(in crate::sim) fn make_ready(&mut self, slot: usize, woken: Woken) {
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
        task.notified = key.filter(|_| woken == Woken::Notified);
        self.may_run(slot);
        // A notified task has been taken out of its queue already.
        if let (Woken::TimedOut, Some(key)) = (woken, key) {
            self.leave_queue(key, slot);
        }
    }

    /// The task in `slot` waits on `key` from now on.
    pub(in crate::sim) fn join_queue(&mut self, key: Key, slot: usize) {
        let spare = &mut self.spare_queues;
        let queue = self.waiters.entry(key).or_insert_with(|| spare.pop().unwrap_or_default());
        queue.push_back(slot);
    }

    /// Whether a task waits on `key`.
    pub(in crate::sim) fn has_waiters(&self, key: Key) -> bool {
        self.waiters.contains_key(&key)
    }

    fn leave_queue(&mut self, key: Key, slot: usize) {
        if let Entry::Occupied(mut queue) = self.waiters.entry(key) {
            queue.get_mut().retain(|&waiter| waiter != slot);
            if queue.get().is_empty() {
                self.spare_queues.push(queue.remove());
            }
        }
    }

    pub(in crate::sim) fn notify_one(&mut self, key: Key) -> bool {
        let Entry::Occupied(mut queue) = self.waiters.entry(key) else { return false };
        let place = self.chance.below(queue.get().len());
        let slot = queue.get_mut().swap_remove_back(place);
        if queue.get().is_empty() {
            self.spare_queues.push(queue.remove());
        }
        self.make_ready(slot.expect("a queue in the table has a waiter"), Woken::Notified);
        true
    }

    /// A task that was notified is held back: who is not gets the notification instead, if there is one.
    pub(in crate::sim) fn pass_on(&mut self, key: Key) {
        let Some(queue) = self.waiters.get(&key) else { return };
        let free: Vec<usize> =
            queue.iter().copied().filter(|slot| !self.is_held_back(*slot)).collect();
        if free.is_empty() {
            return;
        }
        let slot = free[self.chance.below(free.len())];
        self.leave_queue(key, slot);
        self.make_ready(slot, Woken::Notified);
    }

    pub(in crate::sim) fn notify_all(&mut self, key: Key) -> usize {
        let Some(mut queue) = self.waiters.remove(&key) else { return 0 };
        let count = queue.len();
        for slot in queue.drain(..) {
            self.make_ready(slot, Woken::Notified);
        }
        self.spare_queues.push(queue);
        count
    }

    /// Wakes a task, whatever it waits for, because it is to end.
    pub(in crate::sim) fn interrupt(&mut self, slot: usize) {
        self.make_ready(slot, Woken::TimedOut);
    }
}
