//! What a simulated world promises: a run is a pure function of its seed, and it finds what it is
//! meant to find.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the tests look at worlds from outside"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use labrt::rng::{self, RngExt};
use labrt::sync::atomic::{AtomicU32, Ordering};
use labrt::sync::{Arc, Condvar, Mutex, RwLock};
use labrt::time::Instant;
use labrt::world::{Builder, Outcome, Trace};
use labrt::{Failure, FailureKind, Node, SwitchBy, channel, simulate, thread};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn trace<T>(outcome: Result<Outcome<T>, Box<Failure>>) -> Trace {
    match outcome {
        Ok(outcome) => outcome.trace.expect("a simulated run has a trace"),
        Err(failure) => panic!("{failure}"),
    }
}

/// A bit of everything: locks, channels, sleeps, random numbers, a node that is killed.
fn busy_world() -> u64 {
    let total = Arc::new(Mutex::new(0u64));
    let (sender, receiver) = channel::bounded(2);
    let node = Node::new("victim");
    let mut handles = Vec::new();
    for worker in 0..4u64 {
        let (total, sender) = (total.clone(), sender.clone());
        handles.push(thread::spawn(move || {
            let mut rng = rng::stream("worker");
            for round in 0..20 {
                thread::sleep(millis(rng.random_range(0..5)));
                *total.lock() += rng.random_range(0..100u64);
                sender.send(worker * 100 + round).unwrap();
            }
        }));
    }
    drop(sender);
    let victim_total = total.clone();
    node.spawn(move || {
        loop {
            thread::sleep(millis(3));
            *victim_total.lock() += 1;
        }
    });
    let mut sum = 0;
    for (count, message) in receiver.iter().enumerate() {
        sum += message;
        if count == 30 {
            node.kill();
        }
    }
    for handle in handles {
        handle.join().unwrap();
    }
    sum * 1000 + *total.lock()
}

#[test]
fn equal_seeds_give_equal_traces_also_under_load() {
    const SEEDS: u64 = 200;
    let once: Vec<_> = (0..SEEDS).map(|seed| trace(simulate(seed, busy_world))).collect();
    let again: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                (0..SEEDS).map(|seed| trace(simulate(seed, busy_world))).collect::<Vec<_>>()
            })
        })
        .collect();
    for run in again {
        assert_eq!(run.join().unwrap(), once);
    }
    let hashes: BTreeSet<_> = once.iter().map(|trace| trace.hash).collect();
    assert_eq!(hashes.len() as u64, SEEDS, "different seeds give different runs");
}

#[test]
fn both_ways_of_switching_run_the_same_schedule() {
    for seed in 0..50 {
        let run = |by| {
            let builder = Builder::simulated(seed).record_events(true).switch_by(by);
            let outcome = builder.run(busy_world).unwrap();
            (outcome.value, outcome.trace)
        };
        assert_eq!(run(SwitchBy::Coroutines), run(SwitchBy::Threads), "seed {seed}");
    }
}

#[test]
fn streams_are_independent_of_each_other() {
    let draw = |extra: bool| {
        simulate(3, move || {
            let mut one = rng::stream("one");
            if extra {
                one.random_range(0..10u32);
            }
            let again = rng::stream("two").random_range(0..u64::MAX);
            (again, rng::stream("two").random_range(0..u64::MAX))
        })
    };
    let (without, with) = (draw(false).unwrap().value, draw(true).unwrap().value);
    assert_eq!(without, with);
    assert_ne!(with.0, with.1, "a label asked for twice gives two streams");
}

/// The first of `seeds` with which `main` fails in this way.
fn first_failing_seed(seeds: u64, kind: FailureKind, main: fn()) -> (u64, Failure) {
    for seed in 0..seeds {
        if let Err(failure) = simulate(seed, main) {
            assert_eq!(failure.kind, kind, "{failure}");
            assert_eq!(failure.seed, Some(seed));
            return (seed, *failure);
        }
    }
    panic!("no seed below {seeds} shows the bug");
}

#[test]
fn a_lost_wake_up_is_found_within_100_seeds() {
    // The flag is set without the lock: it may be set between the waiter's look and its wait.
    let (_, failure) = first_failing_seed(100, FailureKind::Deadlock, || {
        let shared = Arc::new((Mutex::new(()), Condvar::new(), AtomicU32::new(0)));
        let setter = shared.clone();
        thread::spawn(move || {
            setter.2.store(1, Ordering::SeqCst);
            setter.1.notify_one();
        });
        let mut guard = shared.0.lock();
        if shared.2.load(Ordering::SeqCst) == 0 {
            shared.1.wait(&mut guard);
        }
    });
    let text = failure.to_string();
    assert!(text.contains("task `main` waits for a notification of a Condvar at "), "{text}");
}

#[test]
fn a_lock_order_deadlock_is_found_within_100_seeds() {
    let (_, failure) = first_failing_seed(100, FailureKind::Deadlock, || {
        let locks = Arc::new((Mutex::new(1u8), Mutex::new(2u16)));
        let other = locks.clone();
        let handle = thread::Builder::new().name("other").spawn(move || {
            let _two = other.1.lock();
            let _one = other.0.lock();
        });
        {
            let _one = locks.0.lock();
            let _two = locks.1.lock();
        }
        handle.join().unwrap();
    });
    let text = failure.to_string();
    let circles =
        ["`main` -> task `other` -> task `main`", "`other` -> task `main` -> task `other`"];
    assert!(
        circles.iter().any(|circle| text.contains(&format!("circle: task {circle}"))),
        "{text}"
    );
    assert!(text.contains("waits for a Mutex of u16 at"), "{text}");
    assert!(text.contains("held by task `other` (taken at"), "{text}");
    assert!(text.contains(", while it holds the lock it took at"), "{text}");
    assert!(text.contains("simulation.rs:"), "{text}");
}

#[test]
fn a_torn_read_modify_write_is_found_within_100_seeds() {
    let (_, failure) = first_failing_seed(100, FailureKind::Panic, || {
        let count = Arc::new(AtomicU32::new(0));
        let add = |count: Arc<AtomicU32>| {
            move || {
                let seen = count.load(Ordering::SeqCst);
                count.store(seen + 1, Ordering::SeqCst);
            }
        };
        let handles = [(); 2].map(|()| thread::spawn(add(count.clone())));
        for handle in handles {
            handle.join().unwrap();
        }
        assert_eq!(count.load(Ordering::SeqCst), 2, "an increment was lost");
    });
    assert!(failure.to_string().contains("an increment was lost"), "{failure}");
}

#[test]
fn a_guard_may_be_held_across_a_sleep() {
    let outcome = simulate(1, || {
        let lock = Arc::new(Mutex::new(()));
        let other = lock.clone();
        let (ready, begun) = channel::bounded(0);
        thread::spawn(move || {
            let _guard = other.lock();
            ready.send(()).unwrap();
            thread::sleep(millis(500));
        });
        begun.recv().unwrap();
        let start = Instant::now();
        assert!(lock.try_lock().is_none());
        assert!(lock.try_lock_for(millis(100)).is_none());
        assert_eq!(start.elapsed(), millis(100));
        drop(lock.lock());
        assert_eq!(start.elapsed(), millis(500));
    });
    outcome.unwrap();
}

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
    assert!(failure.location.as_deref().unwrap().contains("simulation.rs:"));
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
    assert!(failure.location.as_deref().unwrap().contains("simulation.rs:"), "{failure}");
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
    assert!(failure.location.as_deref().unwrap().contains("simulation.rs:"), "{failure}");
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
    assert!(failure.message.contains("simulation.rs:"), "{failure}");
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

/// Counts how many are alive.
struct Tracked(Arc<std::sync::atomic::AtomicUsize>);

impl Tracked {
    fn new(count: &Arc<std::sync::atomic::AtomicUsize>) -> Tracked {
        count.fetch_add(1, Ordering::SeqCst);
        Tracked(count.clone())
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn every_way_to_end_runs_all_destructors() {
    for by in [SwitchBy::Coroutines, SwitchBy::Threads] {
        for fails in [false, true] {
            for seed in 0..20 {
                let alive = Arc::new(std::sync::atomic::AtomicUsize::new(0));
                let count = alive.clone();
                let outcome = Builder::simulated(seed).switch_by(by).run(move || {
                    leave_tasks_behind(&count);
                    thread::sleep(millis(20));
                    assert!(!fails, "on purpose");
                });
                assert_eq!(outcome.is_err(), fails);
                assert_eq!(alive.load(Ordering::SeqCst), 0, "{by:?}, seed {seed}");
            }
        }
    }
}

/// Tasks blocked in every way there is.
fn leave_tasks_behind(count: &Arc<std::sync::atomic::AtomicUsize>) {
    let lock = Arc::new(Mutex::new(()));
    let never = Arc::new(Condvar::new());
    let (sender, receiver) = channel::bounded::<Tracked>(1);
    sender.send(Tracked::new(count)).unwrap();
    let tracked = Tracked::new(count);
    let (holder, wait) = (lock.clone(), never.clone());
    thread::spawn(move || {
        let _tracked = tracked;
        let mut guard = holder.lock();
        wait.wait(&mut guard);
    });
    let tracked = Tracked::new(count);
    thread::spawn(move || {
        let _tracked = tracked;
        let _guard = lock.lock();
        thread::sleep(Duration::from_secs(3600));
    });
    let (tracked, message) = (Tracked::new(count), Tracked::new(count));
    thread::spawn(move || {
        let _tracked = tracked;
        let _ = sender.send(message);
    });
    let tracked = Tracked::new(count);
    let sleeper = thread::spawn(move || {
        let _tracked = tracked;
        let _receiver = receiver;
        thread::sleep(Duration::from_secs(3600));
    });
    let tracked = Tracked::new(count);
    thread::spawn(move || {
        let _tracked = tracked;
        let _ = sleeper.join();
    });
}

#[test]
fn a_destructor_may_lock_sleep_and_join_while_its_task_is_killed() {
    struct Closing(Option<thread::JoinHandle<()>>, Arc<Mutex<Vec<&'static str>>>);
    impl Drop for Closing {
        fn drop(&mut self) {
            thread::sleep(millis(10));
            let _ = self.0.take().unwrap().join();
            self.1.lock().push("closed");
        }
    }
    for seed in 0..50 {
        let outcome = simulate(seed, || {
            let log = Arc::new(Mutex::new(Vec::new()));
            let node = Node::new("n");
            let inner = log.clone();
            let task = node.spawn(move || {
                let helper = thread::spawn(|| thread::sleep(Duration::from_secs(1)));
                let _closing = Closing(Some(helper), inner);
                thread::sleep(Duration::from_secs(1));
            });
            thread::sleep(millis(5));
            node.kill();
            assert!(task.join().unwrap_err().is::<labrt::Killed>());
            log.lock().clone()
        });
        assert_eq!(outcome.unwrap().value, ["closed"]);
    }
}

#[test]
fn a_teardown_without_end_is_reported() {
    struct Forever;
    impl Drop for Forever {
        fn drop(&mut self) {
            let (_sender, receiver) = channel::unbounded::<()>();
            let _ = receiver.recv();
        }
    }
    for by in [SwitchBy::Coroutines, SwitchBy::Threads] {
        let failure = Builder::simulated(1)
            .switch_by(by)
            .run(|| {
                thread::spawn(|| {
                    let _forever = Forever;
                    thread::sleep(Duration::from_secs(3600));
                });
                thread::sleep(millis(1));
            })
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Teardown, "{failure}");
        assert!(failure.to_string().contains("a message from a channel"), "{failure}");
    }
}

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

#[test]
fn each_wait_has_its_own_deadline() {
    for seed in 0..20 {
        let outcome = Builder::simulated(seed).switch_every(0).run(|| {
            let (sender, receiver) = channel::unbounded();
            // When the message comes, and for how long it is waited for: nearer and further deadlines
            // than that of the wait before, which has ended early or not.
            for (sent, limit) in
                [(1, 100), (1, 30), (5, 200), (40, 20), (300, 10), (7, 400), (2, 2)]
            {
                let (begun, sender) = (Instant::now(), sender.clone());
                thread::spawn(move || {
                    thread::sleep(millis(sent));
                    sender.send(sent)
                });
                let got = receiver.recv_timeout(millis(limit));
                assert_eq!(begun.elapsed(), millis(sent.min(limit)), "{sent} {limit}");
                got.or_else(|_| receiver.recv()).unwrap();
                assert!(begun.elapsed() >= millis(sent), "{sent} {limit}");
            }
        });
        outcome.unwrap();
    }
}

#[test]
fn readers_share_and_writers_do_not() {
    for seed in 0..50 {
        simulate(seed, || {
            let lock = Arc::new(RwLock::new((0u32, 0u32)));
            let writers = [(); 3].map(|()| {
                let lock = lock.clone();
                thread::spawn(move || {
                    for _ in 0..5 {
                        let mut pair = lock.write();
                        pair.0 += 1;
                        thread::sleep(millis(1));
                        pair.1 += 1;
                    }
                })
            });
            let one = lock.read();
            assert!(lock.try_read().is_some(), "readers share");
            assert!(lock.try_write().is_none());
            drop(one);
            for _ in 0..20 {
                let pair = lock.read();
                assert_eq!(pair.0, pair.1);
                drop(pair);
                thread::sleep(millis(1));
            }
            for writer in writers {
                writer.join().unwrap();
            }
            assert_eq!(*lock.read(), (15, 15));
        })
        .unwrap();
    }
}

#[test]
fn worlds_run_side_by_side() {
    let worlds: Vec<_> = (0..8u64)
        .map(|seed| {
            std::thread::spawn(move || {
                let marker = simulate(seed, move || {
                    *labrt::world::local::<Mutex<u64>>().unwrap().lock() = seed;
                    thread::sleep(Duration::from_secs(seed));
                    *labrt::world::local::<Mutex<u64>>().unwrap().lock()
                });
                marker.unwrap()
            })
        })
        .collect();
    for (seed, world) in worlds.into_iter().enumerate() {
        let outcome = world.join().unwrap();
        assert_eq!(outcome.value, seed as u64);
        assert_eq!(outcome.elapsed, Duration::from_secs(seed as u64));
    }
}

#[test]
fn what_a_world_leaves_in_a_channel_can_be_drained_outside() {
    let receiver = simulate(1, || {
        let (sender, receiver) = channel::unbounded();
        sender.send(5).unwrap();
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(1));
            drop(sender);
        });
        receiver
    })
    .unwrap()
    .value;
    assert_eq!(receiver.recv(), Ok(5));
    assert!(receiver.recv().is_err(), "its sender died with the world");
}
