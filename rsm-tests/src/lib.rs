//! The tester and the tests of a replicated state machine, for any such layer on any Raft, on both
//! clocks. They are those of the course's form of 2025: part 4A, and one of part 4C; another one of
//! that part (`snapshot_behind_4C`) has no model there.
//!
//! [`suite!`] stamps all tests out for an [`rsm_api::Server`] whose machine is the tests' [`Counter`]:
//!
//! ```ignore
//! // tests/sim.rs: all tests on the simulated clock
//! rsm_tests::suite!(simulated, my_rsm::Rsm<rsm_tests::Counter>);
//! // tests/wall.rs: the same ones on the real clock
//! rsm_tests::suite!(real, my_rsm::Rsm<rsm_tests::Counter>);
//! ```
//!
//! Each test's name ends in its part: `cargo test -- 4A`, `cargo test -- 4C` (snapshots). The figures
//! of a test's last line, which has their names as in 2025, are seconds of lab time, servers, RPCs, and requests
//! that were executed for a submitter. Seeds, replay, traces and settings are those of lab 2: see the front page of
//! `raft-tests`.
//!
//! # The tests
//!
//! Three servers on a reliable network; each message travels for 1 to 4 ms. What is replicated is a
//! counter, which can be asked to go one up (Inc), to do nothing (Null), or to go one down (Dec): no
//! test has a Dec executed.
//!
//! | test | what |
//! |---|---|
//! | `basic_4A` | ten Incs, one after the other |
//! | `concurrent_4A` | fifty Incs at once |
//! | `leader_failure_4A` | the leader is cut off; an Inc; the leader is back |
//! | `leader_partition_4A` | a hundred Decs at a leader in the minority; an Inc in the majority; the parts are joined |
//! | `restart_replay_4A` | a hundred Incs; all servers stop and start; an Inc |
//! | `shutdown_4A` | an Inc; a hundred Nulls at once, while no server reaches another one; all servers stop |
//! | `restart_submit_4A` | as `restart_replay_4A`, then a hundred Nulls in the same way, stop and start, an Inc |
//! | `snapshot_4C` | a hundred Incs with a limit of 1,000 bytes for the saved Raft state; stop, start, an Inc |
//! | `snapshot_behind_4C` | the same limit; a follower is cut off; a hundred Incs; it is back; another server is cut off; an Inc |
//!
//! # What is checked
//!
//! - **Replies**: each Inc's is the counter as this Inc left it, no two are the same, and a Null is
//!   never answered with a number.
//! - **Machines**: all servers come to the same value, also those that were away.
//! - **No Dec is executed** at a leader that has no majority.
//! - **Nobody waits in vain**: submitters are let go soon after a deposed leader has heard of it, and when
//!   their server ends.
//! - **Sizes** of saved Raft state; and **the Raft below**: the rules of the crate `raft-watch`, at every
//!   message.
//!
//! # What differs from the course
//!
//! Submitters at a leader in the minority may all get the error before the parts are joined: a leader
//! that gives up by itself, since it hears of no majority, is right too.
//!
//! A server is *stopped* there, not killed: it leaves the network and is told to end, and its tasks may go
//! on until it is started again ([`tester::Group::stop`]). So a layer that lets go of nobody is found.
//!
//! In the two shutdown tests there is a leader before the Nulls are submitted, and it cannot have them
//! committed before it is stopped. Where they are submitted to servers that have just been started, as
//! in the course, all are refused at once, and nobody waits for anything.
//!
//! # What is missing
//!
//! What happens within a server (a request that is applied, a reply) is not part of a run's trace.

mod cluster;
mod counter;
mod part_4a;
mod part_4c;
mod subject;
mod suite;

pub use cluster::Cluster;
pub use counter::{Counter, Reply, Request};
pub use subject::Subject;
pub use suite::{all_tests, test};

/// Running a test: what [`suite!`] needs.
pub mod run {
    pub use tester::{Origin, origin, real, simulated};
}
