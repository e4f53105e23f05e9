//! What clerks and servers, and servers of different groups, say to each other.

use std::collections::BTreeMap;

use labgob::Gob;
use labrpc::Reply;
use serde::{Deserialize, Serialize};
use shard_api::Gid;

use crate::shard::Shard;

/// How a clerk's request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub enum Outcome {
    /// It is done.
    Ok,
    /// It is done, and the key has no value.
    NoKey,
    /// The group does not serve the key's shard, or not yet. Nothing was done.
    WrongGroup,
    /// Another server leads, or none. Whether it is done is open.
    WrongLeader,
}

/// Asks for a value.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub struct GetArgs {
    /// Of which key.
    pub key: String,
}

/// The answer to [`GetArgs`].
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub struct GetReply {
    /// How it ended.
    pub outcome: Outcome,
    /// The value; empty unless the outcome is [`Outcome::Ok`].
    pub value: String,
}

/// What a write does to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub enum Op {
    /// The value becomes this one.
    Put,
    /// This one is added to the end of the value.
    Append,
}

/// Asks for a write.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub struct PutAppendArgs {
    /// To which key.
    pub key: String,
    /// Which value.
    pub value: String,
    /// What to do with it.
    pub op: Op,
    /// Which clerk asks.
    pub client: u64,
    /// Which of the clerk's writes it is, from 1 on. It stays the same when the write is sent again,
    /// to whichever group.
    pub number: u64,
}

/// The answer to [`PutAppendArgs`].
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub struct PutAppendReply {
    /// How it ended.
    pub outcome: Outcome,
}

/// Shards that one group hands over to another one. Also stands in the log of the group that gets
/// them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub struct Handover {
    /// The group that is to get them. The servers that this reaches may belong to another one by now: names
    /// are given again.
    pub to: Gid,
    /// The number of the configuration that moves them.
    pub number: u64,
    /// The shards by number, as they were when the one group stopped serving them.
    pub shards: BTreeMap<usize, Shard>,
}

/// What has become of a [`Handover`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub enum Received {
    /// The group has all of these shards, now or long since: the sender need not keep them.
    Ok,
    /// The group has not got these shards: as far as this server knows, it has not come to that configuration
    /// yet, or they are on their way into its log. Or the shards are for another group than this server's.
    NotYet,
    /// Another server leads, or none. Whether the group has them is open.
    WrongLeader,
}

/// What a server offers clerks and other groups. A handler starts the request and returns; the answer
/// follows when it has been executed.
#[labrpc::service]
pub trait ShardKV {
    /// The value of a key.
    fn get(&self, args: GetArgs, reply: Reply<GetReply>);
    /// Changes the value of a key.
    fn put_append(&self, args: PutAppendArgs, reply: Reply<PutAppendReply>);
    /// Takes over shards of another group.
    fn hand_over(&self, args: Handover, reply: Reply<Received>);
}
