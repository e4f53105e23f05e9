//! A call that is under way, and the table of them.

use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::Arc;

use labrt::Node;
use labrt::time::Instant;

use crate::ends::EndId;
use crate::faults::Conditions;
use crate::name::Name;
use crate::observer::Label;
use crate::request::{Answer, CallId, Request};
use crate::server::Server;
use crate::slots::Slots;

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
    /// Who made it.
    pub(crate) at: &'static Location<'static>,
    pub(crate) conditions: Conditions,
    pub(crate) done: Done,
    pub(crate) stage: Stage,
    /// How the network's observer knows it, if there is one.
    pub(crate) label: Option<Arc<Label>>,
}

impl Call {
    /// The observer is to be told now what its handler answers: how it knows the call, if it does.
    pub(crate) fn begin_telling(&mut self) -> Option<Arc<Label>> {
        let label = self.label.clone()?;
        self.set_telling(true);
        Some(label)
    }

    /// The observer has been told.
    pub(crate) fn end_telling(&mut self) {
        self.set_telling(false);
    }

    fn set_telling(&mut self, now: bool) {
        if let Stage::Running { telling, .. } = &mut self.stage {
            *telling = now;
        }
    }
}

/// Where a call stands.
pub(crate) enum Stage {
    /// It will fail when its timer fires.
    Lost,
    /// The request is on its way.
    Requested(Request, Target),
    /// The request has reached its server. `telling`: the observer is just being told so, or what is answered.
    Running { target: Target, since: Instant, telling: bool },
    /// The reply is on its way.
    Replied(Vec<u8>),
}

/// The calls that are under way.
pub(crate) type Calls = Slots<Call>;

/// Those whose handler runs: each with its end, its target and since when.
pub(crate) fn running(calls: &Calls) -> impl Iterator<Item = (CallId, EndId, &Target, Instant)> {
    calls.iter().filter_map(|(id, call)| match &call.stage {
        Stage::Running { target, since, .. } => Some((id, call.end, target, *since)),
        _ => None,
    })
}

/// So many open calls of one place are worth a line in a report: an ordinary program has fewer.
const MANY: usize = 100;
/// As many places have a line.
const MOST_PLACES: usize = 3;

/// Where most of the calls were made, in words; nothing if they are few.
pub(crate) fn crowds(calls: &Calls) -> Vec<String> {
    let mut counts: BTreeMap<&Location<'_>, usize> = BTreeMap::new();
    for (_, call) in calls.iter() {
        *counts.entry(call.at).or_default() += 1;
    }
    let mut crowds: Vec<_> = counts.into_iter().filter(|(_, count)| *count >= MANY).collect();
    crowds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let line = |(at, count)| format!("{count} calls made at {at} are open");
    crowds.into_iter().take(MOST_PLACES).map(line).collect()
}
