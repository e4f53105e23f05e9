//! Nodes whose clocks run faster or slower than the world's.

use std::time::Duration;

use labrt::sync::{Condvar, Mutex};
use labrt::time::Instant;
use labrt::{Node, channel, simulate, thread};

use crate::millis;

/// How long something takes in a node with this clock: on its own clock, and on the world's.
fn takes(thousandths: u32, what: fn()) -> (Duration, Duration) {
    let run = simulate(7, move || {
        let node = Node::new("n");
        node.set_clock_rate(thousandths);
        thread::sleep(millis(100));
        let task = node.spawn(move || {
            let (own, world) = (Instant::now(), Instant::of_world());
            what();
            (own.elapsed(), Instant::of_world() - world)
        });
        task.join().unwrap()
    });
    run.unwrap().value
}

fn assert_near(got: Duration, expected: Duration, of: &str) {
    let apart = got.abs_diff(expected);
    assert!(apart < millis(3), "{of} took {got:?} and not {expected:?}");
}

/// Each way to wait for a second.
const WAITS: [(&str, fn()); 6] = [
    ("a sleep", || thread::sleep(millis(1000))),
    ("a limit of a receive", || {
        let (_sender, receiver) = channel::unbounded::<()>();
        receiver.recv_timeout(millis(1000)).unwrap_err();
    }),
    ("a deadline of a receive", || {
        let (_sender, receiver) = channel::unbounded::<()>();
        receiver.recv_deadline(Instant::now() + millis(1000)).unwrap_err();
    }),
    ("a limit of a wait", || {
        let (lock, changed) = (Mutex::new(()), Condvar::new());
        let (mut guard, until) = (lock.lock(), Instant::now() + millis(1000));
        while Instant::now() < until {
            let left = until - Instant::now();
            changed.wait_for(&mut guard, left);
        }
    }),
    ("a deadline of a wait", || {
        let (lock, changed) = (Mutex::new(()), Condvar::new());
        let (mut guard, until) = (lock.lock(), Instant::now() + millis(1000));
        while Instant::now() < until {
            changed.wait_until(&mut guard, until);
        }
    }),
    ("looking at the clock", || {
        let began = Instant::now();
        while began.elapsed() < millis(1000) {
            thread::sleep(millis(1));
        }
    }),
];

#[test]
fn all_waits_and_instants_of_a_node_go_by_its_clock() {
    for (name, wait) in WAITS {
        for (thousandths, world) in [(1250, 800), (1000, 1000), (800, 1250)] {
            let (own, passed) = takes(thousandths, wait);
            assert_near(own, millis(1000), name);
            assert_near(passed, millis(world), name);
        }
    }
}

#[test]
fn others_keep_the_time_of_the_world() {
    let run = simulate(3, || {
        let node = Node::new("fast");
        node.set_clock_rate(2000);
        let began = Instant::now();
        Node::new("plain").spawn(|| thread::sleep(millis(100))).join().unwrap();
        assert_near(began.elapsed(), millis(100), "a sleep of another node");
        let there = node.enter(|| {
            thread::sleep(millis(100));
        });
        there.unwrap();
        assert_near(began.elapsed(), millis(150), "a sleep in the node");
    });
    run.unwrap();
}

#[test]
#[should_panic(expected = "the rate of a node's clock is set once")]
fn a_clock_has_one_rate() {
    let run = simulate(0, || {
        let node = Node::new("n");
        node.set_clock_rate(900);
        node.set_clock_rate(1100);
    });
    if let Err(failure) = run {
        panic!("{failure}");
    }
}
