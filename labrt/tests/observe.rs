//! Looking at a world without taking part in it, and what is found out about locks on the way.

use std::sync::Arc;
use std::time::Duration;

use labrt::observe::{self, Cause};
use labrt::sync::{Condvar, Mutex, RwLock};
use labrt::world::Builder;
use labrt::{Failure, FailureKind, Node, channel, simulate, thread};

fn cause(n: u64) -> Option<Cause> {
    Cause::new(n)
}

/// Runs `main` beside a task that has something to do for ever, so that not everything waits.
fn beside_a_busy_task(main: impl FnOnce() + Send + 'static) -> Box<Failure> {
    let outcome = Builder::simulated(1).time_limit(Duration::from_secs(60)).run(|| {
        thread::spawn(|| {
            loop {
                thread::sleep(Duration::from_millis(10));
            }
        });
        main();
    });
    outcome.expect_err("it deadlocks")
}

#[test]
fn a_task_that_takes_its_own_lock_is_found_at_once_though_others_go_on() {
    let failure = beside_a_busy_task(|| {
        let lock = Mutex::new(0);
        let _guard = lock.lock();
        let _again = lock.lock();
    });
    assert_eq!(failure.kind, FailureKind::Deadlock);
    assert_eq!(failure.time, Duration::ZERO);
    assert_eq!(failure.message, "task `main` waits for itself and will never go on");
    let location = failure.location.as_deref().expect("a place");
    assert!(location.starts_with("labrt/tests/observe.rs:") || location.contains("observe.rs:"));
}

#[test]
fn two_tasks_that_wait_for_each_other_are_found_though_others_go_on() {
    let failure = beside_a_busy_task(|| {
        let locks = Arc::new((Mutex::new(0), RwLock::new(0)));
        let same = locks.clone();
        let node = Node::new("server 1");
        let other = node.spawn(move || {
            let _read = same.1.read();
            thread::sleep(Duration::from_millis(5));
            let _first = same.0.lock();
        });
        let _first = locks.0.lock();
        thread::sleep(Duration::from_millis(7));
        // A second reader changes nothing.
        let _read = locks.1.read();
        drop(_read);
        let _write = locks.1.write();
        other.join().expect("never comes to it");
    });
    assert_eq!(failure.kind, FailureKind::Deadlock);
    assert_eq!(failure.time, Duration::from_millis(7));
    let text = failure.to_string();
    assert!(
        text.contains("of server 1 -> task `main`") || text.contains("task `main` -> "),
        "{text}"
    );
    assert!(text.contains("waits for a RwLock (to write) of i32"), "{text}");
    assert!(text.contains("waits for a Mutex of i32"), "{text}");
}

#[test]
fn a_task_that_joins_who_wants_its_lock_is_found() {
    let failure = beside_a_busy_task(|| {
        let lock = Arc::new(Mutex::new(0));
        let guard = lock.lock();
        let same = lock.clone();
        let other = thread::spawn(move || *same.lock());
        other.join().expect("never comes to it");
        drop(guard);
    });
    assert_eq!(failure.kind, FailureKind::Deadlock);
    assert!(failure.to_string().contains("waits for the end of a task"), "{failure}");
}

#[test]
fn a_wait_with_a_limit_is_no_deadlock() {
    let waited = simulate(1, || {
        let locks = Arc::new((Mutex::new(0), Mutex::new(0)));
        let same = locks.clone();
        let other = thread::spawn(move || {
            let _second = same.1.lock();
            thread::sleep(Duration::from_millis(5));
            same.0.try_lock_for(Duration::from_millis(50)).is_none()
        });
        thread::sleep(Duration::from_millis(1));
        let first = locks.0.lock();
        let _second = locks.1.lock();
        drop(first);
        other.join().expect("it gives up")
    });
    assert!(waited.expect("nobody waits for ever").value);
}

#[test]
fn a_failure_shows_who_has_long_waited_for_a_lock() {
    let failure = simulate(1, || {
        let lock = Arc::new(Mutex::new(0));
        let same = lock.clone();
        let _guard = lock.lock();
        thread::sleep(Duration::from_millis(250));
        Node::new("server 2").spawn(move || drop(same.lock()));
        thread::sleep(Duration::from_millis(900));
        assert_eq!(observe::waits_for_locks(Duration::from_secs(1)), Vec::<String>::new());
        thread::sleep(Duration::from_millis(600));
        panic!("no agreement");
    });
    let text = failure.expect_err("it panics").to_string();
    assert!(text.contains("of server 2 waits for a Mutex of i32 at "), "{text}");
    assert!(text.contains(" since 0.250 s, held by task `main` (taken at "), "{text}");
}

#[test]
fn causes_travel_with_tasks_messages_and_notifications() {
    simulate(3, || {
        assert_eq!(observe::cause(), None);
        observe::set_cause(cause(7));
        assert_eq!(thread::spawn(observe::cause).join().expect("it ends"), cause(7));

        let (sender, receiver) = channel::unbounded();
        sender.send(()).expect("it is open");
        observe::set_cause(cause(8));
        receiver.recv().expect("it is there");
        assert_eq!(observe::cause(), cause(7), "the sender's, at the time of sending");

        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let same = shared.clone();
        let waiter = thread::spawn(move || {
            same.1.wait_while(&mut same.0.lock(), |ready| !*ready);
            observe::cause()
        });
        thread::sleep(Duration::from_millis(1));
        assert_eq!(observe::cause(), None, "a timer was the cause");
        observe::with_cause(cause(9), || {
            *shared.0.lock() = true;
            shared.1.notify_all();
        });
        assert_eq!(observe::cause(), None);
        assert_eq!(waiter.join().expect("it ends"), cause(9));
    })
    .expect("nothing fails");
}

/// Who holds a lock lets others wait if tasks of another kind have wanted it before it was taken.
#[test]
fn locks_that_several_kinds_of_tasks_want_are_remembered() {
    simulate(5, || {
        let lock = Arc::new(Mutex::new(0));
        let shared = Arc::new(RwLock::new(0));
        let both = || {
            let (_one, _other) = (lock.lock(), shared.read());
            observe::held_locks_of_several().len()
        };
        assert_eq!(both(), 0);
        let guard = shared.write();
        let other = {
            let shared = shared.clone();
            thread::spawn(move || drop(shared.read()))
        };
        thread::sleep(Duration::from_millis(1));
        // It wants the lock, and has not got it. The one that is held was taken before.
        assert!(observe::held_locks_of_several().is_empty());
        drop(guard);
        other.join().expect("it ends");
        assert_eq!(both(), 1);
        observe::as_handler(|| assert!(lock.try_lock().is_some()));
        assert_eq!(both(), 2);
        // Two locks are told apart, and which of them a handler has wanted.
        let (_one, _other) = (lock.lock(), shared.read());
        let held = observe::held_locks_of_several();
        assert_ne!(held[0].lock, held[1].lock);
        assert_eq!(held.iter().map(|held| held.by_handler).collect::<Vec<_>>(), [true, false]);
        drop((_one, _other));
        let again = shared.read();
        assert_eq!(observe::held_locks_of_several()[0].lock, held[1].lock);
        drop(again);
        // Shares of a lock keep nobody waiting until somebody wants it for himself.
        let read = RwLock::new(0);
        let is_harmless = || {
            let _share = observe::as_handler(|| read.read());
            observe::held_locks_of_several()[0].harmless
        };
        assert!(!held[0].harmless && !held[1].harmless && is_harmless());
        drop(read.write());
        assert!(!is_harmless());
        // Whoever is no handler any more is none; and several that are started at one place are of one kind.
        let third = Arc::new(Mutex::new(0));
        let counts = (0..2).map(|_| {
            let third = third.clone();
            let holds = move || {
                let _guard = third.lock();
                observe::held_locks_of_several().len()
            };
            thread::spawn(holds).join().expect("it ends")
        });
        assert_eq!(counts.sum::<usize>(), 0);
    })
    .expect("nothing fails");
}

#[test]
fn looking_is_no_step() {
    let run = |look: bool| {
        let outcome = simulate(5, move || {
            let lock = Arc::new(Mutex::new(0));
            let tasks: Vec<_> = (0..4)
                .map(|n| {
                    let lock = lock.clone();
                    thread::spawn(move || {
                        for _ in 0..50 {
                            let mut guard = lock.lock();
                            if look {
                                observe::set_cause(cause(n + 1));
                                assert!(observe::held_locks_of_several().is_empty());
                                assert!(observe::elapsed().is_some());
                                observe::waits_for_locks(Duration::ZERO);
                            }
                            *guard += 1;
                            drop(guard);
                            thread::sleep(Duration::from_micros(n * 3 + 1));
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.join().expect("it ends");
            }
        });
        outcome.expect("nothing fails").trace.expect("it is simulated")
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn forced_switches_can_be_limited() {
    let run = |most| {
        let outcome = Builder::simulated(5).forced_switches(most).run(|| {
            let tasks: Vec<_> = (0..4)
                .map(|_| thread::spawn(|| (0..100).for_each(|_| drop(Mutex::new(0).lock()))))
                .collect();
            tasks.into_iter().for_each(|task| task.join().expect("it ends"));
        });
        outcome.expect("nothing fails").trace.expect("it is simulated").forced_switches
    };
    let all = run(u64::MAX);
    assert!(all > 5, "{all}");
    assert_eq!(run(0), 0);
    assert_eq!(run(3), 3);
    assert_eq!(run(all), all);
}

#[test]
fn on_the_real_clock_causes_travel_to_started_tasks() {
    let outcome = Builder::real().run(|| {
        observe::set_cause(cause(7));
        assert!(observe::elapsed().is_some());
        thread::spawn(observe::cause).join().expect("it ends")
    });
    assert_eq!(outcome.expect("nothing fails").value, cause(7));
    assert_eq!(observe::elapsed(), None);
}

#[test]
fn a_task_that_is_unwound_does_not_make_others_look_so() {
    struct Waits(Arc<Mutex<Vec<bool>>>);
    impl Drop for Waits {
        fn drop(&mut self) {
            self.0.lock().push(observe::is_unwinding());
            thread::sleep(Duration::from_millis(2));
        }
    }
    let seen = simulate(1, || {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let node = Node::new("server 1");
        let in_task = seen.clone();
        node.spawn(move || {
            let _waits = Waits(in_task);
            thread::sleep(Duration::from_secs(60));
        });
        thread::sleep(Duration::from_millis(1));
        node.kill();
        thread::sleep(Duration::from_millis(1));
        // The other task is in the middle of its destructor.
        let others = observe::is_unwinding();
        let mut seen = seen.lock().clone();
        seen.push(others);
        seen
    });
    assert_eq!(seen.expect("nothing fails").value, [true, false]);
}

#[test]
fn who_has_caught_a_panic_is_not_unwound_any_more() {
    let seen = simulate(1, || {
        let caught = std::panic::catch_unwind(|| panic!("on purpose")).is_err();
        (caught, observe::is_unwinding())
    });
    assert_eq!(seen.expect("the panic was caught").value, (true, false));
}

#[test]
fn what_the_tasks_of_a_node_wait_for_is_told() {
    let outcome = simulate(1, || {
        let lock = Arc::new(Mutex::new(0u8));
        let guard = lock.lock();
        let node = Node::new("server 1");
        thread::sleep(Duration::from_millis(250));
        for _ in 0..12 {
            node.spawn(|| thread::sleep(Duration::from_secs(9)));
        }
        for _ in 0..3 {
            let same = lock.clone();
            node.spawn(move || drop(same.lock()));
        }
        for _ in 0..3 {
            node.spawn(|| {
                let (_sender, receiver) = channel::bounded::<u8>(0);
                let _ = receiver.recv_timeout(Duration::from_secs(9));
            });
        }
        let (sender, _receiver) = channel::bounded::<u8>(0);
        node.spawn(move || {
            let _ = sender.send(1);
        });
        Node::new("server 2").spawn(|| thread::sleep(Duration::from_secs(9)));
        thread::sleep(Duration::from_secs(2));
        assert_eq!(observe::waits_of("server 1", Duration::from_secs(3)), Vec::<String>::new());
        let waits = observe::waits_of("server 1", Duration::from_secs(2));
        // What may hold up others comes first; those that are alike are one line.
        let [one, sends, crowd, few] = &waits[..] else { panic!("{waits:?}") };
        assert!(one.contains("of server 1 waits for a Mutex of u8 at "), "{one}");
        assert!(one.contains("since 0.250 s, held by task `main` (taken at "), "{one}");
        assert!(one.ends_with("; 2 more wait alike"), "{one}");
        assert!(sends.contains(" waits for room in a channel of u8 at "), "{sends}");
        assert!(crowd.starts_with("12 tasks started at "), "{crowd}");
        assert!(few.starts_with("3 tasks started at ") && few.ends_with(" (of server 1)"), "{few}");
        drop(guard);
    });
    outcome.expect("nothing fails");
}
