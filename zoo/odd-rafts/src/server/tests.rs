//! That each habit shows: what a server says with it, and what it says without.

use std::time::Duration;

use labrt::rng::Stream;
use labrt::time::Instant;
use raft_api::{ApplyMsg, Bytes};

use super::Server;
use crate::durable::{Accepted, Durable};
use crate::habits::Habits;
use crate::log::Log;
use crate::message::{
    AppendReply, AppendRequest, Entry, Hint, Outcome, Place, Reply, Request, VoteReply, VoteRequest,
};

/// Longer than any timeout.
const LONG: Duration = Duration::from_secs(10);

pub(super) fn with(habit: &str) -> Habits {
    let mut habits = Habits::default();
    assert!(habits.add(habit), "there is a habit `{habit}`");
    habits
}

fn entries(terms: &[u64]) -> Vec<Entry> {
    terms.iter().map(|term| Entry { term: *term, command: Bytes::from_static(b"x") }).collect()
}

/// Server 0 of three, in `term`, with a log of these terms.
pub(super) fn server(habits: Habits, term: u64, terms: &[u64]) -> (Server, Instant) {
    let mut log = Log::default();
    log.store(0, &entries(terms));
    let durable = Durable { term, log, ..Durable::default() };
    restarted(habits, durable)
}

fn restarted(habits: Habits, durable: Durable) -> (Server, Instant) {
    let now = Instant::now();
    (Server::new((0, 3), habits, durable, now, Stream::seeded(1)), now)
}

pub(super) fn saved(server: &mut Server) -> Durable {
    while server.unsaved().is_some() {
        server.saved();
    }
    server.durable.clone()
}

/// The same server, elected in the term after `term` with the vote of server 1.
fn leader(habits: Habits, term: u64, terms: &[u64]) -> (Server, Instant) {
    let (mut server, began) = server(habits, term, terms);
    let now = began + LONG;
    for pre in [true, false] {
        if pre && !habits.pre_vote {
            continue;
        }
        let asked = server.tick(now);
        assert!(matches!(asked[0].1, Request::Vote(vote) if vote.pre == pre), "{asked:?}");
        let reply = VoteReply { term: term + u64::from(!pre), asked: term + 1, pre, granted: true };
        saved(&mut server);
        server.reply(1, &Reply::Vote(reply), now);
    }
    assert!(server.state().is_leader);
    (server, now)
}

/// What the leader sends to a server now.
fn sent(server: &mut Server, to: usize, now: Instant) -> AppendRequest {
    saved(server);
    server.append_if_due(to, now).expect("something is due")
}

/// A yes to a message.
pub(super) fn accept(server: &mut Server, from: usize, append: &AppendRequest, now: Instant) {
    let about = append.subject();
    let reply = AppendReply::read(append.term, about, about.outcome(true, None));
    server.reply(from, &Reply::Append(reply), now);
}

/// A message of server 1, which leads `term`.
fn append(term: u64, prev: (u64, u64), terms: &[u64], commit: u64) -> AppendRequest {
    let prev = Place { index: prev.0, term: prev.1 };
    AppendRequest { term, leader: 1, prev, entries: entries(terms), commit }
}

fn answer(server: &mut Server, request: AppendRequest, now: Instant) -> AppendReply {
    match server.request(&Request::Append(request), now) {
        Reply::Append(reply) => reply,
        other => panic!("{other:?} answers no AppendEntries"),
    }
}

fn answer_vote(server: &mut Server, term: u64, pre: bool, now: Instant) -> VoteReply {
    let last = Place { index: 9, term: 9 };
    let vote = VoteRequest { term, candidate: 2, last, pre };
    match server.request(&Request::Vote(vote), now) {
        Reply::Vote(reply) => reply,
        other => panic!("{other:?} answers no RequestVote"),
    }
}

fn place(append: &AppendRequest) -> (u64, usize) {
    (append.prev.index, append.entries.len())
}

#[test]
fn the_first_heartbeat_may_be_bare() {
    let (mut plain, now) = leader(Habits::default(), 1, &[1, 1]);
    assert_eq!(place(&sent(&mut plain, 1, now)), (2, 0));
    let (mut odd, now) = leader(with("bare_first_heartbeat"), 1, &[1, 1]);
    assert!(sent(&mut odd, 1, now).is_bare());
    assert_eq!(place(&sent(&mut odd, 1, now + LONG)), (2, 0));
}

#[test]
fn heartbeats_may_lack_prev_once_the_follower_is_known() {
    let (mut odd, now) = leader(with("heartbeats_without_prev"), 1, &[1, 1]);
    let probe = sent(&mut odd, 1, now);
    assert_eq!(place(&probe), (2, 0));
    accept(&mut odd, 1, &probe, now);
    assert!(sent(&mut odd, 1, now + LONG).is_bare());
    // The follower takes such a commit index as it is.
    let (mut follower, now) = server(with("heartbeats_without_prev"), 2, &[1, 1, 2]);
    answer(&mut follower, append(2, (0, 0), &[], 2), now);
    assert_eq!(follower.take_committed().len(), 2);
}

/// A leader of term 2 with three entries of it, which server 1 has and server 2 has not.
pub(super) fn committed(habits: Habits) -> (Server, Instant) {
    let (mut server, now) = leader(habits, 1, &[]);
    for _ in 0..3 {
        server.start(Bytes::from_static(b"x"), now).expect("it leads");
    }
    while let Some(append) = server.append_if_due(1, now + LONG) {
        saved(&mut server);
        accept(&mut server, 1, &append, now + LONG);
    }
    assert_eq!(server.commit, 3);
    (server, now + LONG)
}

#[test]
fn the_commit_index_may_be_capped_or_left_out() {
    let (mut plain, now) = committed(Habits::default());
    assert_eq!(sent(&mut plain, 2, now).commit, 3);
    let (mut capped, now) = committed(with("capped_commit"));
    assert_eq!(sent(&mut capped, 2, now).commit, 0);
    // Server 1 has all; it is told with the last entry once more, and then no more.
    let (mut odd, now) = committed(with("no_commit_without_entries"));
    let told = sent(&mut odd, 1, now + LONG);
    assert_eq!((place(&told), told.commit), ((2, 1), 3));
    accept(&mut odd, 1, &told, now + LONG);
    let idle = sent(&mut odd, 1, now + 2 * LONG);
    assert_eq!((place(&idle), idle.commit), ((3, 0), 0));
}

/// What a leader sends for three commands that come one by one, without an answer in between.
fn sends(habits: Habits) -> Vec<(u64, usize)> {
    let (mut server, now) = leader(habits, 1, &[]);
    let first = sent(&mut server, 1, now);
    accept(&mut server, 1, &first, now);
    let mut sent = Vec::new();
    for step in 1..=5 {
        let now = now + Duration::from_millis(6 * step);
        server.start(Bytes::from_static(b"x"), now).expect("it leads");
        saved(&mut server);
        sent.extend(server.append_if_due(1, now + super::BATCH).map(|append| place(&append)));
    }
    sent
}

#[test]
fn entries_are_sent_one_after_the_other_or_overlap() {
    assert_eq!(sends(Habits::default()), [(0, 1)]);
    assert_eq!(sends(with("pipelined")), [(0, 1), (1, 1), (2, 1)]);
    assert_eq!(sends(with("overlapping")), [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5)]);
    assert_eq!(sends(with("eager")), [(0, 1), (1, 1), (2, 1), (3, 1), (4, 1)]);
}

#[test]
fn eager_leaders_wait_for_no_other_command() {
    for (habits, due) in [(Habits::default(), false), (with("eager"), true)] {
        let (mut server, now) = leader(habits, 1, &[]);
        let first = sent(&mut server, 1, now);
        accept(&mut server, 1, &first, now);
        server.start(Bytes::from_static(b"x"), now).expect("it leads");
        assert_eq!(server.append_if_due(1, now).is_some(), due);
    }
}

#[test]
fn one_entry_goes_in_a_message() {
    let (mut odd, now) = leader(with("one_entry"), 1, &[]);
    for _ in 0..20 {
        odd.start(Bytes::from_static(b"x"), now).expect("it leads");
    }
    let sent: Vec<_> = (0..16).map(|_| place(&sent(&mut odd, 1, now))).collect();
    assert_eq!(sent, (0..16).map(|prev| (prev, 1)).collect::<Vec<_>>());
    assert!(odd.append_if_due(1, now).is_none(), "sixteen are on their way");
}

#[test]
fn a_leader_may_send_before_it_saves_and_counts_itself_after() {
    let (mut odd, now) = leader(with("parallel_disk_write"), 1, &[]);
    saved(&mut odd);
    odd.start(Bytes::from_static(b"x"), now).expect("it leads");
    assert!(odd.unsaved().is_none());
    let append = odd.append_if_due(1, now + super::BATCH).expect("it is sent");
    assert_eq!(place(&append), (0, 1));
    accept(&mut odd, 1, &append, now);
    assert_eq!(odd.commit, 0, "one of three has saved it");
    odd.tick(now + super::SLOW_DISK);
    assert!(odd.unsaved().is_some());
    odd.saved();
    assert_eq!(odd.commit, 1);
}

#[test]
fn an_entry_without_a_command_is_not_the_services() {
    let (mut odd, now) = leader(with("noop"), 1, &[]);
    let started = odd.start(Bytes::from_static(b"x"), now).expect("it leads");
    assert_eq!((started.index, odd.durable.log.last_index()), (1, 2));
    let append = sent(&mut odd, 1, now);
    accept(&mut odd, 1, &append, now);
    let command = Bytes::from_static(b"x");
    assert_eq!(odd.take_committed(), [ApplyMsg::Command { index: 1, command }]);
}

#[test]
fn a_leader_that_hears_nobody_may_step_down() {
    for (habits, leads) in [(Habits::default(), true), (with("check_quorum"), false)] {
        let (mut server, now) = leader(habits, 1, &[]);
        server.tick(now + LONG);
        assert_eq!(server.state().is_leader, leads);
        assert_eq!(server.state().term, 2);
    }
}

#[test]
fn a_leader_may_hand_over_once_when_it_has_nothing_to_do() {
    let mut habits = with("leadership_transfer");
    habits.pre_vote = true;
    let (mut odd, elected) = leader(habits, 1, &[]);
    let later = elected + 2 * super::transfer::REIGN;
    odd.start(Bytes::from_static(b"x"), later).expect("it leads");
    let message = sent(&mut odd, 1, later);
    accept(&mut odd, 1, &message, later);
    let offer = |odd: &mut Server, now| match odd.request_if_due(1, now) {
        Some(Request::TimeoutNow(asked)) => Some(asked),
        _ => None,
    };
    assert_eq!(offer(&mut odd, later + super::HEARTBEAT), None, "a command has just come");
    assert_eq!(offer(&mut odd, later + LONG), None, "server 2 lacks it");
    let message = sent(&mut odd, 2, later + LONG);
    accept(&mut odd, 2, &message, later + LONG);
    let asked = offer(&mut odd, later + 2 * LONG).expect("all have all entries");
    assert_eq!((asked.term, asked.leader), (2, 0));
    assert_eq!(offer(&mut odd, later + 3 * LONG), None);

    let (mut follower, now) = server(habits, 2, &[]);
    answer(&mut follower, append(2, (0, 0), &[], 0), now);
    assert!(follower.tick(now).is_empty());
    follower.request(&Request::TimeoutNow(asked), now);
    let votes = follower.tick(now);
    assert!(matches!(votes[0].1, Request::Vote(vote) if !vote.pre && vote.term == 3), "{votes:?}");
    // The same once more, or from a term that is over.
    follower.request(&Request::TimeoutNow(asked), now);
    assert!(follower.tick(now).is_empty());
}

#[test]
fn a_conflicting_tail_is_cut_at_the_conflict_or_at_the_refusal() {
    for (habits, rest) in [(Habits::default(), 4), (with("cut_on_refusal"), 2)] {
        let (mut follower, now) = server(habits, 3, &[1, 1, 2, 2]);
        let reply = answer(&mut follower, append(3, (3, 3), &[3], 0), now);
        let hint = Some(Hint { term: Some(2), index: 3 });
        assert_eq!(reply.outcome, Outcome::Refused { hint });
        assert_eq!(follower.durable.log.last_index(), rest);
        assert_eq!(reply.log_end, rest);
    }
}

#[test]
fn old_requests_may_be_refused() {
    for (habits, yes) in [(Habits::default(), true), (with("old_requests_refused"), false)] {
        let (mut follower, now) = server(habits, 2, &[]);
        assert!(answer(&mut follower, append(2, (0, 0), &[2, 2], 0), now).is_yes());
        assert!(answer(&mut follower, append(2, (0, 0), &[2, 2], 0), now).is_yes());
        let old = answer(&mut follower, append(2, (0, 0), &[2], 0), now);
        assert_eq!(old.is_yes(), yes);
        // In a later term it is nothing of the kind.
        assert!(answer(&mut follower, append(3, (0, 0), &[2], 0), now).is_yes());
    }
}

#[test]
fn a_part_of_the_entries_may_be_accepted() {
    for (habits, upto) in [(Habits::default(), 3), (with("partial_acceptance"), 2)] {
        let (mut follower, now) = server(habits, 2, &[]);
        let reply = answer(&mut follower, append(2, (0, 0), &[2, 2, 2], 3), now);
        assert_eq!(reply.outcome, Outcome::Accepted { upto });
        assert_eq!((follower.durable.log.last_index(), follower.commit), (upto, upto));
    }
}

#[test]
fn the_commit_index_may_survive_a_restart() {
    for (habits, applied) in [(Habits::default(), 0), (with("commit_persisted"), 2)] {
        let (mut follower, now) = server(habits, 2, &[]);
        answer(&mut follower, append(2, (0, 0), &[2, 2], 2), now);
        let (mut again, _) = restarted(habits, saved(&mut follower));
        assert_eq!(again.take_committed().len(), applied);
    }
}

#[test]
fn a_pre_vote_changes_nothing() {
    let (mut voter, now) = server(with("pre_vote"), 2, &[]);
    let reply = answer_vote(&mut voter, 3, true, now);
    assert_eq!(reply, VoteReply { term: 2, asked: 3, pre: true, granted: true });
    assert_eq!((voter.state().term, voter.durable.voted_for), (2, None));
    // The candidate takes over no term from a yes, and then asks for votes.
    let (candidate, _) = leader(with("pre_vote"), 1, &[]);
    assert_eq!(candidate.state().term, 2);
    let mut habits = with("pre_vote_reply_next_term");
    habits.pre_vote = true;
    let (mut voter, now) = server(habits, 2, &[]);
    assert_eq!(answer_vote(&mut voter, 3, true, now).term, 3);
}

#[test]
fn who_hears_a_leader_may_refuse_its_vote_and_stay_in_its_term() {
    for (habits, term) in [(Habits::default(), 3), (with("leader_stickiness"), 2)] {
        let (mut voter, now) = server(habits, 2, &[]);
        answer(&mut voter, append(2, (0, 0), &[], 0), now);
        let reply = answer_vote(&mut voter, 3, false, now);
        assert_eq!((reply.term, reply.granted), (term, term == 3));
        assert!(answer_vote(&mut voter, 4, false, now + LONG).granted);
    }
}

#[test]
fn replies_may_show_another_term() {
    let terms = |habits: Habits| {
        let (mut server, now) = server(habits, 5, &[]);
        let stale = answer_vote(&mut server, 4, false, now).term;
        (stale, answer(&mut server, append(5, (0, 0), &[], 0), now).term)
    };
    assert_eq!(terms(Habits::default()), (5, 5));
    assert_eq!(terms(with("replies_echo_term")), (4, 5));
    assert_eq!(terms(with("success_with_term_0")), (5, 0));
}

#[test]
fn a_restarted_server_may_repeat_what_it_has_promised() {
    let accepted = Some(Accepted { leader: 1, term: 2, upto: 0 });
    let durable = Durable { term: 2, voted_for: Some(2), accepted, ..Durable::default() };
    let (silent, _) = restarted(Habits::default(), durable.clone());
    assert!(silent.last_words().is_empty());
    let (odd, _) = restarted(with("replies_after_restart"), durable);
    let to: Vec<usize> = odd.last_words().iter().map(|(to, _)| *to).collect();
    assert_eq!(to, [2, 1]);
}
