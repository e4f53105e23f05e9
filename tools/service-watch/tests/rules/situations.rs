//! Situations of a service and its clients are counted when they are there, and not when a run only comes close.

use std::time::Duration;

use labrt::thread;
use run_record::coverage::Kind;
use run_record::situations::{Counts, Situation};
use tester::{Client, Judged, Run};

use crate::world::{World, append, get, judge, judged_less, pause};

const WRITE: &str = "x 0 0 y";

/// How often a client asked again for a write that was committed, a write stood at one more leader, and a read came to
/// a leader of the past.
fn seen_of(
    groups: &'static [&'static str],
    play: impl FnOnce(&World) + Send + 'static,
) -> [u64; 3] {
    let run = Run::silent();
    let judgement = judge(run.clone(), groups, Default::default(), play);
    assert_eq!(judgement.verdict, None);
    let seen = run.situations();
    [Situation::RetryAfterCommit, Situation::WriteAtTwoLeaders, Situation::ReadAtDeposedLeader]
        .map(|one| *seen.get(one.key()).expect("somebody looks for it"))
}

fn seen(play: impl FnOnce(&World) + Send + 'static) -> [u64; 3] {
    seen_of(&[""], play)
}

fn seen_of_two(play: impl FnOnce(&World) + Send + 'static) -> [u64; 3] {
    seen_of(&["100", "101"], play)
}

/// The leader of term 1 commits an entry, and says so.
fn tells(world: &World, index: u64, command: &str) {
    world.commits(index, command);
    world.sends((0, 0), 1, 1, (index, 1), &[], index);
    pause();
}

/// A client that writes.
fn writer(world: &World) -> Client {
    let client = world.client("writer");
    world.watch.asks(&client, append("k", WRITE));
    client
}

#[test]
fn a_client_that_asks_again_for_a_write_that_is_committed_is_counted() {
    let comes_again = |world: &World| {
        let client = writer(world);
        world.calls(&client, (0, 0));
        tells(world, 1, WRITE);
        world.calls(&client, (0, 1));
        world.calls(&client, (0, 0));
    };
    assert_eq!(seen(comes_again), [2, 0, 0]);
    let nobody_has_said_so = |world: &World| {
        let client = writer(world);
        world.calls(&client, (0, 0));
        world.commits(1, WRITE);
        world.calls(&client, (0, 0));
    };
    assert_eq!(seen(nobody_has_said_so), [0, 0, 0]);
}

#[test]
fn a_copy_that_the_network_makes_is_not_a_client_that_asks_again() {
    let copied = |world: &World| {
        let client = writer(world);
        tells(world, 1, WRITE);
        world.net.set_duplication(1.0);
        world.calls(&client, (0, 0));
        world.net.set_duplication(0.0);
        thread::sleep(Duration::from_secs(1));
    };
    assert_eq!(seen(copied), [0, 0, 0]);
}

#[test]
fn a_call_that_arrives_when_its_client_has_its_answer_does_not_count() {
    let answered = |world: &World| {
        let client = world.client("writer");
        let operation = world.watch.asks(&client, append("k", WRITE));
        world.calls(&client, (0, 0));
        tells(world, 1, WRITE);
        world.replies((0, 0), "done");
        world.watch.answered(operation, None);
        world.calls(&client, (0, 1));
    };
    assert_eq!(seen(answered), [0, 0, 0]);
}

#[test]
fn a_request_for_something_else_is_not() {
    let of_another_one = |world: &World| {
        let _writer = writer(world);
        tells(world, 1, WRITE);
        let other = world.client("other");
        world.calls(&other, (0, 0)); // for nothing that anybody knows of
        world.watch.asks(&other, append("k", "x 1 0 y"));
        world.calls(&other, (0, 0));
    };
    assert_eq!(seen(of_another_one), [0, 0, 0]);
}

#[test]
fn an_entry_in_whose_place_another_one_was_committed_does_not_count() {
    let replaced = |world: &World| {
        let client = writer(world);
        world.calls(&client, (0, 0));
        world.only_sends(1, WRITE);
        world.sends((0, 1), 2, 2, (0, 0), &["another one"], 0);
        pause();
        world.sends((0, 1), 2, 2, (1, 2), &[], 1);
        pause();
        world.calls(&client, (0, 1));
    };
    assert_eq!(seen(replaced), [0, 0, 0]);
}

#[test]
fn an_entry_in_the_log_of_another_group_does_not_count() {
    let at = |group: usize| {
        move |world: &World| {
            let client = writer(world);
            world.calls(&client, (group, 1));
            tells(world, 1, "another one");
            world.sends((1, 0), 1, 1, (0, 0), &[WRITE], 0);
            pause();
            world.sends((1, 0), 1, 1, (1, 1), &[], 1);
            pause();
            world.calls(&client, (group, 0));
        }
    };
    assert_eq!(seen_of_two(at(0)), [0, 0, 0]);
    assert_eq!(seen_of_two(at(1)), [1, 0, 0]);
}

#[test]
fn a_write_is_counted_at_each_leader_but_the_first() {
    let at_three = |world: &World| {
        let _client = writer(world);
        world.only_sends(1, WRITE);
        world.takes((0, 2), 0, false);
        world.sends((0, 1), 2, 2, (0, 0), &[WRITE], 0);
        world.takes((0, 0), 0, false);
        world.sends((0, 2), 0, 3, (0, 0), &[WRITE], 0);
        // One of these has it a second time.
        world.sends((0, 1), 2, 2, (1, 2), &[WRITE], 0);
    };
    assert_eq!(seen(at_three), [0, 2, 0]);
    let twice_at_one = |world: &World| {
        let _client = writer(world);
        world.commits(1, WRITE);
        world.commits(2, WRITE);
    };
    assert_eq!(seen(twice_at_one), [0, 0, 0]);
    let in_two_groups = |world: &World| {
        let _client = writer(world);
        world.commits(1, WRITE);
        world.sends((1, 0), 1, 2, (0, 0), &[WRITE], 0);
    };
    assert_eq!(seen_of_two(in_two_groups), [0, 0, 0]);
}

#[test]
fn a_read_at_a_leader_is_counted_if_another_one_leads_a_later_term() {
    let reads = |world: &World| {
        let client = world.client("client");
        world.watch.asks(&client, get("k"));
        world.commits(1, "something");
        world.calls(&client, (0, 0)); // nobody leads a later term
        world.takes((0, 2), 0, false);
        world.sends((0, 1), 2, 2, (1, 1), &[], 0);
        for server in [0, 1, 2] {
            world.calls(&client, (0, server));
        }
        let writer = writer(world);
        world.calls(&writer, (0, 0));
    };
    assert_eq!(seen(reads), [0, 0, 1]);
}

#[test]
fn a_search_is_told_when_it_was_and_only_if_it_asks() {
    let play = |world: &World| {
        let client = writer(world);
        world.calls(&client, (0, 0));
        tells(world, 1, WRITE);
        world.calls(&client, (0, 0));
        world.takes((0, 2), 0, false);
        world.sends((0, 1), 2, 2, (1, 1), &[WRITE], 0);
        pause();
    };
    let run = Run::covered();
    assert_eq!(judge(run.clone(), &["100", "101"], Default::default(), play).verdict, None);
    let seen: Vec<_> = run.coverage().of(Kind::Situations).collect();
    // It takes 10 ms behind the first call, before the commit, behind it, until that is known, and behind the call.
    for (situation, us) in
        [(Situation::RetryAfterCommit, 40_000), (Situation::WriteAtTwoLeaders, 50_000)]
    {
        let mut expected = Counts::default();
        expected.add(situation, 1, || us);
        for one in expected.coverage().of(Kind::Situations) {
            assert!(seen.contains(&one), "{situation:?}: {seen:?}");
        }
    }
    let run = Run::silent();
    assert_eq!(judge(run.clone(), &["100"], Default::default(), play).verdict, None);
    assert!(run.coverage().is_empty());
}

#[test]
fn in_a_run_that_is_not_judged_by_rules_nobody_looks() {
    let run = judged_less(Judged::ByTests);
    judge(run.clone(), &[""], Default::default(), |world| world.commits(1, WRITE));
    assert!(!run.situations().contains_key(Situation::RetryAfterCommit.key()));
}
