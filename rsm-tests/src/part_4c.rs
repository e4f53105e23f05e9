//! Part 4C: snapshots.

use std::time::Duration;

use labrt::thread;
use labtrace::verdict;
use tester::{Run, Totals};

use crate::cluster::{Cluster, SERVERS};
use crate::subject::Subject;

/// From how many bytes of saved Raft state on a snapshot is due.
const MAX_RAFT_STATE: usize = 1000;

/// Snapshots are made, keep the log short, and are what servers start from.
pub(crate) fn snapshot(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, Some(MAX_RAFT_STATE));
    let mut value = 0;
    for _ in run.rounds(100) {
        value += 1;
        cluster.check_inc(value);
    }
    cluster.check_counter(value, SERVERS);
    let size = cluster.log_size();
    if size > 2 * MAX_RAFT_STATE {
        verdict("log size", format!("logs were not trimmed ({size} > 2*{MAX_RAFT_STATE})"))
            .hint("snapshots that are not made, or Raft does not drop what they cover")
            .fail();
    }

    cluster.stop_all();
    thread::sleep(Duration::from_secs(1));
    cluster.start_all();
    cluster.check_inc(value + 1);
    cluster.check_counter(value + 1, SERVERS);
    cluster.finish()
}

/// A server that was away while logs were cut gets a snapshot instead, and has to become what that was taken of.
pub(crate) fn snapshot_behind(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, Some(MAX_RAFT_STATE));
    let mut value = 1;
    cluster.check_inc(value);
    cluster.check_counter(value, SERVERS);

    let behind = (cluster.leader() + 1) % SERVERS;
    cluster.group().disconnect(behind);
    for _ in run.rounds(100) {
        value += 1;
        cluster.check_inc(value);
    }
    cluster.group().connect(behind);
    cluster.check_counter(value, SERVERS);

    // Now nothing goes on without it.
    cluster.group().disconnect((behind + 1) % SERVERS);
    cluster.check_inc(value + 1);
    cluster.check_counter(value + 1, SERVERS - 1);
    cluster.finish()
}
