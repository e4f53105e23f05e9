//! What is known of the servers at each moment of a run.

mod scripted;

use run_record::trace::{Role, Trace, What};
use scripted::Script;
use serde_json::{Value, json};
use trace_view::replay::Replay;

#[test]
fn roles_terms_votes_and_logs_are_known_at_each_moment() {
    let trace = scripted::small();
    let mut replay = Replay::new(&trace);
    assert!(!replay.servers()[1].up && replay.network().is_none());
    replay.run_to(0);
    assert!(replay.servers().iter().all(|server| server.reachable()));
    assert!(replay.network().is_some_and(|network| network.reliable && network.long_delays));
    replay.run_to(400_000);
    let terms: Vec<_> = replay.servers().iter().map(|s| (s.role, s.term, s.vote)).collect();
    assert_eq!(terms[1], (Some(Role::Leader), Some(1), Some(1)));
    assert_eq!(terms[2], (Some(Role::Follower), Some(1), Some(1)));
    assert_eq!(replay.servers()[1].log.last(), 0);
    replay.run_to(800_000);
    let cut = &replay.servers()[1];
    assert!(cut.leads() && !cut.reachable());
    let entries: Vec<_> =
        cut.log.entries().map(|(index, entry)| (index, entry.term, entry.command)).collect();
    assert_eq!(entries, [(1, Some(1), "101"), (2, Some(1), "102")]);
    assert_eq!((cut.commit, cut.applied), (Some(1), 1));
    replay.run_to(u64::MAX);
    assert_eq!(replay.servers()[1].log.get(2).map(|entry| entry.command), Some("103"));
    assert_eq!(replay.position(), trace.events.len());
    assert_eq!((replay.peek(), replay.step()), (None, None));
}

#[test]
fn calls_are_known_from_their_sending_on() {
    let trace = scripted::small();
    let mut replay = Replay::new(&trace);
    while let Some(event) = replay.step() {
        if let What::Returned { call } = &event.what {
            let call = replay.call(*call).expect("it was sent");
            assert_eq!(call.from, event.lane);
            assert!(call.sent_us <= event.us && call.method.starts_with("Raft."));
            assert!(call.args.is_object() && call.reply.is_some_and(|reply| reply.is_object()));
        }
    }
    assert!(replay.call(0).is_none());
}

#[test]
fn a_crash_takes_what_is_not_saved() {
    let mut script = Script::new(3).begin();
    script.campaign(0);
    script.offer(0, "x");
    script.lead(0, 110);
    script.crash(0);
    script.wait(100);
    script.start(0);
    script.connect(0);
    let trace = script.passed();
    let mut replay = Replay::new(&trace);
    replay.run_to(150_000);
    let crashed = &replay.servers()[0];
    assert!(!crashed.up && !crashed.connected && !crashed.leads());
    assert_eq!((crashed.role, crashed.term, crashed.log.last()), (None, Some(1), 1));
    replay.run_to(u64::MAX);
    let back = &replay.servers()[0];
    assert!(back.reachable());
    assert_eq!((back.role, back.term, back.applied), (Some(Role::Follower), Some(1), 0));
}

#[test]
fn what_is_not_reported_is_inferred() {
    let mut script = Script::new(3);
    script.reports = false;
    script = script.begin();
    script.campaign(0);
    script.offer(0, "x");
    script.lead(0, 220);
    let trace = script.passed();
    let mut replay = Replay::new(&trace);
    replay.run_to(u64::MAX);
    let server = &replay.servers()[2];
    assert!(!server.reports && server.commit.is_none());
    assert_eq!((server.role, server.term, server.applied), (Some(Role::Follower), Some(1), 1));
    let entry = server.log.get(1).expect("it is applied");
    assert_eq!((entry.term, entry.command), (Some(1), "x"));
}

#[test]
fn spans_are_known_while_they_last() {
    let mut script = Script::new(1).begin();
    let outer = script.span("round 1");
    script.wait(5);
    let inner = script.span("one(1)");
    script.end(inner, "index 1");
    script.wait(5);
    script.end(outer, "done");
    let trace = script.passed();
    let mut replay = Replay::new(&trace);
    let mut most = 0;
    while replay.step().is_some() {
        most = most.max(replay.spans().count());
    }
    assert_eq!((most, replay.spans().count()), (2, 0));
    assert!(replay.span(outer).is_none());
}

#[test]
fn of_a_trace_that_lost_its_beginning_servers_are_taken_to_run() {
    let mut trace = scripted::small();
    trace.events.drain(..100);
    let replay = Replay::new(&trace);
    assert!(replay.servers().iter().all(|server| server.reachable() && server.term.is_none()));
    let entire = scripted::small();
    assert!(Replay::new(&entire).servers().iter().all(|server| !server.up));
}

/// Messages of servers that do not say what they have. A reply may follow.
fn messages(of: &[(usize, What)]) -> Trace {
    let mut script = Script::new(3);
    script.reports = false;
    script = script.begin();
    of.iter().for_each(|(lane, what)| script.event(Some(*lane), what.clone()));
    script.passed()
}

fn sent(call: u64, method: &str, args: Value) -> What {
    What::Sent { call, to: 1, method: format!("Raft.{method}"), args, bytes: 1 }
}

fn replied(call: u64, reply: Value) -> What {
    What::Replied { call, reply, bytes: 1 }
}

fn offered(command: &str, index: u64, term: u64) -> What {
    What::Offered { command: command.into(), index: Some(index), term: Some(term) }
}

/// Index, term and command of the entries of a server's log, in the end.
fn entries(trace: &Trace, server: usize) -> Vec<(u64, Option<u64>, &str)> {
    let mut replay = Replay::new(trace);
    replay.run_to(u64::MAX);
    let entries = replay.servers()[server].log.entries();
    entries.map(|(index, entry)| (index, entry.term, entry.command)).collect()
}

#[test]
fn indexes_that_count_from_0_are_those_of_the_service_in_logs() {
    // -1 as a number of either kind.
    for none in [json!(-1), json!(u64::MAX)] {
        let vote = json!({"term": 1, "last_log_index": none, "last_log_term": 0});
        let first = json!({
            "term": 1, "prev_log_index": none, "prev_log_term": 0,
            "entries": [{"term": 1, "command": "101"}]
        });
        let second = json!({
            "term": 2, "prev_log_index": 0, "prev_log_term": 1,
            "entries": [{"term": 2, "command": "102"}]
        });
        let yes = json!({"term": 2, "success": true});
        let trace = messages(&[
            (0, sent(1, "RequestVote", vote)),
            (0, offered("101", 1, 1)),
            (0, sent(2, "AppendEntries", first)),
            (1, replied(2, yes.clone())),
            (0, offered("102", 2, 2)),
            (0, sent(3, "AppendEntries", second)),
            (1, replied(3, yes)),
        ]);
        for server in [0, 1] {
            assert_eq!(entries(&trace, server), [(1, Some(1), "101"), (2, Some(2), "102")]);
        }
    }
}

#[test]
fn a_yes_to_a_part_of_the_entries_is_one_to_that_part() {
    let command = |index: u64| json!({"term": 3, "command": index.to_string()});
    let args = json!({
        "term": 3, "prev_log_index": 4, "prev_log_term": 3,
        "entries": (5..9).map(command).collect::<Vec<_>>()
    });
    let has = |reply: Value| {
        let trace =
            messages(&[(0, sent(1, "AppendEntries", args.clone())), (1, replied(1, reply))]);
        entries(&trace, 1).len()
    };
    assert_eq!(has(json!({"term": 3, "success": true})), 4);
    assert_eq!(has(json!({"term": 3, "success": true, "match_index": 6})), 2);
    assert_eq!(has(json!({"term": 3, "success": true, "match_index": 8, "flushed": 5})), 1);
    // A number that is for refusals, and one that says more than was asked.
    assert_eq!(has(json!({"term": 3, "success": true, "match_index": 0})), 4);
    assert_eq!(has(json!({"term": 3, "success": true, "match_index": 99})), 4);
}

/// The base of each server's log, its last index, and what it has applied.
fn logs(replay: &Replay<'_>) -> Vec<(u64, u64, u64)> {
    let of = |server: &trace_view::replay::Server<'_>| {
        (server.log.base(), server.log.last(), server.applied)
    };
    replay.servers().iter().map(of).collect()
}

#[test]
fn a_log_begins_behind_its_snapshot() {
    for reports in [true, false] {
        let trace = scripted::snapshots(reports);
        let mut replay = Replay::new(&trace);
        let is_taken = |what: &What| matches!(what, What::Snapshot { .. });
        while replay.step().is_some_and(|event| !is_taken(&event.what)) {}
        replay.run_to(replay.us());
        assert_eq!(logs(&replay), [(2, 3, 3), (0, 3, 3), (0, 0, 0)], "{reports}");
        let log = &replay.servers()[0].log;
        assert_eq!((log.base_term(), log.get(2)), (Some(1), None));
        assert_eq!(log.get(3).map(|entry| entry.command), Some("103"));
        replay.run_to(u64::MAX);
        assert_eq!(logs(&replay), [(2, 3, 3), (0, 3, 3), (2, 2, 2)], "{reports}");
    }
}
