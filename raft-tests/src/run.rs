//! Running a test of this suite; the crate `tester` does it for all labs.

use raft_watch::RaftType;
use tester::Columns;

use crate::cluster::Cluster;
use crate::soak;

pub use tester::{Origin, Run, TIME_LIMIT, Totals, origin};

/// A test of the suite, for any Raft.
#[derive(Debug)]
pub struct Test {
    /// Its part of the lab, such as `2A`.
    pub part: &'static str,
    /// What its lines call it.
    pub title: &'static str,
    /// How many servers it runs. (In `soak` each run draws that.)
    pub servers: usize,
    /// Whether the network loses and delays.
    pub unreliable: bool,
    /// What it does.
    pub body: fn(&Cluster, &Run),
}

impl Test {
    /// As a test of any lab, with this type of Raft.
    pub fn general(&self, raft: RaftType) -> tester::Test {
        let Test { part, title, servers, unreliable, body } = *self;
        let columns = match part {
            "2D" | "rare2D" => Columns::BytesAndEntries,
            _ => Columns::Entries,
        };
        let test = tester::Test::new(part, title, move |run| {
            let cluster = match part {
                "2D" | "rare2D" => Cluster::with_snapshots(raft, run, servers, unreliable),
                "soak" => soak::cluster(raft, run),
                _ => Cluster::in_run(raft, run, servers, unreliable),
            };
            body(&cluster, run);
            cluster.finish()
        });
        test.with_columns(columns)
    }
}

/// Runs a test of this type of Raft on the simulated clock, as [`tester::simulated`] does.
///
/// # Panics
/// If it fails with one of the seeds.
pub fn simulated(test: &Test, raft: RaftType, origin: Origin) {
    tester::simulated(&test.general(raft), origin);
}

/// Runs a test of this type of Raft once on the real clock, as [`tester::real`] does.
///
/// # Panics
/// If it fails.
pub fn real(test: &Test, raft: RaftType, origin: Origin) {
    tester::real(&test.general(raft), origin);
}
