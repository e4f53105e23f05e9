//! Panics while others are on their way, and tasks that catch them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use labrt::sync::Arc;
use labrt::sync::atomic::Ordering;
use labrt::world::Builder;
use labrt::{Node, simulate, thread};

use crate::common::{is_child, run_child, stderr};
use crate::{NEVER, millis};

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("the second panic");
    }
}

#[test]
fn a_panic_in_a_destructor_does_not_swallow_the_first() {
    if is_child() {
        let _ = simulate(77, || {
            thread::sleep(millis(1500));
            let ticker = thread::Builder::new().name("ticker").spawn(|| {
                let _bomb = PanicsWhenDropped;
                panic!("the first panic");
            });
            let _ = ticker.join();
        });
        return;
    }
    let output = run_child("panics::a_panic_in_a_destructor_does_not_swallow_the_first");
    let text = stderr(&output);
    assert!(!output.status.success());
    assert!(
        text.contains("panic at 1.500 s in task `ticker`, labrt/tests/endings/panics.rs:"),
        "{text}"
    );
    assert!(text.contains("the first panic"), "{text}");
    assert!(text.contains("then a destructor of task `ticker` panicked at labrt/te"), "{text}");
    assert!(text.contains("the second panic"), "{text}");
    assert!(text.contains("seed 77"), "{text}");
}

#[test]
fn a_panic_in_a_killed_tasks_destructor_says_that_it_was_killed() {
    if is_child() {
        let builder = Builder::simulated(77).last_words(|failure| {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "last words: {failure}");
        });
        let _ = builder.run(|| {
            let node = Node::new("server 2");
            thread::Builder::new().name("ticker").node(node.clone()).spawn(|| {
                let _bomb = PanicsWhenDropped;
                thread::sleep(NEVER);
            });
            thread::sleep(millis(1));
            node.kill();
            thread::sleep(millis(1));
        });
        return;
    }
    let output = run_child("panics::a_panic_in_a_killed_tasks_destructor_says_that_it_was_killed");
    let text = stderr(&output);
    assert!(!output.status.success());
    assert!(text.contains("last words: panic at 0.001 s in task `ticker` of server 2"), "{text}");
    assert!(text.contains("it was being ended"), "{text}");
    assert!(text.contains("the second panic"), "{text}");
}

#[test]
fn a_panic_in_a_destructor_speaks_on_the_real_clock_too() {
    if is_child() {
        let _ = Builder::real().run(|| {
            let ticker = thread::Builder::new().name("ticker").spawn(|| {
                let _bomb = PanicsWhenDropped;
                panic!("the first panic");
            });
            let _ = ticker.join();
        });
        return;
    }
    let output = run_child("panics::a_panic_in_a_destructor_speaks_on_the_real_clock_too");
    let text = stderr(&output);
    assert!(!output.status.success());
    assert!(text.contains("in task `ticker`, labrt/tests/endings/panics.rs:"), "{text}");
    assert!(text.contains("the first panic"), "{text}");
    assert!(text.contains("the second panic"), "{text}");
}

/// Takes its time to be unwound.
struct Slow(Duration);

impl Drop for Slow {
    fn drop(&mut self) {
        thread::sleep(self.0);
    }
}

#[test]
fn a_killed_task_that_has_caught_a_panic_ends_while_another_one_unwinds() {
    for seed in 0..50 {
        let outcome = simulate(seed, || {
            let (slow, other) = (Node::new("slow"), Node::new("other"));
            slow.spawn(|| {
                let _slow = Slow(Duration::from_secs(10));
                thread::sleep(NEVER);
            });
            let steps = Arc::new(AtomicUsize::new(0));
            let count = steps.clone();
            other.spawn(move || {
                thread::sleep(millis(5));
                assert!(catch_unwind(|| panic!("caught")).is_err());
                loop {
                    thread::yield_now();
                    thread::sleep(Duration::from_micros(1));
                    count.fetch_add(1, Ordering::SeqCst);
                }
            });
            thread::sleep(millis(1));
            slow.kill();
            thread::sleep(millis(5));
            other.kill();
            let before = steps.load(Ordering::SeqCst);
            thread::sleep(Duration::from_secs(1));
            steps.load(Ordering::SeqCst) - before
        });
        // It cannot be told at once whether it still unwinds; it gets on slowly until then.
        assert!(outcome.unwrap().value <= 1000, "seed {seed}");
    }
}

#[test]
fn a_task_that_catches_its_own_end_is_ended_again() {
    for seed in 0..50 {
        let outcome = simulate(seed, || {
            let (slow, other) = (Node::new("slow"), Node::new("other"));
            slow.spawn(|| {
                let _slow = Slow(Duration::from_secs(10));
                thread::sleep(NEVER);
            });
            let lives = Arc::new(AtomicUsize::new(0));
            let count = lives.clone();
            let task = other.spawn(move || {
                let sleep = || thread::sleep(NEVER);
                let _ = catch_unwind(AssertUnwindSafe(sleep));
                count.fetch_add(1, Ordering::SeqCst);
                let _ = catch_unwind(AssertUnwindSafe(sleep));
                count.fetch_add(1, Ordering::SeqCst);
                thread::sleep(NEVER);
            });
            thread::sleep(millis(1));
            slow.kill();
            other.kill();
            thread::sleep(Duration::from_secs(1));
            (task.is_finished(), lives.load(Ordering::SeqCst))
        });
        assert_eq!(outcome.unwrap().value, (true, 2), "seed {seed}");
    }
}
