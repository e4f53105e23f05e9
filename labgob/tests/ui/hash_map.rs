//! Maps without an order.

use std::collections::{HashMap, HashSet};

use labgob::{Deserialize, Gob, Serialize};

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
struct Table {
    rows: HashMap<String, u64>,
}

fn main() {
    labgob::encode(&HashSet::from([1u64]));
}
