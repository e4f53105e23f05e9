//! What it costs to judge services: the simulated suites of labs 3 and 4 with and without the rules that are checked
//! at every event, and with and without the decision whether what all clients saw is linearizable.

use std::time::Duration;

use bench::{cpu, ratio_of};
use labrt::world::Builder;
use tester::{Judged, Run, TIME_LIMIT, Test};

/// One suite takes seconds.
const ROUNDS: usize = 7;

/// The tests of a suite, by name.
type Tests = Vec<(&'static str, Test)>;

/// The CPU time of one seed of each test.
fn suite(tests: &Tests, judged: Judged) -> Duration {
    let began = cpu::used();
    for (name, test) in tests {
        let (test, run) = (test.clone(), Run::judged_less(judged));
        let world = Builder::simulated(0).time_limit(TIME_LIMIT);
        let outcome = world.run(move || test.play(&run));
        outcome.unwrap_or_else(|failure| panic!("{name}: {failure}"));
    }
    cpu::used() - began
}

fn main() {
    let kv = kv_tests::all_tests(kv_tests::Subject::of::<kv::Server<raft::Raft>, kv::Clerk>());
    let shards = shard_tests::all_tests(bench::shards::subject());
    for (name, tests) in [("kv-tests", kv), ("shard-tests", shards)] {
        for (words, more, less) in [
            ("rules / none", Judged::ByRules, Judged::ByTests),
            ("rules and histories / rules", Judged::ByHistories, Judged::ByRules),
        ] {
            let name = format!("judging: {name}, {words}, CPU time of the suite");
            ratio_of(ROUNDS, &name, "none", || suite(&tests, more), || suite(&tests, less));
        }
    }
}
