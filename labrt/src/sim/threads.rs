//! Switching by OS threads: each task has one, and a baton says whose turn it is.

use std::io;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::kernel::Kernel;
use super::switch::{Switch, run_task};
use crate::context;

/// Passes the turn between the threads of a world.
#[derive(Default)]
pub(crate) struct Baton {
    /// One worker per slot of the kernel, from the first turn of a task in it on; a later task in the
    /// same slot reuses the thread.
    workers: Mutex<Vec<Option<Arc<Seat>>>>,
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
    /// Hands the turn to `next` and waits until `me` has it again.
    pub(crate) fn pass(&self, kernel: &Kernel, me: usize, next: Option<usize>) {
        let seat = self.workers.lock()[me].clone().expect("a task that has the turn has a thread");
        self.give(kernel, next);
        // A thread in the middle of a task of an abandoned world must not go on: it waits for ever.
        while let Order::Stop = seat.await_order() {}
    }

    /// Gives the first task the turn and waits for the end of the world.
    pub(crate) fn run(&self, kernel: &Kernel, first: usize) {
        self.give(kernel, Some(first));
        self.root.await_order();
        for seat in self.workers.lock().iter().flatten() {
            seat.give(Order::Stop);
        }
    }

    fn give(&self, kernel: &Kernel, mut next: Option<usize>) {
        while let Some(slot) = next {
            match self.seat(kernel, slot) {
                Ok(seat) => return seat.give(Order::Run),
                Err(error) => next = kernel.no_stack(slot, &error),
            }
        }
        self.root.give(Order::Run);
    }

    /// Where the thread of `slot` waits; the thread is started if there is none yet.
    fn seat(&self, kernel: &Kernel, slot: usize) -> io::Result<Arc<Seat>> {
        let mut workers = self.workers.lock();
        if slot >= workers.len() {
            workers.resize_with(slot + 1, || None);
        }
        if let Some(seat) = &workers[slot] {
            return Ok(seat.clone());
        }
        let seat = Arc::new(Seat::default());
        let (kernel, mine) = (kernel.itself(), seat.clone());
        std::thread::Builder::new()
            .name(format!("sim-{slot}"))
            .stack_size(kernel.settings.stack_size)
            .spawn(move || work(&kernel, slot, &mine))?;
        workers[slot] = Some(seat.clone());
        Ok(seat)
    }
}

/// A worker runs each task of its slot.
fn work(kernel: &Arc<Kernel>, slot: usize, seat: &Seat) {
    context::enter_kernel(kernel);
    kernel.threads.add_this();
    while let Order::Run = seat.await_order() {
        let next = run_task(kernel, slot);
        if let Switch::Threads(baton) = &kernel.switch {
            baton.give(kernel, next);
        }
    }
    context::leave_kernel();
}
