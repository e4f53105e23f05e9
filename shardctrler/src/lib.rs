//! The reference shard controller of lab 4: which group of servers serves which shard.
//!
//! ```text
//!   Clerk ──RPC──> Server ──submit──> rsm ──start──> Raft ... apply channel ──> rsm ──> the history
//!     ^                                                                                   |
//!     +────────────────────────────── reply ──────────────────────────────────────────────+
//! ```
//!
//! The controller is a small service of the same make as the key/value service of lab 3 (crate `kv`):
//! RPC handlers on [`rsm`], and a machine, the history of all configurations. A Join, Leave or Move
//! makes one more; each has its place in the log, and happens once however often its clerk had to send
//! it ([`rsm::once`]). A Query goes through the log, too, so that what it answers was the latest at some
//! moment while its clerk waited.
//!
//! # The balance
//!
//! What a Join or Leave does to the shards is a function of its own, [`balance`], of nothing but the
//! old assignment and the groups that there are now. It uses no clock, no random number and no order
//! but that of the numbers of shards and groups; so all servers come to the same result, and so would
//! anybody who has read the log.
//!
//! With *n* shards and *k* groups a balanced assignment leaves no choice but one: every group has
//! `n / k` shards, and `n % k` of them have one more. Which ones, decides how many shards must move.
//! A group keeps a shard more if it may have one more *and* has that one already; so those that have
//! the most shards come first. Then each group gives away only what it has too much, and that, with the
//! shards that nobody has, fills up the others. The tests compare this with all balanced assignments
//! that there are, for all small cases.
//!
//! # Requests that make no sense
//!
//! A Move to a group that the configuration does not have, a Move of a shard that does not exist, and a
//! Join in which a group has the number 0 or no servers change nothing and make no configuration; the
//! other groups of such a Join do not join either. So every shard is always at a group of
//! its configuration, or at nobody if there are none. A Leave of a group that is not there is a change
//! like others. A Join of a group that is there replaces the names of its servers.
//!
//! # What is missing
//!
//! Snapshots: the machine can make them, but the lab's controller is given no limit for its log. And
//! like lab 3's service it never forgets a clerk.

mod balance;
mod clerk;
mod history;
mod message;
mod server;

pub use balance::balance;
pub use clerk::Clerk;
pub use message::{
    ChangeReply, JoinArgs, LeaveArgs, MoveArgs, Outcome, QueryArgs, QueryReply, ShardCtrler,
    ShardCtrlerClient, ShardCtrlerService,
};
pub use server::Server;
