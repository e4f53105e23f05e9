//! A counterexample as a trace, for `cargo xtask trace` and for the page.

use labgob::View;
use raft::Place;
use raft::rules::{Core, Role};
use run_record::Clock;
use run_record::trace::{
    Event as Noted, Footer, Header, Leg, LogBase, LogChange, LogEntry, Loss, Role as NotedRole,
    State, Trace, VERSION, Verdict, What,
};
use serde_json::Value;

use crate::counterexample::{Counterexample, Told};
use crate::event::{Event, command};
use crate::message::{Message, Payload, text};
use crate::server::Server;

/// How much time is shown to pass with each step, in microseconds. A model has no clock.
const STEP_US: u64 = 10_000;
/// The same between the parts of a step.
const PART_US: u64 = 100;

impl Counterexample {
    /// The trace of it. `name` is what the trace is called, and `replay` the command that makes it again.
    pub fn trace(&self, name: &str, replay: &str) -> Trace {
        let lanes = (0..self.servers.len()).map(|server| format!("server {server}"));
        let header = Header {
            trace: VERSION,
            test: name.into(),
            title: "model check".into(),
            part: "model".into(),
            package: env!("CARGO_PKG_NAME").into(),
            clock: Clock::Sim,
            seed: None,
            setting: None,
            replay: replay.into(),
            lanes: lanes.collect(),
            servers: self.servers.len() as u32,
        };
        let mut scribe = Scribe::new(&self.servers);
        self.steps.iter().for_each(|step| scribe.step(step));
        let us = scribe.us;
        let verdict = Verdict {
            check: self.violation.property.name().into(),
            words: self.violation.to_string(),
            us,
            servers: self.steps.last().map(|step| step.server as u32).into_iter().collect(),
            ..Verdict::default()
        };
        let lane = self.steps.last().map(|step| step.server);
        scribe.note(lane, What::Violation { verdict: verdict.clone() });
        let events = scribe.events.len() as u64;
        let footer = Footer { end_us: us, events, verdict: Some(verdict) };
        Trace { header, events: scribe.events, footer: Some(footer) }
    }
}

/// What a message under way is, to a trace.
#[derive(Clone, Copy, Debug)]
struct Way {
    call: u64,
    /// The event that has sent it.
    sent: u64,
    /// It has arrived before.
    arrived: bool,
}

/// Writes events down.
struct Scribe {
    us: u64,
    events: Vec<Noted>,
    servers: Vec<Server>,
    /// By the numbers of messages, from 1 on.
    ways: Vec<Way>,
    calls: u64,
    /// The event that all others of a step are because of.
    cause: Option<u64>,
}

impl Scribe {
    fn new(servers: &[Server]) -> Scribe {
        let servers = servers.to_vec();
        let mut scribe =
            Scribe { us: 0, events: Vec::new(), servers, ways: Vec::new(), calls: 0, cause: None };
        for server in 0..scribe.servers.len() {
            scribe.note(Some(server), What::Started);
            scribe.note(Some(server), What::Connected);
            scribe.tell_state(server, None);
        }
        scribe
    }

    fn note(&mut self, lane: Option<usize>, what: What) -> u64 {
        let n = self.events.len() as u64 + 1;
        let (us, lane) = (self.us, lane.map(|server| server as u32));
        self.events.push(Noted { n, us, lane, task: "raft".into(), cause: self.cause, what });
        self.us += PART_US;
        n
    }

    fn step(&mut self, step: &Told) {
        self.us = self.us / STEP_US * STEP_US + STEP_US;
        self.cause = None;
        let me = step.server;
        match (&step.event, step.message) {
            (Event::Deliver(message), Some(number)) => self.arrive(message, number),
            (Event::Fail(message), Some(number)) => self.fail(message, self.ways[number - 1]),
            (event, _) => self.happen(me, event),
        }
        if let Some(after) = &step.after {
            self.become_(me, after.clone());
        }
        let request = step.message.map(|number| self.ways[number - 1].call);
        for (number, message) in &step.sent {
            self.send(message, *number, request);
        }
        if step.cut_short {
            self.note(Some(me), What::Crashed);
        }
    }

    fn arrive(&mut self, message: &Message, number: usize) {
        let Way { sent, arrived, .. } = self.ways[number - 1];
        self.cause = Some(sent);
        let is_reply = message.payload.is_reply();
        if arrived {
            let text = format!("the network delivers this once more: {message}");
            self.note(Some(message.to), What::Note { topic: "net".into(), text });
            if !is_reply {
                // A call of its own, since it is answered once more.
                self.send(message, number, None);
            }
        }
        let call = self.ways[number - 1].call;
        let what = match (is_reply, arrived) {
            (true, true) => return,
            (true, false) => What::Returned { call },
            (false, _) => What::Delivered { call },
        };
        self.cause = Some(self.note(Some(message.to), what));
        self.ways[number - 1].arrived = true;
    }

    fn fail(&mut self, message: &Message, way: Way) {
        let Way { call, .. } = way;
        let leg = if message.payload.is_reply() { Leg::Reply } else { Leg::Request };
        self.note(Some(message.from), What::Lost { call, leg, why: Loss::Dropped, fails_us: 0 });
        self.cause = Some(self.note(Some(message.caller()), What::Failed { call }));
    }

    fn happen(&mut self, me: usize, event: &Event) {
        let note = |text: &str| What::Note { topic: "timer".into(), text: text.into() };
        let what = match event {
            Event::Timeout => note("no leader heard of: an election begins"),
            Event::Heartbeat => note("it is time for heartbeats"),
            Event::Propose(number) => {
                let log = self.servers[me].log();
                let (index, term) =
                    (Some(log.last_index() + 1), Some(self.servers[me].hard().term));
                What::Offered { command: text(&command(*number)), index, term }
            }
            Event::Snapshot(index) => What::Snapshot { index: *index, bytes: *index },
            Event::Crash => What::Crashed,
            Event::Restart => What::Started,
            Event::Deliver(_) | Event::Fail(_) => unreachable!("told by itself"),
        };
        self.cause = Some(self.note(Some(me), what));
        if matches!(event, Event::Restart) {
            self.note(Some(me), What::Connected);
        }
    }

    /// A server says what it is now, and what it applies.
    fn become_(&mut self, me: usize, after: Server) {
        let before = std::mem::replace(&mut self.servers[me], after);
        let (was, is) = (before.core.as_ref(), self.servers[me].core.clone());
        let Some(is) = is else { return };
        self.tell_state(me, was);
        let committed = was.map_or(is.log().base().index, Core::commit_index);
        let Place { index: base, term } = is.log().base();
        if was.is_none() || base > committed {
            let installed = What::Installed {
                index: base,
                term: was.map(|_| term),
                bytes: is.snapshot().len() as u64,
            };
            if base > 0 {
                self.note(Some(me), installed);
            }
        }
        for index in committed.max(base) + 1..=is.commit_index() {
            let command = is.log().get(index).map_or_else(String::new, |e| text(&e.command));
            self.note(Some(me), What::Applied { index, command });
        }
    }

    fn tell_state(&mut self, me: usize, was: Option<&Core>) {
        let Some(core) = &self.servers[me].core else { return };
        let state = What::State(State {
            role: match core.role() {
                Role::Follower => NotedRole::Follower,
                Role::Candidate { .. } => NotedRole::Candidate,
                Role::Leader { .. } => NotedRole::Leader,
            },
            term: core.term(),
            vote: core.hard_state().voted_for.map(|vote| vote as u32),
            commit: Some(core.commit_index()),
            log: Some(change(was, core)),
        });
        self.note(Some(me), state);
    }

    /// `request` is the call that this answers, if it answers one.
    fn send(&mut self, message: &Message, number: usize, request: Option<u64>) {
        let lane = Some(message.from);
        let (call, sent) = if message.payload.is_reply() {
            let call = request.expect("only a request is answered");
            let replied = What::Replied { call, reply: fields(&message.payload), bytes: 0 };
            (call, self.note(lane, replied))
        } else {
            self.calls += 1;
            let sent = What::Sent {
                call: self.calls,
                to: message.to as u32,
                method: method(&message.payload).into(),
                args: fields(&message.payload),
                bytes: 0,
            };
            (self.calls, self.note(lane, sent))
        };
        let way = Way { call, sent, arrived: false };
        // Numbers are given in the order in which messages are sent; an old one is sent once more.
        match self.ways.get_mut(number - 1) {
            Some(old) => *old = way,
            None => self.ways.push(way),
        }
    }
}

/// How a server's log has changed.
fn change(was: Option<&Core>, is: &Core) -> LogChange {
    let log = is.log();
    let same = |index: &u64| was.is_some_and(|was| was.log().get(*index) == log.get(*index));
    let from = (log.first_index()..=log.last_index()).find(|index| !same(index));
    let from = from.unwrap_or(log.last_index() + 1);
    let entries = log
        .from(from)
        .iter()
        .map(|entry| LogEntry { term: entry.term, command: text(&entry.command) });
    let Place { index, term } = log.base();
    let moved = was.is_none_or(|was| was.log().base() != log.base());
    let base = (index > 0 && moved).then_some(LogBase { index, term });
    LogChange { from, entries: entries.collect(), base }
}

fn method(payload: &Payload) -> &'static str {
    match payload {
        Payload::Vote(_) | Payload::Voted { .. } => "Raft.RequestVote",
        Payload::Append(..) | Payload::Appended(..) => "Raft.AppendEntries",
        Payload::Install(..) | Payload::Installed(..) => "Raft.InstallSnapshot",
    }
}

/// A message, field by field, as the tester would write it down.
fn fields(payload: &Payload) -> Value {
    let view = match payload {
        Payload::Vote(args) => View::of(args),
        Payload::Voted { reply, .. } => View::of(reply),
        Payload::Append(args, _) => View::of(args),
        Payload::Appended(_, reply) => View::of(reply),
        Payload::Install(args, _) => View::of(args),
        Payload::Installed(_, reply) => View::of(reply),
    };
    serde_json::to_value(view).expect("a view is a tree of names and values")
}
