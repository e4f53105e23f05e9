//! Right serde code of other kinds: what refuses values, goes deep, asks who reads, or wants to know how much
//! there is.

use std::collections::BTreeMap;

use labgob::serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use labgob::serde::ser::Serializer;
use labgob::{
    DecodeErrorKind, Deserialize, Gob, MAX_DEPTH, Serialize, Shape, decode, encode, try_encode,
};

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
