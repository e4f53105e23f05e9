//! What clerks and the controller's servers say to each other.

use std::collections::BTreeMap;

use labgob::Gob;
use labrpc::Reply;
use serde::{Deserialize, Serialize};
use shard_api::{Config, Gid};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub enum Outcome {
    /// It is done.
    Ok,
    /// Another server leads, or none. Whether it is done is open.
    WrongLeader,
}

/// Adds groups.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub struct JoinArgs {
    /// The groups, with the names of their servers.
    pub groups: BTreeMap<Gid, Vec<String>>,
    /// Which clerk asks.
    pub client: u64,
    /// Which of the clerk's changes it is, from 1 on. It stays the same when it is sent again.
    pub number: u64,
}

/// Takes groups out.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub struct LeaveArgs {
    /// Which groups.
    pub gids: Vec<Gid>,
    /// Which clerk asks.
    pub client: u64,
    /// Which of the clerk's changes it is, as in [`JoinArgs`].
    pub number: u64,
}

/// Gives a shard to a group.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub struct MoveArgs {
    /// Which shard.
    pub shard: usize,
    /// To which group.
    pub gid: Gid,
    /// Which clerk asks.
    pub client: u64,
    /// Which of the clerk's changes it is, as in [`JoinArgs`].
    pub number: u64,
}

/// The answer to [`JoinArgs`], [`LeaveArgs`] and [`MoveArgs`].
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub struct ChangeReply {
    /// How it ended.
    pub outcome: Outcome,
}

/// Asks for a configuration.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub struct QueryArgs {
    /// Its number; the latest one if there is none of that number, or none is given.
    pub number: Option<u64>,
}

/// The answer to [`QueryArgs`].
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub struct QueryReply {
    /// How it ended.
    pub outcome: Outcome,
    /// The configuration; the first one of all unless the outcome is [`Outcome::Ok`].
    pub config: Config,
}

/// What the controller offers its clerks. A handler starts the request and returns; the answer follows
/// when it has been executed.
#[labrpc::service]
pub trait ShardCtrler {
    /// Adds groups.
    fn join(&self, args: JoinArgs, reply: Reply<ChangeReply>);
    /// Takes groups out.
    fn leave(&self, args: LeaveArgs, reply: Reply<ChangeReply>);
    /// Gives a shard to a group.
    fn r#move(&self, args: MoveArgs, reply: Reply<ChangeReply>);
    /// One configuration.
    fn query(&self, args: QueryArgs, reply: Reply<QueryReply>);
}
