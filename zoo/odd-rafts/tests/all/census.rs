//! Running odd Rafts, and counting what they are accused of.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use labrt::sync::Mutex;
use labrt::thread;
use labrt::world::Builder;
use odd_rafts::{Odd, OddRaft};
use raft_tests::RaftType;
use raft_tests::run::{Run, TIME_LIMIT, Test};

/// What became of the runs of one odd Raft.
#[derive(Debug)]
pub(crate) struct Count {
    pub(crate) name: String,
    pub(crate) runs: u64,
    /// By the check that was not met.
    pub(crate) failed: BTreeMap<String, Failed>,
}

/// Runs that failed by one check.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) runs: u64,
    /// The first of them: how to repeat it, and what was said.
    pub(crate) replay: String,
    pub(crate) words: String,
}

/// Tests of odd Rafts, by their names.
pub(crate) type Tests = fn() -> Vec<(&'static str, Test)>;

/// Runs these tests with these seeds for each of them, as many side by side as there are processors.
pub(crate) fn take(odds: Vec<Odd>, tests: Tests, seeds: Range<u64>) -> Vec<Count> {
    let places = odds.len();
    let queue = Arc::new(Mutex::new(odds.into_iter().enumerate()));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let workers: Vec<_> = (0..workers)
        .map(|_| {
            let (queue, seeds) = (queue.clone(), seeds.clone());
            thread::spawn(move || {
                let next = || queue.lock().next();
                std::iter::from_fn(next)
                    .map(|(place, odd)| (place, count(&odd, tests, seeds.clone())))
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    let done = workers.into_iter().flat_map(|worker| worker.join().expect("it does not panic"));
    let counts: BTreeMap<usize, Count> = done.collect();
    assert_eq!(counts.len(), places, "each was run");
    counts.into_values().collect()
}

fn count(odd: &Odd, tests: Tests, seeds: Range<u64>) -> Count {
    let mut count = Count { name: odd.to_string(), runs: 0, failed: BTreeMap::new() };
    for (name, test) in tests() {
        if odd.exempt_from(name).is_some() {
            continue;
        }
        for seed in seeds.clone() {
            count.runs += 1;
            if let Err((check, words)) = run(odd, &test, seed) {
                let first = || Failed { runs: 0, replay: replay(odd, name, seed), words };
                count.failed.entry(check).or_insert_with(first).runs += 1;
            }
        }
    }
    count
}

/// Runs a test once. If it fails, returns the check that was not met, and what was said.
pub(crate) fn run(odd: &Odd, test: &Test, seed: u64) -> Result<(), (String, String)> {
    let raft = RaftType::of::<OddRaft>();
    let (test, odd, run) = (test.general(raft), odd.clone(), Run::silent());
    let session = run.session().clone();
    let world = Builder::simulated(seed).time_limit(TIME_LIMIT);
    let outcome = world.run(move || {
        odd_rafts::choose(odd);
        test.play(&run);
    });
    let Err(failure) = outcome else { return Ok(()) };
    let verdict = session.verdict().filter(|verdict| verdict.words == failure.message);
    let check = verdict.map_or_else(|| failure.kind.to_string(), |verdict| verdict.check);
    Err((check, failure.message))
}

pub(crate) fn replay(odd: &Odd, test: &str, seed: u64) -> String {
    let variable = odd_rafts::VARIABLE;
    format!("{variable}={odd} LAB_SEED={seed} cargo test -p odd-rafts --test sim -- --exact {test}")
}
