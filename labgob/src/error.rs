//! The two errors.

use std::error::Error;
use std::fmt::{self, Display};

use crate::fault::{Fault, Why};

/// Why a value could not be encoded: its type's `Serialize` does not do what its shape says.
///
/// That is a mistake in the program, not in the data, except for values nested too deep and for
/// errors that a hand-written `Serialize` returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodeError(pub(crate) Box<EncodeDetails>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EncodeDetails {
    pub(crate) of: String,
    pub(crate) field: Option<String>,
    pub(crate) text: String,
}

impl EncodeError {
    /// The field concerned, such as `entries[2].command`, unless it is the whole value.
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }
}

impl Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EncodeDetails { of, field, text } = &*self.0;
        write!(f, "cannot encode `{of}`: ")?;
        if let Some(field) = field {
            write!(f, "field `{field}`: ")?;
        }
        f.write_str(text)
    }
}

impl Error for EncodeError {}

/// Why bytes could not be decoded. Its text names the type and, where there is one, the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError(pub(crate) Box<DecodeDetails>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DecodeDetails {
    pub(crate) kind: DecodeErrorKind,
    pub(crate) wanted: Option<String>,
    /// Which of several values, counted from 1.
    pub(crate) nth: Option<usize>,
    /// The name under which it is read.
    pub(crate) name: Option<String>,
    pub(crate) field: Option<String>,
    pub(crate) position: usize,
    pub(crate) text: String,
}

/// Which value of its bytes a value is.
#[derive(Clone, Copy, Default)]
pub(crate) struct Which<'a> {
    /// Its number among several values, counted from 1.
    pub(crate) nth: Option<usize>,
    /// The name under which it is read.
    pub(crate) name: Option<&'a str>,
}

/// The kinds of [`DecodeError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The bytes hold a value of another type, or of another version of this one.
    WrongType,
    /// The bytes hold a value of another name, or one without a name where one with it is read, or
    /// the other way round.
    WrongName,
    /// The input ends too early.
    Truncated,
    /// The input goes on after the value.
    TrailingBytes,
    /// The input ended before this value: fewer values were written than are read.
    NoValue,
    /// A list claims more elements than bytes are left: the input was cut, or is no encoding.
    Length,
    /// The bytes mean no value of the type, or one that is written in another way.
    Invalid,
    /// The value is nested deeper than [`MAX_DEPTH`](crate::MAX_DEPTH) or its type's own limit, or
    /// would take too much stack.
    TooDeep,
    /// The type's `Deserialize` does not do what its shape says, or does not keep what it reads: a
    /// mistake in the program.
    Shape,
}

impl DecodeError {
    /// An error of which nothing else is known yet.
    #[cold]
    pub(crate) fn new(kind: DecodeErrorKind, text: String) -> DecodeError {
        DecodeError(Box::new(DecodeDetails {
            kind,
            wanted: None,
            nth: None,
            name: None,
            field: None,
            position: 0,
            text,
        }))
    }

    /// This error, which concerns this field, at this byte of the payload.
    pub(crate) fn at(mut self, field: Option<String>, position: usize) -> DecodeError {
        (self.0.field, self.0.position) = (field, position);
        self
    }

    /// This error, which concerns this type and value, whose payload begins at this byte.
    pub(crate) fn of(mut self, wanted: String, which: Which<'_>, payload: usize) -> DecodeError {
        self.0.wanted = Some(wanted);
        self.0.nth = which.nth;
        self.0.name = which.name.map(String::from);
        self.0.position += payload;
        self
    }

    /// What kind of error this is.
    pub fn kind(&self) -> DecodeErrorKind {
        self.0.kind
    }

    /// The field concerned, such as `entries[2].command`, if it is one.
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// The byte of the input at which reading stopped.
    pub fn position(&self) -> usize {
        self.0.position
    }
}

impl Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DecodeDetails { wanted, nth, name, field, position, text, .. } = &*self.0;
        f.write_str("cannot decode")?;
        if let Some(nth) = nth {
            write!(f, " value {nth}")?;
        }
        if let Some(name) = name {
            write!(f, ", `{name}`,")?;
        }
        if let Some(wanted) = wanted {
            write!(f, " as `{wanted}`")?;
        }
        if let Some(field) = field {
            write!(f, ": field `{field}`")?;
        }
        write!(f, ": {text} (byte {position})")
    }
}

impl Error for DecodeError {}

// The deserializer's own error is this type too, still without type, field and position: were it
// another, each decoded value would be moved once more on its way out.
impl From<Fault> for DecodeError {
    #[cold]
    fn from(fault: Fault) -> DecodeError {
        let kind = match *fault.0 {
            Why::Ended { .. } => DecodeErrorKind::Truncated,
            Why::Length { .. } => DecodeErrorKind::Length,
            Why::Invalid(_) | Why::Custom(_) => DecodeErrorKind::Invalid,
            Why::TooDeep { .. } | Why::Stack => DecodeErrorKind::TooDeep,
            Why::Shape(_) => DecodeErrorKind::Shape,
        };
        DecodeError::new(kind, fault.to_string())
    }
}

impl serde::de::Error for DecodeError {
    #[cold]
    fn custom<T: Display>(text: T) -> DecodeError {
        Fault::new(Why::Custom(text.to_string())).into()
    }
}
