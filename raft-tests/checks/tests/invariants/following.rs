//! What followers answer.

use std::time::Duration;

use labrt::thread;

use raft_tests::Cluster;

use crate::puppet::{assert_broken, assert_fine, is_not_answered, pause, puppet, verdict};

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

/// Server 0 sends server 1 two requests, one after the other.
fn leads_twice(term: u64, prev: (u64, u64), entries: &[(u64, &str)]) {
    for _ in 0..2 {
        puppet(0).leads(1, term, prev, entries);
        pause();
    }
}

#[test]
fn a_candidate_follows_the_leader_of_its_term() {
    assert_broken(
        |_| {
            two_candidates();
            leads_twice(4, (0, 0), &[(4, "a")]);
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
            leads_twice(4, (1, 3), &[]);
            puppet(1).asks_with_log(1, 2, 5, (1, 3));
        },
        "a candidate follows",
        &[0, 1],
        &["its log ends with entry 1 of term 3"],
    );
}

#[test]
fn a_candidate_may_refuse_what_does_not_fit_and_who_is_late() {
    // It was busy once, and heard no more of its leader.
    assert_fine(|_| {
        two_candidates();
        puppet(0).leads(1, 4, (0, 0), &[(4, "a")]);
        pause();
        pause();
        puppet(1).asks_with_log(1, 2, 5, (0, 0));
    });
    // Nothing is known of its log behind its end.
    assert_fine(|_| {
        two_candidates();
        leads_twice(4, (3, 3), &[(4, "a")]);
        puppet(1).asks_with_log(1, 2, 5, (0, 0));
    });
    // It has begun the next election, and sends the request's term back.
    assert_fine(|_| {
        two_candidates();
        puppet(0).leads(1, 4, (0, 0), &[(4, "a")]);
        pause();
        puppet(0).leads(1, 4, (0, 0), &[(4, "a")]);
        puppet(1).asks_with_log(1, 2, 5, (0, 0));
    });
    // It follows after all: what it refused had been overtaken by a later request.
    assert_fine(|_| {
        two_candidates();
        puppet(0).leads(1, 4, (0, 0), &[(4, "a")]);
        puppet(1).answers(4, true);
        puppet(0).leads(1, 4, (0, 0), &[(4, "a"), (4, "b")]);
        pause();
        puppet(1).asks_with_log(1, 2, 5, (2, 4));
    });
    // It was in a later term, and stands for the one after that.
    assert_fine(|_| {
        two_candidates();
        leads_twice(4, (0, 0), &[(4, "a")]);
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

/// A candidate's refusal may show its term, and what it refuses is told.
#[test]
fn a_candidate_that_shows_its_term_with_its_refusal_is_in_that_term() {
    assert_broken(
        |_| {
            two_candidates();
            puppet(1).answers(4, false);
            leads_twice(4, (0, 0), &[(4, "a")]);
            puppet(1).asks_with_log(1, 2, 5, (0, 0));
        },
        "a candidate follows",
        &[0, 1],
        &["server 0 sent AppendEntries of term 4 with prevLogIndex 0 and prevLogTerm 0"],
    );
}

#[test]
fn who_stood_in_an_earlier_term_is_no_candidate() {
    assert_fine(|_| {
        [1, 2].into_iter().for_each(|server| puppet(server).answers(0, false));
        puppet(1).asks_with_log(1, 2, 3, (0, 0));
        [1, 2].into_iter().for_each(|server| puppet(server).answers(0, true));
        puppet(0).asks_with_log(0, 1, 4, (0, 0));
        puppet(1).answers(0, false);
        leads_twice(4, (0, 0), &[(4, "a")]);
        puppet(1).asks_with_log(1, 2, 5, (0, 0));
    });
}

#[test]
fn a_yes_says_nothing_of_what_is_before_the_first_entry_or_has_no_term() {
    assert_fine(|_| puppet(0).leads(1, 4, (0, 3), &[(4, "a")]));
    assert_fine(|_| puppet(0).leads(1, 4, (2, 0), &[(4, "a")]));
}

#[test]
fn what_was_sent_in_two_parts_is_all_there() {
    assert_fine(|_| {
        puppet(1).answers(0, false);
        puppet(0).commits(1, 4, (2, 4), 1, 0);
        puppet(1).answers(0, true);
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        for last in 1..=3 {
            puppet(0).commits(1, 4, (last, 4), 0, 0);
        }
    });
}

/// Server 1 has accepted three entries, and saved them.
fn has_three() {
    puppet(1).saves(4, None, vec![4; 3]);
    puppet(0).commits(1, 4, (0, 0), 3, 0);
}

#[test]
fn a_request_that_a_later_one_has_overtaken_may_be_refused() {
    assert_fine(|cluster| {
        has_three();
        puppet(1).answers(4, false);
        cluster.group().slow_down(0, 1, Duration::from_secs(2));
        let late = thread::spawn(|| puppet(0).commits(1, 4, (3, 4), 1, 0));
        thread::sleep(Duration::from_millis(1));
        cluster.group().slow_down(0, 1, Duration::ZERO);
        puppet(0).commits(1, 4, (9, 4), 0, 0);
        late.join().expect("it is answered");
    });
}

#[test]
fn who_has_gone_on_to_a_later_term_may_refuse_without_a_word() {
    assert_fine(|_| {
        has_three();
        puppet(1).saves(5, None, vec![4; 3]);
        puppet(1).answers(0, false);
        puppet(0).commits(1, 4, (3, 4), 1, 0);
    });
    // With a word that is not saved it has broken another rule.
    assert_broken(
        |_| {
            has_three();
            puppet(1).answers(5, false);
            puppet(0).commits(1, 4, (3, 4), 1, 0);
        },
        "saved before answered",
        &[1],
        &["server 1 answered with term 5", "its persister holds term 4"],
    );
}

/// Server 1 has accepted nine entries, was told that they are committed, refuses one request with entries
/// behind a place, and accepts the next one, which brings what is behind another place.
fn refuses_once(prev: u64, again: u64, snapshots: bool) {
    let prev_term = |index| if index > 0 { 4 } else { 0 };
    puppet(0).commits(1, 4, (0, 0), 9, 0);
    puppet(0).commits(1, 4, (9, 4), 0, 9);
    if snapshots {
        puppet(0).installs(2, 4, (9, 4));
    }
    puppet(1).answers(0, false);
    puppet(0).commits(1, 4, (prev, 4), 10 - prev, 9);
    puppet(1).answers(0, true);
    puppet(0).commits(1, 4, (again, prev_term(again)), 10 - again, 9);
}

#[test]
fn what_may_be_in_a_snapshot_may_be_refused() {
    let check = "accepted entries stay";
    let fact = &["server 1 accepted entries up to 9"];
    assert_fine(|_| refuses_once(8, 0, true));
    // The last entry of a snapshot is still known; and without snapshots all are.
    assert_broken(|_| refuses_once(9, 0, true), check, &[1], fact);
    assert_broken(|_| refuses_once(8, 0, false), check, &[1], fact);
}

/// It was busy, or applied a snapshot just then.
#[test]
fn who_accepts_what_follows_its_entries_without_getting_them_again_has_them() {
    assert_fine(|_| refuses_once(9, 9, true));
    assert_fine(|_| refuses_once(9, 9, false));
    assert_fine(|_| refuses_once(8, 9, false));
}

#[test]
fn what_is_saved_tells_what_is_in_a_snapshot_and_what_is_not_lost() {
    fn refuses(prev: u64, saved: Vec<u64>) {
        puppet(0).commits(1, 4, (0, 0), 12, 0);
        puppet(0).commits(1, 4, (12, 4), 0, 9);
        puppet(1).saves_behind((9, 4), 4, saved, b"s");
        puppet(1).answers(0, false);
        puppet(0).commits(1, 4, (prev, 4), 13 - prev, 9);
    }
    assert_fine(|_| refuses(8, vec![4; 3]));
    // All twelve are there.
    assert_fine(|_| refuses(9, vec![4; 3]));
    for saved in [vec![4; 2], vec![4, 4, 3]] {
        assert_broken(
            move |_| refuses(9, saved),
            "accepted entries stay",
            &[1],
            &["server 1 accepted entries up to 12"],
        );
    }
}

#[test]
fn a_candidate_that_was_paused_may_have_been_about_to_say_more() {
    assert_fine(|cluster| {
        two_candidates();
        leads_twice(4, (0, 0), &[(4, "a")]);
        cluster.group().pause(1);
        pause();
        cluster.group().resume(1);
        puppet(1).asks_with_log(1, 2, 5, (0, 0));
    });
}

/// A follower may refuse what ends before what it has handled in this term, though nobody has heard so.
#[test]
fn what_a_follower_may_have_taken_unheard_makes_older_requests_old() {
    fn follows(cluster: &Cluster, count: u64) {
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        puppet(1).saves(4, None, vec![4; 2]);
        // Entries behind the third, and the answer is never given.
        is_not_answered(cluster, move || puppet(0).commits(1, 4, (3, 4), count, 0));
        puppet(1).answers(4, false);
        puppet(0).commits(1, 4, (3, 4), 1, 0);
    }
    // Two: the one that comes now ends before the last of them.
    assert_fine(|cluster| follows(cluster, 2));
    let broken = verdict(|cluster| follows(cluster, 1)).expect("this one does not");
    assert_eq!(broken.check, "accepted entries stay");
}

/// That it asks once more in its term does not say that it was in a later one.
#[test]
fn a_deaf_candidate_may_ask_again() {
    for again in [false, true] {
        assert_broken(
            move |_| {
                puppet(2).answers(0, false);
                puppet(1).asks_with_log(1, 2, 4, (0, 0));
                puppet(2).answers(0, true);
                puppet(0).asks_with_log(0, 2, 4, (0, 0));
                puppet(1).answers(4, false);
                leads_twice(4, (0, 0), &[]);
                puppet(2).answers(0, false);
                if again {
                    puppet(1).asks_with_log(1, 2, 4, (0, 0));
                }
                pause();
                puppet(1).asks_with_log(1, 2, 5, (0, 0));
            },
            "a candidate follows",
            &[0, 1],
            &["server 1 refuses"],
        );
    }
}
