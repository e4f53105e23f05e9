//! What servers say to each other (Figure 2).

use labgob::Gob;
use raft_api::Bytes;
use serde::{Deserialize, Serialize};

/// An entry of the log.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct Entry {
    pub(crate) term: u64,
    pub(crate) command: Bytes,
}

/// "Invoked by candidates to gather votes."
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct RequestVoteArgs {
    pub(crate) term: u64,
    pub(crate) candidate_id: usize,
    pub(crate) last_log_index: u64,
    pub(crate) last_log_term: u64,
}

/// The answer to RequestVote.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct RequestVoteReply {
    pub(crate) term: u64,
    pub(crate) vote_granted: bool,
}

/// "Invoked by leader to replicate log entries; also used as heartbeat."
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct AppendEntriesArgs {
    pub(crate) term: u64,
    pub(crate) leader_id: usize,
    pub(crate) prev_log_index: u64,
    pub(crate) prev_log_term: u64,
    pub(crate) entries: Vec<Entry>,
    pub(crate) leader_commit: u64,
}

/// The answer to AppendEntries. What is said about a conflict is from the Students' Guide to Raft
/// ("An aside on optimizations").
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct AppendEntriesReply {
    pub(crate) term: u64,
    pub(crate) success: bool,
    /// The term of the follower's entry at `prev_log_index`; none if it has no entry there.
    pub(crate) conflict_term: Option<u64>,
    /// The first index with that term; without one, the index after the follower's last entry. (In a success it is 0;
    /// with [`TailAcknowledged`](crate::Kind::TailAcknowledged) the index of the follower's last entry.)
    pub(crate) conflict_index: u64,
}

/// "Invoked by leader to send chunks of a snapshot to a follower" (Figure 13); here the whole of it.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct InstallSnapshotArgs {
    pub(crate) term: u64,
    pub(crate) leader_id: usize,
    pub(crate) last_included_index: u64,
    pub(crate) last_included_term: u64,
    pub(crate) data: Bytes,
}

/// The answer to InstallSnapshot.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct InstallSnapshotReply {
    pub(crate) term: u64,
}

/// The RPCs between servers.
#[labrpc::service(name = "Raft")]
pub(crate) trait Rpc {
    fn request_vote(&self, args: RequestVoteArgs) -> RequestVoteReply;
    fn append_entries(&self, args: AppendEntriesArgs) -> AppendEntriesReply;
    fn install_snapshot(&self, args: InstallSnapshotArgs) -> InstallSnapshotReply;
}
