//! What the messages of a trace mean, for the page's scripts: worked out here, by the table of names
//! that all tools share, and nowhere else.

use std::collections::BTreeMap;

use run_record::names::{self, Name};
use run_record::trace::{Trace, What};
use serde_json::{Map, Value, json};

use crate::fields::{
    Kind, answer, entries, entry_count, entry_parts, installs, is_pre_vote, number, object,
    snapshot_bytes,
};
use crate::replay::{Entry, Replay};

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
    let is_pre_vote = is_pre_vote(method, args);
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
    if is_pre_vote {
        is.insert("pre".into(), true.into());
    }
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

/// The log ends before `from`, and from there on holds these entries. If nothing is known of the first ones,
/// `at` is the index of the first that is.
fn change(replay: &mut Replay<'_>, lane: u32) -> Option<Value> {
    let (from, log) = replay.take_change(lane)?;
    let from = from.max(log.base().saturating_add(1));
    let (at, row) = log.row(from);
    let entry = |entry: Entry<'_>| json!({ "term": entry.term, "command": entry.command });
    let entries: Vec<Option<Value>> = row.into_iter().map(|known| known.map(entry)).collect();
    let mut change = json!({ "from": from, "entries": entries });
    if at > from {
        change["at"] = at.into();
    }
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
    fn a_pre_vote_says_that_it_is_one() {
        let asked = |method: &str, pre_vote: Value| {
            let args = json!({ "term": 3, "pre_vote": pre_vote });
            let yes = json!({ "granted": true });
            all(&trace(&call(1, (0, 1), method, args, yes))).remove(0)
        };
        let pre = Some(json!({ "kind": "vote", "pre": true, "term": 3 }));
        assert_eq!(asked("Raft.RequestVote", true.into()), pre);
        assert_eq!(asked("Raft.PreVote", Value::Null), pre);
        let vote = Some(json!({ "kind": "vote", "term": 3 }));
        assert_eq!(asked("Raft.RequestVote", false.into()), vote);
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

    /// What is learned of a follower that is sent one entry behind each of these.
    fn learned_behind(prevs: &[u64]) -> Vec<Option<Value>> {
        let sent = |(number, prev): (u64, &u64)| {
            let entries = json!([{ "term": 2, "command": format!("x{number}") }]);
            let args = json!({ "term": 3, "prev_log_index": prev, "prev_log_term": 1, "entries": entries });
            call(number, (0, 1), "Raft.AppendEntries", args, json!({ "success": true }))
        };
        let events: Vec<_> = (1..).zip(prevs).flat_map(sent).collect();
        learned(&trace(&events)).into_iter().skip(2).step_by(4).collect()
    }

    fn one(from: u64, number: u64) -> Option<Value> {
        Some(json!({ "from": from, "entries": [{ "term": 2, "command": format!("x{number}") }] }))
    }

    #[test]
    fn an_absurd_index_is_no_long_log() {
        // Some say so that there is nothing before the first entry, and there is no entry behind it.
        assert_eq!(learned_behind(&[u64::MAX, 0, 1]), [None, one(1, 2), one(2, 3)]);
        for absurd in [u64::MAX - 1, u64::from(u32::MAX), 1 << 30] {
            let [first, other, _] = &learned_behind(&[absurd, 0, 1])[..] else { panic!("three") };
            assert_eq!((first, other), (&one(absurd + 1, 1), &one(1, 2)), "{absurd}");
            assert_eq!(learned_behind(&[0, absurd, 1]), [one(1, 1), None, one(2, 3)], "{absurd}");
        }
    }

    #[test]
    fn an_absurd_index_from_the_tester_is_no_long_log() {
        let offered =
            |index| json!({ "event": "offered", "command": "y", "index": index, "term": 2 });
        let entry = json!([{ "term": 2, "command": "y" }]);
        let learned = learned(&trace(&[u64::MAX, 1].map(|index| (0, offered(index)))));
        let stands = |from: u64| Some(json!({ "from": from, "entries": entry }));
        assert_eq!(learned, [stands(u64::MAX), stands(1)]);
    }

    #[test]
    fn what_was_left_out_of_a_trace_takes_no_room() {
        let left_out = json!({ "event": "left_out", "events": 5, "until_us": 1, "lane": null });
        let args = json!({ "term": 3, "prev_log_index": 99_999, "prev_log_term": 1,
            "entries": [{ "term": 2, "command": "x" }, { "left_out": 3, "bytes": 9 }, { "term": 2, "command": "y" }] });
        let mut events = vec![(0, left_out)];
        events.extend(call(1, (0, 1), "Raft.AppendEntries", args, json!({ "success": true })));
        let [x, y] = ["x", "y"].map(|command| json!({ "term": 2, "command": command }));
        let change = json!({ "from": 1, "at": 100_000, "entries": [x, null, null, null, y] });
        assert_eq!(learned(&trace(&events))[1], Some(change));
    }
}
