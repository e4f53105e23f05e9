//! One value with its fingerprint: the fast path, and the slow paths that check it and explain its
//! failures.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::check::Checker;
use crate::depth::Guard;
use crate::error::{DecodeErrorKind, Which};
use crate::fault::Fault;
use crate::first_use::{Known, known};
use crate::probe::Blind;
use crate::wire::Input;
use crate::{DecodeError, EncodeError, Gob, de, first_use, header, round_trip, ser};

/// Appends the encoding of a value. On an error `out` is as it was.
#[inline(always)]
pub(crate) fn encode_into<T: Gob>(out: &mut Vec<u8>, value: &T) -> Result<(), EncodeError> {
    let known = known::<T>();
    let start = out.len();
    out.extend_from_slice(&known.fingerprint.to_le_bytes());
    let body = out.len();
    if let Err(fault) = write(value, out, known) {
        out.truncate(start);
        return Err(explain_encode(value, fault));
    }
    if first_use::is_due::<T>(&out[body..])
        && let Err(error) = check_encode(value, &out[body..])
    {
        out.truncate(start);
        return Err(error);
    }
    Ok(())
}

#[inline(always)]
fn write<T: Serialize>(value: &T, out: &mut Vec<u8>, known: Known) -> Result<(), Fault> {
    if known.recursive {
        ser::write(value, out, known.depth, &mut Guard::new())
    } else {
        ser::write(value, out, known.depth, &mut Blind)
    }
}

/// As [`encode_into`], with the type's description.
pub(crate) fn encode_described_into<T: Gob>(
    out: &mut Vec<u8>,
    value: &T,
) -> Result<(), EncodeError> {
    let start = out.len();
    header::put_description::<T>(out);
    encode_into(out, value).inspect_err(|_| out.truncate(start))
}

/// Writes the value again, slowly, to find where it fails.
#[cold]
fn explain_encode<T: Gob>(value: &T, fault: Fault) -> EncodeError {
    let slowly = round_trip::write(value, &mut Vec::new());
    slowly.err().unwrap_or_else(|| round_trip::encode_error::<T>(None, fault.to_string()))
}

/// Compares the type's serde code with its shape, in both directions.
#[cold]
fn check_encode<T: Gob>(value: &T, body: &[u8]) -> Result<(), EncodeError> {
    let result = round_trip::of_written(value, body);
    match result {
        Ok(()) => first_use::passed::<T>(body),
        Err(_) => first_use::failed::<T>(),
    }
    result
}

/// Reads the value at `*at` and moves `*at` to its end, or leaves it on an error.
#[inline]
pub(crate) fn decode_at<T: Gob>(
    bytes: &[u8],
    at: &mut usize,
    which: Which<'_>,
) -> Result<T, DecodeError> {
    let known = known::<T>();
    let rest = &bytes[*at..];
    let unnamed = match which.name {
        Some(name) => header::strip_name(rest, name),
        None => Some(rest),
    };
    if let Some(body) = unnamed.and_then(|unnamed| quick_body::<T>(unnamed, known)) {
        let mut input = Input::new(body);
        let result = read(&mut input, known);
        let read = &body[..body.len() - input.left()];
        if result.is_ok() && is_in_its_form(&result, read, known) {
            *at = bytes.len() - input.left();
            return result;
        }
    }
    decode_slowly(bytes, at, which)
}

/// Reads the value that is the whole of `bytes`.
// Not by way of `decode_at`: each further look at the result moves the value once more, which
// costs more than all the checks.
#[inline(always)]
pub(crate) fn decode_all<T: Gob>(bytes: &[u8]) -> Result<T, DecodeError> {
    let known = known::<T>();
    if let Some(body) = quick_body::<T>(bytes, known) {
        let mut input = Input::new(body);
        let result = read(&mut input, known);
        if result.is_ok() && input.left() == 0 && is_in_its_form(&result, body, known) {
            return result;
        }
    }
    decode_all_slowly(bytes)
}

/// What follows the fingerprint, if it is that of `T` and no check is due.
#[inline(always)]
fn quick_body<T: Gob>(bytes: &[u8], known: Known) -> Option<&[u8]> {
    let body = header::strip_fingerprint(bytes, known.fingerprint)?;
    (!first_use::is_due::<T>(body)).then_some(body)
}

#[inline(always)]
fn read<T: DeserializeOwned>(input: &mut Input<'_>, known: Known) -> Result<T, DecodeError> {
    if known.recursive {
        de::read(input, known.depth, &mut Guard::new())
    } else {
        de::read(input, known.depth, &mut Blind)
    }
}

/// Whether a value that was read from these bytes is written to them too.
#[inline(always)]
fn is_in_its_form<T: Gob>(value: &Result<T, DecodeError>, read: &[u8], known: Known) -> bool {
    known.one_form || value.as_ref().is_ok_and(|value| round_trip::is_written_to(value, read))
}

#[cold]
#[inline(never)]
fn decode_all_slowly<T: Gob>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut end = 0;
    let value = decode_slowly(bytes, &mut end, Which::default())?;
    if end != bytes.len() {
        return Err(header::trailing(bytes, end, Some(T::describe().to_string())));
    }
    Ok(value)
}

/// As [`decode_at`], for all that is rare: checks, descriptions and errors.
#[cold]
#[inline(never)]
fn decode_slowly<T: Gob>(bytes: &[u8], at: &mut usize, which: Which<'_>) -> Result<T, DecodeError> {
    let body = *at + header::find::<T>(bytes, *at, which)?;
    let mut checker = Checker::of_deserialize(T::SHAPE);
    let mut input = Input::new(&bytes[body..]);
    let result = de::read(&mut input, known::<T>().depth, &mut checker);
    let end = bytes.len() - input.left();
    let checked = match result {
        Ok(value) => round_trip::of_read(&value, &bytes[body..end]).map(|()| value),
        Err(error) => Err(error.at(checker.field(), end - body)),
    };
    match checked {
        Ok(value) => {
            first_use::passed::<T>(&bytes[body..end]);
            *at = end;
            Ok(value)
        }
        Err(error) => {
            if error.kind() == DecodeErrorKind::Shape {
                first_use::failed::<T>();
            }
            Err(error.of(T::describe().to_string(), which, body))
        }
    }
}
