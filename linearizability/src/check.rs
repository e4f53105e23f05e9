//! From a history to an answer.

use crate::answer::{Answer, Limits, Means, Open, Report, Undecided, Work};
use crate::decide::{Decided, Decider};
use crate::explain::explain;
use crate::history::History;
use crate::model::Model;
use crate::part::{Item, split};
use crate::witness;

/// All means, the cheapest first.
const ALL: [Means; 3] = [Means::Distinct, Means::Shortcut, Means::Search];

/// Decides whether a history is linearizable: by distinct values where the model can tell, by the model's own way if
/// it has one, and otherwise by searching. Each object is decided by itself.
///
/// ```
/// use linearizability::models::{Register, RegisterInput, RegisterOutput};
/// use linearizability::{Answer, History, Limits, Operation, check};
///
/// let history = History::new(vec![
///     Operation::new(1, 0, RegisterInput::Write(1), 3, RegisterOutput::Written),
///     Operation::new(2, 1, RegisterInput::Read, 2, RegisterOutput::Value(1)),
///     Operation::new(3, 4, RegisterInput::Read, 5, RegisterOutput::Value(0)),
/// ])?;
/// let report = check(&Register { initial: 0 }, &history, &Limits::default());
/// let Answer::NotLinearizable(violation) = report.answer else { panic!() };
/// assert_eq!(violation.culprit, 2);
/// assert_eq!(violation.operations, [1, 2], "after the one read, the other cannot be");
/// # Ok::<(), linearizability::HistoryError>(())
/// ```
pub fn check<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    limits: &Limits,
) -> Report<M::Key> {
    check_by(model, history, &ALL, limits)
}

/// The same if the caller has an order which should show it. If it does not
/// ([`witness::verify`] says why), it is as if there were none.
pub fn check_with_witness<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    order: &[usize],
    limits: &Limits,
) -> Report<M::Key> {
    match witness::verify(model, history, order) {
        Ok(order) => Report { answer: Answer::Linearizable(order), work: Work::default() },
        Err(_) => check(model, history, limits),
    }
}

/// The same by these means only, in this order.
pub fn check_by<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    means: &[Means],
    limits: &Limits,
) -> Report<M::Key> {
    let parts = parts(model, history);
    let mut decider = Decider { model, means, work: Work::default() };
    decider.work.objects = parts.len();
    let answer = match decide(&mut decider, &parts, limits) {
        Whole::Orders(orders) => Answer::Linearizable(merge(&parts, &orders)),
        Whole::Impossible { part, culprit } => {
            let (key, items) = &parts[part];
            Answer::NotLinearizable(explain(&mut decider, key, items, culprit, limits))
        }
        Whole::Open(undecided) => Answer::Undecided(undecided),
    };
    Report { answer, work: decider.work }
}

/// Whether a history is linearizable, and nothing else: neither an order nor an explanation. `None` if
/// the limits were reached.
pub fn is_linearizable<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    limits: &Limits,
) -> Option<bool> {
    let mut decider = Decider { model, means: &ALL, work: Work::default() };
    match decide(&mut decider, &parts(model, history), limits) {
        Whole::Orders(_) => Some(true),
        Whole::Impossible { .. } => Some(false),
        Whole::Open(_) => None,
    }
}

/// The operations of one object.
type Part<'a, M> = (<M as Model>::Key, Vec<Item<'a, M>>);

/// Object by object, the small ones first: what they leave of the steps is for the others.
fn parts<'a, M: Model>(model: &M, history: &'a History<M::Input, M::Output>) -> Vec<Part<'a, M>> {
    let mut parts = split(model, history);
    parts.sort_by_key(|(_, items)| items.len());
    parts
}

/// What is known of all objects.
enum Whole<K> {
    /// An order for each.
    Orders(Vec<Vec<usize>>),
    /// The operations of this one have none.
    Impossible {
        part: usize,
        culprit: Option<usize>,
    },
    Open(Undecided<K>),
}

fn decide<M: Model>(decider: &mut Decider<M>, parts: &[Part<M>], limits: &Limits) -> Whole<M::Key> {
    let mut orders = Vec::with_capacity(parts.len());
    let mut undecided = Undecided { decided_objects: 0, decided_operations: 0, open: Vec::new() };
    for (part, (key, items)) in parts.iter().enumerate() {
        let left = limits.steps.saturating_sub(decider.work.steps);
        let share = Limits { steps: left / (parts.len() - part) as u64, ..*limits };
        match decider.decide(items, &share) {
            Decided::Order(order) => {
                undecided.decided_objects += 1;
                undecided.decided_operations += items.len();
                orders.push(order);
            }
            Decided::Impossible { culprit } => return Whole::Impossible { part, culprit },
            Decided::Stopped { why, longest } => undecided.open.push(Open {
                key: key.clone(),
                operations: items.len(),
                ordered: longest,
                stopped: why,
            }),
        }
    }
    if undecided.open.is_empty() { Whole::Orders(orders) } else { Whole::Open(undecided) }
}

/// One order of all operations that keeps the orders of all objects, and time: each operation takes
/// place as early as its object's order allows.
fn merge<M: Model>(parts: &[Part<M>], orders: &[Vec<usize>]) -> Vec<usize> {
    let mut moments = Vec::new();
    for ((_, items), order) in parts.iter().zip(orders) {
        let mut calls: Vec<_> = items.iter().map(|item| (item.operation, item.call)).collect();
        calls.sort_unstable();
        let mut moment = 0;
        for &operation in order {
            let found = calls.binary_search_by_key(&operation, |(operation, _)| *operation);
            moment = moment.max(calls[found.expect("an order has operations of its object")].1);
            moments.push((moment, operation));
        }
    }
    // Stable: within one moment there are only operations of one object.
    moments.sort_by_key(|(moment, _)| *moment);
    moments.into_iter().map(|(_, operation)| operation).collect()
}
