//! The plain dress: Figure 2 in snake case, with the reply of the Students' Guide to Raft ("An aside
//! on optimizations").

use labgob::Gob;
use serde::{Deserialize, Serialize};

use super::entries::{Entries, LogEntry};
use super::{AnswersAppend, AnswersVote, AsksAppend, AsksVote};
use crate::message::{AppendReply, AppendRequest, Hint, Place, Subject, VoteReply, VoteRequest};

vote_args!(RequestVoteArgs { term, candidate_id, last_log_index, last_log_term });
vote_reply!(RequestVoteReply { term, vote_granted });
append_args!(AppendEntriesArgs {
    term,
    leader_id,
    prev_log_index,
    prev_log_term,
    entries,
    leader_commit
});

/// The plain AppendEntries.
pub(crate) type AppendEntries = AppendEntriesArgs<Vec<LogEntry>>;

/// The answer to AppendEntries.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct AppendEntriesReply {
    term: u64,
    success: bool,
    conflict_term: Option<u64>,
    conflict_index: Option<u64>,
}

impl AnswersAppend for AppendEntriesReply {
    fn dress(reply: &AppendReply) -> Self {
        let (term, success, hint) = (reply.term, reply.is_yes(), reply.hint());
        let conflict_term = hint.and_then(|hint| hint.term);
        let conflict_index = hint.map(|hint| hint.index);
        AppendEntriesReply { term, success, conflict_term, conflict_index }
    }

    fn undress(self, about: Subject) -> AppendReply {
        let hint = self.conflict_index.map(|index| Hint { term: self.conflict_term, index });
        AppendReply::read(self.term, about, about.outcome(self.success, hint))
    }
}
