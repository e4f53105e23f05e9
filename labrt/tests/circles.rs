//! Circles of waiting tasks that go over a full channel.

use std::sync::Arc;
use std::time::Duration;

use labrt::channel::{self, Receiver};
use labrt::sync::Mutex;
use labrt::{Failure, FailureKind, simulate, thread};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Has a task send two messages with a lock held; each is answered by `take` with that lock at hand.
/// Meanwhile others go on for ever.
fn send_locked(
    seed: u64,
    capacity: usize,
    receive: fn(&Receiver<u8>, &Mutex<()>),
) -> Result<(), Box<Failure>> {
    let run = simulate(seed, move || {
        let (sender, receiver) = channel::bounded(capacity);
        let lock = Arc::new(Mutex::new(()));
        let other = lock.clone();
        thread::Builder::new().name("ticker").spawn(|| {
            loop {
                thread::sleep(millis(10));
            }
        });
        thread::Builder::new().name("applier").spawn(move || {
            let _guard = other.lock();
            (0..4).for_each(|message| sender.send(message).expect("somebody receives"));
        });
        receive(&receiver, &lock);
    });
    run.map(|_| ())
}

#[test]
fn a_send_with_a_lock_that_the_receiver_wants_is_a_circle() {
    for capacity in [0, 1] {
        for seed in 0..50 {
            let failure = send_locked(seed, capacity, |receiver, lock| {
                for _ in 0..4 {
                    receiver.recv().expect("somebody sends");
                    drop(lock.lock());
                }
            });
            let failure = failure.expect_err("they wait for each other");
            assert_eq!(failure.kind, FailureKind::Deadlock, "{failure}");
            assert!(failure.time < Duration::from_secs(2), "{failure}");
            let text = failure.to_string();
            for part in [
                "tasks wait for each other in a circle",
                "task `applier` waits for room in a channel of u8 at ",
                ", which task `main` receives from, while it holds the lock it took at ",
                "task `main` waits for a Mutex of () at ",
                "held by task `applier` (taken at ",
            ] {
                assert!(text.contains(part), "`{part}` is not in: {text}");
            }
        }
    }
}

#[test]
fn a_receiver_that_comes_back_in_time_makes_no_circle() {
    // It wants the lock only for so long.
    let run = send_locked(1, 0, |receiver, lock| {
        for _ in 0..4 {
            receiver.recv().expect("somebody sends");
            let _ = lock.try_lock_for(millis(1500));
        }
    });
    run.expect("nobody waits without limit");
}

#[test]
fn another_task_with_the_receiver_makes_no_circle() {
    let outcome = simulate(1, || {
        let (sender, receiver) = channel::bounded(0);
        let (receiver, lock) = (Arc::new(receiver), Arc::new(Mutex::new(())));
        let (other, wanted) = (receiver.clone(), lock.clone());
        let first = thread::spawn(move || {
            other.recv().expect("somebody sends");
            drop(wanted.lock());
        });
        thread::spawn(move || {
            thread::sleep(millis(500));
            receiver.iter().count()
        });
        let guard = lock.lock();
        (0..3).for_each(|message| sender.send(message).expect("somebody receives"));
        drop(guard);
        first.join().expect("it gets the lock in the end");
    });
    outcome.expect("the second task receives what the first one does not");
}

/// It received once, and then gave the receiver to somebody else, who takes its time.
#[test]
fn a_task_that_was_started_since_may_have_the_receiver() {
    for seed in 0..20 {
        let outcome = simulate(seed, || {
            let (sender, receiver) = channel::bounded(0);
            let lock = Arc::new(Mutex::new(()));
            let held = lock.clone();
            let applier = thread::spawn(move || {
                sender.send(0).expect("somebody receives");
                let _guard = held.lock();
                (1..4).for_each(|message| sender.send(message).expect("somebody receives"));
            });
            receiver.recv().expect("somebody sends");
            let reader = thread::spawn(move || {
                thread::sleep(millis(3000));
                receiver.iter().count()
            });
            thread::sleep(millis(100));
            drop(lock.lock());
            applier.join().expect("all is received");
            assert_eq!(reader.join().expect("it ends"), 3);
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
}
