//! What the watch tells of operations: who answered them, where their entries stand, and what is behind them.

use service_watch::{Answered, Place};

use crate::world::{World, append, get, pause, right, right_of_two, texts};

#[test]
fn an_answer_is_known_by_the_group_that_gave_it() {
    right_of_two(|world| {
        let client = world.client("client");
        let mut bookmark = 0;
        let began = labtrace::now_us();
        world.does(&client, get("k"), (1, 2));
        let answered = Answered {
            text: "client: Get k".to_string(),
            object: "k".to_string(),
            wrote: false,
            lane: client.lane(),
            us: (began, labtrace::now_us()),
            group: "101".to_string(),
        };
        assert_eq!(world.watch.answers(&mut bookmark), [answered]);
        assert_eq!(world.watch.answers(&mut bookmark), [], "each is told once");
        world.does(&client, get("l"), (0, 0));
        let new = world.watch.answers(&mut bookmark);
        assert_eq!(new.iter().map(|of| of.group.as_str()).collect::<Vec<_>>(), ["100"]);
        assert_eq!(world.watch.answers(&mut 0).len(), 2, "another reader has another bookmark");
    });
}

#[test]
fn of_whom_it_is_not_certain_who_answered_nothing_is_told() {
    right_of_two(|world| {
        let client = world.client("client");
        let mut bookmark = 0;
        // Both groups have replied.
        let operation = world.watch.asks(&client, get("k"));
        world.gets_reply(&client, (0, 0));
        world.gets_reply(&client, (1, 0));
        assert_eq!(world.watch.answers(&mut bookmark), [], "it is under way");
        world.watch.answered(operation, Some(""));
        // Nobody has.
        let operation = world.watch.asks(&client, get("k"));
        world.watch.answered(operation, Some(""));
        assert_eq!(world.watch.answers(&mut bookmark), []);
        // Two servers of one group have.
        let operation = world.watch.asks(&client, get("k"));
        world.gets_reply(&client, (0, 0));
        world.gets_reply(&client, (0, 1));
        world.watch.answered(operation, Some(""));
        assert_eq!(world.watch.answers(&mut bookmark).len(), 1);
    });
}

#[test]
fn a_reply_that_comes_when_the_operation_is_over_answers_nothing() {
    right_of_two(|world| {
        let client = world.client("client");
        let operation = world.watch.asks(&client, get("k"));
        world.calls(&client, (1, 0));
        world.gets_reply(&client, (0, 0));
        world.watch.answered(operation, Some(""));
        world.replies((1, 0), "late");
        let answers = world.watch.answers(&mut 0);
        assert_eq!(answers.iter().map(|of| of.group.as_str()).collect::<Vec<_>>(), ["100"]);
    });
}

/// An append whose entries are sent by group 100 behind an index, as often as is said.
fn appended(world: &World, times: u64) -> (service_watch::Operation, tester::Client, u64) {
    let client = world.client("client");
    let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
    pause();
    let us = labtrace::now_us() + 10_000;
    (1..=times).for_each(|index| world.commits(index, "x 0 0 y"));
    (operation, client, us)
}

#[test]
fn the_first_entry_of_an_operation_is_its_place() {
    right(|world| {
        let (operation, _, us) = appended(world, 2);
        assert_eq!(world.watch.place(operation), Some(Place { us, group: 0, index: 1 }));
    });
    right(|world| {
        let (operation, ..) = appended(world, 0);
        world.commits(1, "something");
        assert_eq!(world.watch.place(operation), None);
    });
}

#[test]
fn an_entry_that_the_latest_leader_does_not_have_is_no_place() {
    right(|world| {
        let client = world.client("client");
        let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
        world.only_sends(1, "x 0 0 y");
        assert_eq!(world.watch.place(operation).map(|place| place.index), Some(1));
        world.sends((0, 2), 1, 2, (0, 0), &["another text"], 0);
        assert_eq!(world.watch.place(operation), None);
        pause();
        world.sends((0, 2), 1, 2, (1, 2), &["x 0 0 y"], 0);
        assert_eq!(world.watch.place(operation).map(|place| place.index), Some(2));
    });
}

#[test]
fn of_several_groups_the_one_that_answered_last_has_the_place() {
    right_of_two(|world| {
        let (operation, client, _) = appended(world, 1);
        pause();
        world.sends((1, 0), 1, 1, (0, 0), &["something", "x 0 0 y"], 0);
        let place = || world.watch.place(operation).map(|place| (place.group, place.index));
        assert_eq!(place(), Some((0, 1)), "nobody has answered");
        world.gets_reply(&client, (1, 0));
        assert_eq!(place(), Some((1, 2)));
        world.gets_reply(&client, (0, 0));
        assert_eq!(place(), Some((0, 1)));
    });
    // It may have none itself.
    right_of_two(|world| {
        let (operation, client, _) = appended(world, 1);
        world.gets_reply(&client, (1, 0));
        assert_eq!(world.watch.place(operation).map(|place| place.group), Some(0));
    });
}

#[test]
fn an_entry_that_was_sent_before_a_client_asked_is_not_its_own() {
    right(|world| {
        world.commits(1, "x 0 0 y");
        let client = world.client("client");
        let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
        assert_eq!(world.watch.place(operation), None);
    });
    // At the same moment it may be.
    right(|world| {
        let client = world.client("client");
        let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
        world.sends((0, 0), 1, 1, (0, 0), &["x 0 0 y"], 0);
        assert_eq!(world.watch.place(operation).map(|place| place.index), Some(1));
    });
}

#[test]
fn a_request_may_still_lead_to_an_entry_for_a_second_after_the_end_of_its_operation() {
    let place_after = |ms: u64, index: Option<u64>| {
        right(move |world| {
            let client = world.client("client");
            let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
            world.watch.answered(operation, None);
            crate::world::sleep_ms(ms);
            world.sends((0, 0), 1, 1, (0, 0), &["x 0 0 y"], 0);
            assert_eq!(world.watch.place(operation).map(|place| place.index), index);
        });
    };
    place_after(1000, Some(1));
    place_after(1001, None);
}

#[test]
fn an_entry_may_hold_the_texts_of_several_operations() {
    right(|world| {
        let (one, other) = (world.client("one"), world.client("other"));
        let first = world.watch.asks(&one, append("k", "x 0 0 y"));
        let second = world.watch.asks(&other, append("l", "x 1 0 y"));
        world.commits(1, "x 0 0 y and x 1 0 y");
        for operation in [first, second] {
            assert_eq!(world.watch.place(operation).map(|place| place.index), Some(1));
        }
    });
}

#[test]
fn what_one_client_has_done_ends_nothing_for_another_one() {
    right(|world| {
        let (one, other) = (world.client("one"), world.client("other"));
        let slow = world.watch.asks(&one, append("k", "x 0 0 y"));
        let quick = world.watch.asks(&other, append("l", "x 1 0 y"));
        world.watch.answered(quick, None);
        world.commits(1, "x 0 0 y");
        assert_eq!(world.watch.place(slow).map(|place| place.index), Some(1));
    });
}

#[test]
fn behind_an_operation_are_its_entries_and_the_last_reply() {
    right(|world| {
        let (operation, client, us) = appended(world, 2);
        world.gets_reply(&client, (0, 1));
        world.gets_reply(&client, (0, 0));
        world.watch.answered(operation, None);
        let facts = world.watch.behind(operation);
        let expected = "server 0 sent it as the entry of term 1 at index 1\n\
                        server 0 sent it as the entry of term 1 at index 2\n\
                        server 0 answered client: done, and could know that entries 1 to 2 are committed\n";
        assert_eq!(texts(&facts), expected);
        let lane = Some(world.groups[0].members().lane(0));
        assert!(facts.iter().all(|fact| fact.server == lane), "{facts:?}");
        assert_eq!(facts[0].us, Some(us));
    });
    // Of a server of which nobody can tell what it knows, nothing is said.
    right(|world| {
        let client = world.client("client");
        let operation = world.watch.asks(&client, get("k"));
        world.gets_reply(&client, (0, 0));
        world.watch.answered(operation, Some(""));
        assert_eq!(texts(&world.watch.behind(operation)), "server 0 answered client: done\n");
    });
}

/// What is told of a read at server 1, which knows of all writes, answers this and is not asked again. Perhaps the call to
/// another server fails behind that.
fn behind_a_read(said: &'static str, fails: bool, read: &'static str, expected: &'static str) {
    right(move |world| {
        let writer = world.client("writer");
        let write = world.watch.asks(&writer, append("k", "x 0 0 y"));
        world.commits(1, "x 0 0 y");
        world.gets_reply(&writer, (0, 0));
        world.watch.answered(write, None);
        world.sends((0, 0), 1, 1, (1, 1), &[], 1);
        let client = world.client("client");
        let operation = world.watch.asks(&client, get("k"));
        world.calls(&client, (0, 1));
        world.replies((0, 1), said);
        if fails {
            client.disconnect(world.groups[0].members(), &[2]);
            world.calls(&client, (0, 2));
            crate::world::sleep_ms(1000);
        }
        world.watch.answered(operation, Some(read));
        assert_eq!(texts(&world.watch.behind(operation)), expected);
    });
}

#[test]
fn who_has_only_refused_a_read_is_not_said_to_have_answered_it() {
    let answered = "server 1 answered client: x 0 0 y, and could know that entry 1 is committed\n";
    behind_a_read("x 0 0 y", false, "x 0 0 y", answered);
    // A refusal, or an answer without a value: nobody here can tell.
    behind_a_read("I do not lead", false, "", "server 1 answered client: I do not lead\n");
    behind_a_read("I do not lead", false, "made up", "server 1 answered client: I do not lead\n");
    // A long answer is not kept, and is no refusal.
    let long = "an answer of more than two hundred bytes ".repeat(5).leak();
    let answered = "server 1 answered client, and could know that entry 1 is committed\n";
    behind_a_read(long, false, "", answered);
}

#[test]
fn a_read_that_is_done_when_a_call_has_failed_names_that_call() {
    let failed = "server 1 answered client: I do not lead\n\
                  client returned after its call to server 2 had failed\n";
    behind_a_read("I do not lead", true, "", failed);
    let failed = "server 1 answered client: x 0 0 y\n\
                  client returned after its call to server 2 had failed\n";
    behind_a_read("x 0 0 y", true, "x 0 0 y", failed);
}

/// A request that comes again when it is done may lead to one more entry. That is looked for until its client has
/// done the next write.
#[test]
fn a_late_copy_of_a_write_counts_until_its_client_has_done_the_next_one() {
    let entries = |world: &World, operation| {
        let facts = texts(&world.watch.behind(operation));
        facts.lines().filter(|fact| fact.contains("sent it as the entry")).count()
    };
    right(move |world| {
        let client = world.client("client");
        let writes = |index, text: &str| {
            let operation = world.watch.asks(&client, append("k", text));
            world.commits(index, text);
            world.gets_reply(&client, (0, 0));
            world.watch.answered(operation, None);
            operation
        };
        let first = writes(1, "x 0 0 y");
        world.commits(2, "x 0 0 y");
        assert_eq!(entries(world, first), 2, "its client has done nothing else");
        let second = writes(3, "x 0 1 y");
        world.commits(4, "x 0 0 y");
        world.commits(5, "x 0 1 y");
        assert_eq!((entries(world, first), entries(world, second)), (2, 2));
        // What another client has done says nothing of it.
        world.does(&world.client("other"), get("k"), (0, 0));
        world.commits(6, "x 0 1 y");
        assert_eq!(entries(world, second), 3);
    });
}
