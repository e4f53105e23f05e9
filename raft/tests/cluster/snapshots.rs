//! Snapshots in clusters of whole servers: lost, late and repeated messages, slow services and disks,
//! crashes at any moment.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use labrpc::{Network, Server};
use labrt::rng::{self, RngExt, Stream};
use labrt::time::Instant;
use labrt::{Node, channel, thread};
use persister::Persister;
use raft::{
    AppendEntriesArgs, AppendEntriesReply, Entry, InstallSnapshotArgs, InstallSnapshotReply,
    Options, Raft,
};
use raft_api::{ApplyMsg, Raft as _};

use crate::disk::Disk;
use crate::service::Habits;
use crate::world::{Cluster, eventually};
use crate::{everybody, seconds, worlds};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn snapshots_every(snapshot_every: u64) -> Habits {
    Habits { snapshot_every, ..Habits::default() }
}

/// Commands for whoever leads, one after the other, without waiting for any.
fn offer(cluster: &Cluster, count: usize) {
    for number in 0..count {
        let command = Bytes::from(format!("{number} at {:?}", Instant::now()));
        let up = (0..cluster.servers()).filter(|server| cluster.is_up(*server));
        let _ = up.map(|server| cluster.raft(server).start(command.clone())).find(Option::is_some);
    }
}

/// A random moment of a storm.
fn disturb(cluster: &mut Cluster, rng: &mut Stream) {
    let server = rng.random_range(0..cluster.servers());
    match (rng.random_range(0..10), cluster.is_up(server)) {
        (0..5, true) => cluster.crash(server),
        (_, false) => cluster.restart(server),
        (5, true) => cluster.disconnect(server),
        (6..8, true) => cluster.connect(server),
        (8, true) => cluster.disk(server).set_write_time(millis(rng.random_range(0..30))),
        _ => cluster.disk(server).stall(millis(rng.random_range(0..1000))),
    }
}

/// Services that take snapshots all the time, some of them slowly, on a network that loses, delays and
/// reorders, on disks that are slow or stalled, while servers crash in the middle of whatever they do.
/// Then all is well again, and everybody comes to agree.
fn storm(servers: usize, snapshot_every: u64) {
    let mut rng = rng::stream("storm");
    let pace = millis([0, 0, 1, 20][rng.random_range(0..4)]);
    let mut cluster = Cluster::with_services(servers, Habits { pace, snapshot_every });
    cluster.network.set_reliable(false);
    cluster.network.set_long_delays(rng.random_bool(0.5));
    cluster.network.set_long_reordering(rng.random_bool(0.5));
    for _ in 0..40 {
        offer(&cluster, rng.random_range(0..8));
        disturb(&mut cluster, &mut rng);
        thread::sleep(Duration::from_micros(rng.random_range(0..700_000)));
    }
    cluster.network.set_reliable(true);
    cluster.network.set_long_reordering(false);
    for server in everybody(&cluster) {
        if !cluster.is_up(server) {
            cluster.restart(server);
        }
        cluster.connect(server);
        cluster.disk(server).set_write_time(Duration::ZERO);
    }
    cluster.agree("the storm is over", &everybody(&cluster));
    let applied = cluster.applied(0);
    for server in everybody(&cluster) {
        let theirs = cluster.applied(server);
        let common = applied.len().min(theirs.len());
        assert_eq!(theirs[..common], applied[..common], "server {server}");
    }
}

#[test]
fn no_storm_breaks_a_cluster_that_takes_snapshots() {
    for (servers, snapshot_every) in [(1, 2), (2, 4), (3, 1), (3, 10), (5, 3)] {
        crate::part_2d::worlds(move || storm(servers, snapshot_every));
    }
}

/// A cluster of three with a leader that has forgotten what one follower, which is away, lacks: 40
/// commands of 10 KB.
fn follower_left_behind() -> (Cluster, usize, usize) {
    let mut cluster = Cluster::with_services(3, snapshots_every(10));
    cluster.network.set_long_delays(true);
    cluster.agree("first", &[0, 1, 2]);
    let leader = cluster.wait_for_leader();
    let follower = (leader + 1) % 3;
    cluster.disconnect(follower);
    for _ in 0..40 {
        assert!(cluster.raft(leader).start(vec![b'x'; 10_000].into()).is_some(), "it leads");
    }
    let other = (leader + 2) % 3;
    eventually("it is applied", || (cluster.applied(other).len() == 41).then_some(()));
    (cluster, leader, follower)
}

/// A follower that is away costs no snapshot at all; one that is back, exactly one.
#[test]
fn a_snapshot_is_sent_once_and_only_to_who_is_there() {
    worlds(|| {
        let (mut cluster, leader, follower) = follower_left_behind();
        let before = cluster.network.total_bytes();
        seconds(50);
        let bytes = cluster.network.total_bytes() - before;
        assert!(bytes < 400_000, "{bytes} bytes while a follower was away");
        let before = cluster.network.total_bytes();
        cluster.connect(follower);
        cluster.agree("last", &[0, 1, 2]);
        let bytes = cluster.network.total_bytes() - before;
        assert!((390_000..450_000).contains(&bytes), "{bytes} bytes for a snapshot of 390 KB");
        assert_eq!(cluster.installed(follower), 1);
        let _ = leader;
    });
}

/// Its disk takes long to save the snapshot. Heartbeats go on, and nobody sends it again.
#[test]
fn a_follower_that_saves_a_snapshot_slowly_gets_it_once() {
    worlds(|| {
        let (mut cluster, _, follower) = follower_left_behind();
        cluster.disk(follower).set_write_time(millis(1_500));
        let before = cluster.network.total_bytes();
        cluster.connect(follower);
        eventually("it has the snapshot", || (cluster.installed(follower) == 1).then_some(()));
        seconds(5);
        let bytes = cluster.network.total_bytes() - before;
        assert!((390_000..460_000).contains(&bytes), "{bytes} bytes for a snapshot of 390 KB");
    });
}

/// The call with the snapshot is lost and takes 7 s to fail. The others do not wait for that, nor does
/// the follower when it is back.
#[test]
fn nobody_waits_for_a_snapshot_that_is_lost() {
    for seed in 0..40 {
        let outcome = labrt::simulate(seed, move || {
            let (mut cluster, leader, follower) = follower_left_behind();
            cluster.connect(follower);
            // Gone again at the moment when the snapshot may be on its way.
            thread::sleep(millis(seed * 4));
            cluster.disconnect(follower);
            let began = Instant::now();
            if let Some(started) = cluster.raft(leader).start("meanwhile".into()) {
                let place = usize::try_from(started.index).unwrap();
                eventually("it is applied", || {
                    (cluster.applied(leader).len() >= place).then_some(())
                });
                assert!(began.elapsed() < millis(100), "after {:?}", began.elapsed());
            }
            seconds(1);
            cluster.connect(follower);
            let began = Instant::now();
            cluster.agree("last", &[0, 1, 2]);
            assert!(began.elapsed() < millis(4_500), "after {:?}", began.elapsed());
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
}

/// A leader's service may be as far behind as it likes, and a follower's far ahead.
#[test]
fn services_take_snapshots_at_their_own_pace() {
    worlds(|| {
        let habits = Habits { pace: millis(30), snapshot_every: 7 };
        let cluster = Cluster::with_services(3, habits);
        cluster.wait_for_leader();
        offer(&cluster, 100);
        seconds(10);
        for server in 0..3 {
            assert_eq!(cluster.applied(server).len(), 100, "server {server}");
            assert!(cluster.disk(server).raft_state_size() < 500);
        }
    });
}

/// One server on its own, whose messages the test takes.
fn alone(disk: Arc<Disk>) -> (Arc<Raft>, channel::Receiver<ApplyMsg>) {
    let peers = vec![Network::new().make_end("0 to 0")];
    let (apply, messages) = channel::bounded(0);
    let raft = Raft::open(peers, 0, disk, apply, Options::default()).unwrap();
    eventually("it leads", || raft.state().is_leader.then_some(()));
    (raft, messages)
}

fn index_of(message: &ApplyMsg) -> u64 {
    let ApplyMsg::Command { index, .. } = message else { panic!("{message:?}") };
    *index
}

/// When the call returns, it is on the disk; and a restart goes on behind it.
#[test]
fn a_snapshot_is_saved_when_the_call_returns() {
    worlds(|| {
        let disk = Arc::new(Disk::default());
        disk.set_write_time(millis(20));
        let (raft, messages) = alone(disk.clone());
        for number in 0..5 {
            raft.start(format!("{number}").into()).unwrap();
        }
        (1..=3).for_each(|index| assert_eq!(index_of(&messages.recv().unwrap()), index));
        raft.snapshot(3, "three".into());
        assert_eq!(disk.read_snapshot().unwrap(), b"three");
        raft.snapshot(2, "two".into());
        raft.snapshot(3, "three again".into());
        assert_eq!(disk.read_snapshot().unwrap(), b"three", "an old one is ignored");
        raft.kill();
        // Whoever is over takes none.
        raft.snapshot(3, "too late".into());
        let (raft, messages) = alone(Arc::new(disk.copy()));
        raft.snapshot(3, "what is there already".into());
        // An entry of its own term lets it commit those of earlier ones (5.4.2).
        assert_eq!(raft.start("x".into()).unwrap().index, 6);
        (4..=6).for_each(|index| assert_eq!(index_of(&messages.recv().unwrap()), index));
    });
}

/// What server 1, as leader of term 5, sends behind entry `prev`, an (index, term).
fn append(prev: (u64, u64), commands: &[&'static str], leader_commit: u64) -> AppendEntriesArgs {
    let entry = |command: &&'static str| Entry { term: 5, command: Bytes::from(*command) };
    AppendEntriesArgs {
        term: 5,
        leader_id: 1,
        prev_log_index: prev.0,
        prev_log_term: prev.1,
        entries: commands.iter().map(entry).collect(),
        leader_commit,
    }
}

/// A service is told of the snapshot first, and then of what follows it, also if both have come while
/// its server was busy with a save.
#[test]
fn a_snapshot_and_what_follows_it_reach_the_service_in_this_order() {
    worlds(|| {
        let (disk, network) = (Arc::new(Disk::default()), Network::new());
        let peers = (0..3).map(|peer| network.make_end(format!("0 to {peer}"))).collect();
        let (apply, messages) = channel::bounded(0);
        let raft = Raft::open(peers, 0, disk.clone(), apply, Options::default()).unwrap();
        let services = raft.clone().services().into_iter();
        network.add_server("0", services.fold(Server::new(), Server::service));
        let leader = network.make_end("1 to 0");
        network.connect("1 to 0", "0");
        network.enable("1 to 0", true);
        disk.stall(Duration::from_secs(1));
        let method = "Raft.AppendEntries";
        leader.call_then::<_, AppendEntriesReply>(method, &append((0, 0), &["old"], 1), |_| {});
        thread::sleep(millis(100));
        let install = InstallSnapshotArgs {
            term: 5,
            leader_id: 1,
            last_included_index: 7,
            last_included_term: 5,
            data: "seven".into(),
        };
        leader.call_then::<_, InstallSnapshotReply>("Raft.InstallSnapshot", &install, |_| {});
        thread::sleep(millis(100));
        let reply = leader.call::<_, AppendEntriesReply>(method, &append((7, 5), &["x"], 8));
        assert!(reply.unwrap().success);
        assert_eq!(index_of(&messages.recv().unwrap()), 1);
        let snapshot = ApplyMsg::Snapshot { index: 7, term: 5, snapshot: "seven".into() };
        assert_eq!(messages.recv().unwrap(), snapshot);
        assert_eq!(index_of(&messages.recv().unwrap()), 8);
    });
}

/// Whoever gives a snapshot waits for the save, and no longer than the server lives.
#[test]
fn the_end_of_a_server_ends_the_wait_for_its_disk() {
    for by_crash in [false, true] {
        worlds(move || {
            let disk = Arc::new(Disk::default());
            let node = Node::new("server 0");
            let inside = disk.clone();
            let (raft, messages) = node.enter(move || alone(inside)).expect("the node is new");
            raft.start("x".into()).unwrap();
            assert_eq!(index_of(&messages.recv().unwrap()), 1);
            disk.stall(Duration::from_secs(3));
            let service = raft.clone();
            let waiting = thread::spawn(move || service.snapshot(1, "one".into()));
            seconds(1);
            let began = Instant::now();
            match by_crash {
                true => node.kill(),
                false => raft.kill(),
            }
            waiting.join().unwrap();
            assert!(began.elapsed() <= Duration::from_secs(2), "after {:?}", began.elapsed());
        });
    }
}

/// What the failing run says.
fn words(run: impl FnOnce(&Raft, &channel::Receiver<ApplyMsg>) + Send + 'static) -> String {
    let outcome = labrt::simulate(0, move || {
        let (raft, messages) = alone(Arc::default());
        for number in 0..5 {
            raft.start(format!("{number}").into()).unwrap();
        }
        assert_eq!(index_of(&messages.recv().unwrap()), 1);
        // The second one is being handed over.
        seconds(1);
        run(&raft, &messages);
    });
    outcome.expect_err("it is a mistake of the service").to_string()
}

#[test]
fn a_service_is_told_what_is_wrong_with_its_snapshot() {
    let early = words(|raft, _| raft.snapshot(3, "three".into()));
    assert!(early.contains("the service was given no more than entry 2"), "{early}");
    let empty = words(|raft, _| raft.snapshot(1, Bytes::new()));
    assert!(empty.contains("`snapshot(1, ..)` with no bytes"), "{empty}");
}
