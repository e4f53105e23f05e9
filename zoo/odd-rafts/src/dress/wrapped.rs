//! Every message within another one, as a library with a common header does it.

use labgob::Gob;
use serde::{Deserialize, Serialize};

use super::{AnswersAppend, AnswersVote, AsksAppend, AsksVote};
use crate::message::{AppendReply, AppendRequest, Subject, VoteReply, VoteRequest};

/// A request with its sender.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct Call<T> {
    from: usize,
    args: T,
}

/// A reply in a box of its own.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct Answer<T> {
    reply: T,
}

impl<T: AsksVote> AsksVote for Call<T> {
    const MARKS_PRE_VOTE: bool = T::MARKS_PRE_VOTE;

    fn dress(vote: &VoteRequest) -> Self {
        Call { from: vote.candidate, args: T::dress(vote) }
    }

    fn undress(self) -> VoteRequest {
        self.args.undress()
    }
}

impl<T: AsksAppend> AsksAppend for Call<T> {
    fn dress(append: &AppendRequest) -> Self {
        Call { from: append.leader, args: T::dress(append) }
    }

    fn undress(self) -> AppendRequest {
        self.args.undress()
    }
}

impl<T: AnswersVote> AnswersVote for Answer<T> {
    fn dress(reply: &VoteReply) -> Self {
        Answer { reply: T::dress(reply) }
    }

    fn undress(self, asked: &VoteRequest) -> VoteReply {
        self.reply.undress(asked)
    }
}

impl<T: AnswersAppend> AnswersAppend for Answer<T> {
    fn dress(reply: &AppendReply) -> Self {
        Answer { reply: T::dress(reply) }
    }

    fn undress(self, about: Subject) -> AppendReply {
        self.reply.undress(about)
    }
}
