//! What is to be run, in which order, and with which seeds.

use std::time::{Duration, Instant};

use run_record::Clock;

use crate::build::TestCase;
use crate::process::Item;
use crate::stats::wilson;

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
    /// At this time.
    Until(Instant),
    /// When the failure rate is below this with 95 % confidence, or a run has failed.
    UpperBound(f64),
}

/// The k-th of n parts, from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part.
    pub k: u64,
    /// Of how many.
    pub n: u64,
}

/// What is left to do.
#[derive(Debug)]
pub struct Plan {
    base: u64,
    goal: Goal,
    shard: Shard,
    tests: Vec<Progress>,
}

/// One test's part of the plan.
#[derive(Debug)]
struct Progress {
    name: String,
    clock: Clock,
    /// The next run's number among those of this shard.
    next: u64,
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
            left: Vec::new(),
            runs: 0,
            failures: 0,
            under_way: 0,
            wall: Duration::ZERO,
        };
        Plan {
            base,
            goal,
            shard: shard.unwrap_or(Shard { k: 1, n: 1 }),
            tests: tests.iter().map(progress).collect(),
        }
    }

    /// How many runs a test has in this shard; none if only time or a bound decides.
    pub fn total(&self) -> Option<u64> {
        match self.goal {
            Goal::Iterations(all) => Some((all + self.shard.n - self.shard.k) / self.shard.n),
            _ => None,
        }
    }

    /// Hands out the next runs: which test, and which items. `None` if there is nothing to hand out
    /// now; [`Plan::is_done`] tells whether there will be.
    pub fn hand_out(&mut self) -> Option<(usize, Vec<Item>)> {
        let place = self.most_behind()?;
        let (base, shard, goal, total) = (self.base, self.shard, self.goal, self.total());
        let test = &mut self.tests[place];
        let mut items: Vec<Item> = std::mem::take(&mut test.left);
        let size = if items.is_empty() { test.batch_size(goal) } else { 0 };
        for _ in 0..size {
            if total.is_some_and(|total| test.next >= total) {
                break;
            }
            let index = test.next * shard.n + shard.k - 1;
            test.next += 1;
            let simulated = test.clock == Clock::Sim;
            items.push(Item { index, seed: simulated.then(|| seed(base, &test.name, index)) });
        }
        test.under_way += items.len() as u64;
        Some((place, items))
    }

    /// The test with the most work left, so that all end together.
    fn most_behind(&self) -> Option<usize> {
        let wanting = (0..self.tests.len()).filter(|place| self.wants_more(*place));
        wanting.max_by_key(|&place| {
            let test = &self.tests[place];
            let mean = test.mean().unwrap_or(Duration::from_secs(10));
            match self.total() {
                Some(total) => mean * u32::try_from(total - test.next).unwrap_or(u32::MAX),
                // Without a number of runs: the one that has had the least time.
                None => {
                    Duration::MAX - (test.wall + mean * u32::try_from(test.under_way).unwrap_or(1))
                }
            }
        })
    }

    fn wants_more(&self, place: usize) -> bool {
        let test = &self.tests[place];
        if !test.left.is_empty() {
            return true;
        }
        match self.goal {
            Goal::Iterations(_) => self.total().is_some_and(|total| test.next < total),
            Goal::Until(end) => Instant::now() < end,
            Goal::UpperBound(rate) => {
                // What is under way is taken to pass, so that not too much is started.
                let runs = test.runs + test.under_way;
                test.failures == 0 && wilson(0, runs).1 >= rate
            }
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
    /// How long a run takes.
    fn mean(&self) -> Option<Duration> {
        let runs = u32::try_from(self.runs).unwrap_or(u32::MAX);
        (runs > 0).then(|| self.wall / runs)
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
            _ => size,
        }
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

/// A step of the splitmix64 generator.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
