//! What goes through the network: a request, and how its call ends.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use labgob::{Gob, Shape};

use crate::slots::Id;

/// Names a call.
pub(crate) type CallId = Id;

/// What the caller wants.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: Arc<str>,
    pub(crate) types: MethodType,
    pub(crate) args: Vec<u8>,
    /// Whether the calling task waits for the end of the call.
    pub(crate) blocking: bool,
}

/// How a call ended.
pub(crate) enum Answer {
    Reply(Vec<u8>),
    NoReply,
    /// A programming error of the caller, in words.
    Misuse(String),
}

impl Answer {
    /// A programming error is that of this line, wherever it is heard of.
    pub(crate) fn made_at(self, at: &Location<'_>) -> Answer {
        match self {
            Answer::Misuse(words) => Answer::Misuse(format!("{words}\n  called at {at}")),
            other => other,
        }
    }
}

/// The types of a method's arguments and reply.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MethodType {
    pub(crate) args: GobType,
    pub(crate) reply: GobType,
}

#[derive(Clone, Copy)]
pub(crate) struct GobType {
    pub(crate) fingerprint: u32,
    pub(crate) name: &'static str,
    pub(crate) describe: fn() -> String,
    pub(crate) shape: &'static Shape,
}

impl fmt::Debug for GobType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl MethodType {
    pub(crate) fn of<A: Gob, R: Gob>() -> MethodType {
        MethodType { args: GobType::of::<A>(), reply: GobType::of::<R>() }
    }
}

impl GobType {
    fn of<T: Gob>() -> GobType {
        GobType {
            fingerprint: T::fingerprint(),
            name: std::any::type_name::<T>(),
            describe: || T::describe().to_string(),
            shape: T::SHAPE,
        }
    }
}
