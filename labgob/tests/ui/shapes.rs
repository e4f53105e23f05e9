//! Types that labgob cannot encode whatever their attributes.

use labgob::{Deserialize, Gob, Serialize};

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
struct Borrowed<'a> {
    text: &'a str,
}

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
struct Unmarked {
    value: u64,
    next: Option<Box<Unmarked>>,
}

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
#[gob(recursive)]
struct Misplaced {
    #[gob(skip)]
    next: u64,
}

#[derive(Gob)]
union Both {
    a: u32,
    b: f32,
}

fn main() {}
