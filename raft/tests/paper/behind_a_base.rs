//! Logs that do not begin with index 1: what the rules of Figure 2 make of them. How logs come to begin
//! elsewhere is in `section_7.rs`.

use raft::rules::{Core, Ticket};
use raft::{AppendEntriesArgs, AppendEntriesReply, Conflict, Place, RequestVoteReply};

use crate::common::{append, core_behind, request_vote, terms};
use crate::harness::{accepted, appends, progress};

const BASE: Place = Place { index: 10, term: 4 };

/// Server 0 of 3 in term 6 with the entries 11 to 13 of terms 4, 5 and 5.
fn follower() -> Core {
    core_behind(BASE, 0, 3, 6, &[4, 5, 5])
}

/// The same as leader of term 7, and its first heartbeats.
fn leader() -> (Core, Vec<(usize, AppendEntriesArgs, Ticket)>) {
    let mut core = follower();
    core.election_timeout();
    core.vote_reply(1, 7, &RequestVoteReply { term: 7, vote_granted: true });
    assert!(core.is_leader());
    let first = appends(&mut core);
    (core, first)
}

/// What is before the base is committed, and has been applied. (Figure 2: commitIndex)
#[test]
fn a_server_begins_with_its_base_committed() {
    let mut core = follower();
    assert_eq!((core.commit_index(), terms(core.log())), (10, vec![4, 5, 5]));
    assert!(core.append_entries(&append(6, 1, (13, 5), &[], 12)).success);
    assert_eq!(core.take_output().committed, Some(11..=12));
}

/// Entries that the base covers are there already. (Figure 2, AppendEntries, receiver 2 to 5)
#[test]
fn a_follower_takes_what_follows_its_base() {
    let cases = [
        // Before the base, up to it, beyond it, from it on, behind it, with a conflict behind it.
        ((2, 1), vec![1, 2, 3], vec![4, 5, 5]),
        ((7, 2), vec![2, 3, 4], vec![4, 5, 5]),
        ((8, 2), vec![3, 4, 4, 5, 5, 6], vec![4, 5, 5, 6]),
        ((10, 4), vec![4, 5], vec![4, 5, 5]),
        ((13, 5), vec![6], vec![4, 5, 5, 6]),
        ((9, 3), vec![4, 4, 6], vec![4, 6]),
    ];
    for (prev, sent, has) in cases {
        let mut core = follower();
        let reply = core.append_entries(&append(6, 1, prev, &sent, 0));
        assert_eq!((reply.success, terms(core.log())), (true, has), "{sent:?} after {prev:?}");
        assert_eq!(core.commit_index(), 10);
    }
}

/// Who would replace what the base covers, or the base itself, is no leader of ours. (5.4.3)
#[test]
fn a_follower_does_not_give_up_its_base() {
    for (prev, sent) in [((9, 3), [3, 5]), ((8, 3), [3, 5])] {
        let mut core = follower();
        let reply = core.append_entries(&append(6, 1, prev, &sent, 0));
        assert_eq!((reply.success, terms(core.log())), (false, vec![4, 5, 5]), "{sent:?}");
    }
    let reply = follower().append_entries(&append(6, 1, (10, 3), &[], 0));
    assert!(!reply.success);
}

/// A conflict is told in indexes, wherever the log begins. (End of 5.3)
#[test]
fn a_follower_says_where_its_log_departs() {
    for (prev, term, index) in [((20, 6), None, 14), ((13, 6), Some(5), 12), ((11, 3), Some(4), 11)]
    {
        let reply = follower().append_entries(&append(6, 1, prev, &[6], 0));
        assert_eq!(reply.conflict, Some(Conflict { term, index }), "{prev:?}");
    }
}

/// Without entries the log ends with its base. (5.4.1)
#[test]
fn votes_go_by_the_base_if_there_is_nothing_behind_it() {
    for (last, granted) in [((10, 4), true), ((9, 4), false), ((99, 3), false), ((1, 5), true)] {
        let mut core = core_behind(BASE, 0, 3, 6, &[]);
        assert_eq!(core.request_vote(&request_vote(7, 1, last)).vote_granted, granted, "{last:?}");
    }
    let mut core = core_behind(BASE, 0, 3, 6, &[]);
    core.election_timeout();
    let args = request_vote(7, 0, (10, 4));
    let asked = core.take_output().requests;
    assert_eq!(asked, [1, 2].map(|peer| (peer, raft::rules::Request::Vote(args.clone()))));
}

/// Indexes go on where they were. (Figure 2, Rules for leaders)
#[test]
fn a_leader_replicates_and_commits_behind_its_base() {
    let (mut core, first) = leader();
    assert_eq!((first[0].1.prev_log_index, first[0].1.prev_log_term), (13, 5));
    core.append_reply(1, first[0].2, &accepted(7));
    assert_eq!(core.propose("x".into()), Some(14));
    let (to, args, ticket) = appends(&mut core).remove(0);
    assert_eq!((to, args.prev_log_index, args.entries.len()), (1, 13, 1));
    core.append_reply(1, ticket, &accepted(7));
    assert_eq!((core.commit_index(), core.take_output().committed), (14, Some(11..=14)));
}

/// A search for the place where a follower departs ends at the base, also if the follower names a
/// place before it or the base's own term. (End of 5.3)
#[test]
fn a_search_does_not_go_before_the_base() {
    for (term, index, next) in [(None, 11, 11), (None, 12, 12), (Some(4), 2, 12), (Some(5), 12, 13)]
    {
        let (mut core, first) = leader();
        let conflict = Some(Conflict { term, index });
        let refusal = AppendEntriesReply { term: 7, success: false, conflict };
        core.append_reply(1, first[0].2, &refusal);
        assert_eq!(progress(&core, 1).next, next, "{term:?} from {index}");
        let (_, args, _) = appends(&mut core).remove(0);
        assert_eq!(args.prev_log_index, next - 1);
        assert_eq!(args.entries, core.log().from(next));
    }
}
