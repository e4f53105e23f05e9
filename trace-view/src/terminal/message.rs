//! Messages in few words, whatever the Raft that sent them calls their fields.

use serde_json::Value;

use super::parts::{ASIDE, Parts};
use super::text;
use crate::fields::{
    COMMIT, CONFLICT, CONFLICT_INDEX, CONFLICT_TERM, ENTRIES, GRANTED, LAST_INDEX, LAST_TERM,
    PREV_INDEX, PREV_TERM, SENDER, SUCCESS, TERM, entries, field, flag, number, object, same,
};

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It asks for a vote.
    Vote,
    /// It brings entries.
    Append,
    /// It is an AppendEntries without entries.
    Heartbeat,
    /// Nobody here knows.
    Other,
}

impl Kind {
    pub(crate) fn of(method: &str, args: &Value) -> Kind {
        let name = short(method);
        match () {
            () if same(name, "requestvote") => Kind::Vote,
            () if same(name, "appendentries") => match entries(args) {
                None | Some([]) => Kind::Heartbeat,
                Some(_) => Kind::Append,
            },
            () if same(name, "heartbeat") => Kind::Heartbeat,
            () => Kind::Other,
        }
    }

    /// The letters that stand for it.
    pub(crate) fn letters(self, method: &str) -> &str {
        match self {
            Kind::Vote => "RV",
            Kind::Append => "AE",
            Kind::Heartbeat => "HB",
            Kind::Other => short(method),
        }
    }
}

/// A request: `AE t3 prev 4:2 +3 [5..7] c4`.
pub(crate) fn request(method: &str, args: &Value) -> Parts {
    let kind = Kind::of(method, args);
    let args = object(args);
    let term = number(args, TERM);
    let parts = Parts::new(kind.letters(method));
    if kind == Kind::Other || term.is_none() {
        return parts.with(1, fields(args, &[]));
    }
    let parts = parts.with_some(1, term.map(|term| format!("t{term}")));
    let place = |index, term| place(number(args, index), number(args, term));
    match kind {
        Kind::Vote => {
            let last = place(LAST_INDEX, LAST_TERM).map(|at| format!("last {at}"));
            let rest = rest(args, &[TERM, SENDER, LAST_INDEX, LAST_TERM]);
            parts.with_some(2, last).with_some(5, rest)
        }
        _ => {
            let prev = place(PREV_INDEX, PREV_TERM).map(|at| format!("prev {at}"));
            let count = entries(args).map_or(0, <[Value]>::len);
            let new = (count > 0).then(|| format!("+{count}"));
            let range = number(args, PREV_INDEX).filter(|_| count > 0).map(|prev| match count {
                1 => format!("[{}]", prev.saturating_add(1)),
                _ => format!("[{}..{}]", prev.saturating_add(1), prev.saturating_add(count as u64)),
            });
            let commit = number(args, COMMIT).map(|commit| format!("c{commit}"));
            let rest = rest(args, &[TERM, SENDER, PREV_INDEX, PREV_TERM, ENTRIES, COMMIT]);
            let parts = parts.with_some(3, prev).with_some(1, new).with_some(2, range);
            parts.with_some(4, commit).with_some(6, commands(args)).with_some(5, rest)
        }
    }
}

/// A reply: `RV yes t3`, `AE ok t3 up to 7`, `AE no t3 conflict 5:2`.
pub(crate) fn reply(method: &str, args: Option<&Value>, reply: &Value) -> Parts {
    let kind = args.map_or(Kind::Other, |args| Kind::of(method, args));
    let reply = object(reply);
    let term = number(reply, TERM).map(|term| format!("t{term}"));
    let parts = Parts::new(kind.letters(method));
    let words = |granted: bool, yes| if granted { yes } else { "no" };
    match (kind, flag(reply, GRANTED), flag(reply, SUCCESS)) {
        (Kind::Vote, Some(granted), _) => {
            let rest = rest(reply, &[TERM, GRANTED]);
            parts.with(0, words(granted, "yes")).with_some(2, term).with_some(5, rest)
        }
        (Kind::Append | Kind::Heartbeat, _, Some(success)) => {
            let parts = parts.with(0, words(success, "ok")).with_some(2, term);
            // What it confirms is not in the reply but in the request.
            let prev = args.and_then(|args| number(object(args), PREV_INDEX));
            let count = args.and_then(|args| entries(object(args))).map_or(0, <[Value]>::len);
            let up_to = prev.map(|prev| format!("up to {}", prev.saturating_add(count as u64)));
            let parts = parts.with_some(1, up_to.filter(|_| success && count > 0));
            let parts = parts.with_some(1, conflict(reply).filter(|_| !success));
            let known = [TERM, SUCCESS, CONFLICT, CONFLICT_TERM, CONFLICT_INDEX];
            parts.with_some(5, rest(reply, &known))
        }
        (Kind::Heartbeat, ..) if term.is_some() => {
            parts.with(0, "answer").with_some(1, term).with_some(5, rest(reply, &[TERM]))
        }
        _ => parts.with(0, "answer").with(1, fields(reply, &[])),
    }
}

/// The term in a message.
pub(crate) fn term(message: &Value) -> Option<u64> {
    number(object(message), TERM)
}

/// True if a reply refuses what its request asked for.
pub(crate) fn refuses(reply: &Value) -> bool {
    let reply = object(reply);
    flag(reply, GRANTED).or_else(|| flag(reply, SUCCESS)) == Some(false)
}

/// A part for the numbers of the calls that a line is about.
pub(crate) fn aside(calls: &[u64]) -> Parts {
    let numbers: Vec<String> = calls.iter().map(u64::to_string).collect();
    let word = if calls.len() == 1 { "call" } else { "calls" };
    Parts::default().with(ASIDE, format!("({word} {})", numbers.join(", ")))
}

/// The name without the service's: `Raft.AppendEntries` is `AppendEntries`.
fn short(method: &str) -> &str {
    match method.rsplit(['.', ':', '/']).next() {
        None | Some("") => method,
        Some(name) => name,
    }
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
    let inner = field(reply, CONFLICT).filter(|inner| inner.is_object());
    let (index, term) = match inner {
        Some(inner) => (number(inner, &["index"]), number(inner, TERM)),
        None => (number(reply, CONFLICT_INDEX), number(reply, CONFLICT_TERM)),
    };
    Some(format!("conflict {}", place(index, term)?))
}

/// The entries of a message: `2:101 3:102`.
fn commands(args: &Value) -> Option<String> {
    const MOST: usize = 8;
    let list = entries(args)?;
    let entry = |entry: &Value| {
        let command = field(entry, &["command", "cmd", "data"]).unwrap_or(entry);
        match number(entry, TERM) {
            Some(term) => format!("{term}:{}", value(command)),
            None => value(command),
        }
    };
    let shown: Vec<String> = list.iter().take(MOST).map(entry).collect();
    let more = if list.len() > MOST { " …" } else { "" };
    (!list.is_empty()).then(|| shown.join(" ") + more)
}

/// What a message has beside the fields that are known.
fn rest(message: &Value, known: &[&[&str]]) -> Option<String> {
    let known: Vec<&str> = known.iter().flat_map(|names| names.iter().copied()).collect();
    let rest = fields(message, &known);
    (rest != "{}").then_some(rest)
}

/// The fields of a message but for some: `{offset: 0, done: true}`.
fn fields(message: &Value, but: &[&str]) -> String {
    let Some(fields) = message.as_object() else { return value(message) };
    let fields = fields.iter().filter(|(name, value)| {
        // That a field is empty is of interest only where all of them are shown.
        but.is_empty() || !(value.is_null() || but.iter().any(|known| same(name, known)))
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
    use serde_json::json;

    use super::*;

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
    fn other_messages_are_shown_field_by_field() {
        let args = json!({"offset": 0, "data": [1, 2], "done": true});
        let text = request("Raft.InstallSnapshot", &args).whole();
        assert_eq!(text, "InstallSnapshot {data: [1,2], done: true, offset: 0}");
        assert_eq!(
            reply("Kv.Get", Some(&args), &json!("x\x1b[31m")).whole(),
            "Get answer x\\u{1b}[31m"
        );
        assert_eq!(request("", &Value::Null).whole(), " null");
        assert_eq!(request("RequestVote", &json!({"t": 1})).whole(), "RV {t: 1}");
    }
}
