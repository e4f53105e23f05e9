//! What tasks hold is dropped when they end, whatever they are doing.

use std::panic::catch_unwind;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use labrt::sync::atomic::Ordering;
use labrt::sync::{Arc, Condvar, Mutex};
use labrt::world::Builder;
use labrt::{Node, SwitchBy, channel, simulate, thread};

use crate::{NEVER, Nosy, millis};

/// A task in each state there is: about to begin, able to go on, blocked on each kind of thing, and
/// some that are started while others are dropped.
fn tasks_in_every_state(first: &Nosy, node: &Node) {
    let spawn = |body: Box<dyn FnOnce() + Send>| {
        let nosy = Nosy::new(first);
        node.spawn(move || {
            let _nosy = nosy;
            body();
        })
    };
    let lock = Arc::new(Mutex::new(()));
    let (held, condvar) = (lock.clone(), Arc::new(Condvar::new()));
    spawn(Box::new(move || {
        let mut guard = held.lock();
        condvar.wait_for(&mut guard, NEVER);
        let _held = guard;
        thread::sleep(NEVER);
    }));
    spawn(Box::new(move || drop(lock.lock())));
    let (sender, receiver) = channel::bounded::<Nosy>(1);
    let queued = Nosy::new(first);
    spawn(Box::new(move || {
        let another = Nosy::new(&queued);
        let _ = sender.send(queued);
        let _ = sender.send(another);
    }));
    let sleeper = spawn(Box::new(move || {
        let _receiver = receiver;
        thread::sleep(NEVER);
    }));
    spawn(Box::new(move || drop(sleeper.join())));
    spawn(Box::new(|| {
        loop {
            thread::yield_now();
            thread::sleep(Duration::from_micros(10));
        }
    }));
    thread::sleep(millis(1));
    spawn(Box::new(|| ()));
}

#[derive(Clone, Copy, Debug)]
enum End {
    Return,
    Kill,
    Panic,
    PanicInDestructor,
}

#[test]
fn no_destructor_is_lost_or_hangs_wherever_its_task_stands() {
    struct Again;
    impl Drop for Again {
        fn drop(&mut self) {
            let caught = catch_unwind(|| panic!("the second panic, which is caught"));
            assert!(caught.is_err());
            thread::yield_now();
        }
    }
    for by in [SwitchBy::Coroutines, SwitchBy::Threads] {
        for end in [End::Return, End::Kill, End::Panic, End::PanicInDestructor] {
            for seed in 0..60 {
                let alive = Arc::new(AtomicUsize::new(0));
                let count = alive.clone();
                let outcome = Builder::simulated(seed).switch_by(by).run(move || {
                    let first = Nosy::first(&count);
                    let node = Node::new("n");
                    tasks_in_every_state(&first, &node);
                    match end {
                        End::Return => {}
                        End::Kill => node.kill(),
                        End::Panic => panic!("on purpose"),
                        End::PanicInDestructor => {
                            let _again = Again;
                            panic!("on purpose");
                        }
                    }
                });
                let what = format!("{by:?}, {end:?}, seed {seed}");
                match (end, outcome) {
                    (End::Return | End::Kill, Ok(_)) => {}
                    (End::Panic | End::PanicInDestructor, Err(failure)) => {
                        assert_eq!(failure.message, "on purpose", "{what}");
                        let place = failure.location.unwrap();
                        assert!(place.contains("endings/destructors.rs"), "{what}: {place}");
                    }
                    (_, Ok(_)) => panic!("{what}: it must fail"),
                    (_, Err(failure)) => panic!("{what}: {failure}"),
                }
                assert_eq!(alive.load(Ordering::SeqCst), 0, "{what}");
            }
        }
    }
}

#[test]
fn what_a_task_was_given_is_dropped_whole_though_it_never_began() {
    struct Closing(Arc<Mutex<Vec<&'static str>>>);
    impl Drop for Closing {
        fn drop(&mut self) {
            thread::sleep(millis(10));
            self.0.lock().push("closed");
        }
    }
    for seed in 0..50 {
        let outcome = simulate(seed, || {
            let log = Arc::new(Mutex::new(Vec::new()));
            let node = Node::new("n");
            node.kill();
            let closing = Closing(log.clone());
            let task = node.spawn(move || {
                let _closing = closing;
                unreachable!("its node is dead");
            });
            assert!(task.join().unwrap_err().is::<labrt::Killed>());
            log.lock().clone()
        });
        assert_eq!(outcome.unwrap().value, ["closed"], "seed {seed}");
    }
}
