//! An order that the caller has, checked.
//!
//! Who knows in which order a service applied its operations need not search for one. Checking it
//! takes one walk over the order: time is kept if no operation comes after one that was called when
//! it had already returned, and the model must agree with each output.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::iter::Peekable;

use crate::history::{History, NEVER};
use crate::model::{Model, Step};
use crate::part::{Item, item};
use crate::search::states::States;

/// Why an order does not show that a history is linearizable. It may be all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitnessError {
    /// The order names an operation that the history does not have.
    #[error(
        "the order names operation {operation} at place {at}, but the history has only {operations}"
    )]
    Unknown {
        /// What it names.
        operation: usize,
        /// The place in the order.
        at: usize,
        /// How many operations there are.
        operations: usize,
    },
    /// An operation stands in the order twice.
    #[error("operation {operation} stands in the order twice, at places {first} and {second}")]
    Twice {
        /// Which one.
        operation: usize,
        /// Its place.
        first: usize,
        /// Its other place.
        second: usize,
    },
    /// An operation that returned and does not only read is not in the order.
    #[error("operation {operation} returned, but is not in the order")]
    Missing {
        /// Which one.
        operation: usize,
    },
    /// An operation comes after one that was called only when it had returned.
    #[error(
        "operation {operation} stands at place {at}, after operation {later}, which was called only \
         when operation {operation} had returned"
    )]
    TooLate {
        /// Which one.
        operation: usize,
        /// Its place in the order.
        at: usize,
        /// An operation before it.
        later: usize,
    },
    /// The model gives another output.
    #[error("operation {operation} at place {at} cannot have its output there")]
    Output {
        /// Which one.
        operation: usize,
        /// Its place in the order.
        at: usize,
    },
    /// An operation that only reads is not in the order, and fits nowhere between its call and its
    /// return.
    #[error(
        "operation {operation}, which is not in the order, cannot have its output between places {from} and {to}"
    )]
    FitsNowhere {
        /// Which one.
        operation: usize,
        /// How many operations of the order come before it at least.
        from: usize,
        /// And at most.
        to: usize,
    },
}

impl WitnessError {
    /// The operation that the error is about.
    pub fn operation(&self) -> usize {
        match *self {
            WitnessError::Unknown { operation, .. }
            | WitnessError::Twice { operation, .. }
            | WitnessError::Missing { operation }
            | WitnessError::TooLate { operation, .. }
            | WitnessError::Output { operation, .. }
            | WitnessError::FitsNowhere { operation, .. } => operation,
        }
    }
}

/// Checks that the history is linearizable in this order, and gives the whole order.
///
/// Operations that [only read](Model::reads_only) may be left out, as a service does that answers
/// them from its state without an entry in its log: each goes to the first place where its output is
/// right. Operations that never returned may be left out.
///
/// Takes time in proportion to the number of operations (but for sorting), and to what the steps of
/// the model take. If the model is not deterministic, all states that are possible are kept.
///
/// # Errors
///
/// The first thing that is wrong with the order. The history may be linearizable in another one.
pub fn verify<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    order: &[usize],
) -> Result<Vec<usize>, WitnessError> {
    let places = places(history, order)?;
    let left_out = left_out(model, history, &places)?;
    let (objects, count) = objects(model, history);
    let mut walk = Walk {
        model,
        objects,
        states: (0..count).map(|_| vec![model.initial()]).collect(),
        waiting: left_out.into_iter().peekable(),
        open: Vec::new(),
        latest: None,
        whole: Vec::with_capacity(history.len()),
    };
    let first_ends = first_ends(history, order);
    for (at, &operation) in order.iter().enumerate() {
        let item = item(history, operation);
        walk.place_reads(at, first_ends[at], Some(&item))?;
        walk.place(at, item)?;
    }
    walk.place_reads(order.len(), NEVER, None)?;
    Ok(walk.whole)
}

/// For each operation its place in the order, or `usize::MAX`.
fn places<I, O>(history: &History<I, O>, order: &[usize]) -> Result<Vec<usize>, WitnessError> {
    let mut places = vec![usize::MAX; history.len()];
    for (at, &operation) in order.iter().enumerate() {
        let operations = history.len();
        let place = places.get_mut(operation);
        let place = place.ok_or(WitnessError::Unknown { operation, at, operations })?;
        if *place != usize::MAX {
            return Err(WitnessError::Twice { operation, first: *place, second: at });
        }
        *place = at;
    }
    Ok(places)
}

/// The operations that returned and are not in the order, in order of their calls: all must be reads.
fn left_out<'a, M: Model>(
    model: &M,
    history: &'a History<M::Input, M::Output>,
    places: &[usize],
) -> Result<Vec<Item<'a, M>>, WitnessError> {
    let absent = (0..history.len()).filter(|&operation| places[operation] == usize::MAX);
    let absent = absent.map(|operation| item::<M>(history, operation));
    let mut out: Vec<_> = absent.filter(Item::has_returned).collect();
    if let Some(other) = out.iter().find(|item| !model.reads_only(item.input, item.output)) {
        return Err(WitnessError::Missing { operation: other.operation });
    }
    out.sort_unstable_by_key(|item| item.call);
    Ok(out)
}

/// For each operation a number for its object, and how many objects there are.
fn objects<M: Model>(model: &M, history: &History<M::Input, M::Output>) -> (Vec<u32>, u32) {
    let mut numbers = BTreeMap::new();
    let of_each = history.operations().iter().map(|operation| {
        let next = numbers.len() as u32;
        *numbers.entry(model.key(&operation.input)).or_insert(next)
    });
    let of_each = of_each.collect();
    (of_each, numbers.len() as u32)
}

/// For each place in the order the first return of all operations from there on.
fn first_ends<I, O>(history: &History<I, O>, order: &[usize]) -> Vec<u32> {
    let mut first = NEVER;
    let backwards = order.iter().rev().map(|&operation| {
        first = first.min(history.return_place(operation));
        first
    });
    let mut out: Vec<u32> = backwards.collect();
    out.reverse();
    out
}

/// The walk along the order.
struct Walk<'a, 'm, M: Model, W: Iterator> {
    model: &'m M,
    /// The object of each operation.
    objects: Vec<u32>,
    /// The states in which each object may be; one, if the model is deterministic.
    states: Vec<Vec<M::State>>,
    /// Reads that are not in the order and cannot have their place yet, in order of their calls.
    waiting: Peekable<W>,
    /// Those that look for their place, in order of their calls, and from which place on.
    open: Vec<(Item<'a, M>, usize)>,
    /// Of the operations placed so far, the one that was called last.
    latest: Option<Item<'a, M>>,
    whole: Vec<usize>,
}

impl<'a, M: Model, W: Iterator<Item = Item<'a, M>>> Walk<'a, '_, M, W> {
    /// Places the next operation of the order.
    fn place(&mut self, at: usize, item: Item<'a, M>) -> Result<(), WitnessError> {
        let operation = item.operation;
        if let Some(later) = self.called_after(&item) {
            return Err(WitnessError::TooLate { operation, at, later });
        }
        let states = &mut self.states[self.objects[operation] as usize];
        if !advance(self.model, states, &item) {
            return Err(WitnessError::Output { operation, at });
        }
        self.note(item);
        Ok(())
    }

    /// Places what fits here of the reads that are not in the order: nothing that is to come may have
    /// returned before their call. `next` is what comes then.
    fn place_reads(
        &mut self,
        at: usize,
        first_end: u32,
        next: Option<&Item<'a, M>>,
    ) -> Result<(), WitnessError> {
        while let Some(read) = self.waiting.next_if(|read| read.call < first_end) {
            self.open.push((read, at));
        }
        let mut still_open: Vec<(Item<'a, M>, usize)> = Vec::new();
        for (read, from) in std::mem::take(&mut self.open) {
            let after_open = still_open.iter().any(|(earlier, _)| earlier.end < read.call);
            if !after_open && self.called_after(&read).is_none() && self.fits(&read) {
                self.note(read);
            } else if next.is_none_or(|next| next.call > read.end) {
                return Err(WitnessError::FitsNowhere { operation: read.operation, from, to: at });
            } else {
                still_open.push((read, from));
            }
        }
        self.open = still_open;
        Ok(())
    }

    /// An operation that has its place already and was called only after this one's return.
    fn called_after(&self, item: &Item<'a, M>) -> Option<usize> {
        self.latest.filter(|latest| latest.call > item.end).map(|latest| latest.operation)
    }

    /// Whether a read is right in the present state. If several are possible, it tells which.
    fn fits(&mut self, read: &Item<'a, M>) -> bool {
        let possible =
            |state: &M::State| self.model.step(state, read.input, read.output) == Step::Unchanged;
        let states = &mut self.states[self.objects[read.operation] as usize];
        if let [only] = &states[..] {
            return possible(only);
        }
        let fits = states.iter().any(possible);
        if fits {
            states.retain(possible);
        }
        fits
    }

    fn note(&mut self, item: Item<'a, M>) {
        self.whole.push(item.operation);
        self.latest = self.latest.into_iter().chain([item]).max_by_key(|item| item.call);
    }
}

/// Makes the step in each state that is possible. If it can be made in none, false.
fn advance<M: Model>(model: &M, states: &mut Vec<M::State>, item: &Item<M>) -> bool {
    if let [state] = &mut states[..] {
        match model.advance(state, item.input, item.output) {
            Step::Impossible => return false,
            Step::Unchanged => {}
            Step::To(next) => *state = next,
            Step::ToAny(any) => *states = distinct(any),
        }
    } else {
        let mut next = Vec::new();
        for state in states.drain(..) {
            match model.step(&state, item.input, item.output) {
                Step::Impossible => {}
                Step::Unchanged => next.push(state),
                Step::To(to) => next.push(to),
                Step::ToAny(any) => next.extend(any),
            }
        }
        *states = distinct(next);
    }
    !states.is_empty()
}

/// Each state once.
fn distinct<S: Clone + Eq + Hash>(states: Vec<S>) -> Vec<S> {
    let mut table = States::new();
    states.into_iter().for_each(|state| {
        table.number(state);
    });
    table.into_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operation;
    use crate::models::{Register, RegisterInput, RegisterOutput};

    type Op = Operation<RegisterInput<u8>, RegisterOutput<u8>>;

    fn write(client: u64, call: u64, value: u8, at: u64) -> Op {
        Operation::new(client, call, RegisterInput::Write(value), at, RegisterOutput::Written)
    }

    fn read(client: u64, call: u64, value: u8, at: u64) -> Op {
        Operation::new(client, call, RegisterInput::Read, at, RegisterOutput::Value(value))
    }

    fn verified(operations: Vec<Op>, order: &[usize]) -> Result<Vec<usize>, String> {
        let history = History::new(operations).unwrap();
        verify(&Register { initial: 0 }, &history, order).map_err(|error| error.to_string())
    }

    #[test]
    fn an_order_is_checked_against_time_and_model() {
        let operations = || vec![write(1, 0, 1, 9), write(2, 2, 2, 3), read(3, 10, 1, 12)];
        assert_eq!(verified(operations(), &[1, 0, 2]), Ok(vec![1, 0, 2]));
        let wrong = |order: &[usize]| verified(operations(), order).unwrap_err();
        assert_eq!(wrong(&[0, 1, 2]), "operation 2 at place 2 cannot have its output there");
        assert_eq!(
            wrong(&[0, 2, 1]),
            "operation 1 stands at place 2, after operation 2, which was called only when operation 1 \
             had returned"
        );
        assert_eq!(wrong(&[0, 2]), "operation 1 returned, but is not in the order");
        assert_eq!(wrong(&[0, 1, 0]), "operation 0 stands in the order twice, at places 0 and 2");
        assert_eq!(
            wrong(&[0, 3]),
            "the order names operation 3 at place 1, but the history has only 3"
        );
    }

    #[test]
    fn reads_that_are_left_out_find_their_places() {
        let operations = vec![
            write(1, 0, 1, 9),
            write(2, 2, 2, 12),
            read(3, 1, 0, 8),
            read(4, 3, 1, 8),
            read(5, 9, 2, 20),
            read(3, 9, 1, 11),
        ];
        assert_eq!(verified(operations, &[0, 1]), Ok(vec![2, 0, 3, 5, 1, 4]));
    }

    #[test]
    fn a_read_waits_for_one_that_comes_before_it() {
        // At its first chance the later read fits, but the earlier one only after the second write.
        let operations = vec![
            write(1, 0, 1, 100),
            write(2, 0, 2, 100),
            write(3, 0, 1, 100),
            read(4, 1, 2, 10),
            read(4, 20, 1, 30),
        ];
        assert_eq!(verified(operations, &[0, 1, 2]), Ok(vec![0, 1, 3, 2, 4]));
    }

    #[test]
    fn a_read_that_fits_nowhere_is_named() {
        let operations =
            vec![write(1, 0, 1, 2), write(1, 3, 2, 4), read(2, 5, 1, 6), write(1, 8, 1, 9)];
        assert_eq!(
            verified(operations, &[0, 1, 3]).unwrap_err(),
            "operation 2, which is not in the order, cannot have its output between places 2 and 2"
        );
    }

    #[test]
    fn what_never_returned_may_be_left_out_or_not() {
        let operations =
            || vec![Operation::pending(1, 0, RegisterInput::Write(1)), read(2, 5, 1, 6)];
        assert_eq!(verified(operations(), &[0, 1]), Ok(vec![0, 1]));
        assert_eq!(verified(operations(), &[0]), Ok(vec![0, 1]));
        assert!(verified(operations(), &[1]).is_err());
    }
}
