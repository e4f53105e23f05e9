//! What stands before a value's payload: its name, if it has one, its type's description, if it
//! was encoded with that, and the fingerprint.

use crate::describe::Description;
use crate::error::{DecodeDetails, DecodeErrorKind, Which};
use crate::fingerprint::{DESCRIBED, NAMED};
use crate::{DecodeError, Gob, diff, first_use};

/// Fingerprints, and lengths of embedded descriptions.
const WORD: usize = 4;

/// Appends the name, of this length, of the value that follows.
pub(crate) fn put_name(out: &mut Vec<u8>, len: u8, name: &str) {
    out.extend_from_slice(&NAMED.to_le_bytes());
    out.push(len);
    out.extend_from_slice(name.as_bytes());
}

/// What follows this name, if the bytes begin with it.
#[inline]
pub(crate) fn strip_name<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (&len, rest) = bytes.strip_prefix(&NAMED.to_le_bytes())?.split_first()?;
    (usize::from(len) == name.len()).then(|| rest.strip_prefix(name.as_bytes()))?
}

/// Appends the description of `T`.
pub(crate) fn put_description<T: Gob>(out: &mut Vec<u8>) {
    let description = T::describe().to_bytes();
    out.extend_from_slice(&DESCRIBED.to_le_bytes());
    out.extend_from_slice(&(description.len() as u32).to_le_bytes());
    out.extend_from_slice(&description);
}

/// The bytes after the fingerprint, if that is the first thing and has this value.
#[inline(always)]
pub(crate) fn strip_fingerprint(bytes: &[u8], fingerprint: u32) -> Option<&[u8]> {
    let (header, body) = bytes.split_first_chunk::<WORD>()?;
    (u32::from_le_bytes(*header) == fingerprint).then_some(body)
}

/// What stands before a value.
struct Header<'a> {
    name: Option<&'a [u8]>,
    fingerprint: u32,
    description: Option<&'a [u8]>,
    len: usize,
}

impl<'a> Header<'a> {
    /// `None` if the bytes end within it.
    fn read(bytes: &'a [u8]) -> Option<Header<'a>> {
        let (mut name, mut description) = (None, None);
        let (mut fingerprint, mut rest) = word(bytes)?;
        if fingerprint == NAMED {
            let (&len, after) = rest.split_first()?;
            let (bytes, after) = after.split_at_checked(len.into())?;
            name = Some(bytes);
            (fingerprint, rest) = word(after)?;
        }
        if fingerprint == DESCRIBED {
            let (len, after) = word(rest)?;
            let (bytes, after) = after.split_at_checked(len as usize)?;
            description = Some(bytes);
            (fingerprint, rest) = word(after)?;
        }
        Some(Header { name, fingerprint, description, len: bytes.len() - rest.len() })
    }

    fn describe(&self) -> Option<Result<Description, DecodeError>> {
        match self.description {
            Some(bytes) => Some(Description::from_bytes(bytes)),
            None => first_use::shape_of(self.fingerprint).map(|shape| Ok(Description::of(shape))),
        }
    }
}

fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<WORD>()?;
    Some((u32::from_le_bytes(*word), rest))
}

/// The length of what stands before the value at `start`, which must be a `T` of this name.
pub(crate) fn find<T: Gob>(
    bytes: &[u8],
    start: usize,
    which: Which<'_>,
) -> Result<usize, DecodeError> {
    let error = |kind, position, text| {
        Err(DecodeError::new(kind, text).of(T::describe().to_string(), which, position))
    };
    let rest = &bytes[start..];
    if rest.is_empty() {
        let text = if start == 0 { "the input is empty" } else { "no value is left to be read" };
        return error(DecodeErrorKind::NoValue, start, text.into());
    }
    let Some(header) = Header::read(rest) else {
        let text = "the input ends before the value, within its name, fingerprint or description";
        return error(DecodeErrorKind::Truncated, bytes.len(), text.into());
    };
    if let Some(text) = wrong_name(header.name, which) {
        return error(DecodeErrorKind::WrongName, start, text);
    }
    if header.fingerprint != T::fingerprint() {
        return error(DecodeErrorKind::WrongType, start, wrong_type::<T>(&header, which));
    }
    if header.description.is_some_and(|bytes| bytes != T::describe().to_bytes()) {
        let text = "the embedded description is damaged: it is not that of the type, although the \
                    fingerprint is";
        return error(DecodeErrorKind::Invalid, start, text.into());
    }
    Ok(header.len)
}

/// What to add if values of a stream may have changed places.
const ORDER: &str = "or it is read in another order than written";

/// What is wrong with the name of a value, if something is.
fn wrong_name(found: Option<&[u8]>, which: Which<'_>) -> Option<String> {
    let found = found.map(String::from_utf8_lossy);
    match (found.as_deref(), which.name) {
        (None, None) => None,
        (Some(found), Some(wanted)) if found == wanted => None,
        (Some(found), Some(wanted)) => Some(format!(
            "the value is named `{}` and read as `{wanted}`: it was renamed, {ORDER}",
            found.escape_debug()
        )),
        (Some(found), None) => Some(format!(
            "the value has a name, `{}`, and is read without one: use `Decoder::decode_named`, \
             {ORDER}",
            found.escape_debug()
        )),
        (None, Some(wanted)) => Some(format!(
            "the value has no name and is read as `{wanted}`: use `Decoder::decode`, or write it \
             with `Encoder::encode_named`, {ORDER}"
        )),
    }
}

/// What is wrong with a value of another type than `T`.
fn wrong_type<T: Gob>(header: &Header<'_>, which: Which<'_>) -> String {
    let mut text = match header.describe() {
        Some(Ok(found)) => {
            let differences = diff::differences(&found, &T::describe());
            let colon = if differences.is_empty() { "" } else { ": " };
            format!("the bytes hold `{found}`{colon}{}", differences.join("; "))
        }
        Some(Err(DecodeError(details))) => {
            format!("the embedded description is damaged: {}", details.text)
        }
        None => format!(
            "the bytes hold a type that this process has not used (fingerprint {:#010x}), or are \
             no encoding at all; `encode_described` would name it",
            header.fingerprint
        ),
    };
    if which.nth.is_some() {
        text.push_str(&format!("; {ORDER}"));
    }
    text
}

/// The error for bytes left over, of which the first is at `start`.
#[cold]
pub(crate) fn trailing(bytes: &[u8], start: usize, wanted: Option<String>) -> DecodeError {
    let left = bytes.len() - start;
    let s = if left == 1 { "" } else { "s" };
    let mut text = format!("{left} byte{s} left over");
    if let Some(header) = Header::read(&bytes[start..])
        && let Some(Ok(found)) = header.describe()
    {
        text.push_str("; they look like ");
        if let Some(name) = header.name {
            text.push_str(&format!("`{}`, ", String::from_utf8_lossy(name).escape_debug()));
        }
        text.push_str(&format!("`{found}`"));
    }
    let DecodeError(details) = DecodeError::new(DecodeErrorKind::TrailingBytes, text);
    DecodeError(Box::new(DecodeDetails { wanted, position: start, ..*details }))
}
