//! Anything at once: the swarm test, which belongs to no part of the lab and earns no points.
//!
//! A run draws how many servers there are (1 to 7, even numbers too), which [faults](tester::swarm) it has, each
//! with probability 1/2, how bad they are, and how many commands are offered. For a while anything happens, and
//! only the rules that are checked at every message judge. Then a majority is healed, and must make progress
//! within [the time](crate::Cluster::one) that the other tests give; then all are.

use labrt::rng::RngExt;
use raft_watch::RaftType;
use tester::swarm::{self, Faults, Storm};

use crate::cluster::{Cluster, lab_net};
use crate::commands::random;
use crate::run::Run;

/// How many commands are offered in a round on average: each run has one of these.
const LOADS: [f64; 5] = [0.02, 0.3, 1.0, 4.0, 15.0];

/// A run's cluster: how many servers there are, whether their services take snapshots, and how their clocks
/// run.
pub(crate) fn cluster(raft: RaftType, run: &Run) -> Cluster {
    let net = lab_net(run, false);
    let (servers, snapshots, clocks) =
        net.draw(|rng| (rng.random_range(1..=7), rng.random_bool(0.5), rng.random_bool(0.5)));
    let cluster = Cluster::unstarted(raft, &net, "", servers, snapshots);
    swarm::draw_clocks(cluster.group(), clocks);
    cluster.start_all();
    cluster
}

/// Anything happens at once; then a majority must make progress, and then all.
pub fn anything(cluster: &Cluster, _: &Run) {
    let (group, net) = (cluster.group(), cluster.group().net());
    let faults = net.draw(Faults::draw);
    let (pace, load) =
        net.draw(|rng| (swarm::draw_pace(rng), LOADS[rng.random_range(0..LOADS.len())]));
    labtrace::note!("soak", "{faults:?}, rounds of up to {pace} ms, {load} commands in each",);
    faults.begin(net);
    let leads = |server| cluster.state(server).is_some_and(|state| state.is_leader);
    let storm = Storm::new(group, &faults, leads, |server| cluster.start_server(server));
    swarm::storm(net, pace, || {
        storm.happens();
        offer(cluster, load);
    });
    for count in [cluster.servers() / 2 + 1, cluster.servers()] {
        storm.heal(count);
        for _ in 0..2 {
            cluster.one(cluster.draw(random), count, true);
        }
    }
}

/// Offers so many commands on average, to whoever takes them.
fn offer(cluster: &Cluster, commands: f64) {
    let mut count = commands;
    while count > 0.0 && cluster.draw(|rng| rng.random_bool(count.min(1.0))) {
        count -= 1.0;
        for server in 0..cluster.servers() {
            cluster.start(server, cluster.draw(random));
        }
    }
}
