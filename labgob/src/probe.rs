//! What can watch a value being written or read.
//!
//! The serializer and the deserializer report each step to a [`Probe`]. [`Blind`] ignores them and
//! costs nothing; [`Guard`](crate::depth::Guard) looks at the stack only, for recursive types;
//! [`Checker`](crate::check::Checker) compares them with the type's shape and remembers where it is.
//! So one serializer and one deserializer serve both for speed and for
//! diagnosis, and the two cannot disagree about the bytes.

use crate::fault::Fault;
use crate::shape::Primitive;

/// A value with parts begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Open {
    /// A struct of any style, with the number of its fields.
    Struct(usize),
    /// A tuple or an array, with its length.
    Tuple(usize),
    /// A variant: its position and its name.
    Variant(u32, &'static str),
    Option,
    /// A list or a set.
    List,
    Map,
}

/// Follows a value being written or read. By default it sees nothing.
pub(crate) trait Probe {
    /// Whether names are looked at, so that nobody fetches them in vain.
    const SEES: bool;

    /// A value without parts.
    #[inline(always)]
    fn primitive(&mut self, _primitive: Primitive) -> Result<(), Fault> {
        Ok(())
    }

    /// A value with parts begins.
    #[inline(always)]
    fn open(&mut self, _open: Open) -> Result<(), Fault> {
        Ok(())
    }

    /// Its next part begins: a field (named if its format has names), an element, a key or a value.
    #[inline(always)]
    fn part(&mut self, _name: Option<&'static str>) -> Result<(), Fault> {
        Ok(())
    }

    /// It has no more parts.
    #[inline(always)]
    fn close(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    /// Bytes of it have been read, and so many are left of all. Only told to one that sees.
    #[inline(always)]
    fn left(&mut self, _bytes: usize) -> Result<(), Fault> {
        Ok(())
    }
}

/// The probe that sees nothing.
pub(crate) struct Blind;

impl Probe for Blind {
    const SEES: bool = false;
}
