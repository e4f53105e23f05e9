//! Who stands for election, and who waits.

use std::ops::Range;
use std::time::Duration;

use labrt::thread;
use raft_tests::Cluster;

use crate::puppet::{assert_broken, assert_fine, pause, puppet, verdict};

/// Server 1 refuses its vote in these terms, which follow each other twice a second.
fn refuses_in(terms: Range<u64>) {
    for term in terms {
        puppet(1).answers(term, false);
        puppet(0).asks_for_vote(0, 1, term);
        thread::sleep(Duration::from_millis(500));
    }
}

#[test]
fn a_follower_stands_for_election() {
    assert_fine(|_| refuses_in(1..10));
    assert_fine(|_| {
        refuses_in(1..10);
        puppet(1).asks_for_vote(1, 2, 10);
        refuses_in(11..20);
    });
    assert_fine(|_| {
        refuses_in(1..10);
        puppet(0).answers(10, true);
        puppet(2).asks_for_vote(2, 0, 10);
        puppet(2).leads(1, 10, (0, 0), &[]);
        refuses_in(11..20);
    });
    assert_fine(|_| {
        refuses_in(1..10);
        puppet(1).answers(10, true);
        puppet(2).asks_for_vote(2, 1, 10);
        refuses_in(11..20);
    });
    // It may be held up by a call of its own.
    assert_fine(|_| {
        let busy = puppet(2);
        let stalled = busy.stalls();
        thread::spawn(|| puppet(1).asks_for_vote(1, 2, 1));
        pause();
        refuses_in(2..20);
        drop(stalled);
    });
    assert_fine(|cluster| {
        refuses_in(1..10);
        cluster.start_server(1);
        cluster.connect(1);
        refuses_in(11..20);
    });
    assert_broken(
        |_| refuses_in(1..13),
        "a follower stands for election",
        &[1],
        &["it refused its vote", "it refused its vote, as 11 times in all"],
    );
}

#[test]
fn a_copy_that_was_answered_holds_nobody_up() {
    assert_broken(
        |cluster| {
            cluster.set_duplication(1.0);
            puppet(1).asks_for_vote(1, 0, 1);
            cluster.set_duplication(0.0);
            thread::sleep(Duration::from_secs(3));
            refuses_in(2..15);
        },
        "a follower stands for election",
        &[1],
        &["it refused its vote, as 11 times in all"],
    );
}

#[test]
fn who_was_paused_may_wait_anew() {
    assert_fine(|cluster| {
        refuses_in(1..9);
        cluster.group().pause(1);
        cluster.group().resume(1);
        refuses_in(9..17);
    });
}

/// So often server 1 hears its leader, and asks for votes so many milliseconds later. It is never elected.
fn does_not_wait(cluster: &Cluster, times: u64, millis: u64, between: fn(&Cluster)) {
    for term in (1..).step_by(2).take(times as usize) {
        puppet(0).asks_for_vote(0, 2, term);
        puppet(0).leads(1, term, (0, 0), &[]);
        between(cluster);
        thread::sleep(Duration::from_millis(millis));
        puppet(1).asks_for_vote(1, 2, term + 1);
        thread::sleep(Duration::from_millis(500));
    }
}

#[test]
fn a_follower_that_hears_its_leader_waits() {
    fn nothing(_: &Cluster) {}
    assert_fine(|cluster| does_not_wait(cluster, 2, 90, nothing));
    assert_fine(|cluster| does_not_wait(cluster, 9, 100, nothing));
    // Its last election but one was a right one.
    assert_fine(|cluster| {
        does_not_wait(cluster, 2, 90, nothing);
        puppet(1).asks_for_vote(1, 2, 7);
        for term in [8, 10] {
            puppet(0).asks_for_vote(0, 2, term);
            puppet(0).leads(1, term, (0, 0), &[]);
            puppet(1).asks_for_vote(1, 2, term + 1);
        }
    });
    // What it has refused it need not have heeded, and in a restart it forgets it.
    assert_fine(|cluster| {
        puppet(1).answers(0, false);
        does_not_wait(cluster, 9, 90, nothing);
    });
    assert_fine(|cluster| {
        does_not_wait(cluster, 9, 50, |cluster| {
            cluster.start_server(1);
            cluster.connect(1);
        });
    });
    assert_fine(|cluster| {
        does_not_wait(cluster, 9, 50, |cluster| {
            cluster.group().pause(1);
            cluster.group().resume(1);
        });
    });
    assert_broken(
        |cluster| does_not_wait(cluster, 3, 90, nothing),
        "a follower waits",
        &[1, 0],
        &["server 0 led term 5, and sent AppendEntries", "server 1 stands for election"],
    );
}

#[test]
fn a_long_timeout_is_among_the_causes_of_a_server_that_does_not_stand() {
    let verdict = verdict(|_| refuses_in(1..13)).expect("a rule is broken");
    assert!(verdict.hint.is_some_and(|hint| hint.contains("election timeout is too long")));
}
