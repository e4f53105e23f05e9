//! The same code gives the same results on either clock.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the tests look at worlds from outside"
)]

use std::panic::{catch_unwind, resume_unwind};
use std::time::Duration;

use labrt::channel::{self, RecvTimeoutError, SendTimeoutError, TryRecvError, TrySendError};
use labrt::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use labrt::sync::{Arc, Condvar, Mutex, OnceLock};
use labrt::time::Instant;
use labrt::world::Builder;
use labrt::{FailureKind, Killed, Node, thread};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Runs a test on a few seeds and on the real clock.
fn on_both(test: fn()) {
    for seed in 0..20 {
        if let Err(failure) = Builder::simulated(seed).run(test) {
            panic!("{failure}");
        }
    }
    if let Err(failure) = Builder::real().run(test) {
        panic!("{failure}");
    }
}

#[test]
fn channels_keep_order_and_report_disconnection() {
    on_both(|| {
        let (sender, receiver) = channel::unbounded();
        thread::spawn(move || {
            for n in 0..100 {
                sender.send(n).unwrap();
            }
        });
        assert_eq!(receiver.iter().collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
        let (sender, receiver) = channel::bounded(5);
        drop(receiver);
        assert_eq!(sender.send(1).unwrap_err().into_inner(), 1);
    });
}

#[test]
fn a_bounded_channel_makes_its_sender_wait() {
    on_both(|| {
        let (sender, receiver) = channel::bounded(1);
        sender.send(1).unwrap();
        assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
        let start = Instant::now();
        let late = sender.send_timeout(2, millis(20));
        assert_eq!(late, Err(SendTimeoutError::Timeout(2)));
        assert!(start.elapsed() >= millis(20));
        thread::spawn(move || {
            thread::sleep(millis(20));
            receiver.recv().unwrap();
            receiver.recv().unwrap()
        });
        sender.send(3).unwrap();
        assert!(start.elapsed() >= millis(40));
    });
}

#[test]
fn a_channel_without_capacity_hands_over() {
    on_both(|| {
        let (sender, receiver) = channel::bounded(0);
        assert_eq!(sender.try_send(0), Err(TrySendError::Full(0)));
        let start = Instant::now();
        let handle = thread::spawn(move || {
            thread::sleep(millis(20));
            let first = receiver.recv().unwrap();
            (first, receiver.recv_timeout(millis(200)))
        });
        sender.send(1).unwrap();
        assert!(start.elapsed() >= millis(20));
        sender.send(2).unwrap();
        assert_eq!(handle.join().unwrap(), (1, Ok(2)));
    });
}

/// Nothing ever waits in it: a message that was handed over is its receiver's, who may not have run since.
#[test]
fn a_channel_without_capacity_is_always_empty() {
    on_both(|| {
        let (sender, receiver) = channel::bounded::<u32>(0);
        let receives = thread::spawn({
            let receiver = receiver.clone();
            move || receiver.recv()
        });
        assert_eq!(sender.send(1), Ok(()));
        assert_eq!((sender.len(), receiver.len(), sender.is_empty()), (0, 0, true));
        assert_eq!(receives.join().expect("it ends"), Ok(1));
    });
}

#[test]
fn a_name_may_have_any_letters() {
    on_both(|| {
        let named = thread::Builder::new().name("a\0b").spawn(|| 1);
        assert_eq!(named.join().expect("it ends"), 1);
        let (sender, receiver) = channel::unbounded();
        thread::Pool::new("a\0b").run(move || sender.send(2).expect("somebody receives"));
        assert_eq!(receiver.recv(), Ok(2));
    });
}

#[test]
fn a_sender_that_waits_can_be_received_from_without_waiting() {
    on_both(|| {
        let (sender, receiver) = channel::bounded(0);
        let handle = thread::spawn(move || {
            sender.send(1).unwrap();
            sender.send_timeout(2, millis(20))
        });
        let first = loop {
            match receiver.try_recv() {
                Ok(first) => break first,
                Err(error) => assert_eq!(error, TryRecvError::Empty),
            }
            thread::sleep(millis(1));
        };
        assert_eq!(first, 1);
        // What could not be handed over in time is the sender's again.
        assert_eq!(handle.join().unwrap(), Err(SendTimeoutError::Timeout(2)));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    });
}

#[test]
fn a_receive_times_out_and_can_be_repeated() {
    on_both(|| {
        let (sender, receiver) = channel::unbounded::<u8>();
        let start = Instant::now();
        assert_eq!(receiver.recv_timeout(millis(10)), Err(RecvTimeoutError::Timeout));
        let deadline = start + millis(30);
        assert_eq!(receiver.recv_deadline(deadline), Err(RecvTimeoutError::Timeout));
        assert!(start.elapsed() >= millis(30));
        sender.send(9).unwrap();
        assert_eq!(receiver.recv_deadline(deadline), Ok(9));
        drop(sender);
        assert_eq!(receiver.recv_timeout(millis(10)), Err(RecvTimeoutError::Disconnected));
    });
}

#[test]
fn condition_variables_wake_and_time_out() {
    on_both(|| {
        let pair = Arc::new((Mutex::new(0), Condvar::new()));
        let waiters = [(); 3].map(|()| {
            let pair = pair.clone();
            thread::spawn(move || {
                let mut count = pair.0.lock();
                pair.1.wait_while(&mut count, |count| *count == 0);
                *count += 1;
            })
        });
        thread::sleep(millis(5));
        *pair.0.lock() = 1;
        pair.1.notify_all();
        for waiter in waiters {
            waiter.join().unwrap();
        }
        let mut count = pair.0.lock();
        assert_eq!(*count, 4);
        let start = Instant::now();
        let over = pair.1.wait_while_for(&mut count, |count| *count == 4, millis(20));
        assert!(over.timed_out());
        assert!(start.elapsed() >= millis(20));
    });
}

/// Who is killed on the real clock wakes up within a second, and stands in the queue until then.
#[test]
fn a_killed_waiter_passes_its_notification_on() {
    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let (waits, is_there) = channel::unbounded();
    let node = Node::new("server");
    let killed = node.spawn({
        let (pair, waits) = (pair.clone(), waits.clone());
        move || {
            let mut guard = pair.0.lock();
            waits.send(()).expect("somebody receives");
            loop {
                pair.1.wait(&mut guard);
            }
        }
    });
    // Who has the lock after this one waits.
    is_there.recv().expect("it comes");
    drop(pair.0.lock());
    let (sender, woken) = channel::bounded(1);
    // It belongs to no node, so nothing but a notification wakes it.
    std::thread::spawn({
        let pair = pair.clone();
        move || {
            let mut done = pair.0.lock();
            waits.send(()).expect("somebody receives");
            pair.1.wait_while(&mut done, |done| !*done);
            sender.send(()).expect("somebody receives");
        }
    });
    is_there.recv().expect("it comes");
    drop(pair.0.lock());

    node.kill();
    *pair.0.lock() = true;
    pair.1.notify_one();
    assert_eq!(woken.recv_timeout(Duration::from_secs(60)), Ok(()));
    assert!(killed.join().unwrap_err().is::<Killed>());
}

#[test]
fn a_node_dies_wherever_its_tasks_are() {
    on_both(|| {
        let node = Node::new("server");
        let dead = Arc::new(AtomicUsize::new(0));
        struct Death(Arc<AtomicUsize>);
        impl Drop for Death {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let death = || Death(dead.clone());
        let (never, wait) = channel::unbounded::<()>();
        let (mutex, condvar) = (Arc::new(Mutex::new(())), Arc::new(Condvar::new()));
        let mut handles = Vec::new();
        let d = death();
        handles.push(node.spawn(move || {
            let _death = d;
            let _ = wait.recv();
        }));
        let d = death();
        handles.push(node.spawn(move || {
            let _death = d;
            thread::sleep(Duration::from_secs(3600));
        }));
        let d = death();
        handles.push(node.spawn(move || {
            let _death = d;
            let mut guard = mutex.lock();
            loop {
                condvar.wait(&mut guard);
            }
        }));
        thread::sleep(millis(20));
        node.kill();
        for handle in handles {
            assert!(handle.join().unwrap_err().is::<Killed>());
        }
        assert_eq!(dead.load(Ordering::SeqCst), 3);
        assert!(node.enter(|| ()).is_err());
        drop(never);
    });
}

#[test]
fn a_task_dies_with_its_node_though_it_only_looks() {
    on_both(|| {
        let (flag, cell) = (Arc::new(AtomicBool::new(false)), Arc::new(OnceLock::<u32>::new()));
        let flag_is_set = move || flag.load(Ordering::SeqCst);
        let cell_is_set = move || cell.get().is_some();
        let looks: [Box<dyn Fn() -> bool + Send>; 2] =
            [Box::new(flag_is_set), Box::new(cell_is_set)];
        for look in looks {
            let node = Node::new("server");
            let (sender, receiver) = channel::unbounded();
            let task = node.spawn(move || {
                sender.send("it looks").expect("somebody receives");
                while !look() {
                    std::hint::spin_loop();
                }
            });
            assert_eq!(receiver.recv(), Ok("it looks"));
            node.kill();
            let ended = receiver.recv_timeout(Duration::from_secs(10));
            assert_eq!(ended, Err(RecvTimeoutError::Disconnected));
            assert!(task.join().unwrap_err().is::<Killed>());
        }
    });
}

#[test]
fn entering_a_node_ends_with_the_node_and_the_task_goes_on() {
    on_both(|| {
        let node = Node::new("server");
        assert_eq!(node.enter(|| Node::current().unwrap().name().to_string()), Ok("server".into()));
        assert!(Node::current().is_none());
        let killer = node.clone();
        thread::spawn(move || {
            thread::sleep(millis(10));
            killer.kill();
        });
        let start = Instant::now();
        assert!(node.enter(|| thread::sleep(Duration::from_secs(60))).is_err());
        assert!(start.elapsed() < Duration::from_secs(10));
        thread::sleep(millis(1));
    });
}

#[test]
fn a_pool_runs_its_tasks_side_by_side() {
    on_both(|| {
        let pool = thread::Pool::new("handler");
        let (sender, receiver) = channel::unbounded();
        for round in 0..3 {
            for n in 0..10 {
                let sender = sender.clone();
                pool.run(move || {
                    thread::sleep(millis(10));
                    sender.send(round * 10 + n).unwrap();
                });
            }
            let start = Instant::now();
            let mut got: Vec<i32> = (0..10).map(|_| receiver.recv().unwrap()).collect();
            got.sort_unstable();
            assert_eq!(got, (round * 10..round * 10 + 10).collect::<Vec<_>>());
            assert!(start.elapsed() < millis(100), "ten sleeps of 10 ms overlap");
        }
    });
}

#[test]
fn moments_can_be_compared_and_computed_with() {
    on_both(|| {
        let start = Instant::now();
        assert!(start.checked_sub(Duration::from_secs(3600)).is_some());
        thread::sleep(millis(10));
        let later = Instant::now();
        assert!(later >= start + millis(10));
        assert_eq!(start.duration_since(later), Duration::ZERO);
        thread::sleep_until(later - millis(5));
        thread::sleep_until(later + millis(5));
        assert!(later.elapsed() >= millis(5));
    });
}

/// Else a loop up to a moment of the other clock would end at once, or never.
#[test]
fn moments_of_two_clocks_are_not_compared() {
    let real = Instant::now();
    let failure = labrt::simulate(1, move || Instant::now() < real).expect_err("they differ");
    assert!(failure.to_string().contains("one moment is of the real clock"), "{failure}");
    assert!(failure.to_string().contains("both_clocks.rs"), "{failure}");
}

#[test]
fn moments_of_two_simulated_worlds_are_not_compared() {
    let now = || labrt::simulate(1, Instant::now).expect("it only looks").value;
    let (one, other) = (now(), now());
    assert_ne!(one, other);
    // What is written of a moment depends on the seed alone.
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
    let failure_of = |look: fn(Instant)| {
        labrt::simulate(1, move || look(other)).expect_err("it is of another world").to_string()
    };
    let compares: [fn(Instant); 3] = [
        |other| _ = Instant::now() < other,
        |other| _ = Instant::now() - other,
        |other| _ = other.elapsed(),
    ];
    for compares in compares {
        let words = failure_of(compares);
        assert!(words.contains("both_clocks.rs"), "{words}");
        assert!(words.contains("the two moments are of different simulated worlds"), "{words}");
    }
    let words = failure_of(thread::sleep_until);
    assert!(words.contains("a deadline of another simulated world"), "{words}");
    // In its own world it stays what it was, also if another one is run within.
    let outer = labrt::simulate(2, || {
        let before = Instant::now();
        labrt::simulate(3, || thread::sleep(millis(5))).expect("it only sleeps");
        before.elapsed()
    });
    assert_eq!(outer.expect("one clock").value, Duration::ZERO);
}

#[test]
fn a_channel_of_the_real_clock_does_not_block_a_simulated_world() {
    let (sender, receiver) = channel::bounded::<u8>(1);
    let receives = {
        let receiver = receiver.clone();
        move || _ = receiver.recv()
    };
    let sends = move || (0..2).for_each(|message| _ = sender.send(message));
    for (what, failure) in [
        ("a receive", labrt::simulate(1, receives).expect_err("nobody sends")),
        ("a send", labrt::simulate(1, sends).expect_err("nobody receives")),
    ] {
        let words = failure.to_string();
        assert!(words.contains(&format!("{what} at labrt/tests/both_clocks.rs")), "{words}");
        assert!(words.contains("its channel was made outside"), "{words}");
    }
    assert_eq!(receiver.len(), 1, "what needs not wait is done");
}

#[test]
fn a_panic_in_a_real_task_fails_its_world() {
    let failure = Builder::real()
        .run(|| {
            thread::Builder::new().name("applier").spawn(|| panic!("out of order {}", 7));
            thread::sleep(Duration::from_secs(60));
        })
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Panic);
    assert_eq!(failure.task.as_deref(), Some("task `applier`"));
    assert_eq!(failure.message, "out of order 7");
    assert!(failure.location.as_deref().unwrap().contains("both_clocks.rs:"));
}

/// What a task has caught before is something else.
#[test]
fn a_panic_that_began_nowhere_has_no_place() {
    fn catch_and_panic() {
        let _ = catch_unwind(|| panic!("this is caught"));
        resume_unwind(Box::new("this is not"));
    }
    for builder in [Builder::simulated(1), Builder::real()] {
        let failure = builder.run(catch_and_panic).expect_err("it panics");
        assert_eq!((&*failure.message, failure.location), ("this is not", None));
    }
}

#[test]
fn a_panic_ends_a_real_world_wherever_its_main_task_is() {
    let began = std::time::Instant::now();
    let failure = Builder::real().run(|| {
        thread::spawn(|| panic!("on purpose"));
        // Not labrt's: nothing ends it.
        std::thread::sleep(Duration::from_secs(600));
    });
    let failure = failure.expect_err("a task has panicked");
    assert_eq!((failure.kind, &*failure.message), (FailureKind::Panic, "on purpose"));
    assert!(began.elapsed() < Duration::from_secs(300), "{:?}", began.elapsed());
}

#[test]
fn a_failure_on_the_real_clock_counts_the_tasks_that_do_not_end() {
    let left = |tasks: usize| {
        let failure = Builder::real().run(move || {
            let (sender, there) = channel::unbounded::<()>();
            for _ in 0..tasks {
                let sender = sender.clone();
                thread::spawn(move || {
                    drop(sender);
                    // Not labrt's: nothing ends it.
                    std::thread::sleep(Duration::from_secs(600));
                });
            }
            thread::spawn(|| thread::sleep(Duration::from_secs(600)));
            drop(sender);
            assert_eq!(there.recv(), Err(channel::RecvError));
            panic!("on purpose");
        });
        failure.expect_err("a task has panicked").details
    };
    let words =
        "not ended within 3 s: on the real clock, what makes no call into labrt cannot be ended";
    assert_eq!(left(0), Vec::<String>::new());
    assert_eq!(left(1), [format!("1 task has {words}")]);
    assert_eq!(left(2), [format!("2 tasks have {words}")]);
}

#[test]
fn a_real_world_has_a_time_limit_and_ends_its_threads() {
    let alive = Arc::new(());
    let inside = alive.clone();
    let start = std::time::Instant::now();
    let failure = Builder::real()
        .time_limit(millis(100))
        .run(move || {
            let kept = inside.clone();
            thread::spawn(move || {
                let _kept = kept;
                loop {
                    thread::sleep(millis(10));
                }
            });
            let _kept = inside;
            thread::sleep(Duration::from_secs(3600));
        })
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::TimeLimit);
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(Arc::strong_count(&alive), 1, "no thread of the world is left");
}

#[test]
fn outside_a_world_everything_works_as_usual() {
    let (sender, receiver) = channel::unbounded();
    let handle = thread::spawn(move || sender.send(Instant::now()));
    handle.join().unwrap().unwrap();
    assert!(receiver.recv().unwrap().elapsed() < Duration::from_secs(60));
    assert!(!labrt::world::is_simulated());
    assert!(labrt::world::local::<Mutex<u8>>().is_none());
    assert!(thread::spawn(|| panic!("only the joiner hears of it")).join().is_err());
}

/// Only on the real clock are threads used again.
#[test]
fn a_job_is_done_also_if_the_end_of_the_one_before_it_panics() {
    let pool = thread::Pool::new("handler");
    pool.run_with_end(
        || (),
        |()| {
            thread::sleep(millis(200)); // the next job is on its way to this thread meanwhile
            panic!("at the end of a job");
        },
    );
    thread::sleep(millis(50));
    let (sender, receiver) = channel::bounded(1);
    pool.run(move || sender.send(1).expect("somebody waits"));
    assert_eq!(receiver.recv_timeout(Duration::from_secs(60)), Ok(1));
}
