//! The simulated Lab 2 suite, one seed of each test, on the calling thread.

use labrt::SwitchBy;
use labrt::world::{Builder, Trace};
use labtrace::Keep;
use raft_tests::Watch;
use raft_tests::cluster::{Cluster, Totals};
use raft_tests::run::{Context, TIME_LIMIT, Test};
use run_record::setting::Setting;

/// Runs one test with one seed, and records so much of it.
///
/// # Panics
/// If it fails.
pub fn run<R: raft_api::Raft>(
    name: &str,
    test: &Test<R>,
    seed: u64,
    switch_by: SwitchBy,
    keep: Keep,
) -> (Totals, Trace) {
    let Test { servers, unreliable, body, .. } = *test;
    let world = Builder::simulated(seed).switch_by(switch_by).time_limit(TIME_LIMIT);
    let watch = Watch::of::<R>(servers, keep, Setting::default());
    let outcome = world.run(move || {
        let cluster = Cluster::watched(servers, unreliable, watch);
        body(&cluster, &Context::silent());
        let totals = cluster.totals();
        cluster.cleanup();
        totals
    });
    let outcome = outcome.unwrap_or_else(|failure| panic!("{name}, seed {seed}: {failure}"));
    (outcome.value, outcome.trace.expect("a simulated run has a trace"))
}
