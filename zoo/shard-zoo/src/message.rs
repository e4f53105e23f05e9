//! What clerks and servers say to each other.

use std::collections::{BTreeMap, BTreeSet};

use labgob::Gob;
use serde::{Deserialize, Serialize};
use shard_api::{Config, Gid};

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
    WrongGroup,
    WrongLeader,
    NotReady,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) struct Answer {
    pub(crate) err: Err,
    pub(crate) value: String,
}

/// The data of a shard, and by client the last write to it that was executed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) struct Shard {
    pub(crate) data: BTreeMap<String, String>,
    pub(crate) last: BTreeMap<u64, u64>,
}

impl Shard {
    pub(crate) fn is_empty(&self) -> bool {
        self.data.is_empty() && self.last.is_empty()
    }
}

/// Shards that a configuration takes from the group that is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) struct Wanted {
    pub(crate) number: u64,
    pub(crate) shards: BTreeSet<usize>,
}

/// The answer to whoever wants them.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct Pulled {
    pub(crate) err: Err,
    pub(crate) shards: BTreeMap<usize, Shard>,
}

#[labrpc::service(name = "ShardKV")]
pub(crate) trait Store {
    fn execute(&self, op: Op) -> Answer;
    fn pull(&self, wanted: Wanted) -> Pulled;
    fn delete(&self, wanted: Wanted) -> Err;
}

/// What the controller is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) enum Ask {
    Query(Option<u64>),
    Join(BTreeMap<Gid, Vec<String>>),
    Leave(Vec<Gid>),
    Move(usize, Gid),
}

/// Who asks the controller what, and which of its requests it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) struct Asked {
    pub(crate) ask: Ask,
    pub(crate) client: u64,
    pub(crate) number: u64,
}

/// The controller's answer; a configuration if it was a query.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct Said {
    pub(crate) err: Err,
    pub(crate) config: Config,
}

#[labrpc::service(name = "ShardCtrler")]
pub(crate) trait Ctrler {
    fn ask(&self, asked: Asked) -> Said;
}
