//! What is known of the running task and of those that wait, and what the running task is told to be. No steps.

use std::sync::Arc;
use std::time::Duration;

use super::{EPOCH, Kernel, Receives, TaskId};
use crate::node::Node;
use crate::observe::{Cause, HeldLock};
use crate::sim::report;
use crate::sync::Kinds;
use crate::thread::Identity;

impl Kernel {
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

    /// Those locks that the running task holds which tasks of several kinds have wanted.
    pub(crate) fn held_of_several(&self) -> Vec<HeldLock> {
        let mut state = self.state.lock();
        let held = state.running().held.iter().filter(|held| held.wanted_by != Kinds::One);
        held.map(|held| HeldLock {
            lock: held.number,
            taken_at: held.at.to_string(),
            by_handler: held.wanted_by == Kinds::Handler,
            harmless: held.harmless,
        })
        .collect()
    }

    /// Tasks that have waited for a lock for so long.
    pub(crate) fn waits_for_locks(&self, at_least: Duration) -> Vec<String> {
        report::waits_for_locks(&self.state.lock(), at_least)
    }

    /// Tasks of the nodes of this name that have waited for so long.
    pub(crate) fn waits_of(&self, node: &str, at_least: Duration) -> Vec<String> {
        report::waits_of(&self.state.lock(), node, at_least)
    }

    /// The running task goes on with what the task that woke it was doing.
    pub(crate) fn take_over_cause(&self) {
        let mut state = self.state.lock();
        let task = state.running();
        task.cause = task.woken_by;
    }

    /// That the running task receives from a channel.
    pub(crate) fn running_receives(&self) -> Receives {
        Receives::of(self.state.lock().running())
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

    /// Whether the running task serves somebody; returns what it was.
    pub(crate) fn set_serving(&self, serving: bool) -> bool {
        std::mem::replace(&mut self.state.lock().running().serving, serving)
    }

    /// Whether pauses of nodes do not hold the running task up; returns what it was.
    pub(crate) fn set_unpaused(&self, unpaused: bool) -> bool {
        std::mem::replace(&mut self.state.lock().running().unpaused, unpaused)
    }

    /// Gives the running task another name and node; returns what it had, and whether it is being
    /// unwound.
    pub(crate) fn take_on(&self, identity: Identity) -> (Identity, bool) {
        let mut state = self.state.lock();
        let task = state.running();
        let former = Identity {
            name: identity.name.map(|name| std::mem::replace(&mut task.name, name)),
            node: identity.node.map(|node| std::mem::replace(&mut task.node, node)),
        };
        (former, task.unwinding)
    }

    pub(crate) fn has_ended(&self, TaskId { slot, serial }: TaskId) -> bool {
        let state = self.state.lock();
        let task = state.tasks.get(slot).and_then(Option::as_ref);
        task.is_none_or(|task| task.serial != serial)
    }
}
