//! Snapshots: what leaders send, what followers make of it, and what is saved.

use std::time::Duration;

use labrt::thread;
use raft_tests::Cluster;

use crate::puppet::{
    assert_broken, assert_fine, puppet, verdict_alone_with_snapshots, verdict_with_snapshots,
};

/// Server 0 leads term 4; a majority has nine entries, and it has told so.
fn nine_are_committed() {
    puppet(0).commits(1, 4, (0, 0), 9, 0);
    puppet(0).commits(1, 4, (9, 4), 0, 9);
}

#[test]
fn a_snapshot_holds_what_is_committed() {
    assert_fine(|_| {
        nine_are_committed();
        puppet(0).installs(2, 4, (9, 4));
        puppet(0).installs(2, 4, (5, 4));
    });
    assert_broken(
        |_| {
            nine_are_committed();
            puppet(0).installs(2, 4, (10, 4));
        },
        "snapshots of what is committed",
        &[0],
        &["server 0 sends a snapshot of 1 to 10", "9 entries are"],
    );
    // It is committed, but the new leader has not been told so.
    assert_broken(
        |_| {
            puppet(0).commits(1, 4, (0, 0), 9, 0);
            puppet(1).installs(2, 5, (9, 4));
        },
        "snapshots of what is committed",
        &[1],
        &["it can know that 0 entries are committed"],
    );
    // A part of one shows as much.
    assert_broken(
        |_| puppet(0).installs_part(2, 4, (1, 4), 0, false),
        "snapshots of what is committed",
        &[0],
        &["server 0 sends a snapshot of 1 to 1"],
    );
}

#[test]
fn its_last_entry_is_the_one_of_the_leaders_log() {
    assert_broken(
        |_| {
            puppet(0).leads(1, 4, (0, 0), &[(3, "a"), (4, "b"), (4, "c")]);
            puppet(0).installs(2, 4, (1, 3));
            puppet(0).installs(2, 4, (2, 4));
            puppet(0).installs(2, 4, (1, 2));
        },
        "a snapshot's last entry",
        &[0],
        &["lastIncludedIndex is 1, lastIncludedTerm 2"],
    );
    assert_broken(
        |_| {
            nine_are_committed();
            puppet(0).installs(2, 4, (9, 0));
        },
        "Leader Completeness",
        &[0],
        &["entry 9 is of term 0"],
    );
}

#[test]
fn a_later_leader_has_what_was_committed() {
    assert_fine(|_| {
        nine_are_committed();
        puppet(1).commits(0, 5, (9, 4), 1, 0);
        puppet(0).answers(0, false);
        // A leader of an earlier term that goes on for a while has something else there.
        puppet(2).leads(0, 3, (8, 3), &[(3, "z")]);
    });
    assert_broken(
        |_| {
            nine_are_committed();
            puppet(1).leads(2, 5, (9, 0), &[(5, "x")]);
        },
        "Leader Completeness",
        &[1],
        &["entry 9 of term 4 is committed"],
    );
    assert_broken(
        |_| {
            nine_are_committed();
            puppet(2).leads(1, 5, (0, 0), &[(2, "z")]);
        },
        "Leader Completeness",
        &[2],
        &["entry 1 of term 4 is committed"],
    );
}

#[test]
fn logs_go_on_behind_a_snapshot() {
    // What it holds need not have been sent to be there, nor is it told of in another way.
    assert_fine(|_| {
        nine_are_committed();
        puppet(0).installs(2, 4, (9, 4));
        puppet(0).leads(2, 4, (9, 4), &[(4, "c10")]);
        puppet(2).asks_for_vote(2, 1, 5);
        puppet(2).commits(1, 5, (9, 4), 0, 9);
    });
    // A part of it is not yet all.
    assert_broken(
        |_| {
            nine_are_committed();
            puppet(0).leads(2, 4, (9, 4), &[(4, "c10")]);
        },
        "accepted after a look",
        &[0, 2],
        &["no entry 9 of term 4 was ever sent to it"],
    );
    assert_broken(
        |_| {
            nine_are_committed();
            puppet(0).installs(2, 4, (9, 4));
            puppet(0).leads(1, 4, (9, 4), &[(4, "c10")]);
            puppet(0).leads(2, 4, (9, 4), &[(4, "other")]);
        },
        "Log Matching",
        &[0],
        &["server 0 sent other as the entry of term 4 at index 10"],
    );
}

#[test]
fn a_follower_keeps_what_it_has_accepted_behind_a_snapshot() {
    fn twelve() {
        puppet(0).commits(1, 4, (0, 0), 12, 0);
        puppet(0).commits(1, 4, (12, 4), 0, 9);
    }
    assert_fine(|_| {
        twelve();
        puppet(1).saves(4, None, vec![4; 12]);
        puppet(0).installs(1, 4, (9, 4));
        puppet(1).saves_behind((9, 4), 4, vec![4; 3], b"s");
        puppet(0).installs(1, 4, (9, 4));
        // What it has put into a snapshot it may refuse.
        puppet(1).answers(4, false);
        puppet(0).commits(1, 4, (8, 4), 5, 9);
    });
    assert_broken(
        |_| {
            twelve();
            puppet(1).saves_behind((9, 4), 4, Vec::new(), b"s");
            puppet(0).installs(1, 4, (9, 4));
        },
        "accepted entries stay",
        &[1],
        &["server 1 accepted entries up to 12", "what its persister holds ends with entry 9"],
    );
}

#[test]
fn the_same_snapshot_is_not_sent_for_ever() {
    fn sends(millis: u64, count: u64) {
        for _ in 0..count {
            puppet(0).installs(2, 4, (9, 4));
            thread::sleep(Duration::from_millis(millis));
        }
    }
    let check = "snapshots sent again";
    // With each heartbeat, to one that does not answer.
    assert_fine(|_| {
        nine_are_committed();
        puppet(2).answers(0, false);
        sends(100, 60);
    });
    // A few times more, to one that has answered.
    assert_fine(|_| {
        nine_are_committed();
        sends(100, 20);
    });
    // In parts.
    assert_fine(|_| {
        nine_are_committed();
        for part in 0..100 {
            puppet(0).installs_part(2, 4, (9, 4), 100 * part, part == 99);
        }
    });
    // With new entries each time.
    assert_fine(|_| {
        nine_are_committed();
        for n in 9..59 {
            puppet(0).commits(1, 4, (n, 4), 1, 9);
            puppet(0).installs(2, 4, (9, 4));
        }
    });
    assert_broken(
        |_| {
            nine_are_committed();
            sends(150, 30);
        },
        check,
        &[2, 0],
        &["server 2 answered that the snapshot has come", "sends it once more"],
    );
    assert_broken(
        |_| {
            nine_are_committed();
            puppet(2).answers(0, false);
            sends(50, 60);
        },
        check,
        &[0],
        &["the first of 23 InstallSnapshots"],
    );
}

#[test]
fn what_is_saved_begins_behind_what_is_committed_and_does_not_go_back() {
    fn takes(base: (u64, u64), log_terms: Vec<u64>) {
        puppet(1).saves_behind(base, 4, log_terms, b"s");
        puppet(0).commits(1, 4, (9, 4), 0, 9);
    }
    fn in_play() {
        nine_are_committed();
        puppet(0).installs(1, 4, (3, 4));
    }
    assert_fine(|_| {
        in_play();
        takes((5, 4), vec![4; 4]);
        takes((9, 4), Vec::new());
    });
    assert_broken(
        |_| {
            in_play();
            takes((10, 4), Vec::new());
        },
        "snapshots of what is committed",
        &[1],
        &["server 1 saved a snapshot of 1 to 10"],
    );
    assert_broken(
        |_| {
            in_play();
            takes((9, 4), Vec::new());
            takes((5, 4), vec![4; 4]);
        },
        "snapshots do not go back",
        &[1],
        &["held a log that follows entry 9", "now it holds one that follows entry 5"],
    );
    assert_broken(
        |_| {
            in_play();
            takes((9, 3), Vec::new());
        },
        "a snapshot's last entry",
        &[1],
        &["follows entry 9 of term 3", "entry 9 of term 4 is committed"],
    );
}

/// Server 0 has applied nineteen entries, and its service has given two snapshots.
fn nineteen_are_applied() {
    puppet(0).commits(1, 4, (0, 0), 19, 0);
    puppet(0).commits(1, 4, (19, 4), 0, 19);
    puppet(0).applies(19);
}

fn checked_with_snapshots(play: fn(&Cluster)) -> Option<String> {
    verdict_with_snapshots(play).map(|verdict| {
        assert!(verdict.hint.is_some(), "{verdict:?}");
        verdict.check
    })
}

#[test]
fn state_and_snapshot_are_saved_together() {
    let check = "state and snapshot belong together";
    fn saves(server: usize, base: u64, entries: usize, snapshot: u64) {
        let given = if snapshot == 0 { Default::default() } else { puppet(server).given(snapshot) };
        puppet(server).saves_behind((base, 4), 4, vec![4; entries], &given);
    }
    assert_eq!(
        checked_with_snapshots(|_| {
            nineteen_are_applied();
            saves(0, 9, 10, 9);
            // Some entries may be kept that the snapshot holds.
            saves(0, 9, 10, 19);
            saves(0, 19, 0, 19);
            puppet(0).commits(1, 4, (19, 4), 0, 19);
        }),
        None
    );
    // Whoever saves the state alone is found before the snapshot follows.
    assert_eq!(
        checked_with_snapshots(|_| {
            nineteen_are_applied();
            saves(0, 9, 10, 9);
            puppet(0).saves_state_behind((19, 4), 4, None, Vec::new());
            saves(0, 19, 0, 19);
            puppet(0).commits(1, 4, (19, 4), 0, 19);
        })
        .as_deref(),
        Some(check)
    );
    // An empty snapshot erases the stored one.
    assert_eq!(
        checked_with_snapshots(|_| {
            nineteen_are_applied();
            saves(0, 9, 10, 9);
            saves(0, 9, 11, 0);
            puppet(0).commits(1, 4, (19, 4), 0, 19);
        })
        .as_deref(),
        Some(check)
    );
}

#[test]
fn what_a_service_gives_is_saved_soon() {
    fn waits(saves: bool) {
        nineteen_are_applied();
        if saves {
            let given = puppet(0).given(19);
            puppet(0).saves_behind((19, 4), 4, Vec::new(), &given);
        }
        thread::sleep(Duration::from_secs(2));
        puppet(0).commits(1, 4, (19, 4), 0, 19);
    }
    assert_eq!(checked_with_snapshots(|_| waits(true)), None);
    assert_eq!(checked_with_snapshots(|_| waits(false)).as_deref(), Some("a snapshot is saved"));
}

#[test]
fn a_snapshot_is_applied_when_it_is_told_and_in_order() {
    fn gets(sent: bool) {
        nineteen_are_applied();
        if sent {
            puppet(0).installs(2, 4, (9, 4));
        }
        puppet(2).hands_over(&puppet(0), 9, 4);
    }
    assert_eq!(checked_with_snapshots(|_| gets(true)), None);
    assert_eq!(checked_with_snapshots(|_| gets(false)).as_deref(), Some("applied when told"));
    // Again, back, or with a gap behind it.
    fn then(before: u64, last: u64) -> impl FnOnce() {
        move || {
            gets(true);
            puppet(0).leads(2, 4, (9, 4), &[]);
            puppet(2).applies_behind(before, last);
        }
    }
    assert_eq!(checked_with_snapshots(|_| then(8, 9)()).as_deref(), Some("apply order"));
    assert_eq!(checked_with_snapshots(|_| then(10, 11)()).as_deref(), Some("apply order"));
    let back = checked_with_snapshots(|_| {
        nineteen_are_applied();
        puppet(0).hands_over(&puppet(0), 9, 4);
    });
    assert_eq!(back.as_deref(), Some("apply order"));
}

/// What a log holds besides what the service sees, moves all indexes: then only a term of nothing is judged.
#[test]
fn a_snapshot_is_handed_over_with_the_term_of_its_last_entry() {
    fn handed(term: u64, unseen: u64) -> Option<String> {
        let broken = verdict_with_snapshots(move |_| {
            puppet(0).commits(1, 4, (0, 0), 19 + unseen, 0);
            puppet(0).commits(1, 4, (19 + unseen, 4), 0, 19 + unseen);
            puppet(0).applies(19);
            puppet(0).installs(2, 4, (9 + unseen, 4));
            puppet(2).hands_over(&puppet(0), 9, term);
        });
        broken.map(|broken| broken.check)
    }
    const CHECK: Option<&str> = Some("a snapshot's last entry");
    let found = |unseen| [4, 5, 3, 0].map(|term| handed(term, unseen));
    assert_eq!(found(0).each_ref().map(|check| check.as_deref()), [None, CHECK, CHECK, CHECK]);
    assert_eq!(found(1).each_ref().map(|check| check.as_deref()), [None, None, None, CHECK]);
}

#[test]
fn a_restarted_server_goes_on_behind_its_snapshot() {
    fn restarts(cluster: &Cluster) {
        nineteen_are_applied();
        let given = puppet(0).given(19);
        puppet(0).saves_behind((19, 4), 4, Vec::new(), &given);
        cluster.start_server(0);
        cluster.connect(0);
    }
    assert_eq!(
        checked_with_snapshots(|cluster| {
            restarts(cluster);
            puppet(0).saves_own_vote(0, 6);
            puppet(0).asks_for_vote(0, 1, 6);
            puppet(0).commits(1, 6, (19, 4), 0, 19);
        }),
        None
    );
    let again = verdict_with_snapshots(|cluster| {
        restarts(cluster);
        puppet(0).applies(1);
    });
    let again = again.expect("a rule is broken");
    assert_eq!(again.check, "apply order");
    assert!(again.facts.iter().any(|fact| fact.text.contains("snapshot of 1 to 19")), "{again:?}");
    assert!(again.hint.is_some_and(|hint| hint.contains("lastApplied")));
}

#[test]
fn numbers_out_of_this_world_do_no_harm_in_snapshots() {
    assert_broken(
        |_| {
            let most = u64::MAX;
            puppet(0).installs(1, most, (most, most));
        },
        "snapshots of what is committed",
        &[0],
        &["it can know that 0 entries are committed"],
    );
}

/// Who is alone may have an entry in its log for each of its leads that its service does not see; nobody is
/// told of them.
#[test]
fn one_server_alone_may_have_led_without_a_word() {
    let begins_behind = |base| {
        move |cluster: &Cluster| {
            for index in 1..=9 {
                cluster.start(0, format!("1 {index}").into());
            }
            puppet(0).applies(9);
            let snapshot = puppet(0).given(9);
            puppet(0).saves(1, None, vec![1; 20]);
            puppet(0).saves_behind((base, 1), 1, Vec::new(), &snapshot);
        }
    };
    assert_eq!(verdict_alone_with_snapshots(begins_behind(10)), None);
    let verdict = verdict_alone_with_snapshots(begins_behind(11)).expect("a rule is broken");
    assert_eq!(verdict.check, "state and snapshot belong together");
}
