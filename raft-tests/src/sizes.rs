//! Clusters of other sizes than the lab's: one server, and even numbers, in which half is no majority.
//!
//! They belong to no part of the lab, and earn no points.

use crate::cluster::{Cluster, sleep_elections};
use crate::commands::number;
use crate::run::Run;

//= lab.alone
/// One server elects itself, commits by itself, and keeps that over a restart.
pub fn alone(cluster: &Cluster, _: &Run) {
    for index in 1..=3 {
        // Offered again it would have another index: a server that takes too long is told that, and nothing else.
        let got = cluster.one(number(index * 10), 1, false);
        cluster.check_index(got, index, &format!("got index {got} but expected {index}"));
    }
    cluster.start_server(0);
    cluster.connect(0);
    cluster.check_one_leader();
    let got = cluster.one(number(40), 1, false);
    assert_eq!(got, 4, "got index {got} but expected 4: what was committed before is gone");
    for index in 1..=3 {
        let command = cluster.wait(index, 1, None);
        assert_eq!(command, Some(number(index * 10)), "index {index} has changed in the restart");
    }
}

//= lab.half
/// A majority is more than half: half of the servers neither commit nor elect, one more do both.
pub fn half_is_no_majority(cluster: &Cluster, _: &Run) {
    cluster.one(number(10), cluster.servers(), true);
    two_halves(cluster);
    half_without_the_leader(cluster);
    if cluster.servers() > 2 {
        more_than_half(cluster);
    }
    // All at once, so that nobody is left to learn from.
    (0..cluster.servers()).for_each(|server| cluster.crash(server));
    (0..cluster.servers()).for_each(|server| {
        cluster.start_server(server);
        cluster.connect(server);
    });
    cluster.one(number(50), cluster.servers(), true);
}

/// The leader and those after it, so many in all.
fn with_leader(cluster: &Cluster, count: usize) -> (usize, Vec<usize>, Vec<usize>) {
    let (servers, leader) = (cluster.servers(), cluster.check_one_leader());
    let mut order = (0..servers).map(|step| (leader + step) % servers);
    (leader, order.by_ref().take(count).collect(), order.collect())
}

/// The leader keeps half of the servers, and the others are among themselves.
fn two_halves(cluster: &Cluster) {
    let servers = cluster.servers();
    let (leader, with, without) = with_leader(cluster, servers / 2);
    cluster.partition(&[&with, &without]);
    let started = cluster.start(leader, number(20));
    sleep_elections(2.0);
    if let Some(started) = started {
        cluster.check_minority_commits_nothing(started.index);
    }
    if !cluster.has_majority() {
        cluster.check_nobody_leads(without);
    }
    cluster.connect_all();
    cluster.one(number(21), servers, true);
}

/// Half of the servers are away, the leader among them.
fn half_without_the_leader(cluster: &Cluster) {
    let servers = cluster.servers();
    let (_, with, _) = with_leader(cluster, servers / 2);
    with.iter().for_each(|server| cluster.disconnect(*server));
    sleep_elections(2.0);
    if !cluster.has_majority() {
        cluster.check_no_leader();
    }
    with.iter().for_each(|server| cluster.connect(*server));
    cluster.one(number(30), servers, true);
}

/// Less than half of the servers are away, the leader among them.
fn more_than_half(cluster: &Cluster) {
    let servers = cluster.servers();
    let (_, with, without) = with_leader(cluster, servers / 2 - 1);
    cluster.partition(&[&with, &without]);
    cluster.one(number(40), without.len(), true);
    cluster.connect_all();
    cluster.one(number(41), servers, true);
}
