//! What is committed and applied.

use bytes::Bytes;
use labrt::thread;
use raft_tests::Cluster;

use crate::puppet::{assert_broken, assert_fine, is_not_answered, pause, puppet, verdict_of};

#[test]
fn what_a_majority_has_is_committed() {
    let check = "committed by a majority";
    assert_fine(|_| {
        puppet(0).commits(1, 4, (0, 0), 2, 0);
        puppet(0).commits(1, 4, (2, 4), 0, 2);
    });
    assert_broken(
        |_| {
            puppet(0).commits(1, 4, (0, 0), 1, 0);
            puppet(1).answers(0, false);
            puppet(0).commits(2, 4, (0, 0), 2, 2);
        },
        check,
        &[0, 1, 2],
        &["server 1 accepted up to entry 1", "server 2 accepted nothing"],
    );
}

#[test]
fn old_entries_are_not_committed_by_counting() {
    // With an entry of its own term on a majority, the older ones are committed too.
    assert_fine(|_| {
        puppet(2).leads(1, 3, (0, 0), &[(3, "a"), (3, "b")]);
        puppet(0).commits(1, 4, (2, 3), 0, 0);
        puppet(0).commits(1, 4, (2, 3), 1, 0);
        puppet(0).commits(1, 4, (3, 4), 0, 3);
    });
    assert_broken(
        |_| {
            puppet(1).answers(3, false);
            puppet(2).leads(1, 3, (0, 0), &[(3, "a"), (3, "b")]);
            puppet(1).answers(4, true);
            puppet(0).commits(1, 4, (2, 3), 0, 0);
            puppet(0).commits(1, 4, (2, 3), 0, 2);
        },
        "old entries are not committed by counting",
        &[0],
        &["server 0 says that entry 2 is committed", "its log has term 3 at index 2"],
    );
}

#[test]
fn what_was_committed_before_may_be_said_in_any_order() {
    assert_fine(|_| {
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        puppet(0).commits(2, 4, (0, 0), 3, 3);
        // The next leader begins with nothing, or with what each follower is known to have.
        puppet(2).commits(1, 5, (0, 0), 0, 0);
        puppet(2).commits(1, 5, (3, 4), 0, 3);
        puppet(2).commits(0, 5, (0, 0), 0, 0);
        puppet(2).commits(0, 5, (3, 4), 0, 3);
    });
}

#[test]
fn an_election_commits_nothing() {
    assert_broken(
        |_| {
            puppet(0).commits(1, 4, (0, 0), 3, 0);
            puppet(2).answers(0, false);
            puppet(1).commits(2, 5, (3, 4), 0, 3);
        },
        "committed by a majority",
        &[1, 0, 2],
        &["server 1 can know that 0 entries are committed"],
    );
}

#[test]
fn what_is_applied_is_committed() {
    assert_fine(|_| {
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        puppet(0).applies(3);
        puppet(0).commits(1, 4, (3, 4), 0, 3);
        puppet(1).applies(3);
    });
    assert_broken(
        |_| {
            puppet(0).commits(1, 4, (0, 0), 2, 0);
            puppet(0).applies(3);
        },
        "committed by a majority",
        &[0, 1, 2],
        &["server 0 applied entry 3", "server 1 accepted up to entry 2"],
    );
    assert_broken(
        |_| {
            puppet(1).answers(0, false);
            puppet(0).commits(1, 4, (0, 0), 2, 0);
            puppet(2).applies(1);
        },
        "applied when committed",
        &[2, 1],
        &["server 2 applied entry 1", "up to entry 0 a majority has accepted"],
    );
    let check = "applied when told";
    // A follower that applies when it accepts.
    assert_broken(
        |_| {
            puppet(0).commits(1, 4, (0, 0), 3, 0);
            puppet(1).applies(1);
        },
        check,
        &[1],
        &["it was told that 0 entries are committed"],
    );
    // One that refuses a request is told by it, be it in a later term, but its log is not checked.
    assert_fine(|_| {
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        puppet(1).answers(5, false);
        puppet(0).commits(1, 4, (3, 4), 0, 3);
        puppet(1).applies(3);
    });
    assert_broken(
        |_| {
            puppet(0).commits(2, 4, (0, 0), 3, 0);
            puppet(1).answers(5, false);
            puppet(0).commits(1, 4, (3, 4), 0, 3);
            puppet(1).applies(1);
        },
        check,
        &[1],
        &["it was told that 3 entries are committed, and its log was checked up to entry 0"],
    );
    // A follower that commits what this request has not checked.
    assert_broken(
        |_| {
            puppet(0).commits(1, 4, (0, 0), 3, 0);
            puppet(0).commits(2, 4, (0, 0), 1, 3);
            puppet(2).applies(2);
        },
        check,
        &[2],
        &["that 3 entries are committed, and its log was checked up to entry 1"],
    );
}

#[test]
fn alone_a_server_commits_what_it_is_offered() {
    let alone = |play: fn(&Cluster)| verdict_of(1, play);
    assert_eq!(
        alone(|cluster| {
            cluster.start(0, Bytes::from_static(b"1 1"));
            puppet(0).applies(1);
        }),
        None
    );
    let verdict = alone(|_| puppet(0).applies(1)).expect("a rule is broken");
    assert_eq!(verdict.check, "applied when committed");
    // There are no followers, of whom hints could speak.
    assert!(verdict.hint.is_some_and(|hint| hint.contains("an entry without a command")));
}

#[test]
fn a_leader_counts_itself_for_what_it_has_saved() {
    // Without it others are a majority: it may save later.
    assert_fine(|_| {
        puppet(0).saves(4, None, Vec::new());
        puppet(0).commits(1, 4, (0, 0), 1, 0);
        puppet(0).commits(2, 4, (0, 0), 1, 0);
        puppet(0).commits(1, 4, (1, 4), 0, 1);
    });
    assert_broken(
        |_| {
            puppet(0).saves(4, None, Vec::new());
            puppet(0).commits(1, 4, (0, 0), 1, 0);
            puppet(0).commits(1, 4, (1, 4), 0, 1);
        },
        "saved before counted",
        &[0],
        &[
            "what its persister holds ends with entry 0",
            "without it, in this term 1 of 3 are known to have the entry",
        ],
    );
}

#[test]
fn what_only_an_earlier_instance_knew_is_not_counted_again() {
    fn restart(cluster: &Cluster, server: usize) {
        cluster.start_server(server);
        cluster.connect(server);
    }
    fn committed() {
        puppet(0).commits(1, 4, (0, 0), 2, 0);
        puppet(0).commits(1, 4, (2, 4), 0, 2);
    }
    // It saves the commit index, so it applies at once.
    assert_fine(|cluster| {
        committed();
        restart(cluster, 1);
        puppet(1).applies(2);
        puppet(2).answers(0, true);
        puppet(1).commits(2, 5, (0, 0), 0, 0);
        puppet(1).commits(0, 5, (2, 4), 0, 2);
    });
    // So does the one that led before, though its term is still that of its reign.
    assert_fine(|cluster| {
        puppet(2).commits(1, 3, (0, 0), 2, 0);
        puppet(0).commits(1, 4, (2, 3), 1, 0);
        puppet(0).commits(1, 4, (3, 4), 0, 3);
        restart(cluster, 0);
        puppet(0).applies(3);
    });
    // Whether it saves the commit index is not known yet.
    assert_fine(|cluster| {
        committed();
        puppet(1).applies(2);
        restart(cluster, 1);
        puppet(1).commits(0, 5, (2, 4), 0, 0);
        puppet(1).commits(0, 5, (2, 4), 0, 2);
    });
    assert_broken(
        |cluster| {
            committed();
            puppet(1).applies(2);
            restart(cluster, 1);
            // It has applied nothing, so it does not save it.
            puppet(1).asks_for_vote(1, 0, 5);
            puppet(1).commits(0, 5, (2, 4), 0, 0);
            puppet(1).commits(0, 5, (2, 4), 0, 2);
        },
        "old entries are not committed by counting",
        &[1],
        &["server 1 says that entry 2 is committed"],
    );
}

/// A follower that has handled two requests and answered none of them yet knows what they say together.
#[test]
fn requests_that_are_open_tell_together() {
    assert_fine(|_| {
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
    });
}

#[test]
fn a_request_whose_answer_is_lost_may_have_told() {
    assert_fine(|cluster| {
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        is_not_answered(cluster, || puppet(0).commits(1, 4, (3, 4), 0, 3));
        puppet(1).applies(3);
    });
    // And it is not under way for ever, so that nobody knew in which order requests were handled.
    assert_broken(
        |cluster| {
            puppet(0).commits(1, 4, (0, 0), 3, 0);
            is_not_answered(cluster, || puppet(0).commits(1, 4, (3, 4), 0, 3));
            puppet(1).saves(4, None, Vec::new());
            puppet(1).answers(4, false);
            puppet(0).commits(1, 4, (2, 4), 2, 0);
        },
        "accepted entries stay",
        &[1],
        &["server 1 accepted entries up to 3"],
    );
}

#[test]
fn a_leader_has_saved_what_is_in_its_snapshot_and_what_is_behind_it() {
    fn ten_are_committed(behind: Vec<u64>) {
        puppet(0).commits(1, 4, (0, 0), 9, 0);
        puppet(0).commits(1, 4, (9, 4), 0, 9);
        puppet(0).saves_behind((9, 4), 4, behind, b"s");
        puppet(0).commits(1, 4, (9, 4), 1, 9);
        puppet(0).commits(1, 4, (10, 4), 0, 10);
    }
    assert_fine(|_| ten_are_committed(vec![4]));
    assert_broken(
        |_| ten_are_committed(Vec::new()),
        "saved before counted",
        &[0],
        &["what its persister holds ends with entry 9"],
    );
    // Also if it says less than it could.
    assert_broken(
        |_| {
            puppet(0).saves(4, None, Vec::new());
            puppet(0).commits(1, 4, (0, 0), 2, 0);
            puppet(0).commits(1, 4, (2, 4), 0, 1);
        },
        "saved before counted",
        &[0],
        &["server 0 says that entry 1 is committed"],
    );
}

#[test]
fn an_open_request_commits_no_more_than_it_checks() {
    assert_broken(
        |_| {
            puppet(0).commits(1, 4, (0, 0), 3, 0);
            let follower = puppet(2);
            let _stalled = follower.stalls();
            thread::spawn(|| puppet(0).commits(2, 4, (0, 0), 1, 3));
            pause();
            follower.applies(2);
        },
        "applied when told",
        &[2],
        &["server 2 applied entry 2"],
    );
}

/// Section 5.4.2: "a leader could safely conclude that an older log entry is committed (for example, if that entry is
/// stored on every server)".
#[test]
fn an_old_entry_that_all_have_is_committed() {
    fn old(to: &'static [usize]) -> impl FnOnce(&Cluster) {
        move |_| {
            puppet(2).leads(1, 3, (0, 0), &[(3, "a"), (3, "b")]);
            puppet(2).leads(0, 3, (0, 0), &[(3, "a"), (3, "b")]);
            for to in to {
                puppet(0).commits(*to, 4, (2, 3), 0, 0);
            }
            puppet(0).commits(1, 4, (2, 3), 0, 2);
        }
    }
    assert_fine(old(&[1, 2]));
    assert_broken(
        old(&[1]),
        "old entries are not committed by counting",
        &[0],
        &["server 0 says that entry 2 is committed"],
    );
}
