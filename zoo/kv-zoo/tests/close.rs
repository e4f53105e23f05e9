//! Right services that come close to what a rule forbids are not accused, and wrong ones just beyond
//! it are.

use std::time::Duration;

use kv_tests::Subject;
use kv_zoo::{Choice, Correct, Mistake, StudentClerk, StudentKv};
use tester::Run;

/// How a test ends with this service, with some seeds: the failures.
fn failures<M: Choice>(test: &'static str, seeds: u64) -> Vec<String> {
    let play = |seed| {
        let test = kv_tests::test(test, Subject::of::<StudentKv<M>, StudentClerk<M>>());
        labrt::simulate(seed, move || test.play(&Run::silent())).err()
    };
    (0..seeds).filter_map(play).map(|failure| failure.message).collect()
}

macro_rules! choice {
    ($name:ident, $what:ident() -> $type:ty = $value:expr) => {
        enum $name {}

        impl Choice for $name {
            fn mistake() -> Option<Mistake> {
                None
            }

            fn $what() -> $type {
                $value
            }
        }
    };
}

// The rule gives 4 s.
choice!(Patient, look() -> Duration = Duration::from_millis(3500));
choice!(TooPatient, look() -> Duration = Duration::from_secs(20));
// The rule allows eight times the limit: 32 quarters.
choice!(Late, due() -> usize = 28);
choice!(TooLate, due() -> usize = 36);
choice!(Hiding, hides() -> bool = true);

#[test]
fn a_reply_that_was_on_its_way_when_its_server_crashed_is_an_answer() {
    // In a run with seed 4 a client gets its answer from a server that is down by then.
    let failures = failures::<Correct>("persist_concurrent_unreliable_3A", 5);
    assert_eq!(failures, Vec::<String>::new());
}

#[test]
fn who_lets_go_late_is_right_and_who_does_not_is_wrong() {
    let test = "many_partitions_many_clients_3A";
    assert_eq!(failures::<Patient>(test, 4), Vec::<String>::new());
    let words = failures::<TooPatient>(test, 4);
    assert!(words.iter().any(|words| words.contains("does not lead any more")), "{words:?}");
}

#[test]
fn who_shows_only_some_of_what_is_written_is_right() {
    for test in ["concurrent_3A", "persist_partition_unreliable_linearizable_3A", "snapshot_rpc_3B"]
    {
        assert_eq!(failures::<Hiding>(test, 3), Vec::<String>::new(), "{test}");
    }
}

#[test]
fn who_trims_its_log_late_is_right_and_who_trims_it_too_late_is_wrong() {
    let test = "snapshot_recover_many_clients_3B";
    assert_eq!(failures::<Late>(test, 1), Vec::<String>::new());
    let words = failures::<TooLate>(test, 1);
    assert!(words.iter().any(|words| words.contains("logs were not trimmed")), "{words:?}");
}
