//! No bytes make a stack overflow, and what can be written can be read.
//!
//! On stacks of 1 MiB and of 2 MiB (as those of std's threads and of simulated tasks). Also without
//! optimisation, when frames are ten times as large:
//!
//! `CARGO_PROFILE_DEV_OPT_LEVEL=0 cargo test -p labgob --test depth`

#![allow(clippy::disallowed_methods, reason = "a thread whose stack has a size of the test's own")]

use std::array::from_fn;
use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::thread;

use labgob::serde::de::Deserializer;
use labgob::serde::ser::{SerializeStruct, Serializer};
use labgob::{DecodeErrorKind, Deserialize, EncodeError, Gob, Serialize, decode, try_encode};

/// 8 KiB.
type Large = [[u64; 32]; 32];

macro_rules! derived {
    ($($item:item)*) => {$(
        #[derive(Serialize, Deserialize, Gob)]
        #[serde(crate = "labgob::serde")]
        $item
    )*};
}

derived! {
    struct Chain {
        #[gob(recursive)]
        next: Option<Box<Chain>>,
    }
    struct LargeChain {
        data: Large,
        #[gob(recursive)]
        next: Option<Box<LargeChain>>,
    }
    struct LargeLast {
        #[gob(recursive)]
        next: Option<Box<LargeLast>>,
        data: Large,
    }
    struct LargeTree {
        data: Large,
        #[gob(recursive)]
        children: Vec<LargeTree>,
    }
    struct LargeMap {
        data: Large,
        #[gob(recursive)]
        children: BTreeMap<u8, LargeMap>,
    }
    // 1 KiB, so that the number of levels is that of small types.
    struct Middle {
        data: [[u64; 32]; 4],
        #[gob(recursive)]
        next: Option<Box<Middle>>,
    }
    // The large part is in a type in between.
    struct Outer {
        #[gob(recursive)]
        inner: Option<Box<Inner>>,
    }
    struct Inner {
        data: Large,
        outer: Outer,
    }
    struct InArray {
        data: [u64; 32],
        #[gob(recursive)]
        parts: [Option<Box<InArray>>; 3],
    }
    struct Huge {
        data: [Large; 3],
        #[gob(recursive)]
        next: Option<Box<Huge>>,
    }
    struct Rows {
        data: [[u64; 32]; 2],
        #[gob(recursive)]
        rows: Vec<[Rows; 32]>,
    }
    struct InTuple {
        #[gob(recursive)]
        parts: (Result<Box<InTuple>, Large>, u8),
    }
    // One level only for each variant inside the other, and much to do in each.
    enum Expression {
        Number(i64),
        Large([u64; 32]),
        Text(String, [u64; 32]),
        Not(#[gob(recursive)] Box<Expression>),
        Plus(#[gob(recursive)] Box<Expression>, #[gob(recursive)] Box<Expression>),
        If {
            condition: [u64; 16],
            #[gob(recursive)]
            then: Box<Expression>,
            #[gob(recursive)]
            other: Box<Expression>,
        },
        List(#[gob(recursive)] Vec<Expression>),
        Nothing,
    }
}

const LARGE: Large = [[0; 32]; 32];

/// How to put a value into another one of its type, or to make one with nothing in it.
trait Nest: Gob {
    /// What stands before the inner value.
    fn before() -> Vec<u8>;

    fn nest(inner: Option<Self>) -> Self;
}

macro_rules! nest {
    ($($ty:ty, $before:expr, $inner:ident => $outer:expr;)*) => {$(
        impl Nest for $ty {
            fn before() -> Vec<u8> {
                $before.to_vec()
            }

            fn nest($inner: Option<$ty>) -> $ty {
                $outer
            }
        }
    )*};
}

nest! {
    Chain, [1], inner => Chain { next: inner.map(Box::new) };
    LargeChain, [&[0; 1024][..], &[1]].concat(), inner => LargeChain { data: LARGE, next: inner.map(Box::new) };
    LargeLast, [1], inner => LargeLast { data: LARGE, next: inner.map(Box::new) };
    LargeTree, [&[0; 1024][..], &[1]].concat(), inner => LargeTree { data: LARGE, children: inner.into_iter().collect() };
    LargeMap, [&[0; 1024][..], &[1, 1]].concat(), inner => LargeMap { data: LARGE, children: inner.map(|inner| (1, inner)).into_iter().collect() };
    Middle, [&[0; 128][..], &[1]].concat(), inner => Middle { data: [[0; 32]; 4], next: inner.map(Box::new) };
    Outer, [&[1][..], &[0; 1024]].concat(), inner => Outer { inner: inner.map(|outer| Box::new(Inner { data: LARGE, outer })) };
    InArray, [&[0; 32][..], &[0, 1]].concat(), inner => InArray { data: [0; 32], parts: [None, inner.map(Box::new), None] };
    Huge, [&[0; 3072][..], &[1]].concat(), inner => Huge { data: [LARGE; 3], next: inner.map(Box::new) };
    Rows, [&[0; 64][..], &[1]].concat(), inner => Rows { data: [[0; 32]; 2], rows: inner.map(row).into_iter().collect() };
    InTuple, [0], inner => InTuple { parts: (inner.map(Box::new).ok_or(LARGE), 1) };
    Expression, [3], inner => match inner {
        None => Expression::Number(0),
        Some(inner) => Expression::Not(Box::new(inner)),
    };
}

/// A row with something in its first place only.
fn row(inner: Rows) -> [Rows; 32] {
    let mut inner = Some(inner);
    from_fn(|_| inner.take().unwrap_or_else(|| Rows::nest(None)))
}

/// Runs it for each of the types.
macro_rules! each_type {
    ($f:ident) => {
        $f::<Chain>();
        $f::<LargeChain>();
        $f::<LargeLast>();
        $f::<LargeTree>();
        $f::<LargeMap>();
        $f::<Middle>();
        $f::<Outer>();
        $f::<InArray>();
        $f::<Huge>();
        $f::<Rows>();
        $f::<InTuple>();
        $f::<Expression>();
    };
}

/// Runs it on stacks of 1 and of 2 MiB. Should one overflow, the process would end.
fn on_small_stacks(f: fn()) {
    for size in [1 << 20, 2 << 20] {
        let thread = thread::Builder::new().stack_size(size).spawn(f).expect("a thread");
        thread.join().expect("a thread that ends well");
    }
}

/// So many values inside each other.
fn nested<T: Nest>(count: usize) -> T {
    (1..count).fold(T::nest(None), |inner, _| T::nest(Some(inner)))
}

#[test]
fn hostile_bytes_end_in_an_error() {
    fn check<T: Nest>() {
        let hostile = [&T::fingerprint().to_le_bytes()[..], &T::before().repeat(2000)].concat();
        let error = decode::<T>(&hostile).map(drop).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::TooDeep, "{error}");
    }
    on_small_stacks(|| {
        each_type!(check);
    });
}

/// True if there would have been too much on the stack, which has to do with the build.
fn is_of_the_stack(error: &dyn Error) -> bool {
    error.to_string().contains("nested so deep that it takes over 512 KiB of stack")
}

/// The most that can be inside each other, and why not more.
fn deepest<T: Nest>() -> (usize, EncodeError) {
    let of = |count| try_encode(&nested::<T>(count)).err().map(|error| (count - 1, error));
    (1..).find_map(of).expect("an end")
}

#[test]
fn what_can_be_written_can_be_read() {
    fn check<T: Nest>() {
        for count in 1..=deepest::<T>().0 {
            let value = nested::<T>(count);
            let result = try_encode(&value).map(|bytes| decode::<T>(&bytes));
            let error: Option<Box<dyn Error>> = match result {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(error.into()),
                Err(error) => Some(error.into()),
            };
            assert!(error.is_none_or(|error| is_of_the_stack(&*error)));
        }
    }
    on_small_stacks(|| {
        each_type!(check);
    });
}

/// A chain whose hand-written code takes 32 KiB of stack for each link, which no size tells.
#[derive(Gob)]
struct Wasteful {
    #[gob(recursive)]
    next: Option<Box<Wasteful>>,
}

/// Calls the function with much on the stack.
#[inline(never)]
fn wasting<R>(f: impl FnOnce() -> R) -> R {
    let waste = black_box([1u8; 32 << 10]);
    let result = f();
    black_box(waste);
    result
}

impl Serialize for Wasteful {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        wasting(|| {
            let mut s = s.serialize_struct("Wasteful", 1)?;
            s.serialize_field("next", &self.next)?;
            s.end()
        })
    }
}

impl<'de> Deserialize<'de> for Wasteful {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Wasteful, D::Error> {
        wasting(|| {
            #[derive(Deserialize)]
            #[serde(crate = "labgob::serde", rename = "Wasteful")]
            struct Derived {
                next: Option<Box<Wasteful>>,
            }
            Derived::deserialize(d).map(|Derived { next }| Wasteful { next })
        })
    }
}

impl Nest for Wasteful {
    fn before() -> Vec<u8> {
        vec![1]
    }

    fn nest(inner: Option<Wasteful>) -> Wasteful {
        Wasteful { next: inner.map(Box::new) }
    }
}

#[test]
fn the_stack_in_use_is_limited_too() {
    on_small_stacks(|| {
        let (count, error) = deepest::<Wasteful>();
        assert!((2..16).contains(&count) && is_of_the_stack(&error), "{count}, then {error}");
        let hostile = [&Wasteful::fingerprint().to_le_bytes()[..], &[1; 2000]].concat();
        let error = decode::<Wasteful>(&hostile).map(drop).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::TooDeep);
        assert!(is_of_the_stack(&error), "{error}");
    });
}

// It depends on the sizes of the types alone, unless the stack ends it, as it does where nothing is
// optimised.
#[test]
fn how_deep_values_may_be() {
    #[track_caller]
    fn check<T: Nest>(most: usize, text: &str) {
        let (count, error) = deepest::<T>();
        let ends_well = count == most && error.to_string().ends_with(text);
        let ends_early = count <= most && is_of_the_stack(&error);
        assert!(ends_well || ends_early, "{count}, then {error}");
    }
    #[track_caller]
    fn check_large<T: Nest>(most: usize, levels: u32) {
        let text = "the most for a type so large: put its large parts into a `Box` or a `Vec`";
        check::<T>(most, &format!("nested deeper than {levels} levels, {text}"));
    }
    check::<Chain>(64, "nested deeper than 128 levels");
    check::<Expression>(128, "nested deeper than 128 levels");
    check_large::<Middle>(63, 127);
    check_large::<LargeChain>(7, 15);
    check_large::<LargeTree>(7, 15);
    check_large::<LargeMap>(7, 15);
    // 24 KiB, of which 5 go into 128: but `Huge`, the option, three arrays and their numbers have room in each other.
    check_large::<Huge>(2, 6);
    // An array counts whole: 32 of 536 bytes.
    check_large::<Rows>(2, 7);
}
