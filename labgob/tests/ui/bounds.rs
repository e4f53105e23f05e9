//! Bounds that are none, too many, or in the wrong place.

use labgob::{Deserialize, Gob, Serialize};

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
#[gob(bound = "T Gob")]
struct NoBound<T> {
    value: T,
}

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
#[gob(bound = "T: Gob", bound = "U: Gob")]
struct Twice<T, U> {
    value: T,
    other: U,
}

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
struct OnField<T> {
    #[gob(bound = "T: Gob")]
    value: T,
}

fn main() {}
