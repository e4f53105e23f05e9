//! A call that is under way, and the table of them.

use std::sync::Arc;

use labrt::Node;
use labrt::time::Instant;

use crate::ends::EndId;
use crate::faults::Conditions;
use crate::name::Name;
use crate::observer::Label;
use crate::request::{Answer, CallId, Request};
use crate::server::Server;

/// How the caller hears of the end of its call.
pub(crate) enum Done {
    /// By a message. It may be sent on any task, since no code of the caller's runs.
    Message(Box<dyn FnOnce(Answer) + Send>),
    /// By a function of the caller's, which gets a task of its own in the caller's node.
    Function(Box<dyn FnOnce(Answer) + Send>, Option<Node>),
}

/// The server object that a call goes to, found when the call was made.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) name: Name,
    pub(crate) server: Server,
}

/// A call that is under way.
pub(crate) struct Call {
    pub(crate) end: EndId,
    pub(crate) conditions: Conditions,
    pub(crate) done: Done,
    pub(crate) stage: Stage,
    /// How the network's observer knows it, if there is one.
    pub(crate) label: Option<Arc<Label>>,
}

/// Where a call stands.
pub(crate) enum Stage {
    /// It will fail when its timer fires.
    Lost,
    /// The request is on its way.
    Requested(Request, Target),
    /// The handler has been started.
    Running { target: Target, since: Instant },
    /// The reply is on its way.
    Replied(Vec<u8>),
}

/// The calls that are under way.
#[derive(Default)]
pub(crate) struct Calls {
    slots: Vec<Option<(u64, Call)>>,
    free: Vec<usize>,
    next_serial: u64,
}

impl Calls {
    pub(crate) fn insert(&mut self, call: Call) -> CallId {
        let serial = self.next_serial;
        self.next_serial += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some((serial, call));
        CallId { slot, serial }
    }

    /// The call, unless it is over.
    pub(crate) fn get_mut(&mut self, id: CallId) -> Option<&mut Call> {
        match self.slots.get_mut(id.slot) {
            Some(Some((serial, call))) if *serial == id.serial => Some(call),
            _ => None,
        }
    }

    pub(crate) fn remove(&mut self, id: CallId) -> Option<Call> {
        self.get_mut(id)?;
        self.free.push(id.slot);
        self.slots[id.slot].take().map(|(_, call)| call)
    }

    /// Removes all calls.
    pub(crate) fn take_all(&mut self) -> Vec<Call> {
        self.free.clear();
        std::mem::take(&mut self.slots).into_iter().flatten().map(|(_, call)| call).collect()
    }

    /// The calls whose handler runs.
    pub(crate) fn running(&self) -> impl Iterator<Item = (CallId, EndId, &Target, Instant)> {
        let all = self.slots.iter().enumerate();
        all.filter_map(|(slot, entry)| match entry {
            Some((serial, Call { end, stage: Stage::Running { target, since }, .. })) => {
                Some((CallId { slot, serial: *serial }, *end, target, *since))
            }
            _ => None,
        })
    }
}
