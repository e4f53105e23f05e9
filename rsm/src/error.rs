//! How a submission or the making of a server can fail.

use std::error::Error;

use labgob::DecodeError;
use persister::PersistError;
use thiserror::Error;

/// Why a submitted request has no reply.
///
/// Go (2025): `ErrWrongLeader`, for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// This server did not lead when it was asked, so nothing was done.
    #[error("this server is not the leader")]
    NotLeader,
    /// This server led, and lost its place before the request was committed: another one was
    /// executed where it was to stand. This request was not executed, and will not be.
    #[error("another request was executed at index {index}")]
    Replaced {
        /// Where it was to stand.
        index: u64,
    },
    /// This server leads no longer, or leads again; or a snapshot has replaced the log at this
    /// place. The request may have been executed, may be later, or never.
    #[error("it is open what becomes of index {index}")]
    Unknown {
        /// Where it was to stand.
        index: u64,
    },
    /// This server led when it was asked, and its Raft gave the request no place. Another one leads by now, and nothing
    /// was done; or this server is over, and may have saved the request before, so that it may be executed after a
    /// restart. A Raft does not tell which.
    #[error("this server led, and its Raft gave the request no place")]
    NoPlace,
    /// This server is over. The request may have been executed, or may be.
    #[error("this server is over")]
    Ended,
}

impl SubmitError {
    /// Whether the request may have been executed, or may be later. If not, it can be sent again
    /// without being executed twice.
    pub fn may_have_happened(self) -> bool {
        matches!(self, SubmitError::Unknown { .. } | SubmitError::NoPlace | SubmitError::Ended)
    }
}

/// Why a replicated machine cannot be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MakeError {
    /// The snapshot cannot be read.
    #[error("the snapshot cannot be read: {0}")]
    Persister(#[from] PersistError),
    /// What the persister holds is no snapshot of such a machine.
    #[error("what the persister holds is no snapshot of this machine: {0}")]
    Snapshot(#[from] DecodeError),
    /// The snapshot is not the one that the saved Raft state goes on from.
    #[error(
        "the snapshot holds what was executed up to index {snapshot}, but the saved log has the entries \
         {first} to {last} beside it: the two are of different moments, or one is damaged; restore both \
         from one copy, or remove both, and the server gets a snapshot from the others"
    )]
    Apart {
        /// The last index of the snapshot.
        snapshot: u64,
        /// The first index of the saved log: that of its next entry, if it is empty.
        first: u64,
        /// Its last one.
        last: u64,
    },
    /// The Raft below could not be made.
    #[error("the Raft below cannot be made: {0}")]
    Raft(Box<dyn Error + Send + Sync>),
}

#[cfg(test)]
mod tests {
    use super::SubmitError::{Ended, NoPlace, NotLeader, Replaced, Unknown};

    #[test]
    fn what_was_not_executed_for_certain_may_be_sent_again() {
        for certain in [NotLeader, Replaced { index: 5 }] {
            assert!(!certain.may_have_happened(), "{certain:?}");
        }
        for open in [Unknown { index: 5 }, NoPlace, Ended] {
            assert!(open.may_have_happened(), "{open:?}");
        }
    }
}
