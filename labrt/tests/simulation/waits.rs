//! Locks and deadlines.

use labrt::sync::{Arc, Mutex, RwLock};
use labrt::time::Instant;
use labrt::world::Builder;
use labrt::{channel, simulate, thread};

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
