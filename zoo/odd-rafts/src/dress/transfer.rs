//! TimeoutNow, the same in all dresses.

use labgob::Gob;
use serde::{Deserialize, Serialize};

use crate::message::{TimeoutNowReply, TimeoutNowRequest};

pub(super) const METHOD: &str = "Raft.TimeoutNow";

#[derive(Clone, Copy, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct TimeoutNowArgs {
    term: u64,
    leader_id: usize,
}

impl TimeoutNowArgs {
    pub(super) fn dress(request: TimeoutNowRequest) -> Self {
        TimeoutNowArgs { term: request.term, leader_id: request.leader }
    }

    pub(super) fn undress(self) -> TimeoutNowRequest {
        TimeoutNowRequest { term: self.term, leader: self.leader_id }
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct TimeoutNowAnswer {
    term: u64,
}

impl TimeoutNowAnswer {
    pub(super) fn dress(reply: TimeoutNowReply) -> Self {
        TimeoutNowAnswer { term: reply.term }
    }

    pub(super) fn undress(self) -> TimeoutNowReply {
        TimeoutNowReply { term: self.term }
    }
}
