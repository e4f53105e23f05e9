//! What is said when clients wait and nothing comes.

use crate::world::{
    World, append, get, pause, right, right_of_two, said_at_the_limit, sleep_ms, texts,
};

/// What is said of clients and of servers that keep them waiting.
fn said(world: &World) -> String {
    let facts = world.watch.obstacles();
    let of_service = ["wait", "answer", "request", "be reached", "holds it", "sent it"];
    let known = |text: &str| of_service.iter().any(|words| text.contains(words));
    texts(&facts.into_iter().filter(|fact| known(&fact.text)).collect::<Vec<_>>())
}

#[test]
fn when_nobody_waits_nothing_is_said() {
    right(|world| {
        assert_eq!(said(world), "");
        let client = world.client("client");
        world.does(&client, get("k"), (0, 0));
        assert_eq!(said(world), "");
    });
}

#[test]
fn it_is_said_what_the_client_waits_for_and_how_often_it_has_asked() {
    right(|world| {
        let client = world.client("client");
        world.watch.asks(&client, get("k"));
        sleep_ms(1500);
        assert_eq!(said(world), "client has waited 1.5 s for Get k, and has asked nobody\n");
        let facts = world.watch.obstacles();
        assert_eq!((facts[0].us, facts[0].server), (Some(0), Some(client.lane())));
        world.calls(&client, (0, 1));
        let expected = "client has waited 1.5 s for Get k, and has asked once\n\
                        server 1 got its request, and did not answer\n";
        assert_eq!(said(world), expected);
        world.calls(&client, (0, 0));
        assert!(
            said(world).starts_with("client has waited 1.5 s for Get k, and has asked 2 times\n")
        );
        // It asks again, and there is an answer to the second request.
        world.calls(&client, (0, 1));
        assert!(
            said(world).starts_with("client has waited 1.5 s for Get k, and has asked 3 times\n")
        );
        // Also who has answered may be asked again.
        world.replies((0, 1), "wrong leader");
        world.calls(&client, (0, 1));
        world.replies((0, 1), "wrong leader");
        world.calls(&client, (0, 1));
        assert!(
            said(world).starts_with("client has waited 1.6 s for Get k, and has asked 5 times\n")
        );
    });
}

#[test]
fn who_waits_longest_comes_first_and_the_others_behind_it() {
    right(|world| {
        let clients: Vec<_> = (0..6).map(|n| world.client(&format!("client {n}"))).collect();
        for client in clients[..5].iter().rev() {
            world.watch.asks(client, get("k"));
            pause();
        }
        let expected = "client 4 has waited 0.1 s for Get k, and has asked nobody\n\
                        others wait, too: client 3 since 0.010 s for Get k, client 2 since 0.020 s for Get k, \
                        client 1 since 0.030 s for Get k, client 0 since 0.040 s for Get k\n";
        assert_eq!(said(world), expected);
        world.watch.asks(&clients[5], append("l", "x"));
        let said = said(world);
        assert!(said.ends_with("client 0 since 0.040 s for Get k, and 1 more\n"), "{said}");
    });
}

#[test]
fn whom_the_client_has_asked_and_what_became_of_it() {
    right(|world| {
        let client = world.client("client");
        world.watch.asks(&client, get("k"));
        world.calls(&client, (0, 0));
        world.replies((0, 0), "wrong leader");
        let expected = "client has waited 0.0 s for Get k, and has asked once\n\
                        server 0 answered it: wrong leader\n";
        assert_eq!(said(world), expected);
        // Who has answered alike is named in one line, and who has not answered comes first.
        world.calls(&client, (0, 2));
        world.replies((0, 2), "wrong leader");
        world.calls(&client, (0, 1));
        let expected = "client has waited 0.1 s for Get k, and has asked 3 times\n\
                        server 1 got its request, and did not answer\n\
                        servers 0, 2 answered it: wrong leader\n";
        assert_eq!(said(world), expected);
        let lanes: Vec<_> = world.watch.obstacles().iter().map(|fact| fact.server).collect();
        let members = world.groups[0].members();
        assert_eq!(lanes[..3], [client.lane(), members.lane(1), members.lane(0)].map(Some));
    });
}

#[test]
fn when_the_first_of_those_answered_who_answered_alike() {
    right(|world| {
        let client = world.client("client");
        world.watch.asks(&client, get("k"));
        world.gets_reply(&client, (0, 2));
        pause();
        world.gets_reply(&client, (0, 0));
        // Server 2 is asked again and says the same later; then server 0 was the first to say it.
        pause();
        world.gets_reply(&client, (0, 2));
        let facts = world.watch.obstacles();
        assert_eq!(facts[1].text, "servers 0, 2 answered it: done");
        assert_eq!(facts[1].us, Some(40_000));
    });
}

#[test]
fn a_server_that_cannot_be_reached_has_given_no_answer() {
    right(|world| {
        let client = world.client("client");
        client.disconnect(world.groups[0].members(), &[0]);
        world.watch.asks(&client, get("k"));
        world.calls(&client, (0, 0));
        sleep_ms(200);
        let expected = "client has waited 0.2 s for Get k, and has asked once\n\
                        server 0 could not be reached, or gave no answer in time\n";
        assert_eq!(said(world), expected);
    });
}

#[test]
fn a_request_that_is_on_its_way_has_not_come_yet() {
    right(|world| {
        let client = world.client("client");
        client.disconnect(world.groups[0].members(), &[0]);
        world.net.set_travel(300_000, 300_000);
        world.watch.asks(&client, get("k"));
        world.calls(&client, (0, 1));
        let expected = "client has waited 0.0 s for Get k, and has asked once\n\
                        server 1 did not get the last request yet\n";
        assert_eq!(said(world), expected);
        world.net.set_travel(0, 0);
        // What it has and does not answer tells more than one that is on its way.
        sleep_ms(300);
        world.net.set_travel(300_000, 300_000);
        world.calls(&client, (0, 1));
        let expected = "client has waited 0.3 s for Get k, and has asked 2 times\n\
                        server 1 got its request, and did not answer\n";
        assert_eq!(said(world), expected);
        world.net.set_travel(0, 0);
        world.replies((0, 1), "no");
        sleep_ms(300);
        world.net.set_travel(300_000, 300_000);
        world.calls(&client, (0, 1));
        assert!(
            said(world).contains("server 1 did not get the last request yet"),
            "{}",
            said(world)
        );
    });
}

/// What is said to be the usual cause after a client has asked servers so often, each of which has answered, or has not
/// been reached.
fn cause(asked: &'static [(usize, bool, u64)], left_waiting: bool) -> String {
    let said = said_at_the_limit(move |world| {
        let client = world.client("client");
        world.watch.asks(&client, get("k"));
        if left_waiting {
            world.calls(&client, (0, 0));
        }
        for &(server, reached, times) in asked {
            for _ in 0..times {
                world.calls(&client, (0, server));
                match reached {
                    true => world.replies((0, server), "no"),
                    false => sleep_ms(100),
                }
            }
            client.disconnect(world.groups[0].members(), &[server + 1]);
        }
        sleep_ms(20_000); // With the client its calls would end.
    });
    let cause = said.lines().find_map(|line| line.trim().strip_prefix("usual cause: "));
    cause.expect("one is told").to_string()
}

#[test]
fn who_is_refused_again_and_again_does_not_wait_for_what_does_not_come() {
    let refused = "nobody leaves the client waiting: it was refused each time";
    let sticks = "the clerk asks one server again and again though its calls fail";
    let waits = "something waits";
    let cause_is = |asked, left, words: &str| {
        let cause = cause(asked, left);
        assert!(cause.starts_with(words), "{cause}");
    };
    cause_is(&[(1, true, 20)], false, refused);
    cause_is(&[(1, true, 15), (0, true, 5)], false, refused);
    cause_is(&[(1, true, 19)], false, waits);
    // Some server does not answer.
    cause_is(&[(1, true, 20)], true, waits);
    // The second server of these is not reached.
    cause_is(&[(0, true, 1), (1, false, 25)], false, sticks);
    cause_is(&[(1, true, 20), (2, false, 25)], false, refused);
    cause_is(&[(0, true, 1), (1, false, 15)], false, waits);
}

#[test]
fn of_a_long_answer_only_the_length_is_told() {
    // Four bytes say what it is, one or three how long it is.
    let told = |length: usize, words: &'static str| {
        right(move |world| {
            let client = world.client("client");
            world.watch.asks(&client, get("k"));
            world.calls(&client, (0, 0));
            world.replies((0, 0), &"a".repeat(length));
            let said = said(world);
            let line = said.lines().nth(1).expect("a line about it");
            assert!(line.starts_with("server 0 answered it: ") && line.ends_with(words), "{line}");
        });
    };
    told(195, "aaa");
    told(196, "answered it: 201 bytes");
}

#[test]
fn where_the_entries_of_a_write_stand_and_who_can_know_that_they_are_committed() {
    let start = "client has waited 0.1 s for Append k x 0 0 y, and has asked nobody\n";
    right(move |world| {
        let client = world.client("client");
        world.watch.asks(&client, append("k", "x 0 0 y"));
        world.only_sends(1, "x 0 0 y");
        sleep_ms(40);
        let sent = "server 0 sent it as the entry of term 1 at index 1";
        assert_eq!(said(world), format!("{start}{sent}; nobody can know that it is committed\n"));
        world.commits(1, "x 0 0 y");
        assert_eq!(said(world), format!("{start}{sent}; server 0 can know that it is committed\n"));
        world.sends((0, 0), 1, 1, (1, 1), &[], 1);
        let said = said(world);
        assert_eq!(said, format!("{start}{sent}; servers 0, 1 can know that it is committed\n"));
    });
    // Another entry stands there, and there is nothing more to say of it.
    right(move |world| {
        let client = world.client("client");
        world.watch.asks(&client, append("k", "x 0 0 y"));
        world.only_sends(1, "x 0 0 y");
        sleep_ms(40);
        world.sends((0, 1), 2, 2, (0, 0), &["another text"], 0);
        world.sends((0, 1), 0, 2, (0, 0), &["another text"], 1);
        let sent = "server 0 sent it as the entry of term 1 at index 1, where an entry of term 2 was committed \
                    instead\n";
        assert_eq!(said(world), format!("{start}{sent}"));
    });
}

#[test]
fn of_many_entries_the_last_four_are_told() {
    right(|world| {
        let client = world.client("client");
        world.watch.asks(&client, append("k", "x 0 0 y"));
        (1..=5).for_each(|index| world.commits(index, "x 0 0 y"));
        let said = said(world);
        let at: Vec<_> = said.lines().filter_map(|line| line.split("at index ").nth(1)).collect();
        let at: Vec<_> = at.iter().map(|rest| rest.split(';').next().unwrap_or_default()).collect();
        assert_eq!(at, ["5", "4", "3", "2"], "{said}");
    });
}

#[test]
fn that_nobody_has_sent_an_entry_is_said_if_it_would_have_been_seen() {
    let nobody = "no entry that holds it has been sent by anybody\n";
    right(move |world| {
        let client = world.client("client");
        world.watch.asks(&client, append("k", "x 0 0 y"));
        assert!(!said(world).contains(nobody), "nobody knows whether entries show what is written");
        let other = world.client("other");
        world.watch.asks(&other, append("k", "x 1 0 y"));
        world.commits(1, "x 1 0 y");
        assert!(said(world).contains(nobody), "{}", said(world));
    });
    // Of a read there is none anyway.
    right(move |world| {
        let (client, other) = (world.client("client"), world.client("other"));
        world.watch.asks(&client, get("k"));
        pause();
        world.watch.asks(&other, append("k", "x 1 0 y"));
        world.commits(1, "x 1 0 y");
        assert!(!said(world).contains(nobody), "{}", said(world));
    });
}

#[test]
fn who_keeps_clients_waiting_for_half_a_second() {
    right(|world| {
        let (client, other) = (world.client("client"), world.client("other"));
        world.watch.asks(&client, get("k"));
        world.watch.asks(&other, get("l"));
        let end = |said: String| said.split_once(" kept ").map(|(_, end)| end.to_string());
        world.calls(&client, (0, 1)); // ten milliseconds pass
        sleep_ms(489);
        assert_eq!(end(said(world)), None);
        sleep_ms(1);
        let one =
            "1 request of clients waiting up to the end, the oldest for 0.5 s: Ask.Ask of client\n";
        assert_eq!(end(said(world)).as_deref(), Some(one));
        world.calls(&other, (0, 1));
        sleep_ms(90);
        let two = "2 requests of clients waiting up to the end, the oldest for 0.6 s: Ask.Ask of client\n";
        assert_eq!(end(said(world)).as_deref(), Some(two));
        world.replies((0, 1), "no");
        assert_eq!(end(said(world)), None);
    });
}

#[test]
fn who_has_kept_somebody_waiting_longest_comes_first() {
    right(|world| {
        let client = world.client("client");
        world.watch.asks(&client, get("k"));
        world.calls(&client, (0, 2));
        pause();
        world.calls(&client, (0, 0));
        sleep_ms(1000);
        let expected = "server 2 kept 1 request of clients waiting up to the end, the oldest for 1.0 s: Ask.Ask of \
                        client\n\
                        server 0 kept 1 request of clients waiting up to the end, the oldest for 1.0 s: Ask.Ask of \
                        client\n";
        let said = said(world);
        assert!(said.ends_with(expected), "{said}");
    });
}

#[test]
fn who_has_an_answer_from_elsewhere_is_not_kept_waiting() {
    right(|world| {
        let client = world.client("client");
        let operation = world.watch.asks(&client, get("k"));
        world.calls(&client, (0, 2));
        world.watch.answered(operation, Some(""));
        sleep_ms(1000);
        assert_eq!(said(world), "");
        // What it asks for now it waits for.
        world.watch.asks(&client, get("l"));
        world.calls(&client, (0, 2));
        sleep_ms(600);
        let expected = "server 2 kept 1 request of clients waiting up to the end, the oldest for 0.6 s: Ask.Ask of \
                        client\n";
        let said = said(world);
        assert!(said.ends_with(expected), "{said}");
    });
}

#[test]
fn a_server_that_has_crashed_keeps_nobody_waiting() {
    right(|world| {
        let client = world.client("client");
        world.watch.asks(&client, get("k"));
        world.calls(&client, (0, 1));
        sleep_ms(600);
        assert!(said(world).contains(" kept "));
        world.groups[0].crash(1);
        assert!(!said(world).contains(" kept "), "{}", said(world));
    });
}

#[test]
fn servers_that_keep_a_client_waiting_alike_are_named_together() {
    right(|world| {
        let client = world.client("client");
        world.watch.asks(&client, get("k"));
        let end = |server: usize| client.end_to(&world.groups[0].members().name(server));
        for end in [end(2), end(0)] {
            labrt::thread::spawn(move || drop(crate::world::AskClient::new(end).ask(&())));
        }
        sleep_ms(600);
        let said = said(world);
        assert!(said.ends_with("servers 0, 2 kept 1 request of clients waiting up to the end, the oldest for 0.6 s: \
                                Ask.Ask of client\n"), "{said}");
    });
}

#[test]
fn of_several_groups_each_is_named() {
    right_of_two(|world| {
        let client = world.client("client");
        world.watch.asks(&client, append("k", "x 0 0 y"));
        world.calls(&client, (1, 0));
        world.calls(&client, (0, 1));
        world.commits(1, "x 0 0 y");
        sleep_ms(600);
        let expected = "client has waited 0.6 s for Append k x 0 0 y, and has asked 2 times\n\
                        servers 100-1, 101-0 got its request, and did not answer\n\
                        server 100-0 sent it as the entry of term 1 at index 1; server 100-0 can know that it is \
                        committed\n\
                        server 100-1 kept 1 request of clients waiting up to the end, the oldest for 0.6 s: \
                        Ask.Ask of client\n\
                        server 101-0 kept 1 request of clients waiting up to the end, the oldest for 0.6 s: \
                        Ask.Ask of client\n";
        assert_eq!(said(world), expected);
    });
}

#[test]
fn what_clients_wait_for_is_said_once_and_of_each_group_who_keeps_them_waiting() {
    let said = said_at_the_limit(|world| {
        let client = world.client("client");
        world.watch.asks(&client, append("k", "x 0 0 y"));
        for server in [(0, 1), (1, 2)] {
            let end = client.end_to(&world.groups[server.0].members().name(server.1));
            labrt::thread::spawn(move || drop(crate::world::AskClient::new(end).ask(&())));
        }
        world.commits(1, "x 0 0 y");
        sleep_ms(20_000);
    });
    let count = |words: &str| said.matches(words).count();
    assert_eq!(
        count("client has waited 20.0 s for Append k x 0 0 y, and has asked 2 times"),
        1,
        "{said}"
    );
    assert_eq!(count("server 100-0 sent it as the entry of term 1 at index 1"), 1, "{said}");
    let place = |words: &str| said.find(words).expect("it is said");
    assert!(
        place("client has waited") < place(" kept 1 request"),
        "the first group says it: {said}"
    );
    for server in ["100-1", "101-2"] {
        let words = format!(
            "server {server} kept 1 request of clients waiting up to the end, the oldest for 20.0 s"
        );
        assert_eq!(count(&words), 1, "{said}");
    }
}

#[test]
fn who_was_stopped_waits_no_more() {
    right(|world| {
        let (stopped, client) = (world.client("stopped"), world.client("client"));
        let given_up = world.watch.asks(&stopped, append("k", "x 0 0 y"));
        let waiting = world.watch.waits(given_up);
        world.calls(&stopped, (0, 1));
        world.watch.asks(&client, get("k"));
        world.calls(&client, (0, 0));
        sleep_ms(1000);
        assert!(said(world).starts_with("stopped has waited 1.0 s for Append k x 0 0 y"));
        assert!(said(world).contains("server 1 kept 1 request"));
        drop(waiting);
        let expected = "client has waited 1.0 s for Get k, and has asked once\n\
                        server 0 got its request, and did not answer\n\
                        server 0 kept 1 request of clients waiting up to the end, the oldest for 1.0 s: Ask.Ask of client\n";
        assert_eq!(said(world), expected);
        // It may take effect for all that, and its entry is known.
        world.commits(1, "x 0 0 y");
        assert_eq!(world.watch.place(given_up).map(|place| place.index), Some(1));
        world.reads(&world.client("reader"), "k", "x 0 0 y", 0);
    });
    // Whoever has an answer is done, and does not give anything up.
    right(|world| {
        let client = world.client("client");
        let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
        let waiting = world.watch.waits(operation);
        world.commits(1, "x 0 0 y");
        world.gets_reply(&client, (0, 0));
        world.watch.answered(operation, None);
        let next = world.watch.asks(&client, get("k"));
        drop(waiting);
        assert!(said(world).starts_with("client has waited 0.0 s for Get k"), "{}", said(world));
        drop(world.watch.waits(next));
        assert_eq!(said(world), "");
    });
}

#[test]
fn of_who_was_stopped_no_entry_is_looked_for_when_a_second_has_gone() {
    let place_after = |ms: u64, index: Option<u64>| {
        right(move |world| {
            let (stopped, client) = (world.client("stopped"), world.client("client"));
            let given_up = world.watch.asks(&stopped, append("k", "x 0 0 y"));
            drop(world.watch.waits(given_up));
            sleep_ms(ms);
            world.does(&client, get("l"), (0, 0));
            world.commits(1, "x 0 0 y");
            assert_eq!(world.watch.place(given_up).map(|place| place.index), index);
        });
    };
    place_after(900, Some(1));
    place_after(1100, None);
}
