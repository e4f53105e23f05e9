//! Whatever a setting takes away from a test, a right Raft passes it: what is said to be wrong with less
//! trouble must not be the test's own fault.

use labrt::world::Builder;
use raft_checked::CheckedRaft;
use raft_tests::run::{Run, TIME_LIMIT};
use raft_tests::{RaftType, all_tests};
use run_record::setting::Setting;
use tester::Keep;

const SETTINGS: [&str; 11] = [
    "cuts=0",
    "cuts=1",
    "cuts=2",
    "crashes=0",
    "crashes=1",
    "rounds=0",
    "rounds=1",
    "rounds=2",
    "losses=0",
    "losses=0,delays=0,reorders=0,crashes=0,cuts=0,rounds=0,switches=0",
    "crashes=1,cuts=1,rounds=1",
];

#[test]
fn the_reference_passes_all_tests_with_any_setting() {
    let mut failures = Vec::new();
    for text in SETTINGS {
        let setting: Setting = text.parse().expect("a setting");
        for (name, test) in all_tests() {
            let (test, run) =
                (test.general(RaftType::of::<CheckedRaft>()), Run::new(Keep::Nothing, setting));
            let world = Builder::simulated(0).time_limit(TIME_LIMIT);
            if let Err(failure) = world.run(move || test.play(&run)) {
                failures.push(format!("{text}, {name}: {failure}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} runs failed:\n{}", failures.len(), failures.join("\n"));
}
