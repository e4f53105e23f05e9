//! Bugs in the use of condition variables.

use std::collections::VecDeque;

use super::Code;
use crate::schedules::runtime::{Atomic, Condvar, Mutex, Number, Runtime, race};

struct Signal<R: Runtime> {
    code: Code,
    lock: R::Mutex<()>,
    set: R::Flag,
    changed: R::Condvar,
}

impl<R: Runtime> Signal<R> {
    fn new(code: Code) -> Self {
        Signal { code, lock: Mutex::new(()), set: Atomic::new(false), changed: Condvar::new() }
    }

    fn wait(&self) {
        let guard = self.lock.lock();
        drop(self.changed.wait_while(guard, |()| !self.set.load()));
    }

    fn give(&self) {
        let held = self.code.if_mended(|| self.lock.lock());
        self.set.store(true);
        drop(held);
        self.changed.notify_one();
    }
}

/// A task waits for a flag that another one sets.
///
/// Bug: the flag is set without the lock.
/// Seen if: flag and notification come between the waiter's look at the flag and its wait.
pub(super) fn lost_wake_up<R: Runtime>(code: Code) {
    race::<R, _>(Signal::<R>::new(code), &[Signal::wait, Signal::give]);
}

struct Door<R: Runtime> {
    code: Code,
    open: R::Mutex<bool>,
    changed: R::Condvar,
}

impl<R: Runtime> Door<R> {
    fn pass(&self) {
        let mut open = self.open.lock();
        if self.code == Code::Mended {
            open = self.changed.wait_while(open, |open| !open);
        } else if !*open {
            open = self.changed.wait(open);
        }
        assert!(*open, "woken at a closed door");
    }

    fn open(&self) {
        *self.open.lock() = true;
        self.changed.notify_one();
    }
}

/// A task waits at a door that another one opens.
///
/// Bug: it does not look again after its wait.
/// Seen if: the wait ends without a notification, before the door is open. Every condition variable
/// may do that; a simulated one that never does hides the bug.
pub(super) fn spurious<R: Runtime>(code: Code) {
    race::<R, _>(
        Door::<R> { code, open: Mutex::new(false), changed: Condvar::new() },
        &[Door::pass, Door::open],
    );
}

/// A queue for one item.
struct Queue<R: Runtime> {
    code: Code,
    items: R::Mutex<VecDeque<u32>>,
    filled: R::Condvar,
    emptied: R::Condvar,
}

impl<R: Runtime> Queue<R> {
    fn push_two(&self) {
        for item in 0..2 {
            let items = self.items.lock();
            let mut items = self.emptied.wait_while(items, |items| !items.is_empty());
            items.push_back(item);
            self.filled.notify_one();
        }
    }

    fn pop(&self) {
        let mut items = self.items.lock();
        if self.code == Code::Mended {
            items = self.filled.wait_while(items, VecDeque::is_empty);
        } else if items.is_empty() {
            items = self.filled.wait(items);
        }
        assert!(items.pop_front().is_some(), "the queue is empty");
        self.emptied.notify_one();
    }
}

/// A producer fills a bounded queue for two consumers.
///
/// Bug: a consumer that has waited does not look again whether there is an item.
/// Seen if: one waits, an item wakes it, and the other consumer takes the item before the first has
/// the lock again.
pub(super) fn queue<R: Runtime>(code: Code) {
    race::<R, _>(
        Queue::<R> {
            code,
            items: Mutex::new(VecDeque::new()),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        },
        &[Queue::push_two, Queue::pop, Queue::pop],
    );
}

/// A place for one item.
struct Slot<R: Runtime> {
    code: Code,
    full: R::Mutex<bool>,
    changed: R::Condvar,
}

impl<R: Runtime> Slot<R> {
    fn change(&self, to_full: bool) {
        for _ in 0..2 {
            let full = self.full.lock();
            let mut full = self.changed.wait_while(full, |&full| full == to_full);
            *full = to_full;
            match self.code {
                Code::Mended => self.changed.notify_all(),
                Code::Buggy => self.changed.notify_one(),
            }
        }
    }
}

/// Two producers and two consumers share a queue for one item, and one condition variable.
///
/// Bug: it wakes one waiter, which may be of the wrong kind.
/// Seen if: a producer and a consumer wait at one time, a notification goes to the one that cannot
/// go on, and everybody else comes to wait before there is another notification.
pub(super) fn one_condvar<R: Runtime>(code: Code) {
    race::<R, _>(
        Slot::<R> { code, full: Mutex::new(false), changed: Condvar::new() },
        &[
            |slot| slot.change(true),
            |slot| slot.change(true),
            |slot| slot.change(false),
            |slot| slot.change(false),
        ],
    );
}

#[derive(Default)]
struct Arrivals {
    waiting: usize,
    generation: usize,
}

struct Barrier<R: Runtime> {
    code: Code,
    arrivals: R::Mutex<Arrivals>,
    complete: R::Condvar,
}

impl<R: Runtime> Barrier<R> {
    const TASKS: usize = 3;

    fn wait(&self) {
        let mut arrivals = self.arrivals.lock();
        arrivals.waiting += 1;
        if arrivals.waiting == Self::TASKS {
            arrivals.waiting = 0;
            arrivals.generation += 1;
            self.complete.notify_all();
            return;
        }
        let mine = arrivals.generation;
        let mended = self.code == Code::Mended;
        drop(self.complete.wait_while(arrivals, |arrivals| {
            if mended { arrivals.generation == mine } else { arrivals.waiting != 0 }
        }));
    }

    fn two_rounds(&self) {
        for _ in 0..2 {
            self.wait();
        }
    }
}

/// Three tasks meet at a barrier, twice.
///
/// Bug: whoever waits goes on when the count of those who wait is back at zero.
/// Seen if: a task comes to the barrier again before another one has seen the zero.
pub(super) fn barrier<R: Runtime>(code: Code) {
    race::<R, _>(
        Barrier::<R> { code, arrivals: Mutex::new(Arrivals::default()), complete: Condvar::new() },
        &[Barrier::two_rounds, Barrier::two_rounds, Barrier::two_rounds],
    );
}

struct Semaphore<R: Runtime> {
    code: Code,
    permits: R::Mutex<usize>,
    released: R::Condvar,
    cancelled: R::Flag,
    inside: R::Number,
}

impl<R: Runtime> Semaphore<R> {
    fn acquire(&self) {
        let permits = self.permits.lock();
        *self.released.wait_while(permits, |&permits| permits == 0) -= 1;
    }

    fn release(&self) {
        *self.permits.lock() += 1;
        self.released.notify_one();
    }

    fn work(&self) {
        self.acquire();
        let others = self.inside.fetch_add(1);
        assert_eq!(others, 0, "two tasks have the only permit");
        self.inside.fetch_sub(1);
        self.release();
    }

    fn work_unless_cancelled(&self) {
        if self.cancelled.load() {
            return;
        }
        self.acquire();
        if self.cancelled.load() && self.code == Code::Buggy {
            self.release();
        }
        self.release();
    }

    fn cancel(&self) {
        self.cancelled.store(true);
    }
}

/// A semaphore with one permit lets one task in at a time.
///
/// Bug: a task that is cancelled while it holds the permit gives it back twice.
/// Seen if: the cancellation falls between the two looks at the flag, and two other tasks are inside
/// at one time after that.
pub(super) fn semaphore<R: Runtime>(code: Code) {
    race::<R, _>(
        Semaphore::<R> {
            code,
            permits: Mutex::new(1),
            released: Condvar::new(),
            cancelled: Atomic::new(false),
            inside: Atomic::new(0),
        },
        &[Semaphore::work_unless_cancelled, Semaphore::cancel, Semaphore::work, Semaphore::work],
    );
}
