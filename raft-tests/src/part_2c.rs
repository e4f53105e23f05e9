//! Part 2C: persistence.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use labrt::rng::{self, RngExt};
use labrt::sync::Arc;
use labrt::sync::atomic::{AtomicBool, Ordering};
use labrt::thread;
use labtrace::show;
use raft_api::Started;

use crate::cluster::{Cluster, ELECTION_TIMEOUT, sleep_elections};
use crate::commands::{number, random};
use crate::run::Run;

fn start_and_connect(cluster: &Cluster, server: usize) {
    cluster.start_server(server);
    cluster.connect(server);
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

//= lab.restart
/// Everything agreed on survives restarts of all, of the leader and of a follower.
pub fn basic_persistence(cluster: &Cluster, _: &Run) {
    let servers = cluster.servers();
    let restart = |server| {
        start_and_connect(cluster, server);
    };
    cluster.one(number(11), servers, true);
    (0..servers).for_each(|server| cluster.start_server(server));
    for server in 0..servers {
        cluster.disconnect(server);
        cluster.connect(server);
    }
    cluster.one(number(12), servers, true);
    let leader1 = cluster.check_one_leader();
    cluster.disconnect(leader1);
    restart(leader1);
    cluster.one(number(13), servers, true);
    let leader2 = cluster.check_one_leader();
    cluster.disconnect(leader2);
    cluster.one(number(14), servers - 1, true);
    let was_away = !cluster.is_connected(leader2);
    restart(leader2);
    // Before the next step it must have caught up, or it could miss two commands. (If it was not cut
    // off, it led until now, and the next leader may know of no commit before it has a command.)
    if was_away {
        cluster.wait(4, servers, None);
    }
    let third = (cluster.check_one_leader() + 1) % servers;
    cluster.disconnect(third);
    cluster.one(number(15), servers - 1, true);
    restart(third);
    cluster.one(number(16), servers, true);
}

//= followers.stand
/// Changing majorities, each of which must know what the one before agreed on.
pub fn more_persistence(cluster: &Cluster, _: &Run) {
    let servers = cluster.servers();
    let mut next = 1;
    let mut agree = |count| {
        cluster.one(number(10 + next), count, true);
        next += 1;
    };
    for _ in cluster.rounds(5) {
        agree(servers);
        let leader1 = cluster.check_one_leader();
        let other = |step: usize| (leader1 + step) % servers;
        cluster.disconnect(other(1));
        cluster.disconnect(other(2));
        agree(servers - 2);
        cluster.disconnect(leader1);
        cluster.disconnect(other(3));
        cluster.disconnect(other(4));
        for step in [1, 2] {
            start_and_connect(cluster, other(step));
        }
        sleep_elections(1.0);
        start_and_connect(cluster, other(3));
        agree(servers - 2);
        cluster.connect(other(4));
        cluster.connect(leader1);
    }
    cluster.one(number(1000), servers, true);
}

/// Leader and follower crash, and a follower that was away meanwhile must not lead.
pub fn partitioned_leader_and_one_follower_crash(cluster: &Cluster, _: &Run) {
    let servers = cluster.servers();
    cluster.one(number(101), 3, true);
    let leader = cluster.check_one_leader();
    let other = |step: usize| (leader + step) % servers;
    cluster.disconnect(other(2));
    cluster.one(number(102), 2, true);
    cluster.crash(leader);
    cluster.crash(other(1));
    cluster.connect(other(2));
    start_and_connect(cluster, leader);
    cluster.one(number(103), 2, true);
    start_and_connect(cluster, other(1));
    cluster.one(number(104), servers, true);
}

//= leaders.commit
/// The scenario of the paper's Figure 8, by chance: leaders crash right after they have accepted
/// commands, so that old entries linger.
pub fn figure_8(cluster: &Cluster, _: &Run) {
    let servers = cluster.servers();
    cluster.one(cluster.draw(random), 1, true);
    let up = || (0..servers).filter(|server| cluster.is_running(*server)).count();
    for _ in cluster.rounds(1000) {
        let mut leader = None;
        for server in 0..servers {
            if cluster.start(server, cluster.draw(random)).is_some() {
                leader = Some(server);
            }
        }
        sleep_as_figure_8(cluster);
        if let Some(leader) = leader {
            cluster.crash(leader);
        }
        if up() < 3 {
            let server = cluster.draw(|rng| rng.random_range(0..servers));
            if !cluster.is_running(server) {
                start_and_connect(cluster, server);
            }
        }
    }
    for server in 0..servers {
        if !cluster.is_running(server) {
            start_and_connect(cluster, server);
        }
    }
    cluster.one(cluster.draw(random), servers, true);
}

/// Mostly a moment; one time in ten long enough for an election.
fn sleep_as_figure_8(cluster: &Cluster) {
    let half_election = ELECTION_TIMEOUT.as_millis() as u64 / 2;
    let pause = cluster.draw(|rng| match rng.random_bool(0.1) {
        true => rng.random_range(0..half_election),
        false => rng.random_range(0..=12),
    });
    thread::sleep(millis(pause));
}

//= retry
/// Many agreements at once on a network that loses and delays.
pub fn unreliable_agreement(cluster: &Cluster, _: &Run) {
    let mut helpers = Vec::new();
    for i in cluster.rounds(49).map(|round| round as u64 + 1) {
        for j in 0..4 {
            let cluster = cluster.clone();
            helpers.push(thread::spawn(move || cluster.one(number(100 * i + j), 1, true)));
        }
        cluster.one(number(i), 1, true);
    }
    cluster.set_reliable(true);
    for helper in helpers {
        helper.join().expect("it did not panic");
    }
    cluster.one(number(100), cluster.servers(), true);
}

//= all.stale-reply
/// As [`figure_8`], with cut-off leaders instead of crashed ones, on a network that loses, delays
/// and reorders.
pub fn figure_8_unreliable(cluster: &Cluster, _: &Run) {
    let servers = cluster.servers();
    cluster.one(cluster.draw(random), 1, true);
    let connected = || (0..servers).filter(|server| cluster.is_connected(*server)).count();
    for iteration in cluster.rounds(1000) {
        if iteration == 200 {
            cluster.set_long_reordering(true);
        }
        let mut leader = None;
        for server in 0..servers {
            let started = cluster.start(server, cluster.draw(random));
            if started.is_some() && cluster.is_connected(server) {
                leader = Some(server);
            }
        }
        sleep_as_figure_8(cluster);
        if let Some(leader) = leader
            && cluster.draw(|rng| rng.random_bool(0.5))
        {
            cluster.disconnect(leader);
        }
        if connected() < 3 {
            let server = cluster.draw(|rng| rng.random_range(0..servers));
            if !cluster.is_connected(server) {
                cluster.connect(server);
            }
        }
    }
    (0..servers).filter(|server| !cluster.is_connected(*server)).for_each(|server| {
        cluster.connect(server);
    });
    cluster.one(cluster.draw(random), servers, true);
}

/// Clients write while servers crash, restart and are cut off; the network is as it was made.
pub fn churn(cluster: &Cluster, _: &Run) {
    const CLIENTS: u64 = 3;
    let servers = cluster.servers();
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (cluster, stop) = (cluster.clone(), stop.clone());
            let name = format!("client {client}");
            thread::Builder::new().name(name).spawn(move || write(&cluster, client, &stop))
        })
        .collect();
    for _ in cluster.rounds(20) {
        disturb(cluster);
        // Less than an election timeout, so that not every disturbance is mended before the next.
        sleep_elections(0.7);
    }
    sleep_elections(1.0);
    cluster.set_reliable(true);
    for server in 0..servers {
        if !cluster.is_running(server) {
            cluster.start_server(server);
        }
        cluster.connect(server);
    }
    stop.store(true, Ordering::SeqCst);
    let written: Vec<Bytes> =
        clients.into_iter().flat_map(|client| client.join().expect("it did not panic")).collect();
    sleep_elections(1.0);
    let last = cluster.one(cluster.draw(random), servers, true);
    let committed: BTreeSet<Bytes> =
        (1..=last).filter_map(|index| cluster.wait(index, servers, None)).collect();
    for command in written {
        assert!(committed.contains(&command), "didn't find the written value {}", show(&command));
    }
}

/// Perhaps cuts a server off, perhaps brings one back, perhaps crashes one.
fn disturb(cluster: &Cluster) {
    let random_server = || cluster.draw(|rng| rng.random_range(0..cluster.servers()));
    if cluster.draw(|rng| rng.random_bool(0.2)) {
        cluster.disconnect(random_server());
    }
    if cluster.draw(|rng| rng.random_bool(0.5)) {
        let server = random_server();
        if !cluster.is_running(server) {
            cluster.start_server(server);
        }
        cluster.connect(server);
    }
    if cluster.draw(|rng| rng.random_bool(0.2)) {
        let server = random_server();
        if cluster.is_running(server) {
            cluster.crash(server);
        }
    }
}

/// A client of [`churn`]: offers values until it is stopped; returns those it saw committed.
fn write(cluster: &Cluster, client: u64, stop: &AtomicBool) -> Vec<Bytes> {
    let mut rng = rng::stream("client");
    let mut written = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let command = random(&mut rng);
        // The last of those that accept it: it is the one with the latest news.
        let offers = (0..cluster.servers()).map(|server| cluster.start(server, command.clone()));
        match offers.flatten().last() {
            Some(Started { index, .. }) => {
                // At once, and then after growing pauses. It may never be committed.
                let mut pauses = [10, 20, 50, 100, 200].into_iter();
                loop {
                    if let (1.., Some(committed)) = cluster.committed(index) {
                        written.extend((committed == command).then_some(committed));
                        break;
                    }
                    let Some(pause) = pauses.next() else { break };
                    thread::sleep(millis(pause));
                }
                // Some time must pass. A leader that was cut off accepts each command too, and may
                // count in step with the true one: then all that is looked for is there at once,
                // though it is another command, and the client would go on for ever at one moment
                // of simulated time. (Two runs in 3,736 did.)
                thread::sleep(millis(1));
            }
            None => thread::sleep(millis(79 + client * 17)),
        }
    }
    written
}
