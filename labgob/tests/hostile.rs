//! Bytes from an enemy: never a panic, never an allocation out of proportion, never an endless
//! loop. In a test binary of its own, since a counting allocator serves all of it.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a time limit on hostile input is wall time"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use allocation_counter::measure;
use bytes::Bytes;
use labgob::{
    DecodeError, DecodeErrorKind, Decoder, Deserialize, Gob, Serialize, decode, encode,
    encode_described,
};
use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

#[derive(Serialize, Deserialize, Gob, Debug, PartialEq, Clone)]
#[serde(crate = "labgob::serde")]
struct Everything {
    small: (u8, i16, u32, i64, u128, bool, char, f64),
    text: String,
    bytes: Bytes,
    list: Vec<Item>,
    map: BTreeMap<String, Vec<u64>>,
    set: BTreeSet<u32>,
    array: [Option<u16>; 5],
    time: Duration,
    tree: Tree,
    unit: (),
}

#[derive(Serialize, Deserialize, Gob, Debug, PartialEq, Clone)]
#[serde(crate = "labgob::serde")]
enum Item {
    Empty,
    One(Box<Item2>),
    Many { left: Vec<Vec<Vec<u64>>>, right: Result<String, u64> },
}

#[derive(Serialize, Deserialize, Gob, Debug, PartialEq, Clone)]
#[serde(crate = "labgob::serde")]
struct Item2(String, Option<Bytes>);

#[derive(Serialize, Deserialize, Gob, Debug, PartialEq, Clone)]
#[serde(crate = "labgob::serde")]
struct Tree {
    name: String,
    #[gob(recursive)]
    children: Vec<Tree>,
}

fn everything() -> Everything {
    let tree = |name: &str, children| Tree { name: name.into(), children };
    Everything {
        small: (200, -300, 70_000, -5_000_000_000, u128::MAX, true, 'ß', 0.5),
        text: "some text".into(),
        bytes: Bytes::from(vec![7; 300]),
        list: vec![
            Item::Empty,
            Item::One(Box::new(Item2("x".into(), Some(Bytes::from_static(b"yz"))))),
            Item::Many { left: vec![vec![vec![1, 2], vec![]], vec![]], right: Err(9) },
        ],
        map: BTreeMap::from([("a".into(), vec![1, 300]), ("b".into(), vec![])]),
        set: BTreeSet::from([1, 2, 70_000]),
        array: [None, Some(1), None, Some(60_000), None],
        time: Duration::from_millis(1_500),
        tree: tree("root", vec![tree("left", vec![]), tree("right", vec![tree("leaf", vec![])])]),
        unit: (),
    }
}

/// Decodes within bounds, whatever comes out.
#[track_caller]
fn decode_bounded<T: Gob>(bytes: &[u8]) -> Result<T, labgob::DecodeError> {
    let mut result = None;
    let used = measure(|| result = Some(decode::<T>(bytes)));
    // An element of one byte becomes at most some 100 bytes of memory (an `Item`), and lists grow
    // by doubling. The rest is for error texts.
    let limit = 400 * bytes.len() as u64 + 40_000;
    assert!(used.bytes_max <= limit, "{} bytes allocated for {}", used.bytes_max, bytes.len());
    result.unwrap()
}

fn mutate(bytes: &mut Vec<u8>, rng: &mut Xoshiro256PlusPlus) {
    // Mostly behind the fingerprint: a wrong one ends all trials at once.
    let at = if rng.random_bool(0.02) { 0 } else { rng.random_range(4..bytes.len()) };
    match rng.random_range(0..7) {
        0 => bytes[at] ^= 1 << rng.random_range(0..8),
        1 => bytes[at] = rng.random(),
        2 => bytes.truncate(at),
        3 => bytes.insert(at, rng.random()),
        4 => drop(bytes.remove(at)),
        // The marks of bincode's longer integers: absurd lengths.
        5 => {
            let mark = rng.random_range(251..=254);
            let mut wide = [0; 9];
            rng.fill_bytes(&mut wide);
            wide[0] = mark;
            bytes.splice(at..at, wide);
        }
        _ => {
            let from = rng.random_range(0..bytes.len());
            let part = bytes[from.min(at)..from.max(at)].to_vec();
            bytes.splice(at..at, part);
        }
    }
}

/// Nothing in the words of an error is endless, or disturbs a terminal.
fn check_words(error: &DecodeError) {
    let words = error.to_string();
    assert!(words.len() < 20_000 && !words.contains(char::is_control), "{words:?}");
}

fn fuzz<T: Gob>(valid: &[u8], trials: u32, seed: u64) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let (mut whole, mut broken) = (0, 0);
    for _ in 0..trials {
        let mut bytes = valid.to_vec();
        for _ in 0..rng.random_range(1..=4) {
            if bytes.len() > 4 {
                mutate(&mut bytes, &mut rng);
            }
        }
        match decode_bounded::<T>(&bytes) {
            Ok(value) => {
                // What was accepted is the one encoding of its value.
                let encode = if bytes.starts_with(b"GOB+") { encode_described } else { encode };
                assert_eq!(encode(&value), bytes);
                whole += 1;
            }
            Err(error) => {
                assert!(error.position() <= bytes.len());
                check_words(&error);
                broken += 1;
            }
        }
        let mut decoder = Decoder::new(&bytes);
        let _ = decoder.decode::<T>();
        let _ = decoder.finish();
    }
    assert!(whole > 0 && broken > 0, "the mutations are too weak or too strong");
}

#[test]
fn mutated_encodings() {
    let value = everything();
    let bytes = encode(&value);
    assert_eq!(decode::<Everything>(&bytes).unwrap(), value);
    fuzz::<Everything>(&bytes, 40_000, 1);
}

#[test]
fn mutated_descriptions() {
    fuzz::<Everything>(&encode_described(&everything()), 10_000, 2);
    // Against another type, whose error describes what the bytes claim to be.
    let valid = encode_described(&everything());
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    for _ in 0..10_000 {
        let mut bytes = valid.clone();
        mutate(&mut bytes, &mut rng);
        check_words(&decode_bounded::<Item>(&bytes).unwrap_err());
    }
}

#[test]
fn random_bytes() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
    for _ in 0..20_000 {
        let mut bytes = Everything::fingerprint().to_le_bytes().to_vec();
        bytes.resize(rng.random_range(4..200), 0);
        rng.fill_bytes(&mut bytes[4..]);
        let _ = decode_bounded::<Everything>(&bytes);
        let _ = decode_bounded::<Vec<Tree>>(&bytes);
    }
}

/// The fingerprint of `T`, then these bytes.
fn forged<T: Gob>(body: &[u8]) -> Vec<u8> {
    [&T::fingerprint().to_le_bytes(), body].concat()
}

/// 2^60, as bincode writes it.
const HUGE: [u8; 9] = [253, 0, 0, 0, 0, 0, 0, 0, 16];

#[test]
fn absurd_lengths() {
    let text = "the length 1152921504606846976 is more than the number of bytes left, 0";
    let error = decode_bounded::<Vec<u64>>(&forged::<Vec<u64>>(&HUGE)).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot decode as `Vec<u64>`: {text} (byte 13)"));
    assert_eq!(error.kind(), DecodeErrorKind::Length);
    let error = decode_bounded::<BTreeMap<u8, ()>>(&forged::<BTreeMap<u8, ()>>(&HUGE)).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::Length);

    let text = "the input ends at least 1152921504606846976 bytes too early";
    let error = decode_bounded::<String>(&forged::<String>(&HUGE)).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot decode as `String`: {text} (byte 13)"));
    let error = decode_bounded::<Bytes>(&forged::<Bytes>(&HUGE)).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot decode as `Bytes`: {text} (byte 13)"));
}

// Each list claims as much as could be, at each level, and has nothing.
#[test]
fn nested_lists_that_claim_all_the_rest() {
    for len in [100, 1_000, 60_000u16] {
        let mut body = Vec::new();
        while body.len() < len as usize {
            let left = len - body.len() as u16;
            body.extend([251, left as u8, (left >> 8) as u8]);
        }
        body.truncate(len as usize);
        let _ = decode_bounded::<Vec<Vec<Vec<u64>>>>(&forged::<Vec<Vec<Vec<u64>>>>(&body));
        let _ = decode_bounded::<Vec<Item>>(&forged::<Vec<Item>>(&body));
        let _ = decode_bounded::<Vec<Tree>>(&forged::<Vec<Tree>>(&body));
    }
}

#[test]
fn values_that_mean_nothing() {
    #[track_caller]
    fn fails<T: Gob>(body: &[u8], text: &str) {
        let error = decode_bounded::<T>(&forged::<T>(body)).err().expect(text);
        assert_eq!(error.kind(), DecodeErrorKind::Invalid);
        assert!(error.to_string().contains(text), "{error}");
    }
    fails::<bool>(&[2], "the byte 2 is neither false nor true");
    fails::<(u8, Option<u8>)>(&[1, 7], "field `1`: the byte 7 is neither None nor Some");
    fails::<char>(&[0xff], "not a character");
    fails::<String>(&[1, 0xff], "the text is not UTF-8");
    fails::<Item>(&[3], "there is no variant 3, counted from 0, in `Empty`, `One`, `Many`");
    fails::<u16>(&[253, 0, 0, 0, 0, 0, 0, 0, 1], "a U64 stands where a U16 should");
    fails::<Duration>(
        &[253, 255, 255, 255, 255, 255, 255, 255, 255, 252, 255, 255, 255, 255],
        "overflow",
    );
}

// A value has one encoding. Each of these would be read as a value that has another one.
#[test]
fn other_encodings_of_a_value() {
    #[track_caller]
    fn refused<T: Gob>(body: &[u8], text: &str) {
        let error = decode_bounded::<T>(&forged::<T>(body)).err().expect(text);
        assert_eq!(error.kind(), DecodeErrorKind::Invalid, "{error}");
        assert!(error.to_string().ends_with(text), "{error}");
        // Also when everything has been met, and in a stream.
        let mut decoder_bytes = forged::<T>(body);
        decoder_bytes.extend(encode(&7u8));
        for _ in 0..100 {
            let error = Decoder::new(&decoder_bytes).decode::<T>().err().expect(text);
            assert_eq!(error.kind(), DecodeErrorKind::Invalid, "{error}");
        }
    }
    let padded = "a number takes more bytes than it needs (byte 7)";
    refused::<u16>(&[251, 250, 0], padded);
    refused::<u64>(&[251, 0, 0], padded);
    refused::<i64>(&[251, 4, 0], padded);
    refused::<String>(&[251, 1, 0, b'x'], "more bytes than it needs (byte 8)");
    refused::<Bytes>(&[251, 0, 0], padded);
    refused::<Vec<u8>>(&[251, 0, 0], "more bytes than it needs (byte 7)");
    refused::<Choice>(&[251, 1, 0], padded);
    refused::<u32>(&[252, 255, 255, 0, 0], "more bytes than it needs (byte 9)");
    refused::<i32>(&[252, 255, 255, 0, 0], "more bytes than it needs (byte 9)");
    let mut wide = [253, 255, 255, 255, 255, 0, 0, 0, 0].to_vec();
    refused::<u64>(&wide, "more bytes than it needs (byte 13)");
    refused::<i64>(&wide, "more bytes than it needs (byte 13)");
    wide[0] = 254;
    wide.resize(17, 0);
    refused::<u128>(&wide, "more bytes than it needs (byte 21)");
    refused::<i128>(&wide, "more bytes than it needs (byte 21)");
    for body in [&[251, 251, 0][..], &[251, 255, 255], &[252, 0, 0, 1, 0]] {
        assert_eq!(encode(&decode::<u64>(&forged::<u64>(body)).unwrap())[4..], *body);
    }

    let (twice, unordered) =
        ("a key or an element is there twice", "keys or elements are not in their order");
    refused::<BTreeSet<u8>>(&[2, 7, 7], &format!("{twice} (byte 4)"));
    refused::<BTreeSet<u8>>(&[2, 7, 6], &format!("field `[0]`: {unordered} (byte 5)"));
    refused::<BTreeMap<u8, u8>>(&[2, 7, 1, 7, 1], &format!("{twice} (byte 4)"));
    refused::<BTreeMap<u8, u8>>(&[2, 7, 1, 7, 2], &format!("{twice} (byte 4)"));
    let text = format!("field `[key 0]`: {unordered} (byte 5)");
    refused::<BTreeMap<u8, u8>>(&[2, 7, 1, 6, 2], &text);
    let text = format!("field `1[key 1]`: {unordered} (byte 8)");
    refused::<(u8, BTreeMap<u8, u8>)>(&[9, 3, 1, 0, 7, 1, 6, 2], &text);
    let text = format!("field `[1].0`: {twice} (byte 7)");
    refused::<Vec<(BTreeSet<u8>, bool)>>(&[2, 0, 0, 2, 5, 5, 1], &text);
    let text = format!("field `left`: {twice} (byte 4)");
    refused::<Sets>(&[2, 7, 7, 0], &text);
    refused::<Votes>(&[2, 7, 7], &format!("{twice} (byte 4)"));
    let second = "the nanoseconds are a second or more";
    let body = [&[5, 252][..], &1_000_000_000u32.to_le_bytes()].concat();
    refused::<Duration>(&body, &format!("field `secs`: {second} (byte 4)"));
    refused::<(u8, Duration)>(&[&[1], &body[..]].concat(), &format!("`1.secs`: {second} (byte 5)"));
    refused::<Option<bool>>(&[2, 0], "the byte 2 is neither None nor Some (byte 5)");
    refused::<Option<bool>>(&[1, 255], "the byte 255 is neither false nor true (byte 6)");
    refused::<char>(&[0xc1, 0x81], "not a character (byte 5)");
}

#[derive(Serialize, Deserialize, Gob, Debug, PartialEq, Clone)]
#[serde(crate = "labgob::serde")]
enum Choice {
    First,
    Second,
}

#[derive(Serialize, Deserialize, Gob, Debug, PartialEq, Clone)]
#[serde(crate = "labgob::serde", transparent)]
struct Votes(BTreeSet<u8>);

/// Leads back to itself, so that the compiler does not know of the sets.
#[derive(Serialize, Deserialize, Gob, Debug, PartialEq, Clone)]
#[serde(crate = "labgob::serde")]
struct Sets {
    #[gob(recursive)]
    left: BTreeSet<u8>,
    #[gob(recursive)]
    right: Vec<Sets>,
}

// A description that is not the type's is no part of an encoding of a value.
#[test]
fn other_descriptions_of_a_type() {
    let bytes = encode_described(&vec![7u64]);
    let at = bytes.windows(3).position(|part| part == b"Vec").unwrap();
    let mut renamed = bytes.clone();
    renamed[at] = b'v';
    let error = decode_bounded::<Vec<u64>>(&renamed).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        "cannot decode as `Vec<u64>`: the embedded description is damaged: it is not that of the \
         type, although the fingerprint is (byte 0)"
    );
    assert_eq!(decode::<Vec<u64>>(&bytes).unwrap(), [7]);
}

// Any bytes that can be read are what is written for the value that was read.
#[test]
fn bytes_that_can_be_read_are_those_that_are_written() {
    fn check<T: Gob>(rng: &mut Xoshiro256PlusPlus) {
        let mut read = 0;
        for _ in 0..3_000 {
            let mut bytes = T::fingerprint().to_le_bytes().to_vec();
            for _ in 0..rng.random_range(0..24) {
                // Small numbers, and the marks of long ones, are what values are made of.
                bytes.push(match rng.random_range(0..4) {
                    0 => rng.random(),
                    1 => rng.random_range(250..=255),
                    _ => rng.random_range(0..4),
                });
            }
            if let Ok(value) = decode_bounded::<T>(&bytes) {
                assert_eq!(encode(&value), bytes);
                read += 1;
            }
        }
        assert!(read > 0, "{}", T::describe());
    }
    let rng = &mut Xoshiro256PlusPlus::seed_from_u64(5);
    check::<bool>(rng);
    check::<(u8, i8)>(rng);
    check::<(u16, i16)>(rng);
    check::<(u32, i32)>(rng);
    check::<(u64, i64)>(rng);
    check::<u128>(rng);
    check::<i128>(rng);
    check::<f32>(rng);
    check::<f64>(rng);
    check::<char>(rng);
    check::<String>(rng);
    check::<Bytes>(rng);
    check::<Duration>(rng);
    check::<Vec<u64>>(rng);
    check::<Vec<Option<i16>>>(rng);
    check::<BTreeSet<u16>>(rng);
    check::<BTreeSet<String>>(rng);
    check::<BTreeMap<u8, Vec<u8>>>(rng);
    check::<BTreeMap<(bool, char), Option<Choice>>>(rng);
    check::<[Option<u8>; 3]>(rng);
    check::<Result<Duration, BTreeSet<i8>>>(rng);
    check::<Choice>(rng);
    check::<Item>(rng);
    check::<Tree>(rng);
    check::<Sets>(rng);
}

// A description in which each type holds the next one many times would take for ever to write out.
#[test]
fn description_that_explodes() {
    let levels = 200u8;
    let mut description = vec![levels];
    for level in 0..levels {
        let next = (level + 1).min(levels - 1);
        // A tuple of twenty.
        description.extend([5, 20]);
        description.extend([next; 20]);
    }
    let mut bytes = b"GOB+".to_vec();
    bytes.extend((description.len() as u32).to_le_bytes());
    bytes.extend(description);
    bytes.extend(b"\x01\x02\x03\x04");
    let start = Instant::now();
    let error = decode_bounded::<((u8, u8), (u8, u8))>(&bytes).unwrap_err();
    assert!(error.to_string().contains("the bytes hold `((((((((("), "{error}");
    assert!(start.elapsed() < Duration::from_secs(1));
}

// A description of a type in a type in a type, compared with one that can follow it for ever.
#[test]
fn description_without_a_bottom() {
    let number = |n: u32| encode(&n)[4..].to_vec();
    let levels = 200_000;
    let string = 2 * levels;
    let mut description = number(2 * levels + 1);
    for level in 0..levels {
        let (list, next) = (2 * level + 1, 2 * level + 2);
        description.extend(b"\x01\x04Tree\x02\x04name");
        description.extend(number(string));
        description.extend(b"\x08children");
        description.extend(number(list));
        description.extend(b"\x03\x03Vec\x01");
        description.extend(number(next));
    }
    description.extend(b"\x00\x06String");
    let mut bytes = b"GOB+".to_vec();
    bytes.extend((description.len() as u32).to_le_bytes());
    bytes.extend(description);
    bytes.extend(b"\x01\x02\x03\x04");
    let error = decode_bounded::<Tree>(&bytes).unwrap_err();
    let text = "the bytes hold `Tree { name: String, children: Vec<Tree> }`";
    assert!(error.to_string().contains(text), "{error}");
}
