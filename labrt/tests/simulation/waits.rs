//! Locks and deadlines.

use std::time::Duration;

use labrt::sync::{Arc, Condvar, Mutex, RwLock};
use labrt::time::Instant;
use labrt::world::Builder;
use labrt::{FailureKind, channel, simulate, thread};

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
