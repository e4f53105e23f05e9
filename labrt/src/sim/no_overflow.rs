//! In place of `overflow.rs` where there are no Unix signals: the process ends without naming the task.

/// The end of a stack.
#[derive(Clone, Copy)]
pub(super) struct Guard;

impl Guard {
    pub(super) fn of<S>(_stack: &S) -> Guard {
        Guard
    }
}

/// Does nothing.
pub(super) fn watch(_guard: Guard) {}

/// Does nothing.
pub(super) fn install() {}
