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

/// So many operations are few: if more are needed to show a violation with the first return with which it is certain,
/// few are looked for that show it with a later one. Of a queue, whoever took out a value too early may be wrong only
/// because of all that was put in and taken out before; with the next one that comes out, three operations tell it.
const FEW: usize = 16;

/// About how many operations of dead ends are looked at for the longest orders. It bounds what an
/// explanation takes, whatever the limits.
const LONGEST_WORK: usize = 20_000_000;

/// What each part of an explanation may take in steps, besides a multiple of what the decision took:
/// nobody waits for minutes to know more exactly what was known in a second.
const STEPS: u64 = 2_000_000;
const TIMES_DECISION: u64 = 4;

/// Its parts: the culprit, the fewest operations, the longest orders.
const PARTS: u64 = 3;

/// Explains it, within as many steps as the decision may have had, and fewer if it took few.
pub(crate) fn explain<M: Model>(
    decider: &mut Decider<M>,
    key: &M::Key,
    items: &[Item<M>],
    culprit: Option<usize>,
    limits: &Limits,
) -> Violation<M::Key> {
    let steps = steps_of_a_part(limits.steps, decider.work.steps);
    let limits = Limits { steps, ..*limits };
    let (mut culprit, is_first) = first_culprit(decider, items, culprit, &limits);
    let end_of = |operation: usize| {
        items.iter().find(|item| item.operation == operation).expect("it is one of them").end
    };
    let mut known = up_to(items, end_of(culprit));
    let mut shrinker = Shrinker {
        end: decider.work.steps + steps,
        decider,
        known: &known,
        operations: bound(items),
        limits,
        minimal: true,
        may_look_at: MOST_LOOKED_AT,
    };
    let mut kept = shrinker.shrink(Some(culprit), FEW);
    if kept.as_ref().is_none_or(|kept| kept.len() > FEW)
        && let Some(few) = shrinker.few_of(items)
    {
        kept = Some(few);
    }
    let mut kept = kept.unwrap_or_else(|| {
        shrinker.minimal = true;
        let whole = shrinker.shrink(Some(culprit), usize::MAX);
        whole.expect("there is no limit")
    });
    if !is_first && kept.contains(&culprit) {
        shrinker.try_without(culprit, &mut kept);
    }
    let minimal = shrinker.minimal;
    // Until here there may be an order of all.
    let mut certain = end_of(culprit);
    if !kept.contains(&culprit) || kept.iter().any(|&kept| end_of(kept) > certain) {
        // With the last of those that are left it is certain by them alone.
        culprit = kept.iter().copied().max_by_key(|&kept| end_of(kept)).unwrap_or(culprit);
        certain = certain.min(end_of(culprit));
        known = up_to(items, end_of(culprit));
    }
    let mut orders = longest_orders(decider, &known, &limits);
    // A way that needs no search may know one that the search does not come to.
    let before = up_to(items, certain.saturating_sub(1));
    if let Decided::Order(order) = decider.decide(&before, &limits)
        && orders.first().map_or(0, Vec::len) < order.len()
    {
        orders.insert(0, order);
    }
    Violation { key: key.clone(), culprit, operations: kept, minimal, orders }
}

/// Of what a decision may take, and of what it took.
fn steps_of_a_part(limit: u64, decision: u64) -> u64 {
    (limit / PARTS).min(STEPS + TIMES_DECISION * decision)
}

/// The operation with whose return it became certain, and whether it is known to be that one. If the
/// limits are reached, it may be a later one.
///
/// `not_before` is the return that no order of *all* operations reaches. Up to there there may be an
/// order in which an operation under way has another output than it had in the end.
fn first_culprit<M: Model>(
    decider: &mut Decider<M>,
    items: &[Item<M>],
    not_before: Option<usize>,
    limits: &Limits,
) -> (usize, bool) {
    let mut ends: Vec<_> = items.iter().filter(|item| item.has_returned()).collect();
    ends.sort_unstable_by_key(|item| item.end);
    let first = ends.iter().position(|item| Some(item.operation) == not_before).unwrap_or(0);
    let ends = &ends[first..];
    let end = decider.work.steps + limits.steps;
    // The last return up to which an order was found.
    let mut ordered = 0;
    let mut is_open = |item: &&Item<M>| {
        let known = up_to(items, item.end);
        let left = Limits { steps: end.saturating_sub(decider.work.steps), ..*limits };
        match decider.decide(&known, &left) {
            Decided::Impossible { .. } => false,
            Decided::Order(_) => {
                ordered = ordered.max(item.end);
                true
            }
            // Nobody knows. A later one is right too, if not the first.
            Decided::Stopped { .. } => true,
        }
    };
    if not_before.is_some() && !is_open(&ends[0]) {
        return (ends[0].operation, true);
    }
    // Whoever knows more knows what was known before: there is one place where it changes.
    let place = ends.partition_point(is_open).min(ends.len() - 1);
    let is_first = place == 0 || ends[place - 1].end <= ordered;
    (ends[place].operation, is_first)
}

/// Looks for few operations that have no order if the others never returned.
struct Shrinker<'a, 'd, 'i, M: Model> {
    decider: &'a mut Decider<'d, M>,
    known: &'a [Item<'i, M>],
    /// More than each of their places in the history.
    operations: usize,
    /// The steps at which it stops.
    end: u64,
    limits: Limits,
    minimal: bool,
    /// How many operations all decisions that are still to come may have together.
    may_look_at: usize,
}

impl<'a, 'i, M: Model> Shrinker<'a, '_, 'i, M> {
    /// The operations, in order of their calls; nothing as soon as it is certain that they are more than `most`.
    ///
    /// The culprit, if there is one, is among them in any case: if it is the first, there is an order without it.
    /// Without one the last to return are the first to be left out, so that what is left is certain soon.
    fn shrink(&mut self, culprit: Option<usize>, most: usize) -> Option<Vec<usize>> {
        let returned = self.known.iter().filter(|item| item.has_returned());
        let mut others: Vec<_> =
            returned.filter(|item| Some(item.operation) != culprit).copied().collect();
        if culprit.is_none() {
            others.sort_unstable_by_key(|item| std::cmp::Reverse(item.end));
        }
        let mut kept: Vec<usize> = others.into_iter().map(|item| item.operation).collect();
        let mut size = kept.len().next_power_of_two();
        loop {
            kept = self.without_groups(kept, size, culprit, most)?;
            if size <= 1 {
                break;
            }
            size /= 2;
        }
        kept.extend(culprit);
        kept.sort_unstable();
        let is_kept = |item: &&Item<M>| kept.binary_search(&item.operation).is_ok();
        Some(self.known.iter().filter(is_kept).map(|item| item.operation).collect())
    }

    /// Few of all these that have no order, with whichever return, if some are found.
    fn few_of(&mut self, all: &'a [Item<'i, M>]) -> Option<Vec<usize>> {
        let (known, minimal) = (self.known, self.minimal);
        (self.known, self.minimal) = (all, true);
        let few = self.shrink(None, FEW).filter(|few| few.len() <= FEW);
        if few.is_none() {
            self.minimal = minimal;
        }
        self.known = known;
        few
    }

    /// Leaves this one out of all that are kept, if there is no order without it either.
    fn try_without(&mut self, operation: usize, kept: &mut Vec<usize>) {
        let rest: Vec<usize> = kept.iter().copied().filter(|&kept| kept != operation).collect();
        match self.is_impossible(&rest) {
            Some(true) => *kept = rest,
            Some(false) => {}
            None => self.minimal = false,
        }
    }

    /// Leaves out each group of this size without which there is no order either. Nothing as soon as it is certain that
    /// more than `most` remain in the end: some of each group that is needed.
    fn without_groups(
        &mut self,
        mut kept: Vec<usize>,
        size: usize,
        culprit: Option<usize>,
        most: usize,
    ) -> Option<Vec<usize>> {
        let mut from = 0;
        let mut needed = usize::from(culprit.is_some());
        while from < kept.len() {
            let to = (from + size).min(kept.len());
            let rest = [&kept[..from], &kept[to..], culprit.as_slice()].concat();
            match self.is_impossible(&rest) {
                Some(true) => {
                    kept.drain(from..to);
                }
                Some(false) => {
                    needed += 1;
                    if needed > most {
                        return None;
                    }
                    from = to;
                }
                None => {
                    // What a group of one could not tell, a smaller rest cannot make up for.
                    self.minimal &= size > 1;
                    from = to;
                }
            }
        }
        Some(kept)
    }

    /// Whether these have no order if the others never returned.
    fn is_impossible(&mut self, kept: &[usize]) -> Option<bool> {
        self.may_look_at = self.may_look_at.checked_sub(self.known.len())?;
        let mut is_kept = vec![false; self.operations];
        kept.iter().for_each(|&operation| is_kept[operation] = true);
        let of = |item: &Item<'i, M>| match is_kept[item.operation] {
            true => *item,
            false => item.forgotten(),
        };
        let items: Vec<_> = self.known.iter().map(of).collect();
        let left = self.end.saturating_sub(self.decider.work.steps);
        let limits = Limits { steps: left / 16, ..self.limits };
        match self.decider.decide(&items, &limits) {
            Decided::Order(_) => Some(false),
            Decided::Impossible { .. } => Some(true),
            Decided::Stopped { .. } => None,
        }
    }
}

/// More than each of these operations' places in the history.
fn bound<M: Model>(items: &[Item<M>]) -> usize {
    items.iter().map(|item| item.operation).max().map_or(0, |last| last + 1)
}

/// The longest order with each operation, each order once, longest first.
fn longest_orders<M: Model>(
    decider: &mut Decider<M>,
    known: &[Item<M>],
    limits: &Limits,
) -> Vec<Vec<usize>> {
    let with = vec![None; bound(known)];
    let mut longest = Longest { with, order: Vec::new(), left: LONGEST_WORK };
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
    /// How many operations of dead ends may still be looked at.
    left: usize,
}

impl Observer for Longest {
    fn dead_end(&mut self, order: &mut dyn ExactSizeIterator<Item = usize>) -> bool {
        self.order.clear();
        self.order.extend(order);
        let length = self.order.len();
        let mut shared: Option<Rc<[usize]>> = None;
        for &operation in &self.order {
            let longest = &mut self.with[operation];
            if longest.as_ref().is_none_or(|longest| longest.len() < length) {
                let shared = shared.get_or_insert_with(|| self.order.as_slice().into());
                *longest = Some(Rc::clone(shared));
            }
        }
        // One more: an order without operations is looked at too.
        self.left = self.left.saturating_sub(length + 1);
        self.left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Means, Work};
    use crate::history::{History, Operation};
    use crate::models::{
        CasInput, CasOutput, CasRegister, Register, RegisterInput, RegisterOutput,
    };
    use crate::part::split;

    /// Four operations under way at once that all found 0, and changed it: at most one can be right.
    fn swaps() -> History<CasInput<u8>, CasOutput<u8>> {
        let swap = |client: u8| {
            let input = CasInput::Cas { from: 0, to: client + 1 };
            Operation::new(
                client.into(),
                0,
                input,
                10 + u64::from(client),
                CasOutput::Swapped(true),
            )
        };
        History::new(vec![swap(0), swap(1), swap(2), swap(3)]).unwrap()
    }

    /// Runs with a shrinker that knows of all operations and may do so much.
    fn shrinks<R>(
        steps: u64,
        may_look_at: usize,
        run: impl FnOnce(&mut Shrinker<CasRegister<u8>>) -> R,
    ) -> R {
        let (model, history) = (CasRegister { initial: 0 }, swaps());
        let known = split(&model, &history).remove(0).1;
        let means = [Means::Search];
        let mut decider = Decider { model: &model, means: &means, work: Work::default() };
        let limits = Limits { steps, ..Limits::default() };
        run(&mut Shrinker {
            decider: &mut decider,
            known: &known,
            operations: bound(&known),
            end: steps,
            limits,
            minimal: true,
            may_look_at,
        })
    }

    fn shrunk(shrinker: &mut Shrinker<CasRegister<u8>>, culprit: usize) -> Vec<usize> {
        shrinker.shrink(Some(culprit), usize::MAX).expect("there is no limit")
    }

    #[test]
    fn each_part_has_a_third_of_the_steps_and_fewer_if_the_decision_took_few() {
        assert_eq!(steps_of_a_part(30, 1_000), 10);
        assert_eq!(steps_of_a_part(u64::MAX, 0), 2_000_000);
        assert_eq!(steps_of_a_part(u64::MAX, 1_000_000), 6_000_000);
        assert_eq!(steps_of_a_part(18_000_000, 1_000_000), 6_000_000);
        assert_eq!(steps_of_a_part(17_999_997, 1_000_000), 5_999_999);
    }

    #[test]
    fn any_two_that_found_the_same_are_the_fewest() {
        let fewest = |culprit| {
            shrinks(10_000, 1_000, |shrinker| (shrunk(shrinker, culprit), shrinker.minimal))
        };
        assert_eq!(fewest(1), (vec![1, 3], true));
        assert_eq!(fewest(0), (vec![0, 3], true));
        assert_eq!(fewest(3), (vec![2, 3], true));
    }

    #[test]
    fn who_wants_fewer_than_are_needed_is_told_so() {
        for culprit in [Some(3), None] {
            let most = |most| shrinks(10_000, 1_000, |shrinker| shrinker.shrink(culprit, most));
            assert_eq!(most(1), None);
            assert_eq!(most(2).map(|kept| kept.len()), Some(2));
        }
    }

    #[test]
    fn a_set_counts_as_smallest_if_each_single_operation_was_decided() {
        // Nothing may be asked, so nothing is left out.
        let ended = |size| {
            shrinks(0, 1_000, |shrinker| {
                let kept = shrinker.without_groups(vec![0, 1, 2], size, Some(3), usize::MAX);
                (kept.expect("there is no limit"), shrinker.minimal)
            })
        };
        assert_eq!(ended(1), (vec![0, 1, 2], false));
        // Of groups of two each operation is tried once more.
        assert_eq!(ended(2), (vec![0, 1, 2], true));
    }

    #[test]
    fn a_decision_may_take_a_sixteenth_of_the_steps_that_are_left() {
        // Writes all at once, and a value that nobody wrote: far more to try than that.
        let write = |n: u8| {
            let input = RegisterInput::Write(n);
            Operation::new(n.into(), 0, input, 10, RegisterOutput::Written)
        };
        let read = Operation::new(99, 0, RegisterInput::Read, 10, RegisterOutput::Value(99));
        let history = History::new((1..=12).map(write).chain([read]).collect()).unwrap();
        let model = Register { initial: 0 };
        let known = split(&model, &history).remove(0).1;
        let means = [Means::Search];
        let mut decider = Decider { model: &model, means: &means, work: Work::default() };
        let mut shrinker = Shrinker {
            decider: &mut decider,
            known: &known,
            operations: bound(&known),
            end: 16_000,
            limits: Limits::default(),
            minimal: true,
            may_look_at: 1_000,
        };
        let all: Vec<usize> = (0..13).collect();
        assert_eq!(shrinker.is_impossible(&all), None);
        let first = shrinker.decider.work.steps;
        assert_eq!(shrinker.is_impossible(&all), None);
        let second = shrinker.decider.work.steps - first;
        // What is asked for one move comes on top.
        assert!(
            (1_000..1_020).contains(&first) && (900..960).contains(&second),
            "{first}, {second}"
        );
    }

    #[test]
    fn what_may_be_looked_at_ends_an_explanation() {
        let fewest = |may_look_at| {
            shrinks(10_000, may_look_at, |shrinker| (shrunk(shrinker, 3), shrinker.minimal))
        };
        // Four decisions of four operations: all three others at once, two, the third, and once more
        // by itself.
        assert_eq!(fewest(16), (vec![2, 3], true));
        assert_eq!(fewest(15), (vec![2, 3], false), "the last one was not decided");
        assert_eq!(fewest(3), (vec![0, 1, 2, 3], false));
    }

    #[test]
    fn dead_ends_are_looked_at_as_long_as_there_is_work_left() {
        let mut longest = Longest { with: vec![None; 4], order: Vec::new(), left: 7 };
        let mut dead_end = |order: &[usize]| longest.dead_end(&mut order.iter().copied());
        assert!(dead_end(&[0]) && dead_end(&[]) && dead_end(&[1, 0]));
        // Now one is left, and each counts one more than its operations.
        assert!(!dead_end(&[]));
        assert!(!dead_end(&[2, 1, 0]));
        let with: Vec<_> = longest.with.iter().map(|order| order.as_deref()).collect();
        let last = Some(&[2, 1, 0][..]);
        assert_eq!(with, [last, last, last, None], "what was seen counts all the same");
    }
}
