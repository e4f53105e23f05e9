//! The way of a group, and of each of its servers.

use crate::world::{facts, right, start, wrong};

#[test]
fn a_server_that_starts_again_may_begin_anywhere_before_its_group() {
    right(|world| {
        for words in ["1 s0", "2 k0", "3 k0", "3 s0", "4 s0"] {
            world.says(100, 0, words);
        }
        start(world.group(100), 0);
        world.says(100, 0, "0");
        world.says(100, 0, "3 k0"); // from a snapshot
        world.says(100, 0, "3 s0");
        world.says(100, 0, "4 s0");
        world.says(100, 0, "5 s0");
        world.says(100, 1, "5 s0"); // from the leader's
        world.says(100, 1, "6 s0");
    });
}

#[test]
fn a_server_may_take_over_a_snapshot_without_a_word() {
    right(|world| {
        (1..=6).for_each(|config| world.says(100, 0, &format!("{config} s0")));
        world.restarts_from_snapshots(100);
        world.says(100, 1, "7 s0");
        world.says(100, 0, "7 s0");
        world.says(100, 0, "7 s0 k5");
    });
    right(|world| {
        world.says(100, 1, "1 s0");
        (1..=6).for_each(|config| world.says(100, 0, &format!("{config} s0")));
        world.has_snapshot(100, 1); // the leader's
        world.says(100, 1, "7 s0");
    });
}

#[test]
fn a_configuration_that_is_left_out_after_a_snapshot_is_found() {
    let words = "group 100: server 100-1 went from configuration 2 on, past 3, to 4";
    wrong("configurations in order", words, |world| {
        world.says(100, 0, "1 s0");
        world.says(100, 0, "2 s0");
        world.restarts_from_snapshots(100);
        world.says(100, 1, "4 s0");
    });
}

#[test]
fn who_goes_back_after_a_snapshot_is_found() {
    let words = "group 100: server 100-1 went from configuration 2 back, to 1";
    wrong("configurations in order", words, |world| {
        ["1 s0", "2 s0", "3 s0"].into_iter().for_each(|words| world.says(100, 0, words));
        world.says(100, 1, "2 s0");
        world.has_snapshot(100, 1);
        world.says(100, 1, "1 s0");
    });
}

#[test]
fn a_snapshot_that_lacks_something_is_found() {
    let words =
        "group 100: server 100-1 changed otherwise than its group did at the same place of the log";
    let verdict = wrong("the servers of a group change alike", words, |world| {
        (1..=6).for_each(|config| world.says(100, 0, &format!("{config} s05")));
        ["7 s0 k5", "8 s0 k5"].into_iter().for_each(|words| world.says(100, 0, words));
        world.has_snapshot(100, 1);
        start(world.group(100), 1);
        world.says(100, 1, "7 s0");
    });
    let expected = [
        "server 100-0 said: configuration 7, serves 0, keeps 5",
        "server 100-0 said: configuration 8, serves 0, keeps 5",
        "server 100-1 said: configuration 7, serves 0",
    ];
    assert_eq!(facts(&verdict), expected);
}

#[test]
fn a_group_that_stands_as_it_stood_before_is_right() {
    right(|world| {
        for words in ["1 s0", "1 k0", "1 s0", "2 s0"] {
            world.says(100, 0, words);
        }
        for words in ["1 s0", "1 k0", "1 s0", "2 s0", "3 s0"] {
            world.says(100, 1, words);
        }
    });
}

#[test]
fn a_configuration_that_is_left_out_is_found() {
    let words = "group 100: server 100-1 went from configuration 1 on, past 2 to 3, to 4";
    wrong("configurations in order", words, |world| {
        world.says(100, 0, "1 s0");
        world.says(100, 1, "1 s0");
        world.says(100, 1, "4 s0");
    });
    let words = "group 100: server 100-1 went from configuration 0 on, past 1, to 2";
    wrong("configurations in order", words, |world| {
        world.says(100, 0, "1 s0");
        world.says(100, 1, "2 s01"); // another one than its group had, and not the next one
    });
}

#[test]
fn who_goes_back_is_found() {
    let words = "group 100: server 100-0 went from configuration 2 back, to 1";
    wrong("configurations in order", words, |world| {
        world.says(100, 0, "1 s0");
        world.says(100, 0, "2 s0");
        world.says(100, 0, "1 s0");
    });
}

#[test]
fn servers_that_change_at_different_places_are_found() {
    let words =
        "group 100: server 100-1 changed otherwise than its group did at the same place of the log";
    wrong("the servers of a group change alike", words, |world| {
        world.says(100, 0, "1");
        world.says(100, 0, "1 s0");
        world.says(100, 0, "1 s01");
        world.says(100, 1, "1");
        world.says(100, 1, "1 s1");
    });
}

#[test]
fn what_a_server_said_before_and_says_now_is_told() {
    let verdict = wrong(
        "configurations in order",
        "group 100: server 100-1 went from configuration 1 on, past 2, to 3",
        |world| {
            world.says(100, 0, "1 s01 k7");
            world.says(100, 1, "1 s01 k7");
            world.says(100, 1, "3");
        },
    );
    let expected = [
        "server 100-0 said: configuration 1, serves 0 1, keeps 7",
        "server 100-1 said: configuration 3, has nothing",
    ];
    assert_eq!(facts(&verdict), expected);
    let lanes: Vec<_> = verdict.facts.iter().map(|fact| fact.server).collect();
    assert_eq!((lanes, verdict.servers), (vec![Some(0), Some(1)], vec![1]));
    assert_eq!(verdict.location.as_deref(), Some("what server 100-1 tells"));
    // Of a group nobody has said anything before: it begins with nothing.
    let verdict = wrong(
        "configurations in order",
        "group 101: server 101-2 went from configuration 0 on, past 1, to 2",
        |world| world.says(101, 2, "2"),
    );
    let expected = [
        "group 101 begins with configuration 0, has nothing",
        "server 101-2 said: configuration 2, has nothing",
    ];
    assert_eq!(facts(&verdict), expected);
    assert_eq!(verdict.servers, [5]);
}

#[test]
fn what_the_group_did_at_the_same_place_is_told() {
    let verdict = wrong(
        "the servers of a group change alike",
        "group 100: server 100-1 changed otherwise than its group did at the same place of the log",
        |world| {
            world.says(100, 0, "1");
            world.says(100, 0, "1 s0");
            world.says(100, 0, "1 s01");
            world.says(100, 1, "1");
            world.says(100, 1, "1 k1");
        },
    );
    let expected = [
        "server 100-0 said: configuration 1, has nothing",
        "server 100-0 said: configuration 1, serves 0",
        "server 100-1 said: configuration 1, keeps 1",
    ];
    assert_eq!((facts(&verdict), verdict.servers.clone()), (expected.to_vec(), vec![1]));
}

#[test]
fn a_group_may_change_within_a_configuration_and_go_on_to_the_next_one() {
    right(|world| {
        for words in ["1", "1 s0", "1 s01", "2 s0 k1", "3 s0 k1"] {
            world.says(100, 2, words);
        }
    });
}

#[test]
fn a_server_that_says_a_thing_twice_says_it_once() {
    right(|world| {
        world.says(100, 0, "1 s0");
        world.says(100, 0, "2 s0");
        world.says(100, 0, "2 s0");
        world.says(100, 0, "3 s0");
    });
}
