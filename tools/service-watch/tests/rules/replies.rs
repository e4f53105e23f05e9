//! Who may answer.

use tester::Judged;

use crate::world::{
    World, append, get, judge, judged_less, pause, put, right, right_of_two, sleep_ms, texts,
    understood, wrong, wrong_of_two,
};

pub(crate) const TOO_EARLY: &str = "answered when applied";
const STALE: &str = "a read that cannot know";
pub(crate) const EARLY_WORDS: &str = "server 0 answered client, Append k x 0 0 y, before an entry of it can have been applied \
     there";

#[test]
fn a_write_may_be_answered_when_its_entry_is_committed() {
    right(|world| {
        let client = world.client("client");
        let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
        world.calls(&client, (0, 0));
        world.commits(1, "x 0 0 y");
        world.replies((0, 0), "done");
        world.watch.answered(operation, None);
    });
}

#[test]
fn a_write_that_is_answered_when_its_entry_is_only_sent_is_wrong() {
    let verdict = wrong(TOO_EARLY, EARLY_WORDS, |world| {
        let client = world.client("client");
        let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
        world.calls(&client, (0, 0));
        world.commits(1, "another text");
        world.only_sends(2, "x 0 0 y");
        world.replies((0, 0), "done");
        world.watch.answered(operation, None);
    });
    let facts = texts(&verdict.facts);
    assert!(facts.contains("client: Append k x 0 0 y, until 0."), "{facts}");
    assert!(
        facts.contains("server 0 answered done, and could know that entry 1 is committed"),
        "{facts}"
    );
    assert!(facts.contains("server 0 sent it as the entry of term 1 at index 2\n"), "{facts}");
    assert_eq!((verdict.index, verdict.servers.contains(&0)), (Some(2), true));
    assert_eq!(verdict.location.as_deref(), Some("what server 0 answered"));
}

#[test]
fn a_follower_may_answer_for_what_its_leader_has_told_it_to_be_committed() {
    let play = |told: u64| {
        move |world: &World| {
            let client = world.client("client");
            let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
            world.calls(&client, (0, 1));
            world.commits(1, "x 0 0 y");
            world.sends((0, 0), 1, 1, (1, 1), &[], told);
            world.replies((0, 1), "done");
            world.watch.answered(operation, None);
        }
    };
    right(play(1));
    let words = EARLY_WORDS.replace("server 0", "server 1");
    let verdict = wrong(TOO_EARLY, &words, play(0));
    let facts = texts(&verdict.facts);
    assert!(
        facts.contains("server 1 answered done, and could know that no entry is committed"),
        "{facts}"
    );
}

#[test]
fn a_write_without_any_entry_is_not_to_be_answered() {
    let verdict = wrong(TOO_EARLY, EARLY_WORDS, |world| {
        let client = world.client("client");
        let other = world.client("other");
        let known = world.watch.asks(&other, append("k", "x 9 9 y"));
        world.commits(1, "x 9 9 y");
        world.commits(2, "another text");
        world.gets_reply(&other, (0, 0));
        world.watch.answered(known, None);
        world.does(&client, append("k", "x 0 0 y"), (0, 0));
    });
    let facts = texts(&verdict.facts);
    assert!(facts.contains("no entry that holds it has been sent by anybody"), "{facts}");
    assert!(
        facts.contains("server 0 answered done, and could know that entries 1 to 2 are committed"),
        "{facts}"
    );
}

#[test]
fn what_the_servers_said_is_shown_since_it_may_have_been_a_refusal() {
    let verdict = wrong(TOO_EARLY, EARLY_WORDS, |world| {
        understood(world);
        let client = world.client("client");
        let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
        // That a call fails is no answer, and a reply has come behind it.
        fails(world, &client, 1);
        world.calls(&client, (0, 0));
        world.replies((0, 0), "I do not lead");
        world.watch.answered(operation, None);
    });
    let facts = texts(&verdict.facts);
    let said = "server 0 answered I do not lead, and could know that entry 1 is committed\n";
    assert!(facts.contains(said) && !facts.contains("had failed"), "{facts}");
    let hint = verdict.hint.unwrap_or_default();
    assert!(hint.ends_with("or the clerk takes a refusal or a failed call for done"), "{hint}");
}

#[test]
fn who_is_done_when_a_call_has_failed_has_no_answer_from_a_server() {
    let words = "client was done with Append k x 0 0 y when its call to server 1 had failed, before an entry of it can \
                 have been applied where it had a reply from: server 2";
    let verdict = wrong(TOO_EARLY, words, |world| {
        understood(world);
        let client = world.client("client");
        let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
        world.calls(&client, (0, 2));
        world.replies((0, 2), "no");
        fails(world, &client, 1);
        world.watch.answered(operation, None);
    });
    let facts = texts(&verdict.facts);
    assert!(facts.contains("server 2 answered no, and could know that no entry"), "{facts}");
    assert!(facts.ends_with("client returned after its call to server 1 had failed\n"), "{facts}");
    assert_eq!(verdict.location.as_deref(), Some("what client took for its answer"));
    let hint = verdict.hint.unwrap_or_default();
    assert!(hint.starts_with("the clerk takes a failed call"), "{hint}");
}

#[test]
fn a_write_whose_calls_have_all_failed_is_not_done() {
    let words = "client was done with Append k x 0 0 y when its call to server 1 had failed, and nobody had replied to it";
    let verdict = wrong(TOO_EARLY, words, |world| {
        let client = world.client("client");
        let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
        fails(world, &client, 2);
        fails(world, &client, 1);
        world.watch.answered(operation, None);
    });
    let facts = texts(&verdict.facts);
    assert!(facts.ends_with("client returned after its call to server 1 had failed\n"), "{facts}");
    assert_eq!(verdict.location.as_deref(), Some("what client took for its answer"));
    let hint = verdict.hint.unwrap_or_default();
    assert!(hint.starts_with("the clerk takes a failed call"), "{hint}");
    // What is read is judged by what it is.
    right(|world| {
        let client = world.client("client");
        let operation = world.watch.asks(&client, get("k"));
        fails(world, &client, 1);
        world.watch.answered(operation, Some(""));
    });
}

#[test]
fn a_read_may_be_done_too_early_in_the_same_way() {
    let words = "client was done with Get k when its call to server 2 had failed, and where it had a reply from cannot \
                 know of what was acknowledged before: server 1";
    wrong(STALE, words, |world| {
        written(world, 1);
        let client = world.client("client");
        let operation = world.watch.asks(&client, get("k"));
        world.gets_reply(&client, (0, 1));
        fails(world, &client, 2);
        world.watch.answered(operation, Some(""));
    });
}

#[test]
fn a_call_for_what_is_done_by_now_that_fails_does_not_count() {
    wrong(TOO_EARLY, &EARLY_WORDS.replace("x 0 0 y", "x 0 1 y"), |world| {
        understood(world);
        let client = world.client("client");
        client.disconnect(world.groups[0].members(), &[1]);
        let before = world.watch.asks(&client, get("k"));
        world.calls(&client, (0, 1));
        world.watch.answered(before, Some("x 9 9 y"));
        let operation = world.watch.asks(&client, append("k", "x 0 1 y"));
        world.gets_reply(&client, (0, 0));
        sleep_ms(1000);
        world.watch.answered(operation, None);
    });
}

#[test]
fn a_reply_to_a_call_for_what_is_done_by_now_does_not_count() {
    let words = "client was done with Append k x 0 1 y when its call to server 1 had failed, and nobody had replied to it";
    wrong(TOO_EARLY, words, |world| {
        let client = world.client("client");
        let before = world.watch.asks(&client, get("k"));
        world.calls(&client, (0, 0));
        world.watch.answered(before, Some(""));
        let operation = world.watch.asks(&client, append("k", "x 0 1 y"));
        fails(world, &client, 1);
        world.replies((0, 0), "late");
        world.watch.answered(operation, None);
    });
}

/// The client calls a server that it does not reach, and learns that.
fn fails(world: &World, client: &tester::Client, server: usize) {
    client.disconnect(world.groups[0].members(), &[server]);
    world.calls(client, (0, server));
    sleep_ms(1000);
}

#[test]
fn one_reply_that_can_be_right_is_enough() {
    right(|world| {
        let client = world.client("client");
        let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
        world.commits(1, "another text");
        world.only_sends(2, "x 0 0 y");
        world.gets_reply(&client, (0, 0)); // says that it does not lead, perhaps
        world.commits(2, "x 0 0 y");
        world.gets_reply(&client, (0, 0));
        world.gets_reply(&client, (0, 2)); // knows nothing
        world.watch.answered(operation, None);
    });
}

#[test]
fn what_no_reply_gave_is_not_judged() {
    right(|world| {
        let client = world.client("client");
        let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
        world.only_sends(1, "x 0 0 y");
        world.watch.answered(operation, None);
    });
}

#[test]
fn a_reply_that_is_lost_answers_nothing() {
    // The client is cut off before the reply comes; so the one that knows nothing is no answer.
    right(|world| {
        written(world, 1);
        let client = world.client("client");
        let operation = world.watch.asks(&client, get("k"));
        world.calls(&client, (0, 2));
        client.disconnect(world.groups[0].members(), &[2]);
        world.replies((0, 2), "too early");
        sleep_ms(1000);
        world.watch.answered(operation, Some(""));
    });
}

#[test]
fn an_index_at_which_another_entry_was_committed_is_not_enough() {
    let verdict = wrong(TOO_EARLY, EARLY_WORDS, |world| {
        let client = world.client("client");
        let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
        world.calls(&client, (0, 0));
        world.only_sends(1, "x 0 0 y");
        // The next leader has another entry there.
        world.sends((0, 1), 2, 2, (0, 0), &["another text"], 0);
        world.sends((0, 1), 0, 2, (0, 0), &["another text"], 1);
        pause();
        world.replies((0, 0), "done");
        world.watch.answered(operation, None);
    });
    let facts = texts(&verdict.facts);
    let instead = "at index 1, where an entry of term 2 was committed instead\n";
    assert!(facts.contains(instead), "{facts}");
    assert!(
        facts.contains("server 0 answered done, and could know that entry 1 is committed"),
        "{facts}"
    );
}

#[test]
fn a_group_may_answer_for_what_it_took_over_from_another_one() {
    right_of_two(|world| {
        let client = world.client("client");
        let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
        world.only_sends(1, "x 0 0 y");
        pause();
        world.sends((1, 0), 1, 1, (0, 0), &["something else"], 0);
        world.gets_reply(&client, (1, 0));
        world.watch.answered(operation, None);
    });
    wrong_of_two(
        TOO_EARLY,
        "server 101-0 answered client, Append k x 0 0 y, before an entry of it can have been applied there",
        |world| {
            let client = world.client("client");
            understood(world);
            let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
            world.gets_reply(&client, (1, 0));
            world.only_sends(2, "x 0 0 y"); // too late
            world.watch.answered(operation, None);
        },
    );
}

/// A write that was acknowledged at index 2; server 1 was told that the entries up to an index are committed.
fn written(world: &World, told: u64) {
    let writer = world.client("writer");
    let operation = world.watch.asks(&writer, put("k", "x 0 0 y"));
    world.commits(1, "another text");
    world.commits(2, "x 0 0 y");
    world.gets_reply(&writer, (0, 0));
    world.watch.answered(operation, None);
    pause();
    world.sends((0, 0), 1, 1, (2, 1), &[], told);
}

#[test]
fn who_answers_a_read_knows_of_what_was_acknowledged_before() {
    right(|world| {
        written(world, 2);
        world.reads(&world.client("client"), "k", "x 0 0 y", 1);
        world.reads(&world.client("client"), "k", "x 0 0 y", 0);
    });
    let words = "server 1 answered client, Get k, and cannot know of what was acknowledged before";
    let verdict = wrong(STALE, words, |world| {
        written(world, 1);
        world.reads(&world.client("client"), "k", "old", 1);
    });
    let facts = texts(&verdict.facts);
    assert!(facts.contains("writer: Put k x 0 0 y, until 0."), "{facts}");
    assert!(facts.contains("server 0 sent it as the entry of term 1 at index 2\n"), "{facts}");
    assert!(facts.contains(", and got \"old\"\n"), "{facts}");
    assert!(
        facts.contains("server 1 answered done, and could know that entry 1 is committed"),
        "{facts}"
    );
    assert_eq!((verdict.index, verdict.servers.contains(&1)), (Some(2), true));
}

#[test]
fn a_read_of_another_object_need_not_know() {
    right(|world| {
        written(world, 0);
        world.reads(&world.client("client"), "other", "", 1);
    });
}

#[test]
fn a_read_that_began_before_the_write_had_ended_need_not_know() {
    right(|world| {
        let (writer, reader) = (world.client("writer"), world.client("client"));
        let write = world.watch.asks(&writer, put("k", "x 0 0 y"));
        world.commits(1, "x 0 0 y");
        world.gets_reply(&writer, (0, 0));
        // At one moment: nobody can say which came first.
        world.watch.answered(write, None);
        let read = world.watch.asks(&reader, get("k"));
        world.gets_reply(&reader, (0, 1));
        world.watch.answered(read, Some("old"));
    });
}

#[test]
fn one_server_that_can_know_is_enough_for_a_read() {
    right(|world| {
        written(world, 0);
        let client = world.client("client");
        let operation = world.watch.asks(&client, get("k"));
        world.gets_reply(&client, (0, 1));
        world.gets_reply(&client, (0, 0));
        world.gets_reply(&client, (0, 2));
        world.watch.answered(operation, Some("x 0 0 y"));
    });
}

#[test]
fn the_last_acknowledged_write_is_the_one_to_know_of() {
    let play = |index: u64| {
        move |world: &World| {
            written(world, 2);
            let writer = world.client("writer");
            let operation = world.watch.asks(&writer, append("k", "x 0 1 y"));
            world.commits(3, "something");
            world.commits(4, "x 0 1 y");
            world.gets_reply(&writer, (0, 0));
            world.watch.answered(operation, None);
            pause();
            world.sends((0, 0), 1, 1, (4, 1), &[], index);
            world.reads(&world.client("client"), "k", "x 0 0 y", 1);
        }
    };
    right(play(4));
    wrong(
        STALE,
        "server 1 answered client, Get k, and cannot know of what was acknowledged before",
        play(3),
    );
}

#[test]
fn of_two_writes_in_one_entry_the_one_that_was_acknowledged_first_is_the_one_to_know_of() {
    let words = "server 1 answered client, Get k, and cannot know of what was acknowledged before";
    let verdict = wrong(STALE, words, |world| {
        let (one, other) = (world.client("one"), world.client("other"));
        let first = world.watch.asks(&one, append("k", "x 0 0 y"));
        let second = world.watch.asks(&other, append("k", "x 1 0 y"));
        world.commits(1, "x 0 0 y and x 1 0 y");
        world.gets_reply(&one, (0, 0));
        world.gets_reply(&other, (0, 0));
        world.watch.answered(first, None);
        pause();
        let reader = world.client("client");
        let read = world.watch.asks(&reader, get("k"));
        world.watch.answered(second, None);
        world.gets_reply(&reader, (0, 1));
        world.watch.answered(read, Some(""));
    });
    assert!(texts(&verdict.facts).starts_with("one: Append k x 0 0 y"), "{verdict:?}");
}

#[test]
fn of_a_long_value_the_end_is_shown() {
    let play = |bytes: usize| {
        move |world: &World| {
            written(world, 0);
            let value = "é".to_string() + &"a".repeat(bytes - 3) + "b";
            world.reads(&world.client("client"), "k", &value, 1);
        }
    };
    let words = "server 1 answered client, Get k, and cannot know of what was acknowledged before";
    // Sixty characters are shown as they are.
    let facts = texts(&wrong(STALE, words, play(61)).facts);
    assert!(facts.contains(&format!("and got \"é{}b\"\n", "a".repeat(58))), "{facts}");
    let facts = texts(&wrong(STALE, words, play(62)).facts);
    assert!(facts.contains(&format!("and got ...\"{}b\" (62 bytes)\n", "a".repeat(59))), "{facts}");
}

#[test]
fn a_run_that_is_not_judged_by_rules_is_not_watched() {
    let of = judge(judged_less(Judged::ByTests), &[""], Default::default(), |world| {
        let client = world.client("client");
        let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
        world.only_sends(1, "x 0 0 y");
        world.gets_reply(&client, (0, 0));
        world.watch.answered(operation, None);
        assert_eq!(world.watch.place(operation), None);
        assert_eq!(world.watch.answers(&mut 0), []);
        assert_eq!(world.watch.obstacles(), []);
    });
    assert_eq!((of.verdict, of.not_judged), (None, Vec::<String>::new()));
    let of = judge(judged_less(Judged::ByRules), &[""], Default::default(), |world| {
        let client = world.client("client");
        let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
        world.only_sends(1, "x 0 0 y");
        world.gets_reply(&client, (0, 0));
        world.watch.answered(operation, None);
    });
    assert_eq!(of.verdict.map(|verdict| verdict.check).as_deref(), Some(TOO_EARLY));
}

/// Only the client knows whose reply it has taken.
#[test]
fn of_several_servers_that_answered_none_is_blamed_alone() {
    let words = "server 0 or server 2 answered client, Append k x 0 0 y, before an entry of it can have been \
                 applied there";
    let verdict = wrong(TOO_EARLY, words, |world| {
        let client = world.client("client");
        let before = world.watch.asks(&client, append("k", "x 9 9 y"));
        world.commits(1, "x 9 9 y");
        world.gets_reply(&client, (0, 0));
        world.watch.answered(before, None);
        let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
        for server in [0, 2] {
            world.gets_reply(&client, (0, server));
        }
        world.watch.answered(operation, None);
    });
    let facts = texts(&verdict.facts);
    assert!(facts.contains("server 0 answered") && facts.contains("server 2 answered"), "{facts}");
}
