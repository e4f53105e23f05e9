//! For each mistake, a test and seeds with which the suite finds it today, and what it says then.
//!
//! A test here runs itself in a process of its own, with its seeds in the environment, and looks at
//! what is said. With `LAB_SEED` it is the run itself: what a failure names as its replay works. The
//! environment chooses the mistake as well: so there is one service in this program, and not one for each.

use std::env;
use std::ops::Range;
use std::process::Command;

use shard_tests::Subject;
use shard_tests::run::{origin, simulated};
use shard_zoo::{
    Chosen, Mistake, StudentClerk, StudentController, StudentControllerClerk, StudentShards,
};

/// What is under test.
fn service() -> Subject {
    Subject::of::<
        StudentShards<Chosen, StudentControllerClerk>,
        StudentClerk<Chosen, StudentControllerClerk>,
        StudentController<Chosen>,
        StudentControllerClerk,
    >()
}

/// A line for each mistake: name, mistake, test, seeds, and what the verdict contains; `silent` if
/// servers tell nothing.
macro_rules! found {
    ($($name:ident: $mistake:ident, $test:literal, $seeds:expr, $words:literal $(, $silent:ident)?;)*) => {$(
        #[test]
        fn $name() {
            let name = stringify!($name);
            if env::var_os("LAB_SEED").is_none() {
                let silent = stringify!($($silent)?) == "silent";
                return assert_found(name, Mistake::$mistake, silent, $seeds, $words);
            }
            simulated(&shard_tests::test($test, service()), origin!(name));
        }
    )*};
}

found! {
    served_before_it_arrived: ServedBeforeItArrived, "join_leave_4B", 0..1,
        "one group serves a shard: group 101 serves shard 0, and so does group 100";
    served_after_it_left: ServedAfterItLeft, "join_leave_4B", 0..1,
        "served as configured: group 100 serves shard";
    checked_at_arrival: CheckedAtArrival, "concurrent_1_4B", 8..9,
        "get: get wrong value";
    configuration_skipped: ConfigurationSkipped, "miss_change_4B", 0..1,
        "configurations in order: group";
    two_moves_at_once: TwoMovesAtOnce, "miss_change_4B", 0..3,
        "one group serves a shard: group";
    changes_by_itself: ChangesByItself, "concurrent_3_4B", 5..6,
        "the servers of a group change alike: group";
    never_deleted: NeverDeleted, "challenge_1_delete_4B", 0..1,
        "lost shards are deleted: group";
    deletion_only_in_mind: DeletionOnlyInMind, "anything_storm", 0..40,
        "progress after healing";
    deleted_when_sent: DeletedWhenSent, "static_shards_4B", 0..1,
        "no shard is lost: group 100 has deleted shard";
    any_deletion_will_do: AnyDeletionWillDo, "deletion_again_rare", 0..9,
        "no shard is lost: group";
    nobodys_shard_is_new: NobodysShardIsNew, "anything_storm", 2..3,
        "the configuration gives the shard to nobody, and that deletes nothing";
    nobodys_shard_is_new_in_the_swarm: NobodysShardIsNew, "shards_soak", 0..30,
        "the configuration gives the shard to nobody, and that deletes nothing";
    inserted_again: InsertedAgain, "unreliable_2_4B", 2..3,
        "get: get wrong value";
    table_not_moved: TableNotMoved, "unreliable_2_4B", 0..1,
        "the table of what was applied must move together with the shard";
    refusals_noted: RefusalsNoted, "concurrent_1_4B", 0..1,
        "get: get wrong value";
    snapshot_without_moves: SnapshotWithoutMoves, "unreliable_1_4B", 0..1,
        "the servers of a group change alike: group";
    moves_stop_all: MovesStopAll, "challenge_2_unaffected_4B", 0..1,
        "the run took longer than its limit";
    waits_for_all: WaitsForAll, "challenge_2_partial_4B", 0..1,
        "the run took longer than its limit";
    new_number_for_next_group: NewNumberForNextGroup, "unreliable_1_4B", 0..1,
        "applied once: ";
    shared_map: SharedMap, "basic_4A", 0..1,
        "same configuration: ";
    balanced_by_hash_order: BalancedByHashOrder, "multi_4A", 0..1,
        "same configuration: ";
    dealt_anew: DealtAnew, "basic_4A", 0..1,
        "minimal movement: ";
    one_takes_all: OneTakesAll, "basic_4A", 0..1,
        "balance: ";
    move_balances: MoveBalances, "basic_4A", 0..1,
        "move: ";
    one_configuration_each: OneConfigurationEach, "minimal_movement_again_4A", 0..1,
        "linearizability of the controller";
    changed_twice: ChangedTwice, "unreliable_3_4B", 2..3,
        "numbers: after configuration";
    queries_its_own_state: QueriesItsOwnState, "multi_4A", 0..1,
        "a read that cannot know: ";

    // The same service, of which nobody says what it does.
    served_before_it_arrived_silent: ServedBeforeItArrived, "concurrent_1_4B", 0..1,
        "get: get wrong value", silent;
    served_after_it_left_silent: ServedAfterItLeft, "join_leave_4B", 0..1,
        "get: get wrong value", silent;
    deleted_when_sent_silent: DeletedWhenSent, "challenge_2_partial_4B", 10..11,
        "the run took longer than its limit", silent;
}

/// Runs one of the tests above with this mistake and these seeds, and looks for these words.
fn assert_found(name: &str, mistake: Mistake, silent: bool, seeds: Range<u64>, expected: &str) {
    let mut run = Command::new(env::current_exe().expect("a running program"));
    run.args(["--exact", name, "--nocapture"])
        .env("LAB_SEED", seeds.start.to_string())
        .env("LAB_SEEDS", (seeds.end - seeds.start).to_string())
        .env("SHARD_ZOO", format!("{mistake:?}"))
        .env_remove("LAB_RECORDS");
    if silent {
        run.env("SHARD_ZOO_SILENT", "1");
    }
    let run = run.output().expect("it can be run");
    let words = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success(), "seeds {seeds:?} find nothing: {words}");
    assert!(words.contains(expected), "`{expected}` is not in: {words}");
}
