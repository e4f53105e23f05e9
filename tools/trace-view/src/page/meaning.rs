//! What the messages of a trace mean, for the page's scripts: worked out here, by the table of names
//! that all tools share, and nowhere else.

use std::collections::BTreeMap;

use run_record::names::{self, Name};
use run_record::trace::{Trace, What};
use serde_json::{Map, Value, json};

use crate::fields::{
    Kind, answer, entries, entry_count, entry_parts, installs, number, object, snapshot_bytes,
};
use crate::replay::Replay;

/// What is added to the data of each event.
pub(super) fn all(trace: &Trace) -> Vec<Option<Value>> {
    // What a reply to one of these says depends on its request.
    let mut snapshots = BTreeMap::new();
    let mut all = Vec::with_capacity(trace.events.len());
    for event in &trace.events {
        all.push(match &event.what {
            What::Sent { call, method, args, .. } => {
                if Kind::of(method, args) == Kind::Snapshot {
                    snapshots.insert(*call, args);
                }
                Some(request(method, args))
            }
            What::Replied { call, reply, .. } => {
                let yes = match snapshots.remove(call) {
                    Some(args) => installs(args, reply),
                    None => answer(object(reply)),
                };
                Some(answered(reply, yes))
            }
            What::RepliedAgain { reply, .. } => Some(answered(reply, answer(object(reply)))),
            _ => None,
        });
    }
    all
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
        Kind::Snapshot => "snapshot",
        Kind::Other => "call",
    };
    is.insert("kind".into(), word.into());
    let (index, term) = match kind {
        Kind::Other => return Value::Object(is),
        Kind::Vote => (Name::LastIndex, Name::LastTerm),
        Kind::Append | Kind::Heartbeat => (Name::PrevIndex, Name::PrevTerm),
        Kind::Snapshot => (Name::IncludedIndex, Name::IncludedTerm),
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
    if kind == Kind::Snapshot {
        put("bytes", snapshot_bytes(args));
    }
    Value::Object(is)
}

/// A reply: yes or no, and the numbers that it gives besides.
fn answered(reply: &Value, yes: Option<bool>) -> Value {
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
    let from = from.max(log.base().saturating_add(1));
    let entries: Vec<Value> = (from..=log.last()).map(entry).collect();
    let mut change = json!({ "from": from, "entries": entries });
    if log.base() > 0 {
        change["base"] = json!({ "index": log.base(), "term": log.base_term() });
    }
    Some(change)
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
        let is = all(&trace(&append(&entries, no)));
        let asked = json!({ "kind": "append", "term": 3, "at": 2, "at_term": 1, "count": 1, "last_term": 2 });
        assert_eq!(is[0], Some(asked));
        assert_eq!(is[2], Some(json!({ "yes": false, "more": [["conflict_index", 4]] })));
        assert_eq!(is[1], None);
    }

    #[test]
    fn a_snapshot_says_its_place_and_size_and_is_answered_by_a_term() {
        let args = json!({
            "Term": 3, "LeaderId": 0, "LastIncludedIndex": 9, "LastIncludedTerm": 2, "Data": "0x0102"
        });
        let answered = |term: u64| {
            let call =
                call(1, (0, 1), "Raft.InstallSnapshot", args.clone(), json!({ "Term": term }));
            let mut is = all(&trace(&call));
            (is.remove(0), is.remove(1))
        };
        let asked = json!({ "kind": "snapshot", "term": 3, "at": 9, "at_term": 2, "bytes": 2 });
        assert_eq!(answered(3), (Some(asked.clone()), Some(json!({ "yes": true }))));
        assert_eq!(answered(4), (Some(asked), Some(json!({ "yes": false }))));
    }

    #[test]
    fn a_log_that_nobody_reports_begins_behind_its_snapshot() {
        let entries = json!([{ "term": 2, "command": "x" }, { "term": 3, "command": "y" }]);
        let mut events = append(&entries, json!({ "term": 3, "success": true }));
        events.push((1, json!({ "event": "snapshot", "index": 3, "bytes": 5 })));
        let (term, data) = (3, "all");
        let args = json!({ "term": term, "last_included_index": 9, "last_included_term": 3, "data": data });
        events.extend(call(2, (0, 1), "Raft.InstallSnapshot", args, json!({ "term": term })));
        let mut learned = learned(&trace(&events));
        let behind = |from: u64, index: u64, term: u64| {
            let base = json!({ "index": index, "term": term });
            Some(json!({ "from": from, "entries": [], "base": base }))
        };
        assert_eq!(learned.split_off(4)[..3], [behind(5, 3, 2), behind(10, 9, 3), None]);
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
