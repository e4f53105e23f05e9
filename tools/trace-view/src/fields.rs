//! The fields of messages by their names, whatever the Raft that sent them spells them like
//! ([`run_record::names`]).

use run_record::names::{self, Name};
use run_record::trace::{Trace, What, items_left_out};
use serde_json::{Map, Value};

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It asks for a vote.
    Vote,
    /// It brings entries.
    Append,
    /// It is an AppendEntries without entries.
    Heartbeat,
    /// It brings a snapshot.
    Snapshot,
    /// Nobody here knows.
    Other,
}

impl Kind {
    pub(crate) fn of(method: &str, args: &Value) -> Kind {
        let name = names::method(method);
        match () {
            () if names::is(name, Name::RequestVote) => Kind::Vote,
            () if names::is(name, Name::AppendEntries) => match entries(args) {
                None | Some([]) => Kind::Heartbeat,
                Some(_) => Kind::Append,
            },
            () if names::is(name, Name::Heartbeat) => Kind::Heartbeat,
            () if names::is(name, Name::InstallSnapshot) => Kind::Snapshot,
            () => Kind::Other,
        }
    }
}

/// Whether a request asks whether it would get a vote, without asking for it: the answer promises nothing.
pub(crate) fn is_pre_vote(method: &str, args: &Value) -> bool {
    names::is(names::method(method), Name::PreVoteMethod)
        || (Kind::of(method, args) == Kind::Vote
            && field(object(args), Name::PreVote) == Some(&Value::Bool(true)))
}

/// How deep fields are looked for: a wrapper or a header, and what is within.
const DEPTH: usize = 3;

/// The fields of a message, also of one that is wrapped in a list as arguments sometimes are.
pub(crate) fn object(message: &Value) -> &Value {
    match message {
        Value::Array(list) => match list.as_slice() {
            [inner @ Value::Object(_)] => inner,
            _ => message,
        },
        _ => message,
    }
}

/// The field that a name stands for. What is further out comes before what is within.
pub(crate) fn field(message: &Value, name: Name) -> Option<&Value> {
    (1..=DEPTH).find_map(|depth| within(message.as_object()?, name, depth))
}

fn within(fields: &Map<String, Value>, name: Name, depth: usize) -> Option<&Value> {
    if depth == 1 {
        return fields.iter().find(|(field, _)| names::is(field, name)).map(|(_, value)| value);
    }
    // What a conflict says is about other things than its message.
    let inside = fields.iter().filter(|(field, _)| !names::is(field, Name::Conflict));
    inside
        .filter_map(|(_, value)| value.as_object())
        .find_map(|inner| within(inner, name, depth - 1))
}

pub(crate) fn number(message: &Value, name: Name) -> Option<u64> {
    field(message, name)?.as_u64()
}

/// An index as services count, if messages have `base` for what is before the first entry: 0, or -1 as the greatest
/// number.
pub(crate) fn index(message: &Value, name: Name, base: u64) -> Option<u64> {
    let value = field(message, name)?;
    let minus_one = || (value.as_i64()? == -1).then_some(u64::MAX);
    Some(value.as_u64().or_else(minus_one)?.wrapping_sub(base))
}

/// What the messages of a trace have for what is before the first entry: its first candidate says it, if its log is
/// empty.
pub(crate) fn base(trace: &Trace) -> u64 {
    let vote = trace.events.iter().find_map(|event| match &event.what {
        What::Sent { method, args, .. } if Kind::of(method, args) == Kind::Vote => {
            Some(object(args))
        }
        _ => None,
    });
    let has = |name, number| vote.and_then(|vote| index(vote, name, 0)) == Some(number);
    let no_term = has(Name::LastTerm, 0) || has(Name::LastTerm, u64::MAX);
    if has(Name::LastIndex, u64::MAX) && no_term { u64::MAX } else { 0 }
}

/// Whether a reply says yes: by a flag, by the name of a variant, or by being no more than that.
pub(crate) fn answer(reply: &Value) -> Option<bool> {
    let said = |value: &Value| match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(name) => variant(name),
        Value::Object(fields) if fields.len() == 1 => variant(fields.keys().next()?),
        _ => None,
    };
    let inside = || object(reply).as_object()?.values().find_map(said);
    said(object(reply)).or_else(|| field(reply, Name::Yes).and_then(said)).or_else(inside)
}

/// What the name of a variant says. Those of fields are written small.
fn variant(name: &str) -> Option<bool> {
    let is = |known| name.starts_with(char::is_uppercase) && names::is(name, known);
    if is(Name::VariantYes) { Some(true) } else { is(Name::VariantNo).then_some(false) }
}

/// True if a reply says that the AppendEntries was accepted.
pub(crate) fn accepts(reply: &Value) -> bool {
    answer(object(reply)) == Some(true)
}

/// Whether a reply to an InstallSnapshot says that the receiver has all that the snapshot covers. That of
/// Figure 13 says no more than a term: if it is the leader's, it has.
pub(crate) fn installs(args: &Value, reply: &Value) -> Option<bool> {
    if field(object(args), Name::Done) == Some(&Value::Bool(false)) {
        return None; // of several chunks, it is not the last
    }
    let term = |message| number(object(message), Name::Term);
    answer(object(reply)).or_else(|| Some(term(reply)? <= term(args)?))
}

/// Index and term of the last entry that the snapshot of an InstallSnapshot covers.
pub(crate) fn included(args: &Value, base: u64) -> (Option<u64>, Option<u64>) {
    let args = object(args);
    (index(args, Name::IncludedIndex, base), number(args, Name::IncludedTerm))
}

/// Up to which index a yes to an AppendEntries accepts: all that is in the request, or as much of it as a number in the
/// reply says.
pub(crate) fn accepted(args: &Value, reply: &Value, base: u64) -> Option<u64> {
    let prev = index(object(args), Name::PrevIndex, base)?;
    let all = prev.checked_add(entry_count(args))?;
    let said = |name| index(object(reply), name, base).filter(|upto| *upto > prev);
    let least = [Name::Accepted, Name::Flushed].into_iter().filter_map(said).min();
    Some(least.map_or(all, |upto| upto.min(all)))
}

/// How many bytes of a snapshot an InstallSnapshot brings, as far as the trace tells.
pub(crate) fn snapshot_bytes(args: &Value) -> Option<u64> {
    match field(object(args), Name::SnapshotData)? {
        Value::String(text) => Some(text_bytes(text)),
        Value::Array(list) => Some(list.iter().map(stands_for).fold(0, u64::saturating_add)),
        _ => None,
    }
}

/// How many bytes a text of a trace stands for: bytes that are no text are hexadecimal, and a text that was
/// cut off ends with its whole length.
fn text_bytes(text: &str) -> u64 {
    let whole = text.rsplit_once("... (").and_then(|(_, end)| end.strip_suffix(" bytes)"));
    let length = whole.and_then(|digits| digits.parse().ok()).unwrap_or(text.len() as u64);
    if text.starts_with("0x") { length.saturating_sub(2) / 2 } else { length }
}

/// The entries that an AppendEntries brings, as far as the trace holds them: index, term and command
/// of each.
pub(crate) fn numbered_entries(args: &Value, base: u64) -> Vec<(u64, Option<u64>, &str)> {
    let Some(prev) = index(object(args), Name::PrevIndex, base) else { return Vec::new() };
    let (mut numbered, mut index) = (Vec::new(), prev);
    for entry in entries(args).unwrap_or_default() {
        // No entry can stand behind the greatest number, which some send for "nothing before".
        let Some(next) = index.checked_add(stands_for(entry)) else { break };
        index = next;
        if items_left_out(entry).is_some() {
            continue;
        }
        let (term, command) = entry_parts(entry);
        let Some(command) = command.as_str() else { break };
        numbered.push((index, term, command));
    }
    numbered
}

/// How many entries an AppendEntries brings, those included that its trace has left out.
pub(crate) fn entry_count(args: &Value) -> u64 {
    entries(args).unwrap_or_default().iter().map(stands_for).fold(0, u64::saturating_add)
}

fn stands_for(entry: &Value) -> u64 {
    items_left_out(entry).unwrap_or(1)
}

/// Term and command of an entry: by their names, or the one number and the one other part.
pub(crate) fn entry_parts(entry: &Value) -> (Option<u64>, &Value) {
    match entry.as_array().map(Vec::as_slice) {
        Some([term, command]) if term.is_u64() && !command.is_u64() => (term.as_u64(), command),
        Some([command, term]) if term.is_u64() && !command.is_u64() => (term.as_u64(), command),
        _ => (number(entry, Name::Term), field(entry, Name::Command).unwrap_or(entry)),
    }
}

pub(crate) fn entries(args: &Value) -> Option<&[Value]> {
    Some(field(object(args), Name::Entries)?.as_array()?.as_slice())
}
