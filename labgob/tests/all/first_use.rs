//! Which uses of a type are checked: those with values that show something new, for as long as
//! there can be any.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use bytes::Bytes;
use labgob::serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use labgob::serde::ser::{SerializeStruct, Serializer};
use labgob::{
    DecodeErrorKind, Decoder, Deserialize, Encoder, Gob, Serialize, decode, encode, try_encode,
};

/// Two values, of which the hand-written `Deserialize` drops the second.
#[derive(Gob, Debug, Clone)]
struct Ballot<T: Default> {
    term: T,
    vote: T,
}

impl<T: Serialize + Default> Serialize for Ballot<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut s = s.serialize_struct("Ballot", 2)?;
        s.serialize_field("term", &self.term)?;
        s.serialize_field("vote", &self.vote)?;
        s.end()
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Ballot<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Ballot<T>, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for Fields<T> {
            type Value = Ballot<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a ballot")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Ballot<T>, A::Error> {
                let missing = || A::Error::custom("too few fields");
                let term = seq.next_element()?.ok_or_else(missing)?;
                let _: T = seq.next_element()?.ok_or_else(missing)?;
                Ok(Ballot { term, vote: T::default() })
            }
        }

        d.deserialize_struct("Ballot", &["term", "vote"], Fields(PhantomData))
    }
}

/// What a `Ballot<T>` looks like, without its mistake.
mod right {
    use super::*;

    #[derive(Serialize, Deserialize, Gob)]
    #[serde(crate = "labgob::serde")]
    pub(crate) struct Ballot<T> {
        pub(crate) term: T,
        pub(crate) vote: T,
    }
}

/// After any number of ballots without a vote, the first one with a vote is refused, at once and
/// from then on.
#[track_caller]
fn is_found_when_written<T>(some: T)
where
    T: Gob + Default + Clone,
    Ballot<T>: Gob,
{
    for _ in 0..201 {
        let bytes = encode(&Ballot { term: some.clone(), vote: T::default() });
        decode::<Ballot<T>>(&bytes).unwrap();
    }
    for _ in 0..3 {
        let error = try_encode(&Ballot { term: T::default(), vote: some.clone() }).unwrap_err();
        let field = error.field().expect("a field");
        assert!(field.starts_with("vote"), "{field}");
        assert!(error.to_string().ends_with("the decoded value differs from the encoded one"));
    }
}

#[track_caller]
fn is_found_when_read<T>(some: T)
where
    T: Gob + Default + Clone,
    Ballot<T>: Gob,
{
    let of = |term, vote| encode(&right::Ballot { term, vote });
    for _ in 0..201 {
        decode::<Ballot<T>>(&of(some.clone(), T::default())).unwrap();
    }
    for _ in 0..3 {
        let bytes = of(T::default(), some.clone());
        let error = decode::<Ballot<T>>(&bytes).map(drop).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::Shape, "{error}");
        assert!(error.field().expect("a field").starts_with("vote"), "{error}");
    }
}

#[derive(Serialize, Deserialize, Gob, Debug, Clone, Default, PartialEq)]
#[serde(crate = "labgob::serde")]
struct Tree {
    value: u8,
    #[gob(recursive)]
    children: Vec<Tree>,
}

#[derive(Serialize, Deserialize, Gob, Debug, Clone, Default, PartialEq)]
#[serde(crate = "labgob::serde")]
enum Choice {
    #[default]
    First,
    Second,
    Third(u8),
}

/// Calls a function with a value of each kind that takes a byte which is not zero.
macro_rules! each_kind {
    ($f:ident) => {
        $f(1u8);
        $f(-1i8);
        $f(300u16);
        $f(-1i64);
        $f(1u128 << 100);
        $f(true);
        $f('x');
        $f(0.5f32);
        $f(-0.0f64);
        $f("text".to_string());
        $f(Bytes::from_static(b"\0"));
        $f(Some(0u8));
        $f(vec![0u8]);
        $f(vec![0u64]);
        $f(BTreeSet::from([0u64]));
        $f(BTreeMap::from([(0u64, 0u64)]));
        $f([0u8, 0, 1]);
        $f((0u8, String::new(), 1u64));
        $f(Box::new(7u64));
        $f(Choice::Second);
        $f(Choice::Third(0));
        $f((Choice::First, Some(Choice::First)));
        $f(Tree { value: 1, children: vec![] });
        $f(Some(Tree { value: 0, children: vec![] }));
    };
}

#[test]
fn a_dropped_field_is_found_when_first_written() {
    each_kind!(is_found_when_written);
}

// The types are new to each test program, and so are the tables in which the crate notes what it
// has seen of them: so the test runs its like in a wrapper.
#[test]
fn a_dropped_field_is_found_when_first_read() {
    fn wrapped<T>(some: T)
    where
        T: Gob + Default + Clone,
        Ballot<(T, ())>: Gob,
    {
        is_found_when_read((some, ()));
    }
    each_kind!(wrapped);
}

#[test]
fn a_field_dropped_at_any_depth_is_found() {
    let list = |vote| vec![Some(Ballot { term: (7u16, ()), vote: (vote, ()) })];
    for _ in 0..201 {
        encode(&list(0));
    }
    let error = try_encode(&list(3)).unwrap_err();
    assert_eq!(error.field(), Some("[0].vote.0"));

    let mut encoder = Encoder::new();
    let mut stream = |vote| {
        let value = right::Ballot { term: (7u32, ()), vote: (vote, ()) };
        encoder.encode_named("ballot", &value);
    };
    (0..201).for_each(|_| stream(0));
    stream(3);
    let bytes = encoder.into_bytes();
    let mut decoder = Decoder::new(&bytes);
    for _ in 0..201 {
        decoder.decode_named::<Ballot<(u32, ())>>("ballot").unwrap();
    }
    let error = decoder.decode_named::<Ballot<(u32, ())>>("ballot").unwrap_err();
    assert_eq!(error.field(), Some("vote.0"));
}

/// A tree whose hand-written `Deserialize` drops the values.
#[derive(Gob, Debug, Serialize)]
#[serde(crate = "labgob::serde")]
struct Bare {
    value: u8,
    #[gob(recursive)]
    children: Vec<Bare>,
}

impl<'de> Deserialize<'de> for Bare {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Bare, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Bare;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a tree")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Bare, A::Error> {
                let missing = || A::Error::custom("too few fields");
                let _: u8 = seq.next_element()?.ok_or_else(missing)?;
                Ok(Bare { value: 0, children: seq.next_element()?.ok_or_else(missing)? })
            }
        }

        d.deserialize_struct("Bare", &["value", "children"], Fields)
    }
}

#[test]
fn a_field_dropped_in_a_recursive_type_is_found() {
    let leaf = |value| Bare { value, children: vec![] };
    let tree = |value| (Bare { value: 0, children: vec![leaf(0), leaf(value)] },);
    for _ in 0..201 {
        encode(&tree(0));
    }
    assert_eq!(try_encode(&tree(3)).unwrap_err().field(), Some("0.children[1].value"));
}

// Two numbers that count how often they are written.
macro_rules! counted {
    ($name:ident, $calls:ident) => {
        static $calls: AtomicU32 = AtomicU32::new(0);

        #[derive(Gob, Deserialize)]
        #[serde(crate = "labgob::serde")]
        struct $name {
            a: u64,
            b: Option<u64>,
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                $calls.fetch_add(1, Relaxed);
                let mut s = s.serialize_struct(stringify!($name), 2)?;
                s.serialize_field("a", &self.a)?;
                s.serialize_field("b", &self.b)?;
                s.end()
            }
        }
    };
}

counted!(Met, MET);

#[test]
fn when_all_has_been_met_the_checks_end() {
    for value in [Met { a: 0, b: None }, Met { a: 1, b: None }, Met { a: 0, b: Some(1) }] {
        decode::<Met>(&encode(&value)).unwrap();
    }
    let before = MET.load(Relaxed);
    for n in 0..1000 {
        decode::<Met>(&encode(&Met { a: n, b: Some(n) })).unwrap();
    }
    assert_eq!(MET.load(Relaxed) - before, 1000, "each is written once");
}

counted!(Unmet, UNMET);

#[test]
fn as_long_as_something_is_missing_the_checks_are_rare() {
    for n in 0..10_000 {
        decode::<Unmet>(&encode(&Unmet { a: n, b: None })).unwrap();
    }
    // One for each power of two up to 20,000 uses, and each writes the value twice at most.
    let checks = UNMET.load(Relaxed) - 10_000;
    assert!(checks <= 2 * 16, "{checks}");
}

/// Texts and bytes hold something if they are not empty.
#[test]
fn a_dropped_text_is_found_beside_another_one() {
    fn is_found<T>(some: T)
    where
        T: Gob + Default + Clone,
        Ballot<(T, u8)>: Gob,
    {
        let of = |vote: T| Ballot { term: (some.clone(), 0), vote: (vote, 0) };
        (0..201).for_each(|_| drop(encode(&of(T::default()))));
        assert_eq!(try_encode(&of(some.clone())).unwrap_err().field(), Some("vote.0"));
    }
    is_found("text".to_string());
    is_found(Bytes::from_static(b"bytes"));
}

/// A list of lists is looked through to its end, though nothing was in the inner ones up to now.
#[test]
fn a_field_dropped_within_lists_is_found_when_there_is_one() {
    let lists = |inner| vec![inner, vec![None], vec![]];
    for _ in 0..5 {
        encode::<Vec<Vec<Option<Ballot<i16>>>>>(&lists(vec![]));
    }
    // The sixth use would not be checked if it showed nothing new.
    let error = try_encode(&lists(vec![Some(Ballot { term: 0i16, vote: 7 })])).unwrap_err();
    assert_eq!(error.field(), Some("[0][0].vote"));
}

/// A type whose hand-written `Deserialize` goes wrong from the moment on at which this says so.
macro_rules! fails_later {
    ($name:ident, $goes_wrong:ident) => {
        #[derive(Serialize, Gob)]
        #[serde(crate = "labgob::serde")]
        struct $name {
            flag: u8,
            never: Option<u8>,
        }

        static $goes_wrong: AtomicBool = AtomicBool::new(false);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<$name, D::Error> {
                #[derive(Deserialize)]
                #[serde(crate = "labgob::serde")]
                struct Derived {
                    flag: u8,
                    never: Option<u8>,
                }
                let Derived { flag, never } = Derived::deserialize(d)?;
                let changed = u8::from($goes_wrong.load(Relaxed));
                Ok($name { flag: flag + changed, never })
            }
        }
    };
}

fails_later!(WrittenLater, WRITTEN_LATER);
fails_later!(ReadLater, READ_LATER);

/// Where a mistake was found there may be more: the next use is checked again, though its value shows nothing
/// new and not many uses are checked by now.
#[test]
fn after_a_mistake_the_next_use_is_checked_too() {
    let value = WrittenLater { flag: 1, never: None };
    (0..15).for_each(|_| drop(encode(&value)));
    WRITTEN_LATER.store(true, Relaxed);
    for use_of in 16..20 {
        assert!(try_encode(&value).is_err(), "use {use_of}");
    }

    let value = ReadLater { flag: 1, never: None };
    let bytes = encode(&value);
    (1..15).for_each(|_| assert!(decode::<ReadLater>(&bytes).is_ok()));
    READ_LATER.store(true, Relaxed);
    for use_of in 16..20 {
        let read = decode::<ReadLater>(&bytes).map(|value| value.flag);
        assert_eq!(read.map_err(|error| error.kind()), Err(DecodeErrorKind::Shape), "use {use_of}");
    }
}
