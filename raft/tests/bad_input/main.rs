//! Messages that no correct server sends: nothing panics, and nothing is believed.
//!
//! A network may bring anything, and a server of another version, with a bug or with a damaged disk
//! may say anything. Each case compares the whole core before and after.

#[path = "../common/mod.rs"]
mod common;
mod random;
mod snapshots;

use raft::rules::{Core, MAX_LEAP, Output, Progress, Request, Role, Ticket, Unsaved, Warning};
use raft::storage::Storage;
use raft::{AppendEntriesArgs, AppendEntriesReply, Conflict, Place, RequestVoteReply};

use common::{append, core, core_behind, entry, log_behind, request_vote, terms};

/// Terms that a cluster in term 6 cannot come to.
const OUT_OF_REACH: [u64; 3] = [6 + MAX_LEAP + 1, u64::MAX / 2, u64::MAX];

fn elect(core: &mut Core) {
    core.election_timeout();
    let term = core.term();
    for peer in [1, 2] {
        core.vote_reply(peer, term, &RequestVoteReply { term, vote_granted: true });
    }
}

/// Server 0 of 3 in term 6, in each role, with a log of the terms 1 1 4 4 and, but for the
/// candidate, up to index 2 committed.
fn cores() -> [Core; 3] {
    let mut follower = core(0, 3, 6, &[1, 1, 4, 4]);
    follower.append_entries(&append(6, 1, (4, 4), &[], 2));
    let mut candidate = core(0, 3, 5, &[1, 1, 4, 4]);
    candidate.election_timeout();
    let mut leader = core(0, 3, 5, &[1, 1, 4, 4]);
    leader.append_entries(&append(5, 1, (4, 4), &[], 2));
    elect(&mut leader);
    let mut cores = [follower, candidate, leader];
    cores.iter_mut().for_each(|core| drop(end_round(core)));
    assert!(cores.iter().all(|core| core.term() == 6));
    assert!(cores[2].is_leader());
    cores
}

/// Sends what is due, and takes what is to be done.
fn end_round(core: &mut Core) -> Output {
    core.replicate();
    core.take_output()
}

/// All that outlives an event, but for the timers.
fn state(core: &Core) -> String {
    format!("{:?} {:?} {} {:?}", core.hard_state(), core.log(), core.commit_index(), core.role())
}

fn refuses_entries(args: &AppendEntriesArgs) {
    for mut core in cores() {
        let before = format!("{core:?}");
        let reply = core.append_entries(args);
        assert_eq!(reply, AppendEntriesReply { term: 6, success: false, conflict: None });
        assert_eq!(format!("{core:?}"), before, "after {args:?}");
    }
}

fn refuses_vote(term: u64, candidate: u32, last: (u64, u64)) {
    for mut core in cores() {
        let before = format!("{core:?}");
        let reply = core.request_vote(&request_vote(term, candidate, last));
        assert_eq!(reply, RequestVoteReply { term: 6, vote_granted: false });
        assert_eq!(format!("{core:?}"), before, "after term {term} of {candidate}, {last:?}");
    }
}

#[test]
fn a_request_of_who_is_no_peer_changes_nothing() {
    for sender in [0, 3, 4, u32::MAX] {
        for term in [6, 7] {
            refuses_entries(&append(term, sender, (4, 4), &[6], 4));
            refuses_vote(term, sender, (9, 5));
        }
    }
}

/// The core has done nothing but warn, once, of the term that server 1 claims.
fn has_only_warned(core: &mut Core, term: u64) {
    let warning = Warning::TermOutOfReach { from: 1, term, ours: 6 };
    assert_eq!(end_round(core), Output { warnings: vec![warning], ..Output::default() });
    let words = warning.to_string();
    for part in ["server 1", &format!("term {term}"), "since term 6", "remove it"] {
        assert!(words.contains(part), "`{part}` is not in: {words}");
    }
}

#[test]
fn a_request_of_a_term_out_of_reach_changes_nothing_and_is_warned_of_once() {
    for term in OUT_OF_REACH {
        for mut core in cores() {
            let before = state(&core);
            let mut asked = core.clone();
            for _ in 0..3 {
                let reply = core.append_entries(&append(term, 1, (4, 4), &[6], 4));
                assert_eq!(reply, AppendEntriesReply { term: 6, success: false, conflict: None });
                let reply = asked.request_vote(&request_vote(term, 1, (9, 5)));
                assert_eq!(reply, RequestVoteReply { term: 6, vote_granted: false });
            }
            for mut core in [core, asked] {
                assert_eq!(state(&core), before);
                has_only_warned(&mut core, term);
            }
        }
    }
}

/// Whatever one message claims, a majority that has heard it elects a leader of a later term.
#[test]
fn no_single_message_ends_elections() {
    for term in [6, 7, 6 + MAX_LEAP].into_iter().chain(OUT_OF_REACH) {
        for mut core in cores() {
            core.request_vote(&request_vote(term, 1, (9, 5)));
            core.append_entries(&append(term, 1, (4, 4), &[], 4));
            core.append_entries(&append(core.term() + 1, 2, (4, 4), &[], 4));
            let before = core.term();
            elect(&mut core);
            assert!(core.is_leader() && core.term() == before + 1, "after term {term}");
        }
    }
}

#[test]
fn a_server_in_the_last_term_says_that_it_cannot_stand_for_election() {
    let mut core = core(0, 3, u64::MAX, &[1, 1]);
    let before = state(&core);
    let mut warnings = Vec::new();
    for _ in 0..3 {
        core.election_timeout();
        let output = end_round(&mut core);
        assert!(output.reset_election_timer && output.requests.is_empty());
        warnings.extend(output.warnings);
    }
    assert_eq!((state(&core), warnings), (before, vec![Warning::NoLaterTerm]));
    // It follows whom others have elected, and that is all that is left.
    assert!(core.append_entries(&append(u64::MAX, 1, (2, 1), &[u64::MAX], 3)).success);
    assert_eq!(core.commit_index(), 3);
}

#[test]
fn a_request_whose_indexes_overflow_changes_nothing() {
    for term in [6, 7] {
        refuses_entries(&append(term, 1, (u64::MAX, 4), &[], 4));
        refuses_entries(&append(term, 1, (u64::MAX, 4), &[6], 4));
        refuses_entries(&append(term, 1, (u64::MAX - 1, 4), &[6], 4));
        refuses_entries(&append(term, 1, (u64::MAX - 2, 4), &[6, 6], u64::MAX));
    }
}

#[test]
fn entries_in_an_impossible_order_of_terms_change_nothing() {
    for term in [6, 7] {
        // They decrease, from one entry to the next or from prevLogTerm on.
        refuses_entries(&append(term, 1, (4, 4), &[6, 5], 4));
        refuses_entries(&append(term, 1, (4, 4), &[3], 4));
        // They are later than the leader's.
        refuses_entries(&append(term, 1, (4, 4), &[term, term + 1], 4));
        refuses_entries(&append(term, 1, (4, 4), &[u64::MAX], 4));
        refuses_entries(&append(term, 1, (4, term + 1), &[], 4));
        // Term 0 is the place before the first entry.
        refuses_entries(&append(term, 1, (0, 0), &[0, 1], 4));
        refuses_entries(&append(term, 1, (0, 1), &[1], 4));
    }
    // Who has forgotten its first entries knows that too.
    for prev_term in [1, 4] {
        let mut core = core_behind(Place { index: 3, term: 4 }, 0, 3, 6, &[4]);
        let before = format!("{core:?}");
        let reply = core.append_entries(&append(6, 1, (0, prev_term), &[4, 4, 4, 4], 4));
        assert_eq!(reply, AppendEntriesReply { term: 6, success: false, conflict: None });
        assert_eq!(format!("{core:?}"), before);
    }
}

#[test]
fn a_vote_for_a_log_from_the_future_is_refused() {
    // A candidate's entries are of terms before its candidacy.
    for last in [(9, 7), (9, 8), (9, u64::MAX), (u64::MAX, u64::MAX - 1)] {
        refuses_vote(7, 1, last);
    }
    // The latest term that it can have.
    let [mut core, ..] = cores();
    assert!(core.request_vote(&request_vote(7, 1, (9, 6))).vote_granted);
}

#[test]
fn a_second_leader_of_the_leaders_own_term_is_not_believed() {
    let [_, _, mut leader] = cores();
    for args in [
        append(6, 1, (4, 4), &[], 4),
        append(6, 1, (4, 4), &[6], 9),
        append(6, 2, (2, 1), &[6], 2),
        append(6, 2, (8, 6), &[], 2),
    ] {
        let before = format!("{leader:?}");
        let reply = leader.append_entries(&args);
        assert_eq!(reply, AppendEntriesReply { term: 6, success: false, conflict: None });
        assert_eq!(format!("{leader:?}"), before);
    }
}

#[test]
fn committed_entries_are_never_overwritten() {
    for args in [
        append(6, 1, (0, 0), &[2], 0),
        append(6, 1, (0, 0), &[1, 2, 2, 2, 2], 5),
        append(6, 1, (1, 1), &[6], 2),
        append(6, 1, (1, 2), &[6], 2),
        append(6, 1, (2, 4), &[6], 3),
    ] {
        let [mut core, ..] = cores();
        let before = state(&core);
        assert!(!core.append_entries(&args).success, "{args:?}");
        assert_eq!(state(&core), before);
        assert!(core.take_output().unsaved.is_empty());
    }
    // Nor does such a message bring a later term: it is not a Raft's.
    let [follower, _, leader] = cores();
    for mut core in [follower, leader] {
        let before = format!("{core:?}");
        let reply = core.append_entries(&append(7, 1, (1, 1), &[6], 2));
        assert_eq!(reply, AppendEntriesReply { term: 6, success: false, conflict: None });
        assert_eq!(format!("{core:?}"), before);
    }
    // Behind them is another matter.
    let [mut core, ..] = cores();
    assert!(core.append_entries(&append(6, 1, (1, 1), &[1, 6], 2)).success);
    assert_eq!(terms(core.log()), [1, 1, 6]);
}

#[test]
fn a_commit_index_beyond_everything_commits_what_is_there() {
    let [mut core, ..] = cores();
    assert!(core.append_entries(&append(6, 1, (4, 4), &[6], u64::MAX)).success);
    assert_eq!(core.commit_index(), 5);
}

#[test]
fn a_log_that_ends_beyond_everything_may_win_and_harms_nobody() {
    let [mut core, ..] = cores();
    assert!(core.request_vote(&request_vote(7, 1, (u64::MAX, 5))).vote_granted);
    assert_eq!((terms(core.log()), core.commit_index()), (vec![1, 1, 4, 4], 2));
}

/// A leader's log and its AppendEntries to server 1 that starts at `next`.
fn leader_at(next: u64) -> (Core, Ticket) {
    let [_, _, mut core] = cores();
    let ticket = last_ticket(&mut core);
    if next > 4 {
        return (core, ticket);
    }
    let conflict = Some(Conflict { term: None, index: next });
    core.append_reply(1, ticket, &AppendEntriesReply { term: 6, success: false, conflict });
    let output = end_round(&mut core);
    let (_, args, ticket) = appends(&output).next().expect("the leader retries");
    assert_eq!(args.prev_log_index + 1, next);
    (core, ticket)
}

/// What was last sent to server 1, sent once more.
fn last_ticket(core: &mut Core) -> Ticket {
    core.heartbeat_timeout();
    let output = end_round(core);
    appends(&output).find(|(to, ..)| *to == 1).expect("a heartbeat").2
}

fn appends(output: &Output) -> impl Iterator<Item = (usize, &AppendEntriesArgs, Ticket)> {
    output.requests.iter().filter_map(|(to, request)| match request {
        Request::Append(args, ticket) => Some((*to, args, *ticket)),
        Request::Vote(_) | Request::Install(..) | Request::Confirm(..) => None,
    })
}

fn progress(core: &Core) -> &Progress {
    match core.role() {
        Role::Leader { progress, .. } => &progress[1],
        role => panic!("not a leader but a {role:?}"),
    }
}

#[test]
fn replies_of_who_is_no_peer_change_nothing() {
    let (leader, ticket) = leader_at(5);
    let [_, candidate, _] = cores();
    for sender in [0, 3, 4, usize::MAX] {
        for term in [6, 7] {
            let mut candidate = candidate.clone();
            let before = format!("{candidate:?}");
            candidate.vote_reply(sender, 6, &RequestVoteReply { term, vote_granted: true });
            assert_eq!(format!("{candidate:?}"), before);
            for success in [true, false] {
                let mut leader = leader.clone();
                let before = format!("{leader:?}");
                let conflict = (!success).then_some(Conflict { term: None, index: 1 });
                leader.append_reply(
                    sender,
                    ticket,
                    &AppendEntriesReply { term, success, conflict },
                );
                leader.append_failed(sender, ticket);
                assert_eq!(format!("{leader:?}"), before);
            }
        }
    }
}

#[test]
fn replies_of_a_term_out_of_reach_change_nothing_and_are_warned_of_once() {
    for term in OUT_OF_REACH {
        let [_, mut candidate, _] = cores();
        let before = state(&candidate);
        candidate.vote_reply(1, 6, &RequestVoteReply { term, vote_granted: true });
        candidate.vote_reply(1, term, &RequestVoteReply { term, vote_granted: true });
        assert_eq!(state(&candidate), before);
        has_only_warned(&mut candidate, term);
        let (mut leader, ticket) = leader_at(5);
        let before = state(&leader);
        for success in [true, false] {
            leader.append_reply(1, ticket, &AppendEntriesReply { term, success, conflict: None });
        }
        assert_eq!(state(&leader), before);
        has_only_warned(&mut leader, term);
    }
}

#[test]
fn a_reply_of_an_earlier_term_than_the_request_changes_nothing() {
    let (mut leader, ticket) = leader_at(5);
    let before = format!("{leader:?}");
    for success in [true, false] {
        let conflict = (!success).then_some(Conflict { term: None, index: 1 });
        leader.append_reply(1, ticket, &AppendEntriesReply { term: 5, success, conflict });
    }
    assert_eq!(format!("{leader:?}"), before);
}

#[test]
fn hostile_conflict_hints_keep_next_index_in_the_log() {
    for next in [1, 2, 3, 5] {
        for term in [None, Some(0), Some(4), Some(6), Some(9), Some(u64::MAX)] {
            for index in [0, 1, 3, 5, 6, u64::MAX] {
                let (mut core, ticket) = leader_at(next);
                let conflict = Some(Conflict { term, index });
                let hint = format!("{conflict:?} at nextIndex {next}");
                let reply = AppendEntriesReply { term: 6, success: false, conflict };
                core.append_reply(1, ticket, &reply);
                let now = progress(&core).next;
                assert!((1..=next).contains(&now), "{now} after {hint}");
                assert!(now < next || next == 1, "the search goes on: {hint}");
                assert_eq!((progress(&core).matched, core.commit_index()), (0, 2), "{hint}");
                end_round(&mut core);
            }
        }
    }
}

#[test]
fn a_refusal_of_what_every_log_holds_is_not_retried_at_once() {
    // Every log has the place before the first entry, and this one has said that it holds the
    // entries up to 4. Who refuses them once will do so again, as fast as it is asked.
    let at_the_beginning = leader_at(1);
    let (mut at_the_match, ticket) = leader_at(5);
    let yes = AppendEntriesReply { term: 6, success: true, conflict: None };
    at_the_match.append_reply(1, ticket, &yes);
    let ticket = last_ticket(&mut at_the_match);
    for (mut core, ticket) in [at_the_beginning, (at_the_match, ticket)] {
        let conflict = Some(Conflict { term: None, index: 1 });
        core.append_reply(1, ticket, &AppendEntriesReply { term: 6, success: false, conflict });
        let again = appends(&end_round(&mut core)).count();
        assert_eq!(again, 0, "AppendEntries behind {} goes out again at once", ticket.prev);
    }
}

#[test]
fn the_latest_term_that_is_believed_can_be_lived_with() {
    // Somebody's broken term must not keep a server from ever starting again.
    let persister = std::sync::Arc::new(persister::MemoryPersister::new());
    let (mut storage, ..) = Storage::open(persister.clone()).unwrap();
    let [mut core, ..] = cores();
    storage.save(&core, &everything()).unwrap();
    core.request_vote(&request_vote(6 + MAX_LEAP, 1, (9, 5)));
    core.election_timeout();
    let output = core.take_output();
    storage.save(&core, &output.unsaved).unwrap();
    let (_, stored) = Storage::open(persister).expect("what it saved is a state of this Raft");
    assert_eq!(stored.hard, core.hard_state());
}

fn everything() -> Unsaved {
    Unsaved { hard_state: true, log_from: Some(1), snapshot: false }
}

/// The helpers' own promise, on which the tests of replies rest.
#[test]
fn a_log_is_made_of_the_entries_asked_for() {
    let log = log_behind(Place::default(), vec![entry(1, 1), entry(3, 2)]);
    assert_eq!(log.entries(), [entry(1, 1), entry(3, 2)]);
}
