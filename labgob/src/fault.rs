//! Why reading or writing stopped. It has no place yet: a second, slower walk finds that.

use std::fmt::{self, Display};

use crate::depth::{MAX_DEPTH, MAX_STACK};

/// The error of each small step. Boxed, so that the result of a step stays small.
#[derive(Debug)]
pub(crate) struct Fault(pub(crate) Box<Why>);

#[derive(Debug)]
pub(crate) enum Why {
    /// The input ended this many bytes too early.
    Ended { missing: usize },
    /// A length that what follows cannot fill.
    Length { claimed: u64, left: usize },
    /// Bytes that mean no value of the type.
    Invalid(String),
    /// Values nested deeper than so many levels.
    TooDeep { levels: u32 },
    /// Values whose nesting would take too much stack.
    Stack,
    /// The type's `Serialize` or `Deserialize` does not do what its shape says.
    Shape(String),
    /// What the type's own `Serialize` or `Deserialize` says.
    Custom(String),
}

impl Fault {
    #[cold]
    pub(crate) fn new(why: Why) -> Fault {
        Fault(Box::new(why))
    }

    #[cold]
    pub(crate) fn shape(text: impl Into<String>) -> Fault {
        Fault::new(Why::Shape(text.into()))
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Why::Ended { missing } => {
                let s = if *missing == 1 { "" } else { "s" };
                write!(f, "the input ends at least {missing} byte{s} too early")
            }
            Why::Length { claimed, left } => {
                write!(f, "the length {claimed} is more than the number of bytes left, {left}")
            }
            Why::TooDeep { levels: MAX_DEPTH } => {
                write!(f, "nested deeper than {MAX_DEPTH} levels")
            }
            Why::TooDeep { levels } => write!(
                f,
                "nested deeper than {levels} levels, the most for a type so large: put its large \
                 parts into a `Box` or a `Vec`"
            ),
            Why::Stack => {
                write!(f, "nested so deep that it takes over {} KiB of stack", MAX_STACK >> 10)
            }
            Why::Invalid(text) | Why::Shape(text) | Why::Custom(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Fault {}

impl serde::ser::Error for Fault {
    #[cold]
    fn custom<T: Display>(text: T) -> Fault {
        Fault::new(Why::Custom(text.to_string()))
    }
}
