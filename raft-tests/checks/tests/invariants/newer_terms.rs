//! Who has heard of a newer term goes on in its own for a moment at most.

use std::time::Duration;

use labrt::thread;
use raft_tests::Cluster;

use crate::puppet::{assert_broken, assert_fine, pause, puppet, verdict, verdict_of};

const CHECK: &str = "a newer term is taken over";

fn after(millis: u64) {
    thread::sleep(Duration::from_millis(millis));
}

/// Server 0 leads term 4, and a reply of server 1 shows it term 6.
fn hears_of_term_6() {
    after(3_000);
    puppet(1).answers(6, false);
    puppet(0).leads(1, 4, (0, 0), &[]);
}

/// Server 0 sends one more request of term 4.
fn goes_on() {
    puppet(0).leads(2, 4, (0, 0), &[]);
}

/// As that, by a task of its own, for a call that may take long.
fn goes_on_aside() {
    thread::spawn(goes_on);
    pause();
}

#[test]
fn who_has_heard_of_a_newer_term_may_go_on_for_a_second() {
    fn goes_on_after(millis: u64) -> impl FnOnce(&Cluster) {
        move |_| {
            hears_of_term_6();
            after(millis);
            goes_on();
        }
    }
    assert_fine(goes_on_after(999));
    let facts = ["a reply of server 1 showed term 6", "still sends requests of term 4"];
    assert_broken(goes_on_after(1_000), CHECK, &[0], &facts);
}

#[test]
fn it_counts_from_when_the_newest_term_was_shown_first() {
    fn then_shown(by: usize, term: u64) -> impl FnOnce(&Cluster) {
        move |_| {
            hears_of_term_6();
            after(900);
            puppet(by).answers(term, false);
            puppet(0).leads(by, 4, (0, 0), &[]);
            after(100);
            goes_on();
        }
    }
    // The same term once more, or one that is older.
    for (by, term) in [(1, 6), (2, 5)] {
        assert_broken(then_shown(by, term), CHECK, &[0], &["a reply of server 1 showed term 6"]);
    }
    assert_broken(
        |cluster| {
            then_shown(2, 7)(cluster);
            after(900);
            goes_on();
        },
        CHECK,
        &[0],
        &["a reply of server 2 showed term 7"],
    );
}

#[test]
fn what_waits_behind_an_open_call_to_the_same_server_may_still_leave() {
    assert_fine(|_| {
        let puppet_2 = puppet(2);
        let stalled = puppet_2.stalls();
        after(1);
        goes_on_aside();
        hears_of_term_6();
        after(2_000);
        goes_on_aside();
        drop(stalled);
    });
    // It must have been open for a while,
    let young = verdict(|_| {
        hears_of_term_6();
        after(600);
        let puppet_2 = puppet(2);
        let _stalled = puppet_2.stalls();
        goes_on_aside();
        after(400);
        goes_on_aside();
    });
    assert_eq!(young.expect("a rule is broken").check, CHECK);
    // and an open call to another server holds nothing up.
    let other = verdict_of(5, |_| {
        let puppet_3 = puppet(3);
        let _stalled = puppet_3.stalls();
        thread::spawn(|| puppet(0).leads(3, 4, (0, 0), &[]));
        hears_of_term_6();
        after(2_000);
        goes_on();
    });
    let other = other.expect("a rule is broken");
    assert_eq!(other.check, CHECK);
    // But it may be why: then it is told.
    let text = "it called server 3, and that call was open for 5.0 s";
    assert!(other.facts.iter().any(|fact| fact.text == text), "{other:?}");
    assert!(other.hint.is_some_and(|hint| hint.starts_with("one thread calls the followers")));
}

#[test]
fn what_waited_behind_a_slow_call_may_still_leave() {
    fn behind_a_call_of(millis: u64) -> impl FnOnce(&Cluster) {
        move |_| {
            hears_of_term_6();
            let puppet_2 = puppet(2);
            let stalled = puppet_2.stalls();
            thread::spawn(goes_on);
            after(millis);
            drop(stalled);
            after(1_000);
            goes_on();
        }
    }
    assert_fine(behind_a_call_of(501));
    let in_time = verdict(behind_a_call_of(500));
    assert_eq!(in_time.expect("a rule is broken").check, CHECK);
    // The slow call must have ended after the newer term was shown.
    let before = verdict(|_| {
        let puppet_2 = puppet(2);
        let stalled = puppet_2.stalls();
        thread::spawn(goes_on);
        after(600);
        drop(stalled);
        hears_of_term_6();
        after(1_000);
        goes_on();
    });
    assert_eq!(before.expect("a rule is broken").check, CHECK);
}

/// Who gives a call up after a while hears nothing of its reply.
#[test]
fn a_reply_that_took_more_than_a_tenth_of_a_second_may_not_have_been_heard() {
    fn shown_after(millis: u64) -> impl FnOnce(&Cluster) {
        move |_| {
            after(3_000);
            puppet(1).answers(6, false);
            let puppet_1 = puppet(1);
            let stalled = puppet_1.stalls();
            thread::spawn(|| puppet(0).leads(1, 4, (0, 0), &[]));
            after(millis);
            drop(stalled);
            after(1_000);
            goes_on();
        }
    }
    assert_fine(shown_after(101));
    let in_time = verdict(shown_after(100));
    assert_eq!(in_time.expect("a rule is broken").check, CHECK);
}

#[test]
fn a_candidate_takes_it_over_too() {
    assert_broken(
        |_| {
            puppet(0).answers(9, false);
            for term in [4, 5] {
                puppet(1).asks_with_log(1, 0, term, (0, 0));
                thread::sleep(Duration::from_millis(1500));
            }
        },
        "a newer term is taken over",
        &[1],
        &["a reply of server 0 showed term 9"],
    );
}
