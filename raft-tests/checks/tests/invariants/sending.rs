//! How leaders send.

use std::time::Duration;

use bytes::Bytes;
use labrt::thread;

use raft_tests::Cluster;

use crate::puppet::{assert_broken, assert_fine, puppet, verdict};

#[test]
fn ten_heartbeats_a_second() {
    fn beat(millis: u64, count: u64, to: usize) {
        for _ in 0..count {
            puppet(0).leads(to, 4, (0, 0), &[]);
            thread::sleep(Duration::from_millis(millis));
        }
    }
    assert_fine(|_| beat(100, 100, 1));
    // Entries and news are no heartbeats.
    assert_fine(|_| {
        for n in 0..100 {
            puppet(0).leads(1, 4, (n, if n == 0 { 0 } else { 4 }), &[(4, "x")]);
            puppet(0).leads(1, 4, (n + 1, 4), &[]);
        }
    });
    // Nor is what is sent again because it was lost.
    assert_fine(|cluster| {
        cluster.network().set_long_delays(false);
        cluster.disconnect(1);
        beat(0, 100, 1);
    });
    assert_broken(
        |_| beat(80, 100, 1),
        "heartbeats",
        &[0],
        &["heartbeats to server 1", "the last of them"],
    );
}

#[test]
fn twenty_two_repetitions_in_two_seconds_are_let_pass_and_no_more() {
    fn late_in_a_run(millis: u64, count: u64) -> impl FnOnce(&Cluster) {
        move |_| {
            thread::sleep(Duration::from_secs(10));
            beats(millis, count);
        }
    }
    assert_fine(late_in_a_run(0, 23));
    let broken = verdict(late_in_a_run(80, 24)).expect("a rule is broken");
    let words =
        "server 0 sent 23 heartbeats to server 1 within 1.76 s; at most ten a second are allowed";
    assert_eq!((broken.check.as_str(), broken.words.as_str()), ("heartbeats", words));
    // What was sent two seconds before does not count any more.
    assert_fine(|_| {
        beats(0, 23);
        thread::sleep(Duration::from_secs(2));
        beats(0, 22);
    });
}

/// Who is answered late and sends at once what it has to send, on a slow link, sends the same twice as often.
#[test]
fn what_a_late_answer_leads_to_is_no_heartbeat() {
    fn slow_beats(millis: u64, and_again: bool) -> impl FnOnce(&Cluster) {
        move |cluster| {
            cluster.group().slow_down(0, 1, Duration::from_millis(240));
            for _ in 0..60 {
                thread::spawn(move || {
                    puppet(0).leads(1, 4, (0, 0), &[]);
                    if and_again {
                        puppet(0).leads(1, 4, (0, 0), &[]);
                    }
                });
                thread::sleep(Duration::from_millis(millis));
            }
        }
    }
    assert_fine(slow_beats(110, true));
    // Once for each answer, and no more.
    assert_broken(
        slow_beats(40, false),
        "heartbeats",
        &[0],
        &["heartbeats to server 1", "the last of them"],
    );
}

#[test]
fn no_call_with_a_lock_held() {
    assert_broken(
        |cluster| {
            cluster.start(0, Bytes::from_static(b"call"));
        },
        "RPC while holding a lock",
        &[0],
        &["the lock was taken at", "puppet.rs:"],
    );
}

/// One that only the senders take, such as one for each peer, holds up nobody else.
#[test]
fn a_call_with_a_lock_held_that_no_handler_wants() {
    fn send(cluster: &Cluster, command: &'static str) {
        cluster.start(0, Bytes::from_static(command.as_bytes()));
    }
    // Of tasks that are all alike; or of others too, but in calls to one server only.
    for commands in [["send 1", "send 2"], ["send 1", "repeat 1"]] {
        assert_fine(move |cluster| {
            for command in commands.repeat(2) {
                send(cluster, command);
            }
        });
    }
    assert_broken(
        |cluster| {
            for command in ["send 1", "repeat 1", "repeat 2"] {
                send(cluster, command);
            }
        },
        "RPC while holding a lock",
        &[0],
        &["the lock was taken at", "puppet.rs:"],
    );
    assert_broken(
        |cluster| {
            puppet(1).asks_for_vote(1, 0, 4);
            send(cluster, "send 1");
        },
        "RPC while holding a lock",
        &[0],
        &["the lock was taken at", "puppet.rs:"],
    );
}

/// Nobody has to wait for a lock that is only read.
#[test]
fn a_call_with_a_lock_held_that_nobody_writes() {
    fn calls(writes: bool) -> impl FnOnce(&Cluster) {
        move |cluster| {
            if writes {
                puppet(0).writes();
            }
            puppet(1).leads(0, 1, (0, 0), &[]);
            cluster.start(0, Bytes::from_static(b"read and call"));
        }
    }
    assert_fine(calls(false));
    let taken = ["the lock was taken at", "puppet.rs:"];
    assert_broken(calls(true), "RPC while holding a lock", &[0], &taken);
}

#[test]
fn heartbeats_of_two_terms_are_two_things() {
    assert_fine(|_| {
        for term in 4..14 {
            for _ in 0..20 {
                puppet(0).leads(1, term, (0, 0), &[]);
            }
        }
    });
}

#[test]
fn a_newer_term_is_taken_over() {
    assert_fine(|_| {
        puppet(1).answers(6, false);
        puppet(0).leads(1, 4, (0, 0), &[]);
        // What was prepared before may still leave.
        thread::sleep(Duration::from_millis(500));
        puppet(0).leads(2, 4, (0, 0), &[]);
        puppet(0).leads(2, 7, (0, 0), &[]);
    });
    // What waited behind a call that took seconds, too.
    assert_fine(|cluster| {
        cluster.disconnect(2);
        thread::spawn(|| puppet(0).leads(2, 4, (0, 0), &[]));
        puppet(1).answers(6, false);
        puppet(0).leads(1, 4, (0, 0), &[]);
        thread::sleep(Duration::from_secs(7));
        cluster.connect(2);
        puppet(0).leads(2, 4, (0, 0), &[]);
    });
    assert_broken(
        |_| {
            puppet(1).answers(6, false);
            puppet(0).leads(1, 4, (0, 0), &[]);
            thread::sleep(Duration::from_secs(2));
            puppet(0).leads(2, 4, (0, 0), &[]);
        },
        "a newer term is taken over",
        &[0],
        &["a reply of server 1 showed term 6", "still sends requests of term 4"],
    );
}

#[test]
fn a_reply_to_one_that_has_crashed_tells_its_successor_nothing() {
    assert_fine(|cluster| {
        cluster.group().slow_down(0, 1, Duration::from_millis(400));
        puppet(1).answers(6, false);
        let crashed = puppet(0);
        thread::spawn(move || crashed.leads(1, 4, (0, 0), &[]));
        // The answer is on its way.
        thread::sleep(Duration::from_millis(401));
        cluster.start_server(0);
        cluster.connect(0);
        thread::sleep(Duration::from_secs(2));
        puppet(0).leads(2, 5, (0, 0), &[]);
    });
}

/// Sends so many heartbeats to server 1, one after each pause.
fn beats(millis: u64, count: u64) {
    for _ in 0..count {
        puppet(0).leads(1, 4, (0, 0), &[]);
        thread::sleep(Duration::from_millis(millis));
    }
}

#[test]
fn a_fast_clock_has_its_second_sooner() {
    fn with_clock(cluster: &Cluster, thousandths: u32) {
        cluster.group().set_clock(0, thousandths);
        cluster.start_server(0);
        cluster.connect(0);
    }
    assert_fine(|cluster| {
        with_clock(cluster, 1250);
        beats(80, 100);
    });
    let slow = verdict(|cluster| {
        with_clock(cluster, 800);
        beats(80, 100);
    });
    assert_eq!(slow.expect("a rule is broken").check, "heartbeats");
}

#[test]
fn what_was_missed_in_a_pause_may_be_made_up_for() {
    assert_fine(|cluster| {
        beats(100, 30);
        cluster.group().pause(0);
        thread::sleep(Duration::from_secs(3));
        cluster.group().resume(0);
        beats(0, 30);
        beats(100, 30);
    });
    for seconds in [2, 3] {
        let later = verdict(move |cluster| {
            thread::sleep(Duration::from_secs(10));
            cluster.group().pause(0);
            cluster.group().resume(0);
            thread::sleep(Duration::from_secs(seconds));
            beats(0, 30);
        });
        assert_eq!(later.expect("a rule is broken").check, "heartbeats");
    }
}

#[test]
fn who_was_paused_hears_of_a_newer_term_when_it_goes_on() {
    assert_fine(|cluster| {
        puppet(1).answers(6, false);
        puppet(0).leads(1, 4, (0, 0), &[]);
        cluster.group().pause(0);
        thread::sleep(Duration::from_secs(3));
        cluster.group().resume(0);
        puppet(0).leads(2, 4, (0, 0), &[]);
    });
}

#[test]
fn a_request_that_comes_twice_is_answered_twice_and_sent_once() {
    fn twice(cluster: &Cluster) {
        cluster.set_duplication(1.0);
    }
    // No heartbeat too many, and no entry accepted by more servers than there are.
    assert_fine(|cluster| {
        twice(cluster);
        beats(100, 50);
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        thread::sleep(Duration::from_secs(3));
        puppet(0).commits(1, 4, (3, 4), 0, 3);
    });
    // What it answers to a copy it has promised.
    let verdict = verdict(|cluster| {
        twice(cluster);
        puppet(1).answers(0, false);
        puppet(0).asks_for_vote(0, 1, 4);
        puppet(1).answers(0, true);
        cluster.set_duplication(0.0);
        puppet(2).asks_for_vote(2, 1, 4);
        thread::sleep(Duration::from_secs(3));
    });
    assert_eq!(verdict.expect("a rule is broken").check, "one vote a term");
}

/// It tells as much as two tasks, each with heartbeats of its own kind.
#[test]
fn heartbeats_of_two_kinds_are_heartbeats() {
    fn two_kinds(millis: u64) -> impl FnOnce(&Cluster) {
        move |_| {
            puppet(0).leads(1, 4, (0, 0), &[(4, "a")]);
            for _ in 0..60 {
                for prev in [(1, 4), (0, 0)] {
                    puppet(0).leads(1, 4, prev, &[]);
                    thread::sleep(Duration::from_millis(millis));
                }
            }
        }
    }
    assert_fine(two_kinds(100));
    assert_broken(two_kinds(50), "heartbeats", &[0], &["heartbeats to server 1"]);
}

/// Who sends one entry after the other goes back when one is lost, and looks where the follower is.
#[test]
fn a_look_at_an_old_place_between_entries_is_no_heartbeat() {
    assert_fine(|_| {
        puppet(1).answers(0, false);
        for _ in 0..60 {
            puppet(0).leads(1, 4, (0, 0), &[(4, "a")]);
            puppet(0).leads(1, 4, (1, 4), &[(4, "b")]);
            puppet(0).leads(1, 4, (0, 0), &[]);
            thread::sleep(Duration::from_millis(10));
        }
    });
}

/// Of many entries that are under way, each may be refused since the first one was lost.
#[test]
fn what_refused_entries_lead_to_is_no_heartbeat() {
    fn looks(entries: &'static [(u64, &'static str)]) -> impl FnOnce(&Cluster) {
        move |_| {
            puppet(1).answers(0, false);
            for _ in 0..60 {
                puppet(0).leads(1, 4, (1, 4), entries);
                puppet(0).leads(1, 4, (1, 4), &[]);
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
    assert_fine(looks(&[(4, "b")]));
    assert_broken(looks(&[]), "heartbeats", &[0], &["heartbeats to server 1"]);
}

/// The entry there is in its snapshot, and it has not kept its term. The follower can only refuse.
#[test]
fn a_heartbeat_may_lack_the_term_of_the_entry_before_it() {
    assert_fine(|_| {
        puppet(0).leads(1, 4, (0, 0), &[(3, "a"), (3, "b"), (4, "c")]);
        puppet(2).answers(4, false);
        puppet(0).leads(2, 4, (2, 0), &[]);
    });
}
