//! How deep values may be nested, so that no bytes can make a stack overflow.
//!
//! Only recursive types have values of any depth; what the others take is known when they are
//! compiled. Two limits hold for them, in both directions:
//!
//! - A number of levels, which follows from the type alone. So what can be written can be read, in
//!   any build and on any stack that is large enough for the second limit.
//! - The stack that is really in use, which guards what the first one cannot know: how large the
//!   frames of a build without optimisation are, or of serde code written by hand.

use crate::fault::{Fault, Why};
use crate::graph::Graph;
use crate::probe::{Open, Probe};
use crate::shape::{Field, Shape, Type};

/// How deep values may be nested: far more than messages are, and little enough for any stack.
///
/// Recursive types whose structs are larger than 1 KiB have less: together, the structs inside
/// each other may take 128 KiB.
pub const MAX_DEPTH: u32 = 128;

/// How many bytes structs inside each other may take, without what they point to.
const MAX_SIZE: usize = 128 << 10;

/// How much stack the values inside each other may take while they are written or read.
pub(crate) const MAX_STACK: usize = 512 << 10;

/// The depth of a part of something at `depth`, if there may be one.
#[inline(always)]
pub(crate) fn deeper(depth: u32) -> Option<u32> {
    (depth < MAX_DEPTH).then(|| depth + 1)
}

/// The fault of a value that began at `depth`.
#[cold]
pub(crate) fn too_deep(depth: u32) -> Fault {
    Fault::new(Why::TooDeep { levels: MAX_DEPTH - depth })
}

/// How many levels values may have whose shapes are these.
pub(crate) fn levels(graph: &Graph) -> u32 {
    let largest = graph.recursive().map(size).max().unwrap_or(0);
    // Enough for one value of each kind inside the other, however large they are.
    let levels = (MAX_SIZE / largest.max(1)).max(graph.len());
    u32::try_from(levels).unwrap_or(MAX_DEPTH).min(MAX_DEPTH)
}

/// What a value takes in memory, without what it points to.
fn size(shape: &Shape) -> usize {
    let of_fields = |fields: &[Field]| fields.iter().map(|field| field.ty.size).sum();
    match shape {
        Shape::Enum { variants, .. } => {
            variants.iter().map(|v| of_fields(v.fields)).max().unwrap_or(0)
        }
        Shape::List(_) | Shape::Set(_) | Shape::Map(..) => size_of::<Vec<()>>(),
        Shape::Array(item, len) => item.size * len,
        shape => shape.types().into_iter().map(|ty: &Type| ty.size).sum(),
    }
}

/// Sees how much stack is in use, and nothing else.
pub(crate) struct Guard {
    top: usize,
}

impl Guard {
    /// What is in use now does not count.
    pub(crate) fn new() -> Guard {
        Guard { top: stack_pointer() }
    }

    #[inline(always)]
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let used = self.top.abs_diff(stack_pointer());
        if used > MAX_STACK { Err(Fault::new(Why::Stack)) } else { Ok(()) }
    }
}

impl Probe for Guard {
    const SEES: bool = false;

    #[inline(always)]
    fn open(&mut self, _open: Open) -> Result<(), Fault> {
        self.check()
    }
}

/// About where the stack ends.
#[inline(always)]
fn stack_pointer() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(&here).addr()
}
