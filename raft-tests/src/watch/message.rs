//! What a message of a Raft says, whoever wrote it: fields are known by their names in Figure 2.

use std::hash::{DefaultHasher, Hash, Hasher};

use labgob::View;

/// What a request says, as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    RequestVote {
        term: u64,
    },
    AppendEntries(AppendEntries),
    /// It has another name, or lacks what Figure 2 gives it.
    Other,
}

/// What an AppendEntries says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AppendEntries {
    pub(crate) term: u64,
    /// The index and the term before the entries, if it has them.
    pub(crate) prev: Option<(u64, u64)>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) commit: Option<u64>,
}

/// An entry of the log, as it travels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) term: u64,
    pub(crate) hash: u64,
    pub(crate) content: View,
}

/// What a reply says, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) term: Option<u64>,
    /// `voteGranted` or `success`.
    pub(crate) yes: Option<bool>,
}

impl Request {
    pub(crate) fn read(method: &str, args: View) -> Request {
        let name = method.rsplit('.').next().unwrap_or(method);
        let Some(term) = field(&args, &["term"]).and_then(View::number) else {
            return Request::Other;
        };
        if is(name, "requestvote") {
            // An extension that asks first: it promises nothing.
            let asks_only = field(&args, &["prevote"]).and_then(View::bool) == Some(true);
            return if asks_only { Request::Other } else { Request::RequestVote { term } };
        }
        if !is(name, "appendentries") {
            return Request::Other;
        }
        let number = |names: &[&str]| field(&args, names).and_then(View::number);
        let (prev_index, prev_term) = (number(&["prevlogindex"]), number(&["prevlogterm"]));
        let commit = number(&["leadercommit"]);
        let entries = field(&args, &["entries", "logentries", "log"]).and_then(View::list);
        let entries = entries.unwrap_or_default().iter().map(Entry::read).collect::<Option<_>>();
        Request::AppendEntries(AppendEntries {
            term,
            prev: prev_index.zip(prev_term),
            entries: entries.unwrap_or_default(),
            commit,
        })
    }
}

impl Entry {
    fn read(view: &View) -> Option<Entry> {
        let term = field(view, &["term"])?.number()?;
        let mut hasher = DefaultHasher::new();
        hash(view, &mut hasher);
        Some(Entry { term, hash: hasher.finish(), content: view.clone() })
    }

    /// Its command, for people.
    pub(crate) fn command(&self) -> String {
        let command = field(&self.content, &["command", "cmd", "data"]);
        match command.unwrap_or(&self.content) {
            View::Bytes(bytes) => labtrace::show(bytes),
            other => labtrace::show(other.to_string().as_bytes()),
        }
    }
}

impl Reply {
    pub(crate) fn read(reply: &View) -> Reply {
        Reply {
            // A reply that leaves its term at nothing says nothing about it.
            term: field(reply, &["term"]).and_then(View::number).filter(|term| *term > 0),
            yes: field(reply, &["votegranted", "success"]).and_then(View::bool),
        }
    }
}

/// The field that goes by one of these names, given in small letters without underscores.
fn field<'a>(view: &'a View, names: &[&str]) -> Option<&'a View> {
    let wanted = |field: &str| names.iter().any(|name| is(field, name));
    view.fields().iter().find(|(field, _)| wanted(field)).map(|(_, view)| view)
}

/// True if it is the same name but for case and underscores.
fn is(name: &str, plain: &str) -> bool {
    let letters = name.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase());
    letters.eq(plain.bytes())
}

fn hash(view: &View, hasher: &mut DefaultHasher) {
    std::mem::discriminant(view).hash(hasher);
    match view {
        View::Nothing => {}
        View::Bool(value) => value.hash(hasher),
        View::Number(number) => number.hash(hasher),
        View::Negative(number) => number.hash(hasher),
        View::Float(number) => number.to_bits().hash(hasher),
        View::Byte(byte) => byte.hash(hasher),
        View::Text(text) => text.hash(hasher),
        View::Bytes(bytes) => bytes.hash(hasher),
        View::List(items) => items.iter().for_each(|item| hash(item, hasher)),
        View::Fields(fields) => fields.iter().for_each(|(name, view)| {
            name.hash(hasher);
            hash(view, hasher);
        }),
        View::Variant(name, content) => {
            name.hash(hasher);
            hash(content, hasher);
        }
        View::Map(entries) => entries.iter().for_each(|(key, value)| {
            hash(key, hasher);
            hash(value, hasher);
        }),
    }
}

#[cfg(test)]
mod tests {
    use labgob::{Deserialize, Gob, Serialize};

    use super::*;

    #[derive(Serialize, Deserialize, Gob)]
    struct LogEntry {
        term: u64,
        command: Vec<u8>,
    }

    #[derive(Serialize, Deserialize, Gob)]
    #[expect(non_snake_case, reason = "as Go writes them")]
    struct GoStyle {
        Term: u64,
        LeaderId: u64,
        PrevLogIndex: u64,
        PrevLogTerm: u64,
        Entries: Vec<LogEntry>,
        LeaderCommit: u64,
    }

    #[test]
    fn fields_are_known_by_their_names_in_any_spelling() {
        let entry = |term, command: &str| LogEntry { term, command: command.into() };
        let args = GoStyle {
            Term: 4,
            LeaderId: 1,
            PrevLogIndex: 7,
            PrevLogTerm: 3,
            Entries: vec![entry(3, "a"), entry(4, "b")],
            LeaderCommit: 6,
        };
        let Request::AppendEntries(read) = Request::read("Raft.AppendEntries", View::of(&args))
        else {
            panic!("it is an AppendEntries");
        };
        assert_eq!((read.term, read.prev, read.commit), (4, Some((7, 3)), Some(6)));
        assert_eq!(read.entries.iter().map(|entry| entry.term).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(read.entries[1].command(), "b");
        assert_ne!(read.entries[0].hash, read.entries[1].hash);
    }

    #[test]
    fn what_is_not_known_is_left_alone() {
        let args = View::of(&7u64);
        assert_eq!(Request::read("Raft.AppendEntries", args.clone()), Request::Other);
        assert_eq!(Request::read("Kv.Get", args.clone()), Request::Other);
        assert_eq!(Reply::read(&args), Reply::default());
    }
}
