//! However long a run is, and whatever its messages hold: memory, trace and page stay bounded.

use labgob::{Deserialize, Gob, Serialize};
use labtrace::{Keep, LogBase, LogChange, LogEntry, Role, Session, SpanOf, State, What};
use run_record::Clock;
use run_record::trace::{Event, Footer, Header, Trace, VERSION};
use serde_json::Value;

const MIB: u64 = 1 << 20;
/// The most that a trace may take as a file, and that its page may.
const TRACE: u64 = 50 * MIB;
/// The most memory that recording one may take.
const MEMORY: u64 = 160 * MIB;
/// The most that making its events ready to be written may take besides.
const MEMORY_AT_THE_END: u64 = 500 * MIB;

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
struct AppendEntries {
    term: u64,
    leader_id: u32,
    prev_log_index: u64,
    prev_log_term: u64,
    entries: Vec<Entry>,
    leader_commit: u64,
}

#[derive(Clone, Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
struct Entry {
    term: u64,
    command: Vec<u8>,
}

fn session(keep: Keep) -> Session {
    Session::new(keep, (0..3).map(|server| format!("server {server}")).collect())
}

fn append(entries: u64, command: usize) -> Vec<u8> {
    append_of(entries, &vec![b'x'; command])
}

fn append_of(entries: u64, command: &[u8]) -> Vec<u8> {
    let entry = |index: u64| Entry { term: index, command: command.to_vec() };
    labgob::encode(&AppendEntries {
        term: 7,
        leader_id: 1,
        prev_log_index: 9,
        prev_log_term: 6,
        entries: (0..entries).map(entry).collect(),
        leader_commit: 9,
    })
}

fn send(session: &Session, call: u64, message: &[u8]) {
    let method = "Raft.AppendEntries".to_string();
    let what = What::Sent { call, to: 2, method, args: Value::Null, bytes: message.len() as u64 };
    session.record_message(Some(1), what, message, AppendEntries::SHAPE);
}

/// Takes what was recorded out of a session; checks memory and the sizes of the file and of its page.
#[track_caller]
fn written(session: &Session) -> Vec<Event> {
    let mut recorded = None;
    let memory = allocation_counter::measure(|| recorded = Some(session.take()));
    assert!(memory.bytes_max < MEMORY_AT_THE_END, "{} MiB", memory.bytes_max / MIB);
    let recorded = recorded.expect("it was taken");
    let header = Header {
        trace: VERSION,
        test: "t".into(),
        title: "T".into(),
        part: "2C".into(),
        package: "p".into(),
        clock: Clock::Sim,
        seed: Some(0),
        setting: None,
        replay: String::new(),
        lanes: vec!["server 0".into(), "server 1".into(), "server 2".into()],
        servers: 3,
    };
    let footer = Some(Footer { end_us: 1, events: recorded.total, verdict: None });
    let trace = Trace { header, events: recorded.events, footer };
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("t.ndjson");
    trace.write(&file).expect("it can be written");
    let size = std::fs::metadata(&file).expect("it is there").len();
    println!("{} events, {size} bytes", trace.events.len());
    assert!(size < TRACE, "{} MiB", size / MIB);
    let page = trace_view::page::render(&trace).len() as u64;
    println!("{page} bytes of page");
    assert!(page < TRACE, "{} MiB of page", page / MIB);
    assert!(trace.events.is_sorted_by(|a, b| a.n < b.n), "the order of a trace");
    assert!(trace.events.is_sorted_by_key(|event| event.us), "the times of a trace");
    let missing = trace.events.iter().map(|event| match event.what {
        What::LeftOut { events, .. } => events,
        _ => 1,
    });
    assert_eq!(missing.sum::<u64>(), recorded.total, "each event is here or counted");
    trace.events
}

#[track_caller]
fn recorded(session: &Session, record: impl FnOnce()) -> Vec<Event> {
    let memory = allocation_counter::measure(record);
    println!("{} MiB", memory.bytes_max / MIB);
    assert!(memory.bytes_max < MEMORY, "{} MiB", memory.bytes_max / MIB);
    written(session)
}

#[test]
fn a_run_that_spins_has_a_beginning_and_an_end_in_its_trace() {
    let session = session(Keep::All);
    let heartbeat = append(0, 0);
    let events =
        recorded(&session, || (1..=1_500_000).for_each(|call| send(&session, call, &heartbeat)));
    assert_eq!(events[0].n, 1);
    assert_eq!(events.last().map(|event| event.n), Some(1_500_000));
    let gaps = events.iter().filter(|event| matches!(event.what, What::LeftOut { .. }));
    assert_eq!(gaps.count(), 1, "it says once what is missing");
}

#[test]
fn large_messages_take_little_room() {
    let session = session(Keep::All);
    let message = append(400, 20);
    let events =
        recorded(&session, || (1..=20_000).for_each(|call| send(&session, call, &message)));
    assert_eq!(events.len(), 20_000, "shortened, they all fit");
}

/// Letters that a page writes as six bytes, and such that both trace and page write as more than one.
#[test]
fn a_page_stays_small_whatever_letters_its_texts_have() {
    for letters in ["<>&", "\u{1}", "\"\\", "\u{2028}", "\u{7f}"] {
        let session = session(Keep::All);
        let text = letters.repeat(1000);
        let commands = append_of(40, letters.repeat(100).as_bytes());
        for call in 1..=6000 {
            session.record(None, What::Note { topic: "t".into(), text: text.clone() });
            session.record(Some(0), What::Applied { index: call, command: text.clone() });
            send(&session, call, &commands);
        }
        written(&session);
    }
}

#[test]
fn a_ring_of_the_last_events_is_bounded_by_their_size_too() {
    let session = session(Keep::Last(1 << 15));
    let note = |_| {
        session.record(None, What::Note { topic: "t".into(), text: "x".repeat(1 << 20) });
    };
    let memory = allocation_counter::measure(|| (0..10_000).for_each(note));
    assert!(memory.bytes_max < MEMORY, "{} MiB", memory.bytes_max / MIB);
    let recorded = session.take();
    assert!(recorded.events.len() > 1000 && recorded.total == 10_000);
}

/// As much as a trace may hold.
fn fill(session: &Session) {
    let note = || What::Note { topic: "t".into(), text: "x".repeat(8000) };
    (0..4000).for_each(|_| {
        session.record(None, note());
    });
}

#[test]
fn a_log_behind_the_gap_begins_at_its_base() {
    let session = session(Keep::All);
    let state = |log| {
        let state = State { role: Role::Leader, term: 3, vote: None, commit: None, log: Some(log) };
        session.record(Some(1), What::State(state));
    };
    let entry = |command: &str| LogEntry { term: 3, command: command.into() };
    let base = Some(LogBase { index: 2, term: 3 });
    fill(&session);
    state(LogChange { from: 1, entries: ["a", "b", "c"].map(entry).into(), base: None });
    state(LogChange { from: 4, entries: Vec::new(), base });
    state(LogChange { from: 4, entries: vec![entry("d")], base: None });
    fill(&session);
    let logs = written(&session).into_iter().filter_map(|event| match event.what {
        What::State(state) => state.log,
        _ => None,
    });
    let kept = LogChange { from: 3, entries: ["c", "d"].map(entry).into(), base };
    assert_eq!(logs.collect::<Vec<_>>(), [kept]);
}

/// Whoever tells of a log may count as it likes.
#[test]
fn a_log_may_begin_anywhere() {
    let session = session(Keep::All);
    let base = Some(LogBase { index: u64::MAX, term: 0 });
    let entries = vec![LogEntry { term: 3, command: "a".into() }];
    fill(&session);
    for from in [1, u64::MAX] {
        let log = Some(LogChange { from, entries: entries.clone(), base });
        let state = State { role: Role::Leader, term: 3, vote: None, commit: None, log };
        session.record(Some(1), What::State(state));
    }
    fill(&session);
    let logs = written(&session).into_iter().filter_map(|event| match event.what {
        What::State(state) => state.log,
        _ => None,
    });
    assert_eq!(logs.map(|log| (log.from, log.base)).collect::<Vec<_>>(), [(u64::MAX, base)]);
}

#[test]
fn what_still_holds_behind_the_gap_is_kept() {
    let session = session(Keep::All);
    let log = |from: u64, command: &str| {
        let entry = LogEntry { term: 3, command: command.into() };
        Some(LogChange { from, entries: vec![entry], base: None })
    };
    let state = |term, log| {
        let state = State { role: Role::Leader, term, vote: None, commit: None, log };
        session.record(Some(1), What::State(state));
    };
    let fill = || fill(&session);
    fill();
    session.record(Some(0), What::Connected);
    let begin = |span| What::Begin { span, of: SpanOf::Tester, name: format!("check {span}") };
    session.record(None, begin(1));
    session.record(None, begin(2));
    state(3, log(1, "a"));
    session.record(Some(0), What::Disconnected);
    state(4, log(2, "b"));
    state(5, log(2, "c"));
    session.record(None, What::End { span: 1, text: String::new() });
    fill();
    let events = written(&session);
    let at = events.iter().position(|event| matches!(event.what, What::LeftOut { .. }));
    let kept: Vec<&What> = events[at.expect("a gap") + 1..].iter().map(|e| &e.what).collect();
    let State { term, log, .. } = match kept[..3] {
        [What::Begin { span: 2, .. }, What::Disconnected, What::State(state)] => state.clone(),
        _ => panic!("{:?}", &kept[..3]),
    };
    let commands: Vec<String> =
        log.into_iter().flat_map(|log| log.entries).map(|entry| entry.command).collect();
    assert_eq!((term, commands), (5, vec!["a".to_string(), "c".to_string()]));
    assert!(kept[3..].iter().all(|what| matches!(what, What::Note { .. })));
}

#[test]
fn the_last_word_on_shards_is_kept() {
    let session = session(Keep::All);
    let shards = |lane, config| {
        let what = What::Shards { group: 100, config, serves: vec![1, 2], keeps: vec![3] };
        session.record(Some(lane), what);
    };
    let configured = |config| {
        session.record(None, What::Configured { config, owners: vec![100; 10] });
    };
    fill(&session);
    shards(0, 1);
    shards(1, 1);
    shards(0, 2);
    configured(2);
    configured(3);
    fill(&session);
    let kept = written(&session).into_iter().filter_map(|event| match event.what {
        What::Shards { config, .. } => Some((event.lane, config)),
        What::Configured { config, .. } => Some((None, config)),
        _ => None,
    });
    assert_eq!(kept.collect::<Vec<_>>(), [(Some(1), 1), (Some(0), 2), (None, 3)]);
}
