//! How a task ends that has been killed: by unwinding with [`Killed`] as the payload.

use std::any::Any;
use std::fmt;

use crate::context::{self, Clock};

/// The end of a task whose [`Node`](crate::Node) was killed or whose world has ended.
///
/// It travels as a panic's payload, so destructors run, but no panic hook is called and the run
/// does not fail. Code that catches panics must let it pass, with [`std::panic::resume_unwind`]: a task that
/// catches it goes on to its next call into labrt, where it is ended again. Who does so 1,000 times fails the
/// run on the simulated clock, and is held up for good on the real one.
///
/// Whoever joins such a task gets it as the error of
/// [`JoinHandle::join`](crate::thread::JoinHandle::join).
#[derive(Debug)]
pub struct Killed {
    /// The simulated task that this payload unwinds.
    unwinds: Option<u64>,
}

impl Killed {
    /// One that unwinds nothing.
    pub(crate) fn already() -> Killed {
        Killed { unwinds: None }
    }
}

// A task that catches its own end and goes on is not being unwound any more; it will be ended again
// at its next step. Who has caught it drops it.
impl Drop for Killed {
    fn drop(&mut self) {
        let Some(serial) = self.unwinds else { return };
        context::with(|clock| {
            if let Clock::Simulated(kernel) = clock {
                kernel.caught_kill(serial);
            }
        });
    }
}

impl Clone for Killed {
    fn clone(&self) -> Killed {
        Killed::already()
    }
}

impl PartialEq for Killed {
    fn eq(&self, _other: &Killed) -> bool {
        true
    }
}

impl Eq for Killed {}

impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was killed")
    }
}

impl std::error::Error for Killed {}

/// Who has caught its own end so often will do so for ever.
pub(crate) const MOST_CAUGHT: u32 = 1_000;

/// Ends the running task by unwinding it; `task` is its number in a simulated world.
pub(crate) fn raise(task: Option<u64>) -> ! {
    std::panic::resume_unwind(Box::new(Killed { unwinds: task }))
}

/// What a panic said; `None` if it is the end of a killed task.
pub(crate) fn words_of_panic(payload: &(dyn Any + Send)) -> Option<String> {
    (!payload.is::<Killed>()).then(|| words_of_payload(payload))
}

/// The text that a panic's payload is, if it is one.
pub(crate) fn words_of_payload(payload: &(dyn Any + Send)) -> String {
    if let Some(words) = payload.downcast_ref::<&'static str>() {
        (*words).to_string()
    } else if let Some(words) = payload.downcast_ref::<String>() {
        words.clone()
    } else {
        "a panic with a payload that is not text".to_string()
    }
}
