//! Snapshots that no correct leader sends, and answers that no correct follower gives.

use raft::rules::{MAX_LEAP, Request};
use raft::{
    AppendEntriesReply, Conflict, InstallSnapshotArgs, InstallSnapshotReply, Place,
    RequestVoteReply,
};

use crate::common::{append, core_behind, install, terms};
use crate::{OUT_OF_REACH, cores, end_round, has_only_warned, progress, state};

/// Nobody believes it, whatever they are.
fn refuses(args: &InstallSnapshotArgs) {
    for mut core in cores() {
        let before = format!("{core:?}");
        assert_eq!(core.install_snapshot(args), InstallSnapshotReply { term: 6 });
        assert_eq!(format!("{core:?}"), before, "after {args:?}");
    }
}

#[test]
fn a_snapshot_of_who_is_no_peer_changes_nothing() {
    for sender in [0, 3, 4, u32::MAX] {
        for term in [6, 7] {
            refuses(&install(term, sender, (9, 5)));
        }
    }
}

#[test]
fn a_snapshot_of_a_term_out_of_reach_changes_nothing_and_is_warned_of_once() {
    for term in OUT_OF_REACH {
        for mut core in cores() {
            let before = state(&core);
            for _ in 0..3 {
                let reply = core.install_snapshot(&install(term, 1, (9, 5)));
                assert_eq!(reply, InstallSnapshotReply { term: 6 });
            }
            assert_eq!(state(&core), before);
            has_only_warned(&mut core, term);
        }
    }
}

#[test]
fn a_snapshot_that_cannot_be_one_changes_nothing() {
    for term in [6, 7] {
        // Without bytes, of nothing, of a term that nobody has led, of one after the leader's.
        refuses(&InstallSnapshotArgs { data: "".into(), ..install(term, 1, (9, 5)) });
        refuses(&InstallSnapshotArgs { data: "all".into(), ..install(term, 1, (0, 0)) });
        refuses(&InstallSnapshotArgs { data: "all".into(), ..install(term, 1, (0, 5)) });
        refuses(&install(term, 1, (9, 0)));
        refuses(&install(term, 1, (9, term + 1)));
        refuses(&install(term, 1, (9, u64::MAX)));
        // No log has come so far, and there would be no place behind it.
        for index in [u64::MAX, u64::MAX - 1, u64::MAX / 2 + 1] {
            refuses(&install(term, 1, (index, 5)));
        }
    }
}

/// Up to index 2 they have committed entries of term 1.
#[test]
fn a_snapshot_that_contradicts_what_is_committed_changes_nothing() {
    for term in [6, 7] {
        for last in [(1, 2), (2, 3), (2, 6)] {
            let [mut follower, _, mut leader] = cores();
            for core in [&mut follower, &mut leader] {
                let before = format!("{core:?}");
                let reply = core.install_snapshot(&install(term, 1, last));
                assert_eq!(reply, InstallSnapshotReply { term: 6 });
                assert_eq!(format!("{core:?}"), before, "after {last:?}");
            }
        }
    }
    // The same if they are in a snapshot: a later term before it, another one at it, an earlier one
    // behind it.
    for last in [(9, 5), (10, 5), (10, 3), (12, 3)] {
        let mut core = core_behind(Place { index: 10, term: 4 }, 0, 3, 6, &[4, 5]);
        let before = format!("{core:?}");
        core.install_snapshot(&install(7, 1, last));
        assert_eq!(format!("{core:?}"), before, "after {last:?}");
    }
}

#[test]
fn a_snapshot_of_a_second_leader_of_the_leaders_own_term_is_not_believed() {
    let [_, _, mut leader] = cores();
    for last in [(1, 1), (2, 1), (4, 4), (9, 6)] {
        let before = format!("{leader:?}");
        assert_eq!(leader.install_snapshot(&install(6, 2, last)), InstallSnapshotReply { term: 6 });
        assert_eq!(format!("{leader:?}"), before);
    }
}

/// The farthest that is believed can be lived with: entries go on behind it.
#[test]
fn the_last_index_that_is_believed_has_one_behind_it() {
    let [mut core, ..] = cores();
    let last = u64::MAX / 2;
    core.install_snapshot(&install(6, 1, (last, 5)));
    assert_eq!((core.commit_index(), terms(core.log()).len()), (last, 0));
    assert!(core.append_entries(&append(6, 1, (last, 5), &[6, 6], last + 2)).success);
    core.election_timeout();
    core.vote_reply(1, 7, &RequestVoteReply { term: 7, vote_granted: true });
    assert_eq!(core.propose("x".into()), Some(last + 3));
    end_round(&mut core);
}

/// Who says everything was missing from the first entry on, to a leader that has all, gets entries: there
/// is no snapshot to send.
#[test]
fn a_leader_without_a_snapshot_sends_none() {
    let [_, _, mut leader] = cores();
    for index in [0, 1] {
        leader.heartbeat_timeout();
        let output = end_round(&mut leader);
        let (_, _, ticket) = crate::appends(&output).next().unwrap();
        let conflict = Some(Conflict { term: None, index });
        leader.append_reply(1, ticket, &AppendEntriesReply { term: 6, success: false, conflict });
        let requests = end_round(&mut leader).requests;
        assert!(requests.iter().all(|(_, request)| matches!(request, Request::Append(..))));
    }
}

/// A reply or failure that has nothing to do with what was sent.
#[test]
fn replies_to_snapshots_that_make_no_sense_change_nothing() {
    let mut core = core_behind(Place { index: 10, term: 4 }, 0, 3, 6, &[4, 5]);
    core.election_timeout();
    core.vote_reply(1, 7, &RequestVoteReply { term: 7, vote_granted: true });
    let output = end_round(&mut core);
    let (_, _, first) = crate::appends(&output).next().unwrap();
    let conflict = Some(Conflict { term: None, index: 3 });
    core.append_reply(1, first, &AppendEntriesReply { term: 7, success: false, conflict });
    let output = end_round(&mut core);
    let ticket = output.requests.iter().find_map(|(_, request)| match request {
        Request::Install(_, ticket) => Some(*ticket),
        _ => None,
    });
    let ticket = ticket.expect("server 1 lacks what was forgotten");
    let before = state(&core);
    for from in [0, 3, usize::MAX] {
        core.install_reply(from, ticket, &InstallSnapshotReply { term: 7 });
        core.install_failed(from, ticket);
        assert_eq!(state(&core), before, "from {from}");
    }
    core.install_reply(1, ticket, &InstallSnapshotReply { term: 7 + MAX_LEAP + 1 });
    assert_eq!(state(&core), before);
    // An answer of an earlier term is none.
    core.install_reply(1, ticket, &InstallSnapshotReply { term: 6 });
    assert_eq!((progress(&core).matched, core.term()), (0, 7));
    core.heartbeat_timeout();
    assert_eq!(end_round(&mut core).requests.len(), 2, "and the heartbeats go on");
}
