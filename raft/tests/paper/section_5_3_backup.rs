//! Log replication: how a leader finds the place where a follower's log departs from its own.

use raft::{AppendEntriesReply, Conflict};

use crate::harness::{Cluster, Payload, accepted, appends, between, from_to, leader, progress};

/// How often a follower refuses before its log is the leader's.
fn refusals(ours: &[u64], theirs: &[u64]) -> usize {
    let last = *ours.last().max(theirs.last()).unwrap_or(&0);
    let mut cluster = Cluster::with_logs(&[(last, ours), (last, theirs), (last, ours)]);
    cluster.timeout(0);
    cluster.deliver_where(between(0, 2));
    assert!(cluster.core(0).is_leader());
    cluster.take(|message| matches!(message.payload, Payload::Vote(_)));
    // The leader's first own entry makes the follower's surplus conflict too.
    cluster.propose(0);
    let mut refusals = 0;
    while let Some(request) = cluster.take(from_to(0, 1)).pop() {
        cluster.deliver(request);
        let replies = cluster.take(from_to(1, 0));
        for reply in replies {
            if let Payload::Appended(_, AppendEntriesReply { success: false, .. }) = reply.payload {
                refusals += 1;
                assert!(refusals <= theirs.len() + 1, "the leader never finds the place");
            }
            cluster.deliver(reply);
        }
    }
    assert_eq!(cluster.terms(1), cluster.terms(0));
    refusals
}

//= leaders.back-up
/// One round for each term that conflicts, however many entries it has. (5.3)
#[test]
fn backing_up_takes_one_round_per_conflicting_term() {
    let ours: Vec<u64> = [1; 99].into_iter().chain([20]).collect();
    let conflicting = |count: u64, length: usize| -> Vec<u64> {
        let terms = (2..2 + count).flat_map(|term| vec![term; length]);
        [1].into_iter().chain(terms).collect()
    };
    for (count, length) in [(1, 1), (1, 99), (2, 40), (3, 33), (9, 11)] {
        let theirs = conflicting(count, length);
        // One more if the follower's log ends before the leader's.
        let short = usize::from(theirs.len() < ours.len());
        assert_eq!(refusals(&ours, &theirs), count as usize + short, "{count} terms of {length}");
    }
}

/// A follower that is only behind takes one round. (5.3)
#[test]
fn backing_up_to_the_end_of_a_short_log_takes_one_round() {
    assert_eq!(refusals(&[1; 100], &[]), 1);
    assert_eq!(refusals(&[1; 100], &[1; 60]), 1);
    assert_eq!(refusals(&[1; 100], &[1; 100]), 0);
}

/// Where the leader has entries of the follower's conflicting term, it goes on behind its own last
/// one: what comes before agrees. (5.3)
#[test]
fn backing_up_stops_behind_the_leaders_last_entry_of_the_conflicting_term() {
    let (mut core, first) = leader(3, 6, &[1, 4, 4, 4, 6, 6, 6]);
    let conflict = |term, index| {
        let conflict = Some(Conflict { term, index });
        AppendEntriesReply { term: 7, success: false, conflict }
    };
    core.append_reply(1, first[0].2, &conflict(Some(4), 2));
    assert_eq!(progress(&core, 1).next, 5);
    core.append_reply(2, first[1].2, &conflict(Some(5), 2));
    assert_eq!(progress(&core, 2).next, 2, "no entry of term 5: where the follower's begin");
}

/// A follower that says nothing about the conflict is no reason to go back. (5.3)
#[test]
fn a_refusal_without_a_conflict_leaves_next_index_alone() {
    let (mut core, first) = leader(3, 6, &[1, 4, 6]);
    let refusal = AppendEntriesReply { term: 7, success: false, conflict: None };
    core.append_reply(1, first[0].2, &refusal);
    assert_eq!((progress(&core, 1).next, progress(&core, 1).awaiting), (4, None));
}

//= leaders.back-up
/// Of two refusals of the same message only the first is one of the present nextIndex. (5.3)
#[test]
fn a_refusal_of_an_older_next_index_is_ignored() {
    let (mut core, first) = leader(3, 6, &[1, 2, 3, 4, 5, 6]);
    core.heartbeat_timeout();
    let again = appends(&mut core);
    let refusal = |index| AppendEntriesReply {
        term: 7,
        success: false,
        conflict: Some(Conflict { term: None, index }),
    };
    core.append_reply(1, first[0].2, &refusal(5));
    assert_eq!(progress(&core, 1).next, 5);
    core.append_reply(1, again[0].2, &refusal(2));
    assert_eq!(progress(&core, 1).next, 5);
    // Nor does it come to matter once the next message is under way.
    core.take_output();
    let before = format!("{core:?}");
    core.append_reply(1, again[0].2, &refusal(2));
    assert_eq!(format!("{core:?}"), before);
}

/// nextIndex never falls to what the follower is known to hold, so a delayed refusal costs nothing.
/// (5.3, Figure 2: matchIndex increases monotonically)
#[test]
fn a_delayed_refusal_does_not_take_back_what_is_known() {
    let (mut core, first) = leader(3, 6, &[1, 2, 3]);
    core.heartbeat_timeout();
    let again = appends(&mut core);
    core.append_reply(1, again[0].2, &accepted(7));
    assert_eq!((progress(&core, 1).next, progress(&core, 1).matched), (4, 3));
    let conflict = Some(Conflict { term: None, index: 1 });
    core.append_reply(1, first[0].2, &AppendEntriesReply { term: 7, success: false, conflict });
    assert_eq!((progress(&core, 1).next, progress(&core, 1).matched), (4, 3));
}
