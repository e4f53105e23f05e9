//! The fields of messages by their names, whatever the Raft that sent them spells them like.

use serde_json::Value;

pub(crate) const TERM: &[&str] = &["term", "currentterm"];
pub(crate) const LAST_INDEX: &[&str] = &["lastlogindex", "lastindex"];
pub(crate) const LAST_TERM: &[&str] = &["lastlogterm", "lastterm"];
pub(crate) const PREV_INDEX: &[&str] = &["prevlogindex", "previndex", "previouslogindex"];
pub(crate) const PREV_TERM: &[&str] = &["prevlogterm", "prevterm", "previouslogterm"];
pub(crate) const ENTRIES: &[&str] = &["entries", "logentries", "log", "logs"];
pub(crate) const COMMIT: &[&str] = &["leadercommit", "leadercommitindex", "commitindex", "commit"];
pub(crate) const GRANTED: &[&str] = &["votegranted", "granted", "vote"];
pub(crate) const SUCCESS: &[&str] = &["success", "succeeded", "ok"];
pub(crate) const CONFLICT: &[&str] = &["conflict"];
pub(crate) const CONFLICT_TERM: &[&str] = &["conflictterm", "xterm"];
pub(crate) const CONFLICT_INDEX: &[&str] = &["conflictindex", "xindex", "nextindex"];
/// The sender of a request says who it is, which the column or the arrow shows already.
pub(crate) const SENDER: &[&str] = &["candidate", "candidateid", "leader", "leaderid"];

/// True if a name is this one, in whatever case, with or without underscores.
pub(crate) fn same(name: &str, known: &str) -> bool {
    let letters = name.chars().filter(|c| !matches!(c, '_' | '-'));
    letters.map(|c| c.to_ascii_lowercase()).eq(known.chars())
}

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

pub(crate) fn field<'v>(message: &'v Value, names: &[&str]) -> Option<&'v Value> {
    let fields = message.as_object()?;
    names.iter().find_map(|known| Some(fields.iter().find(|(name, _)| same(name, known))?.1))
}

pub(crate) fn number(message: &Value, names: &[&str]) -> Option<u64> {
    field(message, names)?.as_u64()
}

pub(crate) fn flag(message: &Value, names: &[&str]) -> Option<bool> {
    field(message, names)?.as_bool()
}

/// True if a reply says that the AppendEntries was accepted.
pub(crate) fn accepts(reply: &Value) -> bool {
    flag(object(reply), SUCCESS) == Some(true)
}

/// The entries that an AppendEntries brings: index, term and command of each.
pub(crate) fn numbered_entries(args: &Value) -> Vec<(u64, Option<u64>, &str)> {
    let Some(prev) = number(object(args), PREV_INDEX) else { return Vec::new() };
    let mut numbered = Vec::new();
    for (index, entry) in (prev.saturating_add(1)..).zip(entries(args).unwrap_or_default()) {
        let command = field(entry, &["command", "cmd", "data"]).unwrap_or(entry);
        let Some(command) = command.as_str() else { break };
        numbered.push((index, number(entry, TERM), command));
    }
    numbered
}

pub(crate) fn entries(args: &Value) -> Option<&[Value]> {
    Some(field(object(args), ENTRIES)?.as_array()?.as_slice())
}
