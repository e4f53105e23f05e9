//! Equal types have equal fingerprints; any difference in name, order, count or type shows.

#![allow(unreachable_pub, dead_code, reason = "the types stand for those of other programs")]

use labgob::{Deserialize, Gob, Serialize};

macro_rules! versions {
    ($($module:ident { $($item:tt)* })*) => {$(
        mod $module {
            #[allow(unused_imports)]
            use super::*;
            #[derive(Serialize, Deserialize, Gob)]
            #[serde(crate = "labgob::serde")]
            $($item)*
        }
    )*};
}

versions! {
    original { pub struct Vote { pub term: u64, pub candidate: u32 } }
    copy { pub struct Vote { pub term: u64, pub candidate: u32 } }
    renamed_type { pub struct Ballot { pub term: u64, pub candidate: u32 } }
    renamed_field { pub struct Vote { pub term: u64, pub server: u32 } }
    renamed_back { pub struct Vote { pub term: u64, #[serde(rename = "candidate")] pub server: u32 } }
    reordered { pub struct Vote { pub candidate: u32, pub term: u64 } }
    added { pub struct Vote { pub term: u64, pub candidate: u32, pub last: u64 } }
    removed { pub struct Vote { pub term: u64 } }
    retyped { pub struct Vote { pub term: u64, pub candidate: u64 } }
    boxed { pub struct Vote { pub term: Box<u64>, pub candidate: u32 } }
    glued { pub struct Vote { pub termcandidate: u64, pub x: u32 } }
    outer { pub struct Outer { pub votes: Vec<original::Vote> } }
    outer_retyped { pub struct Outer { pub votes: Vec<retyped::Vote> } }
    letters { pub enum Letter { A, B(u8) } }
    letters_swapped { pub enum Letter { B(u8), A } }
    letters_more { pub enum Letter { A, B(u8), C } }
    letters_field { pub enum Letter { A(u8), B } }
    generic { pub struct Pair<T> { pub a: T, pub b: T } }
    loops { pub struct Node { pub value: u64, #[gob(recursive)] pub next: Option<Box<Node>> } }
    loops_copy { pub struct Node { pub value: u64, #[gob(recursive)] pub next: Option<Box<Node>> } }
    loops_retyped { pub struct Node { pub value: u32, #[gob(recursive)] pub next: Option<Box<Node>> } }
    loops_more { pub struct Node { pub value: u64, #[gob(recursive)] pub next: Vec<Node> } }
}

fn of<T: Gob>() -> u32 {
    T::fingerprint()
}

#[test]
fn equal_types_agree() {
    assert_eq!(of::<original::Vote>(), of::<copy::Vote>());
    assert_eq!(of::<original::Vote>(), of::<renamed_back::Vote>(), "serde's rename counts");
    assert_eq!(of::<original::Vote>(), of::<boxed::Vote>(), "a box changes nothing");
    assert_eq!(of::<Vec<u8>>(), of::<std::collections::VecDeque<u8>>());
    assert_eq!(of::<loops::Node>(), of::<loops_copy::Node>());
}

#[test]
fn different_types_differ() {
    let all = [
        of::<original::Vote>(),
        of::<renamed_type::Ballot>(),
        of::<renamed_field::Vote>(),
        of::<reordered::Vote>(),
        of::<added::Vote>(),
        of::<removed::Vote>(),
        of::<retyped::Vote>(),
        of::<glued::Vote>(),
        of::<outer::Outer>(),
        of::<outer_retyped::Outer>(),
        of::<letters::Letter>(),
        of::<letters_swapped::Letter>(),
        of::<letters_more::Letter>(),
        of::<letters_field::Letter>(),
        of::<generic::Pair<u8>>(),
        of::<generic::Pair<u16>>(),
        of::<loops::Node>(),
        of::<loops_retyped::Node>(),
        of::<loops_more::Node>(),
        of::<u8>(),
        of::<i8>(),
        of::<u64>(),
        of::<String>(),
        of::<bytes::Bytes>(),
        of::<Vec<u8>>(),
        of::<Vec<u16>>(),
        of::<Option<u8>>(),
        of::<std::collections::BTreeSet<u8>>(),
        of::<[u8; 3]>(),
        of::<[u8; 4]>(),
        of::<(u8,)>(),
        of::<(u8, u8)>(),
        of::<()>(),
        of::<Vec<Option<u8>>>(),
        of::<Option<Vec<u8>>>(),
        of::<std::collections::BTreeMap<u8, u16>>(),
        of::<std::collections::BTreeMap<u16, u8>>(),
        of::<Result<u8, u16>>(),
        of::<Result<u16, u8>>(),
    ];
    let mut sorted = all.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), all.len());
}
