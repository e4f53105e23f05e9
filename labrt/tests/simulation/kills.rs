//! Tasks that are killed while they wait.

use std::collections::BTreeSet;

use labrt::sync::Arc;
use labrt::sync::atomic::{AtomicU32, Ordering};
use labrt::{FailureKind, Node, channel, simulate, thread};

use crate::millis;

#[test]
fn killing_a_node_ends_its_tasks_and_no_others() {
    for seed in 0..50 {
        let outcome = simulate(seed, || {
            let ticks = Arc::new((AtomicU32::new(0), AtomicU32::new(0)));
            let node = Node::new("n");
            let inside = ticks.clone();
            node.spawn(move || {
                let nested = inside.clone();
                thread::spawn(move || {
                    loop {
                        nested.0.fetch_add(1, Ordering::SeqCst);
                        thread::sleep(millis(10));
                    }
                });
                loop {
                    inside.0.fetch_add(1, Ordering::SeqCst);
                    thread::sleep(millis(10));
                }
            });
            let outside = ticks.clone();
            thread::spawn(move || {
                loop {
                    outside.1.fetch_add(1, Ordering::SeqCst);
                    thread::sleep(millis(10));
                }
            });
            thread::sleep(millis(100));
            node.kill();
            let frozen = ticks.0.load(Ordering::SeqCst);
            let before = ticks.1.load(Ordering::SeqCst);
            thread::sleep(millis(100));
            assert_eq!(ticks.0.load(Ordering::SeqCst), frozen);
            assert!(frozen >= 18, "two tasks ticked ten times each, not {frozen} times");
            assert!(ticks.1.load(Ordering::SeqCst) >= before + 9);
            assert!(node.spawn(|| ()).join().is_err(), "a dead node runs nothing");
        });
        outcome.unwrap();
    }
}

#[test]
fn a_killed_waiter_passes_its_notification_on() {
    let mut passed_on = 0;
    for seed in 0..200 {
        let outcome = simulate(seed, || {
            let (sender, receiver) = channel::unbounded();
            let node = Node::new("n");
            let (other, taken) = (receiver.clone(), Arc::new(AtomicU32::new(0)));
            let victims = taken.clone();
            node.spawn(move || {
                victims.store(other.recv().unwrap(), Ordering::SeqCst);
            });
            let survivor = thread::spawn(move || receiver.recv_timeout(millis(100)));
            thread::sleep(millis(1));
            sender.send(7).unwrap();
            node.kill();
            (survivor.join().unwrap().ok(), taken.load(Ordering::SeqCst))
        });
        match outcome.unwrap().value {
            (Some(7), 0) => passed_on += 1,
            (None, 7) => {}
            other => panic!("seed {seed}: the message was lost or doubled: {other:?}"),
        }
    }
    assert!(passed_on > 20, "the case in question must occur, not only {passed_on} times");
}

#[test]
fn what_a_killed_sender_would_hand_over_is_gone() {
    for seed in 0..20 {
        let outcome = simulate(seed, || {
            let (sender, receiver) = channel::bounded(0);
            let (node, killed) = (Node::new("server"), sender.clone());
            node.spawn(move || killed.send(1));
            thread::sleep(millis(10));
            node.kill();
            thread::sleep(millis(10));
            let others = [2, 3].map(|n| {
                let sender = sender.clone();
                thread::spawn(move || sender.send(n))
            });
            drop(sender);
            let received: BTreeSet<i32> = receiver.iter().collect();
            assert_eq!(received, BTreeSet::from([2, 3]));
            for other in others {
                other.join().unwrap().unwrap();
            }
        });
        outcome.unwrap();
    }
}

/// A supervisor that catches all panics, and so its own end.
#[test]
fn who_catches_its_own_end_for_ever_is_told() {
    for killed in [true, false] {
        let failure = simulate(1, move || {
            let node = Node::new("n");
            node.spawn(|| {
                loop {
                    let _ = std::panic::catch_unwind(|| thread::sleep(millis(10)));
                }
            });
            thread::sleep(millis(5));
            if killed {
                node.kill();
                thread::sleep(millis(50));
            }
        });
        let failure = failure.expect_err("it never ends");
        assert_eq!(failure.kind, FailureKind::Spinning, "{failure}");
        assert!(failure.message.contains("labrt::Killed"), "{failure}");
        assert!(failure.task.as_deref().is_some_and(|task| task.contains("kills.rs")), "{failure}");
        assert!(failure.location.as_deref().is_some_and(|at| at.contains("kills.rs")), "{failure}");
    }
}

/// It is lost with its receiver, and nobody else gets it.
#[test]
fn what_was_handed_over_to_a_task_that_is_killed_is_gone() {
    for seed in 0..200 {
        let outcome = simulate(seed, || {
            let (sender, receiver) = channel::bounded(0);
            let (node, killed) = (Node::new("n"), receiver.clone());
            node.spawn(move || _ = killed.recv());
            thread::sleep(millis(10));
            sender.try_send(1).expect("somebody waits for it");
            node.kill();
            thread::sleep(millis(10));
            assert!(receiver.try_recv().is_err(), "nobody offers anything");
            // The channel is as good as before.
            let other = thread::spawn(move || receiver.recv());
            sender.send(2).expect("somebody receives");
            assert_eq!(other.join().unwrap(), Ok(2));
        });
        outcome.unwrap_or_else(|failure| panic!("{seed}: {failure}"));
    }
}
