//! The tester and the tests of Lab 2, for any Raft, on both clocks.
//!
//! [`suite!`] stamps all tests out for a type that implements [`raft_api::Raft`]:
//!
//! ```ignore
//! // tests/sim.rs: all tests on the simulated clock
//! raft_tests::suite!(simulated, my_raft::Raft);
//! // tests/wall.rs: the same ones on the real clock
//! raft_tests::suite!(real, my_raft::Raft);
//! ```
//!
//! Each test's name ends in its part of the lab, so `cargo test -- 2A` runs part 2A. (Those that end in
//! `sizes`, `rare`, `rare2D` or `soak` belong to no part: clusters of one server, and of even numbers; on the
//! simulated clock, [situations that are rare elsewhere](rare), and [any faults at once](soak). What `cargo test -- 2D`
//! runs of `rare2D` is no test of part 2D.) Its lines
//! are those of the course: seconds of lab time, servers, RPCs sent, entries committed; in part 2D the bytes of the
//! RPCs stand before the entries.
//!
//! ```text
//! Test (2A): initial election (seed 0) ...
//!   ... Passed --   3.1  3   54    0
//! ```
//!
//! # Seeds
//!
//! A simulated test runs with a few seeds, four unless `LAB_SEEDS=n` asks for more. A failure prints
//! the command that repeats exactly that run; `LAB_SEED=s` is the heart of it (`LAB_SEED=3,5,8` runs
//! several). One run of each test
//! is made twice and the traces compared, so that code which does not behave the same twice is found
//! out: it looks at a `HashMap`'s order, keeps something in a static, asks std for the time, or the
//! operating system for random numbers. The last may be done by a library. If it lets its numbers be
//! set (election timeouts, seeds), draw them from [`labrt::rng`]; if not, it can only be tested on the
//! real clock.
//!
//! What a Raft reads from the environment is part of what a run depends on. Read it with
//! [`labrt::env::var`]: then the command that repeats a run sets it.
//!
//! # When a test fails
//!
//! The first thing that is said is the verdict: which rule or check, when, which servers, the facts that
//! do not fit together, the usual cause. A simulated run is then made again with everything recorded; its
//! trace and a page lie in `target/traces/PACKAGE` (in the folder that `LAB_TRACE` names, which asks for the
//! trace of every run). `LAB_SETTING=crashes=3,losses=0` takes troubles away from a simulated test;
//! `cargo xtask shrink` finds the least that still fails. On the real clock the last events of each run
//! are kept in memory and written when it fails.
//!
//! Rules that hold for every Raft are checked at every message ([`watch`]): the fields of RequestVote and
//! AppendEntries are known by their names in Figure 2 and by many others (`docs/names.md`), or by what the
//! Raft says itself (`read_message`). What is not understood is not judged, and each test says so.
//!
//! # What is asked and not judged
//!
//! That the memory of what a snapshot holds becomes free. The tests of part 2D measure the state that is saved; what a
//! Raft keeps in memory besides, nobody can tell from outside, since all servers share one process. And that a vote, or
//! a snapshot of the leader, restarts the election timer: one that forgets it looks like one whose timeout is short.
//! `docs/demands.md` says of each demand which test or rule finds it missing.
//!
//! # What a test does to a Raft
//!
//! The [`Cluster`] is a [`Group`](tester::Group) of Rafts, and what can be asked of them. Each server
//! is made within a [`labrt::Node`] of its own. A crash needs no cooperation: the server leaves the
//! network, its node is killed with all tasks, and what its persister held is copied, so that it can
//! change nothing any more. An index that is applied with
//! two different commands, or out of order, fails the test at that moment.
//!
//! A test may take 120 s of lab time, as in the course.

mod applied;
pub mod cluster;
pub mod commands;
pub mod part_2a;
pub mod part_2b;
pub mod part_2c;
pub mod part_2d;
pub mod rare;
pub mod run;
mod silent;
pub mod sizes;
pub mod soak;
mod suite;

pub use cluster::Cluster;
pub use raft_watch::{self as watch, RaftType, Watch};
pub use silent::Silent;
pub use suite::{all_tests, simulated_tests};
