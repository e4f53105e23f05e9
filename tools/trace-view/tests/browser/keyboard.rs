//! The page without a pointer: keys of other keyboards, a search, and where the focus is.

use run_record::trace::{Trace, What};

use crate::harness::{Opened, Page, browser, open};
use crate::traces::{Writer, small};

/// What the drivers share: to press a key, and to wait until the page has come to rest.
const BEGIN: &str = r##"<script>
"use strict";
(async function () {
  const said = {};
  const rest = () => new Promise((done) => setTimeout(done, 700));
  const by = (id) => document.getElementById(id);
  const key = (name, more = {}, on = document.body) =>
    on.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true, ...more }));
  const status = () => by("status").textContent;
  await rest();
"##;

const END: &str = r##"
  document.body.dataset.said = JSON.stringify(said);
})();
</script>
</body>"##;

fn drive(browser: &std::path::Path, trace: &Trace, fragment: &str, driver: &str) -> Page {
    let driver = [BEGIN, driver, END].concat();
    open(browser, trace, &Opened { driver: &driver, fragment, size: (1280, 900), dark: false })
}

/// The same of a small trace, at an event at which a call returned: much led to it.
fn drive_at_a_return(browser: &std::path::Path, driver: &str) -> Page {
    let (trace, _) = small();
    let returned = trace.events.iter().find(|event| matches!(event.what, What::Returned { .. }));
    let fragment = format!("#sel={}", returned.expect("a call returned").n);
    drive(browser, &trace, &fragment, driver)
}

#[test]
fn brackets_can_be_typed_on_all_keyboards_and_letters_do_the_same() {
    const NAME: &str = "brackets_can_be_typed_on_all_keyboards_and_letters_do_the_same";
    let Some(browser) = browser(NAME) else { return };
    let page = drive_at_a_return(
        &browser,
        r##"
  said.start = status();
  const altGr = { ctrlKey: true, altKey: true, modifierAltGraph: true };
  key("]", altGr); said.next = status();
  key("[", altGr); said.back = status();
  key("]", { altKey: true }); said.option = status();
  key("[", { altKey: true }); said.optionBack = status();
  key("j"); said.letter = status();
  key("k"); said.letterBack = status();
  for (const more of [{ ctrlKey: true }, { metaKey: true }, { ctrlKey: true, altKey: true }]) key("j", more);
  key("v", { altKey: true }); key("]", { ctrlKey: true });
  said.others = status();
  said.help = by("keys").textContent;
"##,
    );
    let said = |name: &str| page.said[name].as_str().expect("a text").to_string();
    assert_ne!(said("next"), said("start"));
    for (there, back) in [("next", "back"), ("option", "optionBack"), ("letter", "letterBack")] {
        assert_eq!((said(there), said(back)), (said("next"), said("start")), "{there}");
    }
    assert_eq!(said("others"), said("start"), "that is of the browser's own");
    let help = said("help");
    for (keys, words) in [("] j", "next event on the same lane"), ("[ k", "previous event")] {
        assert!(help.contains(&format!("{keys}{words}")), "{help}");
    }
}

#[test]
fn enter_goes_to_a_hit_of_what_stands_in_the_field() {
    let Some(browser) = browser("enter_goes_to_a_hit_of_what_stands_in_the_field") else { return };
    let page = drive(
        &browser,
        &small().0,
        "",
        r##"
  const search = by("search");
  const type = (text) => { search.value = text; search.dispatchEvent(new Event("input", { bubbles: true })); };
  type("104"); await rest();
  type("needle"); key("Enter", {}, search); said.hit = status(); said.hits = by("hits").textContent;
  await rest(); said.later = by("hits").textContent;
  key("Enter", {}, search); said.second = by("hits").textContent;
"##,
    );
    let said = |name: &str| page.said[name].as_str().expect("a text");
    assert!(said("hit").contains("needle"), "{}", said("hit"));
    assert!(said("hits").ends_with(" of 4 hits"), "{}", said("hits"));
    assert_eq!(said("later"), said("hits"), "it is not searched for once more");
    assert!(said("second").ends_with(" of 4 hits") && said("second") != said("hits"));
}

#[test]
fn who_follows_causes_with_keys_stays_in_the_panel() {
    let Some(browser) = browser("who_follows_causes_with_keys_stays_in_the_panel") else { return };
    let page = drive_at_a_return(
        &browser,
        r##"
  const press = async (link) => { link.focus(); link.click(); await rest(); };
  const place = () => {
    const at = document.activeElement;
    return [at.tagName, at.closest("section, details, body").id, at.dataset.event || "", status()];
  };
  await press(document.querySelector("#panel .chain button")); said.first = place();
  await press(document.querySelector("#panel .chain button")); said.second = place();
  key("ArrowRight", {}, document.activeElement); said.arrow = place();
  key("Escape", {}, document.activeElement); await rest(); said.escape = place();
  await press(document.querySelector("#logs .story button")); said.logs = place();
  by("events").open = true; await rest();
  const row = document.querySelector("#events-body tr:nth-child(2) button");
  said.row = row.dataset.event;
  await press(row); said.table = place();
"##,
    );
    let place = |name: &str, part: usize| page.said[name][part].as_str().expect("a text");
    for step in ["first", "second", "arrow", "escape"] {
        assert_eq!((place(step, 0), place(step, 1)), ("H2", "panel"), "{step}: {}", page.said);
    }
    assert_ne!(place("first", 3), place("second", 3), "it goes from cause to cause");
    assert_eq!(place("escape", 3), "");
    for (step, id) in [("logs", "logs"), ("table", "events")] {
        assert_eq!((place(step, 0), place(step, 1)), ("BUTTON", id), "{step}: {}", page.said);
    }
    assert_eq!(place("table", 2), page.said["row"], "at the row of the selected event");
}

#[test]
fn arrow_keys_go_to_no_event_that_the_filters_hide() {
    let Some(browser) = browser("arrow_keys_go_to_no_event_that_the_filters_hide") else { return };
    // Server 1 has a saved state on each side of what is looked at, and further away something that is shown.
    let mut run = Writer::new();
    run.start(2);
    let saved = || What::Saved { bytes: 9, snapshot: None };
    run.add(1, None, What::Applied { index: 1, command: "far".into() });
    run.add(1, None, saved());
    let chosen = run.add(0, None, What::Applied { index: 1, command: "here".into() });
    run.add(1, None, saved());
    let page = drive(
        &browser,
        &run.finish(2, None),
        &format!("#sel={chosen}"),
        r##"
  said.start = status();
  const saves = [...document.querySelectorAll("#filters button")].find((one) => one.textContent.includes("save"));
  if (saves.getAttribute("aria-pressed") === "true") saves.click();
  key("ArrowDown"); said.below = status();
  key("ArrowUp"); said.back = status();
"##,
    );
    let said = |name: &str| page.said[name].as_str().expect("a text");
    assert!(said("start").contains("here"), "{}", said("start"));
    assert!(said("below").contains("far"), "{}", said("below"));
    assert!(said("back").contains("here"), "{}", said("back"));
}
