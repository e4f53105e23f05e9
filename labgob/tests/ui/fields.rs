//! Attributes on fields that can lose them.

use labgob::{Deserialize, Gob, Serialize};

mod hex {
    use labgob::serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &u64, s: S) -> Result<S::Ok, S::Error> {
        format!("{value:x}").serialize(s)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
        String::deserialize(d).map(|_| 0)
    }
}

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
struct Skips {
    #[serde(skip)]
    a: u64,
    #[serde(skip_serializing)]
    b: u64,
    #[serde(skip_deserializing)]
    c: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    d: Option<u64>,
    #[serde(default)]
    e: u64,
}

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
struct Blurs {
    #[serde(with = "hex")]
    a: u64,
    #[serde(serialize_with = "hex::serialize", deserialize_with = "hex::deserialize")]
    b: u64,
    #[serde(alias = "old")]
    c: u64,
    #[serde(rename(serialize = "one", deserialize = "other"))]
    d: u64,
}

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
struct Flat {
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
struct Rest {
    a: u64,
}

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
struct Twice {
    #[serde(rename = "b")]
    a: u64,
    b: u64,
}

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
enum TwiceToo {
    One,
    #[serde(rename = "One")]
    Other,
}

fn main() {}
