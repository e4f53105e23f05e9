//! The reference sharded key/value service of lab 4: groups of servers that share the keys, and hand
//! shards to each other while clerks go on.
//!
//! ```text
//!                 +──────────── controller (crate shardctrler) ─────────────+
//!                 |  which group has which shard: configuration 1, 2, 3 ... |
//!                 +──────^────────────────────^────────────────────^────────+
//!                        | asks               | asks               | asks
//!   Clerk ──RPC──> a group of servers ──hand-over──> another group, and so on
//!                  each: handlers ── rsm ── Raft ... rsm ── the group's machine
//! ```
//!
//! A group is a service like the one of lab 3 (crate `kv`): requests go through the log, and a machine
//! executes them. What is new is that the machine also decides *which* keys it answers for, and that
//! this changes. All rules about that stand in one file without clock, lock or network
//! (`src/group.rs`); everything else only brings requests to it.
//!
//! # The log decides
//!
//! What a group knows about configurations and shards changes by entries of its log alone. So all its
//! servers change at the same place between the same requests, and a server that was away, or comes
//! back from a snapshot, cannot be of another opinion. There are six kinds of entries:
//!
//! | entry | put there by | effect |
//! |---|---|---|
//! | Get, Write | a clerk | executed if the group serves the key's shard at this place of the log, else answered with `WrongGroup`, without a trace |
//! | Configure | its leader, which asks the controller every 100 ms | goes on to the next configuration: the one after the present one, and only when that is finished |
//! | Receive | another group's leader, by the RPC `HandOver` | takes shards that this configuration gives to the group and that it has not got yet |
//! | Delivered | its leader, when the other group has answered | forgets what the other group has |
//! | Nothing | its leader, when it is new | none: see [below](crate#a-new-leader) |
//!
//! # The life of a shard
//!
//! In one group, a shard is in one of these states:
//!
//! ```text
//!                     Configure: ours, and never anybody's before
//!       +──────────────────────────────────────────────────────────+
//!       |                                                          v
//!   +────────+  Configure: ours   +─────────+     Receive     +────────+
//!   | absent | ─────────────────> | awaited | ──────────────> |  here  |
//!   +────────+                    +─────────+                 +────────+
//!       ^                              ^                        |    ^
//!       |                              | Delivered              |    |
//!       |                    +────────────────────+   Receive   |    |
//!       |                    | leaving, + awaited | ────────────┼────+
//!       |                    +────────────────────+             |
//!       |                              ^                        |
//!       |                              | Configure: ours        | Configure:
//!       |      Delivered          +─────────+                   | another group's
//!       +──────────────────────── | leaving | <─────────────────+
//!                                 +─────────+
//! ```
//!
//! All other entries leave it as it is.
//!
//! - **here**: its keys, and the table of writes that were executed on it, are in this group. It is
//!   *served* if the configuration gives it to this group. If the configuration gives it to nobody,
//!   since all groups have left, it stays where it is, and waits for the next owner.
//! - **leaving**: the configuration with some number gave it to another group. What is here is a parcel
//!   with an address, and changes no more.
//! - **awaited**: the configuration gives it to this group, which has not got it yet. While there are
//!   such shards, the configuration is not *finished*, and the group goes to no other one.
//!
//! Only a shard that no configuration has ever given to anybody begins empty. Every group knows which
//! ones these are, since every group goes through all configurations, from number 1 on, whether they
//! concern it or not.
//!
//! A group can wait for a shard that it still has as a parcel: it gave the shard to a group that did
//! not answer, and the next configuration gives it back. The parcel must go out all the same, for that
//! group hands over only what it has received. When the shard is back, the parcel has arrived, and is
//! dropped.
//!
//! # Who may serve when
//!
//! *At most one group serves a shard, and its data are those that the last one left.*
//!
//! Say configuration *n* moves a shard from A to B. A serves it up to the entry Configure *n* in A's
//! log, and freezes it there. B serves it from the entry Receive *n* in B's log on, which has what A
//! froze. A parcel exists only when Configure *n* is committed and executed at A, so the second entry
//! comes after the first, in whichever way messages are late. Every answer to a clerk comes from an
//! entry that was executed. A leader that does not know yet that it was deposed cannot have one
//! executed; so there is no server that still answers out of an old state.
//!
//! The next configuration can move the shard on only when B has it, since B goes to *n* + 1 only when
//! *n* is finished. So parcels of one shard come into being one after the other, along one path, each
//! made of the one before.
//!
//! # Exactly once
//!
//! A clerk numbers its writes, and each shard has a table of the last number of each clerk
//! ([`rsm::once::Replies`]). The table is a part of the shard: it is frozen, handed over and deleted
//! together with the keys. A write that A has executed, and that its clerk sends again to B, is known
//! there; one that A has refused is not in any table, and B executes it. A write that is still on its
//! way to A, when the shard has gone on, finds `WrongGroup`.
//!
//! A hand-over happens once as well, by its number: B takes *n*'s shards while it is at *n* and waits
//! for them. Before that it says "not yet", and afterwards "I have them"; both are true without a table.
//!
//! # What is taken for granted
//!
//! A group's number belongs to what its servers have saved. A group that begins with nothing under the number of one
//! that was deleted would go through all configurations anew, have its shards empty, and serve them to clerks that ask
//! it early: it needs a number that no group has had.
//!
//! A group may change the names of its servers by another Join. Whoever has shards for it finds it under the new names
//! as soon as it comes to that configuration. Two groups that both do so, while each waits for shards of the other one,
//! wait for ever.
//!
//! # Push, not pull
//!
//! The group that has a shard sends it, and the group that gets it answers when the entry Receive is
//! executed. If the new owner fetched it instead, the old one would have to be told in a second
//! exchange that it may delete the shard, and somebody would have to remember to tell it, through
//! crashes, when he himself has all he needs. Here whoever still has something to do is whoever still
//! has the parcel: it cannot forget that. And the shard sets off at the moment at which the old owner
//! stops serving it; nobody asks in vain before.
//!
//! All shards that one configuration moves from one group to another go in one message, and become one
//! entry there. Each group that gets something has a courier of its own, so that none waits for another
//! one. It asks the known leader first, like a clerk ([`rsm::ask`]).
//!
//! # Why no crash or delay breaks it
//!
//! | what happens | what follows |
//! |---|---|
//! | A crashes, some servers or all, with a parcel | the parcel is part of the log or the snapshot; the next leader sends it |
//! | the hand-over is lost, or the answer | the courier sends it again; if B has it, B says so |
//! | A's leader crashes between the answer and Delivered | the next one sends it again, and gets the same answer |
//! | an old hand-over comes late, however late | B is past its number, or does not wait for that shard: nothing happens |
//! | the hand-over reaches another group, which has the names of B's servers by now | it says for whom it is: that group says "not yet", and A tries B's latest names |
//! | B is behind, at an earlier configuration | it says "not yet", and asks the controller at once instead of up to 100 ms later |
//! | a leader that is cut off from B's group says "not yet" for ever, or nothing | the courier asks the next server; the shards stand once in that leader's log, however often they come |
//! | B is away for long | A keeps the parcel, and goes on to later configurations meanwhile |
//! | A is away for long | B serves what it had and what it got from others, and waits in *n* for the rest |
//! | A and B give shards to each other | nothing of one waits for the other: no lock and no task is shared between sending and receiving |
//! | the controller cannot be reached | everything stays as it is |
//!
//! **No circle of groups waits for itself.** Take a group that is at the lowest configuration of all, *n*,
//! and waits for a shard. The shard is a parcel with number *n* at a group that is at *n* or later; so
//! it is on its way, and nothing that this group does not have yet is needed to take it; as long as it is
//! found under the names that the sender knows (see [above](crate#what-is-taken-for-granted)).
//!
//! **Deleted.** A parcel is dropped by Delivered, which its owner's leader puts into the log as long as
//! the parcel is there. So when all groups have a majority that runs and reaches the others, each shard
//! is soon in one group alone, whatever crashed meanwhile.
//!
//! # A new leader
//!
//! A new leader has all committed entries, but does not know which ones are: Raft lets it count only
//! entries of its own term (section 5.4.2 of the paper). Until it has one, its machine may be behind. It
//! may wait for shards that have come long since, and then it would not ask for the next configuration;
//! nor would the others send anything again, for they have been answered. So a new leader first has
//! Nothing executed. When that is done, its machine has caught up. Clerks alone would not do: perhaps
//! none asks this group for anything, just because the others cannot go on.
//!
//! # Ends
//!
//! Clerks, and a server's couriers, make one end for each name that they meet, and keep it.
//!
//! # What is missing
//!
//! - Clerks are never forgotten: each costs some 10 bytes in every shard that it has written to.
//! - A shard goes in one message, and each attempt sends all of it: right for the lab's sizes, not for
//!   gigabytes.
//! - While a shard moves, its requests are refused and come again. They could wait at the new owner.
//! - A group's number stays its own. Other servers, with nothing saved, that join under the number of a group that has
//!   left go through all configurations, too, and until they have caught up they serve what that group began with: empty
//!   shards. Give new servers a new number.
//! - Two groups that have handed shards to each other and change the names of their servers in one moment may wait for
//!   each other for ever: each must come to the configuration that says where the other one is now.
//! - A clerk of the controller tries for ever and cannot be stopped. So a leader that is killed or dropped while the
//!   controller is away leaves a task that asks on and keeps the shards in memory, until the controller answers or the
//!   node is killed.

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
