//! Situations that other tests hardly ever come into, brought about on purpose.
//!
//! They belong to no part of the lab, and earn no points; those that need snapshots are called `rare2D`. Where
//! a situation also takes luck (who wins an election, how late a reply is), a test tries again and again.
//! Whether or not it comes about, a right Raft passes.

use std::time::Duration;

use labrt::rng::RngExt;
use labrt::thread;
use labrt::time::Instant;

use crate::cluster::Cluster;
use crate::commands::random;
use crate::part_2d;
use crate::run::Run;

/// How often a test tries.
const ATTEMPTS: usize = 5;

/// How long it is waited for something that need not come.
const PATIENCE: Duration = Duration::from_millis(1500);

/// The same where each server that votes otherwise holds it up.
const LONG_PATIENCE: Duration = Duration::from_secs(8);

/// The longest that a reply is late.
const LATEST: Duration = Duration::from_millis(2400);

/// How many entries only one follower gets.
const ENTRIES: usize = 6;

/// How many entries are more than what is between two snapshots, and how long a service is busy: for some heartbeats.
const FORGOTTEN: usize = 25;
const BUSY: Duration = Duration::from_millis(600);

/// How many commands a busy service has before it.
const QUEUED: usize = 4;

/// How many commands come one by one: one is with a busy service, one is on its way to it, and the next one comes
/// when nobody waits for it.
const ONE_BY_ONE: usize = 3;

/// How many tasks offer commands at once, how often at most, and how long they wait in between.
const SIDES: usize = 4;
const MOMENTS: u32 = 60;
const MOMENT: Duration = Duration::from_millis(1);

//= all.stale-reply
/// A leader appends entries at one follower, loses them to another leader, and leads again: all that before
/// the follower's replies come. They say that it has the entries of old, and nothing of the new ones with the same
/// indexes.
pub fn late_replies(cluster: &Cluster, _: &Run) {
    for _ in cluster.rounds(ATTEMPTS) {
        let _ = lead_again(cluster);
        cluster.connect_all();
        cluster.one(cluster.draw(random), cluster.servers(), true);
    }
}

/// Goes as far as luck has it.
fn lead_again(cluster: &Cluster) -> Option<()> {
    let old = cluster.check_one_leader();
    let (lonely, rest) = split(cluster, old);
    reply_late(cluster, old, lonely);

    // The others, who lack these entries, elect a leader, and its own entry takes their place.
    cluster.partition(&[&rest]);
    let new = leader_among(cluster, &rest)?;
    let with: Vec<usize> = rest.iter().copied().filter(|server| *server != new).collect();
    let (near, far) = (with[0], with[1]);
    cluster.partition(&[&[new, old, near]]);
    let index = cluster.start(new, cluster.draw(random))?.index;
    wait_until(PATIENCE, || cluster.committed(index).0 == 3).then_some(())?;

    // The old one leads again, unless `near` is faster; `far` cannot win. Only one of them gets what it is offered.
    cluster.partition(&[&[old, near, far]]);
    (leader_among(cluster, &[old, near])? == old).then_some(())?;
    cluster.partition(&[&[old, near]]);
    offer(cluster, old);
    thread::sleep(LATEST);
    Some(())
}

/// A follower, and the others without the leader.
fn split(cluster: &Cluster, leader: usize) -> (usize, Vec<usize>) {
    let step = cluster.draw(|rng| rng.random_range(1..cluster.servers()));
    let lonely = (leader + step) % cluster.servers();
    let rest = (0..cluster.servers()).filter(|server| ![leader, lonely].contains(server));
    (lonely, rest.collect())
}

/// A follower gets some entries that nobody else gets, and most of its replies are late.
fn reply_late(cluster: &Cluster, leader: usize, follower: usize) {
    cluster.partition(&[&[leader, follower]]);
    cluster.set_long_reordering(true);
    offer(cluster, leader);
    thread::sleep(Duration::from_millis(30));
    cluster.set_long_reordering(false);
}

fn offer(cluster: &Cluster, leader: usize) {
    for _ in 0..ENTRIES {
        cluster.start(leader, cluster.draw(random));
    }
}

/// Whether a server claims to lead.
fn leads(cluster: &Cluster, server: usize) -> bool {
    cluster.state(server).is_some_and(|state| state.is_leader)
}

/// Which of these servers is the first to lead, if one does soon.
fn leader_among(cluster: &Cluster, servers: &[usize]) -> Option<usize> {
    let mut leader = None;
    wait_until(PATIENCE, || {
        leader = servers.iter().copied().find(|server| leads(cluster, *server));
        leader.is_some()
    });
    leader
}

/// Waits until something has come about; false if it does not within this time.
fn wait_until(patience: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while !is_so() {
        if began.elapsed() > patience {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
    true
}

//= all.newer-term
/// A leader and another server do not reach each other, and both reach the third one: this one elects the other,
/// and then only its replies tell the leader of a newer term.
pub fn out_of_touch(cluster: &Cluster, _: &Run) {
    for _ in cluster.rounds(ATTEMPTS) {
        let leader = cluster.check_one_leader();
        let step = cluster.draw(|rng| rng.random_range(1..cluster.servers()));
        let other = (leader + step) % cluster.servers();
        let group = cluster.group();
        group.cut_one_way(leader, other);
        group.cut_one_way(other, leader);
        for _ in 0..4 {
            let pause = cluster.draw(|rng| rng.random_range(100..600));
            thread::sleep(Duration::from_millis(pause));
            for server in [leader, other] {
                cluster.start(server, cluster.draw(random));
            }
        }
        group.heal_ways();
        cluster.one(cluster.draw(random), cluster.servers(), true);
    }
}

//= followers.stand
/// A majority is left in which only one server has the last entry: it alone can be elected, and all others ask for its
/// vote again and again.
pub fn one_can_win(cluster: &Cluster, _: &Run) {
    let (servers, majority) = (cluster.servers(), cluster.servers() / 2 + 1);
    for _ in cluster.rounds(ATTEMPTS) {
        let leader = cluster.check_one_leader();
        let mut order = (0..servers).map(|step| (leader + step) % servers);
        let with: Vec<usize> = order.by_ref().take(majority).collect();
        let without: Vec<usize> = order.collect();
        cluster.partition(&[&with]);
        cluster.one(cluster.draw(random), majority, true);
        // One that has to stand for election first.
        let one = with.iter().copied().find(|server| !leads(cluster, *server)).unwrap_or(leader);
        let left: Vec<usize> = without.into_iter().chain([one]).collect();
        cluster.partition(&[&left]);
        wait_until(LONG_PATIENCE, || leads(cluster, one));
        cluster.connect_all();
        cluster.one(cluster.draw(random), servers, true);
    }
}

//= lab.start
/// A leader that was cut off is offered commands from all sides in the moment in which it hears of a newer term.
pub fn starts_at_the_end_of_a_reign(cluster: &Cluster, _: &Run) {
    for _ in cluster.rounds(ATTEMPTS) {
        let old = cluster.check_one_leader();
        let rest: Vec<usize> = (0..cluster.servers()).filter(|server| *server != old).collect();
        cluster.partition(&[&[old], &rest]);
        let deposed = leader_among(cluster, &rest).is_some();
        cluster.connect_all();
        if deposed {
            offer_from_all_sides(cluster, old);
        }
        cluster.one(cluster.draw(random), cluster.servers(), true);
    }
}

/// Several tasks offer commands to a server, all at the same moments, until it leads no more. It has nothing to send
/// but what they offer, so it hears of its end then.
fn offer_from_all_sides(cluster: &Cluster, server: usize) {
    let offer = |cluster: Cluster| {
        move || {
            let still = |_: &u32| cluster.start(server, cluster.draw(random)).is_some();
            (0..MOMENTS).take_while(still).for_each(|_| thread::sleep(MOMENT));
        }
    };
    let tasks: Vec<_> = (0..SIDES).map(|_| thread::spawn(offer(cluster.clone()))).collect();
    for task in tasks {
        task.join().expect("a task that offers commands");
    }
}

//= all.apply
/// Commands are committed one by one while the service of a server is busy, and nothing comes after them. When it is
/// ready again it gets them all, though nobody says so any more.
pub fn commands_for_a_busy_service(cluster: &Cluster, _: &Run) {
    let (servers, others) = (cluster.servers(), cluster.servers() - 1);
    cluster.check_one_leader();
    for _ in cluster.rounds(ATTEMPTS) {
        let slow = cluster.draw(|rng| rng.random_range(0..servers));
        cluster.busy(slow);
        let mut last = 0;
        for _ in 0..ONE_BY_ONE {
            last = cluster.one(cluster.draw(random), others, true);
            // Until this server knows that it is committed.
            thread::sleep(BUSY);
        }
        cluster.ready(slow);
        cluster.wait(last, servers, None);
    }
}

/// All servers are connected, and messages get lost: a follower has entries that its leader does not know of,
/// and then gets a snapshot that ends before them.
pub fn snapshots_on_a_lossy_network(cluster: &Cluster, run: &Run) {
    part_2d::snapshots_basic(cluster, run);
}

//= lab.locks
/// A server gets a snapshot while its service is busy with a command. What Raft has for the service must wait, in
/// its order; nothing else may.
pub fn snapshot_for_a_busy_service(cluster: &Cluster, _: &Run) {
    let (servers, others) = (cluster.servers(), cluster.servers() - 1);
    for _ in cluster.rounds(ATTEMPTS) {
        let (slow, _) = split(cluster, cluster.check_one_leader());
        cluster.busy(slow);
        // One is with the service, one is on its way to it, and others are still to come.
        for _ in 0..QUEUED {
            cluster.one(cluster.draw(random), others, true);
        }
        wait_until(PATIENCE, || cluster.has_something_to_do(slow));
        fall_behind(cluster, slow);
        cluster.connect(slow);
        thread::sleep(BUSY);
        cluster.ready(slow);
        cluster.one(cluster.draw(random), servers, true);
    }
}

/// Each request comes once more, later, and a server that needs a snapshot has gone on by then.
pub fn snapshots_that_come_twice(cluster: &Cluster, _: &Run) {
    let servers = cluster.servers();
    for _ in cluster.rounds(ATTEMPTS) {
        let (slow, _) = split(cluster, cluster.check_one_leader());
        fall_behind(cluster, slow);
        cluster.set_duplication(1.0);
        cluster.connect(slow);
        cluster.one(cluster.draw(random), servers, true);
        cluster.set_duplication(0.0);
        // Now it forgets more than that snapshot covers.
        offer_many(cluster);
        cluster.one(cluster.draw(random), servers, true);
        thread::sleep(LATEST);
        cluster.one(cluster.draw(random), servers, true);
    }
}

/// A server misses more than the others remember.
fn fall_behind(cluster: &Cluster, server: usize) {
    cluster.disconnect(server);
    if let Some(last) = offer_many(cluster) {
        wait_until(PATIENCE, || cluster.committed(last).0 >= cluster.servers() - 1);
    }
}

/// Whoever leads is offered so many commands that its service takes another snapshot; returns the last one's index.
fn offer_many(cluster: &Cluster) -> Option<u64> {
    let leader = cluster.check_one_leader();
    let offers = (0..FORGOTTEN).map(|_| cluster.start(leader, cluster.draw(random)));
    offers.flatten().last().map(|started| started.index)
}
