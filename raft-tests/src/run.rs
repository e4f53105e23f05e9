//! Running a test of this suite; the crate `tester` does it for all labs.

use raft_api::Raft;

use crate::cluster::Cluster;
use crate::soak;

pub use tester::{Origin, Run, TIME_LIMIT, Totals, origin};

/// A test of the suite for the Raft `R`.
#[derive(Debug)]
pub struct Test<R: Raft> {
    /// Its part of the lab, such as `2A`.
    pub part: &'static str,
    /// What its lines call it.
    pub title: &'static str,
    /// How many servers it runs. (In `soak` each run draws that.)
    pub servers: usize,
    /// Whether the network loses and delays.
    pub unreliable: bool,
    /// What it does.
    pub body: fn(&Cluster<R>, &Run),
}

impl<R: Raft> Test<R> {
    /// As a test of any lab.
    pub fn general(&self) -> tester::Test {
        let Test { part, title, servers, unreliable, body } = *self;
        tester::Test::new(part, title, move |run| {
            let cluster = match part {
                "2D" => Cluster::with_snapshots(run, servers, unreliable),
                "soak" => soak::cluster(run),
                _ => Cluster::in_run(run, servers, unreliable),
            };
            body(&cluster, run);
            cluster.finish()
        })
    }
}

/// Runs a test on the simulated clock, as [`tester::simulated`] does.
///
/// # Panics
/// If it fails with one of the seeds.
pub fn simulated<R: Raft>(test: &Test<R>, origin: Origin) {
    tester::simulated(&test.general(), origin);
}

/// Runs a test once on the real clock, as [`tester::real`] does.
///
/// # Panics
/// If it fails.
pub fn real<R: Raft>(test: &Test<R>, origin: Origin) {
    tester::real(&test.general(), origin);
}
