//! Worlds that are pure functions of setting and seed, and searches in them.

use std::collections::BTreeMap;

pub(super) use run_record::mix;
use run_record::setting::Counts;

use super::super::case::{Failed, Outcome, Verdict};
use super::*;

/// What decides how a run ends.
pub(super) type Rule<'a> = dyn Fn(&Setting, u64) -> Outcome + 'a;

pub(super) struct Fake<'a> {
    pub(super) rule: &'a Rule<'a>,
    /// Every run that was asked for, and how it ended.
    pub(super) made: BTreeMap<(String, u64), Outcome>,
    /// The time is used up after so many runs.
    pub(super) budget: usize,
}

impl World for Fake<'_> {
    fn run(&mut self, setting: &Setting, seeds: &[u64]) -> Result<Vec<Outcome>, Halt> {
        if self.made.len() + seeds.len() > self.budget {
            return Err(Halt::Budget);
        }
        let outcomes: Vec<Outcome> = seeds.iter().map(|seed| (self.rule)(setting, *seed)).collect();
        for (seed, outcome) in seeds.iter().zip(&outcomes) {
            let before = self.made.insert((setting.to_string(), *seed), outcome.clone());
            assert_eq!(before, None, "`{setting}` was run twice with seed {seed}");
        }
        Ok(outcomes)
    }
}

pub(super) const SEEDS: usize = 64;

pub(super) struct Searched {
    pub(super) found: Found,
    pub(super) made: BTreeMap<(String, u64), Outcome>,
    pub(super) steps: usize,
}

/// Searches from the whole test with this seed, which must fail.
pub(super) fn searched(
    rule: &Rule<'_>,
    seed: u64,
    budget: usize,
    most_runs: Option<u64>,
) -> Searched {
    let setting = Setting::default();
    let failed = rule(&setting, seed).expect("the first run fails");
    let mut world = Fake { rule, made: BTreeMap::new(), budget };
    let first = Case { setting, seed, failed };
    let options = Options { seeds: SEEDS, most_runs };
    let mut steps = 0;
    let found = search(&mut world, "t", first, None, options, &mut |_| steps += 1);
    Searched { found: unbroken(found), made: world.made, steps }
}

/// What was found in a world that does not break.
fn unbroken((found, broken): (Found, Option<anyhow::Error>)) -> Found {
    assert!(broken.is_none(), "{broken:?}");
    found
}

pub(super) fn found(rule: &Rule<'_>) -> Found {
    let seed = (0..10_000).find(|seed| rule(&Setting::default(), *seed).is_some());
    searched(rule, seed.expect("some seed fails"), usize::MAX, None).found
}

/// Searches where the reference Raft ends as this rule says.
pub(super) fn found_beside(rule: &Rule<'_>, reference: &Rule<'_>) -> Found {
    found_beside_for(rule, reference, usize::MAX)
}

/// The same, if the time is used up after so many runs of the reference.
pub(super) fn found_beside_for(rule: &Rule<'_>, reference: &Rule<'_>, budget: usize) -> Found {
    let setting = Setting::default();
    let failed = rule(&setting, 0).expect("the first run fails");
    fn fake<'a>(rule: &'a Rule<'a>, budget: usize) -> Fake<'a> {
        Fake { rule, made: BTreeMap::new(), budget }
    }
    let mut world = fake(rule, usize::MAX);
    let first = Case { setting, seed: 0, failed };
    let options = Options { seeds: SEEDS, most_runs: None };
    let mut reference = Reference::new(fake(reference, budget), "t");
    let found = search(&mut world, "t", first, Some(&mut reference), options, &mut |_| ());
    unbroken(found)
}

/// Something that a run draws: chaotic, and the same each time.
pub(super) fn draw(setting: &Setting, seed: u64, below: u64) -> u64 {
    let limits = Trouble::ALL.into_iter().map(|trouble| setting.limit(trouble));
    limits.fold(mix(seed), |hash, limit| mix(hash ^ limit.map_or(7, |limit| limit + 100))) % below
}

/// How much of each kind a run of the whole test has: some, by its seed.
pub(super) fn natural(seed: u64) -> Counts {
    let mut counts = Counts::default();
    for (number, trouble) in (1..).zip(Trouble::ALL) {
        counts.set(trouble, 40 + mix(seed ^ mix(number)) % 60);
    }
    counts
}

pub(super) fn within(setting: &Setting, natural: Counts) -> Counts {
    let mut counts = natural;
    for trouble in Trouble::ALL {
        let limit = setting.limit(trouble).unwrap_or(u64::MAX);
        counts.set(trouble, natural.get(trouble).min(limit));
    }
    counts
}

pub(super) fn counts(of: &[(Trouble, u64)]) -> Counts {
    let mut counts = Counts::default();
    of.iter().for_each(|(trouble, count)| counts.set(*trouble, *count));
    counts
}

pub(super) fn has(present: Counts, needed: Counts) -> bool {
    Trouble::ALL.into_iter().all(|trouble| present.get(trouble) >= needed.get(trouble))
}

pub(super) fn fails(check: &str, troubles: Option<Counts>, lab_us: u64) -> Outcome {
    let verdict = Verdict { check: check.into(), ..Verdict::default() };
    Some(Failed { verdict, troubles, lab_us: troubles.map(|_| lab_us), replay: String::new() })
}

/// A limit for each kind.
pub(super) fn exactly(of: &[(Trouble, u64)]) -> Setting {
    let limit = |setting: Setting, trouble| setting.with(trouble, Some(counts(of).get(trouble)));
    Trouble::ALL.into_iter().fold(Setting::default(), limit)
}
