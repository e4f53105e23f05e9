//! The simulated clock: the kernel, and the two ways of switching between its tasks.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam::channel::bounded;
use parking_lot::Mutex;

use crate::context;
use crate::failure::Failure;
use crate::failure::FailureKind;
use crate::killed::words_of_panic;
use crate::world::{Outcome, Settings, Trace, WorldShared};
use kernel::{At, EPOCH, Kernel};

mod chance;
mod circles;
#[cfg_attr(all(windows, target_arch = "aarch64"), path = "no_coroutine.rs")]
mod coroutine;
mod ending;
pub(crate) mod kernel;
mod op;
pub(crate) mod order;
#[cfg(not(all(windows, target_arch = "aarch64")))] // only coroutines ask
#[cfg_attr(not(unix), path = "no_overflow.rs")]
mod overflow;
pub(crate) mod panics;
mod report;
mod state;
pub(crate) mod switch;
mod task;
mod threads;
mod watch;

/// Runs a simulated world on a thread of its own; the caller watches over it.
pub(crate) fn run_world<T: Send + 'static>(
    settings: Settings,
    shared: Arc<WorldShared>,
    main: impl FnOnce() -> T + Send + 'static,
    at: At,
) -> Result<Outcome<T>, Box<Failure>> {
    let kernel = Kernel::new(settings, shared);
    let value = Arc::new(Mutex::new(None));
    let body = {
        let value = value.clone();
        Box::new(move || match catch_unwind(AssertUnwindSafe(main)) {
            Ok(result) => {
                *value.lock() = Some(result);
                None
            }
            Err(payload) => words_of_panic(&*payload),
        })
    };
    let (done, ended) = bounded::<()>(1);
    let world = kernel.clone();
    let work = move || {
        world.threads.add_this();
        context::enter_kernel(&world);
        let first = world.start(Arc::from("main"), body, at);
        switch::run(&world, first);
        world.leak_tasks();
        world.shared.begin_ending();
        context::leave_kernel();
        drop(done);
    };
    if let Err(error) = start_thread(work) {
        return Err(Box::new(kernel.fail_to_begin(&error)));
    }
    let _hosting = watch::Hosting::begin();
    if let Some(failure) = watch::watch(&kernel, &ended) {
        return Err(Box::new(failure));
    }
    let mut state = kernel.state.lock();
    if let Some(failure) = state.failure.take() {
        return Err(Box::new(failure));
    }
    let trace = Trace {
        hash: state.hash,
        steps: state.steps,
        switches: state.switches,
        forced_switches: state.forced_switches,
        events: state.events.take().unwrap_or_default(),
        tasks: std::mem::take(&mut state.titles),
    };
    let elapsed = state.now - EPOCH;
    let Some(value) = value.lock().take() else {
        // It has passed on the end of a task that was killed.
        return Err(Box::new(kernel.failure(&state, FailureKind::Panic, report::main_killed())));
    };
    Ok(Outcome { value, elapsed, trace: Some(trace) })
}

/// Starts a world's thread. If there is no room for it, what earlier worlds have left makes some.
fn start_thread(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let work = Arc::new(Mutex::new(Some(work)));
    let start = || {
        let work = work.clone();
        let run = move || {
            let work = work.lock().take().expect("only one of the two threads has been started");
            work();
        };
        std::thread::Builder::new().name("labrt-world".to_string()).spawn(run).map(drop)
    };
    start().or_else(|_| {
        coroutine::free_kept_stacks();
        start()
    })
}
