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
    DecodeErrorKind, Decoder, Deserialize, Gob, Serialize, decode, encode, encode_described,
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
                // What was accepted is a value like any other.
                decode::<T>(&encode(&value)).expect("an accepted value survives a round trip");
                whole += 1;
            }
            Err(error) => {
                assert!(error.position() <= bytes.len());
                assert!(error.to_string().len() < 20_000);
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
        let error = decode_bounded::<Item>(&bytes).unwrap_err();
        assert!(error.to_string().len() < 20_000);
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
