//! How a task ends that has been killed: by unwinding with [`Killed`] as the payload.

use std::any::Any;
use std::fmt;

/// The end of a task whose [`Node`](crate::Node) was killed or whose world has ended.
///
/// It travels as a panic's payload, so destructors run, but no panic hook is called and the run
/// does not fail. Whoever joins such a task gets it as the error of
/// [`JoinHandle::join`](crate::thread::JoinHandle::join).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Killed;

impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was killed")
    }
}

impl std::error::Error for Killed {}

/// Ends the running task by unwinding it.
pub(crate) fn raise() -> ! {
    std::panic::resume_unwind(Box::new(Killed))
}

/// What a panic said; `None` if it is the end of a killed task.
pub(crate) fn words_of_panic(payload: &(dyn Any + Send)) -> Option<String> {
    if payload.is::<Killed>() {
        None
    } else if let Some(words) = payload.downcast_ref::<&'static str>() {
        Some((*words).to_string())
    } else if let Some(words) = payload.downcast_ref::<String>() {
        Some(words.clone())
    } else {
        Some("a panic with a payload that is not text".to_string())
    }
}
