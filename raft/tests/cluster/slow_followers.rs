//! Followers that are slow, away or stalled: what they cost, and how soon they are back.

use std::sync::Arc;
use std::time::Duration;

use labrt::sync::Leaf;
use labrt::thread;
use labrt::time::Instant;
use raft_api::Raft as _;

use crate::world::{Cluster, eventually};
use crate::worlds;

const KB: usize = 1_000;

/// What heartbeats, votes and replies may add.
const SMALL: u64 = 100_000;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A cluster of three with a leader, and one of its followers.
fn leader_and_follower() -> (Cluster, usize, usize) {
    let cluster = Cluster::new(3);
    cluster.network.set_long_delays(true);
    cluster.agree("first", &[0, 1, 2]);
    let leader = cluster.wait_for_leader();
    (cluster, leader, (leader + 1) % 3)
}

/// The leader gets so many commands of 50 KB.
fn write(cluster: &Cluster, leader: usize, count: usize) {
    for _ in 0..count {
        assert!(cluster.raft(leader).start(vec![b'x'; 50 * KB].into()).is_some(), "it leads");
    }
}

/// Waits until a server has applied so many commands; returns how long that took.
fn caught_up(cluster: &Cluster, server: usize, count: usize) -> Duration {
    let began = Instant::now();
    eventually("it has caught up", || (cluster.applied(server).len() == count).then_some(()));
    began.elapsed()
}

/// What the lab's network has carried is what followers, their queues and the calls under way have
/// had to hold.
#[test]
fn a_follower_whose_disk_is_stalled_costs_what_it_lacks_and_little_more() {
    worlds(|| {
        let (cluster, leader, follower) = leader_and_follower();
        let (bytes, calls) =
            (cluster.network.total_bytes(), cluster.network.count(follower.to_string()));
        cluster.disk(follower).stall(Duration::from_secs(50));
        write(&cluster, leader, 20);
        thread::sleep(Duration::from_secs(49));
        let bytes = cluster.network.total_bytes() - bytes;
        assert!((2_000_000..2_000_000 + SMALL).contains(&bytes), "{bytes} bytes for 1 MB to two");
        let calls = cluster.network.count(follower.to_string()) - calls;
        assert!((100..=128).contains(&calls), "{calls} calls wait for a disk");
        let took = caught_up(&cluster, follower, 21);
        assert!(took < millis(1_200), "{took:?}, 1 s of it stalled");
        assert_eq!(cluster.leader(), Some(leader));
    });
}

/// However much is read: a follower that is back finds its leader's heartbeats among what has come meanwhile.
#[test]
fn reads_do_not_crowd_out_the_heartbeats_to_a_stalled_follower() {
    worlds(|| {
        let (cluster, leader, follower) = leader_and_follower();
        let term = cluster.raft(leader).state().term;
        cluster.disk(follower).stall(millis(1500));
        write(&cluster, leader, 1); // its disk is busy with that
        let (asked, answered) = (Leaf::new(0), Arc::new(Leaf::new(0)));
        let until = Instant::now() + millis(2000);
        while Instant::now() < until {
            asked.with(|asked| *asked += 1);
            let answered = answered.clone();
            let tell =
                move |index: Result<u64, _>| answered.with(|all| *all += u64::from(index.is_ok()));
            cluster.raft(leader).read_index(Box::new(tell));
            thread::sleep(Duration::from_micros(200));
        }
        thread::sleep(millis(500));
        let terms = [0, 1, 2].map(|server| cluster.raft(server).state().term);
        assert_eq!(terms, [term; 3], "nobody stood for election");
        assert_eq!(answered.with(|all| *all), asked.with(|all| *all));
    });
}

/// The same while clients go on writing: nobody sends a stalled follower more than 1 MB.
#[test]
fn commands_that_come_during_a_stall_wait_for_its_end() {
    worlds(|| {
        let (cluster, leader, follower) = leader_and_follower();
        let before = cluster.network.total_bytes();
        cluster.disk(follower).stall(Duration::from_secs(20));
        for _ in 0..180 {
            write(&cluster, leader, 1);
            thread::sleep(millis(100));
        }
        let bytes = cluster.network.total_bytes() - before;
        let to_the_other = 180 * 50 * KB as u64;
        assert!(
            (to_the_other + 900_000..to_the_other + 1_100_000 + SMALL).contains(&bytes),
            "{bytes} bytes"
        );
        let took = caught_up(&cluster, follower, 181);
        assert!(took < millis(2_500), "{took:?}, 2 s of it stalled");
        let bytes = cluster.network.total_bytes() - before;
        assert!(bytes < 2 * to_the_other + SMALL, "each entry is sent once: {bytes} bytes");
    });
}

#[test]
fn a_follower_that_was_away_costs_a_small_multiple_of_what_it_missed() {
    worlds(|| {
        let (mut cluster, leader, follower) = leader_and_follower();
        let before = cluster.network.total_bytes();
        cluster.disconnect(follower);
        for _ in 0..40 {
            write(&cluster, leader, 1);
            thread::sleep(millis(100));
        }
        thread::sleep(Duration::from_secs(56));
        cluster.connect(follower);
        // It has stood for election all the time, so there is another one first; and a leader commits
        // what was there before with an entry of its own.
        cluster.agree("last", &[0, 1, 2]);
        let bytes = cluster.network.total_bytes() - before;
        // 2 MB for the one that was there, 2 MB for the one that was not, and at most 1 MB in vain
        // for each of the two leaders.
        assert!((4_000_000..6_000_000 + SMALL).contains(&bytes), "{bytes} bytes for 2 MB to two");
    });
}

/// A call that is lost because its receiver is away fails after up to 7 s. Nobody waits for that
/// when the receiver is back.
#[test]
fn a_follower_that_was_away_for_a_moment_does_not_wait_for_lost_calls_to_fail() {
    worlds(|| {
        let (mut cluster, leader, follower) = leader_and_follower();
        for round in 1..=10 {
            cluster.disconnect(follower);
            write(&cluster, leader, 1);
            thread::sleep(millis(120));
            cluster.connect(follower);
            let took = caught_up(&cluster, follower, 1 + round);
            assert!(took < millis(350), "round {round}: after {took:?}");
        }
        assert_eq!(cluster.leader(), Some(leader), "it was too short for an election");
    });
}

/// A disk that takes longer for a write than a heartbeat: what is under way is answered in turn, and
/// nothing is sent twice.
#[test]
fn a_slow_disk_gets_each_entry_once() {
    worlds(|| {
        let (cluster, leader, follower) = leader_and_follower();
        let before = cluster.network.total_bytes();
        cluster.disk(follower).set_write_time(millis(400));
        for _ in 0..60 {
            write(&cluster, leader, 2);
            thread::sleep(millis(100));
        }
        let took = caught_up(&cluster, follower, 121);
        assert!(took < millis(1_500), "after {took:?}");
        let bytes = cluster.network.total_bytes() - before;
        assert!((12_000_000..12_000_000 + SMALL).contains(&bytes), "{bytes} bytes for 6 MB to two");
    });
}
