//! Follower and candidate crashes: requests come again, and do no harm.

use raft::rules::Role;

use crate::common::{append, core, request_vote};
use crate::harness::{Cluster, between, from_to};

/// The second copy of a RequestVote gets the first one's answer and changes nothing. (5.5)
#[test]
fn a_request_vote_that_comes_twice_is_answered_twice_alike() {
    let mut core = core(0, 3, 4, &[1]);
    let args = request_vote(5, 1, (1, 1));
    let first = core.request_vote(&args);
    let after_first = (core.hard_state(), core.role().clone());
    core.take_output();
    assert_eq!(core.request_vote(&args), first);
    assert_eq!((core.hard_state(), core.role().clone()), after_first);
    assert!(core.take_output().unsaved.is_empty());
}

/// The same for AppendEntries. (5.5: "if a follower receives an AppendEntries request that includes
/// log entries already present in its log, it ignores those entries")
#[test]
fn an_append_entries_that_comes_twice_is_answered_twice_alike() {
    let mut core = core(0, 3, 4, &[1, 3]);
    let args = append(5, 1, (1, 1), &[5, 5], 2);
    let first = core.append_entries(&args);
    let after_first = (core.hard_state(), core.log().clone(), core.commit_index());
    core.take_output();
    assert_eq!(core.append_entries(&args), first);
    assert_eq!((core.hard_state(), core.log().clone(), core.commit_index()), after_first);
    let output = core.take_output();
    assert!(output.unsaved.is_empty() && output.committed.is_none());
}

//= retry
/// Each message delivered twice, requests and replies: the outcome is that of once. (5.5)
#[test]
fn a_network_that_repeats_everything_changes_nothing() {
    let mut cluster = Cluster::with_logs(&[(3, &[1, 3]), (3, &[1, 2, 2]), (3, &[])]);
    cluster.timeout(0);
    for round in 0..8 {
        for _ in 0..20 {
            for message in cluster.take(|_| true) {
                cluster.deliver(message.clone());
                // A reply is lost and comes again; its repetition is answered by nobody.
                let before = cluster.network().len();
                cluster.deliver(message);
                cluster.truncate_network(before);
            }
        }
        if round < 3 {
            cluster.propose(0);
        } else {
            cluster.heartbeat(0);
        }
    }
    cluster.deliver_all();
    for server in 0..3 {
        assert_eq!(cluster.terms(server), [1, 3, 4, 4, 4], "server {server}");
    }
    assert_eq!(cluster.commits(), [5, 5, 5]);
}

/// A follower that was down gets what it missed, and the leader did not wait for it. (5.5)
#[test]
fn a_follower_that_was_down_catches_up() {
    let mut cluster = Cluster::new(3);
    cluster.elect(0);
    cluster.propose(0);
    cluster.deliver_all();
    cluster.crash(2);
    for _ in 0..5 {
        cluster.propose(0);
        cluster.deliver_all();
        cluster.heartbeat(0);
        cluster.deliver_all();
    }
    assert_eq!(cluster.core(0).commit_index(), 6);
    cluster.restart(2);
    assert_eq!(cluster.terms(2), [1]);
    cluster.heartbeat(0);
    cluster.deliver_all();
    assert_eq!(cluster.terms(2), [1; 6]);
    cluster.heartbeat(0);
    cluster.deliver_all();
    assert_eq!(cluster.commits(), [6; 3]);
}

//= lab.restart
/// A server that comes back is a follower in its old term with its old log. It has forgotten what
/// is committed, and learns it from the leader. (5.5, Figure 2: volatile state)
#[test]
fn a_restart_keeps_term_vote_and_log_and_forgets_the_rest() {
    let mut cluster = Cluster::new(3);
    cluster.elect(0);
    cluster.propose(0);
    cluster.deliver_all();
    let hard = cluster.core(0).hard_state();
    assert_eq!(cluster.core(0).commit_index(), 1);
    cluster.crash(0);
    cluster.restart(0);
    assert_eq!((cluster.core(0).hard_state(), cluster.terms(0)), (hard, vec![1]));
    assert_eq!((cluster.core(0).role(), cluster.core(0).commit_index()), (&Role::Follower, 0));
}

/// A follower that crashes after it has saved the entries and before its answer arrives gets them a
/// second time, and holds them once. (5.5)
#[test]
fn a_crash_before_the_answer_arrives_costs_nothing() {
    let mut cluster = Cluster::new(2);
    cluster.elect(0);
    cluster.propose(0);
    cluster.deliver_where(from_to(0, 1));
    cluster.crash(1);
    cluster.take(from_to(1, 0));
    cluster.restart(1);
    assert_eq!(cluster.terms(1), [1], "saved before the answer");
    cluster.heartbeat(0);
    cluster.deliver_where(between(0, 1));
    assert_eq!((cluster.terms(1), cluster.core(0).commit_index()), (vec![1], 1));
}

/// A follower that crashes before it gets a message has done nothing. (5.5)
#[test]
fn a_server_that_is_down_does_nothing() {
    let mut cluster = Cluster::new(2);
    cluster.elect(0);
    cluster.crash(1);
    cluster.propose(0);
    cluster.deliver_all();
    assert_eq!(cluster.core(0).commit_index(), 0);
    cluster.restart(1);
    assert_eq!(cluster.terms(1), [0; 0]);
}
