//! Tasks that are being unwound, by a kill or a panic, wait in their destructors as any task does.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use labrt::sync::{Arc, Mutex};
use labrt::time::Instant;
use labrt::world::Builder;
use labrt::{FailureKind, Node, SwitchBy, channel, simulate, thread};

use crate::{NEVER, millis};

const BOTH: [SwitchBy; 2] = [SwitchBy::Coroutines, SwitchBy::Threads];

/// Does this when it is dropped.
struct Last<F: FnMut()>(F);

impl<F: FnMut()> Drop for Last<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A task of a new node that does this when it is killed.
fn whose_end_is(last: impl FnMut() + Send + 'static) -> Node {
    let (node, last) = (Node::new("n"), Last(last));
    node.spawn(move || {
        let _last = last;
        thread::sleep(NEVER);
    });
    thread::sleep(millis(10));
    node
}

#[test]
fn a_lock_that_a_destructor_waits_for_is_got_whatever_is_killed_meanwhile() {
    let got = simulate(1, || {
        let (lock, got) = (Arc::new(Mutex::new(())), Arc::new(Mutex::new(false)));
        let (locks, gets) = (lock.clone(), got.clone());
        let node = whose_end_is(move || {
            let _guard = locks.lock();
            *gets.lock() = true;
        });
        let guard = lock.lock();
        for _ in 0..3 {
            node.kill(); // from the second time on it waits already
            thread::sleep(millis(10));
        }
        assert!(!*got.lock());
        drop(guard);
        thread::sleep(millis(10));
        *got.lock()
    });
    assert!(got.expect("nothing fails").value);
}

#[test]
fn messages_and_time_are_waited_for_as_ever() {
    let seen = simulate(1, || {
        let (sender, receiver) = channel::unbounded();
        let (taken, takes) = channel::bounded(0);
        let (sees, seen) = channel::unbounded();
        let node = whose_end_is(move || {
            let began = Instant::now();
            thread::sleep(millis(5000));
            let received: Result<u32, _> = receiver.recv();
            sees.send((began.elapsed() >= millis(5000), received, taken.send(8)))
                .expect("somebody waits");
        });
        for _ in 0..3 {
            node.kill();
            thread::sleep(millis(10));
        }
        thread::sleep(millis(6000));
        node.kill();
        thread::sleep(millis(10));
        sender.send(7).expect("it receives");
        thread::sleep(millis(10));
        node.kill();
        thread::sleep(millis(10));
        assert_eq!(takes.recv(), Ok(8));
        seen.recv().expect("it has seen all")
    });
    assert_eq!(seen.expect("nothing fails").value, (true, Ok(7), Ok(())));
}

#[test]
fn a_world_ends_while_a_destructor_waits_for_what_another_task_has() {
    for seed in 0..20 {
        let outcome = simulate(seed, || {
            let lock = Arc::new(Mutex::new(()));
            let (locks, held) = (lock.clone(), lock);
            let node = whose_end_is(move || drop(locks.lock()));
            thread::spawn(move || {
                let _held = held.lock();
                thread::sleep(NEVER);
            });
            thread::sleep(millis(10));
            node.kill();
            thread::sleep(millis(10));
        });
        outcome.expect("nothing fails");
    }
}

#[test]
fn a_value_that_nobody_joins_is_dropped_within_its_task() {
    for by in BOTH {
        let failed = Builder::simulated(1).switch_by(by).run(|| {
            drop(thread::spawn(|| Last(|| panic!("in the destructor of a value"))));
            thread::sleep(millis(10));
        });
        let failure = failed.expect_err("a task has panicked");
        assert_eq!(failure.kind, FailureKind::Panic);
        assert_eq!(failure.message, "in the destructor of a value");
        // It can be killed there, too, and the world can end.
        let killed = Builder::simulated(1).switch_by(by).run(|| {
            let (lock, node) = (Arc::new(Mutex::new(())), Node::new("n"));
            let (locks, guard) = (lock.clone(), lock.lock());
            drop(node.spawn(move || Last(move || drop(locks.lock()))));
            drop(thread::spawn(|| Last(|| thread::sleep(millis(50)))));
            thread::sleep(millis(10));
            node.kill();
            drop(guard);
            thread::sleep(millis(10));
        });
        killed.expect("nothing fails");
    }
}

#[test]
fn a_lock_is_not_missed_by_a_killed_task_that_has_caught_a_panic() {
    let micros = Duration::from_micros;
    for seed in 0..20 {
        let outcome = simulate(seed, move || {
            let (node, lock) = (Node::new("n"), Arc::new(Mutex::new(0)));
            // For 100 ms somebody is being unwound by a panic that it will catch.
            let slow = thread::spawn(|| {
                let unwinds = || {
                    let _last = Last(|| thread::sleep(millis(100)));
                    panic!("this one is caught");
                };
                let _ = catch_unwind(AssertUnwindSafe(unwinds));
            });
            let held = lock.clone();
            let holder = thread::spawn(move || {
                let _held = held.lock();
                thread::sleep(micros(5500));
            });
            thread::sleep(micros(100));
            let waiter = node.spawn(move || {
                let _ = catch_unwind(|| panic!("this one, too"));
                thread::sleep(millis(10));
                *lock.lock() += 1; // it has been free for long
            });
            thread::sleep(micros(2900));
            node.kill();
            let _ = waiter.join();
            slow.join().and(holder.join()).expect("both end by themselves");
        });
        outcome.expect("nobody waits for ever");
    }
}

#[test]
fn a_main_task_that_passes_on_the_end_of_a_killed_one_has_failed() {
    let main = || {
        let node = whose_end_is(|| ());
        let task = node.spawn(|| thread::sleep(NEVER));
        node.kill();
        task.join().unwrap_or_else(|payload| resume_unwind(payload));
    };
    for builder in [Builder::simulated(1), Builder::real()] {
        let failure = builder.run(main).expect_err("it was killed");
        assert_eq!(failure.message, "the main task was killed");
    }
}

#[test]
fn whoever_waits_for_room_learns_first_that_nobody_receives() {
    /// Waits for somebody else when it is dropped.
    struct Message(Option<channel::Receiver<()>>);
    impl Drop for Message {
        fn drop(&mut self) {
            let _ = self.0.take().map(|ended| ended.recv());
        }
    }
    let refused = simulate(1, || {
        let (sender, receiver) = channel::bounded(1);
        let (ends, ended) = channel::unbounded();
        sender.send(Message(Some(ended))).expect("there is room");
        let second = thread::spawn(move || {
            let _ends = ends;
            sender.send(Message(None)).is_err()
        });
        thread::sleep(millis(20));
        drop(receiver);
        second.join().expect("it ends")
    });
    assert!(refused.expect("nobody waits for ever").value);
}

#[test]
fn a_task_is_joined_in_its_own_world_or_when_it_has_ended() {
    let (gives, given) = std::sync::mpsc::channel();
    let (joined, has_joined) = std::sync::mpsc::channel();
    let guest = std::thread::spawn(move || {
        let task: thread::JoinHandle<u32> = given.recv().expect("it is given");
        assert!(!task.is_finished());
        let early = catch_unwind(AssertUnwindSafe(|| task.join()));
        joined.send(()).expect("the world waits");
        let task: thread::JoinHandle<u32> = given.recv().expect("it is given");
        (early.is_err(), task.join().expect("it has a value"))
    });
    let outcome = simulate(1, move || {
        let slow = || {
            thread::spawn(|| {
                thread::sleep(millis(100));
                5
            })
        };
        gives.send(slow()).expect("the guest waits");
        has_joined.recv().expect("the guest is there");
        let (ended, of_another) = (slow(), slow());
        // A world within this one is another world, too.
        let inner =
            simulate(2, move || catch_unwind(AssertUnwindSafe(|| of_another.join())).is_err());
        thread::sleep(millis(200));
        gives.send(ended).expect("the guest waits");
        inner.expect("nothing fails").value
    });
    assert!(outcome.expect("nothing fails").value);
    assert_eq!(guest.join().expect("it ends"), (true, 5));
}
