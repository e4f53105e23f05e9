//! Messages in few words, whatever the Raft that sent them calls their fields.

use run_record::names::{self, Name};
use run_record::trace::items_left_out;
use serde_json::Value;

use super::parts::{ASIDE, Parts};
use super::text;
use crate::fields::{
    Kind, accepted, answer, entries, entry_count, entry_parts, field, included, installs,
    is_pre_vote, number, object, snapshot_bytes,
};
use crate::grouped;

impl Kind {
    /// The letters that stand for it.
    pub(super) fn letters(self, method: &str) -> &str {
        match self {
            Kind::Vote => "RV",
            Kind::Append => "AE",
            Kind::Heartbeat => "HB",
            Kind::Snapshot => "IS",
            Kind::Other => names::method(method),
        }
    }
}

/// What a call is called: by its letters, but for a vote that promises nothing.
pub(super) fn name<'m>(kind: Kind, method: &'m str, args: &Value) -> &'m str {
    match kind {
        Kind::Vote if is_pre_vote(method, args) => "pre-vote",
        kind => kind.letters(method),
    }
}

/// A request: `AE t3 prev 4:2 +3 [5..7] c4`.
pub(crate) fn request(method: &str, args: &Value) -> Parts {
    let kind = Kind::of(method, args);
    let name = name(kind, method, args);
    let args = object(args);
    let term = number(args, Name::Term);
    let parts = Parts::new(name);
    if kind == Kind::Other || term.is_none() {
        return parts.with(1, fields(args, &[]));
    }
    let parts = parts.with_some(1, term.map(|term| format!("t{term}")));
    let place = |index, term| place(number(args, index), number(args, term));
    match kind {
        Kind::Vote => {
            let last = place(Name::LastIndex, Name::LastTerm).map(|at| format!("last {at}"));
            let rest = rest(
                args,
                &[
                    Name::Term,
                    Name::Candidate,
                    Name::Leader,
                    Name::LastIndex,
                    Name::LastTerm,
                    Name::PreVote,
                ],
            );
            parts.with_some(2, last).with_some(5, rest)
        }
        Kind::Snapshot => {
            let up_to = place(Name::IncludedIndex, Name::IncludedTerm);
            let bytes = snapshot_bytes(args).map(|bytes| format!("{} B", grouped(bytes)));
            let rest = rest(
                args,
                &[
                    Name::Term,
                    Name::Leader,
                    Name::IncludedIndex,
                    Name::IncludedTerm,
                    Name::SnapshotData,
                ],
            );
            let parts = parts.with_some(1, up_to.map(|place| format!("up to {place}")));
            parts.with_some(2, bytes).with_some(5, rest)
        }
        _ => {
            let prev = place(Name::PrevIndex, Name::PrevTerm).map(|at| format!("prev {at}"));
            let count = entry_count(args);
            let new = (count > 0).then(|| format!("+{count}"));
            let range =
                number(args, Name::PrevIndex).filter(|_| count > 0).map(|prev| match count {
                    1 => format!("[{}]", prev.saturating_add(1)),
                    _ => format!("[{}..{}]", prev.saturating_add(1), prev.saturating_add(count)),
                });
            let commit = number(args, Name::Commit).map(|commit| format!("c{commit}"));
            let rest = rest(
                args,
                &[
                    Name::Term,
                    Name::Candidate,
                    Name::Leader,
                    Name::PrevIndex,
                    Name::PrevTerm,
                    Name::Entries,
                    Name::Commit,
                ],
            );
            let parts = parts.with_some(3, prev).with_some(1, new).with_some(2, range);
            parts.with_some(4, commit).with_some(6, commands(args)).with_some(5, rest)
        }
    }
}

/// A reply: `RV yes t3`, `AE ok t3 up to 7`, `AE no t3 conflict 5:2`.
pub(crate) fn reply(method: &str, args: Option<&Value>, reply: &Value) -> Parts {
    let kind = args.map_or(Kind::Other, |args| Kind::of(method, args));
    let reply = object(reply);
    let term = number(reply, Name::Term).map(|term| format!("t{term}"));
    let parts = Parts::new(args.map_or(kind.letters(method), |args| name(kind, method, args)));
    let words = |granted: bool, yes| if granted { yes } else { "no" };
    match (kind, answer(reply)) {
        (Kind::Vote, Some(granted)) => {
            let rest = rest(reply, &[Name::Term, Name::Yes]);
            parts.with(0, words(granted, "yes")).with_some(2, term).with_some(5, rest)
        }
        (Kind::Append | Kind::Heartbeat, Some(success)) => {
            let parts = parts.with(0, words(success, "ok")).with_some(2, term);
            // Mostly what it confirms is not in the reply but in the request. As in messages, not as services count.
            let brings = args.filter(|args| success && entry_count(args) > 0);
            let up_to = brings.and_then(|args| accepted(args, reply, 0));
            let parts = parts.with_some(1, up_to.map(|index| format!("up to {index}")));
            let parts = parts.with_some(1, conflict(reply).filter(|_| !success));
            let known =
                [Name::Term, Name::Yes, Name::Conflict, Name::ConflictTerm, Name::ConflictIndex];
            parts.with_some(5, rest(reply, &known))
        }
        (Kind::Snapshot, _) if args.is_some_and(|args| installs(args, reply).is_some()) => {
            let yes = args.and_then(|args| installs(args, reply)) == Some(true);
            let up_to = args.and_then(|args| included(args, 0).0).filter(|_| yes);
            let parts = parts.with(0, words(yes, "ok")).with_some(2, term);
            let parts = parts.with_some(1, up_to.map(|index| format!("up to {index}")));
            parts.with_some(5, rest(reply, &[Name::Term, Name::Yes]))
        }
        (Kind::Heartbeat, ..) if term.is_some() => {
            parts.with(0, "answer").with_some(1, term).with_some(5, rest(reply, &[Name::Term]))
        }
        _ => parts.with(0, "answer").with(1, fields(reply, &[])),
    }
}

/// The term in a message.
pub(crate) fn term(message: &Value) -> Option<u64> {
    number(object(message), Name::Term)
}

/// True if a reply refuses what its request asked for.
pub(crate) fn refuses(reply: &Value) -> bool {
    answer(object(reply)) == Some(false)
}

/// A part for the numbers of the calls that a line is about.
pub(crate) fn aside(calls: &[u64]) -> Parts {
    let numbers: Vec<String> = calls.iter().map(u64::to_string).collect();
    let word = if calls.len() == 1 { "call" } else { "calls" };
    Parts::default().with(ASIDE, format!("({word} {})", numbers.join(", ")))
}

/// An index with the term of what is there: `5:2`.
fn place(index: Option<u64>, term: Option<u64>) -> Option<String> {
    match (index, term) {
        (Some(index), Some(term)) => Some(format!("{index}:{term}")),
        (Some(index), None) => Some(index.to_string()),
        (None, _) => None,
    }
}

fn conflict(reply: &Value) -> Option<String> {
    let inner = field(reply, Name::Conflict).filter(|inner| inner.is_object());
    let (index, term) = match inner {
        Some(inner) => (number(inner, Name::Index), number(inner, Name::Term)),
        None => (number(reply, Name::ConflictIndex), number(reply, Name::ConflictTerm)),
    };
    Some(format!("conflict {}", place(index, term)?))
}

/// The entries of a message: `2:101 3:102`.
fn commands(args: &Value) -> Option<String> {
    const MOST: usize = 8;
    let list = entries(args)?;
    let entry = |entry: &Value| {
        if let Some(count) = items_left_out(entry) {
            return format!("…{count} more…");
        }
        let (term, command) = entry_parts(entry);
        match term {
            Some(term) => format!("{term}:{}", value(command)),
            None => value(command),
        }
    };
    let shown: Vec<String> = list.iter().take(MOST).map(entry).collect();
    let more = if list.len() > MOST { " …" } else { "" };
    (!list.is_empty()).then(|| shown.join(" ") + more)
}

/// What a message has beside the fields that are known.
fn rest(message: &Value, known: &[Name]) -> Option<String> {
    let rest = fields(message, known);
    (rest != "{}").then_some(rest)
}

/// The fields of a message but for some: `{offset: 0, done: true}`.
fn fields(message: &Value, but: &[Name]) -> String {
    let Some(fields) = message.as_object() else { return value(message) };
    let fields = fields.iter().filter(|(name, value)| {
        // That a field is empty is of interest only where all of them are shown.
        but.is_empty() || !(value.is_null() || but.iter().any(|known| names::is(name, *known)))
    });
    let fields = fields.map(|(name, field)| format!("{name}: {}", value(field)));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
}

/// A value in few words.
fn value(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => bytes(list).unwrap_or_else(|| value.to_string()),
        Value::Object(_) => fields(value, &[]),
        _ => value.to_string(),
    };
    text::cut(&text::clean(&text), LONGEST)
}

/// A list that is a text byte by byte, which is how commands are often written.
fn bytes(list: &[Value]) -> Option<String> {
    let byte = |value: &Value| u8::try_from(value.as_u64()?).ok();
    let bytes = list.iter().map(byte).collect::<Option<Vec<u8>>>()?;
    let text = String::from_utf8(bytes).ok()?;
    (!text.is_empty() && !text.contains(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use run_record::trace::left_out;
    use serde_json::json;

    use super::*;
    use crate::fields::numbered_entries;

    #[test]
    fn a_pre_vote_is_told_as_one() {
        let asks = |pre_vote: bool| json!({"term": 3, "candidate_id": 1, "last_log_index": 5, "last_log_term": 2, "pre_vote": pre_vote});
        let method = "Raft.RequestVote";
        assert_eq!(request(method, &asks(true)).whole(), "pre-vote t3 last 5:2");
        assert_eq!(request(method, &asks(false)).whole(), "RV t3 last 5:2");
        let yes = json!({"term": 2, "vote_granted": true});
        assert_eq!(reply(method, Some(&asks(true)), &yes).whole(), "pre-vote yes t2");
        assert_eq!(reply(method, Some(&asks(false)), &yes).whole(), "RV yes t2");
    }

    #[test]
    fn the_usual_messages_are_known_by_whatever_names() {
        let names = [
            json!({"term": 3, "candidate": 1, "last_log_index": 5, "last_log_term": 2}),
            json!({"Term": 3, "CandidateId": 1, "LastLogIndex": 5, "LastLogTerm": 2}),
            json!([{"term": 3, "candidateId": 1, "lastLogIndex": 5, "lastLogTerm": 2}]),
        ];
        for (args, method) in names.iter().zip(["Raft.RequestVote", "request_vote", "RequestVote"])
        {
            assert_eq!(request(method, args).whole(), "RV t3 last 5:2");
        }
        let yes = json!({"voteGranted": true, "term": 3});
        assert_eq!(reply("Raft.RequestVote", Some(&names[0]), &yes).whole(), "RV yes t3");
    }

    #[test]
    fn entries_are_counted_and_placed() {
        let entries = json!([{"term": 2, "command": "a"}, {"term": 3, "command": [49, 48, 50]}]);
        let args = json!({
            "term": 3, "leader": 1, "prev_log_index": 4, "prev_log_term": 2, "entries": entries,
            "leader_commit": 4
        });
        let text = request("Raft.AppendEntries", &args).whole();
        assert_eq!(text, "AE t3 prev 4:2 +2 [5..6] c4 2:a 3:102");
        let ok = json!({"term": 3, "success": true, "conflict": null});
        assert_eq!(reply("AppendEntries", Some(&args), &ok).whole(), "AE ok t3 up to 6");
        let no = json!({"term": 3, "success": false, "conflict": {"term": 2, "index": 4}});
        assert_eq!(reply("AppendEntries", Some(&args), &no).whole(), "AE no t3 conflict 4:2");
        let no = json!({"Term": 3, "Success": false, "XTerm": null, "XIndex": 4, "XLen": 9});
        let expected = "AE no t3 conflict 4 {XLen: 9}";
        assert_eq!(reply("AppendEntries", Some(&args), &no).whole(), expected);
        assert!(refuses(&no) && !refuses(&ok));
        // A yes to a part; and a number that says no more than what was there before.
        for (upto, words) in [(5, "up to 5 {match_index: 5}"), (4, "up to 6 {match_index: 4}")] {
            let ok = json!({"term": 3, "success": true, "match_index": upto});
            let text = reply("AppendEntries", Some(&args), &ok).whole();
            assert_eq!(text, format!("AE ok t3 {words}"));
        }
    }

    #[test]
    fn entries_that_a_trace_has_left_out_count() {
        let entry = |command: &str| json!({"term": 2, "command": command});
        let entries = json!([entry("a"), left_out(57, 9000), entry("z")]);
        let args = json!({"term": 3, "prev_log_index": 4, "entries": entries});
        let text = request("Raft.AppendEntries", &args).whole();
        assert_eq!(text, "AE t3 prev 4 +59 [5..63] 2:a …57 more… 2:z");
        let ok = reply("Raft.AppendEntries", Some(&args), &json!({"term": 3, "success": true}));
        assert_eq!(ok.whole(), "AE ok t3 up to 63");
        assert_eq!(numbered_entries(&args, 0), [(5, Some(2), "a"), (63, Some(2), "z")]);
    }

    #[test]
    fn an_append_without_entries_is_a_heartbeat() {
        let args = json!({"term": 3, "entries": [], "round": 8});
        assert_eq!(request("Raft.AppendEntries", &args).whole(), "HB t3 {round: 8}");
        assert_eq!(Kind::of("append_entries", &json!({"term": 3})), Kind::Heartbeat);
        let term = json!({"term": 3});
        assert_eq!(reply("append_entries", Some(&term), &term).whole(), "HB answer t3");
    }

    #[test]
    fn a_snapshot_says_up_to_where_it_goes_and_how_large_it_is() {
        let args = json!({
            "term": 3, "leader": 1, "last_included_index": 9, "last_included_term": 2,
            "data": "0x0102ff"
        });
        assert_eq!(request("Raft.InstallSnapshot", &args).whole(), "IS t3 up to 9:2 3 B");
        let answer = |args: &Value, answered: Value| {
            reply("Raft.InstallSnapshot", Some(args), &answered).whole()
        };
        assert_eq!(answer(&args, json!({"term": 3})), "IS ok t3 up to 9");
        assert_eq!(answer(&args, json!({"term": 4})), "IS no t4");
        let other = json!({
            "Term": 3, "LastIncludedIndex": 9, "Data": "abc... (12000 bytes)", "Done": false
        });
        let text = request("InstallSnapshot", &other).whole();
        assert_eq!(text, "IS t3 up to 9 12,000 B {Done: false}");
        assert_eq!(answer(&other, json!({"Term": 3})), "IS answer {Term: 3}");
        let long = json!({"term": 3, "index": 9, "data": "0x0102... (538 bytes)"});
        assert_eq!(request("InstallSnapshot", &long).whole(), "IS t3 up to 9 268 B");
        let bytes = json!({"term": 3, "index": 9, "snapshot": [1, left_out(7, 7), 2]});
        assert_eq!(request("installSnap", &bytes).whole(), "IS t3 up to 9 9 B");
    }

    #[test]
    fn other_dresses_are_understood() {
        let args =
            json!({"header": {"t": 3, "id": 1}, "pli": 4, "plt": 2, "es": [[3, "a"]], "lc": 1});
        let text = request("Raft.AppendEntries", &args).whole();
        assert!(text.starts_with("AE t3 prev 4:2 +1 [5] c1 3:a"), "{text}");
        for yes in [json!({"t": 3, "ok": true}), json!({"Accepted": {"term": 3}}), json!(true)] {
            assert!(
                reply("AppendEntries", Some(&args), &yes).whole().starts_with("AE ok"),
                "{yes}"
            );
        }
        assert!(refuses(&json!({"term": 3, "body": "Refused"})));
        assert!(refuses(&json!({"Rejected": {"term": 3}})));
    }

    #[test]
    fn other_messages_are_shown_field_by_field() {
        let args = json!({"offset": 0, "data": [1, 2], "done": true});
        let text = request("Raft.Reconfigure", &args).whole();
        assert_eq!(text, "Reconfigure {data: [1,2], done: true, offset: 0}");
        assert_eq!(
            reply("Kv.Get", Some(&args), &json!("x\x1b[31m")).whole(),
            "Get answer x\\u{1b}[31m"
        );
        assert_eq!(request("", &Value::Null).whole(), " null");
        assert_eq!(request("RequestVote", &json!({"x": 1})).whole(), "RV {x: 1}");
    }
}
