//! Worlds that do not go on, and what goes on without one.

use std::cell::RefCell;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::Duration;

use labrt::sync::atomic::Ordering;
use labrt::sync::{Arc, Mutex};
use labrt::world::Builder;
use labrt::{FailureKind, SwitchBy, channel, simulate, thread};

#[cfg(unix)]
use crate::common::{is_child, run_child};
use crate::{NEVER, millis};

thread_local! {
    static AT_EXIT: RefCell<Option<AtExit>> = const { RefCell::new(None) };
}

/// Calls into labrt when its thread ends, and says so.
struct AtExit(mpsc::Sender<()>, Arc<Mutex<u32>>);

impl Drop for AtExit {
    fn drop(&mut self) {
        assert!(!labrt::world::is_simulated(), "the world is over");
        *self.1.lock() += 1;
        thread::yield_now();
        let _ = self.0.send(());
    }
}

/// Has the calling thread say when it ends.
fn watch_thread(ended: mpsc::Sender<()>) {
    AT_EXIT.set(Some(AtExit(ended, Arc::new(Mutex::new(0)))));
}

#[test]
fn a_thread_may_call_when_its_world_is_over() {
    struct Forever;
    impl Drop for Forever {
        fn drop(&mut self) {
            let (_sender, receiver) = channel::unbounded::<()>();
            let _ = receiver.recv();
        }
    }
    for abandoned in [false, true] {
        let (sender, ended) = mpsc::channel();
        let outcome = simulate(1, move || {
            watch_thread(sender);
            thread::spawn(move || {
                let _forever = abandoned.then_some(Forever);
                thread::sleep(NEVER);
            });
            thread::sleep(millis(1));
        });
        assert_eq!(outcome.err().map(|e| e.kind), abandoned.then_some(FailureKind::Teardown));
        ended.recv_timeout(NEVER).expect("the world's thread ends");
    }
}

/// Each world within is watched over by itself.
#[test]
fn a_world_within_may_take_longer() {
    let inner = || {
        Builder::simulated(2).stuck_after(NEVER).run(|| std::thread::sleep(millis(500))).unwrap();
    };
    let outer = Builder::simulated(1).stuck_after(millis(100));
    outer.clone().run(inner).expect("it waits for a world within");
    // Afterwards it must go on again.
    let blocks = move || {
        inner();
        std::thread::sleep(NEVER);
    };
    assert_eq!(outer.run(blocks).expect_err("it blocks").kind, FailureKind::Stuck);
    let stuck =
        || _ = Builder::simulated(2).stuck_after(millis(100)).run(|| std::thread::sleep(NEVER));
    Builder::simulated(1).run(stuck).expect("the inner one is given up");
}

#[test]
fn a_stuck_world_goes_no_further_than_to_its_next_step() {
    let (release, blocked) = mpsc::channel::<()>();
    let (sender, ended) = mpsc::channel();
    let (went_on, flag) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (after, second) = (went_on.clone(), flag.clone());
    let builder = Builder::simulated(1).stuck_after(millis(100));
    let failure = builder
        .run(move || {
            watch_thread(sender);
            thread::spawn(move || {
                thread::sleep(millis(1));
                second.store(true, Ordering::SeqCst);
            });
            let _ = blocked.recv();
            thread::sleep(millis(2));
            after.store(true, Ordering::SeqCst);
        })
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Stuck);
    drop(release);
    ended.recv_timeout(NEVER).expect("the world's thread ends");
    assert!(!went_on.load(Ordering::SeqCst) && !flag.load(Ordering::SeqCst));
}

#[test]
fn a_sleep_on_the_wrong_clock_is_reported() {
    for by in [SwitchBy::Coroutines, SwitchBy::Threads] {
        let builder = Builder::simulated(1).switch_by(by).stuck_after(millis(300));
        let failure = builder
            .run(|| {
                let lock = Mutex::new(0);
                loop {
                    std::thread::sleep(millis(10));
                    *lock.lock() += 1;
                }
            })
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Stuck);
        assert!(failure.message.contains("a clock that is not labrt's"), "{failure}");
        assert!(failure.message.contains("`cargo clippy` names the lines"), "{failure}");
        assert!(failure.location.unwrap().contains("endings/stuck.rs"));
    }
}

/// Only Linux says how long a thread has run.
#[cfg(target_os = "linux")]
#[test]
fn a_world_that_computes_is_not_said_to_sleep() {
    for by in [SwitchBy::Coroutines, SwitchBy::Threads] {
        let builder = Builder::simulated(1).switch_by(by).stuck_after(millis(300));
        let failure = builder
            .run(|| {
                let lock = Mutex::new(0);
                loop {
                    let began = std::time::Instant::now();
                    while began.elapsed() < millis(10) {
                        std::hint::spin_loop();
                    }
                    *lock.lock() += 1;
                }
            })
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Stuck);
        assert!(failure.message.contains("it computes for long between its calls"), "{failure}");
    }
}

/// Ctrl-Z, or a machine that sleeps: nothing can go on, and that is nobody's fault.
#[cfg(unix)]
#[test]
fn a_world_whose_process_was_stopped_is_not_stuck() {
    if !is_child() {
        let output = run_child("stuck::a_world_whose_process_was_stopped_is_not_stuck");
        return assert!(output.status.success(), "{output:?}");
    }
    let stop_us = || {
        // Longer than a world may make no step. Who stops us must not need us to go on.
        let script = "kill -STOP $PPID; sleep 4; kill -CONT $PPID";
        let status = std::process::Command::new("sh").args(["-c", script]).status();
        assert!(status.expect("there is a shell").success());
        std::thread::sleep(millis(700)); // the next look comes before the next step
    };
    Builder::simulated(1).stuck_after(millis(3000)).run(stop_us).expect("it goes on");
}

#[test]
fn a_spin_wait_for_another_task_ends_without_forced_switches() {
    let world = || Builder::simulated(1);
    let rarely = [0, 1_000_000, u32::MAX].map(|steps| world().switch_every(steps));
    for builder in rarely.into_iter().chain([world().forced_switches(0)]) {
        let outcome = builder.steps_per_instant(100_000).run(|| {
            let flag = Arc::new(labrt::sync::atomic::AtomicBool::new(false));
            let setter = flag.clone();
            thread::spawn(move || setter.store(true, Ordering::SeqCst));
            while !flag.load(Ordering::SeqCst) {
                std::hint::spin_loop();
            }
        });
        assert_eq!(outcome.expect("the flag is set in the end").elapsed, Duration::ZERO);
    }
}
