//! Part 2A: leader election.

use std::time::Duration;

use labrt::rng::RngExt;
use labrt::thread;

use crate::cluster::{Cluster, sleep_elections};
use crate::run::Run;

//= followers.respond
/// A leader is elected, and stays while nothing fails.
pub fn initial_election(cluster: &Cluster, run: &Run) {
    cluster.check_one_leader();
    // Time for the followers to learn of the election.
    thread::sleep(Duration::from_millis(50));
    let term = cluster.check_terms();
    assert!(term >= 1, "term is {term}, but should be at least 1");
    sleep_elections(2.0);
    let later = cluster.check_terms();
    if later != term {
        run.warn(&format!("the term changed from {term} to {later} without a failure"));
    }
    cluster.check_one_leader();
}

//= lab.election-time, followers.stand
/// A new leader takes over, an old one steps down, and without a quorum nobody leads.
pub fn election_after_network_failure(cluster: &Cluster, _: &Run) {
    let servers = cluster.servers();
    let leader1 = cluster.check_one_leader();
    // If the leader is cut off, another one is elected.
    cluster.disconnect(leader1);
    cluster.check_one_leader();
    // If it comes back, it must not disturb the new leader.
    cluster.connect(leader1);
    let leader2 = cluster.check_one_leader();
    // Without a quorum there is no leader.
    cluster.disconnect(leader2);
    cluster.disconnect((leader2 + 1) % servers);
    sleep_elections(2.0);
    if !cluster.has_majority() {
        cluster.check_no_leader();
    }
    // With one there is.
    cluster.connect((leader2 + 1) % servers);
    cluster.check_one_leader();
    // And the last server back changes nothing about it.
    cluster.connect(leader2);
    cluster.check_one_leader();
}

//= candidates.again, candidates.random
/// Leaders are elected again and again while servers come and go.
pub fn multiple_elections(cluster: &Cluster, _: &Run) {
    let servers = cluster.servers();
    cluster.check_one_leader();
    for _ in cluster.rounds(9) {
        let cut: [usize; 3] = cluster.draw(|rng| [(); 3].map(|()| rng.random_range(0..servers)));
        cut.iter().for_each(|server| cluster.disconnect(*server));
        // Either the leader is still there, or the other four elect one.
        cluster.check_one_leader();
        cut.iter().for_each(|server| cluster.connect(*server));
    }
    cluster.check_one_leader();
}
