//! What a message of a Raft says, whoever wrote it: fields are known by their names in Figure 2.

use labgob::Peek;

/// What a request says, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request<'a> {
    Vote {
        term: u64,
        /// Index and term of the candidate's last entry, if it says so.
        last: Option<(u64, u64)>,
    },
    Append(AppendEntries<'a>),
    /// It has another name, or lacks what Figure 2 gives it.
    Other,
}

/// What an AppendEntries says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AppendEntries<'a> {
    pub(crate) term: u64,
    /// The index and the term before the entries, if it has them.
    pub(crate) prev: Option<(u64, u64)>,
    pub(crate) commit: Option<u64>,
    entries: Option<Peek<'a>>,
}

/// What a reply says, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) term: Option<u64>,
    /// `voteGranted` or `success`.
    pub(crate) yes: Option<bool>,
}

impl<'a> Request<'a> {
    pub(crate) fn read(method: &str, args: Peek<'a>) -> Request<'a> {
        let name = method.rsplit('.').next().unwrap_or(method);
        if is(name, "requestvote") {
            Request::read_vote(args)
        } else if is(name, "appendentries") {
            Request::read_append(args)
        } else {
            Request::Other
        }
    }

    fn read_vote(args: Peek<'a>) -> Request<'a> {
        let (mut term, mut last_index, mut last_term) = (None, None, None);
        for (name, field) in args.fields() {
            if is(name, "term") {
                term = field.number();
            } else if is(name, "lastlogindex") {
                last_index = field.number();
            } else if is(name, "lastlogterm") {
                last_term = field.number();
            } else if is(name, "prevote") && field.bool() == Some(true) {
                // An extension that asks first: it promises nothing.
                return Request::Other;
            }
        }
        let last = last_index.zip(last_term);
        term.map_or(Request::Other, |term| Request::Vote { term, last })
    }

    fn read_append(args: Peek<'a>) -> Request<'a> {
        let (mut term, mut index, mut prev_term, mut commit, mut entries) =
            (None, None, None, None, None);
        for (name, field) in args.fields() {
            if is(name, "term") {
                term = field.number();
            } else if is(name, "prevlogindex") {
                index = field.number();
            } else if is(name, "prevlogterm") {
                prev_term = field.number();
            } else if is(name, "leadercommit") {
                commit = field.number();
            } else if is(name, "entries") || is(name, "logentries") {
                entries = Some(field);
            }
        }
        let Some(term) = term else { return Request::Other };
        Request::Append(AppendEntries { term, prev: index.zip(prev_term), commit, entries })
    }
}

impl<'a> AppendEntries<'a> {
    /// The entries.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Peek<'a>> + use<'a> {
        self.entries.and_then(|entries| entries.items()).into_iter().flatten()
    }

    /// The entries with their indexes; none if the message does not say where they belong.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (u64, Peek<'a>)> + use<'a> {
        let entries = self.prev.map(|(prev, _)| (prev.saturating_add(1)..).zip(self.entries()));
        entries.into_iter().flatten()
    }
}

/// The term of an entry.
pub(crate) fn term(entry: Peek<'_>) -> Option<u64> {
    entry.fields().find(|(name, _)| is(name, "term"))?.1.number()
}

/// The command of an entry, for people.
pub(crate) fn command(entry: Peek<'_>) -> String {
    let is_command = |name| is(name, "command") || is(name, "cmd") || is(name, "data");
    let command = entry.fields().find(|(name, _)| is_command(name)).map(|(_, command)| command);
    let view = command.unwrap_or(entry).view();
    view.map_or_else(String::new, |view| labtrace::show(view.to_string().as_bytes()))
}

impl Reply {
    pub(crate) fn read(reply: Peek<'_>) -> Reply {
        let mut read = Reply::default();
        for (name, field) in reply.fields() {
            if is(name, "term") {
                // A reply that leaves its term at nothing says nothing about it.
                read.term = field.number().filter(|term| *term > 0);
            } else if is(name, "votegranted") || is(name, "success") {
                read.yes = field.bool();
            }
        }
        read
    }
}

/// True if it is the same name but for case and underscores.
fn is(name: &str, plain: &str) -> bool {
    let letters = name.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase());
    letters.eq(plain.bytes())
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
        let bytes = labgob::encode(&args);
        let peek = Peek::of::<GoStyle>(&bytes).expect("its own encoding");
        let Request::Append(read) = Request::read("Raft.AppendEntries", peek) else {
            panic!("it is an AppendEntries");
        };
        assert_eq!((read.term, read.prev, read.commit), (4, Some((7, 3)), Some(6)));
        let entries: Vec<_> = read.numbered().collect();
        let terms: Vec<_> = entries.iter().map(|(index, entry)| (*index, term(*entry))).collect();
        assert_eq!(terms, [(8, Some(3)), (9, Some(4))]);
        assert_eq!(command(entries[1].1), "b");
    }

    #[test]
    fn what_is_not_known_is_left_alone() {
        let bytes = labgob::encode(&7u64);
        let args = Peek::of::<u64>(&bytes).expect("its own encoding");
        assert!(matches!(Request::read("Raft.AppendEntries", args), Request::Other));
        assert!(matches!(Request::read("Kv.Get", args), Request::Other));
        assert_eq!(Reply::read(args), Reply::default());
    }
}
