//! The same answers as a checker that tries everything, on random small histories.
//!
//! `LINEARIZABILITY_HISTORIES` says how many; a million take a minute in release.

use std::fmt::Debug;

use crate::common::{Bag, Drawn, Ops, draw, draw_by, history, random};
use linearizability::models::{
    CasRegister, Kv, KvInput, KvOutput, Queue, Register, Unsplit, VersionedKv,
};
use linearizability::{
    Answer, Limits, Means, Model, Operation, Returned, Step, Violation, check_by, is_linearizable,
    witness,
};
use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

/// How many histories are drawn if nobody says.
const USUAL: u64 = 50_000;

/// How many tests share them.
const TESTS: u64 = 8;

fn histories() -> u64 {
    match std::env::var("LINEARIZABILITY_HISTORIES") {
        Ok(number) => number.parse().expect("LINEARIZABILITY_HISTORIES must be a number"),
        Err(_) => USUAL,
    }
}

/// Whether there is an order, by trying all. `forgotten` says which operations count as if they had
/// not returned.
fn try_all<M: Model>(model: &M, operations: &Ops<M>, forgotten: &[bool]) -> bool {
    let keys: Vec<M::Key> =
        operations.iter().map(|operation| model.key(&operation.input)).collect();
    let mut different = keys.clone();
    different.sort();
    different.dedup();
    different.iter().all(|key| {
        let of_key = (0..operations.len()).filter(|&place| keys[place] == *key).collect();
        let mut brute = Brute { model, operations, forgotten, left: of_key };
        brute.try_all(&model.initial())
    })
}

struct Brute<'a, M: Model> {
    model: &'a M,
    operations: &'a Ops<M>,
    forgotten: &'a [bool],
    left: Vec<usize>,
}

impl<M: Model> Brute<'_, M> {
    fn returned(&self, place: usize) -> Option<&Returned<M::Output>> {
        self.operations[place].returned.as_ref().filter(|_| !self.forgotten[place])
    }

    fn try_all(&mut self, state: &M::State) -> bool {
        if self.left.iter().all(|&place| self.returned(place).is_none()) {
            return true;
        }
        for number in 0..self.left.len() {
            let place = self.left[number];
            let call = self.operations[place].call;
            let is_late =
                |&other: &usize| self.returned(other).is_some_and(|returned| returned.at < call);
            if self.left.iter().any(is_late) {
                continue;
            }
            let output = self.returned(place).map(|returned| &returned.output);
            let next = match self.model.step(state, &self.operations[place].input, output) {
                Step::Impossible => vec![],
                Step::Unchanged => vec![state.clone()],
                Step::To(next) => vec![next],
                Step::ToAny(any) => any,
            };
            self.left.remove(number);
            let found = next.iter().any(|next| self.try_all(next));
            self.left.insert(number, place);
            if found {
                return true;
            }
        }
        false
    }
}

/// What came of all histories of a model.
#[derive(Debug, Default)]
struct Counts {
    right: u64,
    wrong: u64,
    distinct: u64,
    shortcut: u64,
}

/// Draws histories of a model and compares all answers.
fn agree<M: Drawn + Debug>() -> Counts {
    agree_on::<M>(|seed| draw::<M>(&mut random(seed)))
}

/// The same with these histories.
fn agree_on<M: Drawn + Debug>(draw: impl Fn(u64) -> Ops<M>) -> Counts {
    let mut counts = Counts::default();
    for seed in 0..histories() / TESTS + 1 {
        let case = Case { model: M::model(), operations: draw(seed) };
        let nothing = vec![false; case.operations.len()];
        let expected = case.is_linearizable(&nothing);
        *(if expected { &mut counts.right } else { &mut counts.wrong }) += 1;
        for means in [
            &[Means::Distinct][..],
            &[Means::Shortcut],
            &[Means::Search],
            &[Means::Distinct, Means::Search],
            &[Means::Distinct, Means::Shortcut, Means::Search],
        ] {
            let history = history::<M>(&case.operations);
            let answer = check_by(&case.model, &history, means, &Limits::default()).answer;
            let is_decided = !matches!(answer, Answer::Undecided(_));
            assert!(is_decided || !means.contains(&Means::Search), "{case:#?}");
            counts.distinct += u64::from(is_decided && means == [Means::Distinct]);
            counts.shortcut += u64::from(is_decided && means == [Means::Shortcut]);
            if means == [Means::Shortcut] && answer.is_violation() {
                // What explains it may need more than the shortcut.
                assert!(!expected, "{case:#?}");
                continue;
            }
            case.check(answer, expected);
            let short = is_linearizable(&case.model, &history, &Limits::default());
            assert_eq!(short, Some(expected), "{case:#?}");
        }
    }
    eprintln!("{counts:?}");
    assert!(counts.right > counts.wrong / 20 && counts.wrong > counts.right / 20, "{counts:?}");
    counts
}

/// A history that was drawn.
#[derive(Debug)]
struct Case<M: Drawn + Debug> {
    model: M,
    operations: Ops<M>,
}

impl<M: Drawn + Debug> Case<M> {
    fn is_linearizable(&self, forgotten: &[bool]) -> bool {
        try_all(&self.model, &self.operations, forgotten)
    }

    fn check(&self, answer: Answer<M::Key>, expected: bool) {
        match answer {
            Answer::Linearizable(order) => {
                assert!(expected, "{self:#?}");
                let whole = witness::verify(&self.model, &history::<M>(&self.operations), &order);
                // What is not in the order never returned.
                assert_eq!(whole, Ok(order), "{self:#?}");
            }
            Answer::NotLinearizable(violation) => {
                assert!(!expected, "{self:#?}");
                self.check_violation(&violation);
            }
            Answer::Undecided(undecided) => {
                let open = undecided.open.iter().map(|open| open.operations).sum::<usize>();
                assert_eq!(open + undecided.decided_operations, self.operations.len());
            }
        }
    }

    fn check_violation(&self, violation: &Violation<M::Key>) {
        let about = || format!("{violation:?} {self:#?}");
        assert!(violation.minimal, "{}", about());
        let mut forgotten = vec![true; self.operations.len()];
        violation.operations.iter().for_each(|&of| forgotten[of] = false);
        assert!(!self.is_linearizable(&forgotten), "{}", about());
        for &one in &violation.operations {
            forgotten[one] = true;
            assert!(self.is_linearizable(&forgotten), "without {one}: {}", about());
            forgotten[one] = false;
        }
        // Before the culprit's return there was an order.
        let end = |of: usize| self.operations[of].returned.as_ref().map_or(u64::MAX, |end| end.at);
        let culprit = end(violation.culprit);
        let is_later = |of: usize| end(of) > culprit || of == violation.culprit;
        let later: Vec<bool> = (0..self.operations.len()).map(is_later).collect();
        let same_time = (0..self.operations.len()).filter(|&of| end(of) == culprit).count();
        assert!(same_time > 1 || self.is_linearizable_of(&violation.key, &later), "{}", about());
        for order in &violation.orders {
            self.check_order(order, &about);
        }
    }

    /// Whether one object's operations are.
    fn is_linearizable_of(&self, key: &M::Key, forgotten: &[bool]) -> bool {
        let is_of =
            |operation: &&Operation<M::Input, M::Output>| self.model.key(&operation.input) == *key;
        let of_key: Ops<M> = self.operations.iter().filter(is_of).cloned().collect();
        let pairs = self.operations.iter().zip(forgotten);
        let forgotten: Vec<bool> = pairs.filter(|(of, _)| is_of(of)).map(|(_, of)| *of).collect();
        try_all(&self.model, &of_key, &forgotten)
    }

    /// Checks that an order keeps time. What had not returned when it became certain may be in it.
    fn check_order(&self, order: &[usize], about: &dyn Fn() -> String) {
        let history = history::<M>(&self.operations);
        for (number, &later) in order.iter().enumerate() {
            let is_wrong = |&earlier: &usize| history.is_before(later, earlier);
            assert!(!order[..number].iter().any(is_wrong), "{order:?} {}", about());
        }
    }
}

#[test]
fn register() {
    assert!(agree::<Register<u8>>().distinct > 10);
}

#[test]
fn cas_register() {
    assert!(agree::<CasRegister<u8>>().distinct > 10);
}

#[test]
fn kv() {
    assert!(agree::<Kv>().distinct > 10);
}

/// Operations of one key with few texts, which are used again, can be empty, or begin with one another. Hardly a read is
/// of distinct values.
fn draw_few_texts(random: &mut Xoshiro256PlusPlus) -> Ops<Kv> {
    const TEXTS: [&str; 5] = ["", "a", "b", "ab", "bb"];
    // Mostly such that a text can be taken apart in one way.
    let most = if random.random_bool(0.6) { 3 } else { TEXTS.len() };
    let text = |random: &mut Xoshiro256PlusPlus| TEXTS[random.random_range(0..most)].to_string();
    let input = |random: &mut Xoshiro256PlusPlus, _: usize| {
        let (key, value) = ("k".to_string(), text(random));
        match random.random_range(0..10) {
            0..=4 => KvInput::Get { key },
            5 => KvInput::Put { key, value },
            _ => KvInput::Append { key, value },
        }
    };
    let output = |random: &mut Xoshiro256PlusPlus, input: &KvInput, state: &String| {
        let reads = match input {
            KvInput::Get { .. } => true,
            KvInput::Append { .. } => random.random_bool(0.3),
            KvInput::Put { .. } => false,
        };
        if !reads {
            return KvOutput::Done;
        }
        let mut seen = state.clone();
        match random.random_range(0..30) {
            0 => seen.clear(),
            1 => seen.push_str(&text(random)),
            2 => drop(seen.pop()),
            3 => seen = text(random) + &seen,
            _ => {}
        }
        KvOutput::Value(seen)
    };
    draw_by::<Kv>(random, input, output)
}

#[test]
fn kv_with_texts_that_are_used_again() {
    let counts = agree_on::<Kv>(|seed| draw_few_texts(&mut random(seed)));
    // Most of what is wrong is plainly so.
    assert!(counts.shortcut > counts.wrong / 3, "{counts:?}");
}

#[test]
fn unsplit_kv() {
    agree::<Unsplit<Kv>>();
}

#[test]
fn versioned_kv() {
    agree::<VersionedKv>();
}

#[test]
fn queue() {
    agree::<Queue<u8>>();
}

#[test]
fn a_model_that_is_not_deterministic() {
    agree::<Bag>();
}
