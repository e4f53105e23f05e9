//! What a message between servers means, in the words of Figure 2 and, for snapshots, of Figure 13.

use bytes::Bytes;

/// A message between two servers, as it travels.
#[derive(Clone, Copy, Debug)]
pub struct Wire<'a> {
    /// The method's name on the wire, such as `Raft.AppendEntries`.
    pub method: &'a str,
    /// Whether it is the reply, or the request.
    pub reply: bool,
    /// Its encoding: `labgob::decode` makes the value of it.
    pub bytes: &'a [u8],
}

/// What a message means to the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Meaning {
    /// What the names of its fields say.
    ByNames,
    /// Nothing: it asks for nothing and promises nothing that the rules speak of.
    Nothing,
    /// It asks for a vote.
    RequestVote {
        /// The candidate's term.
        term: u64,
        /// The index of the candidate's last entry; 0 for an empty log.
        last_log_index: u64,
        /// The term of that entry; 0 for an empty log.
        last_log_term: u64,
    },
    /// It gives a vote, or refuses it.
    Vote {
        /// The voter's term; 0 if the reply does not say.
        term: u64,
        /// True if the candidate has got the vote.
        granted: bool,
    },
    /// It brings entries, or is a heartbeat.
    AppendEntries {
        /// The leader's term.
        term: u64,
        /// The index of the entry before the new ones; 0 if there is none.
        prev_log_index: u64,
        /// The term of that entry.
        prev_log_term: u64,
        /// Term and command of each entry.
        entries: Vec<(u64, Bytes)>,
        /// The leader's commit index.
        leader_commit: u64,
    },
    /// It accepts the entries, or refuses them.
    Appended {
        /// The follower's term; 0 if the reply does not say.
        term: u64,
        /// True if the follower's log now holds the entries.
        success: bool,
        /// Up to which index it has accepted them, if that may be less than what it was sent: what the leader may
        /// count, and a crash must not take. That may be less than `prev_log_index`, or 0, if the rest is not
        /// on its disk yet.
        match_index: Option<u64>,
    },
    /// It brings a snapshot, as a whole (Figure 13, InstallSnapshot RPC). Of one that comes in parts it
    /// is the last part; the others are [`Nothing`](Meaning::Nothing).
    InstallSnapshot {
        /// The leader's term.
        term: u64,
        /// The index of the last entry that the snapshot takes the place of.
        last_included_index: u64,
        /// The term of that entry.
        last_included_term: u64,
    },
    /// It answers [`InstallSnapshot`](Meaning::InstallSnapshot). If its term is that of the request, the
    /// follower has taken the snapshot, or has had all that is in it.
    SnapshotInstalled {
        /// The follower's term; 0 if the reply does not say.
        term: u64,
    },
}
