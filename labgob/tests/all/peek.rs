//! Looking into values without their types: `Peek` and `View`.

use std::collections::BTreeMap;

use labgob::{Deserialize, Gob, Peek, Serialize, View, encode};

#[derive(Serialize, Deserialize, Gob)]
struct Entry {
    term: u64,
    command: Vec<u8>,
}

#[derive(Serialize, Deserialize, Gob)]
#[serde(transparent)]
struct Index(u64);

#[derive(Serialize, Deserialize, Gob)]
struct Args {
    kind: Result<u8, String>,
    prev: Option<Index>,
    entries: Vec<Entry>,
    done: bool,
}

fn args() -> Args {
    let entry = |term, command: &str| Entry { term, command: command.into() };
    let entries = vec![entry(1, "a"), entry(300, ""), entry(1, "a")];
    Args { kind: Err("no".into()), prev: Some(Index(9)), entries, done: true }
}

fn field<'a>(of: &Peek<'a>, name: &str) -> Option<Peek<'a>> {
    of.fields().find(|(field, _)| *field == name).map(|(_, peek)| peek)
}

#[test]
fn parts_are_found_where_they_lie() {
    let bytes = labgob::encode(&args());
    let args = Peek::of::<Args>(&bytes).unwrap();
    assert_eq!(field(&args, "done").unwrap().bool(), Some(true));
    let entries: Vec<Peek<'_>> = field(&args, "entries").unwrap().items().unwrap().collect();
    let terms: Vec<_> = entries.iter().map(|e| field(e, "term").unwrap().number()).collect();
    assert_eq!(terms, [Some(1), Some(300), Some(1)]);
    assert_eq!(entries[0].bytes(), entries[2].bytes());
    assert_ne!(entries[0].bytes(), entries[1].bytes());
    assert_eq!(field(&args, "nothing").map(|_| ()), None);
}

#[test]
fn an_option_has_one_element_or_none() {
    fn elements(value: Option<u64>) -> Vec<Option<u64>> {
        let bytes = labgob::encode(&value);
        let items = Peek::of::<Option<u64>>(&bytes).unwrap().items().unwrap();
        items.map(|item| item.number()).collect()
    }
    assert_eq!(elements(Some(300)), [Some(300)]);
    assert_eq!(elements(None), []);
    let mut broken = labgob::encode(&Some(7u64));
    broken[4] = 2;
    assert!(Peek::of::<Option<u64>>(&broken).unwrap().items().is_none());
}

#[test]
fn a_view_shows_it_all() {
    let bytes = labgob::encode(&args());
    let view = Peek::of::<Args>(&bytes).unwrap().view().unwrap();
    let expected = "{kind: Err no, prev: 9, entries: [{term: 1, command: a}, \
                    {term: 300, command: }, {term: 1, command: a}], done: true}";
    assert_eq!(view.to_string(), expected);
}

#[test]
fn numbers_of_every_width_are_read() {
    fn number<T: Gob>(value: T) -> Option<u64> {
        Peek::of::<T>(&labgob::encode(&value))?.number()
    }
    assert_eq!(number(200u8), Some(200));
    assert_eq!(number(60_000u16), Some(60_000));
    assert_eq!(number(70_000u32), Some(70_000));
    assert_eq!(number(u64::MAX), Some(u64::MAX));
    assert_eq!(number(u128::MAX), None);
    assert_eq!(number(1u128 << 63), Some(1 << 63));
    assert_eq!((number(100i8), number(-1i8)), (Some(100), None));
    assert_eq!((number(30_000i16), number(-1i16)), (Some(30_000), None));
    assert_eq!((number(70_000i32), number(-1i32)), (Some(70_000), None));
    assert_eq!((number(i64::MAX), number(-1i64)), (Some(i64::MAX as u64), None));
    assert_eq!((number(1i128 << 62), number(-1i128)), (Some(1 << 62), None));
    assert_eq!((number(-1i8), number(5i8)), (None, Some(5)));
    assert_eq!((number(-1i64), number(1_000_000i64)), (None, Some(1_000_000)));
    assert_eq!(number(7usize), Some(7));
    assert_eq!(number(true), None);
}

#[test]
fn broken_bytes_have_no_parts_and_cost_nothing() {
    let bytes = labgob::encode(&args());
    for end in 0..bytes.len() {
        if let Some(part) = Peek::of::<Args>(&bytes[..end]) {
            assert!(part.view().is_none());
            assert!(part.fields().count() < 4);
        }
    }
    for at in 4..bytes.len() {
        for byte in [0, 1, 250, 251, 252, 253, 255] {
            let mut broken = bytes.clone();
            broken[at] = byte;
            let peek = Peek::of::<Args>(&broken).unwrap();
            let _ = (peek.view(), peek.fields().count());
            let _ = field(&peek, "entries").and_then(|e| Some(e.items()?.count()));
        }
    }
    assert!(Peek::of::<Entry>(&bytes).is_none(), "another type");
}

#[derive(Serialize, Deserialize, Gob)]
enum Kind {
    Plain,
    One(u16),
    Two(u8, u8),
    Named { a: i32 },
}

#[derive(Serialize, Deserialize, Gob)]
struct All {
    kinds: Vec<Kind>,
    text: String,
    raw: Vec<u8>,
    numbers: Vec<u64>,
    nobody: Option<u8>,
    somebody: Option<u8>,
    map: BTreeMap<u8, bool>,
    large: u128,
    unit: (),
    pair: (char, f32),
    array: [i8; 2],
}

fn all() -> All {
    All {
        kinds: vec![Kind::Plain, Kind::One(700), Kind::Two(104, 105), Kind::Named { a: -1 }],
        text: "x".into(),
        raw: vec![0, 255],
        numbers: vec![1, 2],
        nobody: None,
        somebody: Some(3),
        map: BTreeMap::from([(1, true)]),
        large: u128::MAX,
        unit: (),
        pair: ('y', 0.5),
        array: [-2, 2],
    }
}

#[test]
fn every_kind_of_value_shows() {
    assert_eq!(
        View::of(&all()).to_string(),
        "{kinds: [Plain, One 700, Two [104, 105], Named {a: -1}], text: x, raw: 0x00ff, \
         numbers: [1, 2], nobody: none, somebody: 3, map: {1: true}, \
         large: 340282366920938463463374607431768211455, unit: none, pair: [y, 0.5], \
         array: [-2, 2]}"
    );
}

#[test]
fn fields_are_found_by_name() {
    let view = View::of(&all());
    assert_eq!(view.field("somebody").and_then(View::number), Some(3));
    assert_eq!(view.field("large").and_then(View::number), None);
    assert_eq!(view.field("other"), None);
}

#[test]
fn only_bytes_are_bytes_and_only_text_is_text() {
    assert_eq!(View::of(&b"hi".to_vec()), View::Bytes(b"hi".to_vec()));
    assert_eq!(View::of(&vec![104u16, 105]).to_string(), "[104, 105]");
    assert_eq!(View::of(&Vec::<u8>::new()), View::Bytes(Vec::new()));
    assert_eq!(View::of(&b"a\nb".to_vec()).to_string(), "0x610a62");
    assert_eq!(View::of(&"\u{1b}[2J, ß\n'\"".to_string()).to_string(), "\\u{1b}[2J, ß\\n'\"");
}

/// The encoding of a value with another number, without the fingerprint.
fn renumbered<T: Gob>(value: &T, number: u64) -> Option<Vec<u8>> {
    let bytes = encode(value);
    Peek::of::<T>(&bytes).expect("it is one").renumbered(number)
}

#[test]
fn a_number_takes_the_place_of_another_one() {
    #[derive(Serialize, Deserialize, Gob)]
    struct Term(u64);

    #[derive(Serialize, Deserialize, Gob)]
    struct Index {
        index: i16,
    }

    let inside = |bytes: Vec<u8>| Some(bytes[4..].to_vec());
    assert_eq!(renumbered(&7u8, 255), inside(encode(&255u8)));
    assert_eq!(renumbered(&7u64, u64::MAX), inside(encode(&u64::MAX)));
    assert_eq!(renumbered(&-7i32, 70_000), inside(encode(&70_000i32)));
    assert_eq!(renumbered(&7u16, 65_535), inside(encode(&65_535u16)));
    assert_eq!(renumbered(&7u128, 1 << 63), inside(encode(&(1u128 << 63))));
    assert_eq!(renumbered(&7i8, 127), inside(encode(&127i8)));
    assert_eq!(renumbered(&-7i64, 1 << 62), inside(encode(&(1i64 << 62))));
    assert_eq!(renumbered(&7i128, 1 << 63), inside(encode(&(1i128 << 63))));
    assert_eq!(renumbered(&Term(1), 251), inside(encode(&Term(251))));
    assert_eq!(renumbered(&Index { index: 3 }, 4), inside(encode(&Index { index: 4 })));
    assert_eq!(renumbered(&None::<u32>, 1_000), inside(encode(&Some(1_000u32))));
    // What does not fit, or is no number.
    assert_eq!(renumbered(&7u8, 256), None);
    assert_eq!(renumbered(&7i64, u64::MAX), None);
    assert_eq!(renumbered(&true, 1), None);
    assert_eq!(renumbered(&(1u8, 2u8), 1), None);
}

#[test]
fn a_truth_value_is_read_as_it_is() {
    let bool = |value: bool| Peek::of::<bool>(&encode(&value)).expect("it is one").bool();
    assert_eq!((bool(false), bool(true)), (Some(false), Some(true)));
    assert_eq!(Peek::of::<u8>(&encode(&1u8)).expect("it is one").bool(), None);
}

#[test]
fn a_shape_will_do_where_the_type_is_not_known() {
    let bytes = encode(&args());
    let of_shape = Peek::of_shape(Args::SHAPE, &bytes).expect("it is one");
    assert_eq!(of_shape.bytes(), Peek::of::<Args>(&bytes).expect("it is one").bytes());
    assert!(Peek::of_shape(Entry::SHAPE, &bytes).is_none(), "it begins with another fingerprint");
}

#[test]
fn parts_behind_nothing_and_behind_long_lists_are_found() {
    #[derive(Serialize, Deserialize, Gob)]
    struct Parts {
        nobody: Option<u64>,
        bytes: Vec<u8>,
        numbers: Vec<u16>,
        last: u8,
    }

    // A count of more than 250 takes several bytes.
    for long in [0, 1, 250, 251, 300, 70_000] {
        let numbers: Vec<u16> = (0..long).map(|n| n as u16).collect();
        let value = Parts { nobody: None, bytes: vec![7; long], numbers, last: 9 };
        let bytes = encode(&value);
        let parts = Peek::of::<Parts>(&bytes).expect("it is one");
        assert_eq!(field(&parts, "last").and_then(|last| last.number()), Some(9), "{long}");
        let numbers = field(&parts, "numbers").expect("it has some");
        assert_eq!(numbers.items().expect("a list").count(), long);
    }
}

#[test]
fn what_has_no_fields_shows_as_nothing() {
    #[derive(Serialize, Deserialize, Gob)]
    struct Empty {}

    #[derive(Serialize, Deserialize, Gob)]
    struct Unit;

    assert_eq!((View::of(&Empty {}), View::of(&Unit)), (View::Nothing, View::Nothing));
}

#[test]
fn a_view_is_written_as_json() {
    #[derive(Serialize, Deserialize, Gob)]
    struct Maps {
        by_name: BTreeMap<String, u8>,
        by_number: BTreeMap<u8, Option<u8>>,
    }

    let by_name = BTreeMap::from([("a b".to_string(), 1), ("c".to_string(), 2)]);
    let maps = Maps { by_name, by_number: BTreeMap::from([(7, Some(1)), (8, None)]) };
    assert_eq!(
        serde_json::to_string(&View::of(&maps)).expect("it can be written"),
        r#"{"by_name":{"a b":1,"c":2},"by_number":{"7":1,"8":null}}"#
    );
}

/// Has itself inside, and no number anywhere.
#[derive(Serialize, Deserialize, Gob)]
struct Chain(#[gob(recursive)] Option<Box<Chain>>);

#[test]
fn a_type_without_end_has_no_number_to_replace() {
    let bytes = labgob::encode(&Chain(None));
    let chain = Peek::of::<Chain>(&bytes).expect("it is one");
    assert_eq!(chain.renumbered(7), None);
}

#[derive(Serialize, Deserialize, Gob)]
struct Node {
    number: u32,
    #[gob(recursive)]
    next: Option<Wrap>,
}

/// Serde shows nothing of it.
#[derive(Serialize, Deserialize, Gob)]
#[serde(transparent)]
struct Wrap(Box<Node>);

#[test]
fn all_that_can_be_written_can_be_shown() {
    let mut node = Node { number: 0, next: None };
    let mut number = 0;
    while let Ok(bytes) = labgob::try_encode(&node) {
        let peek = Peek::of::<Node>(&bytes).expect("it is one");
        let view = peek.view().unwrap_or_else(|| panic!("no view of {number} nodes"));
        assert_eq!(view.field("number").map(ToString::to_string), Some(number.to_string()));
        assert_eq!(peek.fields().count(), 2, "it can be passed over");
        number += 1;
        node = Node { number, next: Some(Wrap(Box::new(node))) };
    }
    assert!(number > 60, "{number} levels");
}
