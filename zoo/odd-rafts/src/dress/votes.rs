//! Other ways to ask for a vote and to give it.

use labgob::Gob;
use serde::{Deserialize, Serialize};

use super::{AnswersVote, AsksVote};
use crate::message::{Place, VoteReply, VoteRequest};

/// Requests with a mark for pre-votes.
pub(crate) mod marked {
    use super::*;

    vote_args!(PreVoteArgs { term, candidate_id, last_log_index, last_log_term; pre_vote });
    vote_args!(IsPreVoteArgs { term, candidate_id, last_log_index, last_log_term; is_pre_vote });
    vote_args!(PrevoteArgs { term, candidate_id, last_log_index, last_log_term; prevote });
}

vote_reply!(Granted { term, granted });
vote_reply!(Vote { term, vote });

/// The answer as an enum.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) enum Ballot {
    Granted { term: u64 },
    Denied { term: u64 },
}

impl AnswersVote for Ballot {
    fn dress(reply: &VoteReply) -> Self {
        let term = reply.term;
        if reply.granted { Ballot::Granted { term } } else { Ballot::Denied { term } }
    }

    fn undress(self, asked: &VoteRequest) -> VoteReply {
        let (term, granted) = match self {
            Ballot::Granted { term } => (term, true),
            Ballot::Denied { term } => (term, false),
        };
        VoteReply { term, asked: asked.term, pre: asked.pre, granted }
    }
}
