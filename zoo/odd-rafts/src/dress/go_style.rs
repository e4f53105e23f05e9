//! As a student of the course writes it in Go: capital letters, and the course's hint about
//! conflicts with `-1` for "none" (XTerm, XIndex, XLen).
#![expect(non_snake_case, reason = "these are the names in Go")]

use labgob::Gob;
use raft_api::Bytes;
use serde::{Deserialize, Serialize};

use super::entries::{DressedEntry, Entries};
use super::{AnswersAppend, AnswersVote, AsksAppend, AsksVote};
use crate::message::{
    AppendReply, AppendRequest, Entry, Hint, Place, Subject, VoteReply, VoteRequest,
};

vote_args!(RequestVoteArgs { Term, CandidateId, LastLogIndex, LastLogTerm });
vote_reply!(RequestVoteReply { Term, VoteGranted });
append_args!(AppendEntriesArgs {
    Term,
    LeaderId,
    PrevLogIndex,
    PrevLogTerm,
    Entries,
    LeaderCommit
});
entry!(LogEntry { Term, Command });

pub(crate) type AppendEntries = AppendEntriesArgs<Vec<LogEntry>>;

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct AppendEntriesReply {
    Term: u64,
    Success: bool,
    /// The term of the entry in conflict, or -1.
    XTerm: i64,
    /// The first index of that term, or -1.
    XIndex: i64,
    /// The index after the last entry if the log is too short, or -1.
    XLen: i64,
}

impl AnswersAppend for AppendEntriesReply {
    fn dress(reply: &AppendReply) -> Self {
        let (term, index, length) = match reply.hint() {
            Some(Hint { term: Some(term), index }) => (signed(term), signed(index), -1),
            Some(Hint { term: None, index }) => (-1, -1, signed(index)),
            None => (-1, -1, -1),
        };
        let (Term, Success) = (reply.term, reply.is_yes());
        AppendEntriesReply { Term, Success, XTerm: term, XIndex: index, XLen: length }
    }

    fn undress(self, about: Subject) -> AppendReply {
        let number = |signed: i64| u64::try_from(signed).ok();
        let index = number(self.XIndex).or(number(self.XLen));
        let hint = index.map(|index| Hint { term: number(self.XTerm), index });
        AppendReply::read(self.Term, about, about.outcome(self.Success, hint))
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).expect("logs and terms are short")
}
