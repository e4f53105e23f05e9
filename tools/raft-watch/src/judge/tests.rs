//! The way of events through the rules.

use super::super::evidence::Newer;
use super::*;

const THREE: Place = Place { index: 3, term: 4 };

fn three() -> Judge {
    let mut judge = Judge::new(3);
    (0..3).for_each(|server| judge.started(server, 1));
    judge
}

/// A leader may say that it leads by a call without entries, or with a snapshot.
fn leads(term: u64) -> [Request<'static>; 2] {
    let (leader, part) = (Leader::Sender, None);
    let install = Install { term, leader, last: THREE, offset: 0, done: true, bytes: 10, part };
    [Request::Beat { term, leader, commit: Some(3), message: 0 }, Request::Install(install)]
}

/// What is broken when server 0 leads this term by its second instance.
fn broken_by(judge: &Judge, request: Request<'_>) -> Option<Box<Verdict>> {
    let mut judge = Judge { servers: judge.servers.clone(), ..three() };
    judge.elections.leaders.insert(5, (1, 0, super::super::elections::Claim::Sent));
    judge.reigns.committed = 3;
    let sent = Sent { call: 7, from: 0, instance: 1, to: 1, request, us: 5_000_000 };
    Means::with(&Missing::default(), |means| judge.sent(sent, means)).err()
}

#[track_caller]
fn assert_broken(judge: &Judge, term: u64, checks: [&str; 2]) {
    for (request, check) in leads(term).into_iter().zip(checks) {
        let words = format!("{request:?}");
        let broken = broken_by(judge, request).expect("a rule is broken");
        assert_eq!(broken.check, check, "{words}");
        assert!(broken.servers.contains(&0), "{words}: {broken:?}");
    }
}

#[test]
fn whatever_a_leader_sends_says_that_it_leads() {
    let mut judge = three();
    judge.servers[0].knows = 3;
    for request in leads(4) {
        assert!(broken_by(&judge, request).is_none());
    }
    assert_broken(&judge, 5, ["Election Safety"; 2]);
    judge.servers[0].newer = Some(Newer { term: 6, by: 1, us: 0 });
    assert_broken(&judge, 4, ["a newer term is taken over"; 2]);
    judge.servers[0].before.term = 7;
    assert_broken(&judge, 4, ["persistence: term"; 2]);
}

#[test]
fn whatever_a_leader_sends_says_no_more_than_it_can_know() {
    let mut judge = three();
    judge.servers[0].knows = 2;
    let checks = ["committed by a majority", "snapshots of what is committed"];
    assert_broken(&judge, 4, checks);
}

/// Server 0 leads term 4, and says to server 1 that three entries are committed.
fn tells_three() -> Judge {
    let mut judge = three();
    judge.reigns.led_by(0, 4);
    let append =
        Append { term: 4, prev: THREE, last: THREE, commit: 3, may_be_told_to_stand: false };
    let (from, to, request) = (0, 1, Request::Nothing);
    let sent = Sent { call: 7, from, instance: 1, to, request, us: 0 };
    judge.calls.insert(Call::new(&sent, 1, Asked::Append(append), 1));
    judge
}

fn reaches(judge: &mut Judge) {
    Means::with(&Missing::default(), |means| judge.delivered(7, 20, means));
}

fn answers(judge: &mut Judge, yes: bool) {
    let reply = Reply::new(4, yes, None);
    let missing = Missing::default();
    Means::with(&missing, |means| judge.replied(7, reply, 30, means)).expect("it is right");
}

#[test]
fn a_request_tells_from_when_it_comes_until_it_is_refused() {
    let mut judge = tells_three();
    judge.servers[1].snapshot_upto = 3;
    assert_eq!(judge.can_know(1), 0);
    reaches(&mut judge);
    assert_eq!((judge.can_know(1), judge.servers[1].heard_us), (3, Some(20)));
    answers(&mut judge, false);
    assert_eq!((judge.can_know(1), judge.servers[1].open), (0, 0));
}

/// The server repeats what it has said in an earlier term: that is no new promise. But the leader hears it only now.
#[test]
fn an_answer_that_is_given_again_says_what_it_said_the_first_time() {
    let mut judge = tells_three();
    judge.servers[0].promise(4, 0);
    judge.servers[1].snapshot_upto = 3;
    reaches(&mut judge);
    answers(&mut judge, true);
    let first = judge.calls.get(7).expect("it is open");
    judge.over(7, true, 40);
    assert_eq!(judge.servers[0].knows, 0);
    judge.servers[1].promise(5, 50);
    judge.calls.insert(Call { number: 8, delivered: None, answered: false, ..first });
    Means::with(&Missing::default(), |means| judge.delivered(8, 60, means));
    judge.answers_again(8, first);
    assert_eq!((judge.calls.open_at(1).count(), judge.servers[1].open), (0, 0));
    judge.over(8, false, 70);
    assert_eq!(judge.servers[0].knows, 3);
}

#[test]
fn what_comes_to_a_crashed_server_and_what_it_answers_does_not_count() {
    let accepted = |judge: &Judge| judge.reigns.of(4).expect("it leads").accepted[1].is_some();
    let mut judge = tells_three();
    judge.crashed(1);
    reaches(&mut judge);
    assert_eq!((judge.can_know(1), judge.servers[1].heard_us), (0, None));
    let mut judge = tells_three();
    judge.servers[1].snapshot_upto = 3;
    reaches(&mut judge);
    judge.crashed(1);
    answers(&mut judge, true);
    assert!(!accepted(&judge));
    // Alive it has accepted by that.
    let mut judge = tells_three();
    judge.servers[1].snapshot_upto = 3;
    reaches(&mut judge);
    answers(&mut judge, true);
    assert!(accepted(&judge));
}

#[test]
fn what_an_earlier_instance_had_not_answered_may_have_told_and_is_over() {
    let mut judge = tells_three();
    judge.servers[1].snapshot_upto = 3;
    reaches(&mut judge);
    judge.crashed(1);
    judge.started(1, 2);
    assert_eq!((judge.calls.open_at(1).count(), judge.servers[1].open), (0, 0));
    assert_eq!(judge.can_know(1), 3);
}

/// What is under way to a server that crashes comes to that one, and not to the one that takes its place.
#[test]
fn what_was_sent_to_an_earlier_instance_its_successor_does_not_hear() {
    let known = |judge: &Judge| {
        let server = &judge.servers[1];
        (server.heard_us, server.was_offered, server.appends, server.open, judge.can_know(1))
    };
    let offer = || {
        let (leader, part) = (Leader::Sender, None);
        Asked::Install(Install {
            term: 4,
            leader,
            last: THREE,
            offset: 0,
            done: true,
            bytes: 10,
            part,
        })
    };
    for (is_copy, is_snapshot) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut judge = tells_three();
        if let Some(call) = judge.calls.get_mut(7).filter(|_| is_snapshot) {
            call.asked = offer();
        }
        judge.servers[1].snapshot_upto = 3;
        judge.duplicated(7);
        judge.crashed(1);
        judge.started(1, 2);
        let number = if is_copy { judge.copy_arrives(7) } else { Some(7) };
        let number = number.expect("it is under way");
        Means::with(&Missing::default(), |means| judge.delivered(number, 20, means));
        let words = format!("a copy: {is_copy}, a snapshot: {is_snapshot}");
        assert_eq!(known(&judge), (None, None, 0, 0, 0), "{words}");
        assert_eq!(judge.calls.open_at(1).count(), 0, "{words}");
        // Nor does it answer it.
        let reply = Reply::new(4, true, None);
        let replied = |means: &mut Means<'_>| judge.replied(number, reply, 30, means);
        Means::with(&Missing::default(), replied).expect("it is nobody's word");
        assert_eq!(judge.servers[1].promised.term, 0);
    }
}

#[test]
fn a_server_that_crashes_in_a_pause_is_not_paused_any_more() {
    let mut judge = three();
    judge.paused(0, true, 5);
    assert!(judge.servers[0].paused);
    judge.crashed(0);
    judge.started(0, 2);
    assert!(!judge.servers[0].paused);
}

#[test]
fn what_an_earlier_instance_saves_does_not_count() {
    let size_after = |instance| {
        let mut judge = three();
        judge.started(0, 2);
        judge.servers[0].state_size = 5;
        let saves = |means: &mut Means<'_>| judge.saved(0, instance, 0, means);
        Means::with(&Missing::default(), saves).expect("there are no snapshots");
        judge.servers[0].state_size
    };
    // Nothing is saved at present.
    assert_eq!([1, 2].map(size_after), [5, 0]);
}
