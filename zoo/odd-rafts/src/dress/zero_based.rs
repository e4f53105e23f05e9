//! The first entry has index 0 on the wire, and before it there is -1.

use labgob::Gob;
use serde::{Deserialize, Serialize};

use super::entries::{Entries, LogEntry};
use super::{AnswersAppend, AsksAppend, AsksVote};
use crate::message::{AppendReply, AppendRequest, Hint, Place, Subject, VoteRequest};

/// An index on the wire.
pub(super) fn dress(index: u64) -> i64 {
    i64::try_from(index).expect("logs are short") - 1
}

pub(super) fn undress(index: i64) -> u64 {
    u64::try_from(index + 1).expect("nothing is before -1")
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct RequestVoteArgs {
    term: u64,
    candidate_id: usize,
    last_log_index: i64,
    last_log_term: u64,
}

impl AsksVote for RequestVoteArgs {
    fn dress(vote: &VoteRequest) -> Self {
        RequestVoteArgs {
            term: vote.term,
            candidate_id: vote.candidate,
            last_log_index: dress(vote.last.index),
            last_log_term: vote.last.term,
        }
    }

    fn undress(self) -> VoteRequest {
        let last = Place { index: undress(self.last_log_index), term: self.last_log_term };
        VoteRequest { term: self.term, candidate: self.candidate_id, last, pre: false }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct AppendEntriesArgs {
    term: u64,
    leader_id: usize,
    prev_log_index: i64,
    prev_log_term: u64,
    entries: Vec<LogEntry>,
    leader_commit: i64,
}

impl AsksAppend for AppendEntriesArgs {
    fn dress(append: &AppendRequest) -> Self {
        AppendEntriesArgs {
            term: append.term,
            leader_id: append.leader,
            prev_log_index: dress(append.prev.index),
            prev_log_term: append.prev.term,
            entries: Entries::dress(append),
            leader_commit: dress(append.commit),
        }
    }

    fn undress(self) -> AppendRequest {
        AppendRequest {
            term: self.term,
            leader: self.leader_id,
            prev: Place { index: undress(self.prev_log_index), term: self.prev_log_term },
            entries: self.entries.undress(),
            commit: undress(self.leader_commit),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct AppendEntriesReply {
    term: u64,
    success: bool,
    /// Where to try next.
    next_index: Option<i64>,
}

impl AnswersAppend for AppendEntriesReply {
    fn dress(reply: &AppendReply) -> Self {
        let next_index = reply.hint().map(|hint| dress(hint.index));
        AppendEntriesReply { term: reply.term, success: reply.is_yes(), next_index }
    }

    fn undress(self, about: Subject) -> AppendReply {
        let hint = self.next_index.map(|index| Hint { term: None, index: undress(index) });
        AppendReply::read(self.term, about, about.outcome(self.success, hint))
    }
}
