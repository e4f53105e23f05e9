//! What the labels of the diagram say, that none is lost that must be seen, and what the strip shows.

use std::path::Path;

use run_record::trace::{Fact, Role, State, Trace, Verdict, What};
use serde_json::Value;

use crate::harness::{Opened, Page, browser, open};
use crate::traces::{Writer, real};

/// Notes the labels of the view in which the page opens and of the whole run, and how many pixels of each lane
/// of the strip have the colour of a leader and of one that leads nobody any more.
const DRIVER: &str = r##"<script>
"use strict";
(async function () {
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const { dataset } = document.body;
  dataset.probe = "yes";
  window.dispatchEvent(new Event("resize"));
  await pause(700);
  const said = { labels: JSON.parse(dataset.labels) };
  const diagram = document.getElementById("diagram").getBoundingClientRect();
  said.size = [diagram.width, diagram.height];
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "0", bubbles: true }));
  await pause(700);
  said.whole = JSON.parse(dataset.labels);
  const color = (name) => {
    const text = getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim().slice(1);
    const full = text.length === 3 ? [...text].map((c) => c + c).join("") : text;
    return [0, 2, 4].map((at) => parseInt(full.slice(at, at + 2), 16));
  };
  // While a server is cut off, the colour of that lies over the other one.
  const mixed = (under) => under.map((c, k) => c * 0.65 + color("cut")[k] * 0.35);
  const strip = document.getElementById("overview");
  const ratio = window.devicePixelRatio || 1;
  const count = (row, name) => {
    const wanted = [color(name), mixed(color(name))];
    const { data } = strip.getContext("2d").getImageData(0, Math.round((16 + row * 7 + 2) * ratio), strip.width, 1);
    let found = 0;
    for (let x = 0; x < data.length; x += 4) {
      if (wanted.some((one) => one.every((c, k) => Math.abs(c - data[x + k]) < 2))) found++;
    }
    return found;
  };
  const rows = [...Array(JSON.parse(document.getElementById("trace").textContent).header.servers).keys()];
  said.strip = rows.map((row) => [count(row, "leader"), count(row, "old-leader")]);
  dataset.said = JSON.stringify(said);
})();
</script>
</body>"##;

const SCREEN: (u32, u32) = (1280, 720);
/// As narrow as a browser without a window can be.
const NARROW: (u32, u32) = (500, 740);

fn look(browser: &Path, trace: &Trace, size: (u32, u32), fragment: &str) -> Page {
    open(browser, trace, &Opened { driver: DRIVER, fragment, size, dark: false })
}

/// The texts of some labels.
fn texts(labels: &Value) -> Vec<&str> {
    let labels = labels.as_array().expect("labels").iter();
    labels.map(|label| label[0].as_str().expect("a text")).collect()
}

fn apply(run: &mut Writer, server: u32, indexes: impl IntoIterator<Item = u64>) {
    for index in indexes {
        run.add(server, None, What::Applied { index, command: format!("x{index}") });
    }
}

#[test]
fn labels_of_applied_commands_say_what_follows_each_other() {
    let Some(browser) = browser("labels_of_applied_commands_say_what_follows_each_other") else {
        return;
    };
    let mut run = Writer::new();
    // Far from the edges, and so close together that no command has a label of its own.
    let far = |run: &mut Writer| {
        (0..40).for_each(|_| _ = run.add(2, None, What::Saved { bytes: 1, snapshot: None }));
    };
    run.start(3);
    far(&mut run);
    apply(&mut run, 0, [5, 6, 7]);
    run.add(0, None, What::Crashed);
    run.add(0, None, What::Started);
    apply(&mut run, 0, [1, 2, 3]);
    far(&mut run);
    // What is between them came with a snapshot, whose own label would take the room here.
    apply(&mut run, 1, [1, 2, 9]);
    far(&mut run);
    let page = look(&browser, &run.finish(3, None), SCREEN, "");
    let mut said = texts(&page.said["whole"]);
    said.retain(|text| text.starts_with("applies"));
    said.sort_unstable();
    assert_eq!(said, ["applies 1–2", "applies 1–3", "applies 5–7", "applies 9: x9"]);
}

#[test]
fn the_strip_shows_which_leader_leads_nobody_any_more() {
    let Some(browser) = browser("the_strip_shows_which_leader_leads_nobody_any_more") else {
        return;
    };
    let find = |(name, trace)| (name == "longer-log-wins").then_some(trace);
    let trace: Trace = real().into_iter().find_map(find).expect("it is there");
    let first = trace.events.iter().find_map(|event| match event.what {
        What::State(State { role: Role::Leader, .. }) => event.lane,
        _ => None,
    });
    let first = first.expect("somebody leads") as usize;
    let page = look(&browser, &trace, SCREEN, "");
    let count = |lane: usize, which: usize| page.said["strip"][lane][which].as_u64();
    let strip = &page.said["strip"];
    assert!(count(first, 0) > Some(20), "it has led: {strip}");
    assert!(count(first, 1) > Some(20), "and goes on when another one leads: {strip}");
}

/// Nine servers and so many facts about them; returns the number of an event that six others led to, too.
fn with_facts(facts: u32) -> (Trace, u64) {
    const SERVERS: u32 = 9;
    let mut run = Writer::new();
    run.start(SERVERS);
    let mut led = None;
    for server in 0..7 {
        let command = format!("a command that takes some room {server}");
        led = Some(run.add(server, led, What::Applied { index: 1, command }));
    }
    let fact = |number: u32| {
        let server = number % SERVERS;
        let text = format!("server {server} says something that takes much room, {number}");
        Fact { text, us: Some(0), server: Some(server) }
    };
    let verdict = Verdict {
        check: "State Machine Safety".into(),
        words: "too much does not fit together".into(),
        facts: (0..facts).map(fact).collect(),
        ..Verdict::default()
    };
    run.add(None, led, What::Violation { verdict: verdict.clone() });
    (run.finish(SERVERS, Some(verdict)), led.expect("an event"))
}

/// A label that has to go out of the corner's way may leave room for one that had none before.
#[test]
fn nothing_is_said_to_be_missing_if_all_labels_find_room_at_last() {
    const NAME: &str = "nothing_is_said_to_be_missing_if_all_labels_find_room_at_last";
    let Some(browser) = browser(NAME) else { return };
    // Each letter is seven pixels wide. The first label lies across the middle of a low view, and the second one has
    // room neither above nor below it.
    let (begin, labels) = ("<script>\n{", include_str!("../../src/page/labels.js"));
    let driver = r##"
const [left, right, height] = [0, 130, 31];
const frame = { left, right, layout: { height }, colors: { back: "#fff", bad: "#f00" }, taken: [], placed: [], bands: [],
  context: { measureText: (text) => ({ width: 7 * text.length }) } };
const needed = ["elevenwords", "ten-letter"].map((text) => ({ worth: 9, text, must: true, spots: [[20, 15.5]] }));
placeNeeded(frame, needed);
document.body.dataset.said = JSON.stringify({ texts: frame.placed.map(({ one }) => one.text), taken: frame.taken.length });
}
</script>
</body>"##;
    let driver = &[begin, labels, driver].concat();
    let (trace, _) = with_facts(1);
    let opened = Opened { driver, fragment: "", size: SCREEN, dark: false };
    let page = open(&browser, &trace, &opened);
    assert_eq!(page.said["texts"], serde_json::json!(["elevenwords", "ten-letter"]));
    assert_eq!(page.said["taken"], 2, "the corner is free again");
}

/// Whether two labels, each with its place behind text and worth, lie on each other.
fn touch(one: &Value, other: &Value) -> bool {
    let at = |label: &Value, which: usize| label[which].as_f64().expect("a number");
    let apart = |place: usize, length: usize| {
        at(one, place) >= at(other, place) + at(other, length)
            || at(other, place) >= at(one, place) + at(one, length)
    };
    !apart(2, 4) && !apart(3, 5)
}

#[test]
fn what_must_be_seen_is_there_however_much_it_is() {
    let Some(browser) = browser("what_must_be_seen_is_there_however_much_it_is") else { return };
    let mut folded = [0; 3];
    for (facts, folded) in [12, 60, 400].into_iter().zip(&mut folded) {
        let (trace, chosen) = with_facts(facts);
        let page = look(&browser, &trace, NARROW, &format!("#sel={chosen}"));
        for view in ["labels", "whole"] {
            let labels = page.said[view].as_array().expect("labels");
            let worth = |label: &&Value| label[1].as_f64().expect("a number");
            // The facts, what is looked at with five of its causes, and the violation.
            let named = labels.iter().filter(|label| worth(label) > 5.0).count();
            let more = texts(&page.said[view]).into_iter().find_map(|text| {
                text.strip_prefix('+')?.strip_suffix(" more")?.parse::<usize>().ok()
            });
            *folded = more.unwrap_or(0);
            let said = texts(&page.said[view]);
            assert_eq!(named + *folded, facts as usize + 7, "{facts} facts, {view}: {said:?}");
            for (at, one) in labels.iter().enumerate() {
                let on = labels[at + 1..].iter().find(|other| touch(one, other));
                assert!(on.is_none(), "{facts} facts, {view}: {one} and {on:?}");
                let edge = |place: usize, length: usize| {
                    [place, length].map(|which| one[which].as_f64().expect("a number"))
                };
                for (which, [from, length]) in [edge(2, 4), edge(3, 5)].into_iter().enumerate() {
                    let most = page.said["size"][which].as_f64().expect("a number");
                    assert!(from >= 0.0 && from + length <= most, "{facts} facts, {view}: {one}");
                }
            }
        }
    }
    assert_eq!(folded[0], 0, "twelve facts have room");
    assert!(folded[2] > 0, "four hundred have none");
}
