//! A list whose elements take no bytes: its length would be free to write and dear to read.

use labgob::{Deserialize, Gob, Serialize};

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
struct Ticks {
    ticks: Vec<()>,
}

fn main() {}
