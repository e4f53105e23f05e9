//! What the steps of a run are, for its trace, and what they touch.

use super::task::Key;

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
    Pause,
    Resume,
    Woken,
    TimedOut,
    /// Something a crate above put into the trace, see [`crate::world::trace`].
    User(u64),
}

/// The object that an operation touches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Touch {
    /// None that other tasks could touch.
    #[default]
    Nothing,
    /// It may trade places with others that only read.
    Reads(Key),
    /// It changes the object, or may.
    Changes(Key),
}

impl Touch {
    /// The object.
    pub(super) fn object(self) -> Option<Key> {
        match self {
            Touch::Nothing => None,
            Touch::Reads(key) | Touch::Changes(key) => Some(key),
        }
    }

    /// True if it matters which of two operations comes first.
    pub(super) fn meets(self, other: Touch) -> bool {
        let only_read = matches!((self, other), (Touch::Reads(_), Touch::Reads(_)));
        self.object().is_some() && self.object() == other.object() && !only_read
    }
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
            Op::Pause => 20,
            Op::Resume => 21,
            Op::User(word) => word | 1 << 63,
        }
    }
}
