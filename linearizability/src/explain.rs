//! Why the operations of an object have no order.

use std::rc::Rc;

use crate::answer::{Limits, Violation};
use crate::decide::{Decided, Decider};
use crate::model::Model;
use crate::part::{Item, up_to};
use crate::search::Observer;

/// How many operations all decisions of an explanation together may have: a decision may take time
/// without a single step.
const MOST_LOOKED_AT: usize = 50_000_000;

/// How many operations of dead ends are looked at for the longest orders. It bounds what an
/// explanation takes, whatever the limits.
const LONGEST_WORK: usize = 20_000_000;

/// What an explanation may take in steps, besides a multiple of what the decision took: nobody waits
/// for minutes to know more exactly what was known in a second.
const STEPS: u64 = 2_000_000;
const TIMES_DECISION: u64 = 4;

/// Explains it, within as many steps as the decision had, and fewer if it took few.
pub(crate) fn explain<M: Model>(
    decider: &mut Decider<M>,
    key: &M::Key,
    items: &[Item<M>],
    culprit: Option<usize>,
    limits: &Limits,
) -> Violation<M::Key> {
    let enough = STEPS + TIMES_DECISION * decider.work.steps;
    let limits = Limits { steps: limits.steps.min(enough), ..*limits };
    let end = decider.work.steps + limits.steps;
    let culprit = first_culprit(decider, items, culprit, &limits);
    let at = items.iter().find(|item| item.operation == culprit).expect("it is one of them").end;
    let known = up_to(items, at);
    let mut shrinker =
        Shrinker { decider, known: &known, end, limits, minimal: true, looked_at: 0 };
    let kept = shrinker.shrink(culprit);
    let minimal = shrinker.minimal;
    let orders = longest_orders(decider, &known, &limits);
    Violation { key: key.clone(), culprit, operations: kept, minimal, orders }
}

/// The operation with whose return it became certain. If the limits are reached, a later one.
///
/// `not_before` is the return that no order of *all* operations reaches. Up to there there may be an
/// order in which an operation under way has another output than it had in the end.
fn first_culprit<M: Model>(
    decider: &mut Decider<M>,
    items: &[Item<M>],
    not_before: Option<usize>,
    limits: &Limits,
) -> usize {
    let mut ends: Vec<_> = items.iter().filter(|item| item.has_returned()).collect();
    ends.sort_unstable_by_key(|item| item.end);
    let first = ends.iter().position(|item| Some(item.operation) == not_before).unwrap_or(0);
    let ends = &ends[first..];
    let mut is_open = |item: &&Item<M>| {
        let known = up_to(items, item.end);
        !matches!(decider.decide(&known, limits), Decided::Impossible { .. })
    };
    if not_before.is_some() && !is_open(&ends[0]) {
        return ends[0].operation;
    }
    // Whoever knows more knows what was known before: there is one place where it changes.
    let place = ends.partition_point(is_open);
    ends[place.min(ends.len() - 1)].operation
}

/// Looks for few operations that have no order if the others never returned.
struct Shrinker<'a, 'd, 'i, M: Model> {
    decider: &'a mut Decider<'d, M>,
    known: &'a [Item<'i, M>],
    /// The steps at which it stops.
    end: u64,
    limits: Limits,
    minimal: bool,
    /// How many operations all decisions together had.
    looked_at: usize,
}

impl<M: Model> Shrinker<'_, '_, '_, M> {
    /// The operations, in order of their calls. The culprit is one in any case.
    fn shrink(&mut self, culprit: usize) -> Vec<usize> {
        let returned = self.known.iter().filter(|item| item.has_returned());
        let others = returned.map(|item| item.operation).filter(|&operation| operation != culprit);
        let mut kept: Vec<usize> = others.collect();
        let mut size = kept.len().next_power_of_two();
        loop {
            kept = self.without_groups(kept, size, culprit);
            if size <= 1 {
                break;
            }
            size /= 2;
        }
        kept.push(culprit);
        kept.sort_unstable();
        let is_kept = |item: &&Item<M>| kept.binary_search(&item.operation).is_ok();
        self.known.iter().filter(is_kept).map(|item| item.operation).collect()
    }

    /// Leaves out each group of this size without which there is no order either.
    fn without_groups(&mut self, mut kept: Vec<usize>, size: usize, culprit: usize) -> Vec<usize> {
        let mut from = 0;
        while from < kept.len() {
            let to = (from + size).min(kept.len());
            let rest = [&kept[..from], &kept[to..], &[culprit]].concat();
            match self.is_impossible(&rest) {
                Some(true) => {
                    kept.drain(from..to);
                }
                Some(false) => from = to,
                None => {
                    // What a group of one could not tell, a smaller rest cannot make up for.
                    self.minimal &= size > 1;
                    from = to;
                }
            }
        }
        kept
    }

    /// Whether these have no order if the others never returned.
    fn is_impossible(&mut self, kept: &[usize]) -> Option<bool> {
        let mut is_kept = kept.to_vec();
        is_kept.sort_unstable();
        let is_kept = |item: &Item<M>| is_kept.binary_search(&item.operation).is_ok();
        let items = self.known.iter();
        let items: Vec<_> =
            items.map(|item| if is_kept(item) { *item } else { item.forgotten() }).collect();
        self.looked_at += items.len();
        if self.looked_at > MOST_LOOKED_AT {
            return None;
        }
        let left = self.end.saturating_sub(self.decider.work.steps);
        let limits = Limits { steps: left / 16, ..self.limits };
        match self.decider.decide(&items, &limits) {
            Decided::Order(_) => Some(false),
            Decided::Impossible { .. } => Some(true),
            Decided::Stopped { .. } => None,
        }
    }
}

/// The longest order with each operation, each order once, longest first.
fn longest_orders<M: Model>(
    decider: &mut Decider<M>,
    known: &[Item<M>],
    limits: &Limits,
) -> Vec<Vec<usize>> {
    let operations = known.iter().map(|item| item.operation).max().map_or(0, |last| last + 1);
    let mut longest = Longest { with: vec![None; operations], order: Vec::new(), work: 0 };
    decider.search(known, limits, &mut longest);
    let mut orders: Vec<Rc<[usize]>> = Vec::new();
    for order in longest.with.into_iter().flatten() {
        if !orders.iter().any(|other| Rc::ptr_eq(other, &order)) {
            orders.push(order);
        }
    }
    orders.sort_by_key(|order| std::cmp::Reverse(order.len()));
    orders.iter().map(|order| order.to_vec()).collect()
}

/// Keeps the longest order with each operation.
struct Longest {
    with: Vec<Option<Rc<[usize]>>>,
    order: Vec<usize>,
    work: usize,
}

impl Observer for Longest {
    fn dead_end(&mut self, order: &mut dyn ExactSizeIterator<Item = usize>) -> bool {
        self.order.clear();
        self.order.extend(order);
        self.work += self.order.len() + 1;
        let length = self.order.len();
        let mut shared: Option<Rc<[usize]>> = None;
        for &operation in &self.order {
            let longest = &mut self.with[operation];
            if longest.as_ref().is_none_or(|longest| longest.len() < length) {
                let shared = shared.get_or_insert_with(|| self.order.as_slice().into());
                *longest = Some(Rc::clone(shared));
            }
        }
        self.work < LONGEST_WORK
    }
}
