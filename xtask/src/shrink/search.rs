//! The search for the smallest case. It knows nothing of processes: it asks a [`World`].
//!
//! It goes downhill: a limit is lowered if some seed still fails, and never raised. Whatever fails
//! gives new limits by itself, namely what had happened in that run until it failed.

use run_record::setting::{Setting, Trouble};

use super::case::Case;
use super::reference::Reference;
use super::trials::{Halt, Other, Trials, World};

/// How thorough a search is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// With how many seeds a setting is tried at the end.
    pub(crate) seeds: usize,
    /// How many runs may be made.
    pub(crate) most_runs: Option<u64>,
}

/// A setting that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trial {
    pub(crate) setting: Setting,
    /// With how many seeds.
    pub(crate) seeds: usize,
    /// The one that failed with the least.
    pub(crate) failing: Option<u64>,
    /// It failed, but the reference does so too.
    pub(crate) void: bool,
}

/// What the search has just done.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    pub(crate) trial: &'a Trial,
    /// The smallest setting before it.
    pub(crate) before: &'a Setting,
    /// The smallest case now.
    pub(crate) best: &'a Case,
    /// Runs made so far.
    pub(crate) runs: u64,
}

/// How a search came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing more can be taken away, as far as the tried seeds show.
    Minimal,
    Budget,
    Tries,
    Interrupted,
    /// Runs could not be made any more.
    Broken,
}

/// The result of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) case: Case,
    pub(crate) end: End,
    /// The kinds of which one less, and none, was tried with all seeds and not seen to fail, unless the
    /// reference fails without any, too. Empty unless the end is [`End::Minimal`].
    pub(crate) checked: Vec<Trouble>,
    /// The kinds of which the test itself needs what is left: with one less the reference fails too.
    pub(crate) needed: Vec<Trouble>,
    /// With how many settings the reference fails; none if it was not asked.
    pub(crate) void: Option<usize>,
    /// The reference was seen to pass with the setting of the case. The search may have ended before it was asked.
    pub(crate) reference_passes: bool,
    pub(crate) trials: Vec<Trial>,
    pub(crate) runs: u64,
    pub(crate) others: Vec<Other>,
    pub(crate) disobedient: Option<(Setting, u64, Trouble)>,
}

/// Limits so small that each is tried by itself: with a chaotic test, what fails with 7 rounds and
/// not with 4 may yet fail with 3.
const SMALL: u64 = 8;
/// Where the way up ends for a kind of trouble whose number nobody knows.
const LARGEST_STEP: u32 = 20;
/// The least number of seeds for a setting, however often the present one fails.
const FEWEST_SEEDS: usize = 16;
/// A setting is tried with so many seeds that one that fails as often as the present one is
/// overlooked no more often than this.
const OVERLOOKED: f64 = 0.02;
/// So many failing runs are enough to choose among.
const ENOUGH: usize = 4;
const ENOUGH_AT_THE_END: usize = 16;

/// Searches downhill from a case that fails. If the world breaks, what was found until then is there all the same,
/// with the reason.
pub(crate) fn search(
    world: &mut dyn World,
    test: &str,
    first: Case,
    reference: Option<&mut Reference<'_>>,
    options: Options,
    watch: &mut dyn FnMut(&Step<'_>),
) -> (Found, Option<anyhow::Error>) {
    let trials = Trials::new(world, test, &first, options.most_runs);
    let mut search = Search {
        trials,
        reference,
        best: first,
        options,
        density: None,
        failing: Vec::new(),
        log: Vec::new(),
        watch,
    };
    let ((checked, needed), halt) = match search.descend() {
        Ok(checked) => (checked, None),
        Err(halt) => (Default::default(), Some(halt)),
    };
    let (end, broken) = match halt {
        None => (End::Minimal, None),
        Some(Halt::Budget) => (End::Budget, None),
        Some(Halt::Tries) => (End::Tries, None),
        Some(Halt::Interrupted) => (End::Interrupted, None),
        Some(Halt::Broken(error)) => (End::Broken, Some(error)),
    };
    let passes = search.reference.as_ref().and_then(|one| one.known(search.best.setting));
    let found = Found {
        case: search.best,
        end,
        checked,
        needed,
        void: search.reference.and_then(|reference| reference.failing()),
        reference_passes: passes == Some(true),
        trials: search.log,
        runs: search.trials.runs,
        others: search.trials.others.into_values().collect(),
        disobedient: search.trials.disobedient,
    };
    (found, broken)
}

/// The kinds of which less was not seen to fail, and those of which the test itself needs what is left.
type Checked = (Vec<Trouble>, Vec<Trouble>);

struct Search<'a, 'r> {
    trials: Trials<'a>,
    reference: Option<&'a mut Reference<'r>>,
    best: Case,
    options: Options,
    /// How often the present setting fails, as far as is known.
    density: Option<f64>,
    /// Seeds that failed with the present setting or one like it. They are tried first: up to the
    /// first trouble that is taken away, their runs stay the same.
    failing: Vec<u64>,
    log: Vec<Trial>,
    watch: &'a mut dyn FnMut(&Step<'_>),
}

impl Search<'_, '_> {
    /// Until nothing more can be taken away.
    fn descend(&mut self) -> Result<Checked, Halt> {
        self.accept(self.best.clone())?;
        loop {
            self.scout(FEWEST_SEEDS, ENOUGH)?;
            if self.pass()? {
                continue;
            }
            // Nothing moves with few seeds. With all of them?
            if self.scout(self.options.seeds, ENOUGH_AT_THE_END)? {
                continue;
            }
            if let Some(checked) = self.check()? {
                return Ok(checked);
            }
        }
    }

    /// Once all ways down. True if one led anywhere.
    fn pass(&mut self) -> Result<bool, Halt> {
        let before = self.best.setting;
        self.attempt_for_all(|_| Some(0))?;
        for trouble in self.left() {
            self.lower_to(trouble, 0)?;
        }
        while self.attempt_for_all(|limit| limit.map(|limit| limit.div_ceil(2)))? {}
        // Fewer rounds make every run after them shorter.
        for trouble in [Trouble::Rounds].into_iter().chain(Trouble::ALL) {
            self.lower(trouble)?;
        }
        Ok(self.best.setting != before)
    }

    /// Finds the least limit for a kind of trouble that does not do with 0.
    fn lower(&mut self, trouble: Trouble) -> Result<(), Halt> {
        if self.best.setting.limit(trouble).is_none() {
            self.climb(trouble)?;
        }
        let mut passing = 0;
        for small in 1..=2 {
            if !self.is_above(trouble, small) {
                return Ok(());
            }
            if self.lower_to(trouble, small)? {
                return Ok(());
            }
            passing = small;
        }
        // With a low end that is nearly 0 this begins with halves.
        while let Some(limit) = self.best.setting.limit(trouble) {
            if limit <= passing + 1 {
                break;
            }
            let middle = passing + (limit - passing) / 2;
            if !self.lower_to(trouble, middle)? {
                passing = middle;
            }
        }
        for small in 3..SMALL {
            let near = self.best.setting.limit(trouble).is_some_and(|limit| limit <= SMALL);
            if !near || !self.is_above(trouble, small) || self.lower_to(trouble, small)? {
                break;
            }
        }
        Ok(())
    }

    /// Finds some limit for a kind of trouble that has none, from below.
    fn climb(&mut self, trouble: Trouble) -> Result<(), Halt> {
        for step in 0..=LARGEST_STEP {
            if self.lower_to(trouble, 1 << step)? {
                break;
            }
        }
        Ok(())
    }

    /// Tries one less of each kind that is left, and none of it, with all seeds. Returns what was
    /// checked, or `None` if something failed after all.
    fn check(&mut self) -> Result<Option<Checked>, Halt> {
        let (mut checked, mut needed) = Checked::default();
        for trouble in self.left() {
            let Some(limit) = self.best.setting.limit(trouble) else { continue };
            let none = self.best.setting.with(trouble, Some(0));
            let one_less = self.best.setting.with(trouble, Some(limit - 1));
            for setting in [none, one_less] {
                if self.attempt(setting, self.options.seeds)? {
                    return Ok(None);
                }
            }
            // That the test needs some does not mean that it needs all that is left.
            let kinds = if self.is_void(one_less) { &mut needed } else { &mut checked };
            kinds.push(trouble);
        }
        Ok(Some((checked, needed)))
    }

    fn is_void(&self, setting: Setting) -> bool {
        self.reference.as_ref().is_some_and(|reference| reference.known(setting) == Some(false))
    }

    /// Whether a setting that fails with this seed says anything: not if the reference fails too.
    fn counts(&mut self, setting: Setting, seed: u64) -> Result<bool, Halt> {
        match &mut self.reference {
            Some(reference) => reference.passes(setting, seed),
            None => Ok(true),
        }
    }

    /// The kinds that there may be some of.
    fn left(&self) -> Vec<Trouble> {
        let setting = self.best.setting;
        Trouble::ALL.into_iter().filter(|trouble| setting.limit(*trouble) != Some(0)).collect()
    }

    fn is_above(&self, trouble: Trouble, limit: u64) -> bool {
        self.best.setting.limit(trouble).is_none_or(|present| present > limit)
    }

    /// Tries another limit for each kind at once.
    fn attempt_for_all(
        &mut self,
        limit: impl Fn(Option<u64>) -> Option<u64>,
    ) -> Result<bool, Halt> {
        let mut setting = self.best.setting;
        for trouble in self.left() {
            setting = setting.with(trouble, limit(setting.limit(trouble)));
        }
        self.attempt(setting, self.quick())
    }

    fn lower_to(&mut self, trouble: Trouble, limit: u64) -> Result<bool, Halt> {
        if !self.is_above(trouble, limit) {
            return Ok(false);
        }
        self.attempt(self.best.setting.with(trouble, Some(limit)), self.quick())
    }

    /// How many seeds do while the search is under way.
    fn quick(&self) -> usize {
        let most = self.options.seeds;
        let Some(density) = self.density.filter(|density| *density > 0.0) else { return most };
        let seeds = (OVERLOOKED.ln() / (1.0 - density).ln()).ceil();
        // A density of 1 makes it 0, and one near 0 very large.
        (seeds as usize).clamp(FEWEST_SEEDS.min(most), most)
    }

    /// Tries a smaller setting; if it fails, it is the present one from now on.
    fn attempt(&mut self, setting: Setting, seeds: usize) -> Result<bool, Halt> {
        if setting == self.best.setting || self.is_void(setting) {
            return Ok(false);
        }
        let mut first = vec![self.best.seed];
        first.extend(&self.failing);
        let seeds = self.trials.seeds(&first, seeds);
        let (before, runs) = (self.best.setting, self.trials.runs);
        let tried = self.trials.attempt(setting, &seeds, 1)?;
        if tried.failing.is_empty() && self.trials.runs == runs {
            return Ok(false); // Nothing that was not known.
        }
        let mut case = tried.smallest().cloned();
        let mut trial = Trial {
            setting,
            seeds: tried.seeds.len(),
            failing: case.as_ref().map(|case| case.seed),
            void: false,
        };
        if let Some(seed) = trial.failing
            && !self.counts(setting, seed)?
        {
            trial.void = true;
            case = None;
        }
        let accepted = case.map(|case| {
            self.failing = tried.failing.iter().map(|case| case.seed).collect();
            self.accept(case)
        });
        let step =
            Step { trial: &trial, before: &before, best: &self.best, runs: self.trials.runs };
        (self.watch)(&step);
        self.log.push(trial);
        accepted.transpose().map(|accepted| accepted.is_some())
    }

    /// Makes a case the present one, with what happened in it as its limits.
    fn accept(&mut self, case: Case) -> Result<(), Halt> {
        let tight = case.tightened();
        // First of all, lest it be lost if the search ends here.
        self.best = case;
        if !self.tighten(tight)? && self.is_void(tight) {
            // The test needs later what had not happened until the failure: limits one by one.
            for trouble in Trouble::ALL {
                let limit = tight.limit(trouble);
                self.tighten(self.best.setting.with(trouble, limit))?;
            }
        }
        Ok(())
    }

    /// Makes limits what had happened. Up to its failure it is the same run, if the test counts as it
    /// limits. True if it fails with them.
    fn tighten(&mut self, tight: Setting) -> Result<bool, Halt> {
        let seed = self.best.seed;
        if tight == self.best.setting || self.is_void(tight) {
            return Ok(false);
        }
        let tried = self.trials.attempt(tight, &[seed], 1)?;
        match tried.smallest() {
            Some(same) if self.counts(tight, seed)? => self.best = same.clone(),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Looks for a smaller case among other seeds of the present setting, and at how often it fails.
    /// True if there is one.
    fn scout(&mut self, seeds: usize, enough: usize) -> Result<bool, Halt> {
        let seeds = self.trials.seeds(&[], seeds);
        let tried = self.trials.attempt(self.best.setting, &seeds, enough)?;
        // Seeds that were chosen because they fail say nothing about how often others do.
        let chosen = |seed: u64| seed == seeds[0] || seed == self.best.seed;
        let others = tried.seeds.iter().filter(|seed| !chosen(**seed)).count();
        let failing = tried.failing.iter().filter(|case| !chosen(case.seed)).count();
        self.density = (others > 0).then(|| failing as f64 / others as f64);
        self.failing = tried.failing.iter().map(|case| case.seed).collect();
        match tried.smallest() {
            Some(case) if case.size() < self.best.size() => {
                self.accept(case.clone())?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
