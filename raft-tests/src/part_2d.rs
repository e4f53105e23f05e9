//! Part 2D: snapshots.

use labrt::rng::RngExt;
use labtrace::verdict;

use crate::cluster::Cluster;
use crate::commands::integer;
use crate::run::Run;

/// The most bytes of Raft state that a server may have saved: some entries more than a snapshot's.
const MAX_LOG_SIZE: usize = 2000;

/// What happens to a server in each round.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Victim {
    Untroubled,
    Disconnected,
    Crashed,
}

/// Logs are cut off behind snapshots, and all goes on.
pub fn snapshots_basic(cluster: &Cluster, _: &Run) {
    rounds(cluster, Victim::Untroubled);
}

//= snapshot.send
/// A server that was cut off catches up by a snapshot.
pub fn install_snapshots_disconnect(cluster: &Cluster, _: &Run) {
    rounds(cluster, Victim::Disconnected);
}

/// A server that was down catches up by a snapshot.
pub fn install_snapshots_crash(cluster: &Cluster, _: &Run) {
    rounds(cluster, Victim::Crashed);
}

fn rounds(cluster: &Cluster, trouble: Victim) {
    let servers = cluster.servers();
    cluster.one(cluster.draw(integer), servers, true);
    let mut leader1 = cluster.check_one_leader();
    for round in cluster.rounds(30) {
        let (mut victim, mut sender) = ((leader1 + 1) % servers, leader1);
        if round % 3 == 1 {
            (victim, sender) = (leader1, (leader1 + 1) % servers);
        }
        match trouble {
            Victim::Untroubled => {}
            Victim::Disconnected => cluster.disconnect(victim),
            Victim::Crashed => cluster.crash(victim),
        }
        let reached = |cluster: &Cluster| match trouble {
            Victim::Untroubled => servers,
            _ => servers - usize::from(!cluster.is_connected(victim)),
        };
        if trouble != Victim::Untroubled {
            cluster.one(cluster.draw(integer), reached(cluster), true);
        }
        // Perhaps enough for a snapshot.
        for _ in 0..cluster.draw(|rng| rng.random_range(5..=14)) {
            cluster.start(sender, cluster.draw(integer));
        }
        // Without trouble all catch up by entries.
        cluster.one(cluster.draw(integer), reached(cluster), true);
        check_log_size(cluster);
        match trouble {
            Victim::Untroubled => continue,
            Victim::Disconnected => {}
            Victim::Crashed => cluster.start_server(victim),
        }
        cluster.connect(victim);
        cluster.one(cluster.draw(integer), servers, true);
        leader1 = cluster.check_one_leader();
    }
}

#[track_caller]
fn check_log_size(cluster: &Cluster) {
    let size = cluster.log_size();
    if size >= MAX_LOG_SIZE {
        let words =
            format!("Log size too large: {size} bytes of Raft state, below {MAX_LOG_SIZE} allowed");
        //= snapshot.committed
        verdict("log size", words)
            .hint(
                "entries that `snapshot` covers are kept, or the saved state holds more than term, \
                 vote, what the snapshot covers, and the entries behind it",
            )
            .fail();
    }
}

/// All servers crash at once: what is left are states and snapshots.
pub fn crash_and_restart_all(cluster: &Cluster, _: &Run) {
    let servers = cluster.servers();
    cluster.one(cluster.draw(integer), servers, true);
    for _ in cluster.rounds(5) {
        for _ in 0..cluster.draw(|rng| rng.random_range(5..=14)) {
            cluster.one(cluster.draw(integer), servers, true);
        }
        let index1 = cluster.one(cluster.draw(integer), servers, true);
        restart_all(cluster);
        let index2 = cluster.one(cluster.draw(integer), servers, true);
        assert!(index2 > index1, "index decreased from {index1} to {index2}");
    }
}

/// A restarted server must not forget its snapshot when it saves its state for the first time.
pub fn snapshot_initialization(cluster: &Cluster, _: &Run) {
    let servers = cluster.servers();
    // Enough for a snapshot, at index 9, and entries behind it.
    for _ in 0..12 {
        cluster.one(cluster.draw(integer), servers, true);
    }
    restart_all(cluster);
    // So that all save something.
    cluster.one(cluster.draw(integer), servers, true);
    restart_all(cluster);
    cluster.one(cluster.draw(integer), servers, true);
}

fn restart_all(cluster: &Cluster) {
    (0..cluster.servers()).for_each(|server| cluster.crash(server));
    for server in 0..cluster.servers() {
        cluster.start_server(server);
        cluster.connect(server);
    }
}
