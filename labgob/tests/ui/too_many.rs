//! More parts than serde's tuples and arrays have.

use labgob::{Deserialize, Gob, Serialize};

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
struct Wide {
    parts: (u8, u8, u8, u8, u8, u8, u8, u8, u8),
}

fn main() {
    labgob::encode(&[0u8; 33]);
}
