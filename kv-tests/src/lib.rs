//! The tester and the tests of lab 3, for any key/value service on any Raft, on both clocks.
//!
//! [`suite!`] stamps all tests out for a [`kv_api::Server`] and a [`kv_api::Clerk`]:
//!
//! ```ignore
//! // tests/sim.rs: all tests on the simulated clock
//! kv_tests::suite!(simulated, my_kv::Server, my_kv::Clerk);
//! // tests/wall.rs: the same ones on the real clock
//! kv_tests::suite!(real, my_kv::Server, my_kv::Clerk);
//! ```
//!
//! Each test's name ends in its part of the lab: `cargo test -- 3A`, `cargo test -- 3B` (with
//! snapshots). One test is of no part: [anything at once](#anything-at-once). The figures of a test's last
//! line are seconds of lab time, servers, RPCs (Raft's and the clerks'), and calls of clerks. Seeds, replay,
//! traces and settings are those of lab 2: see the front page of `raft-tests`.
//!
//! # The network
//!
//! As in the course, there are neither long delays nor long reordering: a call to a server that is down
//! fails within 0.1 s. Each message travels for 1 to 4 ms, on both clocks. On the simulated clock, where
//! code takes no time, clients would otherwise make any number of calls in no time; and so the two clocks
//! show the same service.
//!
//! # What is checked
//!
//! - **What clients saw**: where each client has a key of its own, that it reads what it wrote, each
//!   Append once and in order; and in every generic test that all calls of all clients together are
//!   linearizable (crate `linearizability`). The order in which the log has them is tried first. It is
//!   decided always, or the test says for which keys it is not. A violation names the calls, and the
//!   entries and replies behind them; the page of the history lies beside the trace.
//! - **The service**: the rules of the crate `service-watch`, at every event: that answers wait for their
//!   entries, that what was asked once happens once, that reads can know, that deposed servers let go of
//!   those who wait, and that sizes stay within their limits while a test runs.
//! - **Progress**: in the majority, within the time that the lab allows; and after healing, also by
//!   those who waited in the minority.
//! - **Sizes** of saved Raft state and of snapshots.
//! - **The Raft below**: the rules of the crate `raft-watch`, at every message between servers.
//!
//! A client's thread that sees something wrong ends the run at once, with its own words. A test may
//! take 120 s of lab time, which is enforced while it runs; at that limit it says first what its clients wait for.
//!
//! # Anything at once
//!
//! `service_soak`, on the simulated clock only, is the swarm test. The seed chooses how many servers and clients
//! there are, when snapshots are due, and which of the [faults](tester::swarm) a run has: requests of clerks and
//! servers that come twice, servers that pause, cuts in one direction, crashes in the middle of a save, and
//! others. Then a majority is healed. The clients reach only that, and must get on within 10 s. Then all are
//! healed. `cargo xtask soak --package kv-tests` repeats it.

mod cluster;
mod generic;
mod part_3a;
mod part_3b;
mod requests;
mod soak;
mod subject;
mod suite;

pub use cluster::Cluster;
pub use generic::Generic;
pub use kv_clients::{Client, History};
pub use subject::Subject;
pub use suite::{all_tests, test};

/// Running a test: what [`suite!`] needs.
pub mod run {
    pub use tester::{Origin, origin, real, simulated};
}
