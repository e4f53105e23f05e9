//! What the suite is there to find is found: a student's layer that makes one mistake.

mod student;

use labrt::world::Builder;
use rsm_tests::{Subject, all_tests};
use student::{Habits, Student};
use tester::{Run, TIME_LIMIT};

/// With which of a few seeds a student's layer with these habits fails in a test, and the words.
fn failures<H: Habits>(test: &str, seeds: u64) -> Vec<(u64, String)> {
    let play = |seed| {
        let test = rsm_tests::test(test, Subject::of::<Student<H>>());
        let world = Builder::simulated(seed).time_limit(TIME_LIMIT);
        let failure = world.run(move || test.play(&Run::silent())).err()?;
        Some((seed, failure.message))
    };
    (0..seeds).filter_map(play).collect()
}

/// A line for each mistake: what it is, the test that finds it, and what that says.
macro_rules! found {
    ($($name:ident: $($habit:ident = $is:literal),+; $test:literal, $words:literal;)*) => {$(
        #[test]
        fn $name() {
            struct Mistaken;
            impl Habits for Mistaken {
                $(const $habit: bool = $is;)+
            }
            let failures = failures::<Mistaken>($test, 10);
            let (_, words) = failures.first().expect("it is found");
            assert!(words.contains($words), "{words}");
        }
    )*};
}

found! {
    a_submitter_that_waits_for_ever_at_a_deposed_leader: LETS_GO_WHEN_DEPOSED = false;
        "leader_partition_4A", "somebody still waits in submit 1 s after the parts were joined";
    a_submitter_that_waits_for_ever_at_a_server_that_is_over: LETS_GO_AT_THE_END = false;
        "shutdown_4A", "somebody still waits in submit 11 s after all servers were stopped";
    a_reply_to_whoever_waits_for_the_index: LOOKS_WHO_SUBMITTED = false;
        "leader_partition_4A", "answered Dec with Value(2)";
    a_reply_of_an_earlier_life: NAMES_AFRESH = false;
        "restart_replay_4A", ", and not 101";
    a_request_that_is_executed_before_it_is_committed: EXECUTES_AT_ONCE = true;
        "leader_partition_4A", "a Dec was executed";
    a_request_that_is_executed_at_once_and_again: EXECUTES_AT_ONCE = true, EXECUTES_ONCE = false;
        "basic_4A", "servers have counted to 1, and not 3";
    a_follower_that_executes_nothing: EXECUTES_ALL = false;
        "basic_4A", "only 1 servers have counted to 1, and not 3";
    a_machine_that_is_not_restored: RESTORES = false;
        "snapshot_4C", "Inc was answered";
    a_snapshot_that_was_never_due: SNAPSHOTS_ALWAYS = true;
        "basic_4A", "has made a snapshot, and was never to make one";
    a_log_that_is_never_cut: MAKES_SNAPSHOTS = false;
        "snapshot_4C", "logs were not trimmed";
}

#[test]
fn a_layer_without_mistakes_passes() {
    struct Right;
    impl Habits for Right {}
    for (name, _) in all_tests(Subject::of::<Student<Right>>()) {
        assert_eq!(failures::<Right>(name, 3), [], "{name}");
    }
}

/// The cause that is named for the replies of `concurrent_4A` with these habits.
fn cause_of_replies<H: Habits>() -> String {
    let run = Run::silent();
    let (test, playing) =
        (rsm_tests::test("concurrent_4A", Subject::of::<Student<H>>()), run.clone());
    let world = Builder::simulated(0).time_limit(TIME_LIMIT);
    world.run(move || test.play(&playing)).map(drop).expect_err("it is found");
    let verdict = run.session().verdict().expect("there is one");
    assert!(verdict.words.contains("50 Incs were answered ["), "{}", verdict.words);
    verdict.hint.expect("it names the usual cause")
}

#[test]
fn two_submitters_with_one_reply_are_named_only_where_two_replies_are_equal() {
    struct Twice;
    impl Habits for Twice {
        const EXECUTES_TWICE: bool = true;
    }
    let hint = cause_of_replies::<Twice>();
    assert!(hint.starts_with("a request was executed twice, or submit gave an error"), "{hint}");
    struct Latest;
    impl Habits for Latest {
        const TELLS_THE_LATEST: bool = true;
    }
    let hint = cause_of_replies::<Latest>();
    assert!(hint.starts_with("two submitters got the reply of one request"), "{hint}");
}

#[test]
fn an_inc_whose_submitter_is_told_nothing_fails_after_ten_seconds() {
    struct TellsNothing;
    impl Habits for TellsNothing {
        const TELLS_THE_REPLY: bool = false;
    }
    let failures = failures::<TellsNothing>("basic_4A", 3);
    let (_, words) = failures.first().expect("it is found");
    assert!(words.contains("an Inc was not executed within 10 s"), "{words}");
}

#[test]
fn a_snapshot_of_another_server_that_is_not_taken_is_found() {
    struct TakesNone;
    impl Habits for TakesNone {
        const TAKES_SNAPSHOTS: bool = false;
    }
    let failures = failures::<TakesNone>("snapshot_behind_4C", 3);
    assert_eq!(failures.len(), 3, "with each seed: {failures:?}");
    for (_, words) in failures {
        assert!(words.contains("only 2 servers have counted to 101, and not 3"), "{words}");
    }
}
