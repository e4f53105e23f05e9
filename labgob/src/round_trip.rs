//! Checks of a type's serde code with one of its values: what is written is read, and what is read
//! is written, and it comes out the same.

use crate::check::Checker;
use crate::error::{DecodeErrorKind, EncodeDetails};
use crate::first_use::known;
use crate::probe::Blind;
use crate::wire::Input;
use crate::{DecodeError, EncodeError, Gob, de, ser};

pub(crate) fn encode_error<T: Gob>(field: Option<String>, text: String) -> EncodeError {
    EncodeError(Box::new(EncodeDetails { of: T::describe().to_string(), field, text }))
}

/// Writes the value under the eyes of a checker.
pub(crate) fn write<T: Gob>(value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let mut checker = Checker::of_serialize(T::SHAPE);
    ser::write(value, out, known::<T>().depth, &mut checker)
        .map_err(|fault| encode_error::<T>(checker.field(), fault.to_string()))
}

/// Checks a value that has been written to `body`.
pub(crate) fn of_written<T: Gob>(value: &T, body: &[u8]) -> Result<(), EncodeError> {
    let mut again = Vec::with_capacity(body.len());
    write(value, &mut again)?;
    if let Some(at) = first_difference(body, &again) {
        let text = "Serialize writes different bytes each time: is there a map without an order?";
        return Err(encode_error::<T>(field_at::<T>(body, at), text.into()));
    }
    let mut checker = Checker::of_deserialize(T::SHAPE);
    let mut input = Input::new(body);
    let back: T = match de::read(&mut input, known::<T>().depth, &mut checker) {
        Ok(back) => back,
        Err(DecodeError(fault)) => return Err(encode_error::<T>(checker.field(), fault.text)),
    };
    if input.left() > 0 {
        let text = format!("Deserialize leaves {} of the written bytes unread", input.left());
        return Err(encode_error::<T>(None, text));
    }
    again.clear();
    write(&back, &mut again)?;
    if let Some(at) = first_difference(body, &again) {
        let text = "the decoded value differs from the encoded one";
        return Err(encode_error::<T>(field_at::<T>(body, at), text.into()));
    }
    Ok(())
}

/// Checks a value that has been read from `body`.
///
/// The position of the error counts from the start of `body`.
pub(crate) fn of_read<T: Gob>(value: &T, body: &[u8]) -> Result<(), DecodeError> {
    let mut again = Vec::with_capacity(body.len());
    let mut checker = Checker::of_serialize(T::SHAPE);
    if let Err(fault) = ser::write(value, &mut again, known::<T>().depth, &mut checker) {
        return Err(DecodeError::from(fault).at(checker.field(), body.len()));
    }
    let Some(at) = first_difference(body, &again) else { return Ok(()) };
    let place = place_of::<T>(body, at);
    let text = "Deserialize does not keep what it reads: the value is written with other bytes";
    let (kind, text) = match place.other_form(again.get(at).copied()) {
        Some(text) => (DecodeErrorKind::Invalid, text),
        None => (DecodeErrorKind::Shape, text),
    };
    Err(DecodeError::new(kind, text.into()).at(place.field(), at))
}

/// Whether the value is written to these bytes.
pub(crate) fn is_written_to<T: Gob>(value: &T, body: &[u8]) -> bool {
    let mut again = Vec::with_capacity(body.len());
    let written = ser::write(value, &mut again, known::<T>().depth, &mut Blind);
    written.is_ok() && again == body
}

fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    let common = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    (common < a.len().max(b.len())).then_some(common)
}

/// The field which the byte at `at` belongs to.
fn field_at<T: Gob>(body: &[u8], at: usize) -> Option<String> {
    place_of::<T>(body, at).field()
}

/// A checker that has stopped where the byte at `at` is read.
fn place_of<T: Gob>(body: &[u8], at: usize) -> Checker {
    let mut checker = Checker::until(T::SHAPE, body.len().saturating_sub(at));
    let _: Result<T, _> = de::read(&mut Input::new(body), known::<T>().depth, &mut checker);
    checker
}
