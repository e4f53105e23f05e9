//! Switching by stackful coroutines, all on the thread that runs the world.
//!
//! # A place with `unsafe`
//!
//! A task suspends itself deep inside library calls, where the coroutine's `Yielder`, which
//! corosensei lends to the coroutine's body only, is out of reach. A thread-local variable holds a
//! pointer to the running task's `Yielder` instead, and [`suspend`] follows it. What that buys is
//! measured in `docs/performance.md`: the simulated suite is several times faster than with the
//! safe alternative in `threads.rs`, whose schedule is the same.
//!
//! Why it is sound: the pointer is set to a coroutine's own yielder when its body begins and again
//! each time it is resumed, always before any of its code runs, and to nothing whenever the
//! coroutine gives up its turn or ends. The world's thread runs exactly one coroutine at a time. So
//! while code of a coroutine runs, the pointer is that coroutine's, and its yielder lives, since it
//! outlives the body; and while no coroutine runs it is nothing, and [`suspend`] refuses. Coroutines
//! never move to another thread.
//!
//! Nobody but the kernel ends a coroutine: one that is left when the world is over, or when the
//! kernel itself panics, is leaked, never dropped. (Dropping it would unwind its stack from outside,
//! where its destructors could not suspend themselves.)
#![expect(unsafe_code, reason = "explained and justified in the module's documentation")]

use std::cell::Cell;
use std::io;
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::Arc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use parking_lot::Mutex;

use super::kernel::Kernel;
use super::overflow::{self, Guard};
use super::switch::run_task;

/// Whether there are coroutines on this platform (`no_coroutine.rs` takes the place of this file).
pub(super) const AVAILABLE: bool = true;

/// A task yields who is next, and is resumed with nothing.
type TaskYielder = Yielder<(), Option<usize>>;
type Routine = Coroutine<(), Option<usize>, Option<usize>>;

/// A task's coroutine, with the end of its stack.
struct Fiber {
    routine: Routine,
    guard: Guard,
}

thread_local! {
    static YIELDER: Cell<*const TaskYielder> = const { Cell::new(ptr::null()) };
}

/// From its end on no coroutine runs, also if a panic has left one.
struct NobodyRuns;

impl Drop for NobodyRuns {
    fn drop(&mut self) {
        YIELDER.set(ptr::null());
    }
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
pub(super) fn run(kernel: &Arc<Kernel>, first: usize) {
    overflow::install();
    let mut fibers = ManuallyDrop::new(Vec::<Option<Fiber>>::new());
    let mut stacks = Stacks::of(kernel.settings.stack_size);
    let mut next = Some(first);
    while let Some(slot) = next {
        if slot >= fibers.len() {
            fibers.resize_with(slot + 1, || None);
        }
        let fiber = match &mut fibers[slot] {
            Some(fiber) => fiber,
            empty => match stacks.take() {
                Ok(stack) => empty.insert(fiber(kernel, slot, stack)),
                Err(error) => {
                    next = kernel.no_stack(slot, &error);
                    continue;
                }
            },
        };
        let result = {
            let _watched = overflow::watch(fiber.guard);
            let _nobody_runs = NobodyRuns;
            fiber.routine.resume(())
        };
        next = match result {
            CoroutineResult::Yield(next) => next,
            CoroutineResult::Return(next) => {
                if let Some(fiber) = fibers[slot].take() {
                    stacks.free.push(fiber.routine.into_stack());
                }
                next
            }
        };
    }
    if fibers.iter().all(Option::is_none) {
        drop(ManuallyDrop::into_inner(fibers));
    }
}

/// How many free stacks the process keeps for its next worlds: as many as a program needs that starts
/// a thread for each call. Of each no more than what was used is in memory, some 5 KiB.
const KEPT_STACKS: usize = 1024;

/// Free stacks that worlds have left, with their size. Most worlds are small and short: they would
/// spend a third of their time on asking the system for stacks and giving them back.
static KEPT: Mutex<Vec<(usize, DefaultStack)>> = Mutex::new(Vec::new());

/// Gives the memory of all free stacks back to the system.
pub(super) fn free_kept_stacks() {
    KEPT.lock().clear();
}

/// The free stacks of one world.
struct Stacks {
    size: usize,
    free: Vec<DefaultStack>,
    /// The system has refused one. What is free then goes back to it, for others need it as well.
    refused: bool,
}

impl Stacks {
    fn of(size: usize) -> Stacks {
        Stacks { size, free: Vec::new(), refused: false }
    }

    fn take(&mut self) -> io::Result<DefaultStack> {
        if let Some(stack) = self.free.pop() {
            return Ok(stack);
        }
        let mut kept = KEPT.lock();
        if let Some(place) = kept.iter().rposition(|(size, _)| *size == self.size) {
            return Ok(kept.swap_remove(place).1);
        }
        DefaultStack::new(self.size).or_else(|_| {
            kept.clear(); // stacks of other sizes
            DefaultStack::new(self.size).inspect_err(|_| self.refused = true)
        })
    }
}

impl Drop for Stacks {
    fn drop(&mut self) {
        if self.refused {
            return;
        }
        let mut kept = KEPT.lock();
        let room = KEPT_STACKS.saturating_sub(kept.len());
        kept.extend(self.free.drain(..).take(room).map(|stack| (self.size, stack)));
    }
}

fn fiber(kernel: &Arc<Kernel>, slot: usize, stack: DefaultStack) -> Fiber {
    let guard = Guard::of(&stack);
    let kernel = kernel.clone();
    let routine = Coroutine::with_stack(stack, move |yielder: &TaskYielder, ()| {
        YIELDER.set(ptr::from_ref(yielder));
        run_task(&kernel, slot)
    });
    Fiber { routine, guard }
}
