use bytes::Bytes;
use labgob::Gob;
use serde::{Deserialize, Serialize};

use crate::log::Entry;

/// Invoked by candidates to gather votes (Figure 2, RequestVote RPC).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Gob)]
pub struct RequestVoteArgs {
    /// The candidate's term.
    pub term: u64,
    /// The candidate's number.
    pub candidate_id: u32,
    /// The index of the candidate's last log entry.
    pub last_log_index: u64,
    /// The term of the candidate's last log entry.
    pub last_log_term: u64,
}

/// The reply to [`RequestVoteArgs`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Gob)]
pub struct RequestVoteReply {
    /// The receiver's term, for the candidate to update itself.
    pub term: u64,
    /// True if the candidate got the vote.
    pub vote_granted: bool,
}

/// Invoked by the leader to replicate log entries, and as heartbeat (Figure 2, AppendEntries RPC).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Gob)]
pub struct AppendEntriesArgs {
    /// The leader's term.
    pub term: u64,
    /// The leader's number.
    pub leader_id: u32,
    /// The index of the log entry before the new ones.
    pub prev_log_index: u64,
    /// The term of that entry.
    pub prev_log_term: u64,
    /// The entries to store; none for a heartbeat.
    pub entries: Vec<Entry>,
    /// The leader's commit index.
    pub leader_commit: u64,
}

/// The reply to [`AppendEntriesArgs`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Gob)]
pub struct AppendEntriesReply {
    /// The receiver's term, for the leader to update itself.
    pub term: u64,
    /// True if the receiver's log now holds the entries.
    pub success: bool,
    /// If the logs differ before the new entries: how.
    pub conflict: Option<Conflict>,
}

/// How a follower's log differs from the leader's (paper, end of section 5.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Gob)]
pub struct Conflict {
    /// The term of the follower's entry that differs; none if its log ends before it.
    pub term: Option<u64>,
    /// The first index at which the follower has that term; the index after its last entry if its
    /// log is too short.
    pub index: u64,
}

/// Invoked by the leader to send a snapshot to a follower that lacks what the leader has forgotten
/// (Figure 13, InstallSnapshot RPC). All of it comes at once, so there is no `offset` and no `done`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Gob)]
pub struct InstallSnapshotArgs {
    /// The leader's term.
    pub term: u64,
    /// The leader's number.
    pub leader_id: u32,
    /// The index of the last entry that the snapshot replaces.
    pub last_included_index: u64,
    /// The term of that entry.
    pub last_included_term: u64,
    /// The snapshot.
    pub data: Bytes,
}

/// The reply to [`InstallSnapshotArgs`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Gob)]
pub struct InstallSnapshotReply {
    /// The receiver's term, for the leader to update itself. If it is the leader's, the receiver now
    /// has all that the snapshot covers.
    pub term: u64,
}

/// Asks, before a leader answers reads, whether somebody knows of a later term (section 8).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Gob)]
pub struct ConfirmLeaderArgs {
    /// The leader's term.
    pub term: u64,
}

/// The reply to [`ConfirmLeaderArgs`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Gob)]
pub struct ConfirmLeaderReply {
    /// The receiver's term. If it is not later than the leader's, the receiver has voted for no later
    /// leader.
    pub term: u64,
}

/// The RPCs between the servers of a cluster. Go: the methods of `Raft` with an args and a reply.
///
/// All are handled by the event loop: the handlers only pass them on.
#[labrpc::service(name = "Raft")]
pub(crate) trait RaftRpc {
    #[rpc(inline)]
    fn request_vote(&self, args: RequestVoteArgs, reply: labrpc::Reply<RequestVoteReply>);
    #[rpc(inline)]
    fn append_entries(&self, args: AppendEntriesArgs, reply: labrpc::Reply<AppendEntriesReply>);
    #[rpc(inline)]
    fn install_snapshot(
        &self,
        args: InstallSnapshotArgs,
        reply: labrpc::Reply<InstallSnapshotReply>,
    );
    #[rpc(inline)]
    fn confirm_leader(&self, args: ConfirmLeaderArgs, reply: labrpc::Reply<ConfirmLeaderReply>);
}
