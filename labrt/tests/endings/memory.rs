//! Stacks that cannot be had, and stacks that are too small.

use std::sync::atomic::AtomicUsize;

use labrt::observe::{self, Witness};
use labrt::sync::Arc;
use labrt::sync::atomic::Ordering;
use labrt::world::Builder;
use labrt::{FailureKind, Node, thread};

use crate::common::{is_child, run_child, stderr};
use crate::{NEVER, Nosy, millis};

/// Who knows more of a run than its tasks show.
struct Knows;

impl Witness for Knows {
    fn lines(&self) -> Vec<String> {
        vec!["something else is open".to_string()]
    }
}

/// Thousands of tasks, each with destructors that call into labrt; and somebody who knows more.
fn too_many_tasks(count: usize, alive: &Arc<AtomicUsize>) -> Result<(), Box<labrt::Failure>> {
    let alive = alive.clone();
    let run = Builder::simulated(1).run(move || {
        let knows: Arc<dyn Witness> = Arc::new(Knows);
        observe::add_witness(Arc::downgrade(&knows));
        let first = Nosy::first(&alive);
        for _ in 0..count {
            let nosy = Nosy::new(&first);
            thread::spawn(move || {
                let _nosy = nosy;
                thread::sleep(NEVER);
            });
        }
        thread::sleep(millis(1));
    });
    run.map(|_| ())
}

#[cfg(target_os = "linux")]
#[test]
fn no_memory_for_a_stack_fails_the_run_and_nothing_else() {
    if !is_child() {
        let test = "memory::no_memory_for_a_stack_fails_the_run_and_nothing_else";
        let output = crate::common::run_child_within(test, 1 << 20);
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let alive = Arc::new(AtomicUsize::new(0));
    let failure = too_many_tasks(3000, &alive).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NoMemory, "{failure}");
    assert!(failure.message.contains("there is no memory for another task's stack"), "{failure}");
    assert!(
        failure.message.contains("of them started at labrt/tests/endings/memory.rs:"),
        "{failure}"
    );
    assert_eq!(failure.details.last().map(String::as_str), Some("something else is open"));
    assert!(failure.details.len() < 20, "like tasks are counted, not listed: {failure}");
    assert_eq!(alive.load(Ordering::SeqCst), 0, "what was started has ended: {failure}");
    // What the run had goes back to the system, for whoever needs it next.
    let threads: Vec<_> =
        (0..4).map(|_| std::thread::Builder::new().spawn(std::thread::park)).collect();
    assert!(threads.iter().all(Result::is_ok), "{threads:?}");
    too_many_tasks(100, &alive).expect("the next run has the memory again");
}

#[cfg(target_os = "linux")]
#[test]
fn kept_stacks_make_room_for_the_thread_of_a_world() {
    if !is_child() {
        let test = "memory::kept_stacks_make_room_for_the_thread_of_a_world";
        let output = crate::common::run_child_within(test, 1 << 20);
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let alive = Arc::new(AtomicUsize::new(0));
    too_many_tasks(300, &alive).expect("there is memory for so many tasks");
    // Threads that go on take the rest.
    while std::thread::Builder::new().spawn(std::thread::park).is_ok() {}
    too_many_tasks(10, &alive).expect("what the first run has left is enough for another one");
}

#[cfg(unix)]
#[test]
fn a_stack_overflow_names_the_task() {
    fn deeper(depth: u64) -> u64 {
        let frame = std::hint::black_box([depth; 64]);
        if frame[0] == u64::MAX { 0 } else { frame[1] + deeper(depth + 1) }
    }
    if is_child() {
        let _ = Builder::simulated(77).stack_size(1 << 17).replay("as before").run(|| {
            let node = Node::new("server 2");
            let task = thread::Builder::new().name("recursive").node(node);
            let _ = task.spawn(|| deeper(0)).join();
        });
        return;
    }
    let output = run_child("memory::a_stack_overflow_names_the_task");
    let text = stderr(&output);
    assert!(!output.status.success());
    assert!(text.contains("stack overflow in a simulated run of seed 77"), "{text}");
    assert!(text.contains("task `recursive` of server 2, started at labrt/tests/end"), "{text}");
    assert!(text.contains("has 131072 bytes"), "{text}");
    assert!(text.contains("\n    replay: as before\n"), "{text}");
}

#[test]
fn a_stack_has_a_size_that_makes_sense() {
    for size in [0, usize::MAX] {
        let refused = std::panic::catch_unwind(|| Builder::simulated(1).stack_size(size));
        let words = refused.expect_err("nobody has such a stack");
        let words = words.downcast_ref::<String>().expect("it is text");
        assert!(words.contains("a task's stack may have 16 KiB to 64 GiB"), "{words}");
    }
}
