//! Situations of shards are counted when they are there, and not when a run only comes close.

use run_record::coverage::Kind;
use run_record::situations::{Counts, Situation};
use tester::Run;

use crate::world::{World, judge};

/// How often writes were under way while their shard was, and configurations overlapped.
fn seen(play: impl FnOnce(&World) + Send + 'static) -> (u64, u64) {
    let run = Run::silent();
    assert_eq!(judge(&run, 2, play), None);
    let seen = run.situations();
    let times = |one: Situation| *seen.get(one.key()).expect("somebody looks for it");
    (times(Situation::WriteWhileMoving), times(Situation::ReconfigurationsOverlap))
}

/// Shard 0 goes from group 100 to group 101, with this before, in between and behind.
fn moves(world: &World, then: [&dyn Fn(); 3]) {
    world.configured(1, &[100]);
    world.says(100, 0, "1 s0");
    world.says(101, 0, "1");
    world.configured(2, &[101]);
    then[0]();
    world.says(100, 0, "2 k0");
    then[1]();
    world.says(101, 0, "2");
    world.says(101, 0, "2 s0");
    then[2]();
}

#[test]
fn a_write_that_waits_for_its_shard_is_counted() {
    let writes = |world: &World| {
        let open = std::cell::Cell::new(None);
        let begin = || open.set(Some(world.writes()));
        let end = || open.take().expect("it has begun").answered_by(101);
        moves(world, [&|| (), &begin, &end]);
    };
    assert_eq!(seen(writes), (1, 0));
}

#[test]
fn a_write_that_began_before_and_ends_behind_the_move_is_counted() {
    let writes = |world: &World| {
        let open = std::cell::Cell::new(None);
        let begin = || open.set(Some(world.writes()));
        let end = || open.take().expect("it has begun").answered_by(101);
        moves(world, [&begin, &|| (), &end]);
    };
    assert_eq!(seen(writes), (1, 0));
}

#[test]
fn a_write_before_or_behind_the_move_and_a_read_are_not() {
    let writes = |world: &World| {
        let before = || world.writes().answered_by(100);
        let read = || world.reads(100);
        let behind = || world.writes().answered_by(101);
        moves(world, [&before, &read, &behind]);
    };
    assert_eq!(seen(writes), (0, 0));
}

#[test]
fn a_configuration_that_comes_while_a_shard_is_on_its_way_is_counted() {
    let early = |world: &World| moves(world, [&|| (), &|| world.configured(3, &[101]), &|| ()]);
    assert_eq!(seen(early), (0, 1));
    let late = |world: &World| moves(world, [&|| (), &|| (), &|| world.configured(3, &[101])]);
    assert_eq!(seen(late), (0, 0));
}

#[test]
fn a_shard_that_was_never_served_is_not_on_its_way() {
    let new = |world: &World| {
        world.configured(1, &[100]);
        world.says(101, 0, "1");
        world.configured(2, &[100]);
        world.says(100, 0, "1 s0");
    };
    assert_eq!(seen(new), (0, 0));
}

#[test]
fn a_search_is_told_since_when_it_was_so() {
    let run = Run::covered();
    let play = |world: &World| {
        let open = std::cell::Cell::new(None);
        let begin = || {
            open.set(Some(world.writes()));
            world.configured(3, &[101]);
        };
        let end = || open.take().expect("it has begun").answered_by(101);
        moves(world, [&|| (), &begin, &end]);
    };
    assert_eq!(judge(&run, 2, play), None);
    let seen: Vec<_> = run.coverage().of(Kind::Situations).collect();
    // Each step takes 10 ms.
    for (situation, us) in
        [(Situation::WriteWhileMoving, 60_000), (Situation::ReconfigurationsOverlap, 70_000)]
    {
        let mut expected = Counts::default();
        expected.add(situation, 1, || us);
        for one in expected.coverage().of(Kind::Situations) {
            assert!(seen.contains(&one), "{situation:?}: {seen:?}");
        }
    }
}

#[test]
fn of_groups_that_tell_nothing_nobody_knows() {
    let run = Run::silent();
    let silent = |world: &World| {
        world.configured(1, &[100]);
        world.writes().answered_by(100);
    };
    assert_eq!(judge(&run, 2, silent), None);
    assert!(!run.situations().contains_key(Situation::WriteWhileMoving.key()));
}
