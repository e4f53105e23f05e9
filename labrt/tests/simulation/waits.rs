//! Locks and deadlines.

use std::time::Duration;

use labrt::sync::{Arc, Condvar, Mutex, RwLock};
use labrt::time::Instant;
use labrt::world::Builder;
use labrt::{FailureKind, Node, channel, simulate, thread};

use crate::millis;

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
            let one = lock.read();
            assert!(lock.try_read().is_some(), "readers share");
            drop(one);
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
fn a_wait_of_more_time_than_there_is_never_ends() {
    let waits: [fn(); 3] = [
        || thread::sleep(Duration::MAX),
        || {
            let (_sender, receiver) = channel::unbounded::<u32>();
            let _ = receiver.recv_timeout(Duration::MAX);
        },
        || {
            let (lock, condvar) = (Mutex::new(()), Condvar::new());
            condvar.wait_while_for(&mut lock.lock(), |()| true, Duration::MAX);
        },
    ];
    for wait in waits {
        let failure = simulate(1, wait).expect_err("nobody ends it");
        assert_eq!(failure.kind, FailureKind::Deadlock, "{failure}");
    }
    // Others go on meanwhile, and end it.
    let woken = || {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let sets = shared.clone();
        thread::spawn(move || {
            thread::sleep(millis(20));
            *sets.0.lock() = true;
            sets.1.notify_all();
        });
        shared.1.wait_while_for(&mut shared.0.lock(), |set| !*set, Duration::MAX).timed_out()
    };
    for builder in [Builder::simulated(1), Builder::real()] {
        assert!(!builder.run(woken).expect("nothing fails").value);
    }
}

#[test]
fn the_time_limit_holds_while_tasks_can_run_all_the_time() {
    let limit = Duration::from_secs(1);
    let failed = Builder::simulated(3).time_limit(limit).run(|| {
        thread::spawn(|| {
            loop {
                thread::sleep(Duration::from_micros(20));
            }
        });
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {}
    });
    let failure = failed.expect_err("it takes too long");
    assert_eq!(failure.kind, FailureKind::TimeLimit, "{failure}");
    assert!(failure.time < 2 * limit, "{failure}");
}

/// On the real clock there mostly is none while a writer waits.
#[test]
fn a_share_may_be_refused_while_a_writer_waits() {
    let gets_it = |seed: &u64| {
        let run = simulate(*seed, || {
            let lock = Arc::new(RwLock::new(()));
            let first = lock.read();
            let writer = lock.clone();
            let writer = thread::spawn(move || drop(writer.write()));
            thread::sleep(millis(1));
            let second = lock.try_read().is_some();
            drop(first);
            writer.join().unwrap();
            assert!(lock.try_read().is_some(), "nobody waits");
            second
        });
        run.unwrap().value
    };
    let count = (0..100).filter(gets_it).count();
    assert!((30..70).contains(&count), "{count}");
}

/// A second share while a writer waits for the first one.
#[test]
fn who_takes_two_shares_may_wait_for_itself() {
    let run = |seed| {
        simulate(seed, || {
            let lock = Arc::new(RwLock::new(()));
            let first = lock.read();
            let writer = lock.clone();
            let writer = thread::spawn(move || drop(writer.write()));
            thread::sleep(millis(1));
            drop(lock.read());
            drop(first);
            writer.join().unwrap();
        })
    };
    let failures: Vec<_> = (0..100).filter_map(|seed| run(seed).err()).collect();
    assert!((30..70).contains(&failures.len()), "{}", failures.len());
    for failure in failures {
        assert_eq!(failure.kind, FailureKind::Deadlock);
        assert!(failure.to_string().contains("a RwLock (to read)"), "{failure}");
        assert!(failure.to_string().contains("waits.rs"), "{failure}");
    }
}

#[test]
fn readers_go_on_when_the_writer_that_they_let_go_first_is_killed() {
    for seed in 0..100 {
        let outcome = simulate(seed, || {
            let lock = Arc::new(RwLock::new(()));
            let (node, writer) = (Node::new("n"), lock.clone());
            let first = lock.read();
            node.spawn(move || drop(writer.write()));
            thread::sleep(millis(1));
            let reader = lock.clone();
            let reader = thread::spawn(move || drop(reader.read()));
            thread::sleep(millis(1));
            node.kill();
            reader.join().unwrap();
            drop(first);
        });
        outcome.unwrap();
    }
}

/// Readers come all the time, and there is always one that has the lock.
#[test]
fn a_writer_has_its_turn_among_readers() {
    for seed in 0..50 {
        let outcome = Builder::simulated(seed).time_limit(Duration::from_secs(60)).run(|| {
            let lock = Arc::new(RwLock::new(false));
            for _ in 0..2 {
                let lock = lock.clone();
                thread::spawn(move || {
                    while !*lock.read() {
                        let _share = lock.read();
                        thread::sleep(millis(2));
                    }
                });
            }
            thread::sleep(millis(5));
            *lock.write() = true;
        });
        outcome.unwrap();
    }
}

#[test]
fn a_condition_variable_is_for_one_mutex_at_a_time() {
    let waits = |mutexes: [usize; 2], apart: bool| {
        simulate(3, move || {
            let shared = Arc::new(([Mutex::new(()), Mutex::new(())], Condvar::new()));
            let tasks = mutexes.map(|mutex| {
                let shared = shared.clone();
                let task = thread::spawn(move || {
                    let mut guard = shared.0[mutex].lock();
                    shared.1.wait_for(&mut guard, millis(10));
                });
                thread::sleep(millis(if apart { 20 } else { 1 }));
                task
            });
            for task in tasks {
                task.join().unwrap();
            }
        })
    };
    for (mutexes, apart) in [([0, 0], false), ([0, 1], true)] {
        waits(mutexes, apart).unwrap();
    }
    let failure = waits([0, 1], false).expect_err("others wait with another mutex");
    assert_eq!(failure.kind, FailureKind::Panic);
    assert!(failure.message.contains("a Condvar is used with two mutexes"), "{failure}");
    assert!(failure.location.as_deref().is_some_and(|at| at.contains("waits.rs")), "{failure}");
}
