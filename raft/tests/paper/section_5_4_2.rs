//! Committing entries from previous terms. Figure 8 itself is among the transcripts.

use crate::harness::{Cluster, accepted, appends, between, leader, progress};

//= leaders.commit
/// Entries of an earlier term are on every server, and still not committed by counting. (5.4.2)
#[test]
fn an_entry_of_an_earlier_term_is_not_committed_by_counting() {
    let mut cluster = Cluster::with_logs(&[(2, &[1, 2, 2]), (2, &[1]), (2, &[])]);
    cluster.elect(0);
    cluster.heartbeat(0);
    cluster.deliver_all();
    assert_eq!([1, 2].map(|follower| cluster.progress(0, follower).matched), [3, 3]);
    assert_eq!(cluster.commits(), [0, 0, 0]);
}

/// An entry of the leader's own term commits all before it. (5.4.2)
#[test]
fn an_entry_of_the_present_term_commits_all_before_it() {
    let mut cluster = Cluster::with_logs(&[(2, &[1, 2, 2]), (2, &[1]), (2, &[])]);
    cluster.elect(0);
    cluster.propose(0);
    cluster.deliver_where(between(0, 2));
    assert_eq!(cluster.core(0).commit_index(), 4);
}

//= leaders.commit
/// The bound lies between the terms: as long as the majority's last common entry is an earlier
/// leader's, nothing is committed, even though one follower holds a new one. (5.4.2)
#[test]
fn one_copy_short_of_a_majority_commits_nothing() {
    let (mut core, first) = leader(5, 2, &[1, 2, 2]);
    core.propose("x".into());
    core.append_failed(1, first[0].2);
    let to_1 = appends(&mut core).remove(0).2;
    core.append_reply(1, to_1, &accepted(3));
    core.append_reply(2, first[1].2, &accepted(3));
    assert_eq!([1, 2].map(|follower| progress(&core, follower).matched), [4, 3]);
    assert_eq!(core.commit_index(), 0);
    let to_2 = appends(&mut core).remove(0).2;
    core.append_reply(2, to_2, &accepted(3));
    assert_eq!(core.commit_index(), 4);
}

/// A server that is alone is its own majority, but its old entries wait for a new one, too. (5.4.2)
#[test]
fn a_server_that_is_alone_commits_its_old_entries_with_its_next_one() {
    let mut cluster = Cluster::with_logs(&[(2, &[1, 2])]);
    cluster.elect(0);
    assert_eq!(cluster.core(0).commit_index(), 0);
    cluster.propose(0);
    assert_eq!(cluster.core(0).commit_index(), 3);
}
