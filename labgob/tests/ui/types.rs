//! Attributes on types and variants that can lose a field or put another in its place.

use labgob::{Deserialize, Gob, Serialize};

#[derive(Serialize, Deserialize, Gob, Default)]
#[serde(crate = "labgob::serde", default)]
struct Defaults {
    a: u64,
}

#[derive(Serialize, Deserialize, Gob, Clone)]
#[serde(crate = "labgob::serde", from = "u64", into = "u64")]
struct Converted(u64);

impl From<u64> for Converted {
    fn from(value: u64) -> Converted {
        Converted(value)
    }
}

impl From<Converted> for u64 {
    fn from(value: Converted) -> u64 {
        value.0
    }
}

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde", untagged)]
enum Guessed {
    A(u64),
    B(String),
}

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde", tag = "t", content = "c")]
enum Tagged {
    A(u64),
    #[serde(other)]
    B,
}

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde", rename_all(serialize = "lowercase"))]
enum OneSided {
    A,
    #[serde(skip)]
    B,
}

mod foreign {
    #[derive(Default)]
    pub struct Foreign {
        pub a: u64,
    }
}

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde", remote = "foreign::Foreign")]
struct Remote {
    #[serde(getter = "get")]
    a: u64,
}

fn get(foreign: &foreign::Foreign) -> &u64 {
    &foreign.a
}

impl From<Remote> for foreign::Foreign {
    fn from(remote: Remote) -> foreign::Foreign {
        foreign::Foreign { a: remote.a }
    }
}

fn main() {}
