//! Right services of another build than the reference are not accused, whether they tell what they do
//! or not; and who tells nothing hears what was not judged.

use shard_tests::Subject;
use shard_zoo::{
    Choice, Correct, Mistake, StudentClerk, StudentController, StudentControllerClerk,
    StudentShards,
};
use tester::Run;

/// A store and a controller with this choice.
fn service<M: Choice>() -> Subject {
    Subject::of::<
        StudentShards<M, StudentControllerClerk>,
        StudentClerk<M, StudentControllerClerk>,
        StudentController<M>,
        StudentControllerClerk,
    >()
}

/// No mistake, and no word about it.
enum Silent {}

impl Choice for Silent {
    fn mistake() -> Option<Mistake> {
        None
    }

    fn tells() -> bool {
        false
    }
}

/// How a test ends with this service and a seed: the failure, and what was not judged.
fn played<M: Choice>(test: &'static str, seed: u64) -> (Option<String>, Vec<String>) {
    let run = Run::silent();
    let inside = run.clone();
    let outcome = labrt::simulate(seed, move || {
        let test = shard_tests::test(test, service::<M>());
        test.play(&inside)
    });
    (outcome.err().map(|failure| failure.message), run.not_judged())
}

fn sentence_of_shards(not_judged: &[String]) -> Option<&String> {
    not_judged.iter().find(|sentence| sentence.contains("one group serves a shard"))
}

#[test]
fn a_store_that_pulls_its_shards_is_right() {
    for test in ["anything_storm", "concurrent_3_4B", "challenge_1_delete_4B"] {
        for seed in 0..3 {
            let (failure, not_judged) = played::<Correct>(test, seed);
            assert_eq!(failure, None, "{test}, seed {seed}");
            assert_eq!(sentence_of_shards(&not_judged), None, "{test}, seed {seed}");
        }
    }
}

#[test]
fn who_tells_nothing_is_judged_by_what_clients_get_and_hears_so() {
    for test in ["concurrent_3_4B", "join_leave_4B"] {
        let (failure, not_judged) = played::<Silent>(test, 0);
        assert_eq!(failure, None, "{test}");
        let sentence = sentence_of_shards(&not_judged).expect("it is said");
        assert!(sentence.contains("because no server told"), "{sentence}");
    }
}
