//! How leaders send.

use std::time::Duration;

use bytes::Bytes;
use labrt::thread;

use crate::puppet::{assert_broken, assert_fine, puppet};

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
