//! What the lines of a test in steps count.

use kv_tests::Subject;
use tester::Run;

/// As the course's: what comes before the cut belongs to none of the three.
#[test]
fn the_steps_of_one_partition_have_two_three_and_three_operations() {
    let play = || {
        let run = Run::silent();
        let subject = Subject::of::<kv::Server<raft::Raft>, kv::Clerk>();
        let last = kv_tests::test("one_partition_3A", subject).play(&run);
        run.steps().iter().chain([&last]).map(|step| step.operations).collect::<Vec<_>>()
    };
    assert_eq!(labrt::simulate(1, play).expect("it passes").value, [2, 3, 3]);
}
