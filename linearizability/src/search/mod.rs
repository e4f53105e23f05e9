//! Trying orders: Wing and Gong's search with Lowe's cache.
//!
//! From each point of an order, each operation under way may come next if the model agrees. What was
//! tried is never tried again ([`seen`]). Four things keep the number of points small:
//!
//! - An operation that only reads and fits is placed at once, without an alternative: it changes
//!   nothing, so whatever is possible without it is possible after it.
//! - Of those under way, the one that returns first is tried first.
//! - Operations that never returned are tried last, and of several that ask for the same only the one
//!   that was called first.
//! - A point is also known if fewer of these led to the same.
//!
//! States have numbers ([`states`]), so going back is setting a number, and no state is copied.

mod bits;
mod optional;
mod place;
mod seen;
pub(crate) mod states;
mod uses;

use std::cell::Cell;

use bits::Bits;
use optional::Optional;
use place::Place;
use seen::Seen;
use states::States;

use crate::answer::{Limits, Stopped};
use crate::model::{Model, Step};
use crate::part::Item;

/// How many words of a table are looked at, and how many operations that never returned, in about the time of a step
/// of a model with a small state. Mostly there are far fewer than that for each step; if there are not, they count, so
/// that the limit in steps bounds what a search takes.
const WORDS_OF_A_STEP: u64 = 128;
const LOOKS_OF_A_STEP: u64 = 32;

/// The part of the steps in which a search should come to its end if it is not a hard one.
const SOON: u64 = 16;

/// How many operations that never returned may take effect at most, one search after the other, each with half of that.
const FEW: [usize; 6] = [0, 1, 2, 3, 5, 8];

/// What the search came to.
pub(crate) enum Found {
    /// An order, as places in the history.
    Order(Vec<usize>),
    /// There is none. This is the operation whose return no order reaches.
    Impossible {
        culprit: usize,
    },
    Stopped(Stopped),
}

/// A search that is over.
pub(crate) struct Searched {
    pub(crate) found: Found,
    pub(crate) steps: u64,
    pub(crate) bytes: u64,
    /// How many operations the longest order had.
    pub(crate) longest: usize,
}

/// Is told of each order that cannot be continued.
pub(crate) trait Observer {
    /// The order, as places in the history. False ends the search, as if its steps were used up.
    fn dead_end(&mut self, order: &mut dyn ExactSizeIterator<Item = usize>) -> bool;
}

/// Watches nothing.
pub(crate) struct Nobody;

impl Observer for Nobody {
    fn dead_end(&mut self, _: &mut dyn ExactSizeIterator<Item = usize>) -> bool {
        true
    }
}

/// Searches for an order of these operations of one object, which stand in order of their calls.
pub(crate) fn search<M: Model>(
    model: &M,
    items: &[Item<M>],
    limits: &Limits,
    observer: &mut dyn Observer,
) -> Searched {
    let mut search = Search::new(model, items, limits);
    let found = search.run(observer);
    search.searched(found)
}

/// The same in a way that comes to an answer where there are many operations that never returned: an order may need one
/// of them, and a search that tries all of them one after the other does not come to it. If it has not come to an end
/// soon, orders are tried first in which few of them took effect.
pub(crate) fn search_soon<M: Model>(model: &M, items: &[Item<M>], limits: &Limits) -> Searched {
    let limited = |steps| Limits { steps, ..*limits };
    if items.iter().all(Item::has_returned) {
        return search(model, items, limits, &mut Nobody);
    }
    let mut searched = search(model, items, &limited(limits.steps / SOON), &mut Nobody);
    if !matches!(searched.found, Found::Stopped(_)) {
        return searched;
    }
    for most in FEW {
        let limits = limited(limits.steps / SOON / 2);
        let mut search = Search { most, ..Search::new(model, items, &limits) };
        let found = search.run(&mut Nobody);
        // None was left out for being one too many: then nothing is left to try.
        let is_whole = !search.left_out.get();
        let tried = search.searched(found);
        let decides = match &tried.found {
            Found::Order(_) => true,
            Found::Impossible { .. } => is_whole,
            Found::Stopped(_) => false,
        };
        searched = searched.and(tried, decides);
        if decides {
            return searched;
        }
    }
    match searched.found {
        Found::Stopped(Stopped::Steps) => {
            let left = limits.steps.saturating_sub(searched.steps);
            let last = search(model, items, &limited(left), &mut Nobody);
            searched.and(last, true)
        }
        // Nor would it have more memory now.
        _ => searched,
    }
}

impl Searched {
    /// What both did together; with what the other one found, if that counts.
    fn and(self, other: Searched, counts: bool) -> Searched {
        Searched {
            found: if counts { other.found } else { self.found },
            steps: self.steps + other.steps,
            bytes: self.bytes.max(other.bytes),
            longest: self.longest.max(other.longest),
        }
    }
}

struct Search<'a, M: Model> {
    model: &'a M,
    limits: &'a Limits,
    /// What must be ordered, in order of the returns.
    items: Vec<Item<'a, M>>,
    /// Which of them only read.
    reads: Vec<bool>,
    /// What never returned.
    optional: Optional<'a, M>,
    /// How many of these may be used at one time, and whether there was one too many.
    most: usize,
    left_out: Cell<bool>,
    place: Place,
    states: States<M::State>,
    state: u32,
    seen: Seen,
    /// The order so far.
    moves: Vec<Move>,
    /// How often the model was asked for a step.
    asked: u64,
    state_bytes: u64,
    /// The length of the longest order.
    longest: usize,
    /// The furthest frontier, and its operation.
    furthest: (usize, u32),
}

/// In order of their returns. Keys of one word are sorted much faster than the operations themselves.
fn by_return<'a, M: Model>(items: Vec<Item<'a, M>>) -> Vec<Item<'a, M>> {
    let mut keys: Vec<u64> =
        (0..).zip(&items).map(|(place, item)| u64::from(item.end) << 32 | place).collect();
    keys.sort_unstable();
    keys.iter().map(|key| items[*key as u32 as usize]).collect()
}

/// Something that may come next: one of the items, or, from their number on, a class of operations
/// that never returned.
type Choice = u32;

/// Something that came next.
#[derive(Clone, Copy)]
struct Move {
    choice: Choice,
    /// Which of the states it may leave.
    outcome: u32,
    /// How many those are.
    outcomes: u32,
    /// There is no need to try anything else instead.
    only: bool,
    /// The frontier and the state before.
    at: usize,
    state: u32,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M, all: &[Item<'a, M>], limits: &'a Limits) -> Search<'a, M> {
        debug_assert!(all.is_sorted_by_key(|item| item.call));
        let items = by_return(all.iter().copied().filter(Item::has_returned).collect());
        let optional = Optional::new(model, all);
        let place = Place::new(&items);
        let mut states = States::new();
        let initial = model.initial();
        let state_bytes = (model.state_bytes(&initial) + states::OVERHEAD) as u64;
        let (state, _) = states.number(initial);
        Search {
            model,
            limits,
            reads: items.iter().map(|item| model.reads_only(item.input, item.output)).collect(),
            seen: Seen::new(place.done().words().len(), optional.used().words().len()),
            items,
            optional,
            most: usize::MAX,
            left_out: Cell::new(false),
            place,
            states,
            state,
            moves: Vec::new(),
            asked: 0,
            state_bytes,
            longest: 0,
            furthest: (0, 0),
        }
    }

    fn run(&mut self, observer: &mut dyn Observer) -> Found {
        loop {
            self.place_reads();
            self.note_progress();
            if self.place.is_done() {
                return Found::Order(self.order().collect());
            }
            if self.steps() > self.limits.steps {
                return Found::Stopped(Stopped::Steps);
            }
            let mut next = self.is_new().then(|| self.next_move(None)).flatten();
            if next.is_none() && !observer.dead_end(&mut self.order()) {
                return Found::Stopped(Stopped::Steps);
            }
            loop {
                if let Some(stopped) = self.stopped() {
                    return Found::Stopped(stopped);
                }
                if let Some(next) = next {
                    self.make(next);
                    break;
                }
                let Some(last) = self.take_back() else {
                    let culprit = self.items[self.furthest.1 as usize].operation;
                    return Found::Impossible { culprit };
                };
                next = self.next_move(Some(last));
            }
        }
    }

    /// Places what only reads and fits, until nothing does, or the steps are used up.
    fn place_reads(&mut self) {
        while self.steps() <= self.limits.steps
            && let Some(choice) = self.next_read()
        {
            self.moves.push(Move {
                choice,
                outcome: 0,
                outcomes: 1,
                only: true,
                at: self.place.at(),
                state: self.state,
            });
            self.place.order(choice);
        }
    }

    fn next_read(&mut self) -> Option<Choice> {
        let state = self.states.get(self.state);
        self.place.candidates().filter(|&item| self.reads[item as usize]).find(|&item| {
            let Item { input, output, .. } = self.items[item as usize];
            self.asked += 1;
            self.model.step(state, input, output) == Step::Unchanged
        })
    }

    /// The next move after this one, from where it was made.
    fn next_move(&mut self, last: Option<Move>) -> Option<(Move, u32)> {
        if let Some(last) = last.filter(|last| last.outcome + 1 < last.outcomes) {
            return self.try_choice(last.choice, last.outcome + 1);
        }
        let mut after = last.map(|last| last.choice);
        loop {
            let choice = self.next_choice(after)?;
            if let Some(found) = self.try_choice(choice, 0) {
                return Some(found);
            }
            after = Some(choice);
        }
    }

    /// The choice after this one.
    fn next_choice(&self, after: Option<Choice>) -> Option<Choice> {
        let from = after.map_or(0, |after| after + 1);
        let items = self.items.len() as u32;
        if from < items {
            let next = self.place.candidates().filter(|&item| item >= from).min();
            if next.is_some() {
                return next;
            }
        }
        let frontier = self.items[self.place.first()? as usize].end;
        let class = self.optional.next_class(from.saturating_sub(items), frontier)?;
        if self.optional.count() >= self.most {
            self.left_out.set(true);
            return None;
        }
        Some(items + class)
    }

    /// The move of this choice to its outcome of this number, and the state that it leads to.
    fn try_choice(&mut self, choice: Choice, outcome: u32) -> Option<(Move, u32)> {
        let (input, output) = match self.items.get(choice as usize) {
            Some(item) => (item.input, item.output),
            None => (self.optional.input(choice - self.items.len() as u32), None),
        };
        self.asked += 1;
        let before = self.state;
        let step = self.model.step(self.states.get(before), input, output);
        let (after, outcomes) = match step {
            Step::Impossible => return None,
            Step::Unchanged => (before, 1),
            Step::To(next) => (self.number(next), 1),
            Step::ToAny(any) => {
                let outcomes = any.len() as u32;
                (self.number(any.into_iter().nth(outcome as usize)?), outcomes)
            }
        };
        let at = self.place.at();
        let made = Move { choice, outcome, outcomes, only: false, at, state: before };
        Some((made, after))
    }

    fn number(&mut self, state: M::State) -> u32 {
        let bytes = self.model.state_bytes(&state) + states::OVERHEAD;
        let (number, is_new) = self.states.number(state);
        if is_new {
            self.state_bytes += bytes as u64;
        }
        number
    }

    fn make(&mut self, (made, after): (Move, u32)) {
        self.moves.push(made);
        self.state = after;
        match made.choice.checked_sub(self.items.len() as u32) {
            None => self.place.order(made.choice),
            Some(class) => self.optional.take(class),
        }
    }

    /// Goes back to the last point with an alternative, and gives the move that was made there.
    fn take_back(&mut self) -> Option<Move> {
        loop {
            let last = self.moves.pop()?;
            self.state = last.state;
            match last.choice.checked_sub(self.items.len() as u32) {
                None => self.place.take_back(last.choice, last.at),
                Some(class) => self.optional.take_back(class),
            }
            if !last.only {
                return Some(last);
            }
        }
    }

    fn is_new(&mut self) -> bool {
        let (done, used) = (self.place.done(), self.optional.used());
        self.seen.is_new(self.place.at(), self.state, done.words(), used.words())
    }

    fn note_progress(&mut self) {
        self.longest = self.longest.max(self.moves.len());
        if let Some(first) = self.place.first()
            && self.place.at() >= self.furthest.0
        {
            self.furthest = (self.place.at(), first);
        }
    }

    fn stopped(&self) -> Option<Stopped> {
        if self.steps() > self.limits.steps {
            return Some(Stopped::Steps);
        }
        (self.bytes() > self.limits.bytes).then_some(Stopped::Bytes)
    }

    fn searched(&self, found: Found) -> Searched {
        Searched { found, steps: self.steps(), bytes: self.bytes(), longest: self.longest }
    }

    /// What was done so far, in steps of the model.
    fn steps(&self) -> u64 {
        self.asked + self.seen.looked() / WORDS_OF_A_STEP + self.optional.looked() / LOOKS_OF_A_STEP
    }

    fn bytes(&self) -> u64 {
        self.state_bytes + self.seen.bytes()
    }

    /// The order so far, as places in the history. A class may stand in it several times: its members
    /// go in order of their calls.
    fn order(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        let mut uses = vec![0; self.optional.classes()];
        self.moves.iter().map(move |made| match made.choice.checked_sub(self.items.len() as u32) {
            None => self.items[made.choice as usize].operation,
            Some(class) => {
                uses[class as usize] += 1;
                self.optional.operation(class, uses[class as usize] - 1)
            }
        })
    }
}
