//! Whatever is in a trace, it is shown, and it cannot steer the terminal.

mod scripted;

use run_record::trace::{Event, Trace, What};
use serde_json::{Value, json};
use trace_view::page;
use trace_view::replay::Replay;
use trace_view::terminal::{Options, logs, render};

/// Numbers that look as if they were random, the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Values that nobody expects in a trace.
fn odd() -> Vec<Value> {
    vec![
        json!(0),
        json!(1),
        json!(2),
        json!(7),
        json!(u32::MAX),
        json!(u64::MAX),
        json!(u64::MAX - 1),
        Value::Null,
        json!(""),
        json!("\x1b[2J\x1b]0;title\x07\r\n\tx\u{9b}31m"),
        json!("漢字かな交じり文👩‍👩‍👧‍👦\u{202e}\u{200b}e\u{301}"),
        json!([]),
        json!([{"term": 1}]),
        json!({"term": u64::MAX, "entries": [1, "a", [2]], "prev_log_index": u64::MAX}),
        json!({"success": false, "conflict": {"index": u64::MAX}}),
        json!(true),
        json!(-1.5),
        json!("state"),
        json!("leader"),
        json!("delivered"),
    ]
}

/// The lines of a trace.
fn lines(trace: &Trace) -> Vec<Value> {
    let mut lines = vec![serde_json::to_value(&trace.header).expect("JSON")];
    lines.extend(trace.events.iter().map(|event| serde_json::to_value(event).expect("JSON")));
    lines.extend(trace.footer.iter().map(|footer| serde_json::to_value(footer).expect("JSON")));
    lines
}

/// The same of servers that do not tell what their logs are.
fn without_logs(mut lines: Vec<Value>) -> Vec<Value> {
    let events = lines.iter_mut().filter_map(Value::as_object_mut);
    events.for_each(|fields| drop(fields.remove("log")));
    lines
}

/// Changes something in a line, if the line then still is one.
fn mutate<T>(line: &Value, random: &mut Random) -> Value
where
    T: serde::de::DeserializeOwned,
{
    let mut changed = line.clone();
    for _ in 0..=random.below(3) {
        let Some(fields) = changed.as_object_mut() else { continue };
        let names: Vec<String> = fields.keys().cloned().collect();
        let name = random.pick(&names).clone();
        match random.below(4) {
            0 => drop(fields.remove(&name)),
            _ => drop(fields.insert(name, random.pick(&odd()).clone())),
        }
    }
    match serde_json::from_value::<T>(changed.clone()) {
        Ok(_) => changed,
        Err(_) => line.clone(),
    }
}

/// A trace with much in it that makes no sense.
fn nonsense(of: &[Value], seed: u64) -> Trace {
    let random = &mut Random(seed);
    let mut lines = of.to_vec();
    for _ in 0..40 {
        let at = random.below(lines.len());
        match random.below(8) {
            // The header stays the first line.
            0 if at > 0 => drop(lines.remove(at)),
            1 if at > 0 => lines.insert(at, random.pick(of).clone()),
            2 if at > 1 => lines.swap(at, at - 1),
            _ if at == 0 => lines[0] = mutate::<run_record::trace::Header>(&lines[0], random),
            _ if lines[at].get("end_us").is_some() => {
                lines[at] = mutate::<run_record::trace::Footer>(&lines[at], random);
            }
            _ => lines[at] = mutate::<Event>(&lines[at], random),
        }
    }
    read(&lines)
}

fn read(lines: &[Value]) -> Trace {
    let header = serde_json::from_value(lines[0].clone()).expect("it is checked");
    let events = lines.iter().filter_map(|line| serde_json::from_value(line.clone()).ok());
    let footer = lines.iter().rev().find_map(|line| serde_json::from_value(line.clone()).ok());
    Trace { header, events: events.collect(), footer }
}

fn options(trace: &Trace, random: &mut Random) -> Options {
    let n = trace.events.get(random.below(trace.events.len())).map(|event| event.n);
    let call = trace.events.iter().find_map(|event| match event.what {
        What::Replied { call, .. } => Some(call),
        _ => None,
    });
    let mut options = Options {
        width: *random.pick(&[0, 20, 80, 120, 200, usize::MAX]),
        all: random.below(2) == 0,
        wide: random.below(3) == 0,
        ascii: random.below(4) == 0,
        ..Options::default()
    };
    match random.below(6) {
        0 => options.causes_of = n,
        1 => options.call = call,
        2 => options.grep = Some("1".into()),
        3 => options.max_lines = Some(random.below(30)),
        4 => options.server = vec![0],
        _ => {}
    }
    options
}

#[track_caller]
fn harmless(text: &str) {
    let bad = text.chars().find(|c| c.is_control() && *c != '\n' || *c == '\u{202e}');
    assert_eq!(bad, None, "{text}");
}

#[test]
fn nonsense_is_shown_as_what_it_is() {
    let shards = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/traces/shard-lost.ndjson");
    let shards = Trace::read(shards.as_ref()).expect("it is a trace");
    let (small, shards) = (lines(&scripted::small()), lines(&shards));
    let silent = without_logs(small.clone());
    for seed in 0..400 {
        let of = [&shards, &silent, &small, &small][seed as usize % 4];
        let trace = nonsense(of, seed);
        let random = &mut Random(seed + 1000);
        let options = options(&trace, random);
        // A header without servers has no server to ask for.
        match render(&trace, &options) {
            Ok(text) => harmless(&text),
            Err(error) => harmless(&error.to_string()),
        }
        let index = *random.pick(&[0, 1, 2, u64::MAX]);
        harmless(&logs(&trace, index, *random.pick(&[0, 3, u64::MAX]), Some(700_000), &options));
        // That nothing in it steers a browser, the page's own tests tell; here it comes to its end.
        if of == &silent {
            assert!(page::render(&trace).ends_with("</html>\n"));
        }
    }
}

#[test]
fn an_absurd_index_takes_no_room() {
    const ABSURD: [u64; 3] = [u32::MAX as u64, u64::MAX - 1, u64::MAX];
    let silent = without_logs(lines(&scripted::small()));
    let indices = ["/index", "/args/prev_log_index", "/args/last_included_index"];
    let places = |line: &Value| indices.map(|index| line.pointer(index).map(|_| index));
    let places = silent.iter().map(places).enumerate();
    let mut shown = 0;
    for (at, index) in places.flat_map(|(at, all)| all.into_iter().flatten().map(move |i| (at, i)))
    {
        let mut lines = silent.clone();
        *lines[at].pointer_mut(index).expect("it is there") = ABSURD[shown % 3].into();
        let trace = read(&lines);
        harmless(&render(&trace, &Options::default()).expect("there are no filters"));
        assert!(page::render(&trace).ends_with("</html>\n"));
        shown += 1;
    }
    assert!(shown > 20, "{shown}");
}

#[test]
fn each_beginning_and_each_end_of_a_trace_is_shown() {
    let whole = scripted::small();
    for cut in 0..whole.events.len() {
        let mut first = whole.clone();
        first.events.truncate(cut);
        first.footer = None;
        let mut last = whole.clone();
        last.events.drain(..cut);
        for trace in [first, last] {
            let text = render(&trace, &Options { all: true, ..Options::default() });
            harmless(&text.expect("there are no filters"));
        }
    }
}

#[test]
fn escapes_in_names_notes_and_commands_do_nothing() {
    const EVIL: &str = "\x1b[31mred\x1b[0m\x07\r\n\u{202e}漢";
    let mut script = scripted::Script::new(3).begin();
    script.campaign(0);
    script.offer(0, EVIL);
    script.note(1, EVIL, EVIL);
    script.span(EVIL);
    script.lead(0, 110);
    let mut trace = script.passed();
    trace.header.lanes[1] = EVIL.into();
    trace.header.lanes[2] = format!("server {EVIL}-0"); // of a group
    trace.header.replay = EVIL.into();
    trace.header.title = EVIL.into();
    for wide in [false, true] {
        let text = render(&trace, &Options { wide, ..Options::default() }).expect("no filters");
        harmless(&text);
        assert!(text.contains("\\u{1b}[31mred"), "{text}");
    }
    let topic = Options { only: vec![EVIL.into()], ..Options::default() };
    let error = render(&trace, &Options { only: vec!["x".into()], ..topic.clone() });
    harmless(&error.expect_err("there is no such topic").to_string());
}

#[test]
fn the_names_of_clients_above_their_bars_do_nothing() {
    let mut trace = scripted::small();
    // Above the bars stands the last character of each name: together they would clear the screen.
    for (op, last) in ('\0'..'\u{a0}').enumerate() {
        trace.header.lanes.truncate(3);
        let names = [last, '[', '2', 'J'].map(|last| format!("client {last}"));
        trace.header.lanes.extend(names);
        for (lane, event) in (3..7).zip(&mut trace.events) {
            event.lane = Some(lane);
            event.what = What::Called { op: op as u64, text: String::new() };
        }
        for ascii in [false, true] {
            let options = Options { ascii, ..Options::default() };
            harmless(&render(&trace, &options).expect("no filters"));
        }
    }
}

#[test]
fn lanes_beyond_the_servers_say_whose_they_are() {
    let mut trace = scripted::small();
    trace.header.lanes.push("client".into());
    for event in &mut trace.events {
        if let What::Note { .. } = event.what {
            event.lane = Some(3);
        }
    }
    let text = render(&trace, &Options::default()).expect("no filters");
    assert!(text.contains("client: timer: heartbeats"), "{text}");
    let lane = Options { server: vec![3], ..Options::default() };
    let text = render(&trace, &lane).expect("it is a lane");
    assert!(text.contains("client: timer: heartbeats"), "{text}");
}

#[test]
fn no_servers_and_far_too_many() {
    for servers in [0, 1, 64, 1000, u32::MAX] {
        let mut trace = scripted::small();
        trace.header.servers = servers;
        assert!(Replay::new(&trace).servers().len() <= 64);
        harmless(&render(&trace, &Options::default()).expect("no filters"));
        trace.events.clear();
        harmless(&render(&trace, &Options::default()).expect("no filters"));
    }
}

#[test]
fn events_of_a_later_version_are_shown_as_such() {
    let mut trace = scripted::small();
    trace.events[40].what = What::Unknown;
    let all = Options { all: true, ..Options::default() };
    let text = render(&trace, &all).expect("no filters");
    assert!(text.contains("something that this progr"), "{text}");
}
