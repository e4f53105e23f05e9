//! The simulated Lab 2 suite, one seed of each test, on the calling thread.

use labrt::SwitchBy;
use labrt::world::{Builder, Trace};
use labtrace::Keep;
use raft_tests::RaftType;
use raft_tests::run::{Run, TIME_LIMIT, Test, Totals};
use run_record::setting::Setting;

/// Runs one test of this type of Raft with one seed, and records so much of it.
///
/// # Panics
/// If it fails.
pub fn run(
    name: &str,
    test: &Test,
    raft: RaftType,
    seed: u64,
    switch_by: SwitchBy,
    keep: Keep,
) -> (Totals, Trace) {
    let (test, run) = (test.general(raft), Run::new(keep, Setting::default()));
    let world = Builder::simulated(seed).switch_by(switch_by).time_limit(TIME_LIMIT);
    let outcome = world.run(move || test.play(&run));
    let outcome = outcome.unwrap_or_else(|failure| panic!("{name}, seed {seed}: {failure}"));
    (outcome.value, outcome.trace.expect("a simulated run has a trace"))
}
