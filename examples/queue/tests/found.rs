//! The suite finds each mistake, and says what is wrong.

mod suite;

use labrt::world::Builder;
use queue_example::Mistake;
use tester::{Run, TIME_LIMIT};

/// What is said of the first of 20 seeds with which this test fails.
fn found(test: &str, mistake: Mistake) -> String {
    let failed = (0..20).find_map(|seed| {
        let (test, run) = (suite::test(test, Some(mistake)), Run::silent());
        let playing = run.clone();
        let world = Builder::simulated(seed).time_limit(TIME_LIMIT);
        let failure = world.run(move || test.play(&playing)).err()?;
        Some(tester::said_of(&failure, &run))
    });
    failed.unwrap_or_else(|| panic!("{mistake:?} passes {test}"))
}

#[test]
fn an_empty_queue_of_a_deposed_leader_shows_in_the_history() {
    let said = found("partitions_queue", Mistake::EmptyAtOnce);
    assert!(said.contains("history is not linearizable"), "{said}");
    assert!(said.contains("dequeue -> empty"), "{said}");
}

#[test]
fn an_element_that_leaves_twice_is_seen_when_it_does() {
    let said = found("losses_queue", Mistake::FirstAtOnce);
    assert!(said.starts_with("an element leaves once: server "), "{said}");
}
