//! Leader election.

use std::collections::BTreeSet;

use raft::rules::{Core, Request, Role};
use raft::{HardState, RequestVoteReply, Stored};

use crate::common::{append, core, request_vote};
use crate::harness::{Cluster, accepted, appends, between, leader, progress};

fn granted(term: u64) -> RequestVoteReply {
    RequestVoteReply { term, vote_granted: true }
}

/// Servers start as followers, also those that led before. (5.2)
#[test]
fn a_server_starts_as_a_follower_with_an_election_timer() {
    let hard = HardState { term: 7, voted_for: Some(0) };
    let mut core = Core::new(0, 3, Stored { hard, ..Stored::default() });
    assert_eq!(core.role(), &Role::Follower);
    let output = core.take_output();
    assert!(output.reset_election_timer);
    assert!(output.requests.is_empty() && output.unsaved.is_empty());
}

/// Who hears from no leader increments its term, votes for itself and asks all others at once; a
/// candidate whose election led to nothing does the same. (5.2)
#[test]
fn a_timeout_begins_an_election_in_a_new_term() {
    let mut core = core(1, 4, 7, &[2, 5]);
    for term in [8, 9] {
        core.election_timeout();
        let output = core.take_output();
        assert_eq!(core.hard_state(), HardState { term, voted_for: Some(1) });
        assert_eq!(core.role(), &Role::Candidate { votes: BTreeSet::from([1]) });
        assert!(output.unsaved.hard_state && output.reset_election_timer);
        let args = request_vote(term, 1, (2, 5));
        let asked = [0, 2, 3].map(|peer| (peer, Request::Vote(args.clone())));
        assert_eq!(output.requests, asked);
    }
}

/// A leader has no election timer; should one run out all the same, it goes on leading. (5.2)
#[test]
fn a_leader_ignores_an_election_timeout() {
    let (mut core, _) = leader(3, 1, &[1]);
    let before = format!("{core:?}");
    core.election_timeout();
    assert_eq!(format!("{core:?}"), before);
}

//= lab.half
/// It takes the votes of a majority of all servers, and not one more. (5.2)
#[test]
fn a_majority_of_votes_makes_a_leader_in_clusters_of_any_size() {
    for (servers, needed) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)] {
        let mut core = core(0, servers, 0, &[]);
        core.election_timeout();
        for voter in 1..needed {
            assert!(!core.is_leader(), "{voter} votes of {servers} are enough");
            core.vote_reply(voter, 1, &granted(1));
        }
        assert!(core.is_leader(), "{needed} votes of {servers} are not enough");
        assert_eq!(core.take_output().elected, Some(1));
    }
}

/// A vote that the network delivers twice is one vote. (5.2)
#[test]
fn a_server_s_vote_counts_once() {
    let mut core = core(0, 5, 0, &[]);
    core.election_timeout();
    core.vote_reply(1, 1, &granted(1));
    core.vote_reply(1, 1, &granted(1));
    assert_eq!(core.role(), &Role::Candidate { votes: BTreeSet::from([0, 1]) });
}

/// A refusal is no vote. (5.2)
#[test]
fn a_refused_vote_does_not_count() {
    let mut core = core(0, 3, 0, &[]);
    core.election_timeout();
    for voter in [1, 2] {
        core.vote_reply(voter, 1, &RequestVoteReply { term: 1, vote_granted: false });
    }
    assert_eq!(core.role(), &Role::Candidate { votes: BTreeSet::from([0]) });
}

/// First come, first served: the second candidate of a term gets no vote, the first one gets its
/// own again if it asks again. (5.2)
#[test]
fn a_server_votes_once_in_a_term() {
    let mut core = core(0, 5, 3, &[]);
    assert_eq!(core.request_vote(&request_vote(3, 1, (0, 0))), granted(3));
    assert!(!core.request_vote(&request_vote(3, 2, (9, 3))).vote_granted);
    assert!(core.request_vote(&request_vote(3, 1, (0, 0))).vote_granted);
    assert_eq!(core.hard_state().voted_for, Some(1));
    // A new term brings a new vote.
    assert!(core.request_vote(&request_vote(4, 2, (0, 0))).vote_granted);
}

/// A candidate has voted: for itself. (5.2)
#[test]
fn a_candidate_and_a_leader_vote_for_nobody_else_in_their_term() {
    let mut core = core(0, 3, 0, &[]);
    core.election_timeout();
    assert!(!core.request_vote(&request_vote(1, 1, (9, 1))).vote_granted);
    core.vote_reply(1, 1, &granted(1));
    assert!(core.is_leader());
    assert!(!core.request_vote(&request_vote(1, 2, (9, 1))).vote_granted);
}

//= vote.once
/// A vote is on the disk before it is answered, so a server that comes back in the same term does
/// not vote again. (5.2, Figure 2: persistent state)
#[test]
fn a_server_votes_once_in_a_term_even_if_it_restarts_in_between() {
    let mut cluster = Cluster::new(5);
    cluster.timeout(1);
    cluster.deliver_where(between(1, 0));
    assert_eq!(cluster.core(0).hard_state(), HardState { term: 1, voted_for: Some(1) });
    cluster.crash(0);
    cluster.restart(0);
    cluster.timeout(2);
    cluster.deliver_where(between(2, 0));
    assert_eq!(cluster.core(2).role(), &Role::Candidate { votes: BTreeSet::from([2]) });
    assert_eq!(cluster.core(0).hard_state(), HardState { term: 1, voted_for: Some(1) });
}

/// The same for the vote that a candidate gives itself. (5.2)
#[test]
fn a_candidate_that_restarts_votes_for_nobody_else_in_its_term() {
    let mut cluster = Cluster::new(3);
    cluster.timeout(0);
    cluster.take(|_| true);
    cluster.crash(0);
    cluster.restart(0);
    assert_eq!(cluster.core(0).role(), &Role::Follower);
    cluster.timeout(1);
    cluster.deliver_where(between(1, 0));
    assert!(!cluster.core(1).is_leader(), "server 0 voted twice in term 1");
}

/// Another server has won: its AppendEntries turns a candidate of the same term into a follower,
/// whether or not the log fits. (5.2)
#[test]
fn a_candidate_returns_to_follower_when_the_leader_of_its_term_shows_up() {
    for (prev, fits) in [((0, 0), true), ((7, 1), false)] {
        let mut core = core(0, 3, 1, &[1]);
        core.election_timeout();
        core.take_output();
        let answer = core.append_entries(&append(2, 2, prev, &[], 0));
        assert_eq!((answer.success, core.role()), (fits, &Role::Follower));
        assert!(core.take_output().reset_election_timer);
        // It has voted for itself in this term, and that stays.
        assert_eq!(core.hard_state(), HardState { term: 2, voted_for: Some(0) });
        // A vote that arrives now is too late.
        core.vote_reply(1, 2, &granted(2));
        assert_eq!(core.role(), &Role::Follower);
    }
}

/// A leader of an earlier term is no leader: the candidate goes on. (5.2)
#[test]
fn a_candidate_ignores_the_leader_of_an_earlier_term() {
    let mut core = core(0, 3, 1, &[1]);
    core.election_timeout();
    core.take_output();
    assert!(!core.append_entries(&append(1, 2, (0, 0), &[], 0)).success);
    assert!(matches!(core.role(), Role::Candidate { .. }));
    assert!(!core.take_output().reset_election_timer);
}

/// Two candidates with two votes each: nobody wins the term. Whoever times out first after that
/// wins the next one. (5.2)
#[test]
fn a_split_vote_elects_nobody_and_the_next_election_may() {
    let mut cluster = Cluster::new(4);
    cluster.timeout(0);
    cluster.timeout(1);
    cluster.deliver_where(between(0, 2));
    cluster.deliver_where(between(1, 3));
    cluster.deliver_all();
    for (candidate, voter) in [(0, 2), (1, 3)] {
        let votes = BTreeSet::from([candidate, voter]);
        assert_eq!(cluster.core(candidate).role(), &Role::Candidate { votes });
    }
    cluster.elect(1);
    assert_eq!(cluster.core(1).term(), 2);
    assert_eq!(cluster.core(0).role(), &Role::Follower);
}

//= followers.stand
/// A vote keeps its giver from standing in the way; a refusal does not. (5.2, Figure 2: rules for
/// followers)
#[test]
fn a_granted_vote_resets_the_election_timer_and_a_refused_one_does_not() {
    let mut core = core(0, 3, 3, &[3]);
    core.request_vote(&request_vote(4, 1, (0, 0)));
    assert!(!core.take_output().reset_election_timer, "refused: the log is too old");
    core.request_vote(&request_vote(4, 1, (1, 3)));
    assert!(core.take_output().reset_election_timer, "granted");
    core.request_vote(&request_vote(4, 2, (1, 3)));
    assert!(!core.take_output().reset_election_timer, "refused: the vote is given");
}

/// A new leader tells all others at once, and again with each heartbeat, answered or not. (5.2)
#[test]
fn a_leader_sends_heartbeats_to_all_others() {
    let (mut core, first) = leader(4, 2, &[1, 2]);
    let heartbeat = append(3, 0, (2, 2), &[], 0);
    for _ in 0..2 {
        core.heartbeat_timeout();
        let beats = appends(&mut core);
        for (number, (to, args, _)) in beats.iter().enumerate() {
            assert_eq!((*to, args), (number + 1, &heartbeat));
        }
        assert_eq!(beats.len(), 3);
    }
    assert_eq!(first.iter().map(|(to, ..)| *to).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(first.iter().all(|(_, args, _)| *args == heartbeat));
}

/// Followers and candidates have no heartbeat to send. (5.2)
#[test]
fn only_a_leader_sends_heartbeats() {
    let mut core = core(0, 3, 1, &[1]);
    core.heartbeat_timeout();
    assert!(core.take_output().requests.is_empty());
    core.election_timeout();
    core.take_output();
    core.heartbeat_timeout();
    assert!(core.take_output().requests.is_empty());
}

/// What the leader of the term says keeps a follower from standing for election, even if the logs
/// do not fit. (5.2)
#[test]
fn an_append_entries_of_the_current_leader_resets_the_election_timer() {
    for prev in [(1, 3), (8, 3)] {
        let mut core = core(0, 3, 3, &[3]);
        core.append_entries(&append(3, 1, prev, &[], 0));
        assert!(core.take_output().reset_election_timer);
    }
}

/// What a leader knows of its followers lives in [`Role::Leader`]: it is new with each election, and
/// gone with the lead. (5.3, Figure 2: volatile state on leaders)
#[test]
fn what_a_leader_knows_of_followers_ends_with_its_lead() {
    let (mut core, first) = leader(3, 2, &[1, 2]);
    core.append_reply(1, first[0].2, &accepted(3));
    assert_eq!((progress(&core, 1).next, progress(&core, 1).matched), (3, 2));
    core.append_entries(&append(4, 1, (0, 0), &[], 0));
    assert_eq!(core.role(), &Role::Follower);
    core.election_timeout();
    core.vote_reply(1, 5, &granted(5));
    assert_eq!((progress(&core, 1).next, progress(&core, 1).matched), (3, 0));
}

//= lab.alone
/// A cluster of one server needs nobody's vote. (5.2)
#[test]
fn a_server_that_is_alone_leads_after_its_first_timeout() {
    let mut core = Core::new(0, 1, Stored::default());
    core.election_timeout();
    let output = core.take_output();
    assert!(core.is_leader() && output.requests.is_empty());
    assert_eq!(output.elected, Some(1));
}
