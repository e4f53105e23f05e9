//! Trying a setting with several seeds.
//!
//! A run is a chaotic thing: with a trouble less, all that follows is another run, and the seed that
//! failed may pass although the fault can still be reached. So a setting counts as failing if any of
//! several seeds fails in the wanted way.

use std::collections::{BTreeMap, HashMap};

use run_record::setting::{Setting, Trouble};
use test_runs::plan;

use super::case::{Case, Outcome, Verdict};

/// Why a search ends before it has come to its own end.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The time is used up.
    Budget,
    /// So many runs were made as were allowed.
    Tries,
    /// Ctrl-C.
    Interrupted,
    /// Runs cannot be made.
    Broken(anyhow::Error),
}

/// Where runs are made.
pub(crate) trait World {
    /// How the runs with these seeds end, in the same order. Says the same whenever it is asked.
    fn run(&mut self, setting: &Setting, seeds: &[u64]) -> Result<Vec<Outcome>, Halt>;
}

/// A way to fail other than the wanted one, which the search came across.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Other {
    pub(crate) verdict: Verdict,
    pub(crate) runs: u64,
    /// The first case that failed so.
    pub(crate) setting: Setting,
    pub(crate) seed: u64,
}

/// Runs made and remembered.
pub(crate) struct Trials<'a> {
    world: &'a mut dyn World,
    /// What seeds are derived from.
    test: String,
    origin: u64,
    /// The name of the verdict that is looked for.
    wanted: String,
    most_runs: Option<u64>,
    known: HashMap<(Setting, u64), Outcome>,
    pub(crate) runs: u64,
    /// By the names of their verdicts.
    pub(crate) others: BTreeMap<String, Other>,
    /// A run that had more of something than its setting allows.
    pub(crate) disobedient: Option<(Setting, u64, Trouble)>,
}

/// What came of trying a setting.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    /// The seeds it was tried with, in order.
    pub(crate) seeds: Vec<u64>,
    /// Those that failed in the wanted way.
    pub(crate) failing: Vec<Case>,
}

impl Tried {
    /// The smallest case.
    pub(crate) fn smallest(&self) -> Option<&Case> {
        self.failing.iter().min_by_key(|case| case.size())
    }
}

/// How many seeds are tried together: few first, since often one of them fails.
const BATCHES: [usize; 4] = [2, 6, 8, 16];
const LATER_BATCHES: usize = 32;

impl<'a> Trials<'a> {
    pub(crate) fn new(
        world: &'a mut dyn World,
        test: &str,
        first: &Case,
        most_runs: Option<u64>,
    ) -> Trials<'a> {
        Trials {
            world,
            test: test.to_string(),
            origin: first.seed,
            wanted: first.failed.verdict.name(),
            most_runs,
            known: HashMap::from([((first.setting, first.seed), Some(first.failed.clone()))]),
            runs: 0,
            others: BTreeMap::new(),
            disobedient: None,
        }
    }

    /// So many seeds: these, the original one, and others derived from it.
    pub(crate) fn seeds(&self, first: &[u64], count: usize) -> Vec<u64> {
        let derived = (0..).map(|number| plan::seed(self.origin, &self.test, number));
        let mut seeds = Vec::new();
        for seed in first.iter().copied().chain([self.origin]).chain(derived) {
            if seeds.len() >= count {
                break;
            }
            if !seeds.contains(&seed) {
                seeds.push(seed);
            }
        }
        seeds
    }

    /// Tries a setting with one seed after the other, some at once, until so many have failed.
    pub(crate) fn attempt(
        &mut self,
        setting: Setting,
        seeds: &[u64],
        enough: usize,
    ) -> Result<Tried, Halt> {
        let mut tried = Tried::default();
        let mut sizes = BATCHES.into_iter().chain(std::iter::repeat(LATER_BATCHES));
        let mut rest = seeds;
        while !rest.is_empty() && tried.failing.len() < enough {
            let size = sizes.next().unwrap_or(LATER_BATCHES).min(rest.len());
            let (batch, later) = rest.split_at(size);
            rest = later;
            self.run(setting, batch)?;
            for &seed in batch {
                tried.seeds.push(seed);
                if let Some(Some(failed)) = self.known.get(&(setting, seed))
                    && failed.verdict.name() == self.wanted
                {
                    tried.failing.push(Case { setting, seed, failed: failed.clone() });
                }
            }
        }
        Ok(tried)
    }

    /// Makes those of these runs that have not been made.
    fn run(&mut self, setting: Setting, seeds: &[u64]) -> Result<(), Halt> {
        let is_new = |seed: &u64| !self.known.contains_key(&(setting, *seed));
        let new: Vec<u64> = seeds.iter().copied().filter(is_new).collect();
        if new.is_empty() {
            return Ok(());
        }
        let runs = self.runs + new.len() as u64;
        if self.most_runs.is_some_and(|most| runs > most) {
            return Err(Halt::Tries);
        }
        let outcomes = self.world.run(&setting, &new)?;
        self.runs = runs;
        for (seed, outcome) in new.into_iter().zip(outcomes) {
            self.look_at(setting, seed, &outcome);
            self.known.insert((setting, seed), outcome);
        }
        Ok(())
    }

    fn look_at(&mut self, setting: Setting, seed: u64, outcome: &Outcome) {
        let Some(failed) = outcome else { return };
        let exceeds = |trouble: &Trouble| {
            let seen = failed.troubles.map(|counts| counts.get(*trouble));
            setting.limit(*trouble).is_some_and(|limit| seen.is_some_and(|seen| seen > limit))
        };
        if let Some(trouble) = Trouble::ALL.into_iter().find(exceeds) {
            self.disobedient.get_or_insert((setting, seed, trouble));
        }
        let name = failed.verdict.name();
        if name != self.wanted {
            let verdict = failed.verdict.clone();
            let other = Other { verdict, runs: 0, setting, seed };
            self.others.entry(name).or_insert(other).runs += 1;
        }
    }
}
