//! Part 3B, snapshots: tests of their own; the others are [generic](crate::generic).

use std::time::Duration;

use labrt::thread;
use labrt::time::Instant;
use labtrace::verdict;
use service_watch::Limits;
use tester::{Run, Totals};

use crate::cluster::Cluster;
use crate::generic::check_log_size;
use crate::subject::Subject;

/// From how many bytes of saved Raft state on a snapshot is due.
pub(crate) const MAX_RAFT_STATE: usize = 1000;

/// A server that was away while the others dropped their logs catches up by a snapshot.
pub(crate) fn snapshot_rpc(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, 3, false, Some(MAX_RAFT_STATE));
    let mut client = cluster.client(&cluster.all());
    client.put("a", "A");
    client.check("a", "A");

    cluster.partition(&[0, 1], &[2]);
    let mut majority = cluster.client(&[0, 1]);
    for number in 0..50 {
        majority.put(&number.to_string(), &number.to_string());
    }
    thread::sleep(Duration::from_secs(1));
    majority.put("b", "B");
    check_log_size(&cluster, MAX_RAFT_STATE);

    // Now server 2 is needed.
    cluster.partition(&[0, 2], &[1]);
    let mut majority = cluster.client(&[0, 2]);
    majority.put("c", "C");
    majority.put("d", "D");
    for (key, value) in [("a", "A"), ("b", "B"), ("1", "1"), ("49", "49")] {
        majority.check(key, value);
    }

    cluster.connect_all();
    client.put("e", "E");
    for (key, value) in [("c", "C"), ("e", "E"), ("1", "1")] {
        client.check(key, value);
    }
    drop((client, majority));
    cluster.finish()
}

/// How long the calls of [`snapshot_size`] may take: four in each of its rounds, one after the other.
const IN_TIME: Duration = Duration::from_secs(20);

/// Fails the test because its calls have taken so long.
fn fail_as_slow(took: Duration) -> ! {
    let words =
        format!("800 operations took {:.1} s, {} s allowed", took.as_secs_f64(), IN_TIME.as_secs());
    verdict("speed", words)
        .hint(
            "a leader that sends entries only with its next heartbeat, a service that polls for what was \
             executed, or snapshots that hold everything up",
        )
        .fail()
}

/// A snapshot holds the values and what duplicates are known by, and no more.
pub(crate) fn snapshot_size(subject: Subject, run: &Run) -> Totals {
    const MAX_SNAPSHOT: usize = 500;
    const ROUNDS: usize = 200;
    let max = Some(MAX_RAFT_STATE);
    let limits = Limits { snapshot: Some(MAX_SNAPSHOT), ..Limits::of_lab(max) };
    let cluster = Cluster::with_limits(subject, run, 3, false, max, limits);
    let mut client = cluster.client(&cluster.all());
    let began = Instant::now();
    let mut rounds = 0;
    for _ in run.rounds(ROUNDS) {
        for value in ["0", "1"] {
            client.put("x", value);
            client.check("x", value);
        }
        rounds += 1;
    }
    let took = began.elapsed();
    if rounds == ROUNDS && took > IN_TIME {
        fail_as_slow(took);
    }
    check_log_size(&cluster, MAX_RAFT_STATE);
    let size = cluster.snapshot_size();
    if size > MAX_SNAPSHOT {
        verdict("snapshot size", format!("snapshot too large ({size} > {MAX_SNAPSHOT})"))
            .hint("old values, or the answers to all requests of a client instead of its last one")
            .fail();
    }
    drop(client);
    cluster.finish()
}
