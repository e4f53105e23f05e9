//! What a world that ends does to its tasks, and what is left of it.

use std::time::Duration;

use labrt::sync::atomic::Ordering;
use labrt::sync::{Arc, Condvar, Mutex};
use labrt::world::Builder;
use labrt::{FailureKind, Node, SwitchBy, channel, simulate, thread};

use crate::millis;

/// Counts how many are alive.
struct Tracked(Arc<std::sync::atomic::AtomicUsize>);

impl Tracked {
    fn new(count: &Arc<std::sync::atomic::AtomicUsize>) -> Tracked {
        count.fetch_add(1, Ordering::SeqCst);
        Tracked(count.clone())
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn every_way_to_end_runs_all_destructors() {
    for by in [SwitchBy::Coroutines, SwitchBy::Threads] {
        for fails in [false, true] {
            for seed in 0..20 {
                let alive = Arc::new(std::sync::atomic::AtomicUsize::new(0));
                let count = alive.clone();
                let outcome = Builder::simulated(seed).switch_by(by).run(move || {
                    leave_tasks_behind(&count);
                    thread::sleep(millis(20));
                    assert!(!fails, "on purpose");
                });
                assert_eq!(outcome.is_err(), fails);
                assert_eq!(alive.load(Ordering::SeqCst), 0, "{by:?}, seed {seed}");
            }
        }
    }
}

/// Tasks blocked in every way there is.
fn leave_tasks_behind(count: &Arc<std::sync::atomic::AtomicUsize>) {
    let lock = Arc::new(Mutex::new(()));
    let never = Arc::new(Condvar::new());
    let (sender, receiver) = channel::bounded::<Tracked>(1);
    sender.send(Tracked::new(count)).unwrap();
    let tracked = Tracked::new(count);
    let (holder, wait) = (lock.clone(), never.clone());
    thread::spawn(move || {
        let _tracked = tracked;
        let mut guard = holder.lock();
        wait.wait(&mut guard);
    });
    let tracked = Tracked::new(count);
    thread::spawn(move || {
        let _tracked = tracked;
        let _guard = lock.lock();
        thread::sleep(Duration::from_secs(3600));
    });
    let (tracked, message) = (Tracked::new(count), Tracked::new(count));
    thread::spawn(move || {
        let _tracked = tracked;
        let _ = sender.send(message);
    });
    let tracked = Tracked::new(count);
    let sleeper = thread::spawn(move || {
        let _tracked = tracked;
        let _receiver = receiver;
        thread::sleep(Duration::from_secs(3600));
    });
    let tracked = Tracked::new(count);
    thread::spawn(move || {
        let _tracked = tracked;
        let _ = sleeper.join();
    });
}

#[test]
fn a_destructor_may_lock_sleep_and_join_while_its_task_is_killed() {
    struct Closing(Option<thread::JoinHandle<()>>, Arc<Mutex<Vec<&'static str>>>);
    impl Drop for Closing {
        fn drop(&mut self) {
            thread::sleep(millis(10));
            let _ = self.0.take().unwrap().join();
            self.1.lock().push("closed");
        }
    }
    for seed in 0..50 {
        let outcome = simulate(seed, || {
            let log = Arc::new(Mutex::new(Vec::new()));
            let node = Node::new("n");
            let inner = log.clone();
            let task = node.spawn(move || {
                let helper = thread::spawn(|| thread::sleep(Duration::from_secs(1)));
                let _closing = Closing(Some(helper), inner);
                thread::sleep(Duration::from_secs(1));
            });
            thread::sleep(millis(5));
            node.kill();
            assert!(task.join().unwrap_err().is::<labrt::Killed>());
            log.lock().clone()
        });
        assert_eq!(outcome.unwrap().value, ["closed"]);
    }
}

#[test]
fn a_teardown_without_end_is_reported() {
    struct Forever;
    impl Drop for Forever {
        fn drop(&mut self) {
            let (_sender, receiver) = channel::unbounded::<()>();
            let _ = receiver.recv();
        }
    }
    for by in [SwitchBy::Coroutines, SwitchBy::Threads] {
        let failure = Builder::simulated(1)
            .switch_by(by)
            .run(|| {
                thread::spawn(|| {
                    let _forever = Forever;
                    thread::sleep(Duration::from_secs(3600));
                });
                thread::sleep(millis(1));
            })
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Teardown, "{failure}");
        assert!(failure.to_string().contains("a message from a channel"), "{failure}");
    }
}

#[test]
fn what_a_world_leaves_in_a_channel_can_be_drained_outside() {
    let receiver = simulate(1, || {
        let (sender, receiver) = channel::unbounded();
        sender.send(5).unwrap();
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(1));
            drop(sender);
        });
        receiver
    })
    .unwrap()
    .value;
    assert_eq!(receiver.recv(), Ok(5));
    assert!(receiver.recv().is_err(), "its sender died with the world");
}
