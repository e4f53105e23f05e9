//! The reference sharded key/value service of lab 4.

mod board;
mod clerk;
mod courier;
mod ends;
mod follower;
mod group;
mod message;
mod server;
mod shard;

pub use clerk::Clerk;
pub use message::{
    GetArgs, GetReply, Handover, Op, Outcome, PutAppendArgs, PutAppendReply, Received, ShardKV,
    ShardKVClient, ShardKVService,
};
pub use server::Server;
pub use shard::Shard;
