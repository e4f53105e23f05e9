//! Opens pages in a real browser, if there is one, and compares what they say about themselves.
//!
//! The page writes into attributes of its body that it is ready, what it holds and draws, how long that
//! took, and any error. These tests open a page without a window, let a script in it press keys and turn
//! the wheel, and read the document as it is afterwards.
//!
//! Without a browser nothing is checked, and the tests say so; with `TRACE_VIEW_NEEDS_BROWSER=1` they
//! fail then.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "these tests run a browser, not simulations"
)]

use std::env;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use run_record::Clock;
use run_record::trace::{
    Event, Fact, Footer, Header, Leg, LogChange, LogEntry, Loss, Role, SpanOf, State, Trace,
    VERSION, Verdict, What,
};
use serde_json::{Value, json};
use trace_view::page::render;

/// The variable that makes a missing browser a failure.
const NEEDED: &str = "TRACE_VIEW_NEEDS_BROWSER";
/// What a browser may be called.
const BROWSERS: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/// A browser that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(120);
/// Without a window a browser makes frames when it likes, or none: here they are as certain as timers.
const FRAMES: &str =
    "<script>window.requestAnimationFrame = (draw) => setTimeout(draw, 16);</script>\n</head>";
/// Presses keys, turns the wheel and clicks, and notes what the page shows after each step.
const DRIVER: &str = r##"<script>
"use strict";
(async function () {
  const said = {};
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const key = (name) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
  const text = (id) => document.getElementById(id).textContent;
  const say = async (name) => {
    // Long enough for a view to come to rest and for the table to be filled.
    await pause(700);
    const { inView, drawn, dense, frameMs } = document.body.dataset;
    said[name] = { inView: +inView, drawn: +drawn, dense, frameMs: +frameMs, status: text("status"),
      panel: text("panel"), logs: text("logs"), elections: text("elections"), hits: text("hits"), hash: location.hash };
  };
  await say("start");
  key("0"); await say("all");
  const diagram = document.getElementById("diagram");
  const box = diagram.getBoundingClientRect();
  const at = { clientX: box.left + box.width / 2, clientY: box.top + 150, bubbles: true, cancelable: true };
  diagram.dispatchEvent(new WheelEvent("wheel", { ...at, deltaY: -400 })); await say("wheel");
  key("v"); await say("violation");
  key("Escape"); await say("escape");
  const search = document.getElementById("search");
  search.value = "needle";
  search.dispatchEvent(new Event("input")); await say("search");
  key("n"); await say("hit");
  key("]"); await say("next");
  key("a"); await say("time");
  document.getElementById("events").open = true; await say("table");
  said.rows = document.querySelectorAll("#events-body tr").length;
  document.querySelector("#filters button").click(); await say("filter");
  const links = document.querySelectorAll(".conflict-facts button");
  if (links.length > 0) { links[0].click(); await say("fact"); }
  document.body.dataset.said = JSON.stringify(said);
})();
</script>
</body>"##;

/// The browser, or none if there is none and none is needed.
fn browser(test: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places =
        env::split_paths(&path).flat_map(|dir| BROWSERS.map(|name| dir.join(name)).into_iter());
    let found = places.find(|file| file.is_file());
    if found.is_none() {
        let names = BROWSERS.join(", ");
        assert!(
            env::var_os(NEEDED).is_none_or(|is| is != "1"),
            "{NEEDED}=1, but PATH has none of {names}"
        );
        // Not by `println!`, which the harness keeps to itself when a test passes.
        let text = format!("SKIPPED, nothing was checked: {test} needs one of {names} on PATH");
        let _ = writeln!(io::stdout(), "{text}");
    }
    found
}

/// What a page says about itself after the driver has used it.
struct Page {
    attributes: Vec<(String, String)>,
    said: Value,
    took: Duration,
}

impl Page {
    fn get(&self, name: &str) -> &str {
        let found = self.attributes.iter().find(|(of, _)| of == &format!("data-{name}"));
        found.map_or("", |(_, value)| value)
    }

    fn number(&self, name: &str) -> usize {
        self.get(name).parse().unwrap_or_else(|_| panic!("{name} is `{}`", self.get(name)))
    }

    /// What the page showed after a step of the driver.
    fn after(&self, step: &str, what: &str) -> &str {
        self.said[step][what].as_str().unwrap_or_else(|| panic!("no {what} after {step}"))
    }

    fn count_after(&self, step: &str, what: &str) -> usize {
        self.said[step][what].as_f64().unwrap_or_else(|| panic!("no {what} after {step}")) as usize
    }
}

/// Opens the page of a trace, at a fragment of its address, and lets the driver use it.
fn open(browser: &PathBuf, trace: &Trace, fragment: &str) -> Page {
    let dir = tempfile::tempdir().expect("a directory");
    let (page, out) = (dir.path().join("page.html"), dir.path().join("out.html"));
    let html = render(trace);
    let html = html.replacen("</head>", FRAMES, 1);
    let (before, after) = html.rsplit_once("</body>").expect("a page has a body");
    fs::write(&page, [before, DRIVER, after].concat()).expect("a page can be written");
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--window-size=1280,900", "--virtual-time-budget=60000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", dir.path().join("profile").display()))
        .arg(format!("file://{}{fragment}", page.display()))
        .stdout(File::create(&out).expect("a file"))
        .stderr(Stdio::null())
        .spawn()
        .expect("the browser starts");
    let began = Instant::now();
    while child.try_wait().expect("a child can be asked").is_none() {
        if began.elapsed() > LIMIT {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the browser did not come to an end in {LIMIT:?}");
        }
        sleep(Duration::from_millis(20));
    }
    let took = began.elapsed();
    let document = String::from_utf8_lossy(&fs::read(&out).expect("it has written")).into_owned();
    let attributes = attributes(&document);
    let said = attributes.iter().find(|(name, _)| name == "data-said").map(|(_, value)| value);
    let said = said.map_or(Value::Null, |text| serde_json::from_str(text).expect("it is JSON"));
    let page = Page { attributes, said, took };
    assert_eq!(page.get("error"), "", "the page's script failed");
    assert_eq!(page.get("ready"), "yes", "the page is not ready: {:?}", page.attributes);
    assert_ne!(page.said, Value::Null, "the driver did not come to its end");
    page
}

/// The attributes of the body.
fn attributes(document: &str) -> Vec<(String, String)> {
    let (_, rest) = document.split_once("<body").expect("a document has a body");
    let (mut rest, mut out) = (rest, Vec::new());
    while let Some((name, more)) = rest.split_once("=\"") {
        if name.contains('>') {
            break;
        }
        let (value, more) = more.split_once('"').expect("each attribute ends");
        let value = value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">");
        out.push((
            name.trim().to_string(),
            value.replace("&nbsp;", "\u{a0}").replace("&amp;", "&"),
        ));
        rest = more;
    }
    out
}

// ---- Traces ------------------------------------------------------------------------------------

/// Writes a trace as a recorder would.
struct Writer {
    us: u64,
    calls: u64,
    messages: usize,
    events: Vec<Event>,
}

impl Writer {
    fn new() -> Writer {
        Writer { us: 0, calls: 0, messages: 0, events: Vec::new() }
    }

    /// An event on a lane; returns its number.
    fn add(&mut self, lane: impl Into<Option<u32>>, cause: Option<u64>, what: What) -> u64 {
        let n = self.events.len() as u64 + 1;
        let lane = lane.into();
        self.events.push(Event { n, us: self.us, lane, task: "raft".into(), cause, what });
        n
    }

    fn start(&mut self, servers: u32) {
        for server in 0..servers {
            self.add(server, None, What::Started);
            self.add(server, None, What::Connected);
            self.state(server, Role::Follower, 0, 0, None);
        }
    }

    fn state(
        &mut self,
        server: u32,
        role: Role,
        term: u64,
        commit: u64,
        entry: Option<(u64, String)>,
    ) -> u64 {
        let log = entry
            .map(|(from, command)| LogChange { from, entries: vec![LogEntry { term, command }] });
        let state = State { role, term, vote: None, commit: Some(commit), log };
        self.add(server, None, What::State(state))
    }

    fn send(
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

    fn lose(&mut self, call: u64, leg: Leg, why: Loss) {
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

    fn finish(self, servers: u32, verdict: Option<Verdict>) -> Trace {
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

/// Two servers apply different commands; on the way there is one of everything that can happen.
/// Returns how many messages there are, too.
fn small() -> (Trace, usize) {
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
    run.add(1, Some(delivered), What::Saved { bytes: 40 });
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
        ..Verdict::default()
    };
    run.add(None, Some(last), What::Violation { verdict: verdict.clone() });
    let messages = run.messages;
    (run.finish(3, Some(verdict)), messages)
}

/// As many events as the largest test makes: clients write without pause, and all of it is applied.
fn large() -> (Trace, usize) {
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
            run.add(to, None, What::Saved { bytes: 40 * index });
            run.add(to, None, What::Applied { index, command: command.clone() });
        }
    }
    let messages = run.messages;
    (run.finish(SERVERS, None), messages)
}

// ---- Tests -------------------------------------------------------------------------------------

#[test]
fn a_failed_run_is_shown_and_can_be_explored() {
    let Some(browser) = browser("a_failed_run_is_shown_and_can_be_explored") else { return };
    let (trace, messages) = small();
    let page = open(&browser, &trace, "");
    assert_eq!(page.number("events"), trace.events.len());
    assert_eq!(page.number("messages"), messages);
    assert!(page.count_after("start", "drawn") > 0);
    assert!(page.after("start", "logs").contains("Logs around index 1"));
    assert!(page.after("start", "logs").contains("≠ t2needle"), "{}", page.after("start", "logs"));
    let story = page.after("start", "logs");
    assert!(story.contains("How index 1 came about"), "{story}");
    assert!(story.contains("S0 takes t1 104 from the tester"), "{story}");
    let elections = page.after("all", "elections");
    assert!(elections.contains("S0self, S1leads, 2 of 31 refused"), "{elections}");
    // Nobody asked for the votes of the second leader: it is none of an election.
    assert!(!elections.contains("too few"), "{elections}");
    assert_eq!(page.count_after("all", "inView"), trace.events.len());
    assert!(page.count_after("wheel", "inView") < trace.events.len());
    assert!(page.after("violation", "panel").contains("VIOLATION of State Machine Safety"));
    let after = page.after("escape", "panel");
    assert!(after.contains("Nothing selected"), "{after}; {}", page.said);
    // A note, a state, an applied command and the violation tell of it.
    assert_eq!(page.after("search", "hits"), "4 hits");
    assert!(page.after("hit", "status").contains("needle"), "{}", page.after("hit", "status"));
    assert_ne!(page.after("next", "status"), page.after("hit", "status"));
    assert!(page.after("time", "hash").starts_with("#axis=time&t="));
    assert!(page.said["rows"].as_u64().is_some_and(|rows| rows > 0));
    assert!(page.count_after("filter", "drawn") <= page.count_after("table", "drawn"));
    assert!(page.after("fact", "status").contains("applies 104 at index 1"));
}

#[test]
fn a_part_of_a_run_can_be_linked_to() {
    let Some(browser) = browser("a_part_of_a_run_can_be_linked_to") else { return };
    let (trace, _) = small();
    let chosen =
        trace.events.iter().find(|event| matches!(event.what, What::Returned { .. })).unwrap();
    let page = open(&browser, &trace, &format!("#t=0.29..0.41&sel={}", chosen.n));
    assert!(page.count_after("start", "inView") < trace.events.len());
    let panel = page.after("start", "panel");
    assert!(panel.contains("hears from server 1: vote granted"), "{panel}");
    assert!(panel.contains("What led to it") && panel.contains("sends RequestVote"), "{panel}");
}

#[test]
fn what_a_trace_lacks_is_no_error() {
    let Some(browser) = browser("what_a_trace_lacks_is_no_error") else { return };
    let (mut trace, _) = small();
    trace.footer = None;
    trace.events.drain(..trace.events.len() / 2);
    let half = open(&browser, &trace, "");
    assert_eq!(half.number("events"), trace.events.len());
    trace.events.clear();
    assert_eq!(open(&browser, &trace, "").number("events"), 0);
    trace.header.lanes.clear();
    trace.header.servers = 0;
    assert_eq!(open(&browser, &trace, "").number("messages"), 0);
}

#[test]
fn the_largest_run_stays_quick() {
    let Some(browser) = browser("the_largest_run_stays_quick") else { return };
    let (trace, messages) = large();
    let page = open(&browser, &trace, "");
    assert_eq!(page.number("events"), trace.events.len());
    assert_eq!(page.number("messages"), messages);
    assert_eq!(page.after("all", "dense"), "true", "so many arrows cannot be told apart");
    assert!(page.after("hit", "status").contains("needle"));
    // The browser's own clock is one that a test turns forward, so its times are rough.
    let (events, first) = (trace.events.len(), page.number("first-draw-ms"));
    println!("{events} events: drawn after {first} ms, explored and closed after {:?}", page.took);
    // Some ten times what a slow machine takes: the test is for what grows out of all bounds.
    assert!(first < 15_000 && page.took < Duration::from_secs(60), "{first} ms, {:?}", page.took);
}
