//! The election restriction.

use crate::common::{core, request_vote};
use crate::harness::{Cluster, between};

//= vote.up-to-date
/// A voter compares the last entries: the later term wins, whatever the lengths; of two with the
/// same term the longer log wins; equal is good enough. (5.4.1)
#[test]
fn a_vote_goes_only_to_a_log_that_is_at_least_as_up_to_date() {
    // The voter's log ends at index 3 with term 4.
    let cases = [
        // A later last term: shorter, equal, longer.
        ((1, 5), true),
        ((3, 5), true),
        ((9, 5), true),
        // An earlier last term: shorter, equal, longer.
        ((1, 3), false),
        ((3, 3), false),
        ((9, 3), false),
        // The same last term: shorter, equal, longer.
        ((2, 4), false),
        ((3, 4), true),
        ((4, 4), true),
        // Nothing at all.
        ((0, 0), false),
    ];
    for (last, granted) in cases {
        let mut core = core(0, 3, 5, &[1, 4, 4]);
        let reply = core.request_vote(&request_vote(6, 1, last));
        assert_eq!(reply.vote_granted, granted, "the candidate's log ends with {last:?}");
        let vote = granted.then_some(1);
        assert_eq!((core.term(), core.hard_state().voted_for), (6, vote));
    }
}

/// A voter with an empty log has nothing to lose. (5.4.1)
#[test]
fn an_empty_log_votes_for_every_log() {
    for last in [(0, 0), (1, 1), (5, 2)] {
        assert!(core(0, 3, 5, &[]).request_vote(&request_vote(6, 1, last)).vote_granted);
    }
}

/// The new entry is on a majority. The server without it asks them first and is refused; the one
/// with it wins, and the entry stays. (5.4.1: Leader Completeness)
#[test]
fn who_lacks_a_committed_entry_is_not_elected() {
    let mut cluster = Cluster::new(3);
    cluster.elect(0);
    cluster.propose(0);
    cluster.deliver_where(between(0, 1));
    assert_eq!(cluster.core(0).commit_index(), 1);
    cluster.crash(0);
    for _ in 0..3 {
        cluster.timeout(2);
        cluster.deliver_all();
        assert!(!cluster.core(2).is_leader());
    }
    cluster.timeout(1);
    cluster.deliver_all();
    cluster.timeout(1);
    cluster.deliver_all();
    assert!(cluster.core(1).is_leader());
    cluster.propose(1);
    cluster.deliver_all();
    assert_eq!(cluster.terms(2), [1, cluster.core(1).term()]);
    assert_eq!(cluster.core(1).commit_index(), 2);
}
