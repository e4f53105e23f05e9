//! What entries show of what clients write: a service that hides it is not judged by that, and others are.

use service_watch::{Asked, Operation};
use tester::{Client, Run};

use crate::replies::{EARLY_WORDS, TOO_EARLY};
use crate::world::{
    World, append, get, join, judge, pause, put, right, right_of_two, texts, understood, wrong,
};

#[test]
fn a_service_whose_entries_do_not_show_what_is_written_is_not_judged_and_each_test_says_so() {
    let sentence = "not judged: answered when applied, a read that cannot know, because no entry of a log was \
                    seen to hold what clients write";
    let judge_of = |groups: &'static [&'static str], play: fn(&World)| {
        let of = judge(Run::silent(), groups, Default::default(), play);
        assert_eq!(of.verdict, None);
        of.not_judged.iter().filter(|words| *words == sentence).count()
    };
    let judge = |play: fn(&World)| judge_of(&["100", "101"], play);
    // Once, however many groups there are.
    let is_compressed = |world: &World| {
        world.commits(1, "compressed");
        world.does(&world.client("client"), append("k", "x 0 0 y"), (0, 0));
    };
    assert_eq!(judge(is_compressed), 1);
    assert_eq!(judge_of(&[""], is_compressed), 1);
    // Nobody has written anything.
    assert_eq!(
        judge(|world| {
            world.commits(1, "compressed");
            world.does(&world.client("client"), get("k"), (0, 0));
        }),
        0
    );
    assert_eq!(
        judge(|world| {
            let client = world.client("client");
            let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
            world.commits(1, "x 0 0 y");
            world.gets_reply(&client, (0, 0));
            world.watch.answered(operation, None);
        }),
        0
    );
}

#[test]
fn a_raft_whose_messages_hide_what_is_committed_leaves_rules_unjudged_and_each_test_says_so() {
    let sentence = "not judged: answered when applied, a read that cannot know, log size, because the messages of \
                    Raft do not show what a server can know to be committed";
    let judge_of = |groups: &'static [&'static str], play: fn(&World)| {
        let of = judge(Run::silent(), groups, Default::default(), play);
        assert_eq!(of.verdict, None);
        of.not_judged.iter().filter(|words| *words == sentence).count()
    };
    for groups in [&[""][..], &["100", "101"]] {
        let said = judge_of(groups, |world| {
            understood(world);
            world.gossips((0, 0), 1);
        });
        assert_eq!(said, 1);
        assert_eq!(judge_of(groups, understood), 0);
        // Without any client there is nothing to judge, and without a leader nothing to know.
        let alone = |world: &World| {
            world.commits(1, "x 9 9 y");
            world.gossips((0, 0), 1);
        };
        assert_eq!(judge_of(groups, alone), 0);
        let leaderless = |world: &World| {
            world.watch.asks(&world.client("client"), get("k"));
            world.gossips((0, 0), 1);
        };
        assert_eq!(judge_of(groups, leaderless), 0);
    }
}

#[test]
fn that_long_texts_are_understood_says_nothing_of_short_ones() {
    right(|world| {
        let client = world.client("client");
        let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
        world.commits(1, "x 0 0 y");
        world.gets_reply(&client, (0, 0));
        world.watch.answered(operation, None);
        world.does(&client, put("k", "12345"), (0, 0));
    });
    wrong(
        TOO_EARLY,
        "server 0 answered client, Put k 123456, before an entry of it can have been applied there",
        |world| {
            let client = world.client("client");
            let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
            world.commits(1, "x 0 0 y");
            world.gets_reply(&client, (0, 0));
            world.watch.answered(operation, None);
            world.does(&client, put("k", "123456"), (0, 0));
        },
    );
}

/// A service may write a long text in several entries.
#[test]
fn that_a_text_is_understood_says_nothing_of_much_longer_ones() {
    right(|world| {
        let long = format!("x 0 1 y{}", "-".repeat(1000));
        let client = world.client("client");
        let short = world.watch.asks(&client, append("k", "x 0 0 y"));
        world.calls(&client, (0, 0));
        world.commits(1, "x 0 0 y");
        world.replies((0, 0), "done");
        world.watch.answered(short, None);
        let operation = world.watch.asks(&client, put("k", &long));
        world.calls(&client, (0, 0));
        world.commits(2, &long[..500]);
        world.commits(3, &long[500..]);
        world.replies((0, 0), "done");
        world.watch.answered(operation, None);
    });
    // One of about the same length is judged.
    let words = "server 0 answered client, Append k x 0 11 y, before an entry of it can have been applied there";
    wrong(TOO_EARLY, words, |world| {
        let client = world.client("client");
        let short = world.watch.asks(&client, append("k", "x 0 0 y"));
        world.commits(1, "x 0 0 y");
        world.gets_reply(&client, (0, 0));
        world.watch.answered(short, None);
        world.does(&client, append("k", "x 0 11 y"), (0, 0));
    });
}

/// A client writes something, and the entry that is committed meanwhile is this one.
fn writes_as(world: &World, client: &Client, asked: Asked, index: u64, command: &str) -> Operation {
    let operation = world.watch.asks(client, asked);
    world.calls(client, (0, 0));
    world.commits(index, command);
    world.replies((0, 0), "done");
    world.watch.answered(operation, None);
    operation
}

#[test]
fn an_entry_may_hide_what_is_written_although_others_did_not() {
    // It is compressed: what has come before is not written out again.
    right(|world| {
        let client = world.client("client");
        understood(world);
        writes_as(world, &client, append("k", "x 0 11 y"), 2, "x 0 1<3,2>");
    });
    // A later write of the same entry makes an earlier one invisible.
    right(|world| {
        let (one, two) = (world.client("one"), world.client("two"));
        understood(world);
        let first = world.watch.asks(&one, put("k", "x 0 0 y"));
        let second = world.watch.asks(&two, put("k", "x 1 0 y"));
        for client in [&one, &two] {
            world.calls(client, (0, 0));
        }
        world.commits(2, "one is absorbed by x 1 0 y");
        world.replies((0, 0), "done");
        for operation in [first, second] {
            world.watch.answered(operation, None);
        }
    });
    // What another group has in its log may be done there.
    right_of_two(|world| {
        let client = world.client("client");
        understood(world);
        let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
        world.commits(2, "in disguise");
        world.gets_reply(&client, (1, 0));
        world.watch.answered(operation, None);
    });
}

#[test]
fn no_entry_can_hide_what_is_written_if_none_was_sent_that_counts() {
    let accuses = |play: fn(&World, &Client)| {
        let verdict = wrong(TOO_EARLY, EARLY_WORDS, move |world| {
            let client = world.client("client");
            understood(world);
            world.commits(2, "in disguise"); // before the client has called
            let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
            play(world, &client);
            world.watch.answered(operation, None);
        });
        texts(&verdict.facts)
    };
    let unseen = "no entry that holds it has been sent by anybody";
    assert!(accuses(|world, client| world.gets_reply(client, (0, 0))).contains(unseen));
    // Nobody can know that it is committed.
    let facts = accuses(|world, client| {
        world.only_sends(3, "in disguise");
        world.gets_reply(client, (0, 0));
    });
    assert!(facts.contains(unseen), "{facts}");
    // It is sent too late, in disguise or not.
    let facts = accuses(|world, client| {
        world.gets_reply(client, (0, 0));
        world.commits(3, "in disguise");
    });
    assert!(facts.contains(unseen), "{facts}");
    let facts = accuses(|world, client| {
        world.gets_reply(client, (0, 0));
        world.commits(3, "x 0 0 y");
    });
    assert!(facts.contains("server 0 sent it as the entry of term 1 at index 3"), "{facts}");
    // Another one was committed in its place.
    accuses(|world, client| {
        world.sends((0, 0), 2, 1, (0, 0), &["x 9 9 y", "in disguise"], 0);
        world.only_sends(3, "in disguise");
        world.sends((0, 1), 2, 2, (2, 1), &["another text"], 0);
        pause();
        world.gets_reply(client, (0, 0));
        world.sends((0, 1), 0, 2, (2, 1), &["another text"], 3);
    });
}

#[test]
fn an_empty_text_says_nothing_and_is_not_judged() {
    // A byte of zero is in many entries.
    right(|world| {
        let client = world.client("client");
        writes_as(world, &client, put("k", ""), 1, "\u{1}k\0");
        world.does(&client, put("k", ""), (0, 0));
        world.does(&client, put("k", "1"), (0, 0));
    });
    // Nor must anybody know of the entry that it was taken for; and nothing was left unjudged.
    let of = judge(Run::silent(), &[""], Default::default(), |world| {
        let client = world.client("client");
        writes_as(world, &client, put("k", ""), 1, "\u{1}k\0");
        world.reads(&world.client("reader"), "k", "", 2);
    });
    assert_eq!((of.verdict, of.not_judged), (None, Vec::<String>::new()));
}

#[test]
fn a_short_text_that_is_the_name_of_its_object_must_stand_there_twice() {
    let play = |first: &'static str| {
        move |world: &World| {
            let client = world.client("client");
            writes_as(world, &client, put("1", "1"), 1, first);
            world.does(&client, put("1", "2"), (0, 0));
        }
    };
    right(play("\u{3}k:1\u{1}1"));
    let words =
        "server 0 answered client, Put 1 2, before an entry of it can have been applied there";
    wrong(TOO_EARLY, words, play("\u{1}1\u{1}1"));
}

#[test]
fn a_service_that_has_executed_what_no_entry_shows_is_not_judged_and_each_test_says_so() {
    let hides = |world: &World, value: &str| {
        let client = world.client("client");
        understood(world);
        writes_as(world, &client, append("k", "x 0 0 y"), 2, "in disguise");
        world.reads(&client, "k", value, 0);
    };
    let again = |world: &World| {
        let client = world.client("again");
        let operation = world.watch.asks(&client, append("k", "x 1 0 y"));
        world.calls(&client, (0, 0));
        world.commits(3, "in disguise");
        world.only_sends(4, "x 1 0 y"); // the same again
        world.replies((0, 0), "done");
        world.watch.answered(operation, None);
    };
    let play = move |world: &World| {
        hides(world, "x 0 0 y");
        again(world);
        world.reads(&world.client("reader"), "other", "x 9 9 y", 2);
    };
    let of = judge(Run::silent(), &[""], Default::default(), play);
    assert_eq!(of.verdict, None);
    let sentence = "not judged: answered when applied, a read that cannot know, because clients read what no entry \
                    of a log was seen to hold";
    assert_eq!(of.not_judged, [sentence]);
    // What was not read was not executed, for all that anybody knows.
    let words = "server 0 answered again, Append k x 1 0 y, before an entry of it can have been applied there";
    wrong(TOO_EARLY, words, move |world| {
        hides(world, "");
        again(world);
    });
    // Nor is it known whose text it is if two have written the same.
    wrong(TOO_EARLY, words, move |world| {
        let client = world.client("same");
        writes_as(world, &client, append("k", "x 0 0 y"), 1, "x 0 0 y");
        writes_as(world, &client, append("k", "x 0 0 y"), 2, "in disguise");
        world.reads(&client, "k", "x 0 0 y", 0);
        again(world);
    });
    // Without any entry nothing can be done in any service.
    wrong(TOO_EARLY, words, move |world| {
        hides(world, "x 0 0 y");
        world.does(&world.client("again"), append("k", "x 1 0 y"), (0, 0));
    });
}

#[test]
fn what_is_missing_in_a_read_and_was_seen_in_no_entry_is_told() {
    right(|world| {
        let client = world.client("client");
        understood(world);
        writes_as(world, &client, append("k", "x 0 0 y"), 2, "a Get of somebody");
        pause();
        let read = world.reads(&client, "k", "", 0);
        let facts = texts(&world.watch.behind(read));
        assert!(facts.contains("client: Append k x 0 0 y, acknowledged at 0."), "{facts}");
        assert!(facts.contains("and no entry that holds it has been sent by anybody"), "{facts}");
    });
}

/// A write of short names at once, whose entry has them with their lengths, and no object.
fn joined(world: &World) {
    let client = world.client("client");
    let operation = world.watch.asks(&client, join(&["1-0", "1-1"]));
    world.commits(1, "\x031-0 \x031-1");
    world.gets_reply(&client, (0, 0));
    world.watch.answered(operation, None);
    pause();
}

#[test]
fn short_texts_that_are_written_at_once_are_judged() {
    let words =
        "server 0 answered client, Join 2-0 2-1, before an entry of it can have been applied there";
    wrong(TOO_EARLY, words, |world| {
        joined(world);
        let client = world.client("client");
        let operation = world.watch.asks(&client, join(&["2-0", "2-1"]));
        world.only_sends(2, "\x032-1 \x032-0");
        world.gets_reply(&client, (0, 0));
        world.watch.answered(operation, None);
    });
    right(|world| {
        joined(world);
        let client = world.client("client");
        let operation = world.watch.asks(&client, join(&["2-0", "2-1"]));
        world.commits(2, "\x032-1 \x032-0");
        world.gets_reply(&client, (0, 0));
        world.watch.answered(operation, None);
    });
    // Who reads has to know of them.
    let words = "server 2 answered client, Get the configuration, and cannot know of what was acknowledged before";
    wrong("a read that cannot know", words, |world| {
        joined(world);
        world.reads(&world.client("client"), "the configuration", "", 2);
    });
}

#[test]
fn of_a_write_whose_texts_are_too_short_together_it_is_said_that_nobody_has_judged_it() {
    let sentence = "not judged: answered when applied, a read that cannot know, because no entry of a log was \
                    seen to hold what clients write";
    let of = judge(Run::silent(), &[""], Default::default(), |world| {
        let client = world.client("client");
        let operation = world.watch.asks(&client, join(&["1", "2"]));
        world.only_sends(1, "\x011\x012");
        world.gets_reply(&client, (0, 0));
        world.watch.answered(operation, None);
    });
    assert_eq!((of.verdict, of.not_judged), (None, vec![sentence.to_string()]));
    // Others of the same run are understood, and say nothing of it.
    right(|world| {
        joined(world);
        let client = world.client("client");
        let operation = world.watch.asks(&client, join(&["1", "2"]));
        world.only_sends(2, "\x011\x012");
        world.gets_reply(&client, (0, 0));
        world.watch.answered(operation, None);
    });
}
