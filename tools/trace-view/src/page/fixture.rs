//! Short traces for the tests of what is worked out for a page.

use run_record::trace::{Header, Trace, Verdict};
use serde_json::{Value, json};

/// A trace of three servers with these events, each a lane and what happened, a millisecond after the one
/// before.
pub(crate) fn trace(events: &[(u32, Value)]) -> Trace {
    let header: Header = serde_json::from_value(json!({
        "trace": 1, "test": "t", "title": "T", "part": "2A", "package": "p", "clock": "sim", "seed": 1,
        "setting": null, "replay": "", "lanes": ["server 0", "server 1", "server 2"], "servers": 3
    }))
    .expect("a header");
    let event = |(n, (lane, what)): (u64, &(u32, Value))| {
        let mut event = what.clone();
        let more = json!({ "n": n, "us": n * 1000, "lane": lane, "task": "raft" });
        for (name, value) in more.as_object().expect("fields") {
            event[name] = event.get(name).unwrap_or(value).clone();
        }
        serde_json::from_value(event).expect("an event")
    };
    Trace { header, events: (1..).zip(events).map(event).collect(), footer: None }
}

/// A call that is answered at once: four events.
pub(super) fn call(
    number: u64,
    (from, to): (u32, u32),
    method: &str,
    args: Value,
    reply: Value,
) -> Vec<(u32, Value)> {
    let call = |event: &str| json!({ "event": event, "call": number });
    let sent = json!({ "event": "sent", "call": number, "to": to, "method": method, "args": args, "bytes": 9 });
    let replied = json!({ "event": "replied", "call": number, "reply": reply, "bytes": 9 });
    vec![(from, sent), (to, call("delivered")), (to, replied), (from, call("returned"))]
}

/// A request for a vote, answered.
pub(super) fn vote(number: u64, from: u32, to: u32, term: u64, yes: bool) -> Vec<(u32, Value)> {
    let args = json!({ "term": term, "last_log_index": 4, "last_log_term": 1 });
    call(number, (from, to), "Raft.RequestVote", args, json!({ "term": term, "granted": yes }))
}

/// A server says that it leads.
pub(super) fn leads(server: u32, term: u64) -> (u32, Value) {
    (server, json!({ "event": "state", "role": "leader", "term": term, "vote": server }))
}

/// A verdict about servers 0 and 1 at the end of a trace.
pub(super) fn verdict(trace: &Trace, location: &str) -> Verdict {
    Verdict {
        us: trace.events.last().map_or(0, |event| event.us),
        servers: vec![0, 1],
        location: Some(location.into()),
        ..Verdict::default()
    }
}
