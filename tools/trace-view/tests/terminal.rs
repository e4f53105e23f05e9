//! What the terminal view looks like.
//!
//! The files in `tests/golden` are what it should look like; the first line of each says what it
//! shows. `UPDATE_GOLDEN=1 cargo test -p trace-view` writes them anew.

mod scripted;

use std::fs;
use std::path::Path;

use run_record::trace::{Event, Role, State, Trace, Verdict, What};
use scripted::Script;
use serde_json::json;
use trace_view::terminal::{Options, logs, render};
use unicode_width::UnicodeWidthStr as _;

/// The view is as in a file.
#[track_caller]
fn golden(name: &str, claim: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
    let text = format!("# {claim}\n\n{text}");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &text).expect("it can be written");
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    let lines = expected.lines().zip(text.lines()).enumerate();
    let differs = lines.into_iter().find(|(_, (expected, shown))| expected != shown);
    if let Some((number, (expected, shown))) = differs {
        panic!("{name}.txt, line {}:\nexpected {expected}\nis       {shown}", number + 1);
    }
    assert_eq!(expected.lines().count(), text.lines().count(), "{name}.txt: the lines");
}

fn at(width: usize) -> Options {
    Options { width, ..Options::default() }
}

fn show(trace: &Trace, options: &Options) -> String {
    render(trace, options).expect("the options fit the trace")
}

#[test]
fn a_small_run() {
    let trace = scripted::small();
    golden("small-120", "a run of three servers that passed", &show(&trace, &at(120)));
    let all = Options { all: true, ..at(80) };
    golden("small-all-80", "the same with all heartbeats, in 80 columns", &show(&trace, &all));
    let ascii = Options { ascii: true, only: vec!["leader,vote,cluster".into()], ..at(100) };
    let text = show(&trace, &ascii);
    assert!(text.is_ascii(), "{text}");
    golden("small-ascii-100", "elections in ASCII", &text);
}

#[test]
fn a_long_run_that_failed() {
    let trace = scripted::long();
    for width in [80, 120, 200] {
        let claim = "two commands at one index: the verdict, the logs, and what led to it";
        golden(&format!("long-{width}"), claim, &show(&trace, &at(width)));
    }
    let slow = Options { from: Some(400_000), to: Some(600_000), ..at(160) };
    let claim = "a bad network: messages that take time, are lost, and are late";
    golden("long-unreliable-160", claim, &show(&trace, &slow));
}

#[test]
fn the_story_of_an_event_and_of_a_call() {
    let trace = scripted::long();
    let apply = Options { causes_of: Some(2322), ..at(120) };
    golden("long-causes-120", "why server 3 applied 201", &show(&trace, &apply));
    let call = Options { call: Some(406), ..at(120) };
    golden("long-call-120", "the call that brought 201 to server 1", &show(&trace, &call));
}

#[test]
fn snapshots() {
    let trace = scripted::snapshots(true);
    let claim = "a snapshot is taken, sent and installed, and logs begin behind it";
    golden("snapshots-120", claim, &show(&trace, &at(120)));
    let text = logs(&trace, 2, 3, None, &at(120));
    golden("snapshots-logs", "logs that begin behind a snapshot", &text);
    let only = Options { only: vec!["snapshot".into()], ..at(80) };
    let text = show(&scripted::snapshots(false), &only);
    golden("snapshots-inferred-80", "the same of servers that do not report", &text);
}

#[test]
fn seven_servers() {
    let mut script = Script::new(7).begin();
    script.wait(320);
    script.campaign(6);
    script.offer(6, "a command that is rather long");
    script.lead(6, 110);
    let trace = script.passed();
    for width in [80, 200] {
        let text = show(&trace, &Options { from: Some(1), ..at(width) });
        golden(&format!("seven-{width}"), "seven servers agree on a long command", &text);
    }
}

#[test]
fn servers_that_do_not_report_their_state() {
    let mut script = Script::new(3);
    script.reports = false;
    script = script.begin();
    script.wait(300);
    script.campaign(0);
    script.offer(0, "x");
    script.lead(0, 220);
    let trace = script.passed();
    let claim = "a Raft that does not report its state: roles and terms are inferred";
    golden("inferred-120", claim, &show(&trace, &at(120)));
}

#[test]
fn a_trace_without_beginning_and_end() {
    let mut trace = scripted::small();
    trace.events.drain(..60);
    trace.events.truncate(40);
    trace.footer = None;
    golden("torn-100", "a trace that has lost its beginning and its end", &show(&trace, &at(100)));
}

#[test]
fn logs_side_by_side() {
    let trace = scripted::long();
    let text =
        logs(&trace, 8, 2, None, &at(100)) + "\n" + &logs(&trace, 8, 2, Some(17_300_000), &at(60));
    golden("logs", "the logs around index 8: at the verdict, and before it", &text);
    let two = Options { server: vec![2, 0], ..at(100) };
    let text = logs(&trace, 8, 2, None, &two);
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[1], ["2", "●╌", "t6", "8/8", "0", "○", "t6", "8/8"]);
    assert_eq!(rows[4], ["▶", "8", "≠", "6:200", "ca", "6:201", "ca", "≠"]);
}

#[test]
fn logs_that_only_messages_tell_stand_beside_a_verdict_too() {
    let mut script = Script::new(3);
    script.reports = false;
    script = script.begin();
    for (from, command) in [(0, "a"), (2, "b")] {
        let args = json!({
            "term": 1, "prev_log_index": 0, "prev_log_term": 0,
            "entries": [{"term": 1, "command": command}]
        });
        let method = "Raft.AppendEntries".to_string();
        let what = What::Sent { call: from as u64, to: 1, method, args, bytes: 1 };
        script.event(Some(from), what);
    }
    let verdict = Verdict { check: "Log Matching".into(), index: Some(1), ..Verdict::default() };
    let text = show(&script.failed(verdict), &at(120));
    assert!(text.contains("logs around index 1") && text.contains("1:b  ≠"), "{text}");
}

#[test]
fn colours_and_ascii_change_neither_text_nor_columns() {
    for trace in [scripted::small(), scripted::long()] {
        let plain = show(&trace, &at(120));
        let colour = show(&trace, &Options { colour: true, ..at(120) });
        assert!(colour.contains("\x1b[1;38;5;166m"), "leaders stand out");
        let mut parts = colour.split("\x1b[");
        let mut stripped = parts.next().unwrap_or_default().to_string();
        parts.for_each(|part| stripped += part.split_once('m').expect("the end of a colour").1);
        assert_eq!(stripped, plain);
        let ascii = show(&trace, &Options { ascii: true, ..at(120) });
        let widths = |text: &str| text.lines().map(|line| line.width()).collect::<Vec<_>>();
        assert_eq!(widths(&ascii), widths(&plain));
    }
}

#[test]
fn no_line_is_longer_than_the_terminal_is_wide() {
    for trace in [scripted::small(), scripted::long()] {
        for width in [80, 100, 120, 160, 200] {
            let text = show(&trace, &Options { all: true, ..at(width) });
            let long = text.lines().find(|line| line.width() > width);
            assert_eq!(long, None, "in {width} columns");
        }
    }
}

#[test]
fn details_and_panics_of_several_lines_keep_their_lines() {
    let script = Script::new(3).begin();
    let details = vec!["task raft 0 waits for lock a".into(), "  held by task raft 1".into()];
    let words = "deadlock\nsecond line".to_string();
    let verdict = Verdict { check: "deadlock".into(), words, details, ..Verdict::default() };
    let text = show(&script.failed(verdict), &Options { events: false, ..at(80) });
    for line in ["\n  deadlock\n  second line\n", "    task raft 0 waits", "\n      held by task"] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

/// What comes after the events.
fn summary(trace: &Trace) -> String {
    let text = show(trace, &at(120));
    text.split_once("\nsummary\n").expect("there is a summary").1.into()
}

#[test]
fn who_says_a_new_term_before_it_steps_down_has_not_led_it() {
    let mut trace = scripted::small();
    let steps_down = |event: &Event| match &event.what {
        What::State(state) => (event.lane, state.role, state.term) == (Some(1), Role::Follower, 2),
        _ => false,
    };
    let whole = summary(&trace);
    let place = trace.events.iter().position(steps_down).expect("server 1 hears of term 2");
    let mut between = trace.events[place].clone();
    if let What::State(state) = &mut between.what {
        state.role = Role::Leader;
    }
    trace.events.insert(place, between);
    assert_eq!(summary(&trace), whole);
    // On the real clock some time passes between two reports.
    trace.header.clock = run_record::Clock::Real;
    trace.events[place + 1..].iter_mut().for_each(|event| event.us += 30);
    let later = summary(&trace);
    assert!(!later.contains("more than one leader"), "{later}");
}

#[test]
fn who_won_and_steps_down_at_once_has_led() {
    let mut script = Script::new(3).begin();
    script.wait(300);
    script.campaign(1);
    let state = State { role: Role::Follower, term: 1, vote: Some(1), commit: None, log: None };
    script.event(Some(1), What::State(state));
    let text = summary(&script.passed());
    assert!(text.contains("t1 server 1 (0.300 s to 0.300 s)"), "{text}");
}

#[test]
fn on_the_real_clock_a_moment_is_not_a_point() {
    let mut trace = scripted::small();
    let simulated = show(&trace, &at(120)).lines().count();
    for event in &mut trace.events {
        event.us += event.n % 3;
    }
    let apart = show(&trace, &at(120)).lines().count();
    trace.header.clock = run_record::Clock::Real;
    assert_eq!(show(&trace, &at(120)).lines().count(), simulated);
    assert!(apart > simulated + 20, "{apart} and {simulated} lines");
}

/// A trace of two clients in the words of a file: one gets what the other did not leave.
fn two_clients() -> Trace {
    let header = r#"{"trace":1,"test":"basic_3A","title":"one client","part":"3A","package":"kv-tests",
        "clock":"sim","seed":7,"setting":null,"replay":"cargo test","servers":1,
        "lanes":["server 0","client 3","client 12"]}"#;
    let events = [
        r#""us":0,"lane":0,"event":"started"}"#,
        r#""us":0,"lane":0,"event":"connected"}"#,
        r#""us":1000,"lane":1,"event":"called","op":1,"text":"Put \"k\" \"new\""}"#,
        r#""us":1000,"lane":1,"event":"sent","call":1,"to":0,"method":"KV.Put","args":{"key":"k"},"bytes":9}"#,
        r#""us":2000,"lane":2,"event":"called","op":2,"text":"Get \"k\""}"#,
        r#""us":3000,"lane":0,"event":"delivered","call":1}"#,
        r#""us":3000,"lane":0,"event":"replied","call":1,"reply":{"err":"OK"},"bytes":9}"#,
        r#""us":4000,"lane":1,"event":"returned","call":1}"#,
        r#""us":4000,"lane":1,"event":"answered","op":1,"text":""}"#,
        r#""us":9000,"lane":2,"event":"answered","op":2,"text":"\"old\""}"#,
    ];
    let events = (1..).zip(events).map(|(n, rest)| format!("{{\"n\":{n},\"task\":\"t\",{rest}"));
    let footer = r#"{"end_us":9000,"events":10,"verdict":{"check":"linearizability","words":"no order fits",
        "us":9000,"servers":[],"facts":[{"text":"client 12: Get","us":2000,"server":2}]}}"#;
    let lines = [header.replace('\n', "")].into_iter().chain(events);
    let lines: Vec<String> = lines.chain([footer.replace('\n', "")]).collect();
    Trace::parse(&(lines.join("\n") + "\n")).expect("it is one")
}

#[test]
fn clients_have_bars() {
    let trace = two_clients();
    let claim = "two clients ask one server; what one of them got is what the verdict is about";
    golden("clients-120", claim, &show(&trace, &at(120)));
    // What a service applies nobody hears: that is not 0.
    assert!(!show(&trace, &at(120)).contains("last applied"));
    let ascii = Options { ascii: true, ..at(100) };
    assert!(show(&trace, &ascii).is_ascii());
    let only = Options { only: vec!["client".into()], ..at(100) };
    assert_eq!(show(&trace, &only).matches("▶").count(), 2);
}

#[test]
fn shards_that_move() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces/shard-lost.ndjson");
    let trace = Trace::read(&file).expect("it is a trace");
    let only = Options { only: vec!["shard,verdict".into()], ..at(160) };
    let claim = "a configuration moves shards, and who has them deletes them too early";
    golden("shards-160", claim, &show(&trace, &only));
    let narrow = Options { from: Some(620_000), ..at(100) };
    golden("shards-100", "the end of the same, in a narrow window", &show(&trace, &narrow));
}
