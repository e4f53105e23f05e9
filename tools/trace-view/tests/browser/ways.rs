//! When who reaches whom, and what came before what.

use run_record::trace::{Leg, Loss, Trace, What};
use serde_json::{Value, json};

use crate::harness::{Opened, Page, browser, open};
use crate::traces::Writer;

/// Selects one event after the other, and notes what the page then says of the ways and of causes.
const DRIVER: &str = r##"<script>
"use strict";
(async function () {
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  document.body.dataset.probe = "yes";
  const said = {};
  for (const { n } of JSON.parse(document.getElementById("trace").textContent).events) {
    location.hash = `#sel=${n}`;
    await pause(400);
    const { splits, downs } = document.body.dataset;
    said[n] = { splits: JSON.parse(splits), downs: JSON.parse(downs), panel: document.getElementById("panel").textContent };
  }
  document.body.dataset.said = JSON.stringify(said);
})();
</script>
</body>"##;

fn look(browser: &std::path::Path, trace: &Trace) -> Page {
    let size = (1280, 900);
    open(browser, trace, &Opened { driver: DRIVER, fragment: "", size, dark: false })
}

/// A run in the making, of two groups that are all connected.
fn two_groups() -> Writer {
    let mut run = Writer::new();
    (0..5).for_each(|server| _ = run.add(server, None, What::Connected));
    run
}

fn finish(run: Writer) -> Trace {
    let mut trace = run.finish(5, None);
    trace.header.lanes = ["1-0", "1-1", "1-2", "2-0", "2-1"].map(|n| format!("server {n}")).into();
    trace
}

fn note(run: &mut Writer, topic: &str, text: &str) -> u64 {
    run.add(None, None, What::Note { topic: topic.into(), text: text.into() })
}

/// A request that does not get through; returns the number of its event.
fn lost(run: &mut Writer, from: u32, to: u32) -> u64 {
    let (call, sent) = run.send(from, to, "Raft.AppendEntries", json!({ "term": 1 }), None);
    run.lose(call, Leg::Request, Loss::Disconnected);
    sent
}

/// When a message could not get through, but for the beginning of the run.
fn downs(page: &Page, sent: u64) -> Vec<Value> {
    let all = page.said[sent.to_string()]["downs"].as_array().expect("it is a message");
    all.iter().filter(|down| down[0] != 0).cloned().collect()
}

#[test]
fn a_link_is_down_while_its_ends_are_apart() {
    let Some(browser) = browser("a_link_is_down_while_its_ends_are_apart") else { return };
    let mut run = two_groups();
    let split = note(&mut run, "partition", "group 1: 0, 1 | 2");
    let apart = lost(&mut run, 0, 2);
    let (together, _) = run.send(0, 1, "Raft.AppendEntries", json!({ "term": 1 }), None);
    let together = run.add(1, None, What::Delivered { call: together });
    // What happens to others does not end it.
    let crossing = note(&mut run, "crossing", "server 1-0 is cut off from group 2");
    let other = note(&mut run, "partition", "group 2: 0 | 1");
    let others = note(&mut run, "partition", "group 2: 0, 1");
    let crosses = lost(&mut run, 0, 3);
    let back = lost(&mut run, 4, 0);
    let rejoins = note(&mut run, "crossing", "server 1-0 reaches group 2");
    // Who is connected comes to the first part.
    let heals = run.add(2, None, What::Connected);
    let trace = finish(run);
    let page = look(&browser, &trace);
    assert_eq!(downs(&page, apart), [json!([split, heals])]);
    assert_eq!(downs(&page, together), [json!(null); 0]);
    for message in [crosses, back] {
        assert_eq!(downs(&page, message), [json!([crossing, rejoins])]);
    }
    let splits =
        json!([[split, heals, "group 1 split: 0, 1 | 2"], [other, others, "group 2 split: 0 | 1"]]);
    assert_eq!(page.said["1"]["splits"], splits);
}

#[test]
fn a_way_is_cut_in_one_direction() {
    let Some(browser) = browser("a_way_is_cut_in_one_direction") else { return };
    let mut run = two_groups();
    let cut = run.add(0, None, What::OneWay { to: 1, cut: true });
    let there = lost(&mut run, 0, 1);
    let (call, back) = run.send(1, 0, "Raft.AppendEntries", json!({ "term": 1 }), None);
    run.add(0, None, What::Delivered { call });
    let reply = json!({ "success": true });
    let replied = run.add(0, None, What::Replied { call, reply, bytes: 9 });
    run.lose(call, Leg::Reply, Loss::NoWayBack);
    let whole = run.add(0, None, What::OneWay { to: 1, cut: false });
    let page = look(&browser, &finish(run));
    assert_eq!(downs(&page, there), [json!([cut, whole])]);
    assert_eq!(downs(&page, back), [json!(null); 0]);
    assert_eq!(downs(&page, replied), [json!([cut, whole])], "no answer gets through either");
}

#[test]
fn a_chain_of_causes_ends_whatever_the_trace_says() {
    let Some(browser) = browser("a_chain_of_causes_ends_whatever_the_trace_says") else { return };
    let mut run = two_groups();
    let early = run.add(1, None, What::Delivered { call: 1 });
    let (call, sent) = run.send(0, 1, "Raft.AppendEntries", json!({ "term": 1 }), Some(early));
    assert_eq!(call, 1, "its delivery is before it");
    // One number for two calls.
    let (call, _) = run.send(0, 1, "Raft.AppendEntries", json!({ "term": 1 }), None);
    let first = run.add(1, None, What::Delivered { call });
    let what = What::Sent { call, to: 0, method: "M".into(), args: json!(null), bytes: 1 };
    let second = run.add(1, Some(first), what);
    let page = look(&browser, &finish(run));
    for n in [early, sent, first, second] {
        let panel = page.said[n.to_string()]["panel"].as_str().expect("a panel");
        assert!(panel.contains("led to it"), "{n}: {panel}");
    }
}
