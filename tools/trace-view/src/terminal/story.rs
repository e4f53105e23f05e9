//! Which events belong to the same call, and which of them share a line.
//!
//! What a message does at one moment is one line. A message that arrives at the moment it was sent is
//! shown by its arrival alone, in the column of its receiver and with its sender's number; one that
//! takes time is shown twice, and one that is lost at once by its sending, with the reason. The same
//! request to several servers is one line if it takes time to all of them. A state that is saved at
//! once says so itself.

use std::collections::{BTreeMap, BTreeSet};

use run_record::Clock;
use run_record::trace::{Event, Leg, Trace, What};

/// As many events are looked through for what is sent to others along with a request, since any
/// number of them may happen at one moment.
const NEAR: usize = 256;

/// Where the events of a call stand in the trace.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Story {
    pub(super) sent: Option<usize>,
    pub(super) delayed: Option<usize>,
    pub(super) delivered: Option<usize>,
    pub(super) lost: Option<(usize, Leg)>,
    pub(super) replied: Option<usize>,
    pub(super) late: Option<usize>,
    pub(super) returned: Option<usize>,
    pub(super) failed: Option<usize>,
}

/// The stories of all calls, by number.
pub(super) struct Stories<'t> {
    events: &'t [Event],
    calls: BTreeMap<u64, Story>,
    /// How far apart two events of one moment may be.
    moment_us: u64,
}

/// The call that an event belongs to.
pub(super) fn call_of(what: &What) -> Option<u64> {
    match what {
        What::Sent { call, .. }
        | What::Delayed { call, .. }
        | What::Lost { call, .. }
        | What::Delivered { call }
        | What::Replied { call, .. }
        | What::Late { call, .. }
        | What::Duplicated { call, .. }
        | What::DeliveredAgain { call }
        | What::RepliedAgain { call, .. }
        | What::Returned { call }
        | What::Failed { call } => Some(*call),
        _ => None,
    }
}

/// Whom a request goes to.
pub(super) fn receiver(event: &Event) -> Option<u32> {
    match &event.what {
        What::Sent { to, .. } => Some(*to),
        _ => None,
    }
}

/// How many microseconds what happens at once may take. On the real clock even what takes no time takes some.
pub(super) fn moment_us(trace: &Trace) -> u64 {
    if trace.header.clock == Clock::Real { 1000 } else { 0 }
}

impl<'t> Stories<'t> {
    pub(super) fn new(trace: &'t Trace) -> Stories<'t> {
        let mut calls: BTreeMap<u64, Story> = BTreeMap::new();
        for (at, event) in trace.events.iter().enumerate() {
            let Some(call) = call_of(&event.what) else { continue };
            let story = calls.entry(call).or_default();
            match &event.what {
                What::Sent { .. } => story.sent = Some(at),
                What::Delayed { .. } => story.delayed = Some(at),
                What::Lost { leg, .. } => story.lost = Some((at, *leg)),
                What::Delivered { .. } => story.delivered = Some(at),
                What::Replied { .. } => story.replied = Some(at),
                What::Late { .. } => story.late = Some(at),
                What::Returned { .. } => story.returned = Some(at),
                What::Duplicated { .. } | What::DeliveredAgain { .. } => {}
                What::RepliedAgain { .. } => {}
                _ => story.failed = Some(at),
            }
        }
        Stories { events: &trace.events, calls, moment_us: moment_us(trace) }
    }

    /// The first and the last call's number.
    pub(super) fn range(&self) -> Option<(u64, u64)> {
        Some((*self.calls.first_key_value()?.0, *self.calls.last_key_value()?.0))
    }

    pub(super) fn of(&self, call: u64) -> Story {
        self.calls.get(&call).copied().unwrap_or_default()
    }

    /// The event that shows this one along with itself, if any.
    pub(super) fn shown_by(&self, at: usize) -> Option<usize> {
        let what = &self.events.get(at)?.what;
        if let What::Saved { .. } = what {
            return self.saved_by(at);
        }
        let story = self.of(call_of(what)?);
        let then = |other: Option<usize>| other.filter(|other| self.same_moment(at, *other));
        let after = |other: Option<usize>| then(other).filter(|other| *other > at);
        let before = |other: Option<usize>| then(other).filter(|other| *other < at);
        match what {
            What::Sent { .. } => after(story.delivered),
            What::Replied { .. } => after(story.returned),
            What::Delayed { .. } => before(story.sent).filter(|_| then(story.delivered).is_none()),
            What::Lost { leg: Leg::Request, .. } => before(story.sent),
            What::Lost { leg: Leg::Reply, .. } | What::Late { .. } => before(story.replied),
            _ => None,
        }
    }

    /// The state that is saved: the one before, or the one after.
    fn saved_by(&self, at: usize) -> Option<usize> {
        let event = self.events.get(at)?;
        let mut neighbours = [at.checked_sub(1), at.checked_add(1)].into_iter().flatten();
        neighbours.find(|other| {
            self.events.get(*other).is_some_and(|state| {
                let same = state.lane == event.lane && self.same_moment(at, *other);
                same && matches!(state.what, What::State(_))
            })
        })
    }

    /// The events that this one shows along with itself.
    pub(super) fn shows(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        let story = self.events.get(at).and_then(|event| call_of(&event.what));
        let others = match story.map(|call| self.of(call)) {
            Some(story) => {
                let lost = story.lost.map(|(at, _)| at);
                [story.sent, story.delayed, lost, story.replied, story.late]
            }
            None => [at.checked_sub(1), at.checked_add(1), None, None, None],
        };
        others.into_iter().flatten().filter(move |other| self.shown_by(*other) == Some(at))
    }

    /// What else the sender of this request sends to others at this moment in the same words and
    /// with the same fate.
    pub(super) fn same_to_others(&self, at: usize) -> Vec<usize> {
        let Some(event) = self.events.get(at) else { return Vec::new() };
        let fate = |at: usize| {
            let lost = self.shows(at).find_map(|other| match &self.events[other].what {
                What::Lost { why, .. } => Some(*why),
                _ => None,
            });
            (self.shown_by(at), lost)
        };
        let alike = |other: &usize| {
            let other_event = &self.events[*other];
            match (&event.what, &other_event.what) {
                (
                    What::Sent { method, args, .. },
                    What::Sent { method: other_method, args: other_args, .. },
                ) => {
                    (event.lane, method, args) == (other_event.lane, other_method, other_args)
                        && fate(at) == fate(*other)
                }
                _ => false,
            }
        };
        let mut receivers = BTreeSet::from([receiver(event)]);
        let moment = (at + 1..self.events.len()).take_while(|other| self.same_moment(at, *other));
        let moment = moment.take(NEAR);
        // What goes to the same server again is not the same message.
        moment.filter(alike).take_while(|o| receivers.insert(receiver(&self.events[*o]))).collect()
    }

    fn same_moment(&self, one: usize, other: usize) -> bool {
        self.events[one].us.abs_diff(self.events[other].us) <= self.moment_us
    }

    /// The event that led to this one: what the trace says or, within a call, what came before.
    pub(super) fn cause(&self, at: usize) -> Option<usize> {
        let event = self.events.get(at)?;
        let said = event.cause.filter(|cause| *cause < event.n).and_then(|n| self.find(n));
        let story = call_of(&event.what).map(|call| self.of(call)).unwrap_or_default();
        let within = match &event.what {
            What::Delivered { .. } | What::Delayed { .. } => story.sent,
            What::Lost { leg: Leg::Request, .. } => story.sent,
            What::Lost { leg: Leg::Reply, .. } => story.replied.or(story.delivered),
            What::Replied { .. } => story.delivered,
            What::Late { .. } | What::Returned { .. } => story.replied,
            What::Failed { .. } => story.lost.map(|(at, _)| at).or(story.sent),
            _ => None,
        };
        // Causes come before what they cause, whatever a trace says: so each chain has an end.
        said.filter(|said| *said < at).or(within.filter(|within| *within < at))
    }

    /// Where the event with this number stands.
    pub(super) fn find(&self, n: u64) -> Option<usize> {
        match self.events.binary_search_by_key(&n, |event| event.n) {
            Ok(at) => Some(at),
            // The numbers may not be in order.
            Err(_) => self.events.iter().position(|event| event.n == n),
        }
    }
}
