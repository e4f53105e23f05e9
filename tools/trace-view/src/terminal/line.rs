//! What is said of an event, and where.

use std::collections::BTreeSet;

use run_record::trace::{Event, SpanOf, State, Trace, What};

use super::parts::Parts;
use super::shards;
use super::story::{Stories, call_of};
use super::text;
use super::topic::Topic;
use crate::grouped;
use crate::replay::{Replay, Shards};

/// A line of the view: an event, with those that are shown along with it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The server in whose column it stands; none for a line across all columns.
    pub(super) column: Option<usize>,
    /// What it is about, the main thing first.
    pub(super) topics: Vec<Topic>,
    /// The topic that a note gives itself.
    pub(super) own: Option<String>,
    pub(super) parts: Parts,
    /// True if the other columns show what their servers are.
    pub(super) states: bool,
    /// The lanes that it concerns.
    pub(super) lanes: Vec<u32>,
    /// The call whose message it is.
    pub(super) call: Option<u64>,
    /// How many events it stands for.
    pub(super) events: usize,
    /// True if it tells nothing new, and so is folded away.
    pub(super) quiet: bool,
}

/// Makes the lines of a trace, one event after the other.
pub(super) struct Teller<'t> {
    pub(super) trace: &'t Trace,
    pub(super) stories: Stories<'t>,
    /// True if each event is a line of its own.
    pub(super) one_by_one: bool,
    /// The requests that are shown along with an earlier one to another server.
    pub(super) along: BTreeSet<usize>,
}

impl<'t> Teller<'t> {
    pub(super) fn new(trace: &'t Trace, one_by_one: bool) -> Teller<'t> {
        Teller { trace, stories: Stories::new(trace), one_by_one, along: BTreeSet::new() }
    }

    /// The line of the event that the replay stands before; none if another line shows it.
    pub(super) fn line(&mut self, replay: &Replay<'t>) -> Option<Line> {
        let at = replay.position();
        let event = replay.peek()?;
        if !self.one_by_one && (self.stories.shown_by(at).is_some() || self.along.remove(&at)) {
            return None;
        }
        let line = match call_of(&event.what) {
            Some(call) => self.message(replay, event, at, call),
            None => self.other(replay, event),
        };
        Some(self.placed(line, event.lane, replay))
    }

    /// Puts a line into its server's column; what is of no server says whose it is.
    fn placed(&self, mut line: Line, lane: Option<u32>, replay: &Replay<'t>) -> Line {
        line.column = line.column.filter(|column| *column < replay.servers().len());
        if let (None, Some(lane)) = (line.column, lane)
            && replay.server(lane).is_none()
        {
            let name = self.trace.header.lanes.get(lane as usize);
            let name = name.cloned().unwrap_or_else(|| format!("lane {lane}"));
            line.parts = Parts::new(format!("{name}:")).and(line.parts);
        }
        line
    }

    fn other(&self, replay: &Replay<'t>, event: &'t Event) -> Line {
        let (topic, parts) = match &event.what {
            What::State(state) => return self.state(replay, event, state),
            What::Inferred { role, term } => {
                let vote = None;
                let state = State { role: *role, term: *term, vote, commit: None, log: None };
                return self.state(replay, event, &state);
            }
            What::Started => (Topic::Cluster, Parts::new("started")),
            What::Crashed => (Topic::Cluster, Parts::new("✗ crashed")),
            What::Connected => (Topic::Cluster, Parts::new("connected")),
            What::Disconnected => (Topic::Cluster, Parts::new("╌ cut off")),
            What::Paused => (Topic::Cluster, Parts::new("‖ paused")),
            What::Resumed => (Topic::Cluster, Parts::new("goes on")),
            What::OneWay { to, cut } => {
                let to = replay.short_name(*to);
                let words = if *cut { "╌ cut one way" } else { "reaches again" };
                (Topic::Cluster, Parts::new(format!("{words}: →{to}")))
            }
            What::Slow { to, by_us } => {
                let to = replay.short_name(*to);
                let words = match by_us {
                    0 => format!("as fast as ever to {to}"),
                    _ => format!("slow to {to}, up to {}", text::span(*by_us)),
                };
                (Topic::Cluster, Parts::new(words))
            }
            What::Clock { thousandths } => {
                (Topic::Cluster, Parts::new(format!("clock at {thousandths}/1000")))
            }
            What::Torn { kept } => {
                let rest = if *kept { "which is kept" } else { "which is lost" };
                (Topic::Save, Parts::new("✗ crashes in a save,").with(0, rest))
            }
            What::Network { reliable, long_reordering, long_delays } => {
                let words = [
                    (!reliable, "messages are delayed and lost"),
                    (*long_reordering, "many replies are late"),
                    (*long_delays, "calls to nobody take seconds to fail"),
                ];
                let words: Vec<&str> =
                    words.into_iter().filter(|(on, _)| *on).map(|w| w.1).collect();
                let words = if words.is_empty() { "reliable".into() } else { words.join(", ") };
                (Topic::Net, Parts::new(format!("network: {words}")))
            }
            What::Offered { command, index, term } => {
                let place = match (index, term) {
                    (Some(index), Some(term)) => format!("→ {index}:{term}"),
                    (Some(index), None) => format!("→ {index}"),
                    (None, _) => "refused".into(),
                };
                (Topic::Test, Parts::new(format!("offer {command}")).with(1, place))
            }
            What::Applied { index, command } => {
                (Topic::Apply, Parts::new(format!("apply {index}")).with(0, format!("= {command}")))
            }
            What::Snapshot { index, bytes } => {
                let parts = Parts::new(format!("snapshot up to {index}"));
                (Topic::Snapshot, parts.with(5, format!("{} B", grouped(*bytes))))
            }
            What::Installed { index, term, bytes } => {
                let words = match term {
                    Some(term) => format!("installs snapshot up to {index}:{term}"),
                    None => format!("begins with its snapshot up to {index}"),
                };
                (Topic::Snapshot, Parts::new(words).with(5, format!("{} B", grouped(*bytes))))
            }
            What::Saved { bytes, snapshot } => {
                let parts = Parts::new(format!("save {bytes} B"));
                let snapshot =
                    snapshot.map(|bytes| format!("and a snapshot of {} B", grouped(bytes)));
                (Topic::Save, parts.with_some(1, snapshot))
            }
            What::Shards { group, config, serves, keeps } => {
                let (group, config) = (*group, *config);
                let now = Shards { group, config, serves, keeps };
                let before = event.lane.and_then(|lane| replay.server(lane)?.shards);
                (Topic::Shard, shards::change(before, now))
            }
            What::Configured { config, owners } => {
                (Topic::Shard, shards::configuration(*config, owners))
            }
            What::Begin { of, name, .. } => (of_span(*of), Parts::new(format!("▶ {name}"))),
            What::End { span, text: came } => match replay.span(*span) {
                Some(span) => {
                    let took = text::span(event.us.saturating_sub(span.began_us));
                    let parts = Parts::new(format!("◀ {}", span.name));
                    let parts = parts.with(0, format!("→ {came}"));
                    (of_span(span.of), parts.with(1, format!("(took {took})")))
                }
                None => (Topic::Note, Parts::new(format!("◀ {came}"))),
            },
            What::Called { text, .. } => (Topic::Client, Parts::new(format!("▶ {text}"))),
            What::Answered { op, text: got } => {
                let asked = replay.operation(*op);
                let words = asked.map_or(String::new(), |asked| format!(" {}", asked.text));
                let took = asked.map(|asked| event.us.saturating_sub(asked.began_us));
                let parts = Parts::new(format!("◀{words}"));
                let parts = parts.with_some(0, (!got.is_empty()).then(|| format!("→ {got}")));
                let took = took.map(|us| format!("(took {})", text::span(us)));
                (Topic::Client, parts.with_some(1, took))
            }
            What::Note { topic, text } => (Topic::Note, Parts::new(format!("{topic}: {text}"))),
            What::LeftOut { events, until_us } => {
                let words = format!(
                    "╌ {} events are left out up to {} s: the run was too long to be kept whole",
                    grouped(*events),
                    text::moment(*until_us)
                );
                (Topic::Note, Parts::new(words))
            }
            What::Violation { verdict } => {
                let words = format!("✗ {}: {}", verdict.check, verdict.words);
                (Topic::Verdict, Parts::new(words))
            }
            _ => (Topic::Note, Parts::new("something that this program does not know")),
        };
        let own = match &event.what {
            What::Note { topic, .. } => Some(topic.clone()),
            _ => None,
        };
        let lanes = match &event.what {
            What::Violation { verdict } => verdict.servers.clone(),
            _ => event.lane.into_iter().collect(),
        };
        let across = topic == Topic::Verdict;
        Line {
            column: event.lane.filter(|_| !across).map(|lane| lane as usize),
            topics: vec![topic],
            own,
            parts,
            states: false,
            lanes,
            call: None,
            events: 1,
            quiet: self.says_nothing(replay, event),
        }
    }
}

impl Teller<'_> {
    /// Whether an event tells nothing that anybody asks for.
    fn says_nothing(&self, replay: &Replay<'_>, event: &Event) -> bool {
        match &event.what {
            // Whom a command is offered to that does not lead refuses it, over and over.
            What::Offered { index: None, .. } => true,
            // Who has nothing enters each configuration all the same.
            What::Shards { serves, keeps, .. } if serves.is_empty() && keeps.is_empty() => {
                let before = event.lane.and_then(|lane| replay.server(lane)?.shards);
                before.is_none_or(|before| before.serves.is_empty() && before.keeps.is_empty())
            }
            _ => false,
        }
    }
}

fn of_span(of: SpanOf) -> Topic {
    match of {
        SpanOf::Tester => Topic::Test,
        SpanOf::User => Topic::Note,
    }
}
