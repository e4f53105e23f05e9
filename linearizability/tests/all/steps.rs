//! How many steps and bytes a search takes. They are counted by hand here: what makes a search
//! short is worth as much as what makes it right.

use std::hash::{Hash, Hasher};

use crate::counted::Counted;
use linearizability::models::{
    CasInput, CasOutput, CasRegister, Register, RegisterInput, RegisterOutput,
};
use linearizability::{
    Answer, History, Limits, Means, Model, Operation, Step, check_by, is_linearizable,
};

type Registers = Vec<Operation<RegisterInput<u32>, RegisterOutput<u32>>>;
type Swaps = Vec<Operation<CasInput<u32>, CasOutput<u32>>>;

/// Decides by searching, and says how often the model was asked.
fn searched<M: Model>(model: M, operations: Vec<Operation<M::Input, M::Output>>) -> (bool, u64) {
    let model = Counted::new(model);
    let history = History::new(operations).unwrap();
    let answer = is_linearizable(&model, &history, &Limits::default());
    (answer.expect("it is small"), model.steps())
}

fn register(operations: Registers) -> (bool, u64) {
    searched(Register { initial: 0 }, operations)
}

fn write(client: u64, call: u64, value: u32, at: u64) -> Registers {
    vec![Operation::new(client, call, RegisterInput::Write(value), at, RegisterOutput::Written)]
}

fn lost_write(client: u64, call: u64, value: u32) -> Registers {
    vec![Operation::pending(client, call, RegisterInput::Write(value))]
}

fn read(client: u64, call: u64, value: u32, at: u64) -> Registers {
    vec![Operation::new(client, call, RegisterInput::Read, at, RegisterOutput::Value(value))]
}

/// Compare-and-sets, all under way at once, of which each finds what the one before left. They return
/// in the order of these numbers.
fn chain(returns: impl Iterator<Item = u64>) -> Swaps {
    let swap = |(n, at): (u32, u64)| {
        let input = CasInput::Cas { from: n, to: n + 1 };
        Operation::new(n.into(), 0, input, 1 + at, CasOutput::Swapped(true))
    };
    (0..).zip(returns).map(swap).collect()
}

#[test]
fn what_is_one_after_the_other_takes_a_step_each() {
    let pair =
        |n: u64| [write(1, 4 * n, n as u32, 4 * n + 1), read(2, 4 * n + 2, n as u32, 4 * n + 3)];
    let operations = (0..50).flat_map(pair).flatten().collect();
    assert_eq!(register(operations), (true, 100));
}

/// Their hashes are all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Alike(u32);

impl Hash for Alike {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

#[test]
fn states_with_the_same_hash_are_told_apart() {
    let seen = |value: u32| {
        let (write, read) = (RegisterInput::Write(Alike(1)), RegisterInput::Read);
        let value = RegisterOutput::Value(Alike(value));
        let write = Operation::new(1, 0, write, 1, RegisterOutput::Written);
        let operations = vec![write, Operation::new(2, 2, read, 3, value)];
        let history = History::new(operations).unwrap();
        let model = Register { initial: Alike(0) };
        is_linearizable(&model, &history, &Limits::default())
    };
    assert_eq!([0, 1, 2].map(seen), [Some(false), Some(true), Some(false)]);
}

#[test]
fn what_one_means_has_decided_the_next_one_is_not_asked() {
    let operations = [write(1, 0, 5, 1), read(2, 2, 5, 3), write(1, 4, 6, 5), read(2, 6, 5, 7)];
    for (count, possible) in [(3, true), (4, false)] {
        let history = History::new(operations[..count].concat()).unwrap();
        let (means, limits) = ([Means::Distinct, Means::Search], Limits { steps: 0, bytes: 0 });
        let report = check_by(&Register { initial: 0 }, &history, &means, &limits);
        assert_eq!(report.answer.is_linearizable(), possible, "{report:?}");
        assert_eq!(report.answer.is_violation(), !possible, "{report:?}");
    }
}

#[test]
fn what_never_returned_is_not_asked_about_as_long_as_it_goes_without() {
    let mut operations = lost_write(9, 0, 77);
    operations.push(Operation::pending(8, 0, RegisterInput::Read));
    operations.extend((0..50).flat_map(|n| write(1, 2 * n, n as u32, 2 * n + 1)));
    assert_eq!(register(operations), (true, 50));
}

#[test]
fn what_returns_first_is_tried_first() {
    for length in [5, 64, 65, 130] {
        let cas = || CasRegister { initial: 0 };
        assert_eq!(searched(cas(), chain(0..length)), (true, length));
        // The other way round, all that are left are tried before the one that fits.
        let tried = length * (length + 1) / 2;
        assert_eq!(searched(cas(), chain((0..length).rev())), (true, tried));
    }
}

#[test]
fn reads_that_fit_have_their_places_without_alternatives() {
    let mut operations: Registers = (0..20).flat_map(|n| read(n, 0, 0, 10)).collect();
    assert_eq!(register(operations.clone()), (true, 20));
    // One that fits nowhere is asked for once as a read, and once as what may come next.
    operations.extend(read(20, 0, 9, 11));
    assert_eq!(register(operations), (false, 22));
}

#[test]
fn no_point_is_looked_at_twice() {
    // Writes all at once, and a read of a value that nobody wrote. A point is a set of writes and the
    // last one of them.
    for writes in 1..8_u64 {
        let mut operations: Registers =
            (0..writes).flat_map(|n| write(n, 0, n as u32 + 1, 10)).collect();
        operations.extend(read(writes, 0, 99, 10));
        let (mut points, mut moves, mut of_size) = (0, 0, 1);
        for size in 0..=writes {
            let here = of_size * size.max(1);
            points += here;
            moves += here * (writes - size);
            of_size = of_size * (writes - size) / (size + 1);
        }
        // The read is asked for at each arrival, and at each point it is tried besides all others.
        assert_eq!(register(operations), (false, (1 + moves) + (moves + points)), "{writes}");
    }
}

#[test]
fn what_never_returned_and_asks_for_the_same_is_one() {
    let with = |lost: u64| {
        let mut operations: Registers = (0..lost).flat_map(|n| lost_write(n, 0, 5)).collect();
        operations.extend(read(99, 0, 9, 10));
        register(operations)
    };
    // At each of two points the read is asked for, tried, and one of the writes; after the second of
    // them it is as after the first, and only the read is asked for.
    assert_eq!(with(0), (false, 2));
    assert_eq!(with(1), (false, 3 + 2));
    assert_eq!(with(2), (false, 3 + 3 + 1));
    assert_eq!(with(100), (false, 3 + 3 + 1));
}

#[test]
fn what_never_returned_takes_effect_in_order_of_its_calls() {
    // More than one word of them, and all are needed.
    let lost =
        |n: u32| Operation::pending(n.into(), n.into(), CasInput::Cas { from: n, to: n + 1 });
    let mut operations: Swaps = (0..100).rev().map(lost).collect();
    operations.push(Operation::new(100, 100, CasInput::Read, 200, CasOutput::Value(100)));
    let history = History::new(operations).unwrap();
    let model = CasRegister { initial: 0 };
    let report = check_by(&model, &history, &[Means::Search], &Limits::default());
    let order = (0..100).rev().chain([100]).collect();
    assert_eq!(report.answer, Answer::Linearizable(order));
    // Of the same ones those that were called first.
    let mut operations: Registers = (0..4).rev().flat_map(|n| lost_write(n, n, 5)).collect();
    operations.extend([write(7, 5, 6, 6), read(7, 7, 5, 8), write(7, 9, 7, 10)].concat());
    operations.extend(read(7, 11, 5, 12));
    let history = History::new(operations).unwrap();
    let model = Register { initial: 0 };
    let report = check_by(&model, &history, &[Means::Search], &Limits::default());
    assert_eq!(report.answer, Answer::Linearizable(vec![4, 3, 5, 6, 2, 7]));
}

/// The smallest limit with which a history is decided.
fn smallest<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    limits: impl Fn(u64) -> Limits,
) -> u64 {
    let (mut no, mut yes) = (0, 1 << 30);
    while yes - no > 1 {
        let middle = no + (yes - no) / 2;
        match is_linearizable(model, history, &limits(middle)) {
            Some(_) => yes = middle,
            None => no = middle,
        }
    }
    yes
}

#[test]
fn a_limit_is_what_may_be_used_and_not_one_less() {
    let mut operations: Registers = (0..4).flat_map(|n| write(n, 0, n as u32 + 1, 10)).collect();
    operations.extend(read(9, 0, 99, 10));
    let history = History::new(operations).unwrap();
    let model = Counted::new(Register { initial: 0 });
    let steps = |steps| Limits { steps, bytes: u64::MAX };
    let bytes = |bytes| Limits { steps: u64::MAX, bytes };

    assert_eq!(is_linearizable(&model, &history, &Limits::default()), Some(false));
    let asked = model.steps();
    assert_eq!(smallest(&model, &history, steps), asked);
    let few = check_by(&model, &history, &[Means::Search], &steps(asked - 1));
    assert_eq!((few.answer.is_violation(), few.work.steps), (false, asked));

    let taken = smallest(&model, &history, bytes);
    let few = check_by(&model, &history, &[Means::Search], &bytes(taken - 1));
    assert_eq!((few.answer.is_violation(), few.work.bytes), (false, taken));
}

/// A number whose every value takes a megabyte, it says.
struct Large;

const MEGABYTE: u64 = 1 << 20;

impl Model for Large {
    type Key = ();
    type State = u32;
    type Input = u32;
    type Output = ();

    fn key(&self, _: &u32) {}
    fn initial(&self) -> u32 {
        0
    }
    fn step(&self, _: &u32, input: &u32, _: Option<&()>) -> Step<u32> {
        Step::To(*input)
    }
    fn state_bytes(&self, _: &u32) -> usize {
        MEGABYTE as usize
    }
    fn describe(&self, input: &u32, _: Option<&()>) -> String {
        input.to_string()
    }
}

#[test]
fn each_different_state_takes_its_bytes_once() {
    for (values, states) in [(vec![], 0), (vec![0], 1), (vec![1, 2], 3), (vec![1, 2, 1, 0, 2], 3)] {
        let operations =
            (0..).zip(values).map(|(n, value)| Operation::new(1, 2 * n, value, 2 * n + 1, ()));
        let history = History::new(operations.collect()).unwrap();
        let work = check_by(&Large, &history, &[Means::Search], &Limits::default()).work;
        let least = states * MEGABYTE;
        assert!((least..=least + 10_000).contains(&work.bytes), "{work:?}, {states}");
    }
}

#[test]
fn a_model_that_says_nothing_of_reads_is_taken_to_change_something() {
    assert!(!Large.reads_only(&1, Some(&())) && !Large.reads_only(&1, None));
}
