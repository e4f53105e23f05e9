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

mod first_look;
mod harness;
mod keyboard;
mod labels;
mod traces;
mod ways;

use std::path::Path;
use std::time::Duration;

use harness::{Opened, Page, browser};
use run_record::trace::{LogBase, LogChange, Role, State, Trace, What};
use traces::{Writer, clients, large, real, small};

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

fn open(browser: &Path, trace: &Trace, fragment: &str) -> Page {
    harness::open(
        browser,
        trace,
        &Opened { driver: DRIVER, fragment, size: (1280, 900), dark: false },
    )
}

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
    assert!(story.contains("S0 takes term 1: 104 from the tester"), "{story}");
    let elections = page.after("all", "elections");
    assert!(elections.contains("S0itself, S1leads, 2 of 31 refused"), "{elections}");
    // Nobody asked for the votes of the second leader: it is none of an election.
    assert!(!elections.contains("too few"), "{elections}");
    assert_eq!(page.count_after("all", "inView"), trace.events.len());
    assert!(page.count_after("wheel", "inView") < trace.events.len());
    assert!(page.after("violation", "panel").contains("What broke the rule"));
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
fn the_operations_that_cannot_be_ordered_are_shown_first() {
    let Some(browser) = browser("the_operations_that_cannot_be_ordered_are_shown_first") else {
        return;
    };
    let trace = clients();
    let page = open(&browser, &trace, "");
    let panel = page.after("start", "panel");
    assert!(panel.contains("client 1: asks for Get \"k\" → \"old\""), "{panel}");
    assert!(panel.contains("took1 ms") && panel.contains("1 call"), "{panel}");
    let count = page.count_after("start", "inView");
    assert!(
        (8..trace.events.len()).contains(&count),
        "from the first call to the last return: {count}"
    );
    assert!(page.after("fact", "status").contains("client 0: asks for Put \"k\" \"new\""));
}

#[test]
fn shards_are_shown_and_groups_are_told_apart() {
    let Some(browser) = browser("shards_are_shown_and_groups_are_told_apart") else { return };
    let (_, trace) =
        real().into_iter().find(|(name, _)| name == "shard-lost").expect("it is there");
    let page = open(&browser, &trace, "");
    let panel = page.after("start", "panel");
    assert!(panel.contains("What broke the rule"), "{panel}");
    assert!(panel.contains("server 100-2: says: group 100 is at configuration 2"), "{panel}");
    let status = page.after("fact", "status");
    let said = "server 100-2: says: group 100 is at configuration 2, serves 5–9, keeps 0–4";
    assert!(status.contains(said), "{status}");
    // Each group has elected a leader of term 1, two of three votes being enough.
    let elections = page.after("all", "elections");
    assert!(elections.contains("100-2") && elections.contains("2 of 3"), "{elections}");
    assert!(!elections.contains("second leader") && !elections.contains("too few"), "{elections}");
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
fn an_absurd_index_does_not_hold_the_page_up() {
    let Some(browser) = browser("an_absurd_index_does_not_hold_the_page_up") else { return };
    // About the greatest length of an array, and the greatest number up to which all are exact.
    const LONGEST: u64 = u32::MAX as u64 - 4;
    const MOST_EXACT: u64 = (1 << 53) - 1;
    let mut run = Writer::new();
    run.start(2);
    run.state(0, Role::Leader, 1, 0, Some((LONGEST, "far".into())));
    let base = Some(LogBase { index: 1, term: 1 });
    let log = Some(LogChange { from: LONGEST + 1, entries: Vec::new(), base });
    let state = State { role: Role::Leader, term: 1, vote: None, commit: None, log };
    run.add(0, None, What::State(state));
    let n = run.add(1, None, What::Applied { index: MOST_EXACT, command: "far".into() });
    let page = open(&browser, &run.finish(2, None), &format!("#sel={n}"));
    let logs = page.after("start", "logs");
    assert!(logs.contains("Logs around index 9007199254740991"), "{logs}");
}

#[test]
fn a_gap_in_a_long_run_is_shown() {
    let Some(browser) = browser("a_gap_in_a_long_run_is_shown") else { return };
    let (mut trace, _) = small();
    let middle = trace.events.len() / 2;
    let last = trace.events[middle + 4].us;
    trace.events.drain(middle + 1..middle + 5);
    trace.events[middle].lane = None;
    trace.events[middle].what = What::LeftOut { events: 5, until_us: last };
    let page = open(&browser, &trace, "");
    assert_eq!(page.number("events"), trace.events.len());
    let html = trace_view::page::render(&trace);
    assert!(html.contains("The run was too long to be kept whole: between "), "the reader is told");
    assert!(html.contains(", 5 events are left out."));
}

/// What a server had before a gap says nothing of how it came to what it has behind it.
#[test]
fn the_story_of_an_index_begins_anew_behind_a_gap() {
    let Some(browser) = browser("the_story_of_an_index_begins_anew_behind_a_gap") else { return };
    let mut run = Writer::new();
    run.start(2);
    run.state(0, Role::Leader, 1, 0, Some((1, "old".into())));
    run.state(1, Role::Follower, 1, 0, Some((1, "old".into())));
    run.add(None, None, What::LeftOut { events: 5, until_us: 0 });
    // The leader of another term has committed it meanwhile.
    run.state(0, Role::Leader, 3, 1, Some((1, "new".into())));
    let takes = What::Offered { command: "new".into(), index: Some(1), term: Some(3) };
    run.add(1, None, takes);
    let n = run.add(0, None, What::Applied { index: 1, command: "new".into() });
    let page = open(&browser, &run.finish(2, None), &format!("#sel={n}"));
    let logs = page.after("start", "logs");
    assert!(logs.contains("How index 1 came about"), "{logs}");
    assert!(logs.contains("S0 has term 3: new"), "{logs}");
    assert!(logs.contains("S1 takes term 3: new from the tester"), "{logs}");
    for never_seen in ["replaces", "commits"] {
        assert!(!logs.contains(never_seen), "{logs}");
    }
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
