//! What is to be run, in which order, and with which seeds.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use run_record::{Clock, mix};

use serde::{Deserialize, Serialize};

use crate::build::TestCase;
use crate::process::Item;
use crate::stats::clean_runs_for;

/// How long the runs that a process makes should take together: long enough that starting it does
/// not matter, short enough that a failure is seen soon.
const BATCH: Duration = Duration::from_millis(400);
const LARGEST_BATCH: u64 = 200;
const FIRST_BATCH: u64 = 3;

/// When a test has been run often enough.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// After so many runs.
    Iterations(u64),
    /// At this time; each test is run once at least.
    Until(Instant),
    /// When the failure rate is below this with 95 % confidence, or a run has failed.
    UpperBound(f64),
}

/// The k-th of n parts, from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which part.
    pub k: u64,
    /// Of how many.
    pub n: u64,
}

impl Shard {
    /// The whole as one part.
    pub const WHOLE: Shard = Shard { k: 1, n: 1 };

    /// The number, in the whole plan, of this part's run with this number.
    fn index(self, number: u64) -> u64 {
        number * self.n + self.k - 1
    }

    /// Whether the run with this number, in the whole plan, is of this part.
    pub fn has(self, index: u64) -> bool {
        index % self.n == self.k - 1
    }

    /// How many runs of a plan with so many are in this part.
    pub fn share(self, all: u64) -> u64 {
        all / self.n + u64::from(all % self.n >= self.k)
    }
}

/// What is left to do.
#[derive(Debug)]
pub struct Plan {
    base: u64,
    goal: Goal,
    shard: Shard,
    /// Nothing new is handed out any more.
    closed: bool,
    tests: Vec<Progress>,
}

/// One test's part of the plan.
#[derive(Debug)]
struct Progress {
    name: String,
    clock: Clock,
    /// The next run's number among those of this shard.
    next: u64,
    /// Those that an earlier part of the work has done, by their numbers in the whole plan.
    done: BTreeSet<u64>,
    /// Runs that have to be made again, because the process they were to be made in died.
    left: Vec<Item>,
    runs: u64,
    failures: u64,
    under_way: u64,
    wall: Duration,
}

impl Plan {
    /// A plan for these tests; all of it without a shard.
    pub fn new(tests: &[TestCase], base: u64, goal: Goal, shard: Option<Shard>) -> Plan {
        let progress = |test: &TestCase| Progress {
            name: test.name.clone(),
            clock: test.program.clock,
            next: 0,
            done: BTreeSet::new(),
            left: Vec::new(),
            runs: 0,
            failures: 0,
            under_way: 0,
            wall: Duration::ZERO,
        };
        Plan {
            base,
            goal,
            shard: shard.unwrap_or(Shard::WHOLE),
            closed: false,
            tests: tests.iter().map(progress).collect(),
        }
    }

    /// How many runs a test has in this shard; none if only time or a bound decides.
    pub fn total(&self) -> Option<u64> {
        match self.goal {
            Goal::Iterations(all) => Some(self.shard.share(all)),
            _ => None,
        }
    }

    /// Hands out the next runs: which test, and which items. `None` if there is nothing to hand out
    /// now; [`Plan::is_done`] tells whether there will be.
    pub fn hand_out(&mut self) -> Option<(usize, Vec<Item>)> {
        let place = self.most_behind()?;
        let (goal, total, (base, shard)) = (self.goal, self.total(), (self.base, self.shard));
        let test = &mut self.tests[place];
        let size = usize::try_from(test.batch_size(goal)).unwrap_or(usize::MAX);
        // Of what is left, too, no process is given more than it can make.
        let mut items: Vec<Item> = test.left.drain(..size.min(test.left.len())).collect();
        if items.is_empty() {
            while items.len() < size && total.is_none_or(|total| test.next < total) {
                items.push(test.next_item(base, shard));
            }
        }
        test.under_way += items.len() as u64;
        Some((place, items))
    }

    /// The test that has had the least of what it is to have: so a plan that is interrupted has made each
    /// test about as often. Of equal ones the longest, so that nobody waits for it at the end.
    fn most_behind(&self) -> Option<usize> {
        let wanting = (0..self.tests.len()).filter(|place| self.wants_more(*place));
        wanting.max_by_key(|&place| {
            let test = &self.tests[place];
            let mean = test.mean().unwrap_or(Duration::from_secs(10));
            let behind = match self.total() {
                Some(total) => u128::from(total - test.next),
                // Without a number of runs: the one that has had the least time.
                None => {
                    let under_way = u32::try_from(test.under_way).unwrap_or(u32::MAX);
                    u128::MAX - (test.wall + mean.saturating_mul(under_way)).as_nanos()
                }
            };
            (behind, mean)
        })
    }

    fn wants_more(&self, place: usize) -> bool {
        let test = &self.tests[place];
        if !test.left.is_empty() {
            return true;
        }
        if self.closed {
            return false;
        }
        match self.goal {
            Goal::Iterations(_) => self.total().is_some_and(|total| test.next < total),
            // However short the time is: what was never run has not passed.
            Goal::Until(end) => Instant::now() < end || test.runs + test.under_way == 0,
            Goal::UpperBound(rate) => test.failures == 0 && test.wanted(rate) > 0,
        }
    }

    /// Runs of a test, by their numbers in the whole plan, have been made already; so many failed. If a failure has
    /// ended them, what had been handed out before and came to no end is still to be done.
    pub fn resume(&mut self, place: usize, done: BTreeSet<u64>, failures: u64) {
        let shard = self.shard;
        let test = &mut self.tests[place];
        (test.runs, test.failures) = (done.len() as u64, failures);
        test.done = done;
        test.pass_over_done(shard);
        if failures > 0 && matches!(self.goal, Goal::UpperBound(_)) {
            self.make_up(place);
        }
    }

    /// Hands out nothing new any more. What has been handed out is to be done: only so do the runs
    /// before a failure count as what came before it.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// The same for a plan that is gone on with. What had been handed out before and came to no end is still to be done:
    /// all before the last run of a test.
    pub fn close_resumed(&mut self) {
        (0..self.tests.len()).for_each(|place| self.make_up(place));
        self.close();
    }

    /// Leaves to be done what is missing before the last run of a test.
    fn make_up(&mut self, place: usize) {
        let (base, shard) = (self.base, self.shard);
        let total = self.total().unwrap_or(u64::MAX);
        let test = &mut self.tests[place];
        let Some(last) = test.done.last().copied() else { return };
        while test.next < total && shard.index(test.next) < last {
            let item = test.next_item(base, shard);
            test.left.push(item);
        }
    }

    /// True if nothing is left and nothing is under way.
    pub fn is_done(&self) -> bool {
        let busy = |place: usize| self.wants_more(place) || self.tests[place].under_way > 0;
        !(0..self.tests.len()).any(busy)
    }

    /// Some runs of a test are over, in this wall time; the others are left to do.
    pub fn finished(
        &mut self,
        place: usize,
        (runs, failures): (u64, u64),
        left: Vec<Item>,
        wall: Duration,
    ) {
        let test = &mut self.tests[place];
        test.under_way -= runs + left.len() as u64;
        test.runs += runs;
        test.failures += failures;
        test.wall += wall;
        test.left.extend(left);
    }

    /// Runs made and failures seen of a test, and how long the rest will take one process.
    pub fn status(&self, place: usize) -> (u64, u64, Option<Duration>) {
        let test = &self.tests[place];
        let rest = match (self.total(), test.mean()) {
            (Some(total), Some(mean)) => {
                Some(mean * u32::try_from(total.saturating_sub(test.runs)).unwrap_or(u32::MAX))
            }
            _ => None,
        };
        (test.runs, test.failures, rest)
    }
}

impl Progress {
    /// The next run that nobody has made.
    fn next_item(&mut self, base: u64, shard: Shard) -> Item {
        let index = shard.index(self.next);
        self.next += 1;
        self.pass_over_done(shard);
        let simulated = self.clock == Clock::Sim;
        Item::new(index, simulated.then(|| seed(base, &self.name, index)))
    }

    fn pass_over_done(&mut self, shard: Shard) {
        while self.done.remove(&shard.index(self.next)) {
            self.next += 1;
        }
    }

    /// How long a run takes.
    fn mean(&self) -> Option<Duration> {
        let runs = u32::try_from(self.runs).unwrap_or(u32::MAX);
        (runs > 0 && !self.wall.is_zero()).then(|| self.wall / runs)
    }

    fn batch_size(&self, goal: Goal) -> u64 {
        // A real run takes seconds, and its output is its own.
        if self.clock == Clock::Real {
            return 1;
        }
        let Some(mean) = self.mean() else { return FIRST_BATCH };
        let fits = BATCH.as_nanos() / mean.as_nanos().max(1);
        let size = u64::try_from(fits).unwrap_or(u64::MAX).clamp(1, LARGEST_BATCH);
        match goal {
            Goal::Until(end) => {
                let left = end.saturating_duration_since(Instant::now()).as_nanos();
                let fits = u64::try_from(left / mean.as_nanos().max(1)).unwrap_or(u64::MAX);
                size.min(fits.max(1))
            }
            // After a failure nothing more is wanted, but for what is left.
            Goal::UpperBound(rate) => size.min(self.wanted(rate)).max(1),
            Goal::Iterations(_) => size,
        }
    }

    /// How many more runs it takes until clean ones show that the failure rate is below this. What is
    /// under way is taken to pass.
    fn wanted(&self, rate: f64) -> u64 {
        clean_runs_for(rate).saturating_sub(self.runs + self.under_way)
    }
}

/// The seed of a run, derived from the base, the test and the run's number.
pub fn seed(base: u64, test: &str, index: u64) -> u64 {
    let mut hash = mix(base);
    for byte in test.bytes() {
        hash = mix(hash ^ u64::from(byte));
    }
    // Short enough to be copied by hand.
    mix(hash ^ index) >> 24
}

#[cfg(test)]
mod tests {

    use super::*;

    fn test() -> TestCase {
        TestCase::of_nothing("a_2A")
    }

    /// The numbers of all runs that are handed out, in order; none fails.
    fn all(plan: &mut Plan) -> Vec<u64> {
        let mut numbers = Vec::new();
        while let Some((place, items)) = plan.hand_out() {
            numbers.extend(items.iter().map(|item| item.index));
            plan.finished(place, (items.len() as u64, 0), Vec::new(), Duration::from_millis(1));
        }
        assert!(plan.is_done());
        numbers
    }

    #[test]
    fn the_shares_of_any_number_are_the_whole() {
        let shares = |n, all| (1..=n).map(|k| Shard { k, n }.share(all)).sum::<u64>();
        for all in [0, 1, 4, 5, 31, u64::MAX] {
            assert_eq!([1, 3, 5].map(|n| shares(n, all)), [all; 3]);
        }
    }

    #[test]
    fn a_resumed_plan_makes_what_is_missing() {
        let plan = || Plan::new(&[test()], 0, Goal::Iterations(12), Some(Shard { k: 2, n: 2 }));
        assert_eq!(all(&mut plan()), [1, 3, 5, 7, 9, 11]);
        for (done, left) in [
            (vec![1, 3, 7], vec![5, 9, 11]),
            (vec![9, 11], vec![1, 3, 5, 7]),
            (vec![1, 3, 5, 7, 9, 11], vec![]),
        ] {
            let mut plan = plan();
            plan.resume(0, done.into_iter().collect(), 0);
            assert_eq!(all(&mut plan), left);
        }
    }

    #[test]
    fn a_closed_plan_hands_out_only_what_was_begun() {
        let mut plan = Plan::new(&[test()], 0, Goal::Iterations(12), None);
        let (place, items) = plan.hand_out().expect("something to do");
        plan.close();
        assert!(plan.hand_out().is_none() && !plan.is_done());
        plan.finished(place, (1, 1), items[1..].to_vec(), Duration::from_millis(1));
        assert_eq!(all(&mut plan), [1, 2]);
    }

    #[test]
    fn a_plan_that_has_failed_and_is_gone_on_with_has_no_gaps() {
        let shard = Shard { k: 2, n: 2 };
        let mut plan = Plan::new(&[test()], 0, Goal::Iterations(40), Some(shard));
        plan.resume(0, [1, 5, 11].into(), 1);
        plan.close_resumed();
        assert_eq!(all(&mut plan), [3, 7, 9], "all before the last one, none behind it");
        let mut plan = Plan::new(&[test()], 0, Goal::Iterations(40), None);
        plan.resume(0, [0, 1].into(), 1);
        plan.close_resumed();
        assert!(all(&mut plan).is_empty());
    }

    #[test]
    fn a_bound_that_a_failure_has_ended_and_is_gone_on_with_has_no_gaps() {
        let plan = |done: &[u64], failures| {
            let mut plan = Plan::new(&[test()], 0, Goal::UpperBound(0.1), None);
            plan.resume(0, done.iter().copied().collect(), failures);
            plan
        };
        assert_eq!(all(&mut plan(&[0, 1, 5], 1)), [2, 3, 4]);
        assert!(all(&mut plan(&[0, 1, 2], 1)).is_empty());
        // Without a failure there is more to do than that.
        assert!(all(&mut plan(&[0, 1, 5], 0)).len() > 10);
        let mut closed = plan(&[0, 1, 5], 1);
        closed.close_resumed();
        assert_eq!(all(&mut closed), [2, 3, 4]);
    }

    #[test]
    fn what_is_made_up_is_handed_out_in_batches_as_everything_is() {
        let mut test = test();
        let mut sizes = |clock, last: u64| {
            test.program.clock = clock;
            let mut plan = Plan::new(&[test.clone()], 0, Goal::Iterations(2_000), None);
            plan.resume(0, [0, 1, last].into(), 1);
            plan.close_resumed();
            let mut sizes = Vec::new();
            while let Some((place, items)) = plan.hand_out() {
                sizes.push(items.len() as u64);
                let runs = (items.len() as u64, 0);
                plan.finished(place, runs, Vec::new(), Duration::from_micros(1));
            }
            sizes
        };
        // A real test runs once in its process.
        assert_eq!(sizes(Clock::Real, 5), [1, 1, 1]);
        let simulated = sizes(Clock::Sim, 1_000);
        assert_eq!(simulated.iter().sum::<u64>(), 998);
        assert_eq!(simulated.iter().max(), Some(&LARGEST_BATCH));
    }

    #[test]
    fn time_that_is_over_is_no_reason_to_run_nothing() {
        let tests = [TestCase::of_nothing("a_2A"), TestCase::of_nothing("b_2A")];
        let mut plan = Plan::new(&tests, 0, Goal::Until(Instant::now()), None);
        assert_eq!(all(&mut plan).len(), 2 * FIRST_BATCH as usize);
    }

    #[test]
    fn a_plan_that_is_interrupted_has_made_each_test_about_as_often() {
        let tests = [TestCase::of_nothing("short_2A"), TestCase::of_nothing("long_2A")];
        let costs = [Duration::from_millis(2), Duration::from_millis(300)];
        let mut plan = Plan::new(&tests, 0, Goal::Iterations(10_000), None);
        let mut made = [0; 2];
        while made[1] < 500 {
            let (place, items) = plan.hand_out().expect("there is more to do");
            let runs = items.len() as u64;
            made[place] += runs;
            plan.finished(place, (runs, 0), Vec::new(), costs[place] * items.len() as u32);
        }
        assert!(made[0].abs_diff(made[1]) <= LARGEST_BATCH, "{made:?}");
    }
}
