//! What the tests let the servers agree on.

use bytes::Bytes;
use labrt::rng::{RngExt, Stream};

/// A number as a command.
pub fn number(n: u64) -> Bytes {
    Bytes::from(n.to_string())
}

/// A random number as a command.
pub fn random(rng: &mut Stream) -> Bytes {
    number(rng.random_range(0..u64::MAX))
}

/// Random characters as a command.
pub fn text(rng: &mut Stream, length: usize) -> Bytes {
    const CHARACTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..length).map(|_| CHARACTERS[rng.random_range(0..CHARACTERS.len())]).collect()
}

/// A random number of 63 bits as a command of eight bytes: for tests in which sizes count.
pub fn integer(rng: &mut Stream) -> Bytes {
    Bytes::copy_from_slice(&(rng.random::<u64>() >> 1).to_be_bytes())
}
