//! Lists, maps, arrays, enums and plain values whose serde code does something else than their shapes say.

use std::collections::BTreeMap;

use labgob::serde::de::{Deserializer, SeqAccess, Visitor};
use labgob::serde::ser::{SerializeMap, SerializeSeq, Serializer};
use labgob::{Deserialize, Gob, Serialize, Shape, decode, encode, try_encode};

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
