//! What followers answer.

use crate::puppet::{assert_broken, assert_fine, pause, puppet, verdict};

#[test]
fn what_a_follower_has_accepted_stays() {
    let check = "accepted entries stay";
    assert_fine(|_| {
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        puppet(1).answers(4, false);
        puppet(0).commits(1, 4, (9, 4), 0, 0);
        // In a later term it may have lost them.
        puppet(1).answers(5, false);
        puppet(0).commits(1, 4, (3, 4), 0, 0);
    });
    assert_broken(
        |_| {
            puppet(0).commits(1, 4, (0, 0), 3, 0);
            puppet(1).saves(4, None, Vec::new());
            puppet(1).answers(4, false);
            puppet(0).commits(1, 4, (2, 4), 2, 0);
        },
        check,
        &[1],
        &["server 1 accepted entries up to 3", "it refuses entries that follow entry 2"],
    );
}

#[test]
fn a_follower_may_refuse_what_it_has_gone_past() {
    assert_fine(|_| {
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        // It ends before what it has: some refuse that as old.
        puppet(1).answers(4, false);
        puppet(0).commits(1, 4, (1, 4), 1, 0);
        puppet(1).answers(4, true);
        puppet(0).commits(1, 4, (3, 4), 0, 0);
    });
    assert_fine(|_| {
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        // Perhaps it stands for election already, and sends the request's term back.
        puppet(1).answers(4, false);
        puppet(0).commits(1, 4, (3, 4), 1, 0);
        puppet(1).asks_with_log(1, 2, 5, (3, 4));
    });
}

#[test]
fn a_refusal_is_held_against_it_when_it_accepts_again() {
    assert_broken(
        |_| {
            puppet(0).commits(1, 4, (0, 0), 3, 0);
            puppet(1).answers(0, false);
            puppet(0).commits(1, 4, (3, 4), 1, 0);
            puppet(1).answers(0, true);
            puppet(0).commits(1, 4, (0, 0), 4, 0);
        },
        "accepted entries stay",
        &[1],
        &["server 1 accepted entries up to 3"],
    );
    let verdict = verdict(|cluster| {
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        cluster.start_server(1);
        cluster.connect(1);
        puppet(1).answers(0, false);
        puppet(0).commits(1, 4, (3, 4), 1, 0);
        puppet(1).answers(0, true);
        puppet(0).commits(1, 4, (0, 0), 4, 0);
    });
    let verdict = verdict.expect("a rule is broken");
    assert_eq!(verdict.details, ["server 1 was restarted in between"]);
    assert!(verdict.hint.is_some_and(|hint| hint.contains("forgot in the restart")));
}

#[test]
fn a_yes_says_that_the_entry_before_is_there() {
    let check = "accepted after a look";
    assert_fine(|_| {
        puppet(0).leads(1, 4, (0, 0), &[(3, "a"), (4, "b")]);
        puppet(0).leads(1, 4, (1, 3), &[]);
        // It has been sent to it, whether or not it said so.
        puppet(1).answers(0, false);
        puppet(2).leads(1, 5, (1, 3), &[(5, "x"), (5, "y")]);
        puppet(1).answers(0, true);
        puppet(2).leads(1, 5, (3, 5), &[]);
    });
    assert_broken(
        |_| puppet(0).leads(1, 4, (2, 3), &[]),
        check,
        &[0, 1],
        &["no entry 2 of term 3 was ever sent to it"],
    );
    assert_broken(
        |_| {
            puppet(0).leads(1, 4, (0, 0), &[(3, "a"), (4, "b")]);
            puppet(2).leads(1, 5, (2, 5), &[]);
        },
        check,
        &[1],
        &["server 1 accepted it from server 0: entry 2 of term 4", "yes to prevLogTerm 5"],
    );
    // Its own entries, too, from when it led.
    assert_broken(
        |_| {
            puppet(1).leads(2, 4, (0, 0), &[(4, "a"), (4, "b")]);
            puppet(0).leads(1, 5, (2, 5), &[]);
        },
        check,
        &[1],
        &["as leader of term 4, server 1 sent it: entry 2 of term 4"],
    );
}

/// Server 1 stands for term 4 with an empty log, and server 0 is elected.
fn two_candidates() {
    [1, 2].into_iter().for_each(|server| puppet(server).answers(0, false));
    puppet(1).asks_with_log(1, 2, 4, (0, 0));
    puppet(2).answers(0, true);
    puppet(0).asks_with_log(0, 2, 4, (0, 0));
}

#[test]
fn a_candidate_follows_the_leader_of_its_term() {
    assert_broken(
        |_| {
            two_candidates();
            puppet(0).leads(1, 4, (0, 0), &[(4, "a")]);
            pause();
            puppet(1).asks_with_log(1, 2, 5, (0, 0));
        },
        "a candidate follows",
        &[0, 1],
        &["its log is empty", "server 1 refuses"],
    );
    // Its log ends where the leader's does.
    assert_broken(
        |_| {
            puppet(2).leads(1, 3, (0, 0), &[(3, "a")]);
            [1, 2].into_iter().for_each(|server| puppet(server).answers(0, false));
            puppet(1).asks_with_log(1, 2, 4, (1, 3));
            puppet(2).answers(0, true);
            puppet(0).asks_with_log(0, 2, 4, (1, 3));
            puppet(0).leads(1, 4, (1, 3), &[]);
            pause();
            puppet(1).asks_with_log(1, 2, 5, (1, 3));
        },
        "a candidate follows",
        &[0, 1],
        &["its log ends with entry 1 of term 3"],
    );
}

#[test]
fn a_candidate_may_refuse_what_does_not_fit_and_who_is_late() {
    // Nothing is known of its log behind its end.
    assert_fine(|_| {
        two_candidates();
        puppet(0).leads(1, 4, (3, 3), &[(4, "a")]);
        pause();
        puppet(1).asks_with_log(1, 2, 5, (0, 0));
    });
    // It has begun the next election, and sends the request's term back.
    assert_fine(|_| {
        two_candidates();
        puppet(0).leads(1, 4, (0, 0), &[(4, "a")]);
        puppet(1).asks_with_log(1, 2, 5, (0, 0));
    });
    // It was in a later term, and stands for the one after that.
    assert_fine(|_| {
        two_candidates();
        puppet(0).leads(1, 4, (0, 0), &[(4, "a")]);
        pause();
        puppet(1).asks_with_log(1, 2, 6, (0, 0));
    });
    // It has said so.
    assert_fine(|_| {
        two_candidates();
        puppet(1).answers(5, false);
        puppet(0).leads(1, 4, (0, 0), &[(4, "a")]);
        pause();
        puppet(1).asks_with_log(1, 2, 6, (0, 0));
    });
}
