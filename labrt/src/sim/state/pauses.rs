//! Nodes that are paused: their tasks are ready and do not run.

use super::State;
use crate::node::Node;

impl State {
    /// The task in `slot` can have the turn, unless its node is paused.
    pub(in crate::sim) fn may_run(&mut self, slot: usize) {
        match self.is_held_back(slot) {
            true => {
                self.held_back.push(slot);
                let notified = self.tasks[slot].as_mut().and_then(|task| task.notified.take());
                notified.into_iter().for_each(|key| self.pass_on(key));
            }
            false => self.runnable.push(slot),
        }
    }

    /// True if the task in `slot` must not go on, since its node is paused.
    pub(in crate::sim) fn is_held_back(&self, slot: usize) -> bool {
        if self.paused_nodes == 0 || self.ending {
            return false;
        }
        let Some(task) = &self.tasks[slot] else { return false };
        let paused = task.node.as_ref().is_some_and(Node::is_paused);
        paused && task.held.is_empty() && !task.unpaused && !task.unwinding
    }

    /// The running task is held back from here on; it must give its turn away.
    pub(in crate::sim) fn hold_back_running(&mut self) {
        self.held_back.push(self.current);
    }

    /// One more node is paused.
    pub(in crate::sim) fn pause(&mut self) {
        self.paused_nodes += 1;
        for slot in std::mem::take(&mut self.runnable) {
            self.may_run(slot);
        }
    }

    /// One node less is paused.
    pub(in crate::sim) fn resume(&mut self) {
        self.paused_nodes -= 1;
        self.release_held_back();
    }

    pub(super) fn release_held_back(&mut self) {
        for slot in std::mem::take(&mut self.held_back) {
            self.may_run(slot);
        }
    }
}
