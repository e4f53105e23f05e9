//! A cluster of one server: what it saves is committed, so a crash at the wrong moment tells at once
//! whether somebody was told of what was not saved.

use labrt::simulate;
use raft_checked::CheckedRaft;
use raft_tests::{Cluster, RaftType, part_2c};

/// Clients write while the server crashes and comes back. Nobody may take an entry for committed that
/// a crash then loses: neither the checker within, nor the tester.
#[test]
fn what_a_crash_loses_was_never_committed() {
    let mut failures = Vec::new();
    for seed in 0..40 {
        let outcome = simulate(seed, || {
            let cluster = Cluster::new(RaftType::of::<CheckedRaft>(), 1, false);
            part_2c::churn(&cluster, cluster.run());
            cluster.cleanup();
        });
        if let Err(failure) = outcome {
            failures.push(format!("seed {seed}: {failure}"));
        }
    }
    assert!(
        failures.is_empty(),
        "{} runs failed, such as\n{}",
        failures.len(),
        failures.join("\n")
    );
}
