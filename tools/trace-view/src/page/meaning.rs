//! What the messages of a trace mean, for the page's scripts: worked out here, by the table of names
//! that all tools share, and nowhere else.

use run_record::names::{self, Name};
use run_record::trace::{Trace, What};
use serde_json::{Map, Value, json};

use crate::fields::{Kind, answer, entries, entry_count, entry_parts, number, object};
use crate::replay::Replay;

/// What is added to the data of an event.
pub(super) fn of(what: &What) -> Option<Value> {
    match what {
        What::Sent { method, args, .. } => Some(request(method, args)),
        What::Replied { reply, .. } => Some(answered(reply)),
        _ => None,
    }
}

/// A request: what it is for, its term, where it joins on to a log, and how many entries it brings.
fn request(method: &str, args: &Value) -> Value {
    let is_pre_vote = names::is(names::method(method), Name::PreVoteMethod);
    let kind = if is_pre_vote { Kind::Vote } else { Kind::of(method, args) };
    let args = object(args);
    let mut is = Map::new();
    let word = match kind {
        Kind::Vote => "vote",
        Kind::Append => "append",
        Kind::Heartbeat => "heartbeat",
        Kind::Other => "call",
    };
    is.insert("kind".into(), word.into());
    let (index, term) = match kind {
        Kind::Other => return Value::Object(is),
        Kind::Vote => (Name::LastIndex, Name::LastTerm),
        Kind::Append | Kind::Heartbeat => (Name::PrevIndex, Name::PrevTerm),
    };
    let mut put = |name: &str, value: Option<u64>| {
        if let Some(value) = value {
            is.insert(name.into(), value.into());
        }
    };
    put("term", number(args, Name::Term));
    put("at", number(args, index));
    put("at_term", number(args, term));
    if kind == Kind::Append {
        put("count", Some(entry_count(args)));
        put("last_term", entries(args).and_then(|list| entry_parts(list.last()?).0));
    }
    Value::Object(is)
}

/// A reply: yes or no, and the numbers that it gives besides.
fn answered(reply: &Value) -> Value {
    let yes = answer(object(reply));
    let mut is = Map::new();
    if let Some(yes) = yes {
        is.insert("yes".into(), yes.into());
    }
    let fields = object(reply).as_object().filter(|_| yes == Some(false));
    let is_known = |name: &str| names::is(name, Name::Term) || names::is(name, Name::Yes);
    let more: Vec<Value> = fields
        .into_iter()
        .flatten()
        .filter(|(name, value)| !is_known(name) && (value.is_number() || value.is_null()))
        .map(|(name, value)| json!([name, value]))
        .collect();
    if !more.is_empty() {
        is.insert("more".into(), more.into());
    }
    Value::Object(is)
}

/// How the logs of servers change that do not say it themselves, by event: what a server sends it has,
/// what it accepts it has from then on, and what it takes from the tester too.
pub(super) fn learned(trace: &Trace) -> Vec<Option<Value>> {
    let reports = |lane: Option<u32>| {
        trace.events.iter().any(|event| {
            event.lane == lane && matches!(&event.what, What::State(state) if state.log.is_some())
        })
    };
    let silent: Vec<u32> = (0..trace.header.servers.min(crate::replay::MOST_SERVERS))
        .filter(|lane| !reports(Some(*lane)))
        .collect();
    let mut replay = Replay::new(trace);
    let mut all = Vec::with_capacity(trace.events.len());
    while let Some(event) = replay.step() {
        let lane = event.lane.filter(|lane| silent.contains(lane));
        all.push(lane.and_then(|lane| change(&mut replay, lane)));
    }
    all
}

fn change(replay: &mut Replay<'_>, lane: u32) -> Option<Value> {
    let (from, log) = replay.take_change(lane)?;
    let entry = |index| match log.get(index) {
        Some(entry) => json!({ "term": entry.term, "command": entry.command }),
        None => Value::Null,
    };
    let entries: Vec<Value> = (from..=log.last()).map(entry).collect();
    Some(json!({ "from": from, "entries": entries }))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{call, trace};
    use super::*;

    fn append(entries: &Value, reply: Value) -> Vec<(u32, Value)> {
        let args =
            json!({ "term": 3, "prev_log_index": 2, "prev_log_term": 1, "entries": entries });
        call(1, (0, 1), "Raft.AppendEntries", args, reply)
    }

    #[test]
    fn a_message_says_what_it_asks_and_answers() {
        let entries = json!([{ "term": 2, "command": "x" }]);
        let no = json!({ "term": 3, "success": false, "conflict_index": 4, "hint": "h" });
        let is: Vec<_> = trace(&append(&entries, no)).events.iter().map(|e| of(&e.what)).collect();
        let asked = json!({ "kind": "append", "term": 3, "at": 2, "at_term": 1, "count": 1, "last_term": 2 });
        assert_eq!(is[0], Some(asked));
        assert_eq!(is[2], Some(json!({ "yes": false, "more": [["conflict_index", 4]] })));
        assert_eq!(is[1], None);
    }

    #[test]
    fn a_log_that_nobody_reports_is_learned_from_messages() {
        let entries = json!([{ "term": 2, "command": "x" }, { "term": 3, "command": "y" }]);
        let trace = trace(&append(&entries, json!({ "term": 3, "success": true })));
        let learned = learned(&trace);
        let entries = json!([{ "term": 2, "command": "x" }, { "term": 3, "command": "y" }]);
        let change = Some(json!({ "from": 3, "entries": entries }));
        assert_eq!(learned, [change.clone(), None, change, None]);
    }
}
