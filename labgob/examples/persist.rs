//! A Raft server saves its state; a later version of the program reads it.
//!
//! `cargo run -p labgob --example persist`

use labgob::{Deserialize, Gob, Serialize};

mod old {
    use super::*;

    #[derive(Serialize, Deserialize, Gob)]
    #[serde(crate = "labgob::serde")]
    pub(crate) struct Saved {
        pub(crate) term: u64,
        pub(crate) voted_for: Option<u32>,
        pub(crate) log: Vec<Entry>,
    }

    #[derive(Serialize, Deserialize, Gob)]
    #[serde(crate = "labgob::serde")]
    pub(crate) struct Entry {
        pub(crate) term: u32,
        pub(crate) command: String,
    }
}

/// One struct, rather than three values: nobody can read its fields in the wrong order.
#[derive(Serialize, Deserialize, Gob, Debug)]
#[serde(crate = "labgob::serde")]
struct Saved {
    term: u64,
    voted_for: Option<u32>,
    log: Vec<Entry>,
}

#[derive(Serialize, Deserialize, Gob, Debug)]
#[serde(crate = "labgob::serde")]
struct Entry {
    term: u64, // was u32
    command: String,
}

fn main() {
    let log = vec![Entry { term: 3, command: "x=1".into() }];
    let bytes = labgob::encode(&Saved { term: 3, voted_for: None, log });
    println!("{} bytes: {:?}", bytes.len(), labgob::decode::<Saved>(&bytes));

    let log = vec![old::Entry { term: 3, command: "x=1".into() }];
    let bytes = labgob::encode_described(&old::Saved { term: 3, voted_for: Some(1), log });
    match labgob::decode::<Saved>(&bytes) {
        Ok(saved) => println!("unexpected: {saved:?}"),
        Err(error) => println!("{error}"),
    }

    let bytes = labgob::encode(&Saved { term: 3, voted_for: None, log: vec![] });
    match labgob::decode::<Saved>(&bytes[..5]) {
        Ok(saved) => println!("unexpected: {saved:?}"),
        Err(error) => println!("{error}"),
    }
}
