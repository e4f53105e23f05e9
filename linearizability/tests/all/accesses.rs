//! What models say of distinct values: who read whose.

use linearizability::Access::{self, Nothing, Read, Update, Write};
use linearizability::models::{
    CasInput, CasOutput, CasRegister, Kv, KvInput, KvOutput, Register, RegisterInput,
    RegisterOutput,
};
use linearizability::{History, Limits, Model, Operation, Step, check};

fn accesses<M: Model>(
    model: &M,
    operations: &[(M::Input, Option<M::Output>)],
) -> Option<Vec<Access>> {
    let operations: Vec<_> =
        operations.iter().map(|(input, output)| (input, output.as_ref())).collect();
    model.accesses(&operations)
}

#[test]
fn a_registers_values_have_numbers_and_the_first_is_zero() {
    use RegisterOutput::{Value, Written};
    let model = Register { initial: 7 };
    let write = RegisterInput::Write;
    let read = || RegisterInput::Read;
    let operations = [
        (write(5), Some(Written)),
        (write(6), None),
        (read(), Some(Value(6))),
        (read(), None),
        (read(), Some(Value(7))),
        (read(), Some(Value(9))),
        (write(7), Some(Written)),
    ];
    let expected = [Write(1), Write(2), Read(2), Nothing, Read(0), Read(3), Write(0)];
    assert_eq!(accesses(&model, &operations).unwrap(), expected);
    assert_eq!(accesses(&model, &[(read(), Some(Written))]), None);
    assert_eq!(accesses(&model, &[(write(5), Some(Value(5)))]), None);
}

#[test]
fn a_compare_and_set_updates_what_it_found_and_a_failed_one_says_nothing() {
    use CasOutput::{Swapped, Value, Written};
    let model = CasRegister { initial: 7 };
    let write = CasInput::Write;
    let read = || CasInput::Read;
    let cas = |from, to| CasInput::Cas { from, to };
    let operations = [
        (write(5), Some(Written)),
        (cas(5, 6), Some(Swapped(true))),
        (read(), Some(Value(6))),
        (read(), None),
        (cas(7, 8), None),
        (write(9), None),
    ];
    let expected = [
        Write(1),
        Update { from: 1, to: 2 },
        Read(2),
        Nothing,
        Update { from: 0, to: 3 },
        Write(4),
    ];
    assert_eq!(accesses(&model, &operations).unwrap(), expected);
    assert_eq!(accesses(&model, &[(cas(7, 8), Some(Swapped(false)))]), None);
    assert_eq!(accesses(&model, &[(cas(7, 8), Some(Written))]), None);
    assert_eq!(accesses(&model, &[(read(), Some(Written))]), None);
    assert_eq!(accesses(&model, &[(write(5), Some(Value(5)))]), None);
}

fn get() -> KvInput {
    KvInput::Get { key: String::new() }
}

fn put(value: &str) -> KvInput {
    KvInput::Put { key: String::new(), value: value.into() }
}

fn append(value: &str) -> KvInput {
    KvInput::Append { key: String::new(), value: value.into() }
}

fn text(text: &str) -> Option<KvOutput> {
    Some(KvOutput::Value(text.into()))
}

#[test]
fn a_text_is_taken_apart_into_what_was_put_and_appended() {
    let done = || Some(KvOutput::Done);
    let operations = [
        (put("a"), done()),
        (append("b"), done()),
        (get(), text("ab")),
        (append("c"), text("ab")),
        (get(), text("")),
        (get(), text("a")),
        (get(), None),
        (append("d"), done()),
        (put("e"), None),
        (append("f"), None),
        (get(), text("af")),
        (get(), text("abc")),
    ];
    let got = accesses(&Kv, &operations).unwrap();
    let [Write(a), Update { from, to: ab }, ..] = got[..] else { panic!("{got:?}") };
    assert_eq!(from, a);
    let (Update { to: abc, .. }, Write(d), Write(e), Update { to: af, .. }) =
        (got[3], got[7], got[8], got[9])
    else {
        panic!("{got:?}")
    };
    let expected = [
        Write(a),
        Update { from: a, to: ab },
        Read(ab),
        Update { from: ab, to: abc },
        Read(0),
        Read(a),
        Nothing,
        Write(d),
        Write(e),
        Update { from: a, to: af },
        Read(af),
        Read(abc),
    ];
    assert_eq!(got, expected);
    let mut values = [0, a, ab, abc, d, e, af];
    values.sort_unstable();
    assert!(values.windows(2).all(|pair| pair[0] < pair[1]), "all are different: {values:?}");
}

#[test]
fn a_text_that_nobody_wrote_is_a_value_of_its_own() {
    let done = || Some(KvOutput::Done);
    let writes = [(put("p"), done()), (append("q"), done()), (append("r"), done())];
    for wrong in ["x", "px", "qp", "pp", "xp", "pqx"] {
        let mut operations = writes.to_vec();
        operations.extend([(get(), text(wrong)), (get(), text(wrong))]);
        let got = accesses(&Kv, &operations).unwrap();
        let (Read(one), Read(other)) = (got[3], got[4]) else { panic!("{got:?}") };
        assert_ne!(one, other, "{wrong}");
        let nobodys = |value: u32| {
            value != 0
                && !got.iter().any(|of| matches!(*of, Write(to) | Update { to, .. } if to == value))
        };
        assert!(nobodys(one) && nobodys(other), "{wrong}: {got:?}");
    }
    // One append in two places cannot be: the second place is nobody's.
    let mut operations = writes.to_vec();
    operations.extend([(get(), text("pq")), (get(), text("q"))]);
    let got = accesses(&Kv, &operations).unwrap();
    let [Write(p), Update { from, to }, _, Read(pq), Read(q)] = got[..] else { panic!("{got:?}") };
    assert_eq!((from, to), (p, pq));
    assert!(q != pq && q != p && q != 0);
}

#[test]
fn texts_that_can_be_taken_apart_in_two_ways_are_not_distinct() {
    let done = || Some(KvOutput::Done);
    let of = |texts: &[&str]| {
        let operations: Vec<_> = texts.iter().map(|text| (append(text), done())).collect();
        accesses(&Kv, &operations).is_some()
    };
    assert!(of(&[]) && of(&["a", "b"]) && of(&["ab", "b"]) && of(&["ab", "ac"]));
    assert!(!of(&["a", "a"]) && !of(&["ab", "a"]) && !of(&["b", "a", "ab"]));
    assert!(!of(&[""]) && !of(&["a", ""]));
    assert_eq!(accesses(&Kv, &[(put("a"), done()), (put("a"), None)]), None);
    assert_eq!(accesses(&Kv, &[(get(), done())]), None);
    assert_eq!(accesses(&Kv, &[(put("a"), text(""))]), None);
}

/// Takes any write, and says of so many of them too few or too many what they are.
struct Miscounts(fn(usize) -> usize);

impl Model for Miscounts {
    type Key = ();
    type State = u32;
    type Input = u32;
    type Output = ();

    fn key(&self, _: &u32) {}

    fn initial(&self) -> u32 {
        0
    }

    fn step(&self, _: &u32, write: &u32, _: Option<&()>) -> Step<u32> {
        Step::To(*write)
    }

    fn describe(&self, write: &u32, _: Option<&()>) -> String {
        format!("write {write}")
    }

    fn accesses(&self, operations: &[(&u32, Option<&()>)]) -> Option<Vec<Access>> {
        Some((1..=self.0(operations.len()) as u32).map(Write).collect())
    }
}

fn check_miscounted(count: fn(usize) -> usize) {
    let operations = (1..=3).map(|at| Operation::new(0, 2 * at, at as u32, 2 * at + 1, ()));
    let history = History::new(operations.collect()).unwrap();
    let _ = check(&Miscounts(count), &history, &Limits::default());
}

#[test]
#[should_panic(
    expected = "Miscounts names 2 accesses for 3 operations: it needs one for each, in their order"
)]
fn a_model_that_names_too_few_accesses_is_told_so() {
    check_miscounted(|count| count - 1);
}

#[test]
#[should_panic(
    expected = "Miscounts names 4 accesses for 3 operations: it needs one for each, in their order"
)]
fn a_model_that_names_too_many_accesses_is_told_so() {
    check_miscounted(|count| count + 1);
}
