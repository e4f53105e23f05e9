//! Several values in one byte string, in order.

use crate::codec::{decode_at, encode_described_into, encode_into, trailing};
use crate::{DecodeError, EncodeError, Gob};

/// Writes values one after another. [`Decoder`] reads them back in the same order.
///
/// ```
/// use labgob::{Decoder, Encoder};
///
/// let mut encoder = Encoder::new();
/// encoder.encode(&7u64);
/// encoder.encode(&Some(2u32));
/// let bytes = encoder.into_bytes();
///
/// let mut decoder = Decoder::new(&bytes);
/// let term: u64 = decoder.decode()?;
/// let voted_for: Option<u32> = decoder.decode()?;
/// decoder.finish()?;
/// assert_eq!((term, voted_for), (7, Some(2)));
/// # Ok::<(), labgob::DecodeError>(())
/// ```
///
/// Two values of one type, read in the wrong order, look right to any decoder. Encode one struct
/// instead: its fields cannot change places unnoticed.
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
    /// As [`decode`](crate::decode), and if all values have been read. After an error the decoder
    /// stands where it stood.
    pub fn decode<T: Gob>(&mut self) -> Result<T, DecodeError> {
        let nth = Some(self.values + 1);
        let value = decode_at(self.bytes, &mut self.position, nth)?;
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
