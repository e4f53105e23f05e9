//! Queues of distinct values, decided without a search.
//!
//! A search has to guess in which order values went in that were enqueued at one time, and learns only when they come
//! out whether that was right. But what came out, and when, is known from the beginning. After Henzinger, Sezgin and
//! Vafeiadis, "Aspect-oriented linearizability proofs" (2013), a queue is right if and only if
//!
//! 1. every value that came out was enqueued, and came out once;
//! 2. no value went in wholly before another one and came out wholly after it, or not at all;
//! 3. a dequeue that found nothing had a moment at which no value was certainly in the queue.
//!
//! If these hold, values are put in an order that goes with both, and each takes effect as early as it can. The order of
//! operations that comes of it is looked at before anybody believes it: so where the choice of moments below is not the
//! best, a search follows, and nothing wrong is said.
//!
//! Dequeues that never returned may have taken any value out, at any time after their call. They get those values that
//! must have come out and were not seen to, in order of the time by which they had to.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hash;

use rustc_hash::FxHashMap;

use super::queue::{QueueInput, QueueOutput};
use crate::model::{Known, Seen};

/// Moments from the first to the last one, both included. There is one after each call and each return, and between two
/// of them there is room for the dequeues that found nothing; see [`Moments`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: u64,
    last: u64,
}

/// Comes after all others.
const NEVER: u64 = u64::MAX;

impl Span {
    fn is_empty(self) -> bool {
        self.first > self.last
    }
}

/// A value that went in.
struct Value {
    /// The place of its enqueue, and when it may have taken effect.
    enqueue: usize,
    goes_in: Span,
    /// The same of its dequeue, if one has it.
    dequeue: Option<usize>,
    comes_out: Span,
}

impl Value {
    /// Nothing comes out before it is in, and it is in when it comes out. False if that cannot be.
    fn tighten(&mut self) -> bool {
        self.goes_in.last = self.goes_in.last.min(self.comes_out.last);
        self.comes_out.first = self.comes_out.first.max(self.goes_in.first);
        !self.goes_in.is_empty() && !self.comes_out.is_empty()
    }
}

/// Decides it, if the values are distinct. It takes no longer than sorting does.
pub(super) fn decide<V: Eq + Hash>(
    operations: &[Seen<'_, QueueInput<V>, QueueOutput<V>>],
) -> Known {
    decide_and_count(operations).0
}

/// The same, and how often a value was looked at while the order was made.
fn decide_and_count<V: Eq + Hash>(
    operations: &[Seen<'_, QueueInput<V>, QueueOutput<V>>],
) -> (Known, usize) {
    let mut queued = match Queued::new(operations) {
        Ok(queued) => queued,
        Err(known) => return (known, 0),
    };
    let known = queued.order().map_or_else(|known| known, Known::Order);
    (known, queued.looked)
}

/// What is known of all values.
struct Queued {
    /// Those that certainly went in.
    values: Vec<Value>,
    /// Dequeues that found nothing: their places, and when that may have been.
    empty: Vec<(usize, Span)>,
    /// Dequeues that never returned: when they were called, and their places. The first ones first.
    open: Vec<(u64, usize)>,
    /// How many moments there are between two events.
    room: u64,
    /// How often a value was looked at while room was made and values were put in order.
    looked: usize,
}

/// A dequeue that found nothing, by its place, and when.
type Moments = Vec<(u64, usize)>;

impl Queued {
    fn new<V: Eq + Hash>(
        operations: &[Seen<'_, QueueInput<V>, QueueOutput<V>>],
    ) -> Result<Queued, Known> {
        use QueueInput::{Dequeue, Enqueue};
        use QueueOutput::{Dequeued, Enqueued};
        let found_nothing =
            |seen: &&Seen<'_, _, QueueOutput<V>>| matches!(seen.output, Some(Dequeued(None)));
        let room = 2 * operations.iter().filter(found_nothing).count() as u64 + 1;
        let (values, empty, open) = (Vec::new(), Vec::new(), Vec::new());
        let mut queued = Queued { values, empty, open, room, looked: 0 };
        let mut enqueues: FxHashMap<&V, Vec<usize>> = FxHashMap::default();
        let mut dequeues: FxHashMap<&V, Vec<usize>> = FxHashMap::default();
        for (place, seen) in operations.iter().enumerate() {
            let span = queued.span(seen.called, seen.returned);
            match (seen.input, seen.output) {
                (Enqueue(value), None | Some(Enqueued)) => {
                    enqueues.entry(value).or_default().push(place);
                }
                (Dequeue, Some(Dequeued(Some(value)))) => {
                    dequeues.entry(value).or_default().push(place);
                }
                (Dequeue, Some(Dequeued(None))) => queued.empty.push((place, span)),
                (Dequeue, None) => queued.open.push((span.first, place)),
                _ => return Err(Known::Nothing),
            }
        }
        // Which is asked first does not matter: one that is wrong is enough.
        let came_out_too_often =
            |(value, out): (&&V, &Vec<usize>)| out.len() > enqueues.get(*value).map_or(0, Vec::len);
        if dequeues.iter().any(came_out_too_often) {
            return Err(Known::Impossible);
        }
        if enqueues.values().any(|places| places.len() > 1) {
            return Err(Known::Nothing);
        }
        for (place, seen) in operations.iter().enumerate() {
            let Enqueue(value) = seen.input else { continue };
            let dequeue = dequeues.get(value).map(|places| places[0]);
            let comes_out = match dequeue.map(|place| &operations[place]) {
                Some(seen) => queued.span(seen.called, seen.returned),
                // Nobody saw it, and it need not have gone in at all.
                None if seen.returned.is_none() => continue,
                None => Span { first: NEVER, last: NEVER },
            };
            let goes_in = queued.span(seen.called, seen.returned);
            queued.values.push(Value { enqueue: place, goes_in, dequeue, comes_out });
        }
        Ok(queued)
    }

    /// All operations in an order, as places in the list.
    fn order(&mut self) -> Result<Vec<usize>, Known> {
        self.tighten()?;
        self.check_order()?;
        let moments = self.choose_moments()?;
        self.make_room(&moments)?;
        self.take_out()?;
        let order = self.values_in_order()?;
        self.operations_in_order(&order, &moments)
    }

    /// When an operation may have taken effect: after its call, and before its return.
    fn span(&self, called: u32, returned: Option<u32>) -> Span {
        let last = returned.map_or(NEVER - 1, |returned| u64::from(returned) * self.room - 1);
        Span { first: u64::from(called) * self.room, last }
    }

    fn tighten(&mut self) -> Result<(), Known> {
        match self.values.iter_mut().all(Value::tighten) {
            true => Ok(()),
            false => Err(Known::Impossible),
        }
    }

    /// For each dequeue that found nothing the first moment at which no value was certainly in the queue.
    fn choose_moments(&self) -> Result<Moments, Known> {
        // Who never returned may have taken anything out, from then on. It is not assumed to if that is not needed.
        let first_open = self.open.first().map_or(NEVER, |(called, _)| *called);
        let (all, fewest) = (self.certainly_in(NEVER), self.certainly_in(first_open));
        let mut moments = Moments::new();
        for &(place, span) in &self.empty {
            let between_events = all
                .first_free(span)
                .or_else(|| fewest.first_free(span))
                .ok_or(Known::Impossible)?;
            moments.push((between_events, place));
        }
        moments.sort_unstable();
        // Each has a moment of its own, with room before and after it.
        let mut in_a_row = 0;
        let mut last = None;
        for (moment, _) in &mut moments {
            in_a_row = if last == Some(*moment) { in_a_row + 1 } else { 0 };
            last = Some(*moment);
            *moment += 2 * in_a_row + 1;
        }
        Ok(moments)
    }

    /// When a value was certainly in the queue, if those that nobody took out were in it until then.
    fn certainly_in(&self, untaken_until: u64) -> Filled {
        let between_events = |moment: u64| moment / self.room;
        let of = |value: &Value| {
            let out = if value.dequeue.is_some() { value.comes_out.first } else { untaken_until };
            // Within one stretch between two events, the other operation may come first.
            let first = (between_events(value.goes_in.last) + 1).saturating_mul(self.room);
            let until = between_events(out).saturating_mul(self.room);
            (first < until).then(|| Span { first, last: until - 1 })
        };
        Filled::new(self.values.iter().filter_map(of).collect())
    }

    /// At each of these moments what has to be out is out, and what goes in later comes later.
    ///
    /// What is before one of them is before all later ones, and until then none matters to it but the last that it was
    /// not before. So each value is moved once.
    fn make_room(&mut self, moments: &Moments) -> Result<(), Known> {
        let mut by_last_in = self.sorted_by(|value| value.goes_in.last).peekable();
        let mut by_last_out = self.sorted_by(|value| value.comes_out.last).peekable();
        let mut is_before = vec![false; self.values.len()];
        // Of those before the moment: when the last one is in at the earliest, and when out. One that nobody was seen to
        // take out may come out as soon as it is in.
        let (mut latest_in, mut latest_out) = (0, 0);
        // What was not before an earlier moment goes in from here on.
        let mut from = 0;
        for &(moment, _) in moments {
            loop {
                // Whoever comes out before one of them is out, too.
                let until = moment.max(latest_in);
                let in_by = |place: &usize| self.values[*place].goes_in.last < until;
                let out_by = |place: &usize| self.values[*place].comes_out.last < latest_out;
                let next = by_last_in.next_if(in_by).or_else(|| by_last_out.next_if(out_by));
                let Some(place) = next else { break };
                self.looked += 1;
                if std::mem::replace(&mut is_before[place], true) {
                    continue;
                }
                let value = &mut self.values[place];
                value.goes_in.first = value.goes_in.first.max(from);
                if !value.tighten() {
                    return Err(Known::Nothing);
                }
                latest_in = latest_in.max(value.goes_in.first);
                if value.dequeue.is_some() {
                    latest_out = latest_out.max(value.comes_out.first);
                }
                value.comes_out.last = value.comes_out.last.min(moment - 1);
                // One that nobody took out by then was taken out by somebody who never returned.
                if value.dequeue.is_some() && !value.tighten() {
                    return Err(Known::Nothing);
                }
            }
            from = moment + 1;
        }
        for (value, _) in self.values.iter_mut().zip(is_before).filter(|(_, before)| !before) {
            value.goes_in.first = value.goes_in.first.max(from);
            if !value.tighten() {
                return Err(Known::Nothing);
            }
        }
        Ok(())
    }

    /// The places of all values in this order.
    fn sorted_by(&self, key: impl Fn(&Value) -> u64) -> std::vec::IntoIter<usize> {
        let mut places: Vec<usize> = (0..self.values.len()).collect();
        places.sort_by_key(|&place| key(&self.values[place]));
        places.into_iter()
    }

    /// By when those values have to come out that nobody was seen to take out, with their places; the most urgent first.
    /// Nothing if a value came out wholly after one that went in wholly after it.
    fn untaken(&self) -> Option<Vec<(u64, usize)>> {
        // By when they went in: the earliest last moment at which one of those from there on came out.
        let seen_out = self.values.iter().filter(|value| value.dequeue.is_some());
        let mut later: Vec<(u64, u64)> =
            seen_out.map(|value| (value.goes_in.first, value.comes_out.last)).collect();
        later.sort_unstable();
        for place in (1..later.len()).rev() {
            later[place - 1].1 = later[place - 1].1.min(later[place].1);
        }
        let mut untaken = Vec::new();
        for (place, value) in self.values.iter().enumerate() {
            let after = later.partition_point(|(first, _)| *first <= value.goes_in.last);
            let until = later.get(after).map_or(NEVER, |(_, last)| *last);
            if value.dequeue.is_some() {
                if value.comes_out.first > until {
                    return None;
                }
            } else if until.min(value.comes_out.last) < NEVER {
                untaken.push((until.min(value.comes_out.last), place));
            }
        }
        untaken.sort_unstable();
        Some(untaken)
    }

    /// The order of values is right, as far as what found the queue empty does not matter.
    fn check_order(&self) -> Result<(), Known> {
        let untaken = self.untaken().ok_or(Known::Impossible)?;
        // Who was called first takes what is most urgent: if that does not do, nothing does.
        let mut called = self.open.iter().map(|(called, _)| *called);
        match untaken.iter().all(|(until, _)| called.next().is_some_and(|called| called <= *until))
        {
            true => Ok(()),
            false => Err(Known::Impossible),
        }
    }

    /// Those that never returned take out what nobody was seen to take out and that has to be out.
    fn take_out(&mut self) -> Result<(), Known> {
        let mut open = self.open.iter();
        for (until, place) in self.untaken().ok_or(Known::Nothing)? {
            let &(called, dequeue) = open.next().ok_or(Known::Nothing)?;
            let value = &mut self.values[place];
            value.dequeue = Some(dequeue);
            value.comes_out = Span { first: called, last: until };
            if !value.tighten() {
                return Err(Known::Nothing);
            }
        }
        Ok(())
    }

    /// The values in an order that goes with when they went in and when they came out.
    fn values_in_order(&mut self) -> Result<Vec<usize>, Known> {
        let mut by_first = self.sorted_by(|value| value.goes_in.first).peekable();
        let mut by_last_in = self.sorted_by(|value| value.goes_in.last).peekable();
        let mut by_last_out = self.sorted_by(|value| value.comes_out.last).peekable();
        let mut is_placed = vec![false; self.values.len()];
        let mut order = Vec::with_capacity(self.values.len());
        // Those that may have gone in before the first that has to be in: until they may come out before the first that
        // has to be out, and from then on. That moment never falls, so each is moved once.
        let mut waiting = BinaryHeap::new();
        let mut candidates = BinaryHeap::new();
        while order.len() < self.values.len() {
            while by_last_in.next_if(|&place| is_placed[place]).is_some() {}
            while by_last_out.next_if(|&place| is_placed[place]).is_some() {}
            let last_in = by_last_in.peek().map_or(NEVER, |&at| self.values[at].goes_in.last);
            let last_out = by_last_out.peek().map_or(NEVER, |&at| self.values[at].comes_out.last);
            let may_be_first = |place: &usize| self.values[*place].goes_in.first <= last_in;
            while let Some(place) = by_first.next_if(may_be_first) {
                waiting.push(Reverse((self.values[place].comes_out.first, place)));
            }
            while let Some(&Reverse((first, place))) = waiting.peek()
                && first <= last_out
            {
                waiting.pop();
                self.looked += 1;
                candidates.push(Reverse((self.values[place].comes_out.last, place)));
            }
            let Some(Reverse((_, place))) = candidates.pop() else { return Err(Known::Nothing) };
            self.looked += 1;
            is_placed[place] = true;
            order.push(place);
        }
        Ok(order)
    }

    /// Each as early as it can.
    fn operations_in_order(&self, order: &[usize], moments: &Moments) -> Result<Vec<usize>, Known> {
        // At one moment: by the place in the queue, in before out.
        let mut all: Vec<((u64, usize, bool), usize)> = Vec::new();
        let (mut goes_in, mut comes_out) = (0, 0);
        for (number, &place) in order.iter().enumerate() {
            let value = &self.values[place];
            goes_in = value.goes_in.first.max(goes_in);
            all.push(((goes_in, number, false), value.enqueue));
            if let Some(dequeue) = value.dequeue {
                comes_out = value.comes_out.first.max(comes_out).max(goes_in);
                all.push(((comes_out, number, true), dequeue));
            }
        }
        all.extend(moments.iter().map(|&(moment, place)| ((moment, 0, false), place)));
        all.sort_unstable();
        Ok(all.into_iter().map(|(_, place)| place).collect())
    }
}

/// Stretches of time without gaps between them, in order.
struct Filled(Vec<Span>);

impl Filled {
    fn new(mut spans: Vec<Span>) -> Filled {
        spans.sort_unstable_by_key(|span| span.first);
        let mut filled: Vec<Span> = Vec::new();
        for span in spans {
            match filled.last_mut() {
                Some(last) if span.first <= last.last.saturating_add(1) => {
                    last.last = last.last.max(span.last);
                }
                _ => filled.push(span),
            }
        }
        Filled(filled)
    }

    /// The first moment of a span that is in none of them.
    fn first_free(&self, span: Span) -> Option<u64> {
        let after = self.0.partition_point(|filled| filled.last < span.first);
        match self.0.get(after) {
            Some(filled) if filled.first <= span.first => {
                (filled.last < span.last).then(|| filled.last + 1)
            }
            _ => Some(span.first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::QueueInput::{Dequeue, Enqueue};
    use super::QueueOutput::{Dequeued, Enqueued};
    use super::*;

    type Operation = (QueueInput<u32>, Option<QueueOutput<u32>>);

    /// One after the other; those without an output never return.
    fn decide_in_turn(operations: &[Operation]) -> (Known, usize) {
        let mut seen = Vec::new();
        for ((input, output), called) in operations.iter().zip((0..).step_by(2)) {
            let returned = output.as_ref().map(|_| called + 1);
            seen.push(Seen { input, output: output.as_ref(), called, returned });
        }
        decide_and_count(&seen)
    }

    #[test]
    fn enqueues_that_never_returned_cost_no_more_than_others() {
        let many = 100_000;
        let enqueues = (0..many).map(|value| (Enqueue(value), None));
        let dequeues = (0..many).map(|value| (Dequeue, Some(Dequeued(Some(value)))));
        let operations: Vec<_> = enqueues.chain(dequeues).collect();
        let (known, looked) = decide_in_turn(&operations);
        let Known::Order(order) = known else { panic!("{known:?}") };
        assert_eq!(order.len(), operations.len());
        assert!(looked <= 3 * many as usize, "{looked} looks at {many} values");
    }

    #[test]
    fn dequeues_that_found_nothing_do_not_have_all_values_looked_at() {
        let many = 20_000;
        let nothing = (Dequeue, Some(Dequeued(None)));
        let empty = (0..many).map(|_| nothing.clone());
        let pass =
            |value| [(Enqueue(value), Some(Enqueued)), (Dequeue, Some(Dequeued(Some(value))))];
        let between = (0..many).flat_map(|value| pass(value).into_iter().chain([nothing.clone()]));
        let operations: Vec<_> = empty.clone().chain(between).chain(empty.clone()).collect();
        let (known, looked) = decide_in_turn(&operations);
        let Known::Order(order) = known else { panic!("{known:?}") };
        assert!(order.iter().copied().eq(0..operations.len()), "there is one order only");
        assert!(looked <= 4 * many as usize, "{looked} looks at {many} values");
    }
}
