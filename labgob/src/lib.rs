//! Encoding in which no field gets lost unnoticed.
//!
//! Messages between servers and the state they save are Rust values; networks and disks take
//! bytes. This crate turns one into the other, through serde, in a compact format (bincode's):
//!
//! ```
//! use labgob::{Deserialize, Gob, Serialize};
//!
//! #[derive(Serialize, Deserialize, Gob, Debug, PartialEq)]
//! struct Vote {
//!     term: u64,
//!     candidate: u32,
//! }
//!
//! let bytes = labgob::encode(&Vote { term: 7, candidate: 2 });
//! assert_eq!(bytes.len(), 6);
//! assert_eq!(labgob::decode::<Vote>(&bytes)?, Vote { term: 7, candidate: 2 });
//! # Ok::<(), labgob::DecodeError>(())
//! ```
//!
//! In `Cargo.toml`, for a crate beside this workspace:
//!
//! ```toml
//! [dependencies]
//! labgob = { path = "../raft-lab/labgob" }
//! serde = { version = "1", features = ["derive"] } # what the derives write is for serde
//! ```
//!
//! [`Serialize`] and [`Deserialize`] are serde's, exported from here so that one `use` does. A
//! crate that has no serde of its own adds `#[serde(crate = "labgob::serde")]` to each type.
//!
//! # Why not plain serde?
//!
//! A compact format has no field names. If the writer leaves out a field, the reader takes the
//! next bytes for it, and often they make sense. A Raft server that comes back with the wrong
//! vote does not crash: it elects two leaders, some minutes later.
//!
//! So every type has a *shape* ([`Gob::SHAPE`]): its name, and the names, order and types of its
//! fields, at every depth. `#[derive(Gob)]` writes it. Each encoding begins with the shape's
//! fingerprint, and a decoder that expects another one says what differs:
//!
//! ```
//! # use labgob::{Deserialize, Gob, Serialize};
//! # #[derive(Serialize, Deserialize, Gob, Debug)]
//! # struct Vote { term: u64, candidate: u32 }
//! mod later {
//! #   use labgob::{Deserialize, Gob, Serialize};
//!     #[derive(Serialize, Deserialize, Gob)]
//!     pub struct Vote {
//!         pub term: u64,
//!         pub server: u32,
//!     }
//! }
//!
//! let bytes = labgob::encode(&later::Vote { term: 7, server: 2 });
//! assert_eq!(
//!     labgob::decode::<Vote>(&bytes).unwrap_err().to_string(),
//!     "cannot decode as `Vote { term: u64, candidate: u32 }`: \
//!      the bytes hold `Vote { term: u64, server: u32 }`: \
//!      field `candidate` is renamed: it is `server` in the bytes (byte 0)"
//! );
//! ```
//!
//! # The ways to lose a field
//!
//! | way | what catches it | when |
//! |---|---|---|
//! | `skip`, `skip_serializing`, `skip_deserializing`, `skip_serializing_if` | the derive refuses the attribute | compile time |
//! | `default`, `flatten`, `alias`, `with` and its kin, `from`, `into`, `remote` | the same | compile time |
//! | `untagged`, `tag`, `content`, `other`; one-sided `rename` | the same | compile time |
//! | equal values that encode differently (`HashMap`, `HashSet`) | they are not [`Gob`] | compile time |
//! | a field type without a description | the same | compile time |
//! | field or variant added, removed, renamed, reordered, or of another type, at any depth | fingerprint | at decoding |
//! | bytes of quite another type; values of several types read in another order than written | fingerprint | at decoding |
//! | values of one type read in another order than written | their names: [`Encoder::encode_named`] | at decoding |
//! | bytes left over, or fewer values than are read | [`decode`], [`Decoder::finish`], [`Decoder::decode`] | at decoding |
//! | truncated input | the error names the field and the byte | at decoding |
//! | a key or an element that is there twice, of which one would be dropped | refused | at decoding |
//! | hand-written `Serialize` that leaves out, adds, renames or retypes a field | compared with the shape | first use |
//! | hand-written `Serialize` that skips a field now and then | `skip_field` is an error | every use |
//! | hand-written `Deserialize` that leaves out or drops a field | compared with the shape, and a round trip | first use |
//! | hand-written `Serialize` over a map without an order | encoded twice | first use |
//! | old content of a variable that shines through | cannot happen: [`decode`] returns a new value | |
//!
//! *First use* means: each value is checked that holds something where no checked value of its
//! type did before: a number that is not zero, a text that is not empty, an option that is some, an
//! element of a list, another variant. So a field that gets lost, with zero or nothing put in its
//! place, is found with the first value that it matters for, however late that comes. The first,
//! second, fourth, eighth use and so on are checked too. When everything has been met the checks
//! end, and encoding costs what bincode costs; until then each value is also looked through for what
//! is new, which takes some 2 ns for each number, text or option in it. A mistake found is an error
//! like any other.
//!
//! Type parameters count by what they are: `Pair<u8>` and `Pair<u16>` have different fingerprints.
//! `usize` travels as `u64`, `Box<T>` as `T`, `VecDeque<T>` as `Vec<T>`; these may replace each
//! other. A parameter that stands only in `PhantomData` is not in the bytes and does not count: where `Id<User>` must
//! not be read as `Id<Group>`, give it a field that differs. `#[serde(rename = "...")]` sets the name that counts, so
//! that a field can have a new name in the program and keep its old one in the bytes.
//!
//! A type with parameters needs no bounds: serde's derives add theirs, and this one adds [`Gob`]. If it bounds a
//! parameter by [`Gob`] itself, it says so to serde as well, with `#[serde(bound = "T: Gob")]`. Else serde adds a
//! bound of its own to one that says the same, the compiler cannot choose between the two, and stops with E0283,
//! "type annotations needed: cannot satisfy `T: Deserialize<'de>`":
//!
//! ```
//! # use labgob::{Deserialize, Gob, Serialize};
//! #[derive(Serialize, Deserialize, Gob)]
//! #[serde(bound = "T: Gob")]
//! struct Signed<T: Gob> {
//!     value: T,
//!     signer: u64,
//! }
//!
//! #[derive(Serialize, Deserialize, Gob)]
//! struct Dated<T> {
//!     value: T,
//!     day: u64,
//! }
//! # labgob::encode(&Signed { value: 7u8, signer: 1 });
//! # labgob::encode(&Dated { value: 7u8, day: 1 });
//! ```
//!
//! Where a parameter is not encoded itself, but a type of its own is, or nothing at all, `#[gob(bound = "...")]` says
//! which bounds take the place of this derive's. As serde's it may be empty, if those on the type suffice:
//!
//! ```
//! # use std::marker::PhantomData;
//! # use labgob::{Deserialize, Gob, Serialize};
//! trait Machine: 'static {
//!     type Request: Gob;
//! }
//!
//! #[derive(Serialize, Deserialize, Gob)]
//! #[serde(bound = "")]
//! #[gob(bound = "")]
//! struct Entry<M: Machine> {
//!     term: u64,
//!     request: M::Request,
//! }
//!
//! #[derive(Serialize, Deserialize, Gob)]
//! #[gob(bound = "Of: 'static")]
//! struct Id<Of> {
//!     number: u64,
//!     of: PhantomData<Of>,
//! }
//! # struct Adder;
//! # impl Machine for Adder { type Request = u64; }
//! # labgob::encode(&Entry::<Adder> { term: 1, request: 7 });
//! # labgob::encode(&Id::<Adder> { number: 1, of: PhantomData });
//! ```
//!
//! Many bytes are best kept as [`bytes::Bytes`], which is copied as a whole; a `Vec<u8>` is encoded
//! byte by byte, like any other list.
//!
//! # Recursive types
//!
//! A field that leads back to its own type is marked with `#[gob(recursive)]`; where types hold each
//! other in a circle, one field of the circle is. The derive asks for a mark that is missing if the field names its type.
//! It cannot see where another name leads, such as `type Link = Option<Box<Node>>`, nor into other types: there the
//! compiler stops with E0391, "cycle detected", and the mark helps as well. The compiler cannot come to an end with such a
//! shape. So its fingerprint is computed when it is first needed, once, from all that it is made of:
//! a list of `u8` and a list of `u16` differ. What counts is what the type would be if it were
//! written out for ever. How the source is spelled or laid out does not count, nor which field of
//! the circle has the mark, nor by how many types of equal shape the circle goes. Of two types that
//! hold each other each has a fingerprint of its own. On any other field the mark changes nothing.
//!
//! How deep values may be nested is limited, in both directions, and so is the stack that they take:
//! see [`MAX_DEPTH`] and [Limits](#limits). No bytes can make a stack overflow.
//!
//! # One value, one encoding
//!
//! Equal values have equal encodings, and what [`decode`] accepts is exactly what [`encode`] or
//! [`encode_described`] writes for the value that comes out. So bytes can be compared, counted and
//! signed in place of values. Refused, with an error that names the place: a number in more bytes
//! than it needs; a set or map whose elements or keys are not in their order or are there twice; a
//! `Duration` with a second or more of nanoseconds; a truth value or an option that begins with
//! anything but 0 and 1; a description that is not the type's. (Numbers with a fraction count by
//! their bits: there are two zeros, and many that are no number.)
//!
//! Values with sets, maps or durations in them are encoded again when they are decoded, which takes
//! about a fifth longer. A hand-written `Deserialize` that takes other bytes than its
//! `Serialize` writes is noticed when it is checked, and not later: refuse what you would not write.
//!
//! # Compared with Go's labgob
//!
//! | Go | here |
//! |---|---|
//! | warns once per type about lower-case names, which do not travel | Rust's privacy does not matter; attributes that skip a field do not compile |
//! | warns when a variable that is decoded into holds something | there is no such variable |
//! | ignores fields that one side lacks | an error that names them |
//! | `Register` for types behind interfaces | enums instead |
//! | `Encode`, `Decode` of several values | [`Encoder`], [`Decoder`], with names |
//!
//! # Panic or error?
//!
//! [`encode`] panics where [`try_encode`] returns an error. A derived type cannot fail, so for
//! nearly everybody an error would only be unwrapped; when it does occur, it is a mistake in
//! hand-written code, which the first test should show. Use [`try_encode`] for recursive types
//! whose depth depends on data, or if a `Serialize` of yours refuses values.
//!
//! Decoding never panics. Bytes come from elsewhere.
//!
//! # Wire format
//!
//! ```text
//! value       fingerprint (4 bytes, little-endian), payload
//! described   "GOB+", length of the description (4 bytes, little-endian), description, value
//! named       "GOB=", length of the name (1 byte), name, value or described
//! stream      value, described or named, any number of times
//! ```
//!
//! The payload is bincode 2's standard form. Integers of more than 8 bits: 0 to 250 in one byte;
//! else 251, 252, 253 or 254 followed by 2, 4, 8 or 16 bytes; signed ones in zigzag order. `u8`,
//! `i8` and `bool` are one byte, `f32` and `f64` 4 and 8 bytes, `char` is UTF-8. Text, bytes, lists, sets
//! and maps begin with their length; options with 0 or 1; variants with their position as a `u32`.
//! Structs, tuples and arrays are their parts and nothing else.
//!
//! bincode itself writes and reads only the primitives: numbers, truth values, characters, texts and
//! bytes. Their exact form is worth taking from a library, since others can read it. What has parts
//! is written and read by this crate, which compares each part with the shape, and each length and
//! depth with what is left.
//!
//! A process remembers the types it has encoded or decoded, so that an error can name what the
//! bytes hold. Bytes from another process may hold a type it has never seen. For data that
//! outlives the program use [`encode_described`]: the description travels along. State that is
//! saved as several values is best written with names, by [`Encoder::encode_named`].
//!
//! # Looking at values without their types
//!
//! [`View`] shows any value by the names of its parts, and [`Peek`] finds a part by its name in an
//! encoded value, where it lies, without decoding it. They are for traces and checkers.
//!
//! # Limits
//!
//! - Lengths are never trusted. A list can claim at most as many elements as bytes are left;
//!   texts are measured before they are copied. Memory stays in proportion to the input, by a
//!   factor that depends on the type: an `Option<[u64; 32]>` is one byte when it is `None`.
//! - For the same reason a list of elements without content, such as `Vec<()>`, does not compile.
//! - Values may be nested [`MAX_DEPTH`] deep, in both directions. Each struct, option, list and
//!   so on is one level. Recursive types of more than 1 KiB may be nested less deep, so that the
//!   values inside each other take no more than 128 KiB. That follows from the type alone.
//! - Values of a recursive type are written and read with at most 512 KiB of stack, and what one
//!   more level takes; then there is an error instead of an overflow. An optimised build never gets
//!   there with derived code; without optimisation large types do, before their limit of levels.
//! - Arrays have up to 32 elements, since serde has no more; tuples up to 8.
//! - A fingerprint has 32 bits: two different shapes agree by chance once in 2^32.
//! - More than 512 types in one process are checked at each use and not named in errors.
//! - A type with more than 4,096 parts, its fields' fields included, is checked less closely: some
//!   fields of one type count as one.
//!
//! # What is missing
//!
//! - A hand-written `Serialize` that writes a fixed value in place of a field is not noticed, nor a
//!   `Deserialize` that puts one in place of it, other than zero, which the first value has too.
//! - A value of a stream cannot be skipped or looked for by its name; names only guard the order.
//! - Conversion of old data. An old version is refused by name, never read.
//! - `Arc`, `Rc`, `Cow`, `NonZero`, ranges, IP addresses and other types of std.
//! - Reading from and writing to streams of bytes: everything is in memory.

mod check;
mod codec;
mod de;
mod depth;
mod describe;
mod diff;
mod error;
mod fault;
mod fingerprint;
mod first_use;
mod gob;
mod graph;
mod header;
mod peek;
mod probe;
mod round_trip;
mod ser;
mod shape;
mod stream;
mod view;
mod watch;
mod wire;

pub use depth::MAX_DEPTH;
pub use describe::Description;
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use gob::Gob;
pub use labgob_derive::Gob;
pub use peek::Peek;
pub use serde::{self, Deserialize, Serialize};
pub use shape::{Field, Primitive, Shape, Type, Variant};
pub use stream::{Decoder, Encoder};
pub use view::View;

/// Encodes a value.
///
/// # Panics
///
/// If [`try_encode`] would fail, which is a mistake in the program: see [`EncodeError`].
#[track_caller]
pub fn encode<T: Gob>(value: &T) -> Vec<u8> {
    match try_encode(value) {
        Ok(bytes) => bytes,
        Err(error) => panic!("{error}"),
    }
}

/// Encodes a value, for types whose values may be nested without limit or whose hand-written
/// `Serialize` may refuse a value.
///
/// # Errors
///
/// If the value is nested deeper than [`MAX_DEPTH`], or its `Serialize` refuses it or does not do
/// what the type's shape says.
pub fn try_encode<T: Gob>(value: &T) -> Result<Vec<u8>, EncodeError> {
    // Most messages fit, and an allocation of this size costs no more than a smaller one.
    let mut bytes = Vec::with_capacity(64);
    codec::encode_into(&mut bytes, value)?;
    Ok(bytes)
}

/// Encodes a value together with its type's description, for data that outlives the program.
///
/// [`decode`] accepts it like the output of [`encode`]. If another program fails to decode it,
/// the error tells which field differs, although that program has never seen the old type.
///
/// # Panics
///
/// As [`encode`].
#[track_caller]
pub fn encode_described<T: Gob>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    match codec::encode_described_into(&mut bytes, value) {
        Ok(()) => bytes,
        Err(error) => panic!("{error}"),
    }
}

/// Decodes a value from the whole of `bytes`.
///
/// The value is a new one. There is no way to decode into an existing variable, so old content
/// cannot shine through where a field did not arrive.
///
/// # Errors
///
/// If the bytes are not the encoding of a `T`, whole and nothing else: see [`DecodeErrorKind`].
pub fn decode<T: Gob>(bytes: &[u8]) -> Result<T, DecodeError> {
    codec::decode_all(bytes)
}
