//! What is told when nothing goes on.

use std::time::Duration;

use bytes::Bytes;
use labrt::thread;
use raft_tests::Cluster;

use crate::puppet::{puppet, verdict, verdict_with_snapshots};

#[test]
fn what_stands_in_the_way_of_agreement_is_told() {
    let words = |play: fn(&Cluster)| {
        let verdict = verdict(play).expect("nobody leads");
        verdict.facts.into_iter().map(|fact| fact.text).collect::<Vec<_>>().join("; ")
    };
    let refused = words(|cluster| {
        puppet(1).answers(4, false);
        for _ in 0..5 {
            puppet(0).commits(1, 4, (7, 3), 1, 0);
        }
        cluster.one(Bytes::from_static(b"x"), 3, false);
    });
    let expected = "server 1 refused the last 5 AppendEntries of server 0 in term 4, all with \
                    prevLogIndex 7";
    assert!(refused.contains(expected), "{refused}");
    let elections = words(|cluster| {
        puppet(0).commits(1, 4, (0, 0), 0, 0);
        puppet(1).asks_for_vote(1, 0, 5);
        puppet(2).asks_for_vote(2, 1, 6);
        cluster.check_one_leader();
    });
    let expected = "server 0 was the last leader, of term 4; 2 elections since then, of servers 1, \
                    2, and none was won";
    assert!(elections.contains(expected), "{elections}");
}

fn facts(play: fn(&Cluster)) -> Vec<String> {
    let verdict = verdict(play).expect("nobody leads");
    verdict.facts.into_iter().map(|fact| fact.text).collect()
}

#[track_caller]
fn assert_told(facts: &[String], expected: &str) {
    assert!(facts.iter().any(|fact| fact.contains(expected)), "{expected}: {facts:#?}");
}

#[test]
fn what_a_majority_has_is_told_first() {
    let facts = facts(|cluster| {
        puppet(0).commits(1, 4, (0, 0), 2, 0);
        cluster.disconnect(2);
        cluster.check_one_leader();
    });
    let expected = "servers 0, 1 have entry 2 of term 4, a majority, but server 0, leader of term 4, \
                    says that 0 are committed";
    assert_eq!(facts[0], expected);
    // And what is known of several servers alike is said once.
    assert_told(&facts, "servers 0, 1 are connected, showed term 4");
}

#[test]
fn what_is_not_applied_is_told() {
    let facts = facts(|cluster| {
        puppet(0).commits(1, 4, (0, 0), 2, 0);
        puppet(0).commits(1, 4, (2, 4), 0, 2);
        cluster.check_one_leader();
    });
    assert_told(
        &facts,
        "server 1 was told in term 4 that entry 2 is committed and has accepted it",
    );
}

#[test]
fn why_votes_were_refused_is_told() {
    let facts = facts(|cluster| {
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        puppet(1).answers(6, false);
        puppet(2).asks_with_log(2, 1, 5, (1, 2));
        puppet(2).asks_with_log(2, 1, 6, (1, 2));
        cluster.check_one_leader();
    });
    assert_told(
        &facts,
        "server 1 refused its vote to server 2, whose log ends with entry 1 of term 2; its own log \
         has entry 3 of term 4 (2 times)",
    );
}

#[test]
fn what_waits_for_a_call_is_told() {
    let facts = facts(|cluster| {
        cluster.disconnect(1);
        puppet(0).leads(1, 4, (0, 0), &[]);
        // The network lets calls to nobody take up to 7 s.
        labrt::thread::spawn(|| (0..99).for_each(|_| puppet(0).leads(1, 4, (0, 0), &[])));
        for server in 0..3 {
            cluster.disconnect(server);
        }
        cluster.check_one_leader();
    });
    assert_told(&facts, "for the answer of server 1 to AppendEntries, and has sent nothing since");
}

#[test]
fn what_waits_in_a_server_that_does_not_answer_is_told() {
    let facts = facts(|cluster| {
        let puppet_1 = puppet(1);
        let _stalled = puppet_1.stalls();
        labrt::thread::spawn(|| puppet(0).asks_for_vote(0, 1, 4));
        labrt::thread::spawn(|| puppet(2).asks_for_vote(2, 1, 5));
        cluster.check_one_leader();
    });
    assert_told(&facts, "server 1 has had RequestVote of server ");
    assert_told(&facts, "of server 1 waits for a Mutex of ");
    assert_told(&facts, ", held by task `main` (taken at ");
}

#[test]
fn a_vote_that_is_refused_though_free_is_told_with_the_ends_of_both_logs() {
    let facts = facts(|cluster| {
        puppet(1).saves(5, None, vec![2, 2]);
        puppet(1).answers(5, false);
        puppet(2).asks_with_log(2, 1, 5, (1, 4));
        puppet(1).saves(6, None, vec![2, 5]);
        puppet(1).answers(6, false);
        puppet(2).asks_with_log(2, 1, 6, (1, 4));
        // A vote that was given to itself.
        puppet(1).saves(7, Some(1), vec![2, 5]);
        puppet(1).answers(7, false);
        puppet(2).asks_with_log(2, 1, 7, (9, 5));
        cluster.check_one_leader();
    });
    assert_told(
        &facts,
        "server 1 refused its vote to server 2, though free: that one's log ends with entry 1 of term \
         4; its own log ends with entry 2 of term 2",
    );
    assert_told(
        &facts,
        "whose log ends with entry 1 of term 4; its own log ends with entry 2 of term 5",
    );
    assert_told(&facts, "server 1 refused its vote to server 2: it had voted for another one");
}

#[test]
fn what_a_restarted_server_has_in_its_snapshot_it_has_applied() {
    let verdict = verdict_with_snapshots(|cluster| {
        for server in [1, 2] {
            puppet(0).commits(server, 4, (0, 0), 19, 0);
        }
        puppet(0).commits(1, 4, (19, 4), 0, 19);
        puppet(0).applies(19);
        let given = puppet(0).given(19);
        puppet(0).saves_behind((19, 4), 5, Vec::new(), &given);
        cluster.start_server(0);
        cluster.connect(0);
        for server in [0, 2] {
            puppet(1).commits(server, 5, (19, 4), 0, 19);
        }
        cluster.check_one_leader();
    });
    let verdict = verdict.expect("nobody leads");
    let told: Vec<&str> = verdict.facts.iter().map(|fact| fact.text.as_str()).collect();
    let of_others = "server 2 was told in term 5 that entry 19 is committed and has accepted it, but has \
                     applied only 0";
    assert!(told.contains(&of_others), "{told:#?}");
    assert!(!told.iter().any(|text| text.starts_with("server 0 was told")), "{told:#?}");
}

#[test]
fn where_entries_come_from_that_do_not_agree_is_told() {
    let facts = facts(|_| {
        puppet(0).commits(1, 4, (0, 0), 1, 0);
        puppet(0).commits(1, 4, (1, 4), 0, 1);
        puppet(1).applies(1);
        puppet(2).applies_another(1);
    });
    assert_told(&facts, "server 0 sent c1 as the entry of term 4 at index 1");
}

#[test]
fn a_command_that_was_applied_at_another_index_is_told_with_both() {
    let verdict = verdict(|cluster| {
        labrt::thread::spawn(|| {
            crate::puppet::pause();
            puppet(1).applies_another(1);
            puppet(1).applies_command(2, "4 1");
        });
        // The puppet says term 4 and index 1.
        cluster.one(Bytes::from_static(b"4 1"), 3, false);
    });
    let verdict = verdict.expect("it has not come to its index");
    assert_eq!(verdict.check, "agreement");
    let facts: Vec<&str> = verdict.facts.iter().map(|fact| fact.text.as_str()).collect();
    let expected = [
        "server 1 accepted it at index 1 in term 4",
        "server 1 applied the same command at index 2",
    ];
    assert_eq!(facts, expected);
    assert!(verdict.hint.is_some_and(|hint| hint.contains("`start` returned another index")));
}

/// Of each leader a log may hold an entry that the service does not see.
#[test]
fn an_entry_that_no_service_sees_is_not_missed() {
    let broken = verdict(|cluster| {
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        puppet(0).commits(1, 4, (3, 4), 0, 3);
        puppet(1).applies(2);
        thread::sleep(Duration::from_secs(2));
        cluster.check_one_leader();
    });
    let facts = broken.expect("nobody leads").facts;
    assert!(!facts.iter().any(|fact| fact.text.contains("has applied only")), "{facts:?}");
}

/// Nobody will hear that it is over.
#[test]
fn a_copy_that_was_open_when_its_server_crashed_is_over() {
    let broken = verdict(|cluster| {
        cluster.set_duplication(1.0);
        let follower = puppet(1);
        let stalled = follower.stalls();
        let call = thread::spawn(|| puppet(0).leads(1, 4, (0, 0), &[]));
        thread::sleep(Duration::from_secs(3));
        cluster.set_duplication(0.0);
        cluster.start_server(1);
        drop(stalled);
        cluster.connect(1);
        call.join().expect("it fails");
        thread::sleep(Duration::from_secs(20));
        cluster.check_one_leader();
    });
    let facts = broken.expect("nobody leads").facts;
    assert!(!facts.iter().any(|fact| fact.text.contains("has waited")), "{facts:?}");
}
