//! That the habits of snapshots show.

use std::time::Duration;

use labrt::time::Instant;
use raft_api::{ApplyMsg, Bytes};

use super::Server;
use super::tests::{accept, committed, saved, server, with};
use crate::habits::Habits;
use crate::message::{InstallReply, InstallRequest, Place, Reply, Request};

const LONG: Duration = Duration::from_secs(10);

/// A leader that has forgotten its three entries, of which server 2 has none.
fn forgetful(habits: Habits) -> (Server, Instant) {
    let (mut server, now) = committed(habits);
    assert_eq!(server.take_committed().len(), 3);
    server.take_snapshot(3, Bytes::from(vec![7; 2500]));
    saved(&mut server);
    (server, now + LONG)
}

fn install(server: &mut Server, now: Instant) -> InstallRequest {
    match server.request_if_due(2, now) {
        Some(Request::Install(install)) => install,
        other => panic!("{other:?} is no InstallSnapshot"),
    }
}

fn answer(server: &mut Server, asked: &InstallRequest, taken: bool, now: Instant) {
    let reply = InstallReply { term: asked.term, about: asked.subject(), taken };
    server.reply(2, &Reply::Install(reply), now);
}

#[test]
fn one_snapshot_is_on_its_way_at_a_time() {
    let (mut plain, now) = forgetful(Habits::default());
    let whole = install(&mut plain, now);
    assert_eq!((whole.last, whole.data.len()), (Place { index: 3, term: 2 }, 2500));
    assert!(whole.done);
    let soon = now + Duration::from_millis(200);
    assert!(matches!(plain.request_if_due(2, soon), Some(Request::Append(_))));
    assert_eq!(install(&mut plain, now + LONG), whole);
    answer(&mut plain, &whole, true, now + LONG);
    assert_eq!(plain.request_if_due(2, now + LONG), None, "the follower has all");
    let next = plain.request_if_due(2, now + 2 * LONG);
    assert!(matches!(next, Some(Request::Append(append)) if append.prev == whole.last));

    let (mut odd, now) = forgetful(with("snapshot_each_heartbeat"));
    let whole = install(&mut odd, now);
    assert_eq!(install(&mut odd, now + Duration::from_millis(200)), whole);
}

#[test]
fn an_answer_alone_is_no_reason_to_send() {
    let (mut leader, now) = forgetful(with("eager"));
    let first = install(&mut leader, now);
    // The service takes another snapshot while the first one is on its way, and needs to be sent.
    leader.start(Bytes::from_static(b"x"), now).expect("it leads");
    let append = leader.append_if_due(1, now).expect("it is sent at once");
    saved(&mut leader);
    accept(&mut leader, 1, &append, now);
    assert_eq!(leader.take_committed().len(), 1);
    leader.take_snapshot(4, Bytes::from(vec![8; 2500]));
    saved(&mut leader);
    let later = install(&mut leader, now + LONG);
    assert_eq!((first.last.index, later.last.index), (3, 4));
    // The follower has the first one now. The later one is on its way: nothing else is to be said.
    let soon = now + LONG;
    answer(&mut leader, &first, true, soon);
    assert_eq!(leader.request_if_due(2, soon), None);
    answer(&mut leader, &later, true, soon);
    for late in [&first, &later] {
        answer(&mut leader, late, true, soon);
        assert_eq!(leader.request_if_due(2, soon), None, "a late answer to {late:?}");
    }
}

#[test]
fn a_snapshot_may_come_in_parts() {
    let (mut odd, now) = forgetful(with("chunked_snapshots"));
    let mut parts = Vec::new();
    while parts.last().is_none_or(|part: &InstallRequest| !part.done) {
        let part = install(&mut odd, now);
        answer(&mut odd, &part, true, now);
        parts.push(part);
    }
    let ends: Vec<_> = parts.iter().map(|part| part.subject().end).collect();
    assert_eq!(ends, [1000, 2000, 2500]);

    let (mut follower, now) = server(Habits::default(), 2, &[1]);
    let mut takes =
        |part: usize| match follower.request(&Request::Install(parts[part].clone()), now) {
            Reply::Install(reply) => reply.taken,
            other => panic!("{other:?} answers no InstallSnapshot"),
        };
    // One that lacks those before is refused; one that comes again is not.
    assert_eq!([takes(1), takes(0), takes(0), takes(2)], [false, true, true, false]);
    assert_eq!([takes(1), takes(1), takes(2), takes(2)], [true; 4]);
    let snapshot = Bytes::from(vec![7; 2500]);
    let installed = ApplyMsg::Snapshot { index: 3, term: 2, snapshot };
    assert_eq!(follower.take_committed(), [installed]);
    assert_eq!(saved(&mut follower).log.base(), Place { index: 3, term: 2 });
}

#[test]
fn entries_may_be_kept_behind_a_snapshot() {
    let (mut odd, now) = forgetful(with("entries_kept"));
    assert_eq!(saved(&mut odd).log.base(), Place::default());
    assert_eq!(saved(&mut odd).covered.index, 3);
    assert!(matches!(odd.request_if_due(2, now), Some(Request::Append(_))));
}

#[test]
fn entries_behind_a_snapshot_stay() {
    let (odd, _) = forgetful(Habits::default());
    let last = Place { index: 2, term: 1 };
    let (mut follower, now) = server(Habits::default(), 2, &[1, 1, 2]);
    let data = odd.snapshot.clone();
    let request =
        InstallRequest { term: 2, leader: 1, last, commands: 2, offset: 0, data, done: true };
    follower.request(&Request::Install(request), now);
    let log = saved(&mut follower).log;
    assert_eq!((log.base(), log.last_index()), (last, 3));
}
