//! Snapshots and states that are stored, and what a restarted server begins with.

use std::time::Duration;

use labrt::thread;
use raft_tests::Cluster;

use crate::puppet::{
    assert_broken, assert_fine, pause, puppet, verdict_of, verdict_with_snapshots,
};

/// Server 0 leads term 4, server 1 has so many entries, and was told that they are committed.
fn are_committed(count: u64) {
    puppet(0).commits(1, 4, (0, 0), count, 0);
    puppet(0).commits(1, 4, (count, 4), 0, count);
}

fn heartbeat(last: u64) {
    puppet(0).commits(1, 4, (last, 4), 0, last);
}

const TOGETHER: &str = "state and snapshot belong together";

/// Nobody says what the snapshots of these services hold.
#[test]
fn a_log_does_not_begin_behind_more_than_its_snapshot_can_hold() {
    fn goes_on_behind(base: u64) {
        are_committed(9);
        puppet(1).saves_behind((5, 4), 4, vec![4; 7], b"s");
        puppet(0).commits(1, 4, (9, 4), 3, 9);
        heartbeat(12);
        let behind = usize::try_from(12 - base).expect("it is small");
        puppet(1).saves_state_behind((base, 4), 4, None, vec![4; behind]);
    }
    assert_fine(|_| goes_on_behind(9));
    assert_broken(
        |_| goes_on_behind(10),
        TOGETHER,
        &[1],
        &["holds a log that follows entry 10", "it could know only that 9 entries are committed"],
    );
    // With a new snapshot it may.
    assert_fine(|_| {
        goes_on_behind(9);
        puppet(1).saves_behind((12, 4), 4, Vec::new(), b"t");
        heartbeat(12);
    });
}

#[test]
fn what_one_server_alone_can_know_nobody_tells() {
    let verdict = verdict_of(1, |cluster| {
        for index in 1..=9 {
            cluster.start(0, format!("1 {index}").into());
        }
        puppet(0).saves(1, None, vec![1; 20]);
        puppet(0).saves_behind((5, 1), 1, Vec::new(), b"s");
    });
    assert_eq!(verdict, None);
}

#[test]
fn a_base_has_a_term_unless_it_is_the_beginning() {
    assert_broken(
        |_| {
            puppet(0).commits(1, 4, (0, 0), 9, 0);
            puppet(0).saves_behind((9, 0), 4, Vec::new(), b"s");
            puppet(0).commits(1, 4, (9, 4), 0, 0);
        },
        "a snapshot's last entry",
        &[0],
        &["follows entry 9 of term 0", "no entry is of term 0"],
    );
    // What is said of the term before the first entry is nobody's matter.
    assert_fine(|_| {
        are_committed(9);
        puppet(0).installs(2, 4, (9, 4));
        for term in [7, 0] {
            puppet(1).saves_state_behind((0, term), 4, None, vec![4; 9]);
            heartbeat(9);
        }
    });
}

#[test]
fn a_base_that_stays_where_it_is_does_not_go_back() {
    assert_fine(|_| {
        puppet(0).commits(1, 4, (0, 0), 9, 0);
        for term in [3, 4] {
            puppet(0).saves_behind((9, term), 4, Vec::new(), b"s");
            puppet(0).commits(1, 4, (9, 4), 0, 0);
        }
    });
}

#[test]
fn what_a_server_began_with_is_told_until_it_may_have_got_more() {
    assert_fine(|cluster| {
        let began = || {
            let began = cluster.watch().began(1);
            began.map(|began| (began.upto, began.bytes))
        };
        are_committed(12);
        puppet(1).saves_behind((9, 4), 4, vec![4; 3], b"snap");
        assert_eq!(began(), None);
        cluster.start_server(1);
        cluster.connect(1);
        assert_eq!(began(), Some((9, 4)));
        puppet(0).installs(1, 4, (9, 4));
        assert_eq!(began(), Some((9, 4)));
        puppet(0).installs(1, 4, (10, 4));
        assert_eq!(began(), None);
    });
}

/// With a service that takes snapshots of 1 to 9 and of 1 to 19: what is broken, and the facts.
fn with_snapshots(play: fn(&Cluster)) -> Option<(String, Vec<String>)> {
    let verdict = verdict_with_snapshots(play)?;
    let facts = verdict.facts.into_iter().map(|fact| fact.text).collect();
    Some((verdict.check, facts))
}

/// Nineteen are committed; server 0 has applied nine of them, and saves this as the snapshot.
fn saves_of_nine(snapshot: Option<&[u8]>) {
    are_committed(19);
    puppet(0).applies(9);
    let given = puppet(0).given(9);
    puppet(0).saves_behind((9, 4), 4, vec![4; 10], snapshot.unwrap_or(&given));
}

fn later() {
    thread::sleep(Duration::from_secs(2));
    heartbeat(19);
}

#[test]
fn each_snapshot_that_a_service_gives_is_saved() {
    assert_eq!(
        with_snapshots(|_| {
            saves_of_nine(None);
            later();
            later();
        }),
        None
    );
    let (check, facts) = with_snapshots(|_| {
        saves_of_nine(None);
        later();
        puppet(0).applies_behind(9, 19);
        later();
    })
    .expect("the second one is not saved");
    assert_eq!(check, "a snapshot is saved");
    assert!(facts.contains(&"its persister holds one of 1 to 9".to_string()), "{facts:?}");
    // What a Raft has made of it nobody can tell.
    assert_eq!(
        with_snapshots(|_| {
            saves_of_nine(Some(b"in a dress"));
            later();
        }),
        None
    );
}

#[test]
fn what_nobody_can_read_is_not_judged() {
    assert_eq!(
        with_snapshots(|_| {
            are_committed(19);
            puppet(0).applies(9);
            puppet(0).saves_secretly(b"");
            heartbeat(19);
            later();
        }),
        None
    );
}

#[test]
fn of_each_leader_an_entry_may_be_hidden_from_the_service() {
    fn begins_behind(base: u64, leaders: u64) {
        saves_of_nine(None);
        // One leads already.
        for term in 5..4 + leaders {
            puppet(2).leads(1, term, (0, 0), &[]);
        }
        let given = puppet(0).given(9);
        puppet(0).saves_behind((base, 4), 4, vec![4; 2], &given);
    }
    let check = |play: fn(&Cluster)| with_snapshots(play).map(|(check, _)| check);
    assert_eq!(check(|_| begins_behind(10, 1)), None);
    assert_eq!(check(|_| begins_behind(11, 1)).as_deref(), Some(TOGETHER));
    assert_eq!(check(|_| begins_behind(11, 2)), None);
    assert_eq!(check(|_| begins_behind(12, 2)).as_deref(), Some(TOGETHER));
}

#[test]
fn who_begins_with_all_that_it_had_applied_has_forgotten_nothing() {
    assert_eq!(
        with_snapshots(|cluster| {
            are_committed(19);
            puppet(0).applies(19);
            puppet(0).commits(1, 4, (19, 4), 1, 19);
            let given = puppet(0).given(19);
            puppet(0).saves_behind((19, 4), 4, vec![4], &given);
            cluster.start_server(0);
            cluster.connect(0);
            // It saves its commit index, and so knows of the last one.
            puppet(0).saves_own_vote(0, 6);
            puppet(0).asks_for_vote(0, 1, 6);
            puppet(0).commits(1, 6, (20, 4), 0, 0);
            puppet(0).commits(1, 6, (20, 4), 0, 20);
        }),
        None
    );
}

#[test]
fn a_snapshot_that_has_come_tells_before_it_is_answered() {
    assert_eq!(
        with_snapshots(|_| {
            are_committed(19);
            puppet(0).applies(9);
            let follower = puppet(2);
            let stalled = follower.stalls();
            let call = thread::spawn(|| puppet(0).installs(2, 4, (9, 4)));
            pause();
            follower.hands_over(&puppet(0), 9, 4);
            drop(stalled);
            call.join().expect("it ends");
        }),
        None
    );
}

#[test]
fn who_was_paused_may_save_a_snapshot_later() {
    assert_eq!(
        with_snapshots(|cluster| {
            are_committed(19);
            puppet(0).applies(9);
            cluster.group().pause(0);
            thread::sleep(Duration::from_secs(3));
            cluster.group().resume(0);
            heartbeat(19);
        }),
        None
    );
}

/// Nobody can read behind which entry its log begins, but its service says where its snapshot ends.
#[test]
fn what_its_service_begins_with_a_candidate_knows() {
    assert_eq!(
        with_snapshots(|cluster| {
            fn restart(cluster: &Cluster, server: usize) {
                cluster.start_server(server);
                cluster.connect(server);
            }
            are_committed(9);
            puppet(1).applies(8);
            restart(cluster, 1);
            puppet(1).asks_for_vote(1, 2, 5);
            puppet(0).applies(9);
            let given = puppet(0).given(9);
            puppet(0).saves_secretly(&given);
            restart(cluster, 0);
            puppet(0).asks_for_vote(0, 1, 6);
            puppet(0).commits(1, 6, (9, 4), 0, 0);
            puppet(0).commits(1, 6, (9, 4), 0, 9);
        }),
        None
    );
}
