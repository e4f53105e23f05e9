//! What the suite is there to find is found: controllers, stores and clerks that are wrong in one way.
//!
//! A test here runs itself in a process of its own, with its seed in the environment, and looks at what
//! is said. With `LAB_SEED` it is the run itself. The environment chooses the mistake as well: so there is
//! one service in this program, and not one for each.

mod wrong;

use std::env;
use std::process::Command;

use shard_tests::Subject;
use shard_tests::run::{origin, simulated};
use wrong::{Clerk, ControllerClerk, Mistake, Server};

fn subject() -> Subject {
    Subject::of::<Server, Clerk, shardctrler::Server<raft::Raft>, ControllerClerk>()
}

/// A line for each mistake: name, mistake, test, and what the verdict contains.
macro_rules! found {
    ($($name:ident: $mistake:ident, $test:literal, $words:literal;)*) => {$(
        #[test]
        fn $name() {
            find(stringify!($name), Mistake::$mistake, $test, $words, 0);
        }
    )*};
}

/// In a storm with a limit the store makes snapshots, and is right to.
#[test]
fn a_snapshot_in_a_storm_without_a_limit_is_found() {
    let name = "a_snapshot_in_a_storm_without_a_limit_is_found";
    find(name, Mistake::Snapshots, "anything_storm", "snapshot size: ", WITHOUT_LIMIT);
}

/// A seed whose storm has no limit.
const WITHOUT_LIMIT: u64 = 4;

/// Who comes after the healing writes and reads.
#[test]
fn a_store_that_answers_no_read_after_healing_is_found() {
    let name = "a_store_that_answers_no_read_after_healing_is_found";
    find(name, Mistake::LateReadsHang, "shards_soak", "progress after healing: ", 0);
}

/// Is a test of this name, or the run that it is about: of this mistake in one of the suite's tests.
fn find(name: &'static str, mistake: Mistake, test: &str, words: &str, seed: u64) {
    if env::var_os("LAB_SEED").is_none() {
        return assert_found(name, mistake, words, seed);
    }
    simulated(&shard_tests::test(test, subject()), origin!(name));
}

found! {
    more_shards_move_than_must: MovesMore, "minimal_movement_again_4A",
        "minimal movement: ";
    all_shards_go_to_one_group: OneForAll, "multi_4A",
        "balance: ";
    an_old_configuration_changes: OldOnesChange, "basic_4A",
        "same configuration: two answers differ";
    a_change_that_happens_twice: ChangesTwice, "basic_4A",
        "linearizability of the controller: no order of the changes fits";
    a_number_too_large_that_gives_nothing: TooLargeIsEmpty, "basic_4A",
        "numbers: Query(5) gave configuration 0, and not the latest one";
    a_change_that_happens_twice_at_the_second_controller: ChangesTwiceAtSecond, "rejection_4B",
        "linearizability of the controller: no order of the changes fits";
    a_move_that_does_nothing: MovesNothing, "basic_4A",
        "move: ";
    one_group_serves_what_others_have: OneForAll, "static_shards_4B",
        "shards of who is down: 10 of 10";
    each_group_serves_everything: ServesAll, "rejection_4B",
        "one group serves a shard: group ";
    lost_shards_are_kept: KeepsLost, "challenge_1_delete_4B",
        "deleted shards: ";
    a_change_that_makes_two_configurations: ChangesTwice, "join_leave_4B",
        "numbers: after configuration 0 there was one change, and the latest one is 2";
    logs_that_grow: NoSnapshots, "concurrent_1_4B",
        "log size: logs were not trimmed";
    a_snapshot_although_there_is_no_limit: Snapshots, "join_leave_4B",
        "snapshot size: ";
    a_join_that_is_done_when_it_was_refused: TakesRefusals, "join_leave_4B",
        "answered when applied: ";
    who_is_not_concerned_waits: NoWayOut, "anything_storm",
        "progress after healing: ";
    an_append_that_happens_twice: AppendsTwice, "unreliable_2_4B",
        "once and stands in what was read 2 times";
    an_append_that_does_not_happen: Forgets, "unreliable_1_4B",
        "get: get wrong value";
    a_history_that_no_order_explains: ReadsOld, "unreliable_3_4B",
        "history is not linearizable";
}

/// Runs one of the tests above with this mistake, and looks for these words.
fn assert_found(name: &str, mistake: Mistake, expected: &str, seed: u64) {
    let run = Command::new(env::current_exe().expect("a running program"))
        .args(["--exact", name, "--nocapture"])
        .env("LAB_SEED", seed.to_string())
        .env(wrong::VARIABLE, format!("{mistake:?}"))
        .env_remove("LAB_SEEDS")
        .env_remove("LAB_RECORDS")
        .output()
        .expect("it can be run");
    let words = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success(), "nothing is found: {words}");
    assert!(words.contains(expected), "`{expected}` is not in: {words}");
}
