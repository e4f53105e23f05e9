//! What a scheduler must find: mistakes that need more than a switch at the right place.

use std::time::Duration;

use labrt::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use labrt::sync::{Arc, Condvar, Mutex, OnceLock};
use labrt::world::Builder;
use labrt::{FailureKind, Op, simulate, thread};

/// How many of `seeds` runs fail, each with a panic of these words.
fn failures(seeds: u64, words: &str, main: fn()) -> u64 {
    let failed = |seed: &u64| match simulate(*seed, main) {
        Ok(_) => false,
        Err(failure) => {
            assert_eq!(failure.message, words, "{failure}");
            true
        }
    };
    (0..seeds).filter(failed).count() as u64
}

#[test]
fn yield_now_lets_another_task_go_first() {
    for seed in 0..1000 {
        let outcome = Builder::simulated(seed).switch_every(0).run(|| {
            let ran = Arc::new(AtomicBool::new(false));
            let flag = ran.clone();
            thread::spawn(move || flag.store(true, Ordering::SeqCst));
            thread::yield_now();
            ran.load(Ordering::SeqCst)
        });
        assert!(outcome.unwrap().value, "seed {seed}");
    }
}

#[test]
fn a_forced_switch_always_goes_to_another_task() {
    for seed in 0..20 {
        let work = || {
            let flag = AtomicBool::new(false);
            for _ in 0..100 {
                flag.store(true, Ordering::SeqCst);
            }
        };
        let outcome = Builder::simulated(seed).switch_every(1).record_events(true).run(move || {
            let other = thread::spawn(work);
            work();
            other.join().unwrap();
        });
        let trace = outcome.unwrap().trace.unwrap();
        let stores = trace.events.iter().filter(|event| event.op == Op::Atomic);
        let tasks: Vec<_> = stores.map(|event| event.task).collect();
        let in_a_row = tasks.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert!(in_a_row < 10, "seed {seed}: {in_a_row} of {} switches did nothing", tasks.len());
    }
}

/// Two tasks wake up `apart` ns from each other, and each adds one in two steps.
fn lost_update(apart: u64) {
    let count = Arc::new(Mutex::new(0));
    let add = |count: Arc<Mutex<u32>>, at| {
        thread::spawn(move || {
            thread::sleep(Duration::from_nanos(at));
            let seen = *count.lock();
            *count.lock() = seen + 1;
        })
    };
    let tasks = [add(count.clone(), 1_000_000), add(count.clone(), 1_000_000 + apart)];
    for task in tasks {
        task.join().unwrap();
    }
    assert_eq!(*count.lock(), 2, "an update was lost");
}

#[test]
fn a_timer_fires_into_running_code() {
    const WORDS: &str =
        "assertion `left == right` failed: an update was lost\n  left: 1\n right: 2";
    assert!(failures(2000, WORDS, || lost_update(0)) > 20);
    assert!(failures(2000, WORDS, || lost_update(1)) > 10);
    assert!(failures(2000, WORDS, || lost_update(1_000)) > 10);
    assert_eq!(failures(2000, WORDS, || lost_update(1_000_000_000)), 0, "code is not that slow");
}

#[test]
fn a_wait_on_a_condition_variable_rarely_ends_for_no_reason() {
    const WORDS: &str = "woken for no reason";
    let found = failures(2000, WORDS, || {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let setter = shared.clone();
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(1));
            *setter.0.lock() = true;
            setter.1.notify_one();
        });
        let mut done = shared.0.lock();
        if !*done {
            shared.1.wait(&mut done); // a loop is missing
        }
        assert!(*done, "woken for no reason");
    });
    assert!((1..200).contains(&found), "{found} of 2000 runs");
}

#[test]
fn a_spurious_wake_up_is_no_time_out() {
    for seed in 0..1000 {
        let outcome = simulate(seed, || {
            let (lock, condvar) = (Mutex::new(()), Condvar::new());
            let start = labrt::time::Instant::now();
            let limit = Duration::from_millis(100);
            while !condvar.wait_for(&mut lock.lock(), limit).timed_out() {}
            assert!(start.elapsed() >= limit);
            let never = condvar.wait_while_for(&mut lock.lock(), |()| true, limit);
            assert!(never.timed_out());
        });
        outcome.unwrap();
    }
}

#[test]
fn a_weak_exchange_rarely_fails_for_no_reason() {
    let mut failed = 0;
    for seed in 0..1000 {
        let exchange = || {
            let flag = AtomicU32::new(1);
            flag.compare_exchange_weak(1, 2, Ordering::SeqCst, Ordering::SeqCst)
        };
        match simulate(seed, exchange).unwrap().value {
            Ok(1) => {}
            Err(1) => failed += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!((1..200).contains(&failed), "{failed} of 1000");
}

#[test]
fn calm_runs_have_neither() {
    for seed in 0..500 {
        let outcome = Builder::simulated(seed).forced_switches(0).run(|| {
            let flag = AtomicU32::new(1);
            flag.compare_exchange_weak(1, 2, Ordering::SeqCst, Ordering::SeqCst).unwrap();
            let (lock, condvar) = (Mutex::new(()), Condvar::new());
            let limit = Duration::from_secs(1);
            assert!(condvar.wait_for(&mut lock.lock(), limit).timed_out());
        });
        assert_eq!(outcome.unwrap().trace.unwrap().forced_switches, 0);
    }
}

#[test]
fn many_means_of_forced_switches_are_tried() {
    let rates = (0..200).map(|seed| {
        let outcome = simulate(seed, || {
            let work = || {
                let flag = AtomicBool::new(false);
                for _ in 0..1000 {
                    flag.store(true, Ordering::SeqCst);
                }
            };
            let other = thread::spawn(work);
            work();
            other.join().unwrap();
        });
        let trace = outcome.unwrap().trace.unwrap();
        trace.forced_switches as f64 / trace.steps as f64
    });
    let rates: Vec<_> = rates.collect();
    assert!(rates.iter().any(|rate| *rate > 0.5), "some runs switch at nearly each step");
    assert!(rates.iter().any(|rate| *rate < 0.03), "some nearly never");
}

#[test]
fn a_once_lock_is_made_once_while_others_wait() {
    for seed in 0..200 {
        let outcome = simulate(seed, || {
            let cell = Arc::new(OnceLock::new());
            let made = Arc::new(AtomicU32::new(0));
            let tasks = [(); 3].map(|()| {
                let (cell, made) = (cell.clone(), made.clone());
                thread::spawn(move || {
                    *cell.get_or_init(|| {
                        thread::sleep(Duration::from_millis(5));
                        made.fetch_add(1, Ordering::SeqCst)
                    })
                })
            });
            for task in tasks {
                assert_eq!(task.join().unwrap(), 0);
            }
            assert_eq!(cell.set(9), Err(9));
            (cell.get().copied(), made.load(Ordering::SeqCst))
        });
        assert_eq!(outcome.unwrap().value, (Some(0), 1));
    }
}

#[test]
fn a_once_lock_that_needs_itself_is_a_deadlock() {
    let failure = simulate(1, || {
        let cell = OnceLock::new();
        *cell.get_or_init(|| *cell.get_or_init(|| 1) + 1)
    })
    .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Deadlock, "{failure}");
    assert!(failure.message.contains("waits for itself"), "{failure}");
}
