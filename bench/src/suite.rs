//! The simulated Lab 2 suite, one seed of each test, on the calling thread.

use labrt::SwitchBy;
use labrt::world::{Builder, Trace};
use labtrace::Keep;
use raft_tests::cluster::{Cluster, Totals};
use raft_tests::run::{Context, TIME_LIMIT};
use raft_tests::{Watch, part_2a, part_2b, part_2c};
use run_record::setting::Setting;

type Body<R> = fn(&Cluster<R>, &Context);

/// Name, body, number of servers, unreliable network.
type Row<R> = (&'static str, Body<R>, usize, bool);

/// The tests of the suite.
pub fn tests<R: raft_api::Raft>() -> [Row<R>; 21] {
    [
        ("initial_election_2A", part_2a::initial_election, 3, false),
        ("election_after_network_failure_2A", part_2a::election_after_network_failure, 3, false),
        ("multiple_elections_2A", part_2a::multiple_elections, 7, false),
        ("basic_agreement_2B", part_2b::basic_agreement, 3, false),
        ("rpc_byte_count_2B", part_2b::rpc_byte_count, 3, false),
        (
            "progressive_failure_of_followers_2B",
            part_2b::progressive_failure_of_followers,
            3,
            false,
        ),
        ("failure_of_leaders_2B", part_2b::failure_of_leaders, 3, false),
        (
            "agreement_despite_follower_disconnection_2B",
            part_2b::agreement_despite_follower_disconnection,
            3,
            false,
        ),
        (
            "no_agreement_if_too_many_followers_disconnect_2B",
            part_2b::no_agreement_if_too_many_followers_disconnect,
            5,
            false,
        ),
        ("concurrent_starts_2B", part_2b::concurrent_starts, 3, false),
        ("rejoin_of_partitioned_leader_2B", part_2b::rejoin_of_partitioned_leader, 3, false),
        ("leader_backs_up_quickly_2B", part_2b::leader_backs_up_quickly, 5, false),
        ("rpc_counts_2B", part_2b::rpc_counts, 3, false),
        ("basic_persistence_2C", part_2c::basic_persistence, 3, false),
        ("more_persistence_2C", part_2c::more_persistence, 5, false),
        (
            "partitioned_leader_and_one_follower_crash_2C",
            part_2c::partitioned_leader_and_one_follower_crash,
            3,
            false,
        ),
        ("figure_8_2C", part_2c::figure_8, 5, false),
        ("unreliable_agreement_2C", part_2c::unreliable_agreement, 5, true),
        ("figure_8_unreliable_2C", part_2c::figure_8_unreliable, 5, true),
        ("churn_2C", part_2c::churn, 5, false),
        ("unreliable_churn_2C", part_2c::churn, 5, true),
    ]
}

/// Runs one test with one seed, and records so much of it.
///
/// # Panics
/// If it fails.
pub fn run<R: raft_api::Raft>(
    &(name, body, servers, unreliable): &Row<R>,
    seed: u64,
    switch_by: SwitchBy,
    keep: Keep,
) -> (Totals, Trace) {
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
