//! What the servers and clerks of a sharded key/value service offer.
//!
//! The keys are divided among [`SHARDS`] shards. Each shard is served by one *group* of servers, a
//! Raft cluster of its own; which group serves which shard says the *configuration*. A service of its
//! own, the controller, keeps all configurations. The groups look there, and hand shards to each other
//! when the next configuration says so.
//!
//! The tests of lab 4 are written against four traits, so that a student's types can take the place
//! of the reference in the crates `shardctrler` and `shardkv`, one by one: a student's store beside
//! the reference's controller, or the other way round.
//!
//! | | server | clerk |
//! |---|---|---|
//! | part 4A, the controller | [`Controller`] | [`ControllerClerk`] |
//! | part 4B, the store | [`Server`] | [`Clerk`] |
//!
//! | Go | here |
//! |---|---|
//! | `shardctrler.StartServer(servers, me, persister)` | [`Controller::make`] |
//! | `shardctrler.MakeClerk(servers)` | [`ControllerClerk::make`] |
//! | `ck.Query(num)`, -1 for the latest | [`ControllerClerk::query`], with `None` for -1 |
//! | `ck.Join`, `ck.Leave`, `ck.Move` | [`join`](ControllerClerk::join), [`leave`](ControllerClerk::leave), [`move_shard`](ControllerClerk::move_shard) |
//! | `Config` with `Num`, `Shards`, `Groups` | [`Config`] |
//! | `NShards`, `key2shard` | [`SHARDS`], [`shard_of`] |
//! | `shardkv.StartServer(servers, me, persister, maxraftstate, gid, ctrlers, make_end)` | [`Server::make`] |
//! | `shardkv.MakeClerk(ctrlers, make_end)` | [`Clerk::make`] |
//! | `make_end` | [`MakeEnd`] |
//!
//! Of the rules this crate has only what all must agree on: the division of the keys.
//!
//! What a service does with its shards, the tests see by what their clients get. A server may say more,
//! in one line where its machine changes ([`tell`]): then a tester can judge each step of a move, and a
//! trace shows where each shard is.
//!
//! ```
//! use shard_api::{Holding, Standing, tell};
//!
//! # let number = 3;
//! let mut shards = [Holding::Nothing; shard_api::SHARDS];
//! shards[4] = Holding::Serves;
//! shards[7] = Holding::Keeps; // until the other group has it
//! tell(|| Standing { config: number, shards });
//! ```

mod config;
mod controller;
mod standing;
mod store;

pub use config::{Config, Gid, NOBODY, SHARDS, shard_of};
pub use controller::{Controller, ControllerClerk};
pub use standing::{Holding, Listener, Standing, listen, tell};
pub use store::{Clerk, MakeEnd, Server};
