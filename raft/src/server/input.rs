//! What comes into an event loop's queue, and what goes back for it.

use bytes::Bytes;
use labrpc::{Reply, Returned};
use labrt::channel::Sender;
use raft_api::{Started, TellReadIndex};

use crate::message::{
    AppendEntriesArgs, AppendEntriesReply, ConfirmLeaderArgs, ConfirmLeaderReply,
    InstallSnapshotArgs, InstallSnapshotReply, RequestVoteArgs, RequestVoteReply,
};
use crate::rules::{InstallTicket, ReadTicket, Ticket};

/// All that can happen to a server, but for its timers.
pub(super) enum Input {
    RequestVote(RequestVoteArgs, Reply<RequestVoteReply>),
    AppendEntries(AppendEntriesArgs, Reply<AppendEntriesReply>),
    Voted(Returned<VoteCall, RequestVoteReply>),
    InstallSnapshot(InstallSnapshotArgs, Reply<InstallSnapshotReply>),
    Appended(Returned<AppendCall, AppendEntriesReply>),
    Installed(Returned<InstallCall, InstallSnapshotReply>),
    ConfirmLeader(ConfirmLeaderArgs, Reply<ConfirmLeaderReply>),
    Confirmed(Returned<ConfirmCall, ConfirmLeaderReply>),
    Start(Bytes, Sender<Option<Started>>),
    /// The service wants to read without a log entry.
    Read(TellReadIndex),
    /// The service's snapshot of all up to this index. The sender says when it is saved.
    Snapshot(u64, Bytes, Sender<()>),
    /// Wakes the loop: the server is over.
    End,
}

/// Tells a RequestVote from others when it returns.
pub(super) struct VoteCall {
    pub(super) to: usize,
    pub(super) sent_in: u64,
}

impl From<Returned<VoteCall, RequestVoteReply>> for Input {
    fn from(returned: Returned<VoteCall, RequestVoteReply>) -> Input {
        Input::Voted(returned)
    }
}

/// Tells an AppendEntries from others when it returns.
pub(super) struct AppendCall {
    pub(super) to: usize,
    pub(super) ticket: Ticket,
}

impl From<Returned<AppendCall, AppendEntriesReply>> for Input {
    fn from(returned: Returned<AppendCall, AppendEntriesReply>) -> Input {
        Input::Appended(returned)
    }
}

/// Tells an InstallSnapshot from others when it returns.
pub(super) struct InstallCall {
    pub(super) to: usize,
    pub(super) ticket: InstallTicket,
}

impl From<Returned<InstallCall, InstallSnapshotReply>> for Input {
    fn from(returned: Returned<InstallCall, InstallSnapshotReply>) -> Input {
        Input::Installed(returned)
    }
}

/// Tells a ConfirmLeader from others when it returns.
pub(super) struct ConfirmCall {
    pub(super) to: usize,
    pub(super) ticket: ReadTicket,
}

impl From<Returned<ConfirmCall, ConfirmLeaderReply>> for Input {
    fn from(returned: Returned<ConfirmCall, ConfirmLeaderReply>) -> Input {
        Input::Confirmed(returned)
    }
}

/// An answer that waits until its reasons are saved.
pub(super) enum Answer {
    Vote(Reply<RequestVoteReply>, RequestVoteReply),
    Append(Reply<AppendEntriesReply>, AppendEntriesReply),
    Install(Reply<InstallSnapshotReply>, InstallSnapshotReply),
    Confirm(Reply<ConfirmLeaderReply>, ConfirmLeaderReply),
    Start(Sender<Option<Started>>, Option<Started>),
    Snapshot(Sender<()>),
}

impl Answer {
    /// Tells whoever asked, if it is still there.
    pub(super) fn send(self) {
        match self {
            Answer::Vote(reply, answer) => reply.send(answer),
            Answer::Append(reply, answer) => reply.send(answer),
            Answer::Install(reply, answer) => reply.send(answer),
            Answer::Confirm(reply, answer) => reply.send(answer),
            Answer::Start(reply, started) => drop(reply.send(started)),
            Answer::Snapshot(saved) => drop(saved.send(())),
        }
    }
}
