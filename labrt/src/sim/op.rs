//! What the steps of a run are, for its trace.

/// What happened at a step; part of the trace hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Op {
    Spawn,
    Exit,
    Yield,
    Sleep,
    Now,
    Lock,
    Unlock,
    Read,
    Write,
    Wait,
    Notify,
    Atomic,
    Send,
    Receive,
    Join,
    Kill,
    Woken,
    TimedOut,
    /// Something a crate above put into the trace, see [`crate::world::trace`].
    User(u64),
}

impl Op {
    pub(super) fn code(self) -> u64 {
        match self {
            Op::Spawn => 1,
            Op::Exit => 2,
            Op::Yield => 3,
            Op::Sleep => 4,
            Op::Now => 5,
            Op::Lock => 6,
            Op::Unlock => 7,
            Op::Read => 8,
            Op::Write => 9,
            Op::Wait => 10,
            Op::Notify => 11,
            Op::Atomic => 12,
            Op::Send => 13,
            Op::Receive => 14,
            Op::Join => 15,
            Op::Kill => 17,
            Op::Woken => 18,
            Op::TimedOut => 19,
            Op::User(word) => word | 1 << 63,
        }
    }
}
