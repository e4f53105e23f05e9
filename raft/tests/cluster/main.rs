//! Whole servers on a network in simulated worlds. All of them report to a checker, which fails the
//! run when two contradict each other.

mod alone;
mod disk;
mod part_2d;
mod service;
mod slow_followers;
mod snapshots;
mod world;

use std::time::Duration;

use bytes::Bytes;
use labrt::thread;
use labrt::time::Instant;
use raft_api::Raft as _;

use service::Habits;
use world::{Cluster, eventually};

/// Runs a test in a world for each of several seeds.
fn worlds(test: impl Fn() + Clone + Send + 'static) {
    for seed in 0..8 {
        if let Err(failure) = labrt::simulate(seed, test.clone()) {
            panic!("{failure}");
        }
    }
}

fn seconds(seconds: u64) {
    thread::sleep(Duration::from_secs(seconds));
}

fn everybody(cluster: &Cluster) -> Vec<usize> {
    (0..cluster.servers()).collect()
}

/// Paper, 5.2 and 5.3.
#[test]
fn clusters_of_1_2_and_4_servers_elect_one_leader_and_agree() {
    for servers in [1, 2, 4] {
        worlds(move || {
            let cluster = Cluster::new(servers);
            let leader = cluster.wait_for_leader();
            for (command, index) in [("a", 1), ("b", 2), ("c", 3)] {
                assert_eq!(cluster.agree(command, &everybody(&cluster)), index);
            }
            // Nothing goes wrong, so nothing changes.
            let term = cluster.raft(leader).state().term;
            seconds(5);
            let leads = |server: &usize| cluster.raft(*server).state().is_leader;
            assert_eq!(everybody(&cluster).into_iter().filter(leads).collect::<Vec<_>>(), [leader]);
            assert_eq!(cluster.raft(leader).state().term, term);
        });
    }
}

/// Paper, 5.5: a minority that fails holds up nobody, and catches up when it is back.
#[test]
fn the_loss_of_a_minority_is_survived() {
    for (servers, lost) in [(3, 1), (4, 1), (5, 2)] {
        worlds(move || {
            let mut cluster = Cluster::new(servers);
            cluster.agree("before", &everybody(&cluster));
            // The leader is among the lost.
            let leader = cluster.wait_for_leader();
            let (gone, left): (Vec<usize>, Vec<usize>) = everybody(&cluster)
                .into_iter()
                .partition(|&server| (server + servers - leader) % servers < lost);
            gone.iter().for_each(|&server| cluster.disconnect(server));
            let _ = cluster.raft(leader).start("lost".into());
            cluster.agree("meanwhile", &left);
            gone.iter().for_each(|&server| cluster.connect(server));
            cluster.agree("after", &everybody(&cluster));
            // A command whose leader is deposed waits for one of the next leader's term (5.4.2). So
            // it may have been offered again.
            let mut applied = cluster.applied(leader);
            applied.dedup();
            assert_eq!(applied, ["before", "meanwhile", "after"]);
        });
    }
}

//= lab.half
/// Paper, 5.4.2: what is not on a majority is not committed. Of 2 servers both are needed, of 4
/// servers three.
#[test]
fn without_a_majority_nothing_is_committed_and_with_it_all_goes_on() {
    for (servers, lost) in [(2, 1), (4, 2)] {
        worlds(move || {
            let mut cluster = Cluster::new(servers);
            cluster.agree("before", &everybody(&cluster));
            let leader = cluster.wait_for_leader();
            let gone: Vec<_> = (1..=lost).map(|step| (leader + step) % servers).collect();
            gone.iter().for_each(|&server| cluster.disconnect(server));
            assert!(cluster.raft(leader).start("nobody hears".into()).is_some());
            seconds(10);
            for server in everybody(&cluster) {
                assert_eq!(cluster.applied(server), ["before"], "server {server}");
            }
            // Those who are alone elect nobody.
            for server in gone {
                assert!(!cluster.raft(server).state().is_leader);
                cluster.connect(server);
            }
            cluster.agree("after", &everybody(&cluster));
        });
    }
}

//= all.apply
/// Paper, Figure 2: persistent state. What was committed is applied again, from index 1 on; the
/// service of [`Cluster`] checks the indexes.
#[test]
fn servers_that_restart_apply_everything_again_from_index_1() {
    for servers in [1, 2, 3, 4] {
        worlds(move || {
            let mut cluster = Cluster::new(servers);
            for command in ["a", "b", "c"] {
                cluster.agree(command, &everybody(&cluster));
            }
            let leader = cluster.wait_for_leader();
            let term = cluster.raft(leader).state().term;
            everybody(&cluster).into_iter().for_each(|server| cluster.crash(server));
            everybody(&cluster).into_iter().for_each(|server| cluster.restart(server));
            for server in everybody(&cluster) {
                assert_eq!(cluster.applied(server), [""; 0]);
                assert!(cluster.raft(server).state().term >= term);
            }
            assert_eq!(cluster.agree("d", &everybody(&cluster)), 4);
            for server in everybody(&cluster) {
                assert_eq!(cluster.applied(server), ["a", "b", "c", "d"], "server {server}");
            }
        });
    }
}

/// Paper, 5.5: one after the other they crash and come back, and no command is lost.
#[test]
fn rolling_restarts_lose_nothing() {
    worlds(|| {
        let mut cluster = Cluster::new(3);
        let mut expected: Vec<Bytes> = Vec::new();
        for round in 0..9 {
            let command = format!("round {round}");
            let server = round % 3;
            cluster.crash(server);
            let up: Vec<_> = (0..3).filter(|up| *up != server).collect();
            cluster.agree(&command, &up);
            cluster.restart(server);
            expected.push(command.into());
        }
        cluster.agree("end", &[0, 1, 2]);
        expected.push("end".into());
        for server in 0..3 {
            let mut applied = cluster.applied(server);
            // A command may have been offered again, because its leader was deposed.
            applied.dedup();
            assert_eq!(applied, expected, "server {server}");
        }
    });
}

//= lab.heartbeats
/// The lab's rule: no follower hears more than ten heartbeats in any second. And enough to stay one.
#[test]
fn in_any_second_each_peer_gets_at_most_ten_heartbeats() {
    worlds(|| {
        let cluster = Cluster::new(4);
        let leader = cluster.wait_for_leader();
        seconds(2);
        let step = Duration::from_millis(5);
        let samples: Vec<Vec<u64>> = (0..4_000)
            .map(|_| {
                thread::sleep(step);
                (0..4).map(|server| cluster.network.count(server.to_string())).collect()
            })
            .collect();
        assert_eq!(cluster.leader(), Some(leader));
        for server in 0..4 {
            let calls: Vec<u64> = samples
                .windows(201)
                .map(|second| second[200][server] - second[0][server])
                .collect();
            let (least, most) = (calls.iter().min().unwrap(), calls.iter().max().unwrap());
            let expected = if server == leader { 0..=0 } else { 5..=10 };
            assert!(expected.contains(least) && expected.contains(most), "{least} to {most} calls");
        }
    });
}

//= lab.locks
/// The service may be slow: its server votes, leads and replicates all the same.
#[test]
fn a_service_that_takes_commands_slowly_slows_nothing_else() {
    worlds(|| {
        let slow = Habits { pace: Duration::from_secs(60), ..Habits::default() };
        let mut cluster = Cluster::with_services(3, slow);
        let first = cluster.wait_for_leader();
        let term = cluster.raft(first).state().term;
        for number in 0..50 {
            assert!(cluster.raft(first).start(format!("{number}").into()).is_some());
        }
        seconds(10);
        assert!((0..3).all(|server| cluster.applied(server).len() == 1), "the services are slow");
        assert_eq!((cluster.leader(), cluster.raft(first).state().term), (Some(first), term));
        cluster.disconnect(first);
        let lost = Instant::now();
        let second = cluster.wait_for_leader();
        assert!(lost.elapsed() < Duration::from_secs(4), "after {:?}", lost.elapsed());
        assert!(second != first && cluster.raft(second).start("x".into()).is_some());
    });
}

//= lab.election-time, candidates.random
/// Part 2A: a new leader within five seconds of the old one's failure.
#[test]
fn a_killed_leader_is_replaced() {
    worlds(|| {
        let cluster = Cluster::new(3);
        let leader = cluster.wait_for_leader();
        cluster.raft(leader).kill();
        let killed = Instant::now();
        let others: Vec<_> = (0..3).filter(|server| *server != leader).collect();
        let successor = eventually("another one leads", || {
            others.iter().copied().find(|server| cluster.raft(*server).state().is_leader)
        });
        let took = killed.elapsed();
        assert!(took < Duration::from_secs(5), "the next one leads after {took:?}");
        assert!(cluster.raft(successor).start("x".into()).is_some());
        eventually("it is applied", || {
            others.iter().all(|s| cluster.applied(*s).len() == 1).then_some(())
        });
    });
}

#[test]
fn a_run_depends_on_its_seed_alone() {
    let run = |seed| {
        let outcome = labrt::simulate(seed, || {
            let mut cluster = Cluster::new(4);
            cluster.network.set_reliable(false);
            cluster.agree("a", &[0, 1, 2, 3]);
            cluster.crash(1);
            cluster.agree("b", &[0, 2, 3]);
            cluster.restart(1);
            cluster.agree("c", &[0, 1, 2, 3]);
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}")).trace.expect("it was simulated").hash
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}
