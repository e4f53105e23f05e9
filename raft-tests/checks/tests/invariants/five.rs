//! Five servers: a majority of them is three.

use raft_tests::Cluster;

use crate::puppet::{assert_broken_of, puppet, verdict_of};

/// The first so many followers say yes, the others no.
fn agree(followers: usize) {
    (1..5).for_each(|server| puppet(server).answers(0, server <= followers));
}

#[track_caller]
fn assert_fine(play: fn(&Cluster)) {
    assert_eq!(verdict_of(5, play), None);
}

#[track_caller]
fn assert_broken(play: fn(&Cluster), check: &str, servers: &[u32], facts: &[&str]) {
    assert_broken_of(5, play, check, servers, facts);
}

#[test]
fn three_of_five_elect_a_leader() {
    fn is_elected_by(followers: usize) {
        agree(followers);
        (1..5).for_each(|to| puppet(0).asks_for_vote(0, to, 4));
        puppet(0).leads(1, 4, (0, 0), &[]);
    }
    assert_fine(|_| is_elected_by(2));
    assert_broken(
        |_| is_elected_by(1),
        "elected by a majority",
        &[0],
        &["in term 4 it has the votes of servers [0, 1]"],
    );
}

#[test]
fn three_of_five_commit_an_entry() {
    fn is_committed_by(followers: usize) {
        agree(followers);
        (1..5).for_each(|to| puppet(0).commits(to, 4, (0, 0), 2, 0));
        puppet(0).commits(1, 4, (2, 4), 0, 2);
    }
    assert_fine(|_| is_committed_by(2));
    assert_broken(
        |_| is_committed_by(1),
        "committed by a majority",
        &[0, 1, 2, 3, 4],
        &["server 1 accepted up to entry 2", "server 2 accepted nothing in this term"],
    );
}

/// Server 0 leads term 4 with two entries of term 3, and the first so many followers have them.
fn old_entries_of(followers: usize) {
    for to in 1..=followers {
        puppet(4).leads(to, 3, (0, 0), &[(3, "a"), (3, "b")]);
        puppet(0).commits(to, 4, (2, 3), 0, 0);
    }
    puppet(0).commits(1, 4, (2, 3), 0, 2);
}

#[test]
fn old_entries_are_counted_from_three_of_five_on() {
    assert_broken(
        |_| old_entries_of(1),
        "committed by a majority",
        &[0, 1, 2, 3, 4],
        &["server 2 accepted nothing in this term"],
    );
    assert_broken(
        |_| old_entries_of(2),
        "old entries are not committed by counting",
        &[0],
        &["its log has term 3 at index 2, and it leads term 4"],
    );
}

/// Two of five have an entry of the leader's term. It was taken for committed, and what is before it is applied first.
#[test]
fn an_old_entry_may_be_committed_with_one_that_too_few_have() {
    fn applies_old(newer: u64) {
        for to in 1..=2 {
            puppet(0).leads(to, 4, (0, 0), &[(3, "a"), (3, "b")]);
        }
        if newer > 0 {
            puppet(0).commits(1, 4, (2, 3), newer, 0);
        }
        puppet(0).applies(1);
    }
    assert_broken(
        |_| applies_old(1),
        "committed by a majority",
        &[0, 1, 2, 3, 4],
        &[
            "server 0 applied entry 1, which is of term 3",
            "server 1 accepted up to entry 3",
            "server 2 accepted up to entry 2",
            "server 3 accepted nothing in this term",
        ],
    );
    // Without one, it was counted itself.
    assert_broken(
        |_| applies_old(0),
        "old entries are not committed by counting",
        &[0],
        &["its log has term 3 at index 1, and it leads term 4"],
    );
}

#[test]
fn a_leader_without_the_entry_needs_three_others() {
    fn without_it(followers: usize) {
        puppet(0).saves(4, None, Vec::new());
        agree(followers);
        (1..5).for_each(|to| puppet(0).commits(to, 4, (0, 0), 1, 0));
        puppet(0).commits(1, 4, (1, 4), 0, 1);
    }
    assert_fine(|_| without_it(3));
    assert_broken(
        |_| without_it(2),
        "saved before counted",
        &[0],
        &["without it, in this term 2 of 5 are known to have the entry"],
    );
}

#[test]
fn what_two_of_five_have_was_not_counted() {
    /// Server 1 forgets in a restart that two entries are committed, and leads; so many have them then.
    fn forgets(cluster: &Cluster, accepted_by: &[usize]) {
        (1..5).for_each(|to| puppet(0).commits(to, 4, (0, 0), 2, 0));
        puppet(0).commits(1, 4, (2, 4), 0, 2);
        puppet(1).applies(2);
        cluster.start_server(1);
        cluster.connect(1);
        [0, 2].into_iter().for_each(|to| puppet(1).asks_for_vote(1, to, 5));
        accepted_by.iter().for_each(|to| puppet(1).commits(*to, 5, (2, 4), 0, 0));
        puppet(1).commits(0, 5, (2, 4), 0, 2);
    }
    assert_fine(|cluster| forgets(cluster, &[0]));
    assert_broken(
        |cluster| forgets(cluster, &[0, 2]),
        "old entries are not committed by counting",
        &[1],
        &["server 1 says that entry 2 is committed"],
    );
}
