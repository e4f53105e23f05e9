//! What somebody sees who opens the page for the first time.

use std::path::Path;
use std::sync::OnceLock;

use run_record::trace::{Fact, Trace};
use serde_json::Value;

use crate::harness::{Opened, Page, browser, open};
use crate::traces::{real, small};

/// Reads the page as it is when it opens: its labels, what is selected, where the lanes are, and each text
/// whose contrast is too low.
const LOOK: &str = r##"<script>
"use strict";
(async function () {
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  document.body.dataset.probe = "yes";
  window.dispatchEvent(new Event("resize"));
  await pause(700);
  const rgb = (color) => {
    const parts = color.match(/[\d.]+/g).map(Number);
    return parts.length < 4 ? [...parts, 1] : parts;
  };
  const hex = (name) => {
    const text = getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim().slice(1);
    const full = text.length === 3 ? [...text].map((c) => c + c).join("") : text;
    return [0, 2, 4].map((at) => parseInt(full.slice(at, at + 2), 16));
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, k) => sum + c * [0.2126, 0.7152, 0.0722][k], 0);
  const contrast = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((one, two) => two - one);
    return (x + 0.05) / (y + 0.05);
  };
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const color = rgb(getComputedStyle(node).backgroundColor);
      if (color[3] === 1) return color;
    }
    return [255, 255, 255, 1];
  };
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  document.getElementById("help").showModal();
  await pause(300);
  const low = [];
  const check = (what, a, b) => { const c = contrast(a, b); if (c < 4.5) low.push(`${what}: ${c.toFixed(2)}`); };
  for (const node of document.querySelectorAll("body *")) {
    if (node.closest("svg") || !node.checkVisibility || !node.checkVisibility()) continue;
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim() !== "");
    if (own) check(`${node.tagName} ${node.textContent.slice(0, 30)}`, rgb(getComputedStyle(node).color), behind(node));
  }
  document.getElementById("help").close();
  const on = (back, names) => names.forEach((name) => check(`${name} on ${back}`, hex(name), hex(back)));
  on("back", ["text", "dim", "bad", "vote", "append", "beat", "other", "snapshot", "lost", "late", "refused", "cut", "check", "hit"]);
  on("soft", ["text", "dim"]);
  on("follower", ["text"]); on("candidate", ["text"]); on("old-leader", ["text"]);
  on("leader", ["on-leader"]); on("down", ["on-down"]); on("bad", ["back"]); on("bar", ["back"]); on("line", ["text"]);
  const box = (id) => { const { left, top, right, bottom } = document.getElementById(id).getBoundingClientRect();
    return [left, top, right, bottom]; };
  document.querySelectorAll("details").forEach((one) => { one.open = false; });
  await pause(300);
  const { dataset } = document.body;
  const said = { low, labels: JSON.parse(dataset.labels || "[]"), diagram: box("diagram"), beyond: document.documentElement.scrollWidth - innerWidth,
    panel: document.getElementById("panel").innerText, hash: location.hash, sign: matchMedia("(prefers-color-scheme: dark)").matches };
  const key = (name) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
  const boxOfKeys = document.getElementById("single-keys");
  boxOfKeys.checked = false;
  boxOfKeys.dispatchEvent(new Event("change"));
  const before = +dataset.inView;
  key("0"); await pause(700);
  said.offMoves = +dataset.inView !== before;
  boxOfKeys.checked = true;
  boxOfKeys.dispatchEvent(new Event("change"));
  key("0"); await pause(700);
  said.onMoves = +dataset.inView !== before;
  dataset.said = JSON.stringify(said);
})();
</script>
</body>"##;

const SCREEN: (u32, u32) = (1280, 720);
/// As narrow as a browser without a window can be.
const NARROW: (u32, u32) = (500, 740);

fn look(browser: &Path, trace: &Trace, size: (u32, u32), dark: bool) -> Page {
    open(browser, trace, &Opened { driver: LOOK, fragment: "", size, dark })
}

/// A label: its text, its worth, and left, top, width and height.
struct Label {
    text: String,
    worth: f64,
    place: [f64; 4],
}

fn labels(page: &Page) -> Vec<Label> {
    let number = |value: &Value| value.as_f64().expect("a number");
    let of = |one: &Value| Label {
        text: one[0].as_str().expect("a text").to_string(),
        worth: number(&one[1]),
        place: [2, 3, 4, 5].map(|at| number(&one[at])),
    };
    page.said["labels"].as_array().expect("labels").iter().map(of).collect()
}

fn touch([ax, ay, aw, ah]: [f64; 4], [bx, by, bw, bh]: [f64; 4]) -> bool {
    ax < bx + bw && bx < ax + aw && ay < by + bh && by < ay + ah
}

/// A page that was looked at.
struct Looked {
    name: String,
    trace: Trace,
    size: (u32, u32),
    page: Page,
}

/// All pages in both sizes. They are opened once for all tests, since that takes longest.
fn all(browser: &Path) -> &'static [Looked] {
    static ALL: OnceLock<Vec<Looked>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut traces = real();
        traces.push(("small".to_string(), small().0));
        let both = traces.into_iter().flat_map(|one| [(one.clone(), SCREEN), (one, NARROW)]);
        let looked = both.map(|((name, trace), size)| {
            let page = look(browser, &trace, size, false);
            Looked { name, trace, size, page }
        });
        looked.collect()
    })
}

/// Those of a usual screen.
fn on_screen(browser: &Path) -> impl Iterator<Item = &'static Looked> {
    all(browser).iter().filter(|looked| looked.size == SCREEN)
}

#[test]
fn no_two_labels_lie_on_each_other() {
    let Some(browser) = browser("no_two_labels_lie_on_each_other") else { return };
    for Looked { name, size, page, .. } in all(&browser) {
        let labels = labels(page);
        assert!(labels.len() > 8, "{name} at {size:?} has {} labels", labels.len());
        for (at, one) in labels.iter().enumerate() {
            for other in &labels[at + 1..] {
                let is_clear = !touch(one.place, other.place);
                assert!(is_clear, "{name} at {size:?}: `{}` and `{}`", one.text, other.text);
            }
        }
    }
}

#[test]
fn it_opens_at_what_broke_the_rule_and_says_so() {
    let Some(browser) = browser("it_opens_at_what_broke_the_rule_and_says_so") else { return };
    for Looked { name, trace, page, .. } in on_screen(&browser) {
        let panel = page.said["panel"].as_str().expect("a panel");
        let title = match name.as_str() {
            "next-index-off-by-one" | "same-timeout" => "Where to look first",
            _ => "What broke the rule",
        };
        assert!(panel.contains(title), "{name}: {panel}");
        assert!(page.said["hash"].as_str().is_some_and(|hash| hash.contains("sel=")), "{name}");
        let labels = labels(page);
        let worth = |least: f64| labels.iter().filter(move |label| label.worth == least);
        assert_eq!(worth(9.0).count(), 1, "{name}: the violation is named");
        assert_eq!(worth(8.0).count(), 1, "{name}: what broke the rule is named");
        let facts = &trace.verdict().expect("it failed").facts;
        let is_of_a_server = |fact: &&Fact| fact.server.is_some();
        let of_servers = facts.iter().filter(is_of_a_server).count();
        assert_eq!(worth(7.0).count(), of_servers, "{name}: each fact is named");
    }
}

#[test]
fn a_wrong_vote_is_named_with_its_reason() {
    let Some(browser) = browser("a_wrong_vote_is_named_with_its_reason") else { return };
    let pages = all(&browser).iter().filter(|looked| looked.name == "longer-log-wins");
    for Looked { size, page, .. } in pages {
        let labels = labels(page);
        let has = |text: &str| labels.iter().any(|label| label.text.starts_with(text));
        assert!(has("S0 votes for S1 in term 4"));
        assert!(has("because: S1 asks for S0's vote"));
        if *size == SCREEN {
            assert!(has("old leader, term 1"));
            assert!(has("cuts off S2") && has("connects S1"), "the test's own steps");
        }
    }
}

#[test]
fn a_snapshot_is_named_with_its_place_and_size() {
    let Some(browser) = browser("a_snapshot_is_named_with_its_place_and_size") else { return };
    let pages = all(&browser).iter().filter(|looked| looked.name == "snapshot-goes-back");
    for Looked { size, page, .. } in pages {
        let labels = labels(page);
        let has = |text: &str| labels.iter().any(|label| label.text.starts_with(text));
        assert!(has("S1 installs a snapshot up to 9"), "what broke the rule, at {size:?}");
        assert!(has("because: S0 sends S1 a snapshot"), "and what led to it, at {size:?}");
        if *size == SCREEN {
            assert!(has("installs ≤9"), "the mark of a snapshot that was taken over");
        }
    }
}

#[test]
fn every_text_has_contrast_enough() {
    let Some(browser) = browser("every_text_has_contrast_enough") else { return };
    let (_, trace) = real().swap_remove(0);
    for dark in [false, true] {
        let page = look(&browser, &trace, SCREEN, dark);
        assert_eq!(page.said["sign"], dark, "the browser's scheme");
        assert_eq!(page.said["low"], serde_json::json!([]), "dark {dark}");
    }
}

#[test]
fn what_fits_on_a_screen_is_the_lanes() {
    let Some(browser) = browser("what_fits_on_a_screen_is_the_lanes") else { return };
    // Three groups and their controller do not fit, with a block of shards for each server.
    for Looked { name, page, .. } in on_screen(&browser).filter(|one| one.name != "shard-lost") {
        let edge = |at: usize| page.said["diagram"][at].as_f64().expect("a number");
        assert!(edge(1) < 190.0, "{name}: above the lanes are {} pixels", edge(1));
        assert!(edge(3) <= 720.0, "{name}: the lanes end at {}", edge(3));
        assert!(edge(3) - edge(1) > 360.0, "{name}: the lanes have {}", edge(3) - edge(1));
    }
    for Looked { name, size, page, .. } in all(&browser) {
        assert_eq!(page.said["beyond"], 0, "{name} at {size:?} is wider than the screen");
    }
}

#[test]
fn keys_of_one_letter_can_be_switched_off() {
    let Some(browser) = browser("keys_of_one_letter_can_be_switched_off") else { return };
    let page = &all(&browser)[0].page;
    assert_eq!((&page.said["offMoves"], &page.said["onMoves"]), (&false.into(), &true.into()));
}
