//! The reference service works above right Rafts that are none of ours, and is not accused above them.

use kv_tests::{Subject, test};
use labrt::world::Builder;
use odd_rafts::{Odd, OddRaft};
use tester::{Run, TIME_LIMIT};

/// What may matter to a service: what else is in the log, how a snapshot comes, who leads for how long.
const ODD: [&str; 4] = ["", "noop", "noop+event_loop+pipelined", "check_quorum+commit_persisted"];

#[test]
fn snapshots_and_restarts_above_odd_rafts() {
    for name in ["snapshot_recover_3B", "snapshot_unreliable_recover_3B"] {
        for odd in ODD {
            let test = test(name, Subject::of::<kv::Server<OddRaft>, kv::Clerk>());
            let odd: Odd = odd.parse().expect("a known name");
            let run = Run::silent();
            let chosen = odd.clone();
            let outcome = Builder::simulated(1).time_limit(TIME_LIMIT).run(move || {
                odd_rafts::choose(chosen);
                test.play(&run);
            });
            outcome.unwrap_or_else(|failure| panic!("{name} above {odd}: {failure}"));
        }
    }
}
