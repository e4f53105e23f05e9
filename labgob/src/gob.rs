//! The trait of everything that can be encoded, and its implementations for std's types.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::marker::PhantomData;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::shape::{Field, Primitive, Shape, Type, Variant};
use crate::{Description, first_use};

/// A type that can be encoded, with a description that is checked when it is decoded.
///
/// Derive it, together with serde's two: `#[derive(Serialize, Deserialize, Gob)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be encoded: it does not implement `Gob`",
    label = "cannot be encoded",
    note = "a type of your own needs `#[derive(Serialize, Deserialize, Gob)]`",
    note = "`HashMap` and `HashSet` have no fixed order, so equal values would encode \
            differently: use `BTreeMap` and `BTreeSet`",
    note = "borrowed data (`&str`, `&[T]`) cannot be decoded: use `String`, `Vec<T>` or `Bytes`",
    note = "tuples may have 8 parts and arrays 32: use a struct, a `Vec` or `Bytes`"
)]
pub trait Gob: Serialize + DeserializeOwned + 'static {
    /// What the type looks like on the wire.
    const SHAPE: &'static Shape;

    /// The fewest bytes that any value of this type takes after its fingerprint.
    ///
    /// Zero is for types without content. Lists of those are refused when compiled: their length
    /// would cost nothing to write and everything to read.
    const MIN_BYTES: usize;

    /// The first four bytes of every encoding of this type, little-endian:
    /// [`Shape::fingerprint`] of its shape. To the compiler it is a constant, unless the type is
    /// recursive; then it is computed once.
    #[inline(always)]
    fn fingerprint() -> u32 {
        first_use::known::<Self>().fingerprint
    }

    /// The type's description, as error texts show it and
    /// [`encode_described`](crate::encode_described) embeds it.
    fn describe() -> Description {
        // So that a later error can name the type, even if no value was ever encoded.
        first_use::remember::<Self>();
        Description::of(Self::SHAPE)
    }
}

macro_rules! primitives {
    ($($ty:ty => $primitive:ident, $min:expr;)*) => {$(
        impl Gob for $ty {
            const SHAPE: &'static Shape = &Shape::Primitive(Primitive::$primitive);
            const MIN_BYTES: usize = $min;
        }
    )*};
}

primitives! {
    bool => Bool, 1;
    i8 => I8, 1;
    i16 => I16, 1;
    i32 => I32, 1;
    i64 => I64, 1;
    i128 => I128, 1;
    isize => I64, 1;
    u8 => U8, 1;
    u16 => U16, 1;
    u32 => U32, 1;
    u64 => U64, 1;
    u128 => U128, 1;
    usize => U64, 1;
    f32 => F32, 4;
    f64 => F64, 8;
    char => Char, 1;
    String => String, 1;
    Bytes => Bytes, 1;
    () => Unit, 0;
}

macro_rules! tuples {
    ($(($($item:ident)+))*) => {$(
        impl<$($item: Gob),+> Gob for ($($item,)+) {
            const SHAPE: &'static Shape = &Shape::Tuple(&[$(Type::of::<$item>()),+]);
            const MIN_BYTES: usize = 0 $(+ $item::MIN_BYTES)+;
        }
    )*};
}

tuples! {
    (A)
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
    (A B C D E F)
    (A B C D E F G)
    (A B C D E F G H)
}

/// Fails to compile for elements without content.
const fn assert_content(min_bytes: usize) {
    assert!(
        min_bytes > 0,
        "a list, set or map of elements without content (such as `()`) cannot be encoded: \
         encode the number of elements instead"
    );
}

impl<T: Gob> Gob for Vec<T> {
    const SHAPE: &'static Shape = {
        assert_content(T::MIN_BYTES);
        &Shape::List(Type::of::<T>())
    };
    const MIN_BYTES: usize = 1;
}

impl<T: Gob> Gob for VecDeque<T> {
    const SHAPE: &'static Shape = <Vec<T> as Gob>::SHAPE;
    const MIN_BYTES: usize = 1;
}

impl<T: Gob + Ord> Gob for BTreeSet<T> {
    const SHAPE: &'static Shape = {
        assert_content(T::MIN_BYTES);
        &Shape::Set(Type::of::<T>())
    };
    const MIN_BYTES: usize = 1;
}

impl<K: Gob + Ord, V: Gob> Gob for BTreeMap<K, V> {
    const SHAPE: &'static Shape = {
        assert_content(K::MIN_BYTES + V::MIN_BYTES);
        &Shape::Map(Type::of::<K>(), Type::of::<V>())
    };
    const MIN_BYTES: usize = 1;
}

impl<T: Gob> Gob for Option<T> {
    const SHAPE: &'static Shape = &Shape::Option(Type::of::<T>());
    const MIN_BYTES: usize = 1;
}

impl<T: Gob, E: Gob> Gob for Result<T, E> {
    const SHAPE: &'static Shape = &Shape::Enum {
        name: "Result",
        variants: &[
            Variant { name: "Ok", fields: &[Field { name: "0", ty: Type::of::<T>() }] },
            Variant { name: "Err", fields: &[Field { name: "0", ty: Type::of::<E>() }] },
        ],
    };
    const MIN_BYTES: usize = 1;
}

// Boxing changes nothing on the wire.
impl<T: Gob> Gob for Box<T> {
    const SHAPE: &'static Shape = T::SHAPE;
    const MIN_BYTES: usize = T::MIN_BYTES;
}

impl Gob for Box<str> {
    const SHAPE: &'static Shape = <String as Gob>::SHAPE;
    const MIN_BYTES: usize = <String as Gob>::MIN_BYTES;
}

impl<T: Gob> Gob for Box<[T]> {
    const SHAPE: &'static Shape = <Vec<T> as Gob>::SHAPE;
    const MIN_BYTES: usize = <Vec<T> as Gob>::MIN_BYTES;
}

// The bounds admit just the lengths that serde supports.
impl<T: Gob, const N: usize> Gob for [T; N]
where
    [T; N]: Serialize + DeserializeOwned,
{
    const SHAPE: &'static Shape = &Shape::Array(Type::of::<T>(), N);
    const MIN_BYTES: usize = N * T::MIN_BYTES;
}

// What it is of is not in the bytes and does not count.
impl<T: ?Sized + 'static> Gob for PhantomData<T> {
    const SHAPE: &'static Shape =
        &Shape::Struct { name: "PhantomData", fields: &[], transparent: false };
    const MIN_BYTES: usize = 0;
}

impl Gob for Duration {
    const SHAPE: &'static Shape = &Shape::Struct {
        name: "Duration",
        fields: &[
            Field { name: "secs", ty: Type::of::<u64>() },
            // A second or more of them is carried over.
            Field { name: "nanos", ty: Type::of_many_forms::<u32>() },
        ],
        transparent: false,
    };
    const MIN_BYTES: usize = 2;
}
