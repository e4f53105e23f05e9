//! Which run comes next: a pure function of a seed and of what was seen in the runs before.
//!
//! A run in which something was seen for the first time is kept as a *parent*. Its children are the same
//! run up to a moment, and draw other numbers from there on. The moment is one at which something rare was
//! seen, so each child has another try at what may follow on that.
//!
//! A child repeats the beginning of its parent, in which nothing failed: it is less of a new try than a run with a seed
//! of its own. So there are children only while such runs show nothing new any more.

use std::collections::{BTreeMap, BTreeSet};

use run_record::choices::{Case, Change, Choices};
use run_record::coverage::Kind;
use serde::{Deserialize, Serialize};
use test_runs::plan;
use test_runs::run::Run;

use super::draws::Draws;

/// How many runs are handed out together: the children of one parent, or runs with seeds of their own.
pub(crate) const BATCH: u64 = 16;

/// Once there are children, one batch of so many has seeds of its own, so that a search never ends in a dead end.
const FRESH: u64 = 2;

/// There are children when so many runs with seeds of their own, one after the other, have shown nothing new.
const DRY: u64 = 2 * BATCH;

/// One child of so many has its change at any moment of the run.
const ANYWHERE: u64 = 4;

/// So many of the rarest things that were seen in a run are remembered with it.
const REMEMBERED: usize = 12;

/// The most parents; the one that was tried most often makes room.
const MOST_PARENTS: usize = 1000;

/// So many parents are looked at to choose one.
const LOOKED_AT: u64 = 24;

/// The most changes of a run.
const MOST_CHANGES: usize = 24;

/// A run whose beginning is worth another try.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Parent {
    case: Case,
    lab_us: u64,
    /// Rare things that were seen in it, and when.
    seen: Vec<(Kind, u32, u64)>,
    /// How often it was chosen.
    chosen: u64,
}

/// The search through the runs of one test.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Search {
    test: String,
    /// What it goes by; with nothing, each run has a seed of its own.
    kinds: BTreeSet<Kind>,
    base: u64,
    draws: Draws,
    /// How many seeds of its own it has handed out.
    seeds: u64,
    /// How many runs with seeds of their own have ended since one of them showed something new.
    #[serde(default)]
    without_news: u64,
    pub(crate) runs: u64,
    parents: Vec<Parent>,
    /// In how many runs each thing was seen.
    counts: BTreeMap<Kind, BTreeMap<u32, u64>>,
}

impl Search {
    pub(crate) fn new(test: &str, base: u64, kinds: BTreeSet<Kind>) -> Search {
        Search {
            test: test.to_string(),
            kinds,
            base,
            draws: Draws::new(plan::seed(base, test, u64::MAX)),
            seeds: 0,
            without_news: 0,
            runs: 0,
            parents: Vec::new(),
            counts: BTreeMap::new(),
        }
    }

    /// The name of the test.
    pub(crate) fn test(&self) -> &str {
        &self.test
    }

    /// How many runs are kept.
    pub(crate) fn parents(&self) -> usize {
        self.parents.len()
    }

    /// How many different things were seen.
    pub(crate) fn seen(&self) -> usize {
        self.counts.values().map(BTreeMap::len).sum()
    }

    /// The next runs, at most so many.
    pub(crate) fn next(&mut self, most: u64) -> Vec<Case> {
        let count = BATCH.min(most);
        let dry = self.without_news >= DRY && !self.parents.is_empty();
        if !dry || self.draws.below(FRESH) == 0 {
            return (0..count).map(|_| self.fresh()).collect();
        }
        let place = self.choose();
        self.parents[place].chosen += 1;
        let parent = self.parents[place].clone();
        (0..count).map(|_| self.child(&parent)).collect()
    }

    fn fresh(&mut self) -> Case {
        self.seeds += 1;
        let seed = plan::seed(self.base, &self.test, self.seeds - 1);
        Case { seed, choices: Choices::default() }
    }

    /// The place of the parent that is worth most, of some.
    fn choose(&mut self) -> usize {
        let places: Vec<u64> =
            (0..LOOKED_AT).map(|_| self.draws.below(self.parents.len() as u64)).collect();
        let worth = |place: &u64| {
            let parent = &self.parents[*place as usize];
            let rarest = parent.seen.iter().map(|(kind, hash, _)| self.count(*kind, *hash)).min();
            // The rarest first, and of those the one that was chosen least.
            rarest.unwrap_or(u64::MAX).saturating_mul(1 + parent.chosen)
        };
        places.iter().min_by_key(|place| worth(place)).map_or(0, |place| *place as usize)
    }

    fn child(&mut self, parent: &Parent) -> Case {
        let us = match self.draws.below(ANYWHERE) {
            0 => self.draws.below(parent.lab_us.max(1)),
            _ => self.rare_moment(parent),
        };
        let number = self.draws.number();
        Case { seed: parent.case.seed, choices: parent.case.choices.with(Change { us, number }) }
    }

    /// Just after something rare was seen: the rarer, the more often.
    fn rare_moment(&mut self, parent: &Parent) -> u64 {
        let mut one = || self.draws.below(parent.seen.len().max(1) as u64) as usize;
        let two = [one(), one()].map(|place| parent.seen.get(place));
        let rarer =
            two.into_iter().flatten().min_by_key(|(kind, hash, _)| self.count(*kind, *hash));
        rarer.map_or(0, |(_, _, us)| us + 1)
    }

    fn count(&self, kind: Kind, hash: u32) -> u64 {
        self.counts.get(&kind).and_then(|counts| counts.get(&hash)).copied().unwrap_or(0)
    }

    /// A run has been made. One that has failed has no children.
    pub(crate) fn learn(&mut self, case: &Case, run: &Run) {
        self.runs += 1;
        let mut news = false;
        let mut seen = Vec::new();
        for kind in self.kinds.clone() {
            for (hash, us) in run.coverage.of(kind) {
                let count = self.counts.entry(kind).or_default().entry(hash).or_default();
                *count += 1;
                news |= *count == 1;
                seen.push((*count, (kind, hash, us)));
            }
        }
        if case.choices.changes().is_empty() {
            self.without_news = if news { 0 } else { self.without_news + 1 };
        }
        if !news || run.failure.is_some() || case.choices.changes().len() >= MOST_CHANGES {
            return;
        }
        seen.sort_unstable();
        let seen = seen.into_iter().take(REMEMBERED).map(|(_, one)| one).collect();
        if self.parents.len() >= MOST_PARENTS {
            let tried = (0..self.parents.len()).max_by_key(|place| self.parents[*place].chosen);
            self.parents.swap_remove(tried.unwrap_or(0));
        }
        self.parents.push(Parent { case: case.clone(), lab_us: run.lab_us, seen, chosen: 0 });
    }
}

#[cfg(test)]
mod tests {
    use run_record::coverage::Coverage;
    use test_runs::run::RunFailure;

    use super::*;

    /// How many steps a run of the toy has, and how many of them have to be rare ones for it to fail.
    const STEPS: u64 = 12;
    const RARE: u32 = 6;

    /// A run in which each step is a rare one or not, by what is drawn then. How many rare steps there
    /// have been is what can be seen of it.
    fn play(case: &Case) -> Run {
        let (mut rare, mut coverage) = (0, Coverage::default());
        for step in 0..STEPS {
            let us = step * 1000;
            let changes = case.choices.changes().iter().take_while(|change| change.us <= us);
            let course = changes.fold(case.seed, |sum, change| sum * 31 + u64::from(change.number));
            if Draws::new(course * 64 + step).below(8) == 0 {
                rare += 1;
                coverage.see(Kind::Situations, rare, us);
            }
        }
        run(coverage, rare >= RARE)
    }

    fn run(coverage: Coverage, fails: bool) -> Run {
        let failure = fails.then(|| RunFailure::new("panic", ""));
        Run { lab_us: STEPS * 1000, coverage, failure, ..Run::unmeasured(0, None) }
    }

    /// How many runs a search takes to the first failure.
    fn runs_to_failure(base: u64, kinds: &[Kind]) -> u64 {
        let mut search = Search::new("toy_2A", base, kinds.iter().copied().collect());
        loop {
            for case in search.next(BATCH) {
                let run = play(&case);
                search.learn(&case, &run);
                if run.failure.is_some() || search.runs >= 20_000 {
                    return search.runs;
                }
            }
        }
    }

    #[test]
    fn what_lies_behind_rare_steps_is_found_much_sooner_than_with_seeds_alone() {
        let median = |kinds: &[Kind]| {
            let mut all: Vec<u64> = (0..301).map(|base| runs_to_failure(base, kinds)).collect();
            all.sort_unstable();
            all[150]
        };
        let (guided, alone) = (median(&[Kind::Situations]), median(&[]));
        assert!(guided * 3 < alone, "{guided} runs, and {alone} with seeds alone");
    }

    #[test]
    fn there_are_children_when_seeds_alone_show_nothing_new() {
        let mut search = Search::new("toy_2A", 3, Kind::ALL.into());
        let same = |kind| {
            let mut coverage = Coverage::default();
            coverage.see(Kind::Situations, kind, 500);
            run(coverage, false)
        };
        let many = |search: &mut Search| -> Vec<Case> {
            (0..20).flat_map(|_| search.next(BATCH)).collect()
        };
        let is_child = |case: &Case| !case.choices.is_empty();
        let cases = many(&mut search);
        assert!(!cases.iter().any(is_child));
        cases.iter().take(1 + DRY as usize).for_each(|case| search.learn(case, &same(1)));
        assert!(many(&mut search).iter().any(is_child));
        search.learn(&cases[0], &same(2));
        assert!(!many(&mut search).iter().any(is_child));
    }

    #[test]
    fn a_search_is_a_function_of_its_seed_and_can_be_saved() {
        let kinds = BTreeSet::from(Kind::ALL);
        let mut search = Search::new("toy_2A", 3, kinds.clone());
        for _ in 0..20 {
            for case in search.next(BATCH) {
                search.learn(&case, &play(&case));
            }
        }
        let text = serde_json::to_string(&search).expect("it can be written");
        let mut again: Search = serde_json::from_str(&text).expect("it can be read");
        let next = search.next(BATCH);
        assert_eq!(next, again.next(BATCH));
        assert_ne!(next, Search::new("toy_2A", 4, kinds).next(BATCH));
    }

    #[test]
    fn no_more_runs_are_handed_out_than_wanted_and_none_is_left_out() {
        let mut search = Search::new("toy_2A", 3, BTreeSet::new());
        let few: Vec<Case> = [search.next(3), search.next(BATCH + 9)].concat();
        assert_eq!(few.len() as u64, 3 + BATCH);
        let mut other = Search::new("toy_2A", 3, BTreeSet::new());
        assert_eq!(few, (0..few.len()).map(|_| other.fresh()).collect::<Vec<_>>());
    }

    #[test]
    fn with_nothing_to_go_by_no_run_has_choices() {
        let mut search = Search::new("toy_2A", 3, BTreeSet::new());
        for _ in 0..20 {
            for case in search.next(BATCH) {
                assert!(case.choices.is_empty());
                search.learn(&case, &play(&case));
            }
        }
        assert_eq!((search.parents(), search.seen()), (0, 0));
    }

    #[test]
    fn a_failed_run_has_no_children() {
        let mut search = Search::new("toy_2A", 3, Kind::ALL.into());
        let case = search.fresh();
        let mut coverage = Coverage::default();
        coverage.see(Kind::Pairs, 1, 0);
        search.learn(&case, &run(coverage.clone(), true));
        assert_eq!((search.runs, search.parents()), (1, 0));
        coverage.see(Kind::Pairs, 2, 0);
        search.learn(&case, &run(coverage, false));
        assert_eq!(search.parents(), 1);
    }
}
