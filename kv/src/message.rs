//! What clerks and servers say to each other.

use labgob::Gob;
use labrpc::Reply;
use serde::{Deserialize, Serialize};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub enum Outcome {
    /// It is done.
    Ok,
    /// It is done, and the key has no value.
    NoKey,
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
    /// Which of the clerk's writes it is, from 1 on. It stays the same when the write is sent again.
    pub number: u64,
}

/// The answer to [`PutAppendArgs`].
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub struct PutAppendReply {
    /// How it ended.
    pub outcome: Outcome,
}

/// What a server offers its clerks. A handler starts the request and returns; the answer follows when
/// it has been executed.
#[labrpc::service(name = "KVServer")]
pub trait KeyValue {
    /// The value of a key.
    fn get(&self, args: GetArgs, reply: Reply<GetReply>);
    /// Changes the value of a key.
    fn put_append(&self, args: PutAppendArgs, reply: Reply<PutAppendReply>);
}
