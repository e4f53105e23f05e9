//! Test programs of a lab: building them, running them in processes, reading what they leave behind.
//!
//! The commands of `xtask` that run tests stand on this crate: `stress` and `grade` carry out a whole
//! plan, `shrink` and `trace` make single runs.
//!
//! ```text
//! build -> TestCases -> plan: which runs come next, with which seeds
//!                         |
//!                         v
//!                       engine: several at once -> process: one test, some seeds -> Runs
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`build`] | builds the test programs of a package with cargo, once, and lists their tests |
//! | [`plan`] | derives seeds, and hands out runs until a goal is reached |
//! | [`engine`] | carries out a plan with several processes at once |
//! | [`process`] | makes some runs of a test in one process with limits |
//! | `ending` | understands how a process ended, from its records and its output |
//! | `fit` | whether the records of a process fit the runs that were asked for |
//! | [`scratch`] | the folder for what processes leave behind |
//! | [`room`] | runs a program with no more rights than it needs |
//! | [`watchdog`] | ends test processes if ours dies before them |
//! | [`run`] | what is known of a run |
//! | [`stats`] | intervals of failure rates, by the rule that ended the runs |
//! | [`package`] | finds the crate that a command is for |
//! | [`platform`] | what differs between operating systems |
//!
//! This crate never prints, and never decides what becomes of a result. It links to none of the crates
//! that it runs: what it knows of a run it has from the run's record ([`run_record`]) and from how the
//! process ended. Its errors are sentences for people; they mean that the machine or the command line
//! is at fault, never the code under test.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "this crate runs processes, not simulations"
)]

pub mod build;
mod ending;
pub mod engine;
mod fit;
pub mod package;
pub mod plan;
pub mod platform;
pub mod process;
pub mod room;
pub mod run;
pub mod scratch;
pub mod stats;
pub mod watchdog;
