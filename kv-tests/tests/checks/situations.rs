//! Situations of a service and its clients are counted when they are there, and not when a run only comes close.

use std::time::Duration;

use kv_tests::{Cluster, History, Subject};
use labrt::thread;
use run_record::situations::{Situation, Situations};
use tester::Run;

use crate::chosen::scenario::leaders_change;

fn reference() -> Subject {
    Subject::of::<kv::Server<raft::Raft>, kv::Clerk>()
}

/// What was seen in a run with three servers.
fn seen(lossy: bool, play: impl FnOnce(&Cluster) + Send + 'static) -> Situations {
    let outcome = labrt::simulate(1, move || {
        let run = Run::silent();
        run.enter();
        let cluster = Cluster::new(reference(), &run, 3, lossy, None);
        play(&cluster);
        cluster.finish();
        run.situations()
    });
    outcome.expect("nothing fails").value
}

fn times(seen: &Situations, situation: Situation) -> u64 {
    *seen.get(situation.key()).expect("somebody looks for it")
}

#[test]
fn on_a_network_that_loses_nothing_nobody_comes_into_one() {
    let seen = seen(false, |cluster| {
        let mut client = cluster.client(&cluster.all());
        (0..20).for_each(|_| client.append("k", "x"));
        client.check("k", &"x".repeat(20));
    });
    let services =
        [Situation::RetryAfterCommit, Situation::WriteAtTwoLeaders, Situation::ReadAtDeposedLeader];
    assert_eq!(services.map(|one| times(&seen, one)), [0, 0, 0]);
}

#[test]
fn a_client_that_lost_an_answer_asks_for_what_is_committed() {
    let seen = seen(true, |cluster| {
        let mut client = cluster.client(&cluster.all());
        (0..50).for_each(|_| client.append("k", "x"));
    });
    let retries = times(&seen, Situation::RetryAfterCommit);
    // One of ten replies is lost. Who hears nothing goes to others first, which do not lead.
    assert!((1..50).contains(&retries), "{seen:?}");
    assert_eq!(times(&seen, Situation::WriteAtTwoLeaders), 0, "nobody was deposed: {seen:?}");
}

#[test]
fn a_write_that_a_deposed_leader_has_and_its_successor_too_is_seen_once() {
    let seen = seen(false, |cluster| {
        let history = History::default();
        cluster.client(&cluster.all()).put("k", ""); // there is a leader then
        let (majority, minority) = cluster.leader_in_minority();
        cluster.partition(&majority, &minority);
        let mut client = cluster.client_in(&minority, 0, &history);
        let ends = client.ends().clone();
        let writing = thread::spawn(move || client.append("k", "x 0 0 y"));
        thread::sleep(Duration::from_secs(2));
        cluster.connect_client(&ends, &majority);
        writing.join().expect("it fails the run");
    });
    assert_eq!(times(&seen, Situation::WriteAtTwoLeaders), 1, "{seen:?}");
    assert_eq!(times(&seen, Situation::RetryAfterCommit), 0, "the first leader commits nothing");
}

#[test]
fn a_leader_that_is_cut_off_is_read_from() {
    let outcome = labrt::simulate(1, || {
        let run = Run::silent();
        leaders_change::<kv::Server<raft::Raft>>().play(&run);
        run.situations()
    });
    let seen = outcome.expect("nothing fails").value;
    // Five rounds, each with one such read, which may ask again.
    assert!(times(&seen, Situation::ReadAtDeposedLeader) >= 5, "{seen:?}");
}
