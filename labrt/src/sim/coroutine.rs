//! Switching by stackful coroutines, all on the thread that runs the world.
//!
//! # The one place with `unsafe`
//!
//! A task suspends itself deep inside library calls, where the coroutine's `Yielder`, which
//! corosensei lends to the coroutine's body only, is out of reach. A thread-local variable holds a
//! pointer to the running task's `Yielder` instead, and [`suspend`] follows it. What that buys is
//! measured in `docs/performance.md`: the simulated suite is several times faster than with the
//! safe alternative in `threads.rs`, whose schedule is the same.
//!
//! Why it is sound: the pointer is set to a coroutine's own yielder when its body begins and again
//! each time it is resumed, always before any of its code runs, and the world's thread runs exactly
//! one coroutine at a time. So while code of a coroutine runs, the pointer is that coroutine's, and
//! its yielder lives, since it outlives the body. Coroutines never move to another thread.
#![expect(unsafe_code, reason = "explained and justified in the module's documentation")]

use std::cell::Cell;
use std::ptr;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::kernel::Kernel;
use super::switch::run_task;

/// A task yields who is next, and is resumed with nothing.
type TaskYielder = Yielder<(), Option<usize>>;
type Fiber = Coroutine<(), Option<usize>, Option<usize>>;

thread_local! {
    static YIELDER: Cell<*const TaskYielder> = const { Cell::new(ptr::null()) };
}

/// Gives the turn to `next`; returns when the calling task has it again.
pub(super) fn suspend(next: Option<usize>) {
    let mine = YIELDER.get();
    assert!(!mine.is_null(), "only a task can give up its turn");
    // SAFETY: `mine` is the yielder of the coroutine that is running this code (module docs), so it
    // is alive and belongs to the coroutine that is being suspended.
    unsafe { (*mine).suspend(next) };
    YIELDER.set(mine);
}

/// Resumes whoever is next until nobody is.
pub(super) fn run(kernel: &std::sync::Arc<Kernel>, first: usize) {
    let mut fibers: Vec<Option<Fiber>> = Vec::new();
    let mut stacks: Vec<DefaultStack> = Vec::new();
    let mut next = Some(first);
    while let Some(slot) = next {
        if slot >= fibers.len() {
            fibers.resize_with(slot + 1, || None);
        }
        let fiber = fibers[slot].get_or_insert_with(|| fiber(kernel, slot, stacks.pop()));
        next = match fiber.resume(()) {
            CoroutineResult::Yield(next) => next,
            CoroutineResult::Return(next) => {
                stacks.extend(fibers[slot].take().map(Fiber::into_stack));
                next
            }
        };
    }
    if kernel.was_abandoned() {
        // Their stacks cannot be unwound: the destructors on them are what got stuck.
        std::mem::forget(fibers);
    }
}

fn fiber(kernel: &std::sync::Arc<Kernel>, slot: usize, stack: Option<DefaultStack>) -> Fiber {
    let size = kernel.settings.stack_size;
    let stack = stack.unwrap_or_else(|| match DefaultStack::new(size) {
        Ok(stack) => stack,
        Err(error) => panic!("no memory for a task's stack of {size} bytes: {error}"),
    });
    let kernel = kernel.clone();
    Coroutine::with_stack(stack, move |yielder: &TaskYielder, ()| {
        YIELDER.set(ptr::from_ref(yielder));
        run_task(&kernel, slot)
    })
}
