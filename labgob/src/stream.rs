//! Several values in one byte string, in order, and names for them.

use crate::codec::{decode_at, encode_described_into, encode_into};
use crate::error::Which;
use crate::header::{put_name, trailing};
use crate::round_trip::encode_error;
use crate::{DecodeError, EncodeError, Gob};

/// Writes values one after another. [`Decoder`] reads them back in the same order.
///
/// This is how the course's `persist` and `readPersist` save a server's state. Types alone do not
/// tell a term from an index that is a `u64` too, so give the values names. That is the recommended
/// form for state that is saved; one struct that holds it all is as good.
///
/// ```
/// use labgob::{Decoder, Encoder};
///
/// let mut encoder = Encoder::new();
/// encoder.encode_named("term", &7u64);
/// encoder.encode_named("commit", &2u64);
/// let bytes = encoder.into_bytes();
///
/// let mut decoder = Decoder::new(&bytes);
/// assert_eq!(
///     decoder.decode_named::<u64>("commit").unwrap_err().to_string(),
///     "cannot decode value 1, `commit`, as `u64`: the value is named `term` and read as `commit`: \
///      it was renamed, or it is read in another order than written (byte 0)"
/// );
/// let term: u64 = decoder.decode_named("term")?;
/// let commit: u64 = decoder.decode_named("commit")?;
/// decoder.finish()?;
/// assert_eq!((term, commit), (7, 2));
/// # Ok::<(), labgob::DecodeError>(())
/// ```
///
/// A value that has a name is read under it, or not at all, and one without is read without. A name
/// costs five bytes and its own length. Values without names are for streams of one kind of value,
/// such as the records of a log.
#[derive(Debug, Default, Clone)]
pub struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// An encoder without values.
    pub fn new() -> Encoder {
        Encoder::default()
    }

    /// Appends a value.
    ///
    /// # Panics
    ///
    /// If [`Encoder::try_encode`] would fail. What was written before is kept. If a hand-written
    /// `Serialize` panics itself, drop the encoder: it holds half a value.
    #[track_caller]
    pub fn encode<T: Gob>(&mut self, value: &T) {
        if let Err(error) = self.try_encode(value) {
            panic!("{error}");
        }
    }

    /// Appends a value.
    ///
    /// # Errors
    ///
    /// As [`try_encode`](crate::try_encode). What was written before is kept, and nothing else.
    pub fn try_encode<T: Gob>(&mut self, value: &T) -> Result<(), EncodeError> {
        encode_into(&mut self.bytes, value)
    }

    /// Appends a value with its type's description: see
    /// [`encode_described`](crate::encode_described).
    ///
    /// # Panics
    ///
    /// As [`Encoder::encode`].
    #[track_caller]
    pub fn encode_described<T: Gob>(&mut self, value: &T) {
        if let Err(error) = encode_described_into(&mut self.bytes, value) {
            panic!("{error}");
        }
    }

    /// Appends a value with a name, under which it will be read.
    ///
    /// # Panics
    ///
    /// If [`Encoder::try_encode_named`] would fail, as [`Encoder::encode`].
    #[track_caller]
    pub fn encode_named<T: Gob>(&mut self, name: &str, value: &T) {
        if let Err(error) = self.try_encode_named(name, value) {
            panic!("{error}");
        }
    }

    /// Appends a value with a name, under which it will be read.
    ///
    /// # Errors
    ///
    /// As [`Encoder::try_encode`], and if the name is longer than 255 bytes.
    pub fn try_encode_named<T: Gob>(&mut self, name: &str, value: &T) -> Result<(), EncodeError> {
        self.after_name::<T>(name, |bytes| encode_into(bytes, value))
    }

    /// Appends a value with a name and with its type's description.
    ///
    /// # Panics
    ///
    /// As [`Encoder::encode_named`].
    #[track_caller]
    pub fn encode_named_described<T: Gob>(&mut self, name: &str, value: &T) {
        if let Err(error) = self.after_name::<T>(name, |bytes| encode_described_into(bytes, value))
        {
            panic!("{error}");
        }
    }

    fn after_name<T: Gob>(
        &mut self,
        name: &str,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let Ok(len) = u8::try_from(name.len()) else {
            let text = format!("its name has {} bytes, and the most is 255", name.len());
            return Err(encode_error::<T>(None, text));
        };
        let start = self.bytes.len();
        put_name(&mut self.bytes, len, name);
        encode(&mut self.bytes).inspect_err(|_| self.bytes.truncate(start))
    }

    /// How many bytes have been written.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads values one after another, in the order in which an [`Encoder`] wrote them.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    bytes: &'a [u8],
    position: usize,
    values: usize,
}

impl<'a> Decoder<'a> {
    /// A decoder of these bytes.
    pub fn new(bytes: &'a [u8]) -> Decoder<'a> {
        Decoder { bytes, position: 0, values: 0 }
    }

    /// Reads the next value.
    ///
    /// # Errors
    ///
    /// As [`decode`](crate::decode), and if all values have been read or the next one has a name.
    /// After an error the decoder stands where it stood.
    pub fn decode<T: Gob>(&mut self) -> Result<T, DecodeError> {
        self.next(None)
    }

    /// Reads the next value, which was written with this name.
    ///
    /// # Errors
    ///
    /// As [`Decoder::decode`], and if the next value has another name or none.
    pub fn decode_named<T: Gob>(&mut self, name: &str) -> Result<T, DecodeError> {
        self.next(Some(name))
    }

    fn next<T: Gob>(&mut self, name: Option<&str>) -> Result<T, DecodeError> {
        let which = Which { nth: Some(self.values + 1), name };
        let value = decode_at(self.bytes, &mut self.position, which)?;
        self.values += 1;
        Ok(value)
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// If bytes are left over: more values were written than have been read.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(trailing(self.bytes, self.position, None)) }
    }

    /// Whether all bytes have been read.
    pub fn is_empty(&self) -> bool {
        self.position == self.bytes.len()
    }

    /// How many bytes have been read.
    pub fn position(&self) -> usize {
        self.position
    }
}
