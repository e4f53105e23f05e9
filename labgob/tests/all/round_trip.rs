//! Every supported type survives a round trip.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::time::Duration;

use bytes::Bytes;
use labgob::{Decoder, Deserialize, Encoder, Gob, Serialize, decode, encode, encode_described};

#[track_caller]
fn survives<T: Gob + PartialEq + Debug>(value: T) {
    let bytes = encode(&value);
    assert!(bytes.len() >= 4 + T::MIN_BYTES, "MIN_BYTES is no lower bound");
    assert_eq!(decode::<T>(&bytes).unwrap(), value);
    assert_eq!(decode::<T>(&encode_described(&value)).unwrap(), value);
    assert_eq!(bytes, encode(&value), "equal values encode equally");
}

#[test]
fn integers_of_all_widths() {
    macro_rules! check {
        ($($ty:ty)*) => {$(
            for value in [<$ty>::MIN, 0, 1, 17, 100, <$ty>::MAX / 3, <$ty>::MAX] {
                survives::<$ty>(value);
                survives::<Vec<$ty>>(vec![value; 3]);
            }
        )*};
    }
    check!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);
    for value in [250u64, 251, 252, 65_535, 65_536, 4_294_967_295, 4_294_967_296] {
        survives(value);
        survives(value as i64);
        survives(-(value as i64));
    }
}

#[test]
fn other_values_without_parts() {
    survives(true);
    survives(false);
    survives('a');
    survives('\u{10ffff}');
    survives(String::new());
    survives("größer, 大きい".to_string());
    survives(1.5f32);
    survives(f64::MIN_POSITIVE);
    survives(f64::NEG_INFINITY);
    assert!(decode::<f64>(&encode(&f64::NAN)).unwrap().is_nan());
    survives(());
    survives(Bytes::from_static(b"\0\xff"));
    survives(Duration::new(u64::MAX, 999_999_999));
    survives(PhantomData::<String>);
}

#[test]
fn boxes_of_text_and_of_many_are_what_is_in_them() {
    survives::<Box<str>>("größer".into());
    survives::<Box<[u32]>>([1, 2, 300].into());
    assert_eq!(encode(&Box::<str>::from("a")), encode(&"a".to_string()));
    assert_eq!(decode::<Box<[u8]>>(&encode(&vec![1u8, 2])).unwrap(), [1, 2].into());
}

#[test]
fn containers() {
    survives(Vec::<u64>::new());
    survives(VecDeque::from([1u8, 2]));
    survives(BTreeSet::from(["b".to_string(), "a".to_string()]));
    survives(BTreeMap::from([(2u32, "two".to_string()), (1, "one".to_string())]));
    survives(Some(Some(3u8)));
    survives(Some(None::<u8>));
    survives(Ok::<u8, String>(1));
    survives(Err::<u8, String>("no".into()));
    survives(Box::new(7u64));
    survives((1u8,));
    survives((1u8, 2u16, 3u32, 4u64, 5i8, 6i16, 7i32, "8".to_string()));
    survives([[1u16; 3]; 32]);
    survives([0u8; 0]);
    survives([(); 4]);
}

/// Of something that is not encoded itself.
trait Machine: 'static {
    type Request: Gob + PartialEq + Debug;
}

struct Store;

impl Machine for Store {
    type Request = Command;
}

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde", bound = "")]
#[gob(bound = "")]
struct Entry<M: Machine> {
    term: u64,
    request: M::Request,
}

#[derive(Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde", bound = "M: Machine, T: Gob")]
#[gob(bound = "M: Machine, T: Gob")]
enum Answer<M: Machine, T> {
    Done(M::Request, T),
    None,
}

#[derive(Serialize, Deserialize, Gob, Debug, PartialEq)]
#[serde(crate = "labgob::serde")]
#[gob(bound = "Of: 'static")]
struct Id<Of> {
    number: u64,
    of: PhantomData<Of>,
}

#[test]
fn parameters_that_are_not_encoded_themselves_may_have_other_bounds() {
    let entry = Entry::<Store> { term: 7, request: Command::Put("k".into(), vec![1]) };
    let decoded: Entry<Store> = decode(&encode(&entry)).unwrap();
    assert_eq!((decoded.term, &decoded.request), (entry.term, &entry.request));
    let decoded = decode(&encode(&Answer::<Store, u8>::Done(Command::Noop, 9))).unwrap();
    assert!(matches!(decoded, Answer::<Store, u8>::Done(Command::Noop, 9)));
    assert!(matches!(decode(&encode(&Answer::<Store, u8>::None)), Ok(Answer::<Store, u8>::None)));
    let id = decode::<Id<Store>>(&encode(&Id::<Store> { number: 3, of: PhantomData })).unwrap();
    assert_eq!(id.number, 3);
    // The bounds change nothing else.
    #[derive(Serialize, Deserialize, Gob)]
    #[serde(crate = "labgob::serde")]
    struct Entry2 {
        term: u64,
        request: Command,
    }
    let plain = encode(&Entry2 { term: 7, request: Command::Put("k".into(), vec![1]) });
    assert_eq!(encode(&entry)[4..], plain[4..]);
}

#[derive(Serialize, Deserialize, Gob, Debug, PartialEq, Clone)]
#[serde(crate = "labgob::serde")]
enum Command {
    Noop,
    Put(String, Vec<u8>),
    Move { from: Place, to: Option<Place> },
    Wrapped(Box<Place>),
}

// As in a crate that depends on serde itself.
#[derive(Serialize, Deserialize, Gob, Debug, PartialEq, Clone)]
struct Place(i32, i32);

#[derive(Serialize, Deserialize, Gob, Debug, PartialEq, Clone)]
#[serde(crate = "labgob::serde")]
struct Unit;

#[derive(Serialize, Deserialize, Gob, Debug, PartialEq, Clone)]
#[serde(crate = "labgob::serde", transparent)]
struct Term {
    value: u64,
}

#[derive(Serialize, Deserialize, Gob, Debug, PartialEq, Clone)]
#[serde(crate = "labgob::serde", rename_all = "camelCase", deny_unknown_fields)]
struct State<C> {
    current_term: Term,
    r#type: Unit,
    log: Vec<(Term, C)>,
    #[serde(rename = "peers")]
    next_index: [u32; 3],
    empty: PhantomData<C>,
    seen: BTreeMap<String, BTreeSet<u8>>,
}

#[derive(Serialize, Deserialize, Gob, Debug, PartialEq, Clone)]
#[serde(crate = "labgob::serde")]
struct Tree<T> {
    value: T,
    #[gob(recursive)]
    children: Vec<Tree<T>>,
    #[gob(recursive)]
    next: Option<Box<Self>>,
}

#[derive(Serialize, Deserialize, Gob, Debug, PartialEq, Clone)]
#[serde(crate = "labgob::serde")]
enum Sum {
    Number(i64),
    Plus(#[gob(recursive)] Box<Sum>, #[gob(recursive)] Box<Sum>),
}

#[test]
fn nested_structs_and_enums() {
    let commands = [
        Command::Noop,
        Command::Put("key".into(), vec![1, 2, 255]),
        Command::Move { from: Place(-1, 2), to: Some(Place(3, i32::MIN)) },
        Command::Move { from: Place(0, 0), to: None },
        Command::Wrapped(Box::new(Place(1, 1))),
    ];
    let term = Term { value: 3 };
    survives(State {
        current_term: term.clone(),
        r#type: Unit,
        log: commands.into_iter().map(|command| (term.clone(), command)).collect(),
        next_index: [1, 2, 3],
        empty: PhantomData,
        seen: BTreeMap::from([("a".into(), BTreeSet::from([1, 2]))]),
    });
}

#[test]
fn recursive_types() {
    let leaf = |value: u16| Tree { value, children: vec![], next: None };
    survives(Tree { value: 1, children: vec![leaf(2), leaf(3)], next: Some(Box::new(leaf(4))) });
    let one = || Box::new(Sum::Number(1));
    survives(Sum::Plus(one(), Box::new(Sum::Plus(one(), one()))));
}

#[test]
fn usize_travels_as_u64() {
    assert_eq!(decode::<u64>(&encode(&7usize)).unwrap(), 7);
}

#[test]
fn several_values_in_order() {
    let mut encoder = Encoder::new();
    assert!(encoder.is_empty());
    encoder.encode(&7u64);
    encoder.encode_described(&Some(Place(1, 2)));
    encoder.encode(&vec![Command::Noop]);
    assert!(!encoder.is_empty());
    let len = encoder.len();
    let bytes = encoder.into_bytes();
    assert_eq!(bytes.len(), len);

    let mut decoder = Decoder::new(&bytes);
    assert_eq!(decoder.decode::<u64>().unwrap(), 7);
    assert_eq!(decoder.position(), 5);
    assert_eq!(decoder.decode::<Option<Place>>().unwrap(), Some(Place(1, 2)));
    assert!(!decoder.is_empty());
    assert_eq!(decoder.decode::<Vec<Command>>().unwrap(), [Command::Noop]);
    assert!(decoder.is_empty());
    decoder.finish().unwrap();
}

#[test]
fn several_values_with_names() {
    let long = "n".repeat(255);
    let mut encoder = Encoder::new();
    encoder.encode_named("term", &7u64);
    encoder.encode_named_described("place", &Some(Place(1, 2)));
    encoder.encode(&true);
    encoder.encode_named("", &false);
    encoder.try_encode_named(&long, &'x').unwrap();
    let bytes = encoder.into_bytes();
    assert_eq!(bytes[..9], *b"GOB=\x04term");
    assert_eq!(bytes[9..14], encode(&7u64));

    let mut decoder = Decoder::new(&bytes);
    assert_eq!(decoder.decode_named::<u64>("term").unwrap(), 7);
    assert_eq!(decoder.position(), 14);
    assert_eq!(decoder.decode_named::<Option<Place>>("place").unwrap(), Some(Place(1, 2)));
    assert!(decoder.decode::<bool>().unwrap());
    assert!(!decoder.decode_named::<bool>("").unwrap());
    assert_eq!(decoder.decode_named::<char>(&long).unwrap(), 'x');
    decoder.finish().unwrap();
}

// The format must not change by accident: persisted state would become unreadable.
#[test]
fn the_wire_format_is_as_documented() {
    let bytes = encode(&Command::Move { from: Place(1, -2), to: None });
    assert_eq!(bytes[..4], Command::fingerprint().to_le_bytes());
    assert_eq!(bytes[4..], [2, 2, 3, 0]);
    assert_eq!(encode(&250u64)[4..], [250]);
    assert_eq!(encode(&251u64)[4..], [251, 251, 0]);
    assert_eq!(encode(&300u64)[4..], [251, 44, 1]);
    assert_eq!(encode(&-2i64)[4..], [3]);
    assert_eq!(encode(&255u8)[4..], [255]);
    assert_eq!(encode(&"ab".to_string())[4..], [2, b'a', b'b']);
    assert_eq!(u64::fingerprint(), 0xc7a1_a086);
    assert_eq!(Command::fingerprint(), 0x8503_c134);
}
