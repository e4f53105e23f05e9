//! The swarm test, when something is taken away from it, and when somebody looks on.

use kv_tests::Subject;
use tester::{Keep, Run, Setting, Trouble};

/// A run of the swarm test with the reference: the hash over its steps.
fn played(seed: u64, keep: Keep, setting: Setting) -> Option<labrt::world::Trace> {
    let play = move || {
        let subject = Subject::of::<kv::Server<raft::Raft>, kv::Clerk>();
        kv_tests::test("service_soak", subject).play(&Run::new(keep, setting))
    };
    match labrt::simulate(seed, play) {
        Ok(outcome) => outcome.trace,
        Err(failure) => panic!("seed {seed}: {failure}"),
    }
}

#[test]
fn without_a_cut_nobody_can_be_left_out_of_the_majority() {
    let no_cuts = Setting::default().with(Trouble::Cuts, Some(0));
    (0..20).for_each(|seed| _ = played(seed, Keep::Nothing, no_cuts));
}

#[test]
fn a_traced_run_of_the_swarm_is_the_same_run() {
    let trace = |keep| played(3, keep, Setting::default());
    assert_eq!(trace(Keep::All), trace(Keep::Nothing));
}
