//! What restarted servers know to be committed: what they have saved, or are told again.

use labrt::thread;
use raft_tests::Cluster;

use crate::puppet::{assert_broken, assert_fine, pause, puppet};

const BY_COUNTING: &str = "old entries are not committed by counting";

fn restart(cluster: &Cluster, server: usize) {
    cluster.start_server(server);
    cluster.connect(server);
}

/// Server 0 leads term 4 and has told both others that two entries are committed.
fn two_are_committed() {
    [1, 2].into_iter().for_each(|to| puppet(0).commits(to, 4, (0, 0), 2, 0));
    [1, 2].into_iter().for_each(|to| puppet(0).commits(to, 4, (2, 4), 0, 2));
}

/// Server 1 has applied both, and stands for term 5 after a restart without having applied anything again.
fn one_has_forgotten(cluster: &Cluster) {
    two_are_committed();
    puppet(1).applies(2);
    restart(cluster, 1);
    puppet(1).asks_for_vote(1, 0, 5);
}

#[test]
fn what_was_forgotten_is_not_applied_by_counting_either() {
    assert_broken(
        |cluster| {
            one_has_forgotten(cluster);
            puppet(1).commits(0, 5, (2, 4), 0, 0);
            puppet(1).applies(2);
        },
        BY_COUNTING,
        &[1],
        &["server 1 applied entry 2", "its log has term 4 at index 2"],
    );
}

#[test]
fn who_is_told_again_may_say_it_again() {
    assert_fine(|cluster| {
        one_has_forgotten(cluster);
        puppet(2).asks_for_vote(2, 0, 6);
        puppet(2).commits(1, 6, (2, 4), 0, 0);
        puppet(2).commits(1, 6, (2, 4), 0, 2);
        puppet(1).asks_for_vote(1, 0, 7);
        puppet(1).commits(0, 7, (2, 4), 0, 0);
        puppet(1).commits(0, 7, (2, 4), 0, 2);
    });
}

#[test]
fn what_nobody_has_accepted_yet_was_not_counted() {
    assert_fine(|cluster| {
        one_has_forgotten(cluster);
        puppet(1).commits(0, 5, (2, 4), 0, 2);
    });
}

/// It has read that from what it saved, and its service is told late.
#[test]
fn who_says_it_before_anybody_has_answered_saves_it() {
    assert_fine(|cluster| {
        one_has_forgotten(cluster);
        puppet(1).commits(2, 5, (2, 4), 0, 2);
        puppet(1).commits(0, 5, (2, 4), 0, 2);
        puppet(1).applies(2);
    });
}

#[test]
fn an_entry_of_the_leaders_own_term_may_be_counted() {
    assert_fine(|cluster| {
        one_has_forgotten(cluster);
        puppet(0).asks_for_vote(0, 2, 6);
        puppet(0).commits(2, 6, (2, 4), 1, 0);
        restart(cluster, 0);
        puppet(0).commits(2, 6, (3, 6), 0, 3);
    });
}

#[test]
fn who_applies_what_nobody_has_told_it_since_its_restart_saves_that() {
    assert_fine(|cluster| {
        // Its service was late, no more.
        one_has_forgotten(cluster);
        puppet(1).applies(2);
        puppet(1).commits(0, 5, (2, 4), 0, 0);
        puppet(1).commits(0, 5, (2, 4), 0, 2);
    });
}

#[test]
fn what_open_requests_tell_is_no_sign_that_it_was_saved() {
    assert_broken(
        |cluster| {
            puppet(0).commits(2, 4, (0, 0), 3, 0);
            let follower = puppet(1);
            let stalled = follower.stalls();
            let calls = [(3, 0), (1, 3)].map(|(count, commit)| {
                thread::spawn(move || puppet(0).commits(1, 4, (0, 0), count, commit))
            });
            pause();
            follower.applies(3);
            drop(stalled);
            calls.into_iter().for_each(|call| call.join().expect("it ends"));
            restart(cluster, 1);
            puppet(1).asks_for_vote(1, 0, 5);
            puppet(1).commits(0, 5, (3, 4), 0, 0);
            puppet(1).commits(0, 5, (3, 4), 0, 3);
        },
        BY_COUNTING,
        &[1],
        &["server 1 says that entry 3 is committed"],
    );
}

#[test]
fn who_had_applied_nothing_has_forgotten_nothing() {
    assert_fine(|cluster| {
        two_are_committed();
        restart(cluster, 1);
        puppet(1).asks_for_vote(1, 0, 5);
        puppet(1).commits(0, 5, (2, 4), 0, 0);
        puppet(1).commits(0, 5, (2, 4), 0, 2);
    });
}

#[test]
fn what_its_snapshot_holds_a_restarted_server_knows() {
    assert_fine(|cluster| {
        one_has_forgotten(cluster);
        puppet(0).saves_behind((2, 4), 4, Vec::new(), b"s");
        restart(cluster, 0);
        puppet(0).saves_own_vote(0, 6);
        puppet(0).asks_for_vote(0, 2, 6);
        puppet(0).commits(2, 6, (2, 4), 0, 0);
        puppet(0).commits(2, 6, (2, 4), 0, 2);
    });
}

#[test]
fn who_has_counted_an_entry_may_say_less() {
    assert_fine(|cluster| {
        one_has_forgotten(cluster);
        puppet(1).commits(0, 5, (2, 4), 1, 0);
        puppet(1).commits(0, 5, (3, 5), 0, 2);
    });
}

#[test]
fn what_an_open_request_told_before_a_crash_a_server_may_have_saved() {
    assert_fine(|cluster| {
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        let follower = puppet(1);
        let stalled = follower.stalls();
        let call = thread::spawn(|| puppet(0).commits(1, 4, (3, 4), 0, 3));
        pause();
        restart(cluster, 1);
        puppet(1).applies(3);
        drop(stalled);
        call.join().expect("it fails");
    });
}
