//! Mistakes in hand-written serde code are found at a type's first use, by name.

#![allow(unreachable_pub, dead_code, reason = "one macro writes all the cases")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use labgob::serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use labgob::serde::ser::{Error as _, SerializeMap, SerializeSeq, SerializeStruct, Serializer};
use labgob::{
    DecodeErrorKind, Deserialize, Gob, MAX_DEPTH, Serialize, Shape, decode, encode, try_encode,
};

/// A `Note { term: u64, text: String }` with the given bodies of `serialize` and `deserialize`.
macro_rules! note {
    ($module:ident, $ser:expr, $de:expr) => {
        mod $module {
            use super::*;

            #[derive(Gob, Debug, Clone, PartialEq)]
            pub struct Note {
                pub term: u64,
                pub text: String,
            }

            pub fn note() -> Note {
                Note { term: 7, text: "x".into() }
            }

            impl Serialize for Note {
                fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                    let write: fn(&Note, S) -> Result<S::Ok, S::Error> = $ser;
                    write(self, s)
                }
            }

            impl<'de> Deserialize<'de> for Note {
                fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Note, D::Error> {
                    let read: fn(D) -> Result<Note, D::Error> = $de;
                    read(d)
                }
            }
        }
    };
}

const OWNER: &str = "cannot encode `Note { term: u64, text: String }`: ";

struct Fields(&'static [&'static str]);

impl<'de> Visitor<'de> for Fields {
    type Value = (u64, String);

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the fields of a note")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(u64, String), A::Error> {
        let mut value = (0, String::new());
        for field in self.0 {
            let missing = || A::Error::custom("too few fields");
            match *field {
                "term" => value.0 = seq.next_element()?.ok_or_else(missing)?,
                "text" => value.1 = seq.next_element()?.ok_or_else(missing)?,
                _ => drop(seq.next_element::<IgnoredAny>()?),
            }
        }
        Ok(value)
    }
}

/// What serde derives.
macro_rules! right {
    (ser) => {
        |note, s| {
            let mut s = s.serialize_struct("Note", 2)?;
            s.serialize_field("term", &note.term)?;
            s.serialize_field("text", &note.text)?;
            s.end()
        }
    };
    (de) => {
        |d| {
            let names = &["term", "text"];
            let (term, text) = d.deserialize_struct("Note", names, Fields(names))?;
            Ok(Note { term, text })
        }
    };
}

#[track_caller]
fn fails<T: Gob>(value: &T, text: &str) {
    // Not only the first time.
    for _ in 0..3 {
        assert_eq!(try_encode(value).unwrap_err().to_string(), format!("{OWNER}{text}"));
    }
}

note!(fine, right!(ser), right!(de));

#[test]
fn right_code_passes() {
    assert_eq!(decode::<fine::Note>(&encode(&fine::note())).unwrap(), fine::note());
}

note!(
    leaves_out,
    |note, s| {
        let mut s = s.serialize_struct("Note", 1)?;
        s.serialize_field("term", &note.term)?;
        s.end()
    },
    right!(de)
);

#[test]
fn serialize_leaves_out_the_last_field() {
    fails(&leaves_out::note(), "Serialize does not write field `text` of `Note`");
}

#[test]
#[should_panic(expected = "Serialize does not write field `text` of `Note`")]
fn encode_panics() {
    encode(&leaves_out::note());
}

note!(
    leaves_out_first,
    |note, s| {
        let mut s = s.serialize_struct("Note", 1)?;
        s.serialize_field("text", &note.text)?;
        s.end()
    },
    right!(de)
);

#[test]
fn serialize_leaves_out_the_first_field() {
    fails(&leaves_out_first::note(), "Serialize does not write field `term` of `Note`");
}

// What serde derives for `skip_serializing_if`, found at every use, not only the first.
note!(
    skips,
    |note, s| {
        let mut s = s.serialize_struct("Note", 2)?;
        s.serialize_field("term", &note.term)?;
        if note.text.is_empty() {
            s.skip_field("text")?;
        } else {
            s.serialize_field("text", &note.text)?;
        }
        s.end()
    },
    right!(de)
);

#[test]
fn serialize_skips_a_field_sometimes() {
    for _ in 0..200 {
        encode(&skips::note());
    }
    fails(
        &skips::Note { term: 7, text: String::new() },
        "field `text`: Serialize skips `text`, so it would not arrive: make it an `Option`",
    );
}

note!(
    promises,
    |note, s| {
        let mut s = s.serialize_seq(Some(3))?;
        s.serialize_element(&note.term)?;
        s.end()
    },
    right!(de)
);

#[test]
fn serialize_writes_fewer_parts_than_it_says() {
    fails(
        &promises::note(),
        "Serialize treats the value as a list, but the type is declared as Note",
    );
}

note!(
    misnames,
    |note, s| {
        let mut s = s.serialize_struct("Note", 2)?;
        s.serialize_field("term", &note.term)?;
        s.serialize_field("comment", &note.text)?;
        s.end()
    },
    right!(de)
);

#[test]
fn serialize_writes_an_undeclared_field() {
    fails(
        &misnames::note(),
        "Serialize writes field `comment`, not among the declared fields of `Note`",
    );
}

note!(
    other_type,
    |note, s| {
        let mut s = s.serialize_struct("Note", 2)?;
        s.serialize_field("term", &(note.term as u32))?;
        s.serialize_field("text", &note.text)?;
        s.end()
    },
    right!(de)
);

#[test]
fn serialize_writes_another_type() {
    fails(
        &other_type::note(),
        "field `term`: Serialize treats the value as u32, but the type is declared as u64",
    );
}

// What serde derives for `skip_deserializing` and `default`.
note!(right_ser_wrong_names, right!(ser), |d| {
    let names = &["term"];
    let (term, text) = d.deserialize_struct("Note", names, Fields(names))?;
    Ok(Note { term, text })
});

#[test]
fn deserialize_leaves_out_a_field() {
    fails(&right_ser_wrong_names::note(), "Deserialize does not read field `text` of `Note`");
}

#[test]
fn deserialize_leaves_out_a_field_in_a_program_that_only_decodes() {
    let mut bytes = encode(&fine::note());
    assert_eq!(<fine::Note as Gob>::fingerprint(), <only_decodes::Note as Gob>::fingerprint());
    let error = decode::<only_decodes::Note>(&bytes).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::Shape);
    assert_eq!(
        error.to_string(),
        "cannot decode as `Note { term: u64, text: String }`: \
         Deserialize does not read field `text` of `Note` (byte 5)"
    );
    bytes.clear();
}

note!(only_decodes, right!(ser), |d| {
    let names = &["term"];
    let (term, text) = d.deserialize_struct("Note", names, Fields(names))?;
    Ok(Note { term, text })
});

note!(forgets, right!(ser), |d| {
    let names = &["term", "text"];
    let (term, _) = d.deserialize_struct("Note", names, Fields(names))?;
    Ok(Note { term, text: String::new() })
});

#[test]
fn deserialize_reads_a_field_and_drops_it() {
    fails(&forgets::note(), "field `text`: the decoded value differs from the encoded one");
}

note!(asks, right!(ser), |d| {
    let names = &["term", "text"];
    let (term, text) = d.deserialize_struct("Note", names, Fields(&["term", "?"]))?;
    Ok(Note { term, text })
});

#[test]
fn deserialize_asks_for_what_the_bytes_do_not_say() {
    fails(
        &asks::note(),
        "field `text`: Deserialize asks what comes next, which these bytes do not say: \
         it must ask for a type",
    );
}

static CALLS: AtomicU32 = AtomicU32::new(0);

// As a map without an order does.
note!(
    wavers,
    |note, s| {
        let mut s = s.serialize_struct("Note", 2)?;
        let call = CALLS.fetch_add(1, Relaxed);
        s.serialize_field("term", &(u64::from(call)))?;
        s.serialize_field("text", &note.text)?;
        s.end()
    },
    right!(de)
);

#[test]
fn serialize_writes_something_else_each_time() {
    fails(
        &wavers::note(),
        "field `term`: Serialize writes different bytes each time: \
         is there a map without an order?",
    );
}

note!(refuses, |_, _| Err(S::Error::custom("notes are secret")), right!(de));

#[test]
fn serialize_refuses_a_value() {
    fails(&refuses::note(), "notes are secret");
}

// The first message has an empty list, which shows nothing of its elements.
#[derive(Serialize, Deserialize, Gob, Debug)]
#[serde(crate = "labgob::serde")]
struct Notes {
    list: Vec<leaves_out::Note>,
    more: Option<u8>,
}

#[test]
fn elements_are_checked_when_there_are_some() {
    for _ in 0..10 {
        encode(&Notes { list: vec![], more: Some(1) });
    }
    let error = try_encode(&Notes { list: vec![leaves_out::note()], more: None }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot encode `Notes { list: Vec<Note>, more: Option<u8> }`: field `list[0]`: \
         Serialize does not write field `text` of `Note`"
    );
    assert_eq!(error.field(), Some("list[0]"));
}

// A type of the same name and shape as one that has been checked is checked all the same.
#[test]
fn equal_fingerprints_are_not_equal_types() {
    encode(&fine::note());
    assert!(try_encode(&leaves_out::note()).is_err());
}

#[derive(Debug)]
struct Even(u64);

impl Serialize for Even {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(s)
    }
}

impl<'de> Deserialize<'de> for Even {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Even, D::Error> {
        match u64::deserialize(d)? {
            odd if odd % 2 == 1 => Err(D::Error::custom(format!("{odd} is odd"))),
            even => Ok(Even(even)),
        }
    }
}

impl Gob for Even {
    const SHAPE: &'static Shape = <u64 as Gob>::SHAPE;
    const MIN_BYTES: usize = <u64 as Gob>::MIN_BYTES;
}

#[test]
fn deserialize_refuses_a_value() {
    let bytes = encode(&vec![2u64, 4, 5]);
    let error = decode::<Vec<Even>>(&bytes).unwrap_err();
    assert_eq!(error.to_string(), "cannot decode as `Vec<u64>`: field `[2]`: 5 is odd (byte 8)");
}

#[derive(Serialize, Deserialize, Gob, Debug)]
#[serde(crate = "labgob::serde")]
struct Chain {
    #[gob(recursive)]
    next: Option<Box<Chain>>,
}

#[test]
fn nested_too_deep() {
    let chain =
        |len| (0..len).fold(Chain { next: None }, |chain, _| Chain { next: Some(Box::new(chain)) });
    // A link and its `Option` are two levels.
    let longest = MAX_DEPTH / 2 - 1;
    let bytes = encode(&chain(longest));
    decode::<Chain>(&bytes).unwrap();

    let error = try_encode(&chain(longest + 1)).unwrap_err().to_string();
    assert!(error.starts_with("cannot encode `Chain { next: Option<Chain> }`: field `next.next."));
    assert!(error.ends_with("nested deeper than 128 levels"), "{error}");

    let mut deep = bytes[..4].to_vec();
    deep.resize(1_000_000, 1);
    let error = decode::<Chain>(&deep).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::TooDeep);
}

/// A list that writes or reads fewer elements than there are.
macro_rules! list {
    ($name:ident, $written:expr, $read:expr) => {
        #[derive(Debug)]
        struct $name(Vec<u64>);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                let mut s = s.serialize_seq(Some(self.0.len()))?;
                for item in self.0.iter().take($written) {
                    s.serialize_element(item)?;
                }
                s.end()
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<$name, D::Error> {
                struct Items;
                impl<'de> Visitor<'de> for Items {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a list")
                    }

                    fn visit_seq<A: SeqAccess<'de>>(self, mut s: A) -> Result<$name, A::Error> {
                        let mut list = Vec::new();
                        while list.len() < $read
                            && let Some(item) = s.next_element()?
                        {
                            list.push(item);
                        }
                        Ok($name(list))
                    }
                }
                d.deserialize_seq(Items)
            }
        }

        impl Gob for $name {
            const SHAPE: &'static Shape = <Vec<u64> as Gob>::SHAPE;
            const MIN_BYTES: usize = 1;
        }
    };
}

list!(WritesTwo, 2, usize::MAX);
list!(ReadsTwo, usize::MAX, 2);

#[test]
fn elements_left_unwritten() {
    for _ in 0..100 {
        encode(&WritesTwo(vec![1, 2]));
    }
    assert_eq!(
        try_encode(&WritesTwo(vec![1, 2, 3])).unwrap_err().to_string(),
        "cannot encode `Vec<u64>`: Serialize promises 3 parts and writes 2"
    );
}

#[test]
fn elements_left_unread() {
    for _ in 0..100 {
        encode(&ReadsTwo(vec![1, 2]));
    }
    assert_eq!(
        decode::<ReadsTwo>(&encode(&ReadsTwo(vec![1, 2, 3]))).unwrap_err().to_string(),
        "cannot decode as `Vec<u64>`: Deserialize leaves 1 of the parts unread (byte 7)"
    );
}

/// A type with these two functions and this shape.
macro_rules! by_hand {
    ($name:ident, $shape:expr, $ser:expr, $de:expr) => {
        #[derive(Debug)]
        struct $name;

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                let write: fn(S) -> Result<S::Ok, S::Error> = $ser;
                write(s)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<$name, D::Error> {
                let read: fn(D) -> Result<$name, D::Error> = $de;
                read(d)
            }
        }

        impl Gob for $name {
            const SHAPE: &'static Shape = $shape;
            const MIN_BYTES: usize = 1;
        }
    };
}

#[track_caller]
fn cannot_be_encoded<T: Gob>(value: &T, text: &str) {
    assert_eq!(try_encode(value).unwrap_err().to_string(), text);
}

by_hand!(WritesThree, <[u8; 2] as Gob>::SHAPE, |s| [1u8, 2, 3].serialize(s), |d| {
    <[u8; 3]>::deserialize(d).map(|_| WritesThree)
});

#[test]
fn serialize_writes_more_elements_than_the_array_has() {
    cannot_be_encoded(
        &WritesThree,
        "cannot encode `[u8; 2]`: Serialize writes more parts than the declared fields of `the tuple`",
    );
}

#[derive(Gob)]
enum Signal {
    Stop,
    Go,
}

impl Serialize for Signal {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Signal::Stop => s.serialize_unit_variant("Signal", 0, "Stop"),
            Signal::Go => s.serialize_unit_variant("Signal", 1, "Halt"),
        }
    }
}

impl<'de> Deserialize<'de> for Signal {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Signal, D::Error> {
        #[derive(Deserialize)]
        #[serde(crate = "labgob::serde", rename = "Signal")]
        enum Derived {
            Stop,
            Go,
        }
        Derived::deserialize(d).map(|derived| match derived {
            Derived::Stop => Signal::Stop,
            Derived::Go => Signal::Go,
        })
    }
}

#[test]
fn serialize_gives_a_variant_another_name() {
    encode(&Signal::Stop);
    cannot_be_encoded(
        &Signal::Go,
        "cannot encode `enum Signal { Stop, Go }`: Serialize has `Halt` as variant 1, but the type is declared \
         as Signal",
    );
}

by_hand!(
    KeyWithoutValue,
    <BTreeMap<u8, u8> as Gob>::SHAPE,
    |s| {
        let mut s = s.serialize_map(Some(1))?;
        s.serialize_key(&1u8)?;
        s.end()
    },
    |d| <BTreeMap<u8, u8>>::deserialize(d).map(|_| KeyWithoutValue)
);

#[test]
fn serialize_writes_a_key_without_a_value() {
    cannot_be_encoded(
        &KeyWithoutValue,
        "cannot encode `BTreeMap<u8, u8>`: field `[key 0]`: Serialize has a key without a value",
    );
}

by_hand!(WritesUnit, u64::SHAPE, |s| s.serialize_unit(), |d| <()>::deserialize(d)
    .map(|()| WritesUnit));
by_hand!(WritesUnitStruct, u64::SHAPE, |s| s.serialize_unit_struct("Nothing"), |d| {
    <()>::deserialize(d).map(|()| WritesUnitStruct)
});

#[test]
fn serialize_writes_nothing() {
    cannot_be_encoded(
        &WritesUnit,
        "cannot encode `u64`: Serialize treats the value as (), but the type is declared as u64",
    );
    cannot_be_encoded(
        &WritesUnitStruct,
        "cannot encode `u64`: Serialize treats the value as a struct of 0, but the type is declared as u64",
    );
}

by_hand!(ReadsNothing, u64::SHAPE, |s| s.serialize_u64(7), |_| Ok(ReadsNothing));

#[test]
fn deserialize_reads_nothing() {
    cannot_be_encoded(
        &ReadsNothing,
        "cannot encode `u64`: Deserialize leaves 1 of the written bytes unread",
    );
}

/// An enum whose `Deserialize` does not read what a variant holds.
#[derive(Gob, Debug, Serialize)]
#[serde(crate = "labgob::serde")]
enum Answer {
    Granted(u8),
}

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Answer, D::Error> {
        #[derive(Deserialize)]
        #[serde(crate = "labgob::serde", rename = "Answer")]
        enum Derived {
            Granted,
        }
        Derived::deserialize(d).map(|Derived::Granted| Answer::Granted(0))
    }
}

#[test]
fn deserialize_takes_a_variant_for_one_without_fields() {
    let bytes = [&Answer::fingerprint().to_le_bytes()[..], &[0, 7]].concat();
    assert_eq!(
        decode::<Answer>(&bytes).unwrap_err().to_string(),
        "cannot decode as `enum Answer { Granted(u8) }`: \
         Deserialize does not read field `0` of `Answer::Granted` (byte 5)"
    );
}

/// Text for people, four bytes for machines.
#[derive(Debug, PartialEq)]
struct Address([u8; 4]);

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.serialize_str("an address") } else { self.0.serialize(s) }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Address, D::Error> {
        if d.is_human_readable() {
            return Err(D::Error::custom("this is text for people"));
        }
        <[u8; 4]>::deserialize(d).map(Address)
    }
}

impl Gob for Address {
    const SHAPE: &'static Shape = <[u8; 4] as Gob>::SHAPE;
    const MIN_BYTES: usize = 4;
}

#[test]
fn what_is_text_for_people_is_written_for_machines() {
    let address = Address([127, 0, 0, 1]);
    let bytes = encode(&address);
    assert_eq!(bytes[4..], [127, 0, 0, 1]);
    assert_eq!(decode::<Address>(&bytes).unwrap(), address);
}

/// A list or a map whose `Deserialize` wants to know how much there is.
#[derive(Debug)]
struct Counted<const MAP: bool>(u8);

struct Count;

impl<'de> Visitor<'de> for Count {
    type Value = usize;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("some numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<usize, A::Error> {
        let said = seq.size_hint();
        let found = std::iter::from_fn(|| seq.next_element::<u8>().transpose()).count();
        if said == Some(found) { Ok(found) } else { Err(A::Error::custom(format!("{said:?}"))) }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
        let said = map.size_hint();
        let found = std::iter::from_fn(|| map.next_entry::<u8, u8>().transpose()).count();
        if said == Some(found) { Ok(found) } else { Err(A::Error::custom(format!("{said:?}"))) }
    }
}

impl<const MAP: bool> Serialize for Counted<MAP> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match MAP {
            true => s.collect_map((0..self.0).map(|n| (n, n))),
            false => s.collect_seq(0..self.0),
        }
    }
}

impl<'de, const MAP: bool> Deserialize<'de> for Counted<MAP> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Counted<MAP>, D::Error> {
        let found = if MAP { d.deserialize_map(Count)? } else { d.deserialize_seq(Count)? };
        Ok(Counted(found as u8))
    }
}

impl<const MAP: bool> Gob for Counted<MAP> {
    const SHAPE: &'static Shape =
        if MAP { <BTreeMap<u8, u8> as Gob>::SHAPE } else { <Vec<u8> as Gob>::SHAPE };
    const MIN_BYTES: usize = 1;
}

#[test]
fn who_reads_is_told_how_much_there_is() {
    for count in [0, 1, 2, 200] {
        assert_eq!(decode::<Counted<false>>(&encode(&Counted::<false>(count))).unwrap().0, count);
        assert_eq!(decode::<Counted<true>>(&encode(&Counted::<true>(count))).unwrap().0, count);
    }
}
