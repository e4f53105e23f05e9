//! Switching by OS threads: each task has one, and a baton says whose turn it is.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::kernel::Kernel;
use super::switch::{Switch, run_task};
use crate::context;

/// Passes the turn between the threads of a world.
#[derive(Default)]
pub(crate) struct Baton {
    /// One worker per slot of the kernel; a later task in the same slot reuses the thread.
    workers: Mutex<Vec<Arc<Seat>>>,
    /// Where the thread that called [`Baton::run`] waits for the end.
    root: Seat,
}

/// Where one thread waits for its turn.
#[derive(Default)]
struct Seat {
    order: Mutex<Option<Order>>,
    changed: Condvar,
}

enum Order {
    Run,
    Stop,
}

impl Seat {
    fn give(&self, order: Order) {
        *self.order.lock() = Some(order);
        self.changed.notify_one();
    }

    fn await_order(&self) -> Order {
        let mut order = self.order.lock();
        loop {
            match order.take() {
                Some(order) => return order,
                None => self.changed.wait(&mut order),
            }
        }
    }
}

impl Baton {
    /// Makes sure that `slot` has a thread.
    pub(crate) fn prepare(&self, kernel: &Kernel, slot: usize) {
        let mut workers = self.workers.lock();
        if slot < workers.len() {
            return;
        }
        assert_eq!(slot, workers.len(), "the kernel's slots grow one by one");
        let seat = Arc::new(Seat::default());
        workers.push(seat.clone());
        let kernel = kernel.itself();
        let spawned = std::thread::Builder::new()
            .name(format!("sim-{slot}"))
            .stack_size(kernel.settings.stack_size)
            .spawn(move || {
                context::set_kernel(&kernel);
                while let Order::Run = seat.await_order() {
                    let next = run_task(&kernel, slot);
                    if let Switch::Threads(baton) = &kernel.switch {
                        baton.give(next);
                    }
                }
            });
        if let Err(error) = spawned {
            panic!("cannot start a thread for a simulated task: {error}");
        }
    }

    /// Hands the turn to `next` and waits until `me` has it again.
    pub(crate) fn pass(&self, me: usize, next: Option<usize>) {
        let seat = self.workers.lock()[me].clone();
        self.give(next);
        seat.await_order();
    }

    /// Gives the first task the turn and waits for the end of the world.
    pub(crate) fn run(&self, first: usize) {
        self.give(Some(first));
        self.root.await_order();
        // A thread in the middle of a task of an abandoned world takes no order, and is leaked:
        // it waits in `pass`, which must not return.
        for seat in self.workers.lock().iter() {
            seat.give(Order::Stop);
        }
    }

    fn give(&self, next: Option<usize>) {
        match next {
            Some(slot) => {
                let seat = self.workers.lock()[slot].clone();
                seat.give(Order::Run);
            }
            None => self.root.give(Order::Run),
        }
    }
}
