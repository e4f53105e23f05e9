//! How a run fails, and what is said of it.

use std::time::Duration;

use labrt::time::Instant;
use labrt::world::Builder;
use labrt::{FailureKind, Node, channel, simulate, thread};

use crate::millis;

#[test]
fn a_panic_in_any_task_fails_the_run_with_all_that_is_known() {
    let failure = simulate(77, || {
        thread::sleep(millis(1500));
        let node = Node::new("server 2");
        thread::Builder::new().name("ticker").node(node).spawn(|| {
            thread::sleep(millis(250));
            panic!("out of order: {}", 3);
        });
        thread::sleep(Duration::from_secs(3600));
    })
    .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Panic);
    assert_eq!(failure.time, millis(1750));
    assert_eq!(failure.task.as_deref(), Some("task `ticker` of server 2"));
    assert_eq!(failure.message, "out of order: 3");
    assert!(failure.location.as_deref().unwrap().contains("failures.rs:"));
    assert!(failure.to_string().ends_with("seed 77"), "{failure}");
}

#[test]
fn a_panic_that_is_caught_fails_nothing() {
    let outcome = simulate(1, || {
        let caught = std::panic::catch_unwind(|| panic!("on purpose"));
        assert!(caught.is_err());
        thread::sleep(millis(1));
        // Its own death is still noticed afterwards.
        let node = Node::new("n");
        let inside = node.clone();
        node.enter(|| {
            inside.kill();
            unreachable!("killed");
        })
    });
    assert!(outcome.unwrap().value.is_err());
}

#[test]
fn spinning_is_reported() {
    let builder = Builder::simulated(1).steps_per_instant(100_000);
    let failure = builder
        .run(|| {
            let start = Instant::now();
            while start.elapsed() < millis(10) {}
        })
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Spinning);
    assert!(failure.location.as_deref().unwrap().contains("failures.rs:"), "{failure}");
}

#[test]
fn a_foreign_blocking_call_is_reported() {
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let builder = Builder::simulated(1).stuck_after(millis(200));
    let failure = builder
        .run(move || {
            thread::sleep(millis(1));
            let _ = blocked.recv();
        })
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Stuck);
    assert_eq!(failure.task.as_deref(), Some("task `main`"));
    assert!(failure.location.as_deref().unwrap().contains("failures.rs:"), "{failure}");
    drop(release);
}

#[test]
fn a_call_within_a_leaf_is_reported() {
    let failure = simulate(1, || {
        let leaf = labrt::sync::Leaf::new(Some(channel::unbounded::<u8>().0));
        leaf.with(|sender| sender.as_ref().map(|sender| sender.send(1)).is_some())
    })
    .unwrap_err();
    assert!(failure.message.contains("while a Leaf is locked"), "{failure}");
    assert!(failure.message.contains("failures.rs:"), "{failure}");
}

#[test]
fn the_time_limit_is_enforced() {
    let builder = Builder::simulated(1).time_limit(Duration::from_secs(120));
    let failure = builder
        .run(|| {
            loop {
                thread::sleep(millis(100));
            }
        })
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::TimeLimit);
    assert!(failure.to_string().contains("limit of 120 s"), "{failure}");
}
