//! The search: all states, those with few steps first.
//!
//! Each round takes the states that are one step further than those of the round before. A round is
//! done in batches of a fixed size: all states of a batch are looked at, on all cores, while nothing
//! changes; then what they lead to is compared with what was met before, in shards by fingerprint. All
//! orders are fixed, so that whatever is found does not depend on how many threads there are.
//!
//! Of a state that was met only its fingerprint is kept, and by which step it was met first. That is
//! enough to make a counterexample again, and the first one is one of the shortest there are.

use std::ops::ControlFlow;

use hashbrown::HashSet;
use rayon::prelude::*;
use run_record::situations::Layer;
use rustc_hash::FxBuildHasher;

use crate::counterexample::Counterexample;
use crate::fingerprint::Fingerprint;
use crate::model::Model;
use crate::state::{Action, State, actions};
use crate::step::{Change, Outcome};
use crate::sums::Sums;
use crate::tables::{Tables, Unknown};
use crate::violation::Violation;

/// How many states are looked at before the next ones are kept.
const BATCH: usize = 1 << 15;
/// How many of them one task looks at.
const GRAIN: usize = 1 << 9;
/// In how many parts fingerprints are kept.
const SHARDS: usize = 16;

/// How far a search goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// It ends at the end of the batch in which it has met so many states.
    pub states: u64,
    /// It looks at no state that is so many steps away from the beginning.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { states: u64::MAX, depth: u32::MAX }
    }
}

/// What a search has come to.
#[derive(Clone, Debug)]
pub struct Found {
    /// How many states were met. Those that differ by the names of servers are one, unless the model says
    /// otherwise.
    pub states: u64,
    /// For how many states they stand, if servers had names.
    pub stands_for: u64,
    /// How many steps were taken, from all states that were looked at.
    pub steps: u64,
    /// All states up to so many steps from the beginning were met.
    pub depth: u32,
    /// Nothing is left: all states were looked at.
    pub exhausted: bool,
    /// How many steps led into each situation, in the order of [those of a Raft](Layer::situations).
    pub situations: Vec<u64>,
    /// How many different servers, messages and single steps of a server there were.
    pub parts: [usize; 3],
    /// What is wrong, if anything was found.
    pub counterexample: Option<Counterexample>,
}

/// How a state was met first.
#[derive(Clone, Copy, Debug)]
struct Origin {
    /// The number of the state before it.
    parent: u32,
    /// Which of that one's actions led to it.
    action: u16,
}

/// The states of a round.
#[derive(Debug, Default)]
struct Round {
    words: Vec<u32>,
    ends: Vec<usize>,
}

impl Round {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, place: usize) -> &[u32] {
        let begin = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.words[begin..self.ends[place]]
    }

    fn push(&mut self, state: &State) {
        state.write(&mut self.words);
        self.ends.push(self.words.len());
    }

    fn append(&mut self, other: &Round) {
        let begin = self.words.len();
        self.words.extend_from_slice(&other.words);
        self.ends.extend(other.ends.iter().map(|end| begin + end));
    }
}

/// A state that may be new.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    print: Fingerprint,
    /// How many states it stands for.
    stands_for: u8,
    /// Its parent's place in the round.
    place: u32,
    action: u16,
}

/// What was seen from some states.
struct Looked {
    /// By shard.
    candidates: Vec<Vec<Candidate>>,
    /// The places of states for which something is not known yet.
    again: Vec<u32>,
    unknown: Vec<Unknown>,
    /// The first thing that was found wrong: place, action and what.
    broken: Option<(u32, u16, Violation)>,
    steps: u64,
    situations: Vec<u64>,
}

impl Looked {
    fn new() -> Looked {
        Looked {
            candidates: vec![Vec::new(); SHARDS],
            again: Vec::new(),
            unknown: Vec::new(),
            broken: None,
            steps: 0,
            situations: vec![0; Layer::Raft.situations().len()],
        }
    }
}

/// Searches the states of a model. `each` hears how far it is, after each round of states.
///
/// # Panics
/// If the model's bounds are impossible (see [`Model::validate`]), or if more states are met than can be
/// numbered, which is four thousand million.
pub fn check(model: &Model, limits: &Limits, each: &mut dyn FnMut(&Found)) -> Found {
    if let Err(why) = model.validate() {
        panic!("{why}");
    }
    Search::new(model).run(limits, each)
}

type Shard = HashSet<Fingerprint, FxBuildHasher>;

/// A search under way.
struct Search<'m> {
    model: &'m Model,
    start: State,
    tables: Tables,
    met: Vec<Shard>,
    origins: Vec<Origin>,
    round: Round,
    next: Round,
    found: Found,
}

impl<'m> Search<'m> {
    fn new(model: &'m Model) -> Search<'m> {
        let (tables, start) = Tables::new(model);
        let found = Found {
            states: 0,
            stands_for: 0,
            steps: 0,
            depth: 0,
            exhausted: false,
            situations: vec![0; Layer::Raft.situations().len()],
            parts: [0; 3],
            counterexample: None,
        };
        let mut search = Search {
            model,
            start: start.clone(),
            tables,
            met: vec![Shard::default(); SHARDS],
            origins: Vec::new(),
            round: Round::default(),
            next: Round::default(),
            found,
        };
        let sums = Sums::of(&search.tables, &start);
        search.met[shard(sums.print())].insert(sums.print());
        search.note_new(sums.stands_for(), Origin { parent: 0, action: 0 });
        search.next.push(&start);
        search
    }

    /// Goes on until nothing is left, something is wrong, or a limit is reached. `each` hears how far it
    /// is after each round.
    fn run(mut self, limits: &Limits, each: &mut dyn FnMut(&Found)) -> Found {
        loop {
            self.round = std::mem::take(&mut self.next);
            self.found.exhausted = self.round.len() == 0;
            if self.found.exhausted || self.found.depth >= limits.depth {
                break;
            }
            if self.whole_round(limits).is_break() {
                break;
            }
            self.found.depth += u32::from(self.next.len() > 0);
            self.found.parts = self.tables.sizes();
            each(&self.found);
        }
        self.found.parts = self.tables.sizes();
        self.found
    }

    fn whole_round(&mut self, limits: &Limits) -> ControlFlow<()> {
        let first = self.origins.len() - self.round.len();
        for begin in (0..self.round.len()).step_by(BATCH) {
            let end = self.round.len().min(begin + BATCH);
            let looked = self.look_at(begin as u32..end as u32);
            for one in &looked {
                self.found.steps += one.steps;
                let counts = self.found.situations.iter_mut().zip(&one.situations);
                counts.for_each(|(sum, count)| *sum += count);
            }
            let broken = looked.iter().filter_map(|one| one.broken.clone());
            if let Some((place, action, violation)) = broken.min_by_key(|one| (one.0, one.1)) {
                let path = self.path(first + place as usize, action);
                let counterexample =
                    Counterexample::new(self.model, &self.tables, &self.start, &path, violation);
                self.found.counterexample = Some(counterexample);
                return ControlFlow::Break(());
            }
            self.keep(&looked, first);
            if self.found.states >= limits.states {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// Looks at the states at these places of the round, until all is known that is needed for it.
    fn look_at(&mut self, places: std::ops::Range<u32>) -> Vec<Looked> {
        let mut todo: Vec<u32> = places.collect();
        let mut all = Vec::new();
        while !todo.is_empty() {
            let this = &*self;
            let mut looked: Vec<Looked> =
                todo.par_chunks(GRAIN).map(|places| this.look_from(places)).collect();
            todo = looked.iter_mut().flat_map(|one| std::mem::take(&mut one.again)).collect();
            let unknown = looked.iter_mut().flat_map(|one| std::mem::take(&mut one.unknown));
            let unknown: Vec<Unknown> = unknown.collect();
            self.tables.learn(unknown);
            all.append(&mut looked);
        }
        all
    }

    fn look_from(&self, places: &[u32]) -> Looked {
        let mut looked = Looked::new();
        let (mut state, mut list, mut new) = (State::default(), Vec::new(), Vec::new());
        for &place in places {
            state.read(self.round.get(place as usize), self.model.servers);
            actions(self.model, &self.tables, &state, &mut list);
            self.look_at_one(place, &state, &list, &mut new, &mut looked);
        }
        looked
    }

    fn look_at_one<'s>(
        &'s self,
        place: u32,
        state: &State,
        list: &[Action],
        changes: &mut Vec<(u16, Change<'s>)>,
        looked: &mut Looked,
    ) {
        changes.clear();
        let (known, mut broken) = (looked.unknown.len(), None);
        let mut nothing = Vec::new();
        for (number, &action) in (0..).zip(list) {
            match state.step(&self.tables, action) {
                Outcome::Same(seen) => nothing.push(seen),
                Outcome::Unknown(unknown) => looked.unknown.push(unknown),
                Outcome::Broken(violation) => broken = broken.or(Some((number, violation))),
                Outcome::Change(change) => changes.push((number, change)),
            }
        }
        if looked.unknown.len() > known {
            return looked.again.push(place);
        }
        if let Some((action, violation)) = broken {
            looked.broken.get_or_insert((place, action, violation));
        }
        for seen in nothing {
            seen.for_each(|situation| looked.situations[situation] += 1);
        }
        let (sums, mut behind) = (Sums::of(&self.tables, state), Sums::empty());
        for &(action, change) in &*changes {
            looked.steps += 1;
            change.seen.for_each(|situation| looked.situations[situation] += 1);
            sums.behind(&self.tables, state, &change, &mut behind);
            let print = behind.print();
            if !self.met[shard(print)].contains(&print) {
                let stands_for = behind.stands_for();
                let candidate = Candidate { print, stands_for, place, action };
                looked.candidates[shard(print)].push(candidate);
            }
        }
    }

    /// Keeps what was not met before.
    fn keep(&mut self, looked: &[Looked], first: usize) {
        let met = self.met.par_iter_mut().enumerate();
        let new: Vec<Vec<Candidate>> = met
            .map(|(shard, met)| {
                let all = looked.iter().flat_map(|one| &one.candidates[shard]);
                all.filter(|candidate| met.insert(candidate.print)).copied().collect()
            })
            .collect();
        let new = new.concat();
        let rounds: Vec<Round> = new.par_chunks(GRAIN).map(|some| self.follow(some)).collect();
        rounds.iter().for_each(|round| self.next.append(round));
        for candidate in new {
            let parent = (first + candidate.place as usize) as u32;
            self.note_new(candidate.stands_for, Origin { parent, action: candidate.action });
        }
    }

    fn note_new(&mut self, stands_for: u8, origin: Origin) {
        self.found.states += 1;
        assert!(self.found.states < u64::from(u32::MAX), "more states than there are numbers");
        self.found.stands_for += u64::from(stands_for);
        self.origins.push(origin);
    }

    /// The states of these candidates.
    fn follow(&self, candidates: &[Candidate]) -> Round {
        let mut round = Round::default();
        let (mut state, mut list) = (State::default(), Vec::new());
        for candidate in candidates {
            state.read(self.round.get(candidate.place as usize), self.model.servers);
            actions(self.model, &self.tables, &state, &mut list);
            match state.step(&self.tables, list[usize::from(candidate.action)]) {
                Outcome::Change(change) => state.change(&change),
                other => unreachable!("it was a change before: {other:?}"),
            }
            round.push(&state);
        }
        round
    }

    /// The actions that lead to the state with this number, and one more.
    fn path(&self, mut number: usize, last: u16) -> Vec<u16> {
        let mut path = vec![last];
        while number > 0 {
            let Origin { parent, action } = self.origins[number];
            path.push(action);
            number = parent as usize;
        }
        path.reverse();
        path
    }
}

/// The part in which a fingerprint is kept. The lowest bits are spread evenly; the highest are not, since a
/// fingerprint is the least of several sums.
fn shard(print: Fingerprint) -> usize {
    print as usize % SHARDS
}
