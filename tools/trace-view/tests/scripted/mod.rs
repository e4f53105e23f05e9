//! A little cluster that does as a script says, and leaves a trace as a real run does.
//!
//! It has no timers: the script says who campaigns and when leaders send. What follows from that
//! goes by the rules, unless the script has a server forget them.
#![allow(dead_code, unused_imports, reason = "each test program uses a part of it")]

mod runs;
mod servers;

use std::collections::BTreeMap;

use run_record::Clock;
use run_record::trace::{
    Event, Fact, Footer, Header, LogEntry, Role, SpanOf, Trace, VERSION, Verdict, What,
};
pub(crate) use runs::{long, small, snapshots};
use serde_json::Value;

/// What a server of the script has.
#[derive(Clone)]
struct Server {
    up: bool,
    connected: bool,
    role: Role,
    term: u64,
    vote: Option<u32>,
    commit: u64,
    applied: u64,
    log: Vec<LogEntry>,
    votes: usize,
    matches: Vec<usize>,
}

enum Due {
    Deliver(u64),
    Return(u64),
    Fail(u64),
}

struct Call {
    from: usize,
    to: usize,
    args: Value,
    vote: bool,
    reply: Value,
    replied: u64,
}

/// A script in the making.
pub(crate) struct Script {
    header: Header,
    events: Vec<Event>,
    servers: Vec<Server>,
    calls: BTreeMap<u64, Call>,
    due: BTreeMap<(u64, u64), Due>,
    now: u64,
    random: u64,
    spans: u64,
    /// Whether messages take time and get lost.
    pub(crate) unreliable: bool,
    /// Whether many replies are late.
    pub(crate) reordering: bool,
    /// Whether servers tell what they are, or it must be inferred.
    pub(crate) reports: bool,
    /// A server that grants every vote.
    pub(crate) forgetful: Option<usize>,
}

impl Script {
    pub(crate) fn new(servers: usize) -> Script {
        let header = Header {
            trace: VERSION,
            test: "figure_8_2C".into(),
            title: "Figure 8".into(),
            part: "2C".into(),
            package: "raft-tests".into(),
            clock: Clock::Sim,
            seed: Some(7),
            setting: None,
            replay: "LAB_SEED=7 cargo test -p raft-tests --test sim -- --exact figure_8_2C".into(),
            lanes: (0..servers).map(|server| format!("server {server}")).collect(),
            servers: servers as u32,
        };
        let server = Server {
            up: false,
            connected: false,
            role: Role::Follower,
            term: 0,
            vote: None,
            commit: 0,
            applied: 0,
            log: Vec::new(),
            votes: 0,
            matches: vec![0; servers],
        };
        Script {
            header,
            events: Vec::new(),
            servers: vec![server; servers],
            calls: BTreeMap::new(),
            due: BTreeMap::new(),
            now: 0,
            random: 1,
            spans: 0,
            unreliable: false,
            reordering: false,
            reports: true,
            forgetful: None,
        }
    }

    /// Starts and connects all servers.
    pub(crate) fn begin(mut self) -> Script {
        self.event(
            None,
            What::Network {
                reliable: !self.unreliable,
                long_reordering: self.reordering,
                long_delays: true,
            },
        );
        (0..self.servers.len()).for_each(|server| self.start(server));
        (0..self.servers.len()).for_each(|server| self.connect(server));
        self
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
        (self.random >> 33) % below
    }

    fn n(&self) -> u64 {
        self.events.len() as u64
    }

    pub(crate) fn event(&mut self, lane: Option<usize>, what: What) {
        self.caused(lane, what, None);
    }

    pub(crate) fn caused(&mut self, lane: Option<usize>, what: What, cause: Option<u64>) {
        let task = lane.map_or("tester".into(), |lane| format!("raft {lane}"));
        let (n, us, lane) = (self.n() + 1, self.now, lane.map(|lane| lane as u32));
        self.events.push(Event { n, us, lane, task, cause, what });
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, ms: u64) {
        let until = self.now + ms * 1000;
        while let Some((&(us, _), _)) = self.due.first_key_value() {
            if us > until {
                break;
            }
            let ((us, _), due) = self.due.pop_first().expect("it is there");
            self.now = self.now.max(us);
            match due {
                Due::Deliver(call) => self.deliver(call),
                Due::Return(call) => self.returned(call),
                Due::Fail(call) => {
                    let from = self.calls[&call].from;
                    self.event(Some(from), What::Failed { call });
                }
            }
        }
        self.now = until;
    }

    /// Lets time pass while a leader sends what there is to send, every 110 ms.
    pub(crate) fn lead(&mut self, leader: usize, ms: u64) {
        for _ in 0..ms / 110 {
            self.send_entries(leader, None);
            self.wait(110);
        }
    }

    fn later(&mut self, us: u64, due: Due) {
        let key = self.due.len() as u64 + self.n() * 1000;
        self.due.insert((self.now + us, key), due);
    }

    // ---- The cluster ---------------------------------------------------------------------------

    pub(crate) fn start(&mut self, server: usize) {
        let it = &mut self.servers[server];
        (it.up, it.role, it.commit, it.applied) = (true, Role::Follower, 0, 0);
        self.event(Some(server), What::Started);
        self.say(server, None, Some(1));
    }

    pub(crate) fn crash(&mut self, server: usize) {
        self.cut(server);
        self.servers[server].up = false;
        self.event(Some(server), What::Crashed);
    }

    pub(crate) fn connect(&mut self, server: usize) {
        self.servers[server].connected = true;
        self.event(Some(server), What::Connected);
    }

    pub(crate) fn cut(&mut self, server: usize) {
        self.servers[server].connected = false;
        self.event(Some(server), What::Disconnected);
    }

    pub(crate) fn span(&mut self, name: &str) -> u64 {
        self.spans += 1;
        let (span, of) = (self.spans, SpanOf::Tester);
        self.event(None, What::Begin { span, of, name: name.into() });
        span
    }

    pub(crate) fn end(&mut self, span: u64, text: &str) {
        self.event(None, What::End { span, text: text.into() });
    }

    pub(crate) fn note(&mut self, server: usize, topic: &str, text: &str) {
        self.event(Some(server), What::Note { topic: topic.into(), text: text.into() });
    }

    // ---- The end -------------------------------------------------------------------------------

    /// The time in microseconds.
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// A fact of a verdict, about now.
    pub(crate) fn fact(&self, server: u32, text: &str) -> Fact {
        Fact { text: text.into(), us: Some(self.now), server: Some(server) }
    }

    pub(crate) fn passed(self) -> Trace {
        let (end_us, events) = (self.now, self.n());
        let footer = Some(Footer { end_us, events, verdict: None });
        Trace { header: self.header, events: self.events, footer }
    }

    pub(crate) fn failed(mut self, verdict: Verdict) -> Trace {
        let verdict = Verdict { us: self.now, ..verdict };
        self.event(None, What::Violation { verdict: verdict.clone() });
        let mut trace = self.passed();
        trace.footer.as_mut().expect("it has one").verdict = Some(verdict);
        trace
    }
}
