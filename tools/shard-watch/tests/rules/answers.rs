//! Which group answered for a shard.

use crate::world::{facts, right, wrong};

#[test]
fn who_answers_for_a_shard_that_is_not_its_own_is_found() {
    let rule = "answered by the owner";
    right(|world| {
        world.configured(1, &[100]);
        world.reads(100);
        world.reads(101); // the next configuration is there and not known yet
        world.configured(2, &[101]);
        world.reads(101);
        world.reads(100);
        world.configured(3, &[100]);
        world.configured(4, &[100]);
    });
    wrong(rule, "group 101 answered for shard 0, which no configuration gives to it", |world| {
        world.configured(1, &[100]);
        world.reads(100);
        world.reads(101);
        world.configured(2, &[100]);
    });
    let words = "group 100 answered for shard 0 after that had gone to another group";
    wrong(rule, words, |world| {
        world.configured(1, &[100]);
        world.configured(2, &[101]);
        world.reads(101);
        world.reads(100);
        world.configured(3, &[101]);
    });
    right(|world| {
        world.configured(1, &[100]);
        world.configured(3, &[100]);
        world.reads(101); // configuration 2 is not known
        world.configured(4, &[100]);
    });
}

#[test]
fn what_was_answered_since_the_last_configuration_is_judged_when_that_is_learned_again() {
    let words = "group 100 answered for shard 0 after that had gone to another group";
    wrong("answered by the owner", words, |world| {
        world.configured(1, &[100]);
        world.configured(2, &[101]);
        world.reads(101);
        world.reads(100);
        world.configured(2, &[101]);
    });
}

#[test]
fn what_was_answered_before_and_by_whom_is_told() {
    let words = "group 100 answered for shard 0 after that had gone to another group";
    let verdict = wrong("answered by the owner", words, |world| {
        world.configured(1, &[0]);
        world.configured(2, &[100]);
        world.reads(100);
        world.configured(3, &[101]);
        world.reads(101);
        world.reads(101);
        world.reads(100);
        world.configured(4, &[101]);
    });
    let facts = facts(&verdict);
    assert_eq!(facts.len(), 3, "{verdict:?}");
    assert!(
        facts[0].starts_with("client: Get \"2\", until 0.0")
            && facts[0].ends_with(" s, answered by group 101"),
        "{facts:?}"
    );
    assert!(facts[1].ends_with(" s, answered by group 100"), "{facts:?}");
    assert_eq!(facts[2], "the owners of shard 0, one after the other: nobody, 100, 101");
    // Of the two that group 101 answered it is the first one: each begins 10 ms after the one before has ended.
    let [before, late] = [0, 1].map(|number| verdict.facts[number].us.expect("it has a time"));
    assert!(before + 20_000 < late && verdict.facts[0].server == Some(6), "{verdict:?}");
    assert_eq!(verdict.location.as_deref(), Some("what clients were answered"));
}

#[test]
fn who_has_a_shard_again_may_answer_again_and_the_one_in_between_no_more() {
    right(|world| {
        world.configured(1, &[100]);
        world.configured(2, &[101]);
        world.configured(3, &[100]);
        world.reads(100);
        world.reads(101);
        world.reads(100);
        world.configured(4, &[100]);
    });
    let words = "group 101 answered for shard 0 after that had gone to another group";
    wrong("answered by the owner", words, |world| {
        world.configured(1, &[100]);
        world.configured(2, &[101]);
        world.configured(3, &[100]);
        world.reads(100);
        world.reads(101);
        world.reads(100);
        world.reads(101);
        world.configured(4, &[100]);
    });
}

#[test]
fn of_two_operations_of_which_one_began_when_the_other_ended_none_was_first() {
    let play = |one: u64, other: u64| {
        move |world: &crate::world::World| {
            world.configured(1, &[100]);
            world.configured(2, &[101]);
            world.reads_at_once(one);
            world.reads_at_once(other);
            world.configured(3, &[101]);
        }
    };
    right(play(100, 101));
    right(play(101, 100));
}

#[test]
fn an_answer_at_the_very_moment_of_a_configuration_may_belong_to_the_next_one() {
    right(|world| {
        world.configured(1, &[100]);
        world.reads(101);
        world.configured_at_once(2, &[100]);
        world.configured(3, &[101]);
    });
    let words = "group 101 answered for shard 0, which no configuration gives to it";
    wrong("answered by the owner", words, |world| {
        world.configured(1, &[100]);
        world.reads(101);
        world.configured(2, &[100]);
        world.configured(3, &[101]);
    });
}

#[test]
fn the_empty_configuration_may_be_known_or_not() {
    let words = "group 101 answered for shard 0, which no configuration gives to it";
    for zero in [false, true] {
        wrong("answered by the owner", words, move |world| {
            if zero {
                world.configured(0, &[]);
            }
            world.configured(1, &[100]);
            world.reads(101);
            world.configured(2, &[100]);
        });
    }
}
