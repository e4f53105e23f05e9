//! Mistakes that some schedule shows are found.

use labrt::sync::atomic::{AtomicU32, Ordering};
use labrt::sync::{Arc, Condvar, Mutex};
use labrt::{Failure, FailureKind, simulate, thread};

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
    assert!(text.contains("found.rs:"), "{text}");
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
