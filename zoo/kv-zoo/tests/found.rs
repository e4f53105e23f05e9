//! For each mistake, a test and seeds with which the suite finds it today, and what it says then.
//!
//! A test here runs itself in a process of its own, with its seeds in the environment, and looks at
//! what is said. With `LAB_SEED` it is the run itself: what a failure names as its replay works. The
//! environment chooses the mistake as well: so there is one service in this program, and not one for each.

use std::env;
use std::ops::Range;
use std::process::Command;

use kv_tests::Subject;
use kv_tests::run::{origin, simulated};
use kv_zoo::{Chosen, Mistake, StudentClerk, StudentKv};

/// A line for each mistake: name, mistake, test, seeds, and what the verdict contains.
macro_rules! found {
    ($($name:ident: $mistake:ident, $test:literal, $seeds:expr, $words:literal;)*) => {$(
        #[test]
        fn $name() {
            let name = stringify!($name);
            if env::var_os("LAB_SEED").is_none() {
                return assert_found(name, Mistake::$mistake, $seeds, $words);
            }
            let test = kv_tests::test($test, Subject::of::<StudentKv<Chosen>, StudentClerk<Chosen>>());
            simulated(&test, origin!(name));
        }
    )*};
}

found! {
    answers_at_start: AnswersAtStart, "unreliable_one_key_3A", 0..1,
        "answered when applied: server";
    any_entry_will_do: AnyEntryWillDo, "one_partition_3A", 0..1,
        ", where an entry of term 2 was committed instead";
    index_is_enough: IndexIsEnough, "one_partition_3A", 0..1,
        "answered when applied: server";
    reads_its_own_state: ReadsItsOwnState, "one_partition_3A", 0..1,
        "a read that cannot know: server";
    duplicates_at_arrival: DuplicatesAtArrival, "persist_concurrent_unreliable_3A", 0..2,
        "applied once: ";
    seen_means_done: SeenMeansDone, "persist_partition_unreliable_linearizable_3A", 0..1,
        "answered when applied: server";
    new_number_on_retry: NewNumberOnRetry, "unreliable_one_key_3A", 0..2,
        "applied once: ";
    one_number_for_all: OneNumberForAll, "unreliable_one_key_3A", 0..1,
        "answered when applied: server";
    table_of_the_leader: TableOfTheLeader, "persist_concurrent_unreliable_3A", 0..2,
        "applied once: ";
    table_not_in_snapshot: TableNotInSnapshot,
        "snapshot_unreliable_recover_concurrent_partition_linearizable_3B", 0..40,
        "applied once: ";
    all_results_kept: AllResultsKept, "snapshot_size_3B", 0..1,
        "snapshot size: snapshot too large";
    never_freed: NeverFreed, "one_partition_3A", 0..1,
        "nobody waits for ever: server";
    never_freed_when_all_is_healed: NeverFreed, "service_soak", 110..111,
        "- client 7 has waited 10.0 s for Append";
    lock_while_waiting: LockWhileWaiting, "many_partitions_many_clients_3A", 0..2,
        "nobody waits for ever: server";
    append_as_put: AppendAsPut, "persist_partition_unreliable_linearizable_3A", 0..1,
        "history is not linearizable";
    no_snapshots: NoSnapshots, "snapshot_size_3B", 0..1,
        "log size: logs were not trimmed";
    snapshot_not_read: SnapshotNotRead,
        "snapshot_unreliable_recover_concurrent_partition_linearizable_3B", 0..1,
        "history is not linearizable";
    snapshot_not_read_alone: SnapshotNotRead, "snapshot_recover_3B", 0..1,
        ", and answers without what stands in it";
    only_the_last_is_known: OnlyTheLastIsKnown, "service_soak", 0..12,
        "applied once: ";
}

/// Runs one of the tests above with this mistake and these seeds, and looks for these words.
fn assert_found(name: &str, mistake: Mistake, seeds: Range<u64>, expected: &str) {
    let run = Command::new(env::current_exe().expect("a running program"))
        .args(["--exact", name, "--nocapture"])
        .env("LAB_SEED", seeds.start.to_string())
        .env("LAB_SEEDS", (seeds.end - seeds.start).to_string())
        .env("KV_ZOO", format!("{mistake:?}"))
        .env_remove("LAB_RECORDS")
        .output()
        .expect("it can be run");
    let words = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success(), "seeds {seeds:?} find nothing: {words}");
    assert!(words.contains(expected), "`{expected}` is not in: {words}");
}
