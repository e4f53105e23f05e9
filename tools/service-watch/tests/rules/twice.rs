//! What was written once stands in what is read once.

use service_watch::Asked;

use crate::world::{World, append, get, pause, put, right, wrong, wrong_of_two};

const RULE: &str = "applied once";

/// These are appended to `k`, one after the other, each by a client of its own and in an entry of its own.
fn appended(world: &World, texts: &[&str]) {
    texts
        .iter()
        .zip(1..)
        .for_each(|(text, index)| written(world, append("k", text), (index, text)));
}

/// A client writes, and has its answer before anybody asks for more; this is the entry.
fn written(world: &World, asked: Asked, (index, command): (u64, &str)) {
    let client = world.client("writer");
    let operation = world.watch.asks(&client, asked);
    world.commits(index, command);
    world.gets_reply(&client, (0, 0));
    world.watch.answered(operation, None);
    pause();
}

#[test]
fn what_was_appended_once_and_stands_there_twice_is_found() {
    right(|world| {
        appended(world, &["x 0 0 y", "x 0 1 y"]);
        world.reads(&world.client("client"), "k", "x 0 0 yx 0 1 y", 0);
    });
    let words = "\"x 0 0 y\" was written to \"k\" once and stands in what was read 2 times";
    let verdict = wrong(RULE, words, |world| {
        appended(world, &["x 0 0 y", "x 0 1 y"]);
        world.reads(&world.client("client"), "k", "x 0 0 yx 0 1 yx 0 0 y", 0);
    });
    let facts: Vec<&str> = verdict.facts.iter().map(|fact| fact.text.as_str()).collect();
    assert!(facts[0].starts_with("writer: Append k x 0 0 y, until 0."), "{facts:?}");
    assert_eq!(facts[1], "server 0 sent it as the entry of term 1 at index 1");
    assert!(facts[2].starts_with("client: Get k, until 0."), "{facts:?}");
    assert!(facts[2].ends_with(", and got \"x 0 0 yx 0 1 yx 0 0 y\""), "{facts:?}");
    assert_eq!((facts.len(), verdict.location.as_deref()), (3, Some("what was read")));
    let hint = verdict.hint.expect("there is one");
    assert!(hint.starts_with("duplicates must be found where entries are applied"), "{hint}");
}

#[test]
fn what_was_appended_twice_may_stand_there_twice() {
    right(|world| {
        appended(world, &["x 0 0 y", "x 0 0 y"]);
        world.reads(&world.client("client"), "k", "x 0 0 yx 0 0 y", 0);
    });
    let words = "\"x 0 0 y\" was written to \"k\" 2 times and stands in what was read 3 times";
    wrong(RULE, words, |world| {
        appended(world, &["x 0 0 y", "x 0 0 y"]);
        world.reads(&world.client("client"), "k", "x 0 0 yx 0 0 yx 0 0 y", 0);
    });
}

#[test]
fn what_was_written_to_another_object_is_nothing_to_this_one() {
    right(|world| {
        appended(world, &["x 0 0 y"]);
        world.reads(&world.client("client"), "other", "x 0 0 yx 0 0 y", 0);
    });
}

#[test]
fn a_write_that_stands_in_the_logs_of_several_groups_has_another_cause() {
    let words = "\"x 0 0 y\" was written to \"k\" once and stands in what was read 2 times";
    let verdict = wrong_of_two(RULE, words, |world| {
        let client = world.client("writer");
        let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
        world.commits(1, "x 0 0 y");
        world.sends((1, 0), 1, 1, (0, 0), &["x 0 0 y"], 0);
        world.gets_reply(&client, (1, 0));
        world.watch.answered(operation, None);
        world.reads(&world.client("client"), "k", "x 0 0 yx 0 0 y", 0);
    });
    let hint = verdict.hint.expect("there is one");
    assert!(hint.starts_with("the request stands in the logs of several groups"), "{hint}");
}

#[test]
fn what_a_put_has_replaced_does_not_come_back() {
    // Appended before the Put and once more behind it: there it stands once.
    let words = "\"a\" was written to \"k\" once and stands in what was read 2 times";
    wrong(RULE, words, |world| {
        appended(world, &["a", "c"]);
        world.does(&world.client("writer"), put("k", "b"), (0, 0));
        appended(world, &["a"]);
        world.reads(&world.client("client"), "k", "baa", 0);
    });
    // What the Put itself has written may stand there.
    right(|world| {
        appended(world, &["b"]);
        world.does(&world.client("writer"), put("k", "b"), (0, 0));
        appended(world, &["b"]);
        world.reads(&world.client("client"), "k", "bb", 0);
    });
}

#[test]
fn what_was_under_way_when_a_put_began_may_come_behind_it() {
    let right_if = |in_time: bool| {
        right(move |world| {
            let (one, other) = (world.client("writer"), world.client("writer"));
            let operation = world.watch.asks(&one, append("k", "a"));
            pause();
            if in_time {
                world.watch.answered(operation, None); // at the moment at which the Put begins
            }
            world.does(&other, put("k", "b"), (0, 0));
            appended(world, &["a"]);
            world.reads(&world.client("client"), "k", "baa", 0);
        });
    };
    right_if(true);
    right_if(false);
    // Nor is anything known to be gone if one of many was under way.
    right(|world| {
        appended(world, &["a"]);
        world.watch.asks(&world.client("slow"), append("k", "c"));
        world.does(&world.client("writer"), put("k", "b"), (0, 0));
        appended(world, &["a"]);
        world.reads(&world.client("client"), "k", "baa", 0);
    });
}

#[test]
fn what_can_be_taken_apart_in_several_ways_is_not_judged() {
    right(|world| {
        appended(world, &["a", "a", "aa"]);
        world.reads(&world.client("client"), "k", "aaaa", 0);
    });
    right(|world| {
        appended(world, &["a", "ab"]);
        world.reads(&world.client("client"), "k", "aabab", 0);
    });
}

#[test]
fn a_read_that_began_before_all_was_written_anew_may_have_read_what_was_there() {
    right(|world| {
        appended(world, &["a", "a"]);
        let reader = world.client("reader");
        let operation = world.watch.asks(&reader, get("k"));
        world.gets_reply(&reader, (0, 0));
        pause();
        written(world, put("k", "a"), (3, "a"));
        world.watch.answered(operation, Some("aa"));
    });
}

#[test]
fn texts_that_are_too_long_are_not_taken_apart() {
    let words = format!(
        "{:?} was written to \"k\" once and stands in what was read 2 times",
        "a".repeat(64)
    );
    wrong(RULE, &words, |world| {
        appended(world, &[&"a".repeat(64)]);
        world.reads(&world.client("client"), "k", &"a".repeat(128), 0);
    });
    right(|world| {
        appended(world, &[&"a".repeat(65)]);
        world.reads(&world.client("client"), "k", &"a".repeat(130), 0);
    });
}

#[test]
fn an_empty_text_stands_nowhere() {
    right(|world| {
        appended(world, &["", "a"]);
        world.reads(&world.client("client"), "k", "a?", 0);
    });
}

#[test]
fn behind_something_that_nobody_has_written_nothing_is_counted() {
    right(|world| {
        appended(world, &["a"]);
        let client = world.client("client");
        world.reads(&client, "k", "a?", 0);
        world.reads(&client, "k", "a?aa", 0);
    });
    let words = "\"a\" was written to \"k\" once and stands in what was read 2 times";
    wrong(RULE, words, |world| {
        appended(world, &["a"]);
        let client = world.client("client");
        world.reads(&client, "k", "a?", 0);
        world.reads(&client, "k", "aa", 0);
    });
}

#[test]
fn what_is_written_anew_is_not_what_was_read_before() {
    right(|world| {
        appended(world, &["a", "a"]);
        world.reads(&world.client("reader"), "k", "aa", 0);
        written(world, put("k", "aa"), (3, "aa"));
        written(world, append("k", "b"), (4, "b"));
        world.reads(&world.client("reader"), "k", "aab", 0);
    });
}
