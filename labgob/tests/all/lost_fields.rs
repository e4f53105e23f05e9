//! Each way in which a field can fail to arrive, and the error that it ends in.
//!
//! What the compiler refuses is in `ui`; what hand-written serde code can do is in
//! `hand_written`.

#![allow(unreachable_pub, dead_code, reason = "the types stand for those of other programs")]

use std::collections::BTreeMap;

use labgob::{
    DecodeErrorKind, Decoder, Deserialize, Encoder, Gob, Serialize, decode, encode,
    encode_described,
};

macro_rules! versions {
    ($($module:ident { $($item:item)* })*) => {$(
        mod $module {
            #[allow(unused_imports)]
            use super::*;
            $(
                #[derive(Serialize, Deserialize, Gob, Debug, Clone)]
                #[serde(crate = "labgob::serde")]
                $item
            )*
        }
    )*};
}

versions! {
    now {
        pub struct Vote { pub term: u64, pub candidate: u32 }
        pub struct Entry { pub term: u64, pub command: Vec<u8> }
        pub struct State { pub vote: Vote, pub log: Vec<Entry> }
        pub enum Msg { Ask(Vote), Answer { granted: bool } }
    }
    fewer { pub struct Vote { pub term: u64 } }
    more { pub struct Vote { pub term: u64, pub candidate: u32, pub round: u8 } }
    renamed { pub struct Vote { pub term: u64, pub server: u32 } }
    reordered { pub struct Vote { pub candidate: u32, pub term: u64 } }
    retyped { pub struct Vote { pub term: u64, pub candidate: u64 } }
    ballot { pub struct Ballot { pub term: u64, pub candidate: u32 } }
    deep {
        pub struct Entry { pub term: u32, pub command: Vec<u8>, pub client: u64 }
        pub struct State { pub vote: now::Vote, pub log: Vec<Entry> }
        pub enum Msg { Ask(now::Vote), Answer { granted: u8 } }
    }
    variants {
        pub enum Msg { Answer { granted: bool }, Ask(now::Vote), Stop }
    }
    // Without a name in common, and with another name but the same variants.
    other_names { pub enum Msg { Yes, No } }
    other_name { pub enum Message { Ask(now::Vote), Answer { granted: bool }, Stop } }
    other_kinds {
        pub struct Kinds {
            pub one: Option<u8>, pub list: Vec<u8>, pub three: [u8; 3], pub pair: (u8, u8),
        }
    }
    kinds {
        pub struct Kinds {
            pub one: Vec<u8>, pub list: Vec<u8>, pub three: [u8; 2], pub pair: (u8, u8, u8),
        }
    }
    unrelated { pub struct Append { pub entries: Vec<now::Entry> } }
}

const VOTE: &str = "cannot decode as `Vote { term: u64, candidate: u32 }`: ";

fn entry() -> now::Entry {
    now::Entry { term: 7, command: b"go".to_vec() }
}

fn vote() -> now::Vote {
    now::Vote { term: 7, candidate: 2 }
}

#[track_caller]
fn fails<T: Gob>(bytes: &[u8], text: &str) {
    match decode::<T>(bytes) {
        Ok(_) => panic!("decoded, although: {text}"),
        Err(error) => assert_eq!(error.to_string(), text),
    }
}

/// Encodes the value both ways and expects the same error.
#[track_caller]
fn not_a_vote<T: Gob>(value: T, text: &str) {
    fails::<now::Vote>(&encode(&value), &format!("{VOTE}{text} (byte 0)"));
    fails::<now::Vote>(&encode_described(&value), &format!("{VOTE}{text} (byte 0)"));
}

#[test]
fn field_removed_from_the_sender() {
    not_a_vote(
        fewer::Vote { term: 7 },
        "the bytes hold `Vote { term: u64 }`: field `candidate` is missing",
    );
}

#[test]
fn field_added_to_the_sender() {
    not_a_vote(
        more::Vote { term: 7, candidate: 2, round: 1 },
        "the bytes hold `Vote { term: u64, candidate: u32, round: u8 }`: \
         field `round` is added: `Vote` has none",
    );
}

#[test]
fn field_renamed() {
    not_a_vote(
        renamed::Vote { term: 7, server: 2 },
        "the bytes hold `Vote { term: u64, server: u32 }`: \
         field `candidate` is renamed: it is `server` in the bytes",
    );
}

#[test]
fn fields_reordered() {
    not_a_vote(
        reordered::Vote { term: 7, candidate: 2 },
        "the bytes hold `Vote { candidate: u32, term: u64 }`: \
         fields of `Vote` are reordered: candidate, term instead of term, candidate",
    );
}

#[test]
fn field_with_another_type() {
    not_a_vote(
        retyped::Vote { term: 7, candidate: 2 },
        "the bytes hold `Vote { term: u64, candidate: u64 }`: \
         field `candidate` has type u64 instead of u32",
    );
}

#[test]
fn type_renamed() {
    not_a_vote(
        ballot::Ballot { term: 7, candidate: 2 },
        "the bytes hold `Ballot { term: u64, candidate: u32 }`: \
         the type is called `Ballot` instead of `Vote`",
    );
}

#[test]
fn quite_another_type() {
    not_a_vote(
        unrelated::Append { entries: vec![] },
        "the bytes hold `Append { entries: Vec<Entry> }`",
    );
    not_a_vote(7u64, "the bytes hold `u64`");
}

#[test]
fn deep_inside() {
    let log = vec![deep::Entry { term: 1, command: vec![], client: 3 }];
    fails::<now::State>(
        &encode(&deep::State { vote: vote(), log }),
        "cannot decode as `State { vote: Vote, log: Vec<Entry> }`: \
         the bytes hold `State { vote: Vote, log: Vec<Entry> }`: \
         field `log[].client` is added: `Entry` has none; \
         field `log[].term` has type u32 instead of u64 (byte 0)",
    );
    fails::<now::Msg>(
        &encode(&deep::Msg::Answer { granted: 1 }),
        "cannot decode as `enum Msg { Ask(Vote), Answer { granted: bool } }`: \
         the bytes hold `enum Msg { Ask(Vote), Answer { granted: u8 } }`: \
         field `Answer.granted` has type u8 instead of bool (byte 0)",
    );
    fails::<Vec<(u8, now::Vote)>>(
        &encode(&vec![(1u8, fewer::Vote { term: 1 })]),
        "cannot decode as `Vec<(u8, Vote)>`: the bytes hold `Vec<(u8, Vote)>`: \
         field `[].1.candidate` is missing (byte 0)",
    );
}

#[test]
fn variants_changed() {
    fails::<now::Msg>(
        &encode(&variants::Msg::Stop),
        "cannot decode as `enum Msg { Ask(Vote), Answer { granted: bool } }`: \
         the bytes hold `enum Msg { Answer { granted: bool }, Ask(Vote), Stop }`: \
         variant `Stop` is added: `Msg` has none; \
         variants of `Msg` are reordered: Answer, Ask instead of Ask, Answer (byte 0)",
    );
}

#[test]
fn variants_of_a_type_with_the_same_name_or_the_same_variants() {
    fails::<now::Msg>(
        &encode(&other_names::Msg::Yes),
        "cannot decode as `enum Msg { Ask(Vote), Answer { granted: bool } }`: \
         the bytes hold `enum Msg { Yes, No }`: \
         variant `Ask` is renamed: it is `Yes` in the bytes; \
         variant `Answer` is renamed: it is `No` in the bytes (byte 0)",
    );
    fails::<now::Msg>(
        &encode(&other_name::Message::Stop),
        "cannot decode as `enum Msg { Ask(Vote), Answer { granted: bool } }`: \
         the bytes hold `enum Message { Ask(Vote), Answer { granted: bool }, Stop }`: \
         the type is called `Message` instead of `Msg`; variant `Stop` is added: `Msg` has none (byte 0)",
    );
}

#[test]
fn kinds_that_differ() {
    fails::<kinds::Kinds>(
        &encode(&other_kinds::Kinds { one: None, list: vec![], three: [0; 3], pair: (0, 0) }),
        "cannot decode as `Kinds { one: Vec<u8>, list: Vec<u8>, three: [u8; 2], pair: (u8, u8, u8) }`: \
         the bytes hold `Kinds { one: Option<u8>, list: Vec<u8>, three: [u8; 3], pair: (u8, u8) }`: \
         field `one` has type Option<u8> instead of Vec<u8>; \
         field `three` has type [u8; 3] instead of [u8; 2]; \
         field `pair` has type (u8, u8) instead of (u8, u8, u8) (byte 0)",
    );
}

#[test]
fn inside_of_arrays_tuples_and_maps() {
    let fewer = || fewer::Vote { term: 1 };
    fails::<[now::Vote; 2]>(
        &encode(&[fewer(), fewer()]),
        "cannot decode as `[Vote; 2]`: the bytes hold `[Vote; 2]`: field `[].candidate` is missing (byte 0)",
    );
    fails::<(u8, now::Vote)>(
        &encode(&(1u8, fewer())),
        "cannot decode as `(u8, Vote)`: the bytes hold `(u8, Vote)`: field `.1.candidate` is missing (byte 0)",
    );
    fails::<BTreeMap<u8, now::Vote>>(
        &encode(&BTreeMap::from([(1u8, fewer())])),
        "cannot decode as `BTreeMap<u8, Vote>`: the bytes hold `BTreeMap<u8, Vote>`: \
         field `[value].candidate` is missing (byte 0)",
    );
    // Of the whole there is no more to say than what both are.
    fails::<[u8; 2]>(
        &encode(&[0u8; 3]),
        "cannot decode as `[u8; 2]`: the bytes hold `[u8; 3]` (byte 0)",
    );
    fails::<(u8, u8)>(
        &encode(&(0u8, 0u8, 0u8)),
        "cannot decode as `(u8, u8)`: the bytes hold `(u8, u8, u8)` (byte 0)",
    );
}

macro_rules! wide {
    ($module:ident, $last:ty: $($len:literal)*) => {
        mod $module {
            use super::*;

            #[derive(Serialize, Deserialize, Gob)]
            #[serde(crate = "labgob::serde")]
            pub struct Wide($(pub [u8; $len],)* $(pub [u16; $len],)* pub $last);

            pub fn value() -> Wide {
                Wide($([0; $len],)* $([0; $len],)* 1)
            }
        }
    };
}

wide!(wide, u16: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20);
wide!(wide_before, u8: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20);

/// However many fields of other types come before.
#[test]
fn the_last_of_many_fields() {
    let error = decode::<wide::Wide>(&encode(&wide_before::value())).map(drop).unwrap_err();
    assert!(
        error.to_string().ends_with("field `40` has type u8 instead of u16 (byte 0)"),
        "{error}"
    );
}

#[test]
fn type_that_was_only_described() {
    #[derive(Serialize, Deserialize, Gob)]
    #[serde(crate = "labgob::serde")]
    struct Described {
        only: u8,
    }

    let bytes = [&Described::fingerprint().to_le_bytes()[..], &[1]].concat();
    let before = decode::<now::Vote>(&bytes).unwrap_err().to_string();
    assert!(before.contains("a type that this process has not used"), "{before}");
    assert_eq!(Described::describe().to_string(), "Described { only: u8 }");
    fails::<now::Vote>(
        &bytes,
        &format!("{VOTE}the bytes hold `Described {{ only: u8 }}` (byte 0)"),
    );
}

#[test]
fn text_that_is_cut_off() {
    fails::<String>(
        &encode(&"four".to_string())[..6],
        "cannot decode as `String`: the input ends at least 3 bytes too early (byte 5)",
    );
}

#[test]
fn type_that_nobody_knows() {
    let error = decode::<now::Vote>(b"\x01\x02\x03\x04\x05").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{VOTE}the bytes hold a type that this process has not used (fingerprint 0x04030201), \
             or are no encoding at all; `encode_described` would name it (byte 0)"
        )
    );
}

// Written by another program, whose `Vote` had a field `server: u16`. No type here is like it.
#[test]
fn type_of_another_program() {
    let mut bytes = b"GOB+\x20\0\0\0".to_vec();
    bytes.extend(b"\x03\x01\x04Vote\x02\x04term\x01\x06server\x02\x00\x03u64\x00\x03u16");
    bytes.extend(b"\xaa\xbb\xcc\xdd\x07\x02");
    fails::<now::Vote>(
        &bytes,
        &format!(
            "{VOTE}the bytes hold `Vote {{ term: u64, server: u16 }}`: \
             field `candidate` is missing; field `server` is added: `Vote` has none (byte 0)"
        ),
    );
}

#[test]
fn damaged_description() {
    let mut bytes = encode_described(&vote());
    fails::<now::Vote>(
        &bytes[..20],
        &format!(
            "{VOTE}the input ends before the value, within its name, fingerprint or description (byte 20)"
        ),
    );
    bytes[8] = 0;
    let fingerprint = bytes.len() - 6;
    bytes[fingerprint] ^= 1;
    fails::<now::Vote>(
        &bytes,
        &format!(
            "{VOTE}the embedded description is damaged: it has references to nowhere, or no end (byte 0)"
        ),
    );
}

#[test]
fn trailing_bytes() {
    let mut bytes = encode(&vote());
    bytes.push(0);
    fails::<now::Vote>(&bytes, &format!("{VOTE}1 byte left over (byte 6)"));
    bytes.pop();
    bytes.extend(encode(&entry()));
    fails::<now::Vote>(
        &bytes,
        &format!(
            "{VOTE}8 bytes left over; they look like `Entry {{ term: u64, command: Vec<u8> }}` \
             (byte 6)"
        ),
    );
}

#[test]
fn truncated_in_each_field() {
    let state = now::State { vote: vote(), log: vec![entry(), entry()] };
    let bytes = encode(&state);
    let fields = ["vote.term", "vote.candidate", "log", "log", "log[0].command"];
    // vote is 2 bytes, then a length, then 4 bytes for each entry.
    let cuts = [4, 5, 6, 7, 9];
    for (cut, field) in cuts.into_iter().zip(fields) {
        let error = decode::<now::State>(&bytes[..cut]).unwrap_err();
        assert_eq!(error.field(), Some(field), "{error}");
        assert_eq!(error.position(), cut, "{error}");
    }
    fails::<now::Vote>(
        &encode(&vote())[..5],
        &format!("{VOTE}field `candidate`: the input ends at least 1 byte too early (byte 5)"),
    );
    fails::<now::Vote>(
        &encode(&vote())[..3],
        &format!(
            "{VOTE}the input ends before the value, within its name, fingerprint or description (byte 3)"
        ),
    );
    fails::<now::Vote>(&[], &format!("{VOTE}the input is empty (byte 0)"));
}

#[test]
fn values_read_in_another_order() {
    let mut encoder = Encoder::new();
    encoder.encode(&7u64);
    encoder.encode(&vote());
    encoder.encode(&vec![entry()]);
    let bytes = encoder.into_bytes();

    let mut decoder = Decoder::new(&bytes);
    decoder.decode::<u64>().unwrap();
    assert_eq!(
        decoder.decode::<Vec<now::Entry>>().unwrap_err().to_string(),
        "cannot decode value 2 as `Vec<Entry>`: \
         the bytes hold `Vote { term: u64, candidate: u32 }`; \
         or it is read in another order than written (byte 5)"
    );
    // The decoder stands where it stood.
    decoder.decode::<now::Vote>().unwrap();
    assert_eq!(
        decoder.clone().finish().unwrap_err().to_string(),
        "cannot decode: 9 bytes left over; they look like `Vec<Entry>` (byte 11)"
    );
    decoder.decode::<Vec<now::Entry>>().unwrap();
    assert_eq!(
        decoder.decode::<u64>().unwrap_err().to_string(),
        "cannot decode value 4 as `u64`: no value is left to be read (byte 20)"
    );
    decoder.finish().unwrap();
}

// A term and a vote, both `u64`, as a server saves them.
fn term_and_vote() -> Vec<u8> {
    let mut encoder = Encoder::new();
    encoder.encode_named("term", &7u64);
    encoder.encode_named("vote", &2u64);
    encoder.into_bytes()
}

#[test]
fn values_of_one_type_read_in_another_order() {
    let bytes = term_and_vote();
    let mut decoder = Decoder::new(&bytes);
    let error = decoder.decode_named::<u64>("vote").unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::WrongName);
    assert_eq!(
        error.to_string(),
        "cannot decode value 1, `vote`, as `u64`: the value is named `term` and read as `vote`: \
         it was renamed, or it is read in another order than written (byte 0)"
    );
    // The decoder stands where it stood.
    assert_eq!(decoder.decode_named::<u64>("term").unwrap(), 7);
    assert_eq!(
        decoder.clone().finish().unwrap_err().to_string(),
        "cannot decode: 14 bytes left over; they look like `vote`, `u64` (byte 14)"
    );
    assert_eq!(
        decoder.decode_named::<u32>("vote").unwrap_err().to_string(),
        "cannot decode value 2, `vote`, as `u32`: the bytes hold `u64`; \
         or it is read in another order than written (byte 14)"
    );
    assert_eq!(decoder.decode_named::<u64>("vote").unwrap(), 2);
    assert_eq!(
        decoder.decode_named::<u64>("log").unwrap_err().to_string(),
        "cannot decode value 3, `log`, as `u64`: no value is left to be read (byte 28)"
    );
    decoder.finish().unwrap();
}

#[test]
fn a_name_on_one_side_only() {
    let bytes = term_and_vote();
    let error = Decoder::new(&bytes).decode::<u64>().unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::WrongName);
    assert_eq!(
        error.to_string(),
        "cannot decode value 1 as `u64`: the value has a name, `term`, and is read without one: \
         use `Decoder::decode_named`, or it is read in another order than written (byte 0)"
    );
    let error = decode::<u64>(&bytes).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::WrongName);

    let bytes = encode(&7u64);
    let error = Decoder::new(&bytes).decode_named::<u64>("term").unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::WrongName);
    assert_eq!(
        error.to_string(),
        "cannot decode value 1, `term`, as `u64`: the value has no name and is read as `term`: \
         use `Decoder::decode`, or write it with `Encoder::encode_named`, \
         or it is read in another order than written (byte 0)"
    );
}

#[test]
fn names_that_are_too_long_or_cut_off() {
    let mut encoder = Encoder::new();
    encoder.encode_named("term", &7u64);
    let before = encoder.len();
    assert_eq!(
        encoder.try_encode_named(&"n".repeat(256), &7u64).unwrap_err().to_string(),
        "cannot encode `u64`: its name has 256 bytes, and the most is 255"
    );
    assert_eq!(encoder.len(), before, "nothing is left of it");

    let bytes = term_and_vote();
    for cut in 0..14 {
        let error = Decoder::new(&bytes[..cut]).decode_named::<u64>("term").unwrap_err();
        assert!(error.position() <= cut, "{error}");
        let kind = if cut == 0 { DecodeErrorKind::NoValue } else { DecodeErrorKind::Truncated };
        assert_eq!(error.kind(), kind, "{error}");
    }
    // A name from elsewhere is shown as it is, but for what would disturb a terminal.
    let forged = [b"GOB=\x03\x1b[\xff", &encode(&7u64)[..]].concat();
    let error = Decoder::new(&forged).decode_named::<u64>("term").unwrap_err();
    assert!(error.to_string().contains("is named `\\u{1b}[\u{fffd}`"), "{error}");
}

#[test]
fn names_of_a_forged_description_disturb_no_terminal() {
    let mut bytes = encode_described(&now::Vote { term: 1, candidate: 2 });
    let at = bytes.windows(9).position(|name| name == b"candidate").expect("the field's name");
    bytes[at..at + 4].copy_from_slice(b"\x1b[2J");
    let texts = [
        decode::<u64>(&bytes).unwrap_err().to_string(),
        decode::<fewer::Vote>(&bytes).unwrap_err().to_string(),
        decode::<now::Vote>(&[encode(&now::Vote { term: 1, candidate: 2 }), bytes].concat())
            .unwrap_err()
            .to_string(),
    ];
    for text in texts {
        assert!(text.contains("\\u{1b}[2Jidate: u32 }`"), "{text}");
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}
