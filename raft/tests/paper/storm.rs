//! Everything at once: messages lost, repeated and reordered, servers that crash and come back, services
//! that take snapshots, for many seeds. The harness checks each step; here it is also checked that the
//! cluster recovers.

use labrt::rng::{RngExt, Stream};

use crate::harness::{Cluster, from_to};

/// What there was in some storms.
#[derive(Debug, Default)]
struct Seen {
    committed: u64,
    /// Snapshots that services took.
    taken: u64,
    /// Snapshots that leaders sent and followers have installed.
    installed: u64,
    /// Reads without a log entry that got an index.
    confirmed: u64,
}

/// `snapshots`: how many of a hundred steps are a service's snapshot.
fn storm(servers: usize, seed: u64, snapshots: u32, seen: &mut Seen) {
    let mut rng = Stream::seeded(seed);
    let mut cluster = Cluster::new(servers);
    for step in 0..600 {
        let server = rng.random_range(0..servers);
        if cluster.is_up(server) && rng.random_range(0..100) < snapshots {
            seen.taken += u64::from(snapshot(&mut cluster, &mut rng, server));
            continue;
        }
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
            30..34 => cluster.read(server, step),
            _ => disturb(&mut cluster, &mut rng),
        }
    }
    seen.committed += recover(&mut cluster, servers);
    seen.installed += cluster.installed();
    seen.confirmed += cluster.confirmed();
}

/// A service takes a snapshot of what it has applied, or most of it. False if it is not newer than the
/// last one.
fn snapshot(cluster: &mut Cluster, rng: &mut Stream, server: usize) -> bool {
    let applied = cluster.core(server).commit_index();
    let index = applied - rng.random_range(0..3).min(applied);
    let newer = index > cluster.core(server).log().base().index;
    if index > 0 {
        cluster.snapshot(server, index);
    }
    newer
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
            // A snapshot that the storm has swallowed without a word is waited for for some time.
            for _ in 0..20 {
                cluster.heartbeat(server);
                cluster.deliver_all();
            }
            break;
        }
    }
    let last = cluster.core(0).log().last_index();
    let base = (0..servers).map(|server| cluster.core(server).log().base().index).max();
    let rest = |server| cluster.core(server).log().from(base.unwrap_or(0) + 1);
    for server in 0..servers {
        assert_eq!(rest(server), rest(0), "server {server}");
        assert_eq!(cluster.core(server).log().last_index(), last, "server {server}");
        assert_eq!(cluster.core(server).commit_index(), last, "server {server}");
    }
    last
}

/// No step of any run breaks a property of Figure 3, no read misses what was committed before it, and each
/// cluster recovers. (5.5, Figure 3, 8)
#[test]
fn no_storm_breaks_a_promise_and_every_cluster_recovers() {
    let mut seen = Seen::default();
    for servers in [2, 3, 4, 5] {
        for seed in 0..400 {
            storm(servers, seed, 0, &mut seen);
        }
    }
    let Seen { committed, confirmed, .. } = seen;
    assert!(
        committed > 10_000 && confirmed > 1_000,
        "the storms let hardly anything happen: {seen:?}"
    );
}

/// Nor if logs are forgotten all the time, a little or as far as they go. No service is ever taken back
/// or told anything twice or out of order, and all agree. (7)
#[test]
fn no_storm_breaks_a_promise_when_services_take_snapshots() {
    let mut seen = Seen::default();
    for (servers, snapshots) in [(2, 5), (3, 1), (3, 10), (4, 5), (5, 2), (5, 10)] {
        for seed in 0..400 {
            storm(servers, seed, snapshots, &mut seen);
        }
    }
    let Seen { committed, taken, installed, .. } = seen;
    assert!(committed > 10_000 && taken > 10_000 && installed > 1_000, "{seen:?}");
}
