//! Every run comes to an end that says why, whatever its tasks do and wherever they stand.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the tests look at worlds from outside"
)]

use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use labrt::sync::atomic::Ordering;
use labrt::sync::{Arc, Mutex};
use labrt::{Node, channel, thread};

#[path = "../common/mod.rs"]
mod common;
mod destructors;
mod guests;
mod memory;
mod panics;
mod storm;
mod stuck;
mod unwinding;

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Long enough for any machine; nobody waits so long unless something is wrong.
const NEVER: Duration = Duration::from_secs(60);

/// Counts how many of its kind are alive.
struct Tracked(Arc<AtomicUsize>);

impl Tracked {
    fn new(alive: &Arc<AtomicUsize>) -> Tracked {
        alive.fetch_add(1, Ordering::SeqCst);
        Tracked(alive.clone())
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Calls into labrt in every way when it is dropped.
struct Nosy {
    tracked: Tracked,
    lock: Arc<Mutex<u32>>,
    sender: channel::Sender<u32>,
}

impl Nosy {
    fn first(alive: &Arc<AtomicUsize>) -> Nosy {
        let lock = Arc::new(Mutex::new(0));
        Nosy { tracked: Tracked::new(alive), lock, sender: channel::unbounded().0 }
    }

    fn new(first: &Nosy) -> Nosy {
        let tracked = Tracked::new(&first.tracked.0);
        Nosy { tracked, lock: first.lock.clone(), sender: first.sender.clone() }
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        let _ = Node::current();
        *self.lock.lock() += 1;
        let _ = self.sender.send(1);
        labrt::node::outside(thread::yield_now);
    }
}
