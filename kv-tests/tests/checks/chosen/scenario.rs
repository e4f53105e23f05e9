//! What reads without a log entry have to get right, on one key.

use std::time::Duration;

use kv::Clerk;
use kv_api::Server;
use kv_tests::{Cluster, History, Subject};
use labrt::thread;
use tester::{Run, Test, Totals};

/// The leader changes again and again, each time right after a write was acknowledged.
///
/// The new leader, which may not know yet that this write is committed, is read from before it is asked
/// for anything else. Then the old one is, which does not know that it is deposed.
pub(crate) fn leaders_change<S: Server>() -> Test {
    let subject = Subject::of::<S, Clerk>();
    Test::new("reads", "leaders change, one key", move |run| play(subject, run))
}

fn play(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, 3, false, None);
    let history = History::default();
    let mut writer = cluster.client_in(&cluster.all(), 0, &history);
    for round in run.rounds(5) {
        writer.append("k", &format!("{round} above "));
        let (majority, minority) = cluster.leader_in_minority();
        cluster.partition(&majority, &minority);
        let number = 2 * round as u64 + 1;
        let mut above = cluster.client_in(&majority, number, &history);
        above.get("k");
        above.append("k", &format!("{round} below "));
        let mut below = cluster.client_in(&minority, number + 1, &history);
        let ends = below.ends().clone();
        let reading = thread::spawn(move || below.get("k"));
        thread::sleep(Duration::from_millis(300));
        cluster.connect_all();
        cluster.connect_client(&ends, &cluster.all());
        reading.join().expect("it fails the run");
    }
    drop(writer);
    let totals = cluster.finish();
    history.check(run, cluster.watch());
    totals
}
