//! What clerks and servers say to each other, and what stands in the log.

use labgob::Gob;
use serde::{Deserialize, Serialize};

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) enum Kind {
    Get,
    Put,
    Append,
}

/// A request, as it is sent and as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) struct Op {
    pub(crate) kind: Kind,
    pub(crate) key: String,
    pub(crate) value: String,
    /// Who asks, and which of its requests it is.
    pub(crate) client: u64,
    pub(crate) number: u64,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) enum Err {
    Ok,
    ErrWrongLeader,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) struct Answer {
    pub(crate) err: Err,
    pub(crate) value: String,
}

impl Answer {
    pub(crate) fn done(value: String) -> Answer {
        Answer { err: Err::Ok, value }
    }

    pub(crate) fn wrong_leader() -> Answer {
        Answer { err: Err::ErrWrongLeader, value: String::new() }
    }
}

#[labrpc::service(name = "KVServer")]
pub(crate) trait Rpc {
    fn execute(&self, op: Op) -> Answer;
}
