//! Equal types have equal fingerprints; any difference in name, order, count or type shows.

#![allow(unreachable_pub, dead_code, reason = "the types stand for those of other programs")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::marker::PhantomData;
use std::time::Duration;

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
    loops_self { pub struct Node { pub value: u64, #[gob(recursive)] pub next: Option<Box<Self>> } }
    loops_paths { pub struct Node {
        pub value: u64,
        #[gob(recursive)] pub next: std :: option::Option< std::boxed::Box<self::Node> >
    } }
    loops_alias { pub struct Node { pub value: u64, #[gob(recursive)] pub next: Next<Self> } }
    list { pub struct List<T> { pub value: T, #[gob(recursive)] pub next: Option<Box<List<T>>> } }
    tree { pub struct Tree<T> { pub value: T, #[gob(recursive)] pub children: Vec<Tree<T>> } }
    marked { pub struct Vote { #[gob(recursive)] pub term: u64, pub candidate: u32 } }
    marked_both {
        pub struct Vote { #[gob(recursive)] pub term: u64, #[gob(recursive)] pub candidate: u32 }
    }
    marked_swapped { pub struct Vote { #[gob(recursive)] pub candidate: u32, pub term: u64 } }
    marked_outer { pub struct Outer { #[gob(recursive)] pub votes: Vec<marked::Vote> } }
}

type Next<T> = Option<Box<T>>;

/// What it is of is not in the bytes.
#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
struct Id<T> {
    number: u64,
    of: PhantomData<T>,
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
    assert_eq!(of::<PhantomData<u8>>(), of::<PhantomData<String>>());
    assert_eq!(of::<Id<u8>>(), of::<Id<String>>(), "only parts of the value count");
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

// `A` and `B` hold each other. Each module is a version of the pair.
macro_rules! pairs {
    ($($module:ident { $a:item $b:item })*) => {$(
        mod $module {
            #[allow(unused_imports)]
            use super::*;
            #[derive(Serialize, Deserialize, Gob, Default)]
            #[serde(crate = "labgob::serde")]
            $a
            #[derive(Serialize, Deserialize, Gob, Default)]
            #[serde(crate = "labgob::serde")]
            $b
        }
    )*};
}

pairs! {
    pair {
        pub struct A { pub n: u8, #[gob(recursive)] pub b: Option<Box<B>> }
        pub struct B { pub n: u8, pub a: Option<Box<A>> }
    }
    other_mark {
        pub struct A { pub n: u8, pub b: Option<Box<B>> }
        pub struct B { pub n: u8, #[gob(recursive)] pub a: Option<Box<A>> }
    }
    other_b {
        pub struct A { pub n: u8, #[gob(recursive)] pub b: Option<Box<B>> }
        pub struct B { pub n: u16, pub a: Option<Box<A>> }
    }
    // The first two are like one type, but for what the third says.
    ring {
        pub struct A { pub n: u8, #[gob(recursive)] pub b: Option<Box<B>> }
        pub struct B { pub n: u8, #[gob(recursive)] pub a: Option<Box<B>> }
    }
}

#[test]
fn recursive_types_differ_by_all_that_they_hold() {
    let all = [
        of::<list::List<u8>>(),
        of::<list::List<u16>>(),
        of::<list::List<i32>>(),
        of::<list::List<u32>>(),
        of::<list::List<Vec<u32>>>(),
        of::<tree::Tree<u8>>(),
        of::<tree::Tree<u16>>(),
        of::<tree::Tree<u64>>(),
        of::<tree::Tree<list::List<u8>>>(),
        of::<tree::Tree<list::List<u16>>>(),
        of::<Vec<tree::Tree<u8>>>(),
        of::<Vec<tree::Tree<u16>>>(),
        of::<(tree::Tree<u8>, tree::Tree<u16>)>(),
        of::<(tree::Tree<u16>, tree::Tree<u8>)>(),
        of::<pair::A>(),
        of::<pair::B>(),
        of::<other_b::A>(),
        of::<other_b::B>(),
        of::<ring::A>(),
        of::<ring::B>(),
        of::<Option<Box<pair::A>>>(),
        of::<Option<Box<pair::B>>>(),
    ];
    let mut sorted = all.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), all.len(), "{all:x?}");
}

#[test]
fn the_bytes_of_one_recursive_type_are_not_read_as_another() {
    let bytes = labgob::encode(&list::List { value: -3i32, next: None });
    assert_eq!(
        labgob::decode::<list::List<u32>>(&bytes).map(|list| list.value).unwrap_err().to_string(),
        "cannot decode as `List { value: u32, next: Option<List> }`: \
         the bytes hold `List { value: i32, next: Option<List> }`: \
         field `value` has type i32 instead of u32 (byte 0)"
    );
    let bytes = labgob::encode(&pair::A::default());
    assert_eq!(
        labgob::decode::<other_b::A>(&bytes).map(|a| a.n).unwrap_err().to_string(),
        "cannot decode as `A { n: u8, b: Option<B> }`: \
         the bytes hold `A { n: u8, b: Option<B> }`: field `b.n` has type u8 instead of u16 (byte 0)"
    );
}

#[test]
fn how_a_recursive_type_is_spelled_does_not_count() {
    let all = [
        of::<loops::Node>(),
        of::<loops_copy::Node>(),
        of::<loops_self::Node>(),
        of::<loops_paths::Node>(),
        of::<loops_alias::Node>(),
    ];
    assert_eq!(all, [all[0]; 5]);
    assert_eq!(of::<pair::A>(), of::<other_mark::A>(), "which field of a circle is marked");
    assert_eq!(of::<pair::B>(), of::<other_mark::B>());
}

// Written out for ever, this is `loops::Node` too.
mod two_steps {
    use super::*;

    #[derive(Serialize, Deserialize, Gob)]
    #[serde(crate = "labgob::serde")]
    pub struct Node {
        pub value: u64,
        #[gob(recursive)]
        pub next: Option<Box<other::Node>>,
    }

    pub mod other {
        use super::*;

        #[derive(Serialize, Deserialize, Gob)]
        #[serde(crate = "labgob::serde")]
        pub struct Node {
            pub value: u64,
            pub next: Option<Box<super::Node>>,
        }
    }
}

#[test]
fn how_many_types_a_circle_has_does_not_count() {
    assert_eq!(of::<two_steps::Node>(), of::<loops::Node>());
    assert_eq!(of::<two_steps::other::Node>(), of::<loops::Node>());
    assert_eq!(
        labgob::encode_described(&two_steps::Node { value: 7, next: None }),
        labgob::encode_described(&loops::Node { value: 7, next: None }),
        "descriptions too",
    );
}

#[test]
fn the_mark_on_a_field_that_is_not_recursive_changes_nothing() {
    assert_eq!(of::<marked::Vote>(), of::<original::Vote>());
    assert_eq!(of::<marked_both::Vote>(), of::<original::Vote>());
    assert_eq!(of::<marked_outer::Outer>(), of::<outer::Outer>());
    assert_eq!(of::<marked_swapped::Vote>(), of::<reordered::Vote>());
    let bytes = labgob::encode(&marked::Vote { term: 7, candidate: 2 });
    let error = labgob::decode::<marked_swapped::Vote>(&bytes).map(|vote| vote.term).unwrap_err();
    let text = "fields of `Vote` are reordered: term, candidate instead of candidate, term";
    assert!(error.to_string().contains(text), "{error}");
}

// What is persisted must stay readable. The values are those of the first version of this crate,
// but for the recursive types: there, the second.
#[test]
fn fingerprints_do_not_change() {
    #[track_caller]
    fn is<T: Gob>(fingerprint: u32) {
        assert_eq!(T::fingerprint(), fingerprint, "{:#010x}", T::fingerprint());
        assert_eq!(T::SHAPE.fingerprint(), fingerprint);
    }
    is::<bool>(0x9d77_88d3);
    is::<i8>(0x7212_66b9);
    is::<i16>(0xb5c8_f2a3);
    is::<i32>(0xb5f8_daad);
    is::<i64>(0xb5d5_ba02);
    is::<i128>(0x406d_9f5f);
    is::<isize>(0xb5d5_ba02);
    is::<u8>(0x7205_d5a5);
    is::<u16>(0xc7a2_f6ef);
    is::<u32>(0xc7bf_45f1);
    is::<u64>(0xc7a1_a086);
    is::<u128>(0xbdd8_8d78);
    is::<usize>(0xc7a1_a086);
    is::<f32>(0xb47f_c92c);
    is::<f64>(0xb45e_af2f);
    is::<char>(0x374a_212a);
    is::<String>(0x2de6_7073);
    is::<bytes::Bytes>(0xa43b_1b36);
    is::<()>(0x7270_8dd3);
    is::<(u8,)>(0xc95a_31be);
    is::<(u8, String)>(0xb64f_33c7);
    is::<Vec<u64>>(0xc574_75b2);
    is::<VecDeque<u64>>(0xc574_75b2);
    is::<BTreeSet<u64>>(0xf6ed_a641);
    is::<BTreeMap<u8, String>>(0x4973_cf61);
    is::<Option<u64>>(0xe8f0_d890);
    is::<Result<u64, String>>(0xb4d2_adb6);
    is::<Box<u64>>(0xc7a1_a086);
    is::<[u64; 3]>(0xa55c_3e1b);
    is::<[u8; 0]>(0xb8b2_61c3);
    is::<PhantomData<u64>>(0x8b2b_b97c);
    is::<Duration>(0xd7f5_156f);
    is::<original::Vote>(0xb8d3_1f20);
    is::<golden::Unit>(0x454a_8499);
    is::<golden::Wrapped>(0x5b21_cc1a);
    is::<golden::Index>(0x4768_5d0b);
    is::<golden::Command>(0xbe84_9be5);
    is::<golden::Pair<original::Vote>>(0x92e3_5da8);
    is::<golden::Pair<Option<[golden::Command; 2]>>>(0x15d8_a0b5);
    is::<loops::Node>(0xc0db_959a);
    is::<tree::Tree<u64>>(0x601c_8a06);
    is::<pair::A>(0xaf02_a1de);
    is::<pair::B>(0x74e9_dd4f);
}

mod golden {
    use super::*;

    macro_rules! derived {
        ($($item:item)*) => {$(
            #[derive(Serialize, Deserialize, Gob, Debug, PartialEq)]
            #[serde(crate = "labgob::serde")]
            $item
        )*};
    }

    derived! {
        pub struct Unit;
        pub struct Wrapped(u64);
        #[serde(transparent)]
        pub struct Index {
            pub value: u64,
        }
        pub enum Command {
            Noop,
            Put(String, Vec<u8>),
            Move { from: Vote, to: Option<Vote> },
        }
        pub struct Vote {
            pub term: u64,
            pub candidate: u32,
        }
        pub struct Pair<T> {
            pub a: T,
            #[serde(rename = "second")]
            pub b: Box<T>,
        }
    }
}

// Two values with their descriptions, and a stream, as the first version of this crate wrote them.
#[test]
fn old_bytes_stay_readable() {
    use golden::{Command, Pair, Vote};

    let vote = |term, candidate| Vote { term, candidate };
    let moved = Command::Move { from: vote(7, 300), to: None };
    let a = Some([moved, Command::Put("k".into(), vec![1, 255])]);
    let pair = Pair { a, b: Box::new(None) };
    let mut old = b"GOB+\x8a\0\0\0\x0b\x01\x04Pair\x02\x01a\x01\x06second\x01\x03\x06Option\x01\x02\
        \x04\x03\x02\x02\x07Command\x03\x04Noop\0\x03Put\x02\x010\x04\x011\x05\x04Move\x02\x04from\x07\
        \x02to\x0a\0\x06String\x03\x03Vec\x01\x06\0\x02u8\x01\x04Vote\x02\x04term\x08\x09candidate\
        \x09\0\x03u64\0\x03u32\x03\x06Option\x01\x07"
        .to_vec();
    old.extend(b"\xb5\xa0\xd8\x15\x01\x02\x07\xfb\x2c\x01\0\x01\x01k\x02\x01\xff\0");
    assert_eq!(labgob::encode_described(&pair), old);
    assert_eq!(labgob::decode::<Pair<Option<[Command; 2]>>>(&old).unwrap(), pair);

    let mut old = b"\x86\xa0\xa1\xc7\x07GOB+\x2d\0\0\0\x04\x03\x06Option\x01\x01\x01\x04Vote\x02\
        \x04term\x02\x09candidate\x03\0\x03u64\0\x03u32\xe9\x5d\x43\x94\x01\xfc\x70\x11\x01\0\x02"
        .to_vec();
    old.extend(b"\xf0\xc4\x39\xe3\x01\0");
    let mut decoder = labgob::Decoder::new(&old);
    assert_eq!(decoder.decode::<u64>().unwrap(), 7);
    assert_eq!(decoder.decode::<Option<Vote>>().unwrap(), Some(vote(70_000, 2)));
    assert_eq!(decoder.decode::<Vec<Command>>().unwrap(), [Command::Noop]);
    decoder.finish().unwrap();
}
