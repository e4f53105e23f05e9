//! The suite finds each mistake, and says what is wrong.

mod suite;

use labrt::world::Builder;
use linearizability::models::{Queue, QueueInput, QueueOutput};
use linearizability::{Limits, Recorder, read};
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

#[test]
fn the_file_of_a_history_says_what_the_history_says() {
    let mut recorder = Recorder::new();
    let enqueue = recorder.call(1, QueueInput::Enqueue("1-1".to_string()));
    let empty = recorder.call(2, QueueInput::Dequeue);
    recorder.returned(enqueue, QueueOutput::Enqueued);
    recorder.returned(empty, QueueOutput::Dequeued(None));
    recorder.call(2, QueueInput::Dequeue); // it never returns
    let first = recorder.call(1, QueueInput::Dequeue);
    recorder.returned(first, QueueOutput::Dequeued(Some("1-1".to_string())));
    let file = suite::edn::of(&recorder.finish().expect("one request at a time"));
    let expected = "\
{:process 1, :type :invoke, :f :enqueue, :value \"1-1\"}
{:process 2, :type :invoke, :f :dequeue, :value nil}
{:process 1, :type :ok, :f :enqueue, :value \"1-1\"}
{:process 2, :type :ok, :f :dequeue, :value nil}
{:process 2, :type :invoke, :f :dequeue, :value nil}
{:process 1, :type :invoke, :f :dequeue, :value nil}
{:process 1, :type :ok, :f :dequeue, :value \"1-1\"}
";
    assert_eq!(file, expected);
    let read = read::queue(&file).expect("the reader understands it");
    assert!(
        linearizability::check(&Queue::new(), &read, &Limits::default()).answer.is_linearizable()
    );
}
