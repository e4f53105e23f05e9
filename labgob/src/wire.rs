//! The bytes of single values: bincode's standard configuration, that is, little-endian variable
//! length integers. No other file names bincode.
//!
//! bincode serves the primitives only. Their byte form is worth taking from a library: it is
//! written down, others can read it, and its numbers are small and quick. Everything that holds
//! parts is written and read by this crate's own serializer and deserializer (`ser.rs`, `de.rs`),
//! since each part has to be checked against the type's shape, and each length and depth against
//! what is left; bincode's containers would do neither.

use std::mem;

use bincode::config::{Configuration, standard};
use bincode::de::read::{BorrowReader, Reader};
use bincode::de::{BorrowDecode, BorrowDecoder, DecoderImpl};
use bincode::enc::write::Writer;
use bincode::enc::{Encode, Encoder, EncoderImpl};
use bincode::error::{DecodeError, EncodeError};

use crate::fault::{Fault, Why};
use crate::shape::Primitive;

const CONFIG: Configuration = standard();

/// What can be written: numbers, `bool`, `char`, `str` and `[u8]`.
pub(crate) trait Put: Encode {
    /// The byte that the value is written as, if it is known to be only one.
    #[inline(always)]
    fn small(&self) -> Option<u8> {
        None
    }
}

/// What is at most this takes one byte; longer numbers begin with a larger byte.
const SHORT: u8 = 250;

macro_rules! put {
    (small: $($small:ty)*; other: $($other:ty)*) => {
        // A short cut past bincode's function, which is not inlined. Most numbers are small.
        $(impl Put for $small {
            #[inline(always)]
            fn small(&self) -> Option<u8> {
                (*self <= SHORT.into()).then_some(*self as u8)
            }
        })*
        $(impl Put for $other {})*
    };
}

put! {
    small: u16 u32 u64;
    other: u8 u128 i8 i16 i32 i64 i128 f32 f64 bool char str &str [u8] &[u8]
}

/// What can be read: numbers, `bool`, `char`, `&str` and `&[u8]`.
pub(crate) trait Take<'de>: BorrowDecode<'de, ()> {
    /// Whether a shorter form than the one of `len` bytes would have done.
    #[inline(always)]
    fn is_padded(&self, _len: usize) -> bool {
        false
    }
}

macro_rules! take {
    (unsigned: $($unsigned:ty)*; signed: $($signed:ty)*; counted: $($counted:ty)*;
     other: $($other:ty)*) => {
        $(impl<'de> Take<'de> for $unsigned {
            #[inline(always)]
            fn is_padded(&self, len: usize) -> bool {
                is_padded(*self, len)
            }
        })*
        $(impl<'de> Take<'de> for $signed {
            #[inline(always)]
            fn is_padded(&self, len: usize) -> bool {
                let zigzag = (*self << 1) ^ (*self >> (<$signed>::BITS - 1));
                is_padded(zigzag.cast_unsigned(), len)
            }
        })*
        $(impl<'de> Take<'de> for $counted {
            #[inline(always)]
            fn is_padded(&self, len: usize) -> bool {
                is_padded(self.len() as u64, len - self.len())
            }
        })*
        $(impl<'de> Take<'de> for $other {})*
    };
}

take! {
    unsigned: u16 u32 u64 u128;
    signed: i16 i32 i64 i128;
    counted: &'de str &'de [u8];
    other: u8 i8 f32 f64 bool char
}

/// Whether a number takes more bytes than it needs. bincode reads it all the same, but then a value
/// would have more than one encoding.
#[inline(always)]
fn is_padded<T: Into<u128>>(number: T, len: usize) -> bool {
    let number: u128 = number.into();
    match len {
        ..=1 => false,
        3 => number <= SHORT.into(),
        5 => number <= u16::MAX.into(),
        9 => number <= u32::MAX.into(),
        _ => number <= u64::MAX.into(),
    }
}

/// Bytes being written.
// bincode's encoder and decoder live as long as the bytes: one made for each value would cost a
// detour through memory each time.
pub(crate) struct Output(EncoderImpl<Written, Configuration>);

struct Written(Vec<u8>);

impl Output {
    /// Goes on after these bytes.
    #[inline(always)]
    pub(crate) fn after(bytes: Vec<u8>) -> Output {
        Output(EncoderImpl::new(Written(bytes), CONFIG))
    }

    /// Takes the bytes out.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Vec<u8> {
        mem::take(&mut self.0.writer().0)
    }
}

impl Writer for Written {
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Appends one value.
#[inline(always)]
pub(crate) fn put<T: Put + ?Sized>(out: &mut Output, value: &T) {
    if let Some(byte) = value.small() {
        out.0.writer().0.push(byte);
    } else if let Err(error) = value.encode(&mut out.0) {
        unwritable(error);
    }
}

#[cold]
fn unwritable(error: EncodeError) -> ! {
    unreachable!("writing to a Vec cannot fail: {error}")
}

/// Bytes being read.
pub(crate) struct Input<'de>(DecoderImpl<Rest<'de>, Configuration, ()>);

/// The bytes not yet read.
struct Rest<'de>(&'de [u8]);

impl<'de> Input<'de> {
    #[inline(always)]
    pub(crate) fn new(bytes: &'de [u8]) -> Input<'de> {
        Input(DecoderImpl::new(Rest(bytes), CONFIG, ()))
    }

    /// The bytes that have not been read.
    #[inline(always)]
    pub(crate) fn rest(&mut self) -> &'de [u8] {
        self.0.borrow_reader().0
    }

    /// How many bytes have not been read.
    #[inline(always)]
    pub(crate) fn left(&mut self) -> usize {
        self.rest().len()
    }
}

impl Reader for Rest<'_> {
    #[inline(always)]
    fn read(&mut self, bytes: &mut [u8]) -> Result<(), DecodeError> {
        bytes.copy_from_slice(self.take_bytes(bytes.len())?);
        Ok(())
    }

    #[inline(always)]
    fn peek_read(&mut self, n: usize) -> Option<&[u8]> {
        self.0.get(..n)
    }

    #[inline(always)]
    fn consume(&mut self, n: usize) {
        self.0 = self.0.get(n..).unwrap_or_default();
    }
}

impl<'de> BorrowReader<'de> for Rest<'de> {
    #[inline(always)]
    fn take_bytes(&mut self, length: usize) -> Result<&'de [u8], DecodeError> {
        let Some((taken, rest)) = self.0.split_at_checked(length) else {
            return Err(DecodeError::UnexpectedEnd { additional: length - self.0.len() });
        };
        self.0 = rest;
        Ok(taken)
    }
}

/// Reads one value.
///
/// Only borrowed forms of text and bytes can be read: bincode's owned forms allocate what a length
/// claims before they look whether the input is that long.
#[inline(always)]
pub(crate) fn take<'de, T: Take<'de>>(input: &mut Input<'de>) -> Result<T, Fault> {
    let before = input.left();
    let value = T::borrow_decode(&mut input.0).map_err(fault)?;
    if value.is_padded(before - input.left()) { Err(padded()) } else { Ok(value) }
}

#[cold]
fn padded() -> Fault {
    Fault::new(Why::Invalid("a number takes more bytes than it needs".into()))
}

#[cold]
fn fault(error: DecodeError) -> Fault {
    Fault::new(match error {
        DecodeError::UnexpectedEnd { additional } => Why::Ended { missing: additional },
        DecodeError::InvalidBooleanValue(byte) => {
            Why::Invalid(format!("the byte {byte} is neither false nor true"))
        }
        DecodeError::InvalidCharEncoding(_) => Why::Invalid("not a character".into()),
        DecodeError::Utf8 { .. } => Why::Invalid("the text is not UTF-8".into()),
        DecodeError::InvalidIntegerType { expected, found } => {
            Why::Invalid(format!("a {found:?} stands where a {expected:?} should"))
        }
        other => Why::Invalid(other.to_string()),
    })
}

/// What follows a value without parts, and whether the value has a byte that is not zero.
/// `None` if there is no such value. It is not looked at any closer.
#[inline(always)]
pub(crate) fn after(primitive: Primitive, bytes: &[u8]) -> Option<(bool, &[u8])> {
    let fixed = match primitive {
        Primitive::U16
        | Primitive::U32
        | Primitive::U64
        | Primitive::U128
        | Primitive::I16
        | Primitive::I32
        | Primitive::I64
        | Primitive::I128 => return after_number(bytes),
        Primitive::String | Primitive::Bytes => {
            let (len, rest) = count(bytes)?;
            return Some((len > 0, rest.get(len..)?));
        }
        Primitive::Char => take::<char>(&mut Input::new(bytes)).ok()?.len_utf8(),
        Primitive::Unit => 0,
        Primitive::Bool | Primitive::U8 | Primitive::I8 => 1,
        Primitive::F32 => 4,
        Primitive::F64 => 8,
    };
    let (value, rest) = bytes.split_at_checked(fixed)?;
    Some((value.iter().any(|byte| *byte != 0), rest))
}

#[inline(always)]
fn after_number(bytes: &[u8]) -> Option<(bool, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let more = match first {
        ..=SHORT => return Some((*first != 0, rest)),
        251 => 2,
        252 => 4,
        253 => 8,
        254 => 16,
        255 => return None,
    };
    Some((true, rest.get(more..)?))
}

/// A count of elements or bytes, and what follows it. None can be more than bytes are left, since
/// each element takes one at least.
#[inline(always)]
pub(crate) fn count(bytes: &[u8]) -> Option<(usize, &[u8])> {
    number(bytes).filter(|(count, rest)| *count <= rest.len())
}

/// A number that has to do with memory, and what follows it.
#[inline(always)]
pub(crate) fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if *first <= SHORT {
        return Some(((*first).into(), rest));
    }
    let mut input = Input::new(bytes);
    let number: u64 = take(&mut input).ok()?;
    Some((number.try_into().ok()?, input.rest()))
}
