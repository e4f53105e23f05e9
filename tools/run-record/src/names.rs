//! The names that students give to what Figures 2 and 13 of the paper name, in one table.
//!
//! Whoever looks into a message that it did not write goes by this table: the rules of the tester and
//! the views of a trace. Case and underscores do not matter: `prev_log_index`, `PrevLogIndex` and
//! `prevLogIndex` are one name. `docs/names.md` is the table for people; a test compares the two.
//!
//! ```
//! use run_record::names::{Name, is};
//!
//! assert!(is("PrevLogIndex", Name::PrevIndex) && is("prev_log_epoch", Name::PrevTerm));
//! assert!(!is("next_index", Name::PrevIndex));
//! ```

/// What a name can stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// The method RequestVote.
    RequestVote,
    /// The method AppendEntries.
    AppendEntries,
    /// A method for AppendEntries without entries.
    Heartbeat,
    /// A method that asks whether a vote would be given; it promises nothing.
    PreVoteMethod,
    /// The method InstallSnapshot (Figure 13).
    InstallSnapshot,
    /// A method that tells a server to stand for election at once (Ongaro's thesis, section 3.10).
    TimeoutNow,
    /// `term`, in a message or an entry.
    Term,
    /// `candidateId`.
    Candidate,
    /// `leaderId`.
    Leader,
    /// `lastLogIndex`.
    LastIndex,
    /// `lastLogTerm`.
    LastTerm,
    /// A flag: this is no RequestVote, but asks first whether one would succeed.
    PreVote,
    /// A flag of a RequestVote that changes nothing about what it asks for.
    Transfer,
    /// `prevLogIndex`.
    PrevIndex,
    /// `prevLogTerm`.
    PrevTerm,
    /// `entries[]`.
    Entries,
    /// `leaderCommit`.
    Commit,
    /// What a server has applied, so that it is committed.
    Applied,
    /// The answer: `voteGranted` or `success`.
    Yes,
    /// The last index that a follower has accepted, in its reply.
    Accepted,
    /// The last index that a follower has on its disk, in its reply.
    Flushed,
    /// How a follower's log differs, as a value of its own.
    Conflict,
    /// The term of the follower's entry that differs.
    ConflictTerm,
    /// Where the leader shall try next.
    ConflictIndex,
    /// The command of an entry.
    Command,
    /// The index of an entry, in the entry.
    Index,
    /// `lastIncludedIndex`, in an InstallSnapshot.
    IncludedIndex,
    /// `lastIncludedTerm`, in an InstallSnapshot.
    IncludedTerm,
    /// `offset`: where in the snapshot this chunk of it begins.
    Offset,
    /// `data[]`: the snapshot, or this chunk of it.
    SnapshotData,
    /// `done`: this is the last chunk.
    Done,
    /// A variant of a reply that says yes.
    VariantYes,
    /// A variant of a reply that says no.
    VariantNo,
}

/// The table: the name of Figure 2 or of the course first, where it has one; in small letters.
pub const TABLE: &[(Name, &[&str])] = &[
    (
        Name::RequestVote,
        &["requestvote", "requestvotes", "requestvoterpc", "askvote", "askforvote"],
    ),
    (
        Name::AppendEntries,
        &["appendentries", "appendentry", "appendentriesrpc", "append", "appendlog", "replicate"],
    ),
    (Name::Heartbeat, &["heartbeat", "heartbeats", "sendheartbeat"]),
    (Name::PreVoteMethod, &["prevote", "requestprevote", "prerequestvote", "askprevote"]),
    (
        Name::InstallSnapshot,
        &[
            "installsnapshot",
            "installsnapshots",
            "installsnapshotrpc",
            "sendsnapshot",
            "installsnap",
            "snapshot",
        ],
    ),
    (
        Name::TimeoutNow,
        &[
            "timeoutnow",
            "transferleadership",
            "transferleader",
            "leadershiptransfer",
            "campaign",
            "startelection",
        ],
    ),
    (
        Name::Term,
        &[
            "term",
            "currentterm",
            "curterm",
            "leaderterm",
            "candidateterm",
            "followerterm",
            "voterterm",
            "peerterm",
            "serverterm",
            "nodeterm",
            "replyterm",
            "responseterm",
            "logterm",
            "entryterm",
            "epoch",
            "currentepoch",
            "t",
        ],
    ),
    (Name::Candidate, &["candidateid", "candidate"]),
    (Name::Leader, &["leaderid", "leader"]),
    (
        Name::LastIndex,
        &["lastlogindex", "lastindex", "lastlogidx", "lastidx", "lastentryindex", "lli"],
    ),
    (
        Name::LastTerm,
        &["lastlogterm", "lastterm", "lastentryterm", "lastlogepoch", "lastepoch", "llt"],
    ),
    (
        Name::PreVote,
        &["prevote", "isprevote", "preelection", "ispreelection", "precandidate", "precampaign"],
    ),
    (Name::Transfer, &["leadershiptransfer", "leadertransfer", "transfer", "campaigntransfer"]),
    (
        Name::PrevIndex,
        &[
            "prevlogindex",
            "previndex",
            "previouslogindex",
            "previousindex",
            "prevlogidx",
            "previdx",
            "preventryindex",
            "pli",
        ],
    ),
    (
        Name::PrevTerm,
        &[
            "prevlogterm",
            "prevterm",
            "previouslogterm",
            "previousterm",
            "preventryterm",
            "prevlogepoch",
            "prevepoch",
            "plt",
        ],
    ),
    (
        Name::Entries,
        &[
            "entries",
            "logentries",
            "newentries",
            "log",
            "logs",
            "entry",
            "logentry",
            "newentry",
            "es",
        ],
    ),
    (
        Name::Commit,
        &[
            "leadercommit",
            "leadercommitindex",
            "leadercommitidx",
            "commitindex",
            "commitidx",
            "commit",
            "committed",
            "committedindex",
            "lc",
        ],
    ),
    (
        Name::Applied,
        &[
            "lastapplied",
            "lastappliedindex",
            "lastappliedidx",
            "applied",
            "appliedindex",
            "appliedidx",
            "appliedupto",
            "applyindex",
        ],
    ),
    (
        Name::Yes,
        &[
            "votegranted",
            "granted",
            "vote",
            "voted",
            "grantvote",
            "isgranted",
            "isvotegranted",
            "success",
            "succeeded",
            "successful",
            "issuccess",
            "succ",
            "ok",
            "accepted",
            "accept",
            "appended",
        ],
    ),
    (
        Name::Accepted,
        &[
            "matchindex",
            "matchedindex",
            "matchidx",
            "matched",
            "acceptedindex",
            "acceptedupto",
            "ackindex",
            "ackedindex",
            "upto",
        ],
    ),
    (
        Name::Flushed,
        &[
            "flushedindex",
            "flushed",
            "flushedupto",
            "lastflushed",
            "lastflushedindex",
            "lastflushedlogindex",
            "durableindex",
            "durable",
            "durableupto",
            "lastdurable",
            "lastdurableindex",
            "lastdurablelogindex",
            "persistedindex",
            "persisted",
            "persistedupto",
            "lastpersisted",
            "lastpersistedindex",
            "syncedindex",
            "synced",
            "syncedupto",
            "lastsynced",
            "lastsyncedindex",
            "stableindex",
            "stable",
        ],
    ),
    (Name::Conflict, &["conflict"]),
    (Name::ConflictTerm, &["conflictterm", "xterm", "conflictepoch"]),
    (Name::ConflictIndex, &["conflictindex", "xindex", "nextindex"]),
    (
        Name::Command,
        &["command", "cmd", "data", "payload", "value", "op", "operation", "content", "body", "c"],
    ),
    (Name::Index, &["index", "idx", "logindex", "entryindex"]),
    (
        Name::IncludedIndex,
        &[
            "lastincludedindex",
            "lastincludedidx",
            "lastincludeindex",
            "includedindex",
            "lastsnapshotindex",
            "snapshotindex",
            "snapshotidx",
            "snapindex",
            "lastindex",
            "lastlogindex",
            "baseindex",
            "index",
            "lii",
        ],
    ),
    (
        Name::IncludedTerm,
        &[
            "lastincludedterm",
            "lastincludeterm",
            "lastincludedepoch",
            "includedterm",
            "lastsnapshotterm",
            "snapshotterm",
            "snapterm",
            "lastterm",
            "lastlogterm",
            "baseterm",
            "lit",
        ],
    ),
    (Name::Offset, &["offset", "chunkoffset", "dataoffset", "position"]),
    (
        Name::SnapshotData,
        &["data", "snapshot", "snapshotdata", "snapshotbytes", "snap", "bytes", "chunk", "content"],
    ),
    (Name::Done, &["done", "isdone", "lastchunk", "islast", "islastchunk", "finished", "eof"]),
    (
        Name::VariantYes,
        &[
            "accepted",
            "accept",
            "ok",
            "success",
            "succeeded",
            "granted",
            "grant",
            "votegranted",
            "yes",
            "voted",
            "appended",
            "ack",
            "matched",
        ],
    ),
    (
        Name::VariantNo,
        &[
            "rejected",
            "reject",
            "refused",
            "refuse",
            "conflict",
            "denied",
            "deny",
            "no",
            "notgranted",
            "err",
            "error",
            "failed",
            "failure",
            "fail",
            "mismatch",
            "stale",
            "staleterm",
            "oldterm",
            "outdated",
            "logmismatch",
            "inconsistent",
            "nack",
        ],
    ),
];

/// The names that stand for this.
pub fn aliases(name: Name) -> &'static [&'static str] {
    TABLE.iter().find(|(known, _)| *known == name).map_or(&[], |(_, aliases)| aliases)
}

/// True if this name stands for that.
pub fn is(name: &str, known: Name) -> bool {
    rank(name, known).is_some()
}

/// The place of this name among those that stand for that: of several, the first one is most likely meant.
pub fn rank(name: &str, known: Name) -> Option<usize> {
    aliases(known).iter().position(|alias| same(name, alias))
}

/// True if a name is this one, in whatever case, with or without underscores.
pub fn same(name: &str, plain: &str) -> bool {
    plain_letters(name).eq(plain.chars())
}

/// A name in small letters, without underscores.
pub fn letters(name: &str) -> String {
    plain_letters(name).collect()
}

fn plain_letters(name: &str) -> impl Iterator<Item = char> + '_ {
    let letters = name.chars().filter(|letter| !matches!(letter, '_' | '-'));
    letters.map(|letter| letter.to_ascii_lowercase())
}

/// The name of a method without the service's: `Raft.AppendEntries` is `AppendEntries`.
pub fn method(name: &str) -> &str {
    match name.rsplit(['.', ':', '/']).next() {
        None | Some("") => name,
        Some(short) => short,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_does_not_matter() {
        for name in ["prev_log_index", "PrevLogIndex", "prevLogIndex", "PREV_LOG_INDEX"] {
            assert!(is(name, Name::PrevIndex), "{name}");
        }
        assert!(!is("prev_log_indexes", Name::PrevIndex));
        assert!(is(method("Raft.AppendEntries"), Name::AppendEntries));
        assert_eq!((method(""), method("Raft.")), ("", "Raft."));
        assert_eq!(letters("Prev-Log_Index"), "prevlogindex");
    }

    #[test]
    fn the_table_is_plain_and_says_nothing_twice() {
        for (name, aliases) in TABLE {
            for alias in *aliases {
                assert!(alias.bytes().all(|byte| byte.is_ascii_lowercase()), "{alias}");
                let count = aliases.iter().filter(|other| other == &alias).count();
                assert_eq!(count, 1, "{alias} of {name:?}");
            }
        }
    }

    #[test]
    fn the_table_for_people_is_this_one() {
        let page = include_str!("../../../docs/names.md");
        for (name, aliases) in TABLE {
            let list = aliases.iter().map(|alias| format!("`{alias}`")).collect::<Vec<_>>();
            let line = format!("| {} |", list.join(" "));
            assert!(page.contains(&line), "docs/names.md lacks for {name:?}: {line}");
        }
    }
}
