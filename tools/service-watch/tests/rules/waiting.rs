//! Nobody waits for ever at a server that does not lead any more.

use tester::Client;

use crate::world::{World, append, get, pause, right, sleep_ms, texts, wrong};

const RULE: &str = "nobody waits for ever";

/// Server 0 leads in term 1 and is asked for something, which it does not answer.
fn asked(world: &World) -> Client {
    world.commits(1, "something");
    let client = world.client("client");
    world.watch.asks(&client, get("k"));
    world.calls(&client, (0, 0));
    pause();
    client
}

/// Server 0 hears so often of this leader, every 100 ms.
fn hears(world: &World, (leader, term): (usize, u64), times: usize) {
    for _ in 0..times {
        world.sends((0, leader), 0, term, (1, 1), &[], 0);
        sleep_ms(100);
    }
}

#[test]
fn who_is_kept_waiting_while_the_server_hears_of_a_later_leader_for_four_seconds() {
    right(|world| {
        let _client = asked(world);
        hears(world, (1, 2), 40);
    });
    let words = "server 0 has kept client waiting for 4.0 s in Ask.Ask, and does not lead any more";
    let verdict = wrong(RULE, words, |world| {
        let _client = asked(world);
        hears(world, (1, 2), 41);
    });
    let facts = texts(&verdict.facts);
    let expected = "server 0 was asked, and had shown term 1\n\
                    server 0 is in term 2, which server 1 leads\n\
                    server 0 hears of its leader, and has not answered\n";
    assert_eq!(facts, expected);
    let us: Vec<_> = verdict.facts.iter().map(|fact| fact.us.expect("it has a time")).collect();
    assert!(us[0] < us[1] && us[1] + 4_000_000 == us[2], "{us:?}");
    assert_eq!(verdict.location.as_deref(), Some("what Ask.Ask of server 0 waits for"));
}

#[test]
fn a_heartbeat_of_a_kind_of_its_own_is_heard_as_well() {
    let play = |times: usize| {
        move |world: &World| {
            let _client = asked(world);
            hears(world, (1, 2), 1); // by its answer it shows its term
            for _ in 0..times {
                world.beats((0, 1), 0, 2);
                sleep_ms(100);
            }
        }
    };
    right(play(39));
    let words = "server 0 has kept client waiting for 4.0 s in Ask.Ask, and does not lead any more";
    wrong(RULE, words, play(40));
}

#[test]
fn who_was_asked_in_the_later_term_may_keep_somebody_waiting() {
    right(|world| {
        world.commits(1, "something");
        hears(world, (1, 2), 1);
        let client = world.client("client");
        world.watch.asks(&client, get("k"));
        world.calls(&client, (0, 0));
        hears(world, (1, 2), 60);
    });
}

#[test]
fn who_answers_in_time_keeps_nobody_waiting() {
    right(|world| {
        let _client = asked(world);
        hears(world, (1, 2), 40);
        world.replies((0, 0), "does not lead");
        hears(world, (1, 2), 60);
    });
}

#[test]
fn who_has_gone_away_does_not_wait() {
    right(|world| {
        let client = asked(world);
        hears(world, (1, 2), 30);
        client.disconnect(world.groups[0].members(), &[0]);
        hears(world, (1, 2), 60);
    });
}

#[test]
fn a_new_server_has_let_go_of_all_who_waited() {
    right(|world| {
        let _client = asked(world);
        hears(world, (1, 2), 30);
        world.starts((0, 0));
        hears(world, (1, 2), 60);
    });
}

#[test]
fn a_server_without_a_known_leader_may_hope_to_lead() {
    right(|world| {
        let _client = asked(world);
        hears(world, (1, 2), 30);
        world.takes((0, 1), 3, false);
        world.asks_for_vote((0, 0), 1, 3);
        world.takes((0, 1), 3, true);
        world.asks_for_vote((0, 2), 1, 3);
        sleep_ms(100);
        hears(world, (2, 3), 30); // from here on it counts anew
    });
}

#[test]
fn a_server_that_leads_again_may_still_answer() {
    right(|world| {
        let _client = asked(world);
        hears(world, (1, 2), 30);
        for _ in 0..60 {
            world.sends((0, 0), 1, 3, (1, 1), &[], 0);
            sleep_ms(100);
        }
    });
}

#[test]
fn only_the_time_counts_in_which_a_server_hears_of_its_leader() {
    // It answers half a second after it has heard, and is seen then. Of the time before a look not more counts than
    // 0.2 s.
    let play = |after: u64, times: usize| {
        move |world: &World| {
            let _client = asked(world);
            world.answers_after((0, 0), after);
            (0..times).for_each(|_| world.sends((0, 1), 0, 2, (1, 1), &[], 0));
        }
    };
    right(play(500, 19));
    let words =
        "server 0 has kept client waiting for 10.0 s in Ask.Ask, and does not lead any more";
    wrong(RULE, words, play(500, 20));
    right(play(501, 40));
}

#[test]
fn each_request_is_looked_at() {
    let words = "server 0 has kept second waiting for 3.9 s in Ask.Ask, and does not lead any more";
    wrong(RULE, words, |world| {
        let client = asked(world);
        let second = world.client("second");
        world.watch.asks(&second, append("k", "x 0 0 y"));
        sleep_ms(70);
        world.calls(&second, (0, 0));
        client.disconnect(world.groups[0].members(), &[0]);
        sleep_ms(100);
        hears(world, (1, 2), 41);
    });
}

#[test]
fn who_has_an_answer_from_elsewhere_does_not_wait() {
    right(|world| {
        world.commits(1, "something");
        let client = world.client("client");
        let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
        world.calls(&client, (0, 0));
        pause();
        // It gives that call up, and asks another server.
        world.watch.answered(operation, None);
        hears(world, (1, 2), 60);
    });
}

#[test]
fn who_has_an_answer_before_its_request_arrives_elsewhere_does_not_wait() {
    for goes_on in [false, true] {
        right(move |world| {
            world.commits(1, "something");
            let client = world.client("client");
            let operation = world.watch.asks(&client, append("k", "x 0 0 y"));
            world.net.set_travel(300_000, 300_000);
            world.calls(&client, (0, 0));
            world.net.set_travel(0, 0);
            world.watch.answered(operation, None);
            if goes_on {
                world.watch.asks(&client, get("l"));
            }
            sleep_ms(400);
            hears(world, (1, 2), 60);
        });
    }
}

#[test]
fn of_who_never_led_it_is_not_said_that_it_does_not_lead_any_more() {
    let words = "server 2 has kept client waiting for 4.0 s in Ask.Ask, and does not lead";
    wrong(RULE, words, |world| {
        world.commits(1, "something");
        world.sends((0, 0), 2, 1, (0, 0), &[], 0);
        let client = world.client("client");
        world.watch.asks(&client, get("k"));
        world.calls(&client, (0, 2));
        pause();
        for _ in 0..41 {
            world.sends((0, 1), 2, 2, (0, 0), &[], 0);
            sleep_ms(100);
        }
    });
}

#[test]
fn who_was_stopped_is_not_kept_waiting() {
    right(|world| {
        world.commits(1, "something");
        let client = world.client("client");
        let operation = world.watch.asks(&client, get("k"));
        world.calls(&client, (0, 0));
        drop(world.watch.waits(operation));
        hears(world, (1, 2), 60);
    });
}
