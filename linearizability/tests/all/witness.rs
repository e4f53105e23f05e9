//! Orders that a caller has: right ones, wrong ones, and what is said of the wrong ones.

use std::fmt::Debug;

use crate::common::{Bag, BagInput, Drawn, draw, history, random};
use linearizability::models::{CasRegister, Kv, Queue, Register, VersionedKv};
use linearizability::witness::{WitnessError, verify};
use linearizability::{
    Answer, History, Limits, Model, Operation, Step, Work, check, check_with_witness,
};
use rand::RngExt;
use rand::seq::SliceRandom;

const HISTORIES: u64 = 4_000;

/// Whether all that returned can be ordered so that the operations of `order` stand in this order:
/// tries all places for the others. What is in no order must have returned and only read.
struct Brute<'a, M: Model> {
    model: &'a M,
    history: &'a History<M::Input, M::Output>,
    /// What of the order is still to come.
    order: &'a [usize],
    /// What else is still to come.
    others: Vec<usize>,
}

impl<M: Model> Brute<'_, M> {
    fn can_go_on(&self, states: &[(M::Key, M::State)]) -> bool {
        let mut next: Vec<usize> = self.others.clone();
        next.extend(self.order.first());
        next.is_empty() || next.into_iter().any(|operation| self.can_take(operation, states))
    }

    fn can_take(&self, operation: usize, states: &[(M::Key, M::State)]) -> bool {
        let to_come = || self.order.iter().chain(&self.others);
        if to_come().any(|&other| self.history.is_before(other, operation)) {
            return false;
        }
        let others: Vec<usize> =
            self.others.iter().copied().filter(|&other| other != operation).collect();
        let is_other = others.len() < self.others.len();
        let order = if is_other { self.order } else { &self.order[1..] };
        let rest = Brute { others, order, ..*self };
        let of = &self.history.operations()[operation];
        let key = self.model.key(&of.input);
        let found = states.iter().find(|(of, _)| *of == key);
        let state = found.map_or_else(|| self.model.initial(), |(_, state)| state.clone());
        let after = match self.model.step(&state, &of.input, of.output()) {
            Step::Impossible => vec![],
            Step::Unchanged => vec![state],
            Step::To(next) => vec![next],
            Step::ToAny(any) => any,
        };
        after.into_iter().any(|state| {
            let mut states: Vec<_> = states.iter().filter(|(of, _)| *of != key).cloned().collect();
            states.push((key.clone(), state));
            rest.can_go_on(&states)
        })
    }
}

/// What a test knows of an order.
struct Case<'a, M: Model> {
    model: &'a M,
    history: &'a History<M::Input, M::Output>,
    order: &'a [usize],
}

impl<M: Model> Case<'_, M> {
    fn only_reads(&self, operation: usize) -> bool {
        let of = &self.history.operations()[operation];
        self.model.reads_only(&of.input, of.output())
    }

    /// The operations that returned and are not in the order.
    fn left_out(&self) -> Vec<usize> {
        let operations = (0..).zip(self.history.operations());
        let returned = operations.filter(|(_, of)| of.returned.is_some());
        returned.map(|(place, _)| place).filter(|place| !self.order.contains(place)).collect()
    }

    /// Whether the order shows that the history is linearizable.
    fn is_right(&self) -> bool {
        let Case { model, history, order } = *self;
        let others = self.left_out();
        others.iter().all(|&other| self.only_reads(other))
            && Brute { model, history, order, others }.can_go_on(&[])
    }

    /// Checks a whole order: the same, with what was left out.
    fn check_whole(&self, whole: &[usize]) {
        let Case { model, history, .. } = *self;
        assert!(Brute { model, history, order: whole, others: vec![] }.can_go_on(&[]));
        let of_order = whole.iter().filter(|place| self.order.contains(place));
        assert!(of_order.eq(self.order), "{whole:?}");
        assert_eq!(whole.len(), self.order.len() + self.left_out().len(), "{whole:?}");
    }

    /// Checks that what an error says is so.
    fn check_error(&self, error: &WitnessError) {
        let Case { history, order, .. } = *self;
        let about = match *error {
            WitnessError::Unknown { .. } | WitnessError::Twice { .. } => panic!("{error}"),
            WitnessError::Missing { operation } => {
                assert!(self.left_out().contains(&operation) && !self.only_reads(operation));
                operation
            }
            WitnessError::TooLate { operation, at, later } => {
                assert!(order[at] == operation && history.is_before(operation, later));
                assert!(order[..at].contains(&later) || self.left_out().contains(&later));
                operation
            }
            WitnessError::Output { operation, at } => {
                assert_eq!(order[at], operation);
                operation
            }
            WitnessError::FitsNowhere { operation, from, to } => {
                assert!(self.left_out().contains(&operation));
                let before = order.iter().rposition(|&one| history.is_before(one, operation));
                assert_eq!(from, before.map_or(0, |last| last + 1), "{error}");
                let after = |at: &usize| {
                    order.get(*at).is_none_or(|&next| history.is_before(operation, next))
                };
                assert_eq!(Some(to), (from..=order.len()).find(after), "{error}");
                operation
            }
        };
        assert_eq!(error.operation(), about);
    }
}

/// Draws histories and orders, and compares. `is_sure`: whether each right order must be found right,
/// and not only those that leave nothing out.
fn orders_are_judged<M: Drawn + Debug>(is_sure: bool) {
    let (mut right, mut wrong) = (0, 0);
    for seed in 0..HISTORIES {
        let mut random = random(seed);
        let (model, operations) = (M::model(), draw::<M>(&mut random));
        let history = history::<M>(&operations);
        let mut order = match check(&model, &history, &Limits::default()).answer {
            Answer::Linearizable(order) => order,
            _ => (0..history.len()).collect(),
        };
        match random.random_range(0..4) {
            0 => order.shuffle(&mut random),
            1 if order.len() > 1 => {
                let at = random.random_range(1..order.len());
                order.swap(at - 1, at);
            }
            _ => {}
        }
        // A service that has no entries in its log for reads; and one that has forgotten something.
        let forgets = random.random_bool(0.1);
        let keep = |&place: &usize| {
            let of = &operations[place];
            let may_go = forgets || model.reads_only(&of.input, of.output());
            !(may_go && random.random_bool(0.6))
        };
        let order: Vec<usize> = order.into_iter().filter(keep).collect();
        let case = Case { model: &model, history: &history, order: &order };
        let report = check_with_witness(&model, &history, &order, &Limits::default());
        let about = format!("{order:?} of {operations:#?}");
        match verify(&model, &history, &order) {
            Ok(whole) => {
                right += 1;
                case.check_whole(&whole);
                assert_eq!(report.answer, Answer::Linearizable(whole), "{about}");
                assert_eq!(report.work, Work::default(), "nothing was searched");
            }
            Err(error) => {
                wrong += 1;
                let is_sure = is_sure || case.left_out().is_empty();
                assert!(!is_sure || !case.is_right(), "{error}: {about}");
                case.check_error(&error);
                assert_eq!(report, check(&model, &history, &Limits::default()), "{about}");
            }
        }
    }
    assert!(right > HISTORIES / 10 && wrong > HISTORIES / 10, "{right} right, {wrong} wrong");
}

#[test]
fn orders_of_a_register_are_judged() {
    orders_are_judged::<Register<u8>>(true);
}

#[test]
fn orders_of_a_register_with_compare_and_set_are_judged() {
    orders_are_judged::<CasRegister<u8>>(true);
}

#[test]
fn orders_of_maps_are_judged() {
    orders_are_judged::<Kv>(true);
    orders_are_judged::<VersionedKv>(true);
}

#[test]
fn orders_of_a_queue_are_judged() {
    orders_are_judged::<Queue<u8>>(true);
}

#[test]
fn an_order_with_open_states_is_never_right_without_being_so() {
    orders_are_judged::<Bag>(false);
}

#[test]
fn reads_tell_which_of_several_states_it_was() {
    // One of two numbers is taken, and nobody knows which; the reads are not in the order.
    let verified = |second: u8| {
        let events = [
            (BagInput::Add(1), true),
            (BagInput::Add(2), true),
            (BagInput::Take, true),
            (BagInput::Has(1), true),
            (BagInput::Has(second), true),
        ];
        let operation =
            |(n, (input, output)): (u64, _)| Operation::new(1, 2 * n, input, 2 * n + 1, output);
        let operations = (0..).zip(events).map(operation).collect();
        verify(&Bag, &History::new(operations).unwrap(), &[0, 1, 2])
    };
    assert_eq!(verified(1), Ok(vec![0, 1, 2, 3, 4]));
    let error = WitnessError::FitsNowhere { operation: 4, from: 3, to: 3 };
    assert_eq!(verified(2), Err(error), "the 1 is still there, so the 2 is not");
}
