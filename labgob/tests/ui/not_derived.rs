//! A field whose type lacks one of the three derives.

use labgob::{Deserialize, Gob, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(crate = "labgob::serde")]
struct Inner {
    a: u64,
}

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
struct Outer {
    inner: Inner,
}

#[derive(Gob)]
struct OnlyGob {
    a: u64,
}

fn main() {}
