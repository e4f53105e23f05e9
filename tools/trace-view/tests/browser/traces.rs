//! Traces for the tests of the page: some as a recorder would write them, others of real runs.

use std::path::Path;

use run_record::Clock;
use run_record::trace::{
    Event, Fact, Footer, Header, Leg, LogChange, LogEntry, Loss, Role, SpanOf, State, Trace,
    VERSION, Verdict, What,
};
use serde_json::{Value, json};

/// Writes a trace as a recorder would.
pub(crate) struct Writer {
    us: u64,
    calls: u64,
    messages: usize,
    events: Vec<Event>,
}

impl Writer {
    pub(crate) fn new() -> Writer {
        Writer { us: 0, calls: 0, messages: 0, events: Vec::new() }
    }

    /// An event on a lane; returns its number.
    pub(crate) fn add(
        &mut self,
        lane: impl Into<Option<u32>>,
        cause: Option<u64>,
        what: What,
    ) -> u64 {
        let n = self.events.len() as u64 + 1;
        let lane = lane.into();
        self.events.push(Event { n, us: self.us, lane, task: "raft".into(), cause, what });
        n
    }

    pub(crate) fn start(&mut self, servers: u32) {
        for server in 0..servers {
            self.add(server, None, What::Started);
            self.add(server, None, What::Connected);
            self.state(server, Role::Follower, 0, 0, None);
        }
    }

    pub(crate) fn state(
        &mut self,
        server: u32,
        role: Role,
        term: u64,
        commit: u64,
        entry: Option<(u64, String)>,
    ) -> u64 {
        let log = entry.map(|(from, command)| LogChange {
            from,
            entries: vec![LogEntry { term, command }],
            base: None,
        });
        let state = State { role, term, vote: None, commit: Some(commit), log };
        self.add(server, None, What::State(state))
    }

    pub(crate) fn send(
        &mut self,
        from: u32,
        to: u32,
        method: &str,
        args: Value,
        cause: Option<u64>,
    ) -> (u64, u64) {
        self.calls += 1;
        self.messages += 1;
        let what = What::Sent { call: self.calls, to, method: method.into(), args, bytes: 40 };
        (self.calls, self.add(from, cause, what))
    }

    pub(crate) fn lose(&mut self, call: u64, leg: Leg, why: Loss) {
        self.add(None, None, What::Lost { call, leg, why, fails_us: 0 });
    }

    /// A call that succeeds within a moment; returns the number of the delivery and of the return.
    fn call(&mut self, from: u32, to: u32, method: &str, args: Value, reply: Value) -> (u64, u64) {
        let (call, sent) = self.send(from, to, method, args, None);
        let delivered = self.add(to, Some(sent), What::Delivered { call });
        let replied = self.add(to, Some(delivered), What::Replied { call, reply, bytes: 20 });
        self.messages += 1;
        (delivered, self.add(from, Some(replied), What::Returned { call }))
    }

    pub(crate) fn finish(self, servers: u32, verdict: Option<Verdict>) -> Trace {
        let header = Header {
            trace: VERSION,
            test: "figure_8_2C".into(),
            title: "Figure 8".into(),
            part: "2C".into(),
            package: "raft-tests".into(),
            clock: Clock::Sim,
            seed: Some(u64::MAX),
            setting: None,
            replay: "LAB_SEED=7 cargo test figure_8_2C".into(),
            lanes: (0..servers).map(|server| format!("server {server}")).collect(),
            servers,
        };
        let events = self.events.len() as u64;
        let footer = Some(Footer { end_us: self.us + 1000, events, verdict });
        Trace { header, events: self.events, footer }
    }
}

fn append(term: u64, prev: u64, commands: &[&str]) -> Value {
    let entries: Vec<_> =
        commands.iter().map(|command| json!({ "Term": term, "Command": command })).collect();
    json!({ "Term": term, "PrevLogIndex": prev, "Entries": entries, "LeaderCommit": prev })
}

/// Two clients of one server, of which one gets what the other did not leave; its group is split
/// meanwhile.
pub(crate) fn clients() -> Trace {
    let mut run = Writer::new();
    run.start(1);
    let text = |text: &str| text.to_string();
    run.us = 1000;
    run.add(1, None, What::Called { op: 1, text: text("Put \"k\" \"new\"") });
    run.call(1, 0, "KVServer.Put", json!({ "key": "k" }), json!({ "err": "OK" }));
    run.us = 2000;
    run.add(1, None, What::Answered { op: 1, text: String::new() });
    run.add(None, None, What::Note { topic: text("partition"), text: text("0 | 1") });
    run.us = 3000;
    run.add(2, None, What::Called { op: 2, text: text("Get \"k\"") });
    run.call(2, 0, "KVServer.Get", json!({ "key": "k" }), json!({ "value": "old" }));
    run.us = 4000;
    run.add(2, None, What::Answered { op: 2, text: text("\"old\"") });
    run.add(3, None, What::Called { op: 3, text: text("Get \"other\"") });
    run.us = 9000;
    let fact = |lane, us, words: &str| Fact { text: text(words), us: Some(us), server: Some(lane) };
    let verdict = Verdict {
        check: text("linearizability"),
        words: text("no order fits"),
        us: 9000,
        facts: vec![fact(1, 1000, "client 0: Put"), fact(2, 3000, "client 1: Get")],
        location: Some(text("history.rs:1:1")),
        ..Verdict::default()
    };
    let mut trace = run.finish(1, Some(verdict));
    trace.header.lanes.extend(["client 0", "client 1", "client 2"].map(text));
    trace
}

/// Two servers apply different commands; on the way there is one of everything that can happen.
/// Returns how many messages there are, too.
pub(crate) fn small() -> (Trace, usize) {
    let mut run = Writer::new();
    run.start(3);
    run.add(
        None,
        None,
        What::Network { reliable: true, long_reordering: false, long_delays: true },
    );
    run.add(None, None, What::Begin { span: 1, of: SpanOf::Tester, name: "one leader".into() });
    run.us = 300_000;
    run.state(0, Role::Candidate, 1, 0, None);
    let vote = || json!({ "term": 1, "candidate": 0 });
    run.call(0, 1, "Raft.RequestVote", vote(), json!({ "term": 1, "vote_granted": true }));
    run.call(0, 2, "Raft.RequestVote", vote(), json!({ "term": 1, "VoteGranted": false }));
    run.state(0, Role::Leader, 1, 0, None);
    run.add(None, None, What::End { span: 1, text: "server 0".into() });
    run.add(
        1,
        None,
        What::Note { topic: "vote".into(), text: "<img src=x onerror=alert(1)> needle".into() },
    );
    run.us = 400_000;
    run.add(0, None, What::Offered { command: "104".into(), index: Some(1), term: Some(1) });
    run.add(1, None, What::Offered { command: "104".into(), index: None, term: None });
    run.state(0, Role::Leader, 1, 0, Some((1, "104".into())));
    let (delivered, _) =
        run.call(0, 1, "Raft.AppendEntries", append(1, 0, &["104"]), json!({ "Success": true }));
    run.state(1, Role::Follower, 1, 0, Some((1, "104".into())));
    run.add(1, Some(delivered), What::Saved { bytes: 40, snapshot: None });
    run.us = 500_000;
    run.add(2, None, What::Disconnected);
    let (cut, _) = run.send(0, 2, "Raft.AppendEntries", append(1, 1, &[]), None);
    run.lose(cut, Leg::Request, Loss::Disconnected);
    let (dropped, _) = run.send(0, 1, "Raft.AppendEntries", append(1, 1, &[]), None);
    run.lose(dropped, Leg::Request, Loss::Dropped);
    let (slow, _) = run.send(0, 1, "Raft.AppendEntries", append(1, 1, &[]), None);
    run.add(None, None, What::Delayed { call: slow, by_us: 20_000 });
    let (_, returned) =
        run.call(0, 1, "Raft.AppendEntries", append(1, 1, &[]), json!({ "Success": true }));
    run.us = 520_000;
    run.add(1, None, What::Delivered { call: slow });
    run.add(1, None, What::Replied { call: slow, reply: json!({ "Success": true }), bytes: 20 });
    run.messages += 1;
    run.add(None, None, What::Late { call: slow, by_us: 500_000 });
    run.add(0, None, What::Failed { call: cut });
    run.state(0, Role::Leader, 1, 1, None);
    let first = run.us;
    run.add(0, Some(returned), What::Applied { index: 1, command: "104".into() });
    let (gone, _) = run.send(0, 1, "Other.Ping", json!(null), None);
    run.add(1, None, What::Crashed);
    run.lose(gone, Leg::Request, Loss::Gone);
    run.us = 700_000;
    run.add(2, None, What::Connected);
    run.add(1, None, What::Started);
    run.add(2, None, What::Inferred { role: Role::Leader, term: 2 });
    run.add(2, None, What::Unknown);
    run.state(2, Role::Leader, 2, 1, Some((1, "needle".into())));
    let last = run.add(2, None, What::Applied { index: 1, command: "needle".into() });
    let fact =
        |text: &str, us, server| Fact { text: text.into(), us: Some(us), server: Some(server) };
    let verdict = Verdict {
        check: "State Machine Safety".into(),
        words: "server 2 applied needle at index 1, but server 0 had applied 104 there".into(),
        us: run.us,
        servers: vec![0, 2],
        facts: vec![
            fact("server 0 applied 104 at index 1", first, 0),
            fact("server 2 applied needle at index 1", run.us, 2),
        ],
        hint: Some("a vote for a server whose log is older".into()),
        index: Some(1),
        location: Some("what server 2 applies".into()),
        ..Verdict::default()
    };
    run.add(None, Some(last), What::Violation { verdict: verdict.clone() });
    let messages = run.messages;
    (run.finish(3, Some(verdict)), messages)
}

/// As many events as the largest test makes: clients write without pause, and all of it is applied.
pub(crate) fn large() -> (Trace, usize) {
    const SERVERS: u32 = 5;
    let mut run = Writer::new();
    run.start(SERVERS);
    run.state(0, Role::Leader, 1, 0, None);
    for index in 1.. {
        if run.events.len() >= 60_000 {
            break;
        }
        run.us += 13_000;
        let command = if index == 700 { "needle".to_string() } else { index.to_string() };
        run.add(
            0,
            None,
            What::Offered { command: command.clone(), index: Some(index), term: Some(1) },
        );
        run.state(0, Role::Leader, 1, index - 1, Some((index, command.clone())));
        for to in 1..SERVERS {
            let args = append(1, index - 1, &[&command]);
            run.call(0, to, "Raft.AppendEntries", args, json!({ "Term": 1, "Success": true }));
            run.state(to, Role::Follower, 1, index, Some((index, command.clone())));
            run.add(to, None, What::Saved { bytes: 40 * index, snapshot: None });
            run.add(to, None, What::Applied { index, command: command.clone() });
        }
    }
    let messages = run.messages;
    (run.finish(SERVERS, None), messages)
}

/// The traces of real runs that failed, by name: the files in `tests/traces`.
pub(crate) fn real() -> Vec<(String, Trace)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces");
    let files = std::fs::read_dir(folder).expect("there are traces of real runs");
    let mut all: Vec<_> = files
        .map(|file| {
            let path = file.expect("a file").path();
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, Trace::read(&path).expect("it is a trace"))
        })
        .collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}
