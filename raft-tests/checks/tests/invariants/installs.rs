//! What leaders say of the snapshots that they send, how often they send them, and what followers answer.

use std::time::Duration;

use labrt::thread;
use labtrace::Verdict;
use raft_tests::Cluster;

use crate::puppet::{assert_broken, assert_fine, pause, puppet, verdict, verdict_with_snapshots};

/// Server 0 leads term 4; a majority has nine entries, and it has told so.
fn nine_are_committed() {
    thread::sleep(Duration::from_secs(10));
    puppet(0).commits(1, 4, (0, 0), 9, 0);
    puppet(0).commits(1, 4, (9, 4), 0, 9);
}

/// Server 0 sends its snapshot to server 2 so often, each time that long after the last.
fn sends(millis: u64, count: u64) {
    for _ in 0..count {
        puppet(0).installs(2, 4, (9, 4));
        thread::sleep(Duration::from_millis(millis));
    }
}

/// The words of the verdict on a snapshot that is sent too often, and the bytes that they tell of.
fn sent_too_often(play: impl FnOnce(&Cluster) + Send + 'static) -> (String, u64) {
    let Verdict { check, words, .. } = verdict(play).expect("a rule is broken");
    assert_eq!(check, "snapshots sent again");
    let bytes = words.split(": ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    (words, bytes.expect("it is told how many bytes"))
}

#[test]
fn the_last_entry_of_a_snapshot_has_a_term_that_its_leader_can_know() {
    for of in [0, 5] {
        assert_broken(
            move |_| puppet(0).installs(2, 4, (1, of)),
            "a snapshot's last entry",
            &[0],
            &[&format!("lastIncludedTerm {of}"), "the leader's term is 4"],
        );
    }
    // Its own term is possible: here something else is wrong.
    assert_broken(
        |_| puppet(0).installs(2, 4, (1, 4)),
        "snapshots of what is committed",
        &[0],
        &["server 0 sends a snapshot of 1 to 1"],
    );
    assert_broken(
        |_| {
            puppet(0).leads(1, 4, (0, 0), &[(3, "a"), (4, "b"), (4, "c")]);
            puppet(0).installs(2, 4, (2, 3));
        },
        "a snapshot's last entry",
        &[0],
        &["lastIncludedIndex is 2, lastIncludedTerm 3", "its entry 2 is of term 4"],
    );
}

#[test]
fn a_snapshot_may_be_sent_twenty_two_times_in_two_seconds() {
    fn without_an_answer(play: fn()) -> impl FnOnce(&Cluster) {
        move |_| {
            nine_are_committed();
            puppet(2).answers(0, false);
            play();
        }
    }
    assert_fine(without_an_answer(|| sends(0, 22)));
    let (words, bytes) = sent_too_often(without_an_answer(|| sends(0, 23)));
    let told =
        format!("server 0 sent server 2 its snapshot of 1 to 9 23 times within 2 s: {bytes} bytes");
    assert_eq!(words, told);
    // There are a hundred in it.
    assert!(bytes % 23 == 0 && (100..200).contains(&(bytes / 23)), "{bytes}");
    // What was sent two seconds before does not count any more.
    assert_fine(without_an_answer(|| {
        sends(0, 22);
        thread::sleep(Duration::from_secs(2));
        sends(0, 22);
    }));
}

#[test]
fn a_snapshot_that_is_there_may_be_sent_twenty_two_times_more() {
    assert_fine(|_| {
        nine_are_committed();
        sends(150, 23);
    });
    let (words, bytes) = sent_too_often(|_| {
        nine_are_committed();
        sends(150, 24);
    });
    let told = format!(
        "server 0 sent server 2 its snapshot of 1 to 9 23 times more after that one had answered: {bytes} \
         bytes in all"
    );
    assert_eq!(words, told);
    assert!(bytes % 24 == 0 && (100..200).contains(&(bytes / 24)), "{bytes}");
}

#[test]
fn a_snapshot_that_is_not_there_may_be_sent_for_ever() {
    // Only a part of it was answered.
    assert_fine(|_| {
        nine_are_committed();
        for _ in 0..40 {
            puppet(0).installs_part(2, 4, (9, 4), 0, false);
            thread::sleep(Duration::from_millis(150));
        }
    });
    // Who has answered has come back since, perhaps without it.
    assert_fine(|cluster| {
        nine_are_committed();
        sends(150, 10);
        cluster.start_server(2);
        cluster.connect(2);
        puppet(2).answers(0, false);
        sends(150, 40);
    });
}

#[test]
fn who_is_in_a_later_term_may_answer_to_a_snapshot_with_that_term() {
    assert_fine(|_| {
        nine_are_committed();
        puppet(2).answers(5, false);
        puppet(0).leads(2, 4, (0, 0), &[]);
        puppet(0).installs(2, 4, (9, 4));
    });
}

/// "Until it comes or the call fails": here it fails, each time.
#[test]
fn a_snapshot_whose_call_has_failed_is_sent_once_more() {
    fn sends(cut: fn(&Cluster)) -> impl FnOnce(&Cluster) {
        move |cluster| {
            cluster.network().set_long_delays(false);
            puppet(0).commits(1, 4, (0, 0), 9, 0);
            puppet(0).commits(1, 4, (9, 4), 0, 9);
            puppet(2).answers(4, false);
            cut(cluster);
            for _ in 0..60 {
                puppet(0).installs(2, 4, (9, 4));
            }
        }
    }
    assert_fine(sends(|cluster| cluster.disconnect(2)));
    assert_fine(sends(|cluster| cluster.group().cut_one_way(2, 0)));
    let broken = verdict(sends(|_| {})).expect("it is answered");
    assert_eq!(broken.check, "snapshots sent again");
}

#[test]
fn a_snapshot_of_nothing_is_no_snapshot() {
    assert_fine(|_| {
        puppet(2).answers(4, false);
        puppet(0).installs(2, 4, (0, 0));
    });
}

/// It has taken the snapshot, and has voted in a later term before it answered.
#[test]
fn what_was_taken_before_a_later_term_is_applied() {
    for term in [0, 5] {
        let broken = verdict_with_snapshots(move |_| {
            let commands = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
            for (prev, command) in (0..).zip(commands) {
                puppet(0).leads(1, 4, (prev, if prev == 0 { 0 } else { 4 }), &[(4, command)]);
            }
            puppet(0).commits(1, 4, (9, 4), 0, 9);
            puppet(0).applies(9);
            pause();
            puppet(2).answers(term, true);
            puppet(0).installs(2, 4, (9, 4));
            puppet(2).hands_over(&puppet(0), 9, 4);
        });
        assert_eq!(broken, None, "{term}");
    }
}
