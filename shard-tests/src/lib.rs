//! The tester and the tests of lab 4, for any shard controller and any sharded key/value service, on
//! both clocks.
//!
//! [`suite!`] stamps all tests out for the four types of the crate `shard-api`. The reference can take
//! the place of any of them: a student's store beside the reference's controller, or the other way
//! round. A store and its clerks ask the controller by the controller's own clerk: the messages of another one are
//! other types.
//!
//! ```ignore
//! // tests/sim.rs: all tests on the simulated clock
//! shard_tests::suite!(
//!     simulated, my_shards::Server, my_shards::Clerk, my_shards::Controller, my_shards::ControllerClerk
//! );
//! // tests/wall.rs: the same ones on the real clock
//! shard_tests::suite!(
//!     real, my_shards::Server, my_shards::Clerk, my_shards::Controller, my_shards::ControllerClerk
//! );
//! ```
//!
//! Each test's name ends in its part of the lab: `cargo test -- 4A` (the controller), `cargo test -- 4B`
//! (the store). The figures of a test's last line are seconds of lab time, servers, RPCs, and calls of
//! clerks. Seeds, replay, traces and settings are those of lab 2: see the front page of `raft-tests`.
//!
//! # The network
//!
//! Servers of all groups, the controller's and all clerks are on one network, which is like that of
//! lab 3: no long delays, and each message travels for 1 to 4 ms. A group's servers are found by name
//! (`100-2` is server 2 of group 100). The ends that a server has to other groups and to the controller
//! leave the network when it crashes, so that nothing of a dead server hands shards to anybody.
//!
//! # What is checked
//!
//! - **What clients saw**: in each test of part 4B, all calls of all clients together are linearizable.
//!   Where one client alone uses a key, it must read what it wrote.
//! - **Every configuration**: its number, that it is balanced, and that from the one before only as many
//!   shards moved as balance forces. What the controller's clerks saw must be what one machine could
//!   have shown them (each change makes exactly one configuration).
//! - **The services**: the rules of the crate `service-watch`, at every event, of the controller and of
//!   all groups.
//! - **The shards**: the rules of the crate `shard-watch`: one group serves a shard, none is lost, no
//!   configuration is left out. It knows which group answered; if servers tell what they do with their
//!   shards (`shard_api::tell`), it judges each step of a move.
//! - **The Rafts below**: the rules of the crate `raft-watch`, at every message, for each group.
//! - **Sizes** of what servers save; and that lost shards are deleted (challenge 1).
//! - **Progress**: who is not concerned by what is down, or does not have to wait for it, is served
//!   (challenge 2).
//!
//! # A storm
//!
//! One test is not of the course and of no part: in `anything_storm` the seed chooses how many groups
//! and servers there are, and then configurations change, servers and whole groups crash and are cut off
//! from others, groups from each other and from the controller, on a network that loses messages; for
//! minutes of lab time. Then all is healed, and the clients must get on within some seconds.
//!
//! # A rare situation
//!
//! `deletion_again_rare`, on the simulated clock only and of no part either, moves shards to a group, back, and to it
//! once more, while the messages of the first move come a second time: what they allowed is not allowed any more.
//!
//! # Anything at once
//!
//! `shards_soak`, on the simulated clock only, is the swarm test: in it the groups and the controller have
//! the [faults](tester::swarm) that no other test of the lab has, such as requests that come twice, servers that pause,
//! and crashes in the middle of a save, while configurations change. Each run has some of the faults only. Then a
//! majority of each group is healed and the rest is down, and in the end all are healed. Both times the
//! clients must get on as after the storm. `cargo xtask soak --package shard-tests` repeats it.
//!
//! # A clerk that is never answered
//!
//! Clerks try for ever, and some tests are about calls that must not return. Those clients have tasks
//! that are ended when the test knows enough, wherever they are.
//!
//! # What is missing
//!
//! - How long a shard is not served while it moves is not judged: what is slow fails only where a test
//!   takes 120 s, or in the storm.
//! - Whether lost shards are deleted is looked at in one test. In the storm nobody knows when they ought
//!   to be gone.
//! - In the storm a server of the controller crashes now and then. It is never cut off from the others. (In
//!   `shards_soak` it is.)
//! - Cuts in one direction and slow links are within a group only. Between groups, and between a group and the
//!   controller, both directions are cut or none.

mod admin;
mod changes;
mod cluster;
mod configs;
mod controllers;
mod data;
mod part_4a;
mod part_4b;
mod rare;
mod soak;
mod storm;
mod subject;
mod suite;

pub use admin::{Admin, Groups};
pub use cluster::{Clients, Cluster, Layout};
pub use controllers::Controllers;
pub use kv_clients::Client;
pub use subject::Subject;
pub use suite::{all_tests, test};

/// Running a test: what [`suite!`] needs.
pub mod run {
    pub use tester::{Origin, origin, real, simulated};
}
