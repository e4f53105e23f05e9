//! What is said of messages.

use std::iter;

use run_record::trace::{Event, Leg, Loss, What};
use serde_json::Value;

use super::line::{Line, Teller};
use super::message;
use super::parts::Parts;
use super::story::{call_of, receiver};
use super::text;
use super::topic::Topic;
use crate::fields::Kind;
use crate::replay::Replay;

/// A reply that comes later than this says so.
const SLOW_US: u64 = 100_000;

/// What is known of a call when one of its events happens.
struct Known<'t> {
    number: u64,
    from: Option<u32>,
    to: Option<u32>,
    method: &'t str,
    args: Option<&'t Value>,
    reply: Option<&'t Value>,
    kind: Kind,
    /// True if the event is about the reply.
    back: bool,
    sent_us: Option<u64>,
}

/// What other events of the same moment add to a line.
#[derive(Default)]
struct Along {
    events: usize,
    lost: Option<Loss>,
    delayed: Option<u64>,
    late: Option<u64>,
}

/// In one word, why a message was lost.
fn why(loss: Loss) -> &'static str {
    match loss {
        Loss::Dropped => "lost",
        Loss::Disconnected => "cut",
        Loss::NoServer => "down",
        Loss::Gone => "gone",
        Loss::Unanswered => "unanswered",
        Loss::Ended => "the end",
        Loss::NoWayBack => "no way back",
    }
}

impl<'t> Known<'t> {
    fn new(replay: &Replay<'t>, event: &'t Event, number: u64) -> Known<'t> {
        let call = replay.call(number);
        let back = match &event.what {
            What::Lost { leg, .. } => *leg == Leg::Reply,
            What::Sent { .. } | What::Delayed { .. } | What::Delivered { .. } => false,
            What::Duplicated { .. } | What::DeliveredAgain { .. } => false,
            _ => true,
        };
        let (mut from, mut to) = (call.and_then(|c| c.from), call.map(|c| c.to));
        let (mut method, mut args) = (call.map_or("", |c| c.method), call.map(|c| c.args));
        let mut reply = call.and_then(|call| call.reply).filter(|_| back);
        match &event.what {
            What::Sent { to: whom, method: name, args: these, .. } => {
                (from, to, method, args) = (event.lane, Some(*whom), name, Some(these));
            }
            What::Replied { reply: this, .. } | What::RepliedAgain { reply: this, .. } => {
                (reply, to) = (Some(this), to.or(event.lane));
            }
            What::Delivered { .. } | What::DeliveredAgain { .. } => to = to.or(event.lane),
            What::Returned { .. } | What::Failed { .. } => from = from.or(event.lane),
            _ => {}
        }
        let kind = args.map_or(Kind::Other, |args| Kind::of(method, args));
        let sent_us = call.map(|call| call.sent_us);
        Known { number, from, to, method, args, reply, kind, back, sent_us }
    }

    /// Who sends the message that the event is about, and to whom.
    fn ends(&self) -> (Option<u32>, Option<u32>) {
        if self.back { (self.to, self.from) } else { (self.from, self.to) }
    }

    fn body(&self) -> Parts {
        match (self.args, self.reply) {
            (_, Some(reply)) => message::reply(self.method, self.args, reply),
            (Some(args), None) if !self.back => message::request(self.method, args),
            (Some(args), None) => Parts::new(message::name(self.kind, self.method, args)),
            (None, None) => Parts::new(format!("call {}", self.number)),
        }
    }

    /// The main topic first; that of heartbeats is how they are told from others.
    fn topics(&self) -> Vec<Topic> {
        let of_kind = match self.kind {
            Kind::Vote => Topic::Vote,
            Kind::Append => Topic::Append,
            Kind::Heartbeat => Topic::Heartbeat,
            Kind::Snapshot => Topic::Snapshot,
            Kind::Other => Topic::Message,
        };
        match (self.back, self.kind) {
            (false, _) => vec![of_kind],
            (true, Kind::Heartbeat) => vec![of_kind, Topic::Reply],
            (true, _) => vec![Topic::Reply, of_kind],
        }
    }

    /// How long ago the request was sent, if that is long.
    fn asked(&self, us: u64) -> Option<String> {
        let age = us.saturating_sub(self.sent_us?);
        (age >= SLOW_US).then(|| format!("asked {} ago", text::span(age)))
    }

    /// True if the message tells its receiver of a term that it is not in, or that the two do not
    /// agree.
    fn tells(&self, replay: &Replay<'_>) -> bool {
        let has = |lane: Option<u32>| replay.server(lane?)?.term;
        let (message, receiver) = match (self.reply, self.args) {
            (Some(reply), _) if message::refuses(reply) => return true,
            (Some(reply), _) => (message::term(reply), has(self.from)),
            (None, Some(args)) => (message::term(args), has(self.to)),
            (None, None) => return false,
        };
        match (message, receiver) {
            // A reply of an earlier term is old, which is the usual thing.
            (Some(message), Some(receiver)) if self.back => message > receiver,
            (Some(message), Some(receiver)) => message != receiver,
            _ => false,
        }
    }
}

/// An arrow to or from somebody.
fn arrow(arrow: &str, lane: Option<u32>, replay: &Replay<'_>) -> Parts {
    Parts::new(format!("{arrow}{}", lane.map_or("?".into(), |lane| replay.short_name(lane))))
}

impl<'t> Teller<'t> {
    /// The line of an event of a call.
    pub(super) fn message(
        &mut self,
        replay: &Replay<'t>,
        event: &'t Event,
        at: usize,
        number: u64,
    ) -> Line {
        let known = Known::new(replay, event, number);
        let along = if self.one_by_one { Along::default() } else { self.along_with(at) };
        let others = match event.what {
            What::Sent { .. } if !self.one_by_one => self.stories.same_to_others(at),
            _ => Vec::new(),
        };
        let mut receivers: Vec<u32> = known.ends().1.into_iter().collect();
        receivers.extend(others.iter().filter_map(|at| receiver(&self.trace.events[*at])));
        let call = |at: &usize| call_of(&self.trace.events[*at].what);
        let calls: Vec<u64> = iter::once(number).chain(others.iter().filter_map(call)).collect();
        let shown = others.iter().map(|at| 1 + self.stories.shows(*at).count()).sum::<usize>();
        let (column, parts, lost) = place(&known, event, &along, &receivers, replay);
        self.along.extend(others);

        let mut topics = known.topics();
        let by_net = matches!(
            event.what,
            What::Failed { .. } | What::Delayed { .. } | What::Duplicated { .. }
        );
        if lost || by_net {
            topics.insert(0, Topic::Net);
        } else if along.late.is_some() || matches!(event.what, What::Late { .. }) {
            topics.push(Topic::Net);
        }
        let quiet = match known.kind {
            Kind::Heartbeat => lost || !known.tells(replay),
            _ => matches!(event.what, What::Delayed { .. } | What::Duplicated { .. }),
        };
        let lanes = event.lane.into_iter().chain(known.from).chain(known.to).chain(receivers);
        Line {
            column: column.map(|lane| lane as usize),
            topics,
            own: None,
            parts: parts.and(message::aside(&calls)),
            states: false,
            lanes: lanes.collect(),
            call: Some(number),
            events: 1 + along.events + shown,
            quiet,
        }
    }

    /// What the events add that are shown along with this one.
    fn along_with(&self, at: usize) -> Along {
        let mut along = Along::default();
        for other in self.stories.shows(at) {
            along.events += 1;
            match &self.trace.events[other].what {
                What::Lost { why, .. } => along.lost = Some(*why),
                What::Delayed { by_us, .. } => along.delayed = Some(*by_us),
                What::Late { by_us, .. } => along.late = Some(*by_us),
                _ => {}
            }
        }
        along
    }
}

/// In whose column an event stands, what is said there, and whether the message is lost.
fn place(
    known: &Known<'_>,
    event: &Event,
    along: &Along,
    receivers: &[u32],
    replay: &Replay<'_>,
) -> (Option<u32>, Parts, bool) {
    let (sender, receiver) = known.ends();
    let lost = match &event.what {
        What::Lost { why, .. } => Some(*why),
        _ => along.lost,
    };
    let wait = |word, us: u64| format!("{word} {}", text::span(us));
    let to = everyone(receivers, replay);
    match &event.what {
        What::Delivered { .. } => {
            (event.lane.or(receiver), arrow("←", known.from, replay).and(known.body()), false)
        }
        What::DeliveredAgain { .. } => {
            let parts = arrow("←", known.from, replay).and(known.body()).with(0, "once more");
            (event.lane.or(receiver), parts, false)
        }
        What::RepliedAgain { .. } => {
            let parts = Parts::new(format!("→{to}")).and(known.body());
            (event.lane.or(sender), parts.with(0, "to the copy"), false)
        }
        What::Duplicated { by_us, .. } => {
            let parts = Parts::new(format!("→{to}")).and(known.body());
            (sender, parts.with(0, wait("and once more after", *by_us)), false)
        }
        What::Returned { .. } => {
            let parts = arrow("←", known.to, replay).and(known.body());
            (event.lane.or(receiver), parts.with_some(3, known.asked(event.us)), false)
        }
        What::Failed { .. } => {
            let parts = arrow("✗←", known.to, replay).with(0, known.kind.letters(known.method));
            let parts = parts.with(1, "no reply").with_some(5, known.asked(event.us));
            (event.lane.or(receiver), parts, false)
        }
        _ if lost.is_some() => {
            let parts = Parts::new(format!("✗→{to}")).and(known.body());
            (sender, parts.with_some(0, lost.map(|lost| why(lost).to_string())), true)
        }
        What::Delayed { by_us, .. } => {
            let parts = Parts::new(format!("→{to}")).and(known.body());
            (sender, parts.with(0, wait("delayed", *by_us)), false)
        }
        What::Late { by_us, .. } => {
            let parts = Parts::new(format!("→{to}")).and(known.body());
            (sender, parts.with(0, wait("late", *by_us)), false)
        }
        _ => {
            let parts = Parts::new(format!("→{to}")).and(known.body());
            // Each of several receivers has a delay of its own.
            let delay = along.delayed.filter(|_| receivers.len() < 2);
            let parts = parts.with_some(5, delay.map(|us| wait("delayed", us)));
            (sender, parts.with_some(1, along.late.map(|us| wait("late", us))), false)
        }
    }
}

/// The receivers of one message; `*` for all other servers.
fn everyone(receivers: &[u32], replay: &Replay<'_>) -> String {
    match receivers {
        [] => "?".into(),
        // With two servers, the number says as much.
        [_, _, ..] if receivers.len() + 1 == replay.servers().len() => "*".into(),
        _ => {
            let names = receivers.iter().map(|lane| replay.short_name(*lane));
            names.collect::<Vec<_>>().join(",")
        }
    }
}
