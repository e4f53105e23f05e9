//! Everything at once: messages lost, repeated and reordered, servers that crash and come back, for
//! many seeds. The harness checks each step; here it is also checked that the cluster recovers.

use labrt::rng::{RngExt, Stream};

use crate::harness::{Cluster, from_to};

fn storm(servers: usize, seed: u64) -> u64 {
    let mut rng = Stream::seeded(seed);
    let mut cluster = Cluster::new(servers);
    for _ in 0..600 {
        let server = rng.random_range(0..servers);
        match rng.random_range(0..100) {
            0 => cluster.crash(server),
            _ if !cluster.is_up(server) => {
                if rng.random_bool(0.1) {
                    cluster.restart(server);
                }
            }
            1..3 => cluster.timeout(server),
            3..10 => cluster.heartbeat(server),
            10..30 if cluster.core(server).is_leader() => drop(cluster.propose(server)),
            _ => disturb(&mut cluster, &mut rng),
        }
    }
    recover(&mut cluster, servers)
}

/// Any message under way arrives, is lost, or arrives and stays.
fn disturb(cluster: &mut Cluster, rng: &mut Stream) {
    if cluster.network().is_empty() {
        return;
    }
    let message = cluster.network()[rng.random_range(0..cluster.network().len())].clone();
    if rng.random_bool(0.9) {
        // One of this direction leaves the network; which one does not matter.
        let mut lane = cluster.take(from_to(message.from, message.to));
        let place = rng.random_range(0..lane.len());
        let taken = lane.swap_remove(place);
        cluster.put_back(lane);
        if rng.random_bool(0.8) {
            cluster.deliver(taken);
        }
    } else {
        cluster.deliver(message);
    }
}

/// With everybody up and nothing lost, some server is elected and all logs become one. Returns how
/// many entries are committed.
fn recover(cluster: &mut Cluster, servers: usize) -> u64 {
    for server in 0..servers {
        if !cluster.is_up(server) {
            cluster.restart(server);
        }
    }
    cluster.deliver_all();
    for attempt in 0.. {
        assert!(attempt < 4 * servers, "nobody is elected");
        let server = attempt % servers;
        cluster.timeout(server);
        cluster.deliver_all();
        // It may have led through the storm. Then others may have left it behind, which the first
        // heartbeat shows; if not, that one replaces what was lost.
        cluster.heartbeat(server);
        cluster.deliver_all();
        if cluster.core(server).is_leader() {
            cluster.propose(server);
            cluster.deliver_all();
            cluster.heartbeat(server);
            cluster.deliver_all();
            break;
        }
    }
    let log = cluster.core(0).log().clone();
    for server in 0..servers {
        assert_eq!(cluster.core(server).log(), &log, "server {server}");
        assert_eq!(cluster.core(server).commit(), log.last_index(), "server {server}");
    }
    log.last_index()
}

/// No step of any run breaks a property of Figure 3, and each cluster recovers. (5.5, Figure 3)
#[test]
fn no_storm_breaks_a_promise_and_every_cluster_recovers() {
    let mut committed = 0;
    for servers in [2, 3, 4, 5] {
        for seed in 0..400 {
            committed += storm(servers, seed);
        }
    }
    assert!(committed > 10_000, "the storms let hardly anything happen: {committed} entries");
}
