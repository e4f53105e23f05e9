//! Why nobody is elected: what is told of refused votes, and of elections that need not have been.

use std::time::Duration;

use labrt::thread;
use raft_tests::Cluster;

use crate::puppet::{failure_on_the_real_clock, puppet, verdict};

/// What is told if nobody leads at the end.
fn told(play: fn(&Cluster)) -> Vec<String> {
    let verdict = verdict(play).expect("nobody leads");
    assert_eq!(verdict.words, "expected one leader, got none");
    verdict.facts.into_iter().map(|fact| fact.text).collect()
}

#[track_caller]
fn assert_told(facts: &[String], expected: &str) {
    assert!(facts.iter().any(|fact| fact == expected), "{expected}: {facts:#?}");
}

#[track_caller]
fn assert_not_told(facts: &[String], part: &str) {
    assert!(!facts.iter().any(|fact| fact.contains(part)), "{part}: {facts:#?}");
}

/// So often a leader is heard by server 1, which stands for the next term so much later, and asks both others,
/// one of them twice.
fn stands_after(millis: u64, often: u64) {
    for election in 0..often {
        let term = 4 + 2 * election;
        puppet(0).asks_for_vote(0, 2, term);
        puppet(0).leads(1, term, (0, 0), &[]);
        thread::sleep(Duration::from_millis(millis));
        [0, 2, 2].into_iter().for_each(|to| puppet(1).asks_for_vote(1, to, term + 1));
    }
}

#[test]
fn elections_shortly_after_the_leader_was_heard_are_told() {
    let facts = told(|cluster| {
        // What it refuses it need not heed; that is no more than told.
        puppet(1).answers(0, false);
        stands_after(99, 3);
        cluster.check_one_leader();
    });
    assert_told(
        &facts,
        "server 1 stood for election 3 times within 100 ms after a message of a leader had reached it: \
         its timer is not restarted by each of them",
    );
    // Two of them may be chance; and at 100 ms a timer may have elapsed.
    let twice = told(|cluster| {
        stands_after(99, 2);
        cluster.check_one_leader();
    });
    assert_not_told(&twice, "within 100 ms");
    let later = told(|cluster| {
        stands_after(100, 5);
        cluster.check_one_leader();
    });
    assert_not_told(&later, "within 100 ms");
}

#[test]
fn what_was_refused_before_the_last_leader_was_elected_is_not_told() {
    let facts = told(|cluster| {
        puppet(1).answers(0, false);
        puppet(2).asks_with_log(2, 1, 4, (1, 1));
        puppet(2).asks_with_log(2, 1, 5, (2, 2));
        puppet(1).answers(0, true);
        puppet(0).asks_for_vote(0, 1, 5);
        puppet(0).leads(1, 5, (0, 0), &[]);
        puppet(1).answers(0, false);
        puppet(2).asks_with_log(2, 1, 6, (3, 3));
        cluster.check_one_leader();
    });
    assert_told(
        &facts,
        "server 1 refused its vote to server 2, whose log ends with entry 3 of term 3; its own log has \
         entry 0 of term 0 at least",
    );
    assert_not_told(&facts, "entry 1 of term 1");
    assert_not_told(&facts, "entry 2 of term 2");
}

#[test]
fn how_a_log_ends_is_known_from_when_its_server_stood_for_election() {
    let facts = told(|cluster| {
        puppet(0).answers(0, false);
        puppet(1).asks_with_log(1, 0, 5, (2, 2));
        puppet(1).answers(0, false);
        puppet(2).asks_with_log(2, 1, 6, (1, 4));
        cluster.check_one_leader();
    });
    assert_told(
        &facts,
        "server 1 refused its vote to server 2, though free: that one's log ends with entry 1 of term 4; \
         its own log ends with entry 2 of term 2",
    );
    // Until a leader has called it: what became of its log then, nobody knows.
    let facts = told(|cluster| {
        puppet(0).answers(0, false);
        puppet(1).asks_with_log(1, 0, 5, (2, 2));
        puppet(1).answers(0, false);
        puppet(0).asks_for_vote(0, 2, 6);
        puppet(0).leads(1, 6, (2, 2), &[(6, "x")]);
        puppet(2).asks_with_log(2, 1, 7, (1, 4));
        cluster.check_one_leader();
    });
    assert_told(
        &facts,
        "server 1 refused its vote to server 2, whose log ends with entry 1 of term 4",
    );
}

#[test]
fn who_had_voted_for_another_one_or_was_in_a_later_term_was_not_free() {
    let facts = told(|cluster| {
        puppet(2).asks_with_log(2, 1, 5, (1, 4));
        puppet(1).answers(0, false);
        // The same one again is not another one.
        puppet(2).asks_with_log(2, 1, 5, (1, 4));
        puppet(0).asks_for_vote(0, 1, 5);
        cluster.check_one_leader();
    });
    let bound = |candidate: usize| {
        format!(
            "server 1 refused its vote to server {candidate}: it had voted for another one, or was in a \
             later term"
        )
    };
    assert_told(&facts, &bound(0));
    assert_told(
        &facts,
        "server 1 refused its vote to server 2, whose log ends with entry 1 of term 4",
    );
    // It has said so.
    let facts = told(|cluster| {
        puppet(1).answers(7, false);
        puppet(2).asks_with_log(2, 1, 6, (1, 4));
        puppet(1).answers(0, false);
        puppet(0).asks_for_vote(0, 1, 6);
        cluster.check_one_leader();
    });
    assert_told(&facts, &bound(0));
    // It has saved so.
    let facts = told(|cluster| {
        puppet(1).saves(8, None, vec![2]);
        puppet(1).answers(0, false);
        puppet(0).asks_with_log(0, 1, 7, (9, 9));
        puppet(1).saves(8, None, vec![2, 2]);
        puppet(2).asks_with_log(2, 1, 9, (9, 9));
        cluster.check_one_leader();
    });
    assert_told(&facts, &bound(0));
    assert_told(
        &facts,
        "server 1 refused its vote to server 2, though free: that one's log ends with entry 9 of term 9; \
         its own log ends with entry 2 of term 2",
    );
}

/// What is long is read at once for nothing once, and from the fourth refusal on.
#[test]
fn why_a_vote_is_refused_again_and_again_is_looked_for_however_long_the_log_is() {
    let facts = told(|cluster| {
        puppet(1).answers(0, false);
        for term in 5..9 {
            puppet(1).saves(term, None, vec![2; 40_000]);
            puppet(2).asks_with_log(2, 1, term, (1, 1));
        }
        cluster.check_one_leader();
    });
    let refused = "server 1 refused its vote to server 2, whose log ends with entry 1 of term 1";
    assert_told(&facts, &format!("{refused} (2 times)"));
    assert_told(
        &facts,
        &format!("{refused}; its own log ends with entry 40000 of term 2 (2 times)"),
    );
}

#[test]
fn what_was_accepted_in_between_and_what_was_said_stands_in_nobodys_way() {
    let facts = told(|cluster| {
        for answer in [false, false, true, false, false] {
            puppet(1).answers(0, answer);
            puppet(0).commits(1, 4, if answer { (0, 0) } else { (7, 4) }, 2, 0);
        }
        puppet(1).answers(0, true);
        puppet(0).commits(1, 4, (2, 4), 0, 2);
        cluster.check_one_leader();
    });
    assert_not_told(&facts, "refused the last");
    assert_not_told(&facts, "a majority, but server 0");
    let facts = told(|cluster| {
        for answer in [false, false, true, false, false, false] {
            puppet(1).answers(0, answer);
            puppet(0).commits(1, 4, if answer { (0, 0) } else { (7, 4) }, 2, 0);
        }
        cluster.check_one_leader();
    });
    assert_told(
        &facts,
        "server 1 refused the last 3 AppendEntries of server 0 in term 4, all with prevLogIndex 7",
    );
}

/// On the real clock what is seen first may be told last.
#[test]
fn many_refusals_at_once_are_in_some_order() {
    let failure = failure_on_the_real_clock(|_| {
        puppet(1).answers(0, false);
        puppet(0).asks_with_log(0, 2, 4, (0, 0));
        let ask = || (0..500).for_each(|_| puppet(2).asks_with_log(2, 1, 5, (0, 0)));
        let tasks: Vec<_> = (0..8).map(|_| thread::spawn(ask)).collect();
        // With each of these the refusals are counted anew.
        for prev in 0..1000 {
            puppet(0).leads(1, 4, (prev, if prev == 0 { 0 } else { 4 }), &[(4, "x")]);
        }
        tasks.into_iter().for_each(|task| task.join().expect("it ends"));
    });
    assert_eq!(failure, None);
}
