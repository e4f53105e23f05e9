//! One value with its fingerprint: the fast path, and the slow paths that explain its failures.

use crate::check::Checker;
use crate::describe::Description;
use crate::error::{DecodeDetails, DecodeErrorKind, EncodeDetails};
use crate::fault::Fault;
use crate::probe::Blind;
use crate::shape::DESCRIBED;
use crate::wire::Input;
use crate::{DecodeError, EncodeError, Gob, de, diff, first_use, ser};

/// Fingerprints, and lengths of embedded descriptions.
const WORD: usize = 4;

/// Appends the encoding of a value. On an error `out` is as it was.
#[inline(always)]
pub(crate) fn encode_into<T: Gob>(out: &mut Vec<u8>, value: &T) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(&T::FINGERPRINT.to_le_bytes());
    let body = out.len();
    if let Err(fault) = ser::write(value, out, &mut Blind) {
        out.truncate(start);
        return Err(explain_encode(value, fault));
    }
    if first_use::slot::<T>().encoding.due()
        && let Err(error) = check_encode(value, &out[body..])
    {
        out.truncate(start);
        return Err(error);
    }
    Ok(())
}

/// As [`encode_into`], with the type's description.
pub(crate) fn encode_described_into<T: Gob>(
    out: &mut Vec<u8>,
    value: &T,
) -> Result<(), EncodeError> {
    let start = out.len();
    let description = T::describe().to_bytes();
    out.extend_from_slice(&DESCRIBED.to_le_bytes());
    out.extend_from_slice(&(description.len() as u32).to_le_bytes());
    out.extend_from_slice(&description);
    encode_into(out, value).inspect_err(|_| out.truncate(start))
}

fn encode_error<T: Gob>(field: Option<String>, text: String) -> EncodeError {
    EncodeError(Box::new(EncodeDetails { of: T::describe().to_string(), field, text }))
}

/// Writes the value again, slowly, to find where it fails.
#[cold]
fn explain_encode<T: Gob>(value: &T, fault: Fault) -> EncodeError {
    let mut checker = Checker::of_serialize(T::SHAPE);
    let fault = ser::write(value, &mut Vec::new(), &mut checker).err().unwrap_or(fault);
    encode_error::<T>(checker.field(), fault.to_string())
}

/// Compares the type's serde code with its shape, in both directions.
#[cold]
fn check_encode<T: Gob>(value: &T, body: &[u8]) -> Result<(), EncodeError> {
    let slot = first_use::slot::<T>();
    let result = check_round_trip(value, body);
    match &result {
        Ok(coverage) => {
            slot.encoding.passed(*coverage);
            slot.decoding.passed(*coverage);
        }
        Err(_) => slot.encoding.failed(),
    }
    result.map(|_| ())
}

fn check_round_trip<T: Gob>(value: &T, body: &[u8]) -> Result<(u64, u64), EncodeError> {
    let mut checker = Checker::of_serialize(T::SHAPE);
    let mut again = Vec::with_capacity(body.len());
    if let Err(fault) = ser::write(value, &mut again, &mut checker) {
        return Err(encode_error::<T>(checker.field(), fault.to_string()));
    }
    let coverage = checker.coverage();
    if let Some(at) = first_difference(body, &again) {
        let text = "Serialize writes different bytes each time: is there a map without an order?";
        return Err(encode_error::<T>(field_at::<T>(body, at), text.into()));
    }
    let mut checker = Checker::of_deserialize(T::SHAPE);
    let mut input = Input::new(body);
    let back: T = match de::read(&mut input, &mut checker) {
        Ok(back) => back,
        Err(DecodeError(fault)) => return Err(encode_error::<T>(checker.field(), fault.text)),
    };
    if input.left() > 0 {
        let text = format!("Deserialize leaves {} of the written bytes unread", input.left());
        return Err(encode_error::<T>(None, text));
    }
    again.clear();
    if let Err(fault) = ser::write(&back, &mut again, &mut Blind) {
        return Err(explain_encode(&back, fault));
    }
    if let Some(at) = first_difference(body, &again) {
        let text = "the decoded value differs from the encoded one";
        return Err(encode_error::<T>(field_at::<T>(body, at), text.into()));
    }
    Ok(coverage)
}

fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    let common = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    (common < a.len().max(b.len())).then_some(common)
}

/// The field which the byte at `at` belongs to: the one that cannot be read without it.
fn field_at<T: Gob>(body: &[u8], at: usize) -> Option<String> {
    let mut checker = Checker::of_deserialize(T::SHAPE);
    let read: Result<T, DecodeError> =
        de::read(&mut Input::new(&body[..at.min(body.len())]), &mut checker);
    read.err().and_then(|_| checker.field())
}

/// Reads the value at `*at` and moves `*at` to its end, or leaves it on an error.
#[inline]
pub(crate) fn decode_at<T: Gob>(
    bytes: &[u8],
    at: &mut usize,
    nth: Option<usize>,
) -> Result<T, DecodeError> {
    if let Some(body) = quick_body::<T>(&bytes[*at..]) {
        let mut input = Input::new(body);
        let result = de::read(&mut input, &mut Blind);
        if result.is_ok() {
            *at = bytes.len() - input.left();
            return result;
        }
    }
    decode_slowly(bytes, at, nth)
}

/// Reads the value that is the whole of `bytes`.
// Not by way of `decode_at`: each further look at the result moves the value once more, which
// costs more than all the checks.
#[inline(always)]
pub(crate) fn decode_all<T: Gob>(bytes: &[u8]) -> Result<T, DecodeError> {
    if let Some(body) = quick_body::<T>(bytes) {
        let mut input = Input::new(body);
        let result = de::read(&mut input, &mut Blind);
        if result.is_ok() && input.left() == 0 {
            return result;
        }
    }
    decode_all_slowly(bytes)
}

/// What follows the fingerprint, if it is that of `T` and no check is due.
#[inline(always)]
fn quick_body<T: Gob>(bytes: &[u8]) -> Option<&[u8]> {
    let (header, body) = bytes.split_first_chunk::<WORD>()?;
    let quick =
        u32::from_le_bytes(*header) == T::FINGERPRINT && !first_use::slot::<T>().decoding.due();
    quick.then_some(body)
}

#[cold]
#[inline(never)]
fn decode_all_slowly<T: Gob>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut end = 0;
    let value = decode_slowly(bytes, &mut end, None)?;
    if end != bytes.len() {
        return Err(trailing(bytes, end, Some(T::describe().to_string())));
    }
    Ok(value)
}

/// As [`decode_at`], for all that is rare: first uses, descriptions and errors.
#[cold]
#[inline(never)]
fn decode_slowly<T: Gob>(
    bytes: &[u8],
    at: &mut usize,
    nth: Option<usize>,
) -> Result<T, DecodeError> {
    let header = find_header::<T>(bytes, *at, nth)?;
    let mut checker = Checker::of_deserialize(T::SHAPE);
    let mut input = Input::new(&bytes[*at + header..]);
    let checks = &first_use::slot::<T>().decoding;
    match de::read(&mut input, &mut checker) {
        Ok(value) => {
            checks.passed(checker.coverage());
            *at = bytes.len() - input.left();
            Ok(value)
        }
        Err(DecodeError(mut details)) => {
            if details.kind == DecodeErrorKind::Shape {
                checks.failed();
            }
            details.wanted = Some(T::describe().to_string());
            details.nth = nth;
            details.field = checker.field();
            details.position = bytes.len() - input.left();
            Err(DecodeError(details))
        }
    }
}

fn decode_error<T: Gob>(
    kind: DecodeErrorKind,
    position: usize,
    nth: Option<usize>,
    field: Option<String>,
    text: String,
) -> DecodeError {
    let wanted = Some(T::describe().to_string());
    DecodeError(Box::new(DecodeDetails { kind, wanted, nth, field, position, text }))
}

/// The length of what stands before the value at `start`, which must be a `T`.
fn find_header<T: Gob>(
    bytes: &[u8],
    start: usize,
    nth: Option<usize>,
) -> Result<usize, DecodeError> {
    let error = |kind, position, text| Err(decode_error::<T>(kind, position, nth, None, text));
    let wrong = |text| error(DecodeErrorKind::WrongType, start, text);
    let rest = &bytes[start..];
    if rest.is_empty() {
        let text = if start == 0 { "the input is empty" } else { "no value is left to be read" };
        return error(DecodeErrorKind::NoValue, start, text.into());
    }
    let Some(header) = Header::read(rest) else {
        let text = "the input ends before the value, within its fingerprint or description";
        return error(DecodeErrorKind::Truncated, bytes.len(), text.into());
    };
    if header.fingerprint == T::FINGERPRINT {
        return Ok(header.len);
    }
    let found = match header.describe() {
        Some(Ok(found)) => found,
        Some(Err(DecodeError(details))) => {
            return wrong(format!("the embedded description is damaged: {}", details.text));
        }
        None => {
            return wrong(format!(
                "the bytes hold a type that this process has not used (fingerprint {:#010x}), or \
                 are no encoding at all; `encode_described` would name it",
                header.fingerprint
            ));
        }
    };
    let mut text = format!("the bytes hold `{found}`");
    for (nth, line) in diff::differences(&found, &T::describe()).iter().enumerate() {
        text.push_str(if nth == 0 { ": " } else { "; " });
        text.push_str(line);
    }
    wrong(text)
}

/// What stands before a value.
struct Header<'a> {
    fingerprint: u32,
    description: Option<&'a [u8]>,
    len: usize,
}

impl<'a> Header<'a> {
    /// `None` if the bytes end within it.
    fn read(bytes: &'a [u8]) -> Option<Header<'a>> {
        let (fingerprint, rest) = word(bytes)?;
        if fingerprint != DESCRIBED {
            return Some(Header { fingerprint, description: None, len: WORD });
        }
        let (len, rest) = word(rest)?;
        let (description, rest) = rest.split_at_checked(len as usize)?;
        let (fingerprint, rest) = word(rest)?;
        let len = bytes.len() - rest.len();
        Some(Header { fingerprint, description: Some(description), len })
    }

    fn describe(&self) -> Option<Result<Description, DecodeError>> {
        match self.description {
            Some(bytes) => Some(Description::from_bytes(bytes)),
            None => first_use::known(self.fingerprint).map(|shape| Ok(Description::of(shape))),
        }
    }
}

fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<WORD>()?;
    Some((u32::from_le_bytes(*word), rest))
}

/// The error for bytes left over, of which the first is at `start`.
#[cold]
pub(crate) fn trailing(bytes: &[u8], start: usize, wanted: Option<String>) -> DecodeError {
    let left = bytes.len() - start;
    let s = if left == 1 { "" } else { "s" };
    let mut text = format!("{left} byte{s} left over");
    if let Some(Some(Ok(found))) = Header::read(&bytes[start..]).map(|header| header.describe()) {
        text.push_str(&format!("; they look like `{found}`"));
    }
    let kind = DecodeErrorKind::TrailingBytes;
    let details = DecodeDetails { kind, wanted, nth: None, field: None, position: start, text };
    DecodeError(Box::new(details))
}
