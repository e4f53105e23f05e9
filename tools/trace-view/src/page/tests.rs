//! What is in a page, and what never is.

use run_record::trace::{Event, Footer, Header, LogChange, LogEntry, Role, SpanOf, State, VERSION};
use serde_json::json;

use super::*;

/// A failed run whose every text is `text`.
fn trace(text: &str) -> Trace {
    let text = || text.to_string();
    let header = Header {
        trace: VERSION,
        test: text(),
        title: text(),
        part: text(),
        package: text(),
        clock: Clock::Sim,
        seed: Some(u64::MAX),
        setting: Some(text()),
        replay: text(),
        lanes: vec![text(), text()],
        servers: 2,
    };
    let verdict = Verdict {
        check: text(),
        words: text(),
        us: 1_000_002,
        servers: vec![0, 1],
        facts: vec![
            Fact { text: text(), us: Some(3), server: Some(1) },
            Fact { text: text(), us: None, server: None },
        ],
        hint: Some(text()),
        index: Some(1),
        task: Some(text()),
        location: Some(text()),
        details: vec![text(), text()],
    };
    let log =
        LogChange { from: 1, entries: vec![LogEntry { term: 1, command: text() }], base: None };
    let value = || json!({ text(): text(), "deep": [{ "command": text() }], "term": 3 });
    let whats = [
        What::Started,
        What::Sent { call: 1, to: 1, method: text(), args: value(), bytes: 1 },
        What::Delivered { call: 1 },
        What::Replied { call: 1, reply: value(), bytes: 1 },
        What::Offered { command: text(), index: Some(1), term: Some(1) },
        What::Applied { index: 1, command: text() },
        What::State(State {
            role: Role::Leader,
            term: 1,
            vote: None,
            commit: None,
            log: Some(log),
        }),
        What::Begin { span: 1, of: SpanOf::User, name: text() },
        What::End { span: 1, text: text() },
        What::Note { topic: text(), text: text() },
        What::Violation { verdict: verdict.clone() },
    ];
    let event =
        |n, what| Event { n, us: n * 10, lane: Some(0), task: text(), cause: Some(1), what };
    let events: Vec<_> = (1..).zip(whats).map(|(n, what)| event(n, what)).collect();
    let footer = Some(Footer { end_us: 2_000_000, events: 11, verdict: Some(verdict) });
    Trace { header, events, footer }
}

/// What stands between the tags of the data.
fn data_of(page: &str) -> &str {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"trace\">").unwrap();
    rest.split_once("</script>").unwrap().0
}

/// The page without its data, style and script.
fn markup(page: &str) -> String {
    let mut out = page.to_string();
    for (begin, end) in [("<style", "</style>"), ("<script", "</script>"), ("<script", "</script>")]
    {
        let from = out.find(begin).unwrap();
        let to = from + out[from..].find(end).unwrap() + end.len();
        out.replace_range(from..to, "");
    }
    out
}

/// Checks that each element is closed in order; the page is written so that all must be.
fn check_nesting(page: &str) {
    let mut open = Vec::new();
    for tag in markup(page).split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("each tag ends");
        let name = tag.split([' ', '\n']).next().unwrap();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop().as_deref(), Some(name), "{tag}"),
            None if tag.ends_with('/') || tag.starts_with('!') => {}
            None => open.push(name.to_string()),
        }
    }
    assert!(open.is_empty(), "{open:?} stay open");
}

#[test]
fn the_page_is_well_formed_and_needs_no_network() {
    let page = render(&trace("plain"));
    check_nesting(&page);
    for address in ["http://", "https://", "src=", "@import", "url(", "{{", "fetch(", "import("] {
        assert!(!page.contains(address), "{address}");
    }
    assert!(page.contains("content=\"default-src 'none'; style-src"));
    assert_eq!((page.matches("<script").count(), page.matches("</script").count()), (2, 2));
    assert_eq!((page.matches("<style").count(), page.matches("</style").count()), (1, 1));
    assert!(!page.contains("innerHTML"), "what a trace says must go into the page as text");
}

#[test]
fn any_text_stays_text() {
    let evil =
        "</script><!--<script>alert(1)</script>]]>{{data}}\"'&\u{2028}\u{2029}\u{1b}\0\u{7f}";
    let page = render(&trace(evil));
    check_nesting(&page);
    assert_eq!((page.matches("<script").count(), page.matches("</script").count()), (2, 2));
    assert!(!page.contains("<!--"));
    let data = data_of(&page);
    assert!(!data.contains(['<', '>', '&', '\u{2028}', '\u{2029}', '\u{1b}', '\0']));
    let escaped =
        "&lt;/script&gt;&lt;!--&lt;script&gt;alert(1)&lt;/script&gt;]]&gt;{{data}}&quot;&#39;";
    assert!(page.contains(&format!("<h1>{escaped}")));
    // The title has two, the heading two, the verdict nine, the facts three; and the command.
    assert_eq!(markup(&page).matches(escaped).count(), 17);
}

#[test]
fn the_data_is_the_trace() {
    for text in ["plain", "</script>\u{2028}\"\\"] {
        let mut trace = trace(text);
        trace.header.seed = Some(MOST_EXACT);
        let value: Value = serde_json::from_str(data_of(&render(&trace))).expect("it is JSON");
        let part = |name: &str| value[name].clone();
        assert_eq!(serde_json::from_value::<Header>(part("header")).unwrap(), trace.header);
        assert_eq!(serde_json::from_value::<Vec<Event>>(part("events")).unwrap(), trace.events);
        assert_eq!(serde_json::from_value::<Option<Footer>>(part("footer")).unwrap(), trace.footer);
    }
}

#[test]
fn numbers_that_javascript_would_round_become_text() {
    let mut trace = trace("plain");
    let args = json!({ "most": MOST_EXACT, "more": MOST_EXACT + 1, "less": -1, "least": i64::MIN, "part": 0.5 });
    trace.events[1].what = What::Sent { call: 1, to: 1, method: "M".into(), args, bytes: 1 };
    let page = render(&trace);
    let value: Value = serde_json::from_str(data_of(&page)).expect("it is JSON");
    assert_eq!(value["header"]["seed"], "18446744073709551615");
    let exact = json!({ "most": MOST_EXACT, "more": "9007199254740992", "less": -1, "least": "-9223372036854775808", "part": 0.5 });
    assert_eq!(value["events"][1]["args"], exact);
    assert!(page.contains("<dt>seed</dt><dd>18446744073709551615</dd>"));
}

#[test]
fn what_came_of_the_run_is_plain_text() {
    let mut trace = trace("T");
    let page = markup(&render(&trace));
    assert!(page.contains("<title>T: failed: T</title>"));
    assert!(page.contains("<section class=\"claim bad\""));
    assert!(
        page.contains(
            "At <span class=\"time\" data-us=\"1000002\">1.000002 s</span>, servers 0, 1,"
        )
    );
    assert!(page.contains("data-us=\"3\" data-fact=\"0\">0.000003 s</span>: T</li>"));
    assert!(page.contains("<strong>Usual cause:</strong> T</p>"));
    assert!(page.contains("<pre>T\nT</pre>"));
    assert!(!page.contains("lost its beginning") && !page.contains("breaks off"));

    // A violation is a verdict, even if the process did not live to write the last line.
    trace.footer = None;
    trace.events.remove(0);
    let page = markup(&render(&trace));
    assert!(page.contains("failed: T") && page.contains("breaks off"));
    assert!(page.contains("has lost its beginning, 1 of its events"));

    trace.events.clear();
    let page = render(&trace);
    check_nesting(&page);
    assert!(page.contains("<h2>No verdict</h2>"));

    trace.footer = Some(Footer { end_us: 5, events: 0, verdict: None });
    let page = render(&trace);
    assert!(page.contains("<h2>Passed</h2>") && page.contains("No rule was broken in 0.000005 s"));
}
