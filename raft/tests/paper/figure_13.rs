//! Figure 13, InstallSnapshot, rule by rule. Where there are no chunks, 2 to 4 have nothing to say.

use raft::rules::{Core, Output, Role, Unsaved};
use raft::{InstallSnapshotReply, Place, Snapshot};

use crate::common::{append, core, core_behind, install, terms};

fn place(index: u64, term: u64) -> Place {
    Place { index, term }
}

/// What InstallSnapshot leaves behind if it is taken: the log begins behind it, and has nothing else.
fn has_only(core: &Core, last: Place) {
    assert_eq!((core.log().base(), core.commit_index()), (last, last.index));
    assert_eq!(core.snapshot(), &crate::common::snapshot(last));
}

//= install.stale
/// "1. Reply immediately if term < currentTerm." (Figure 13)
#[test]
fn install_snapshot_receiver_1() {
    let mut core = core(0, 3, 5, &[1]);
    let before = format!("{core:?}");
    let reply = core.install_snapshot(&install(4, 1, (7, 3)));
    assert_eq!((reply, format!("{core:?}")), (InstallSnapshotReply { term: 5 }, before));
}

//= install.newer
/// "5. Save snapshot file, discard any existing or partial snapshot with a smaller index." (Figure 13)
#[test]
fn install_snapshot_receiver_5() {
    let mut core = core_behind(place(3, 1), 0, 3, 5, &[2]);
    assert_eq!(core.install_snapshot(&install(5, 1, (7, 3))), InstallSnapshotReply { term: 5 });
    has_only(&core, place(7, 3));
    let Output { unsaved, .. } = core.take_output();
    assert_eq!(unsaved, Unsaved { hard_state: false, log_from: Some(8), snapshot: true });
}

//= install.keep
/// "6. If existing log entry has same index and term as snapshot's last included entry, retain log
/// entries following it and reply." (Figure 13)
///
/// Here all entries stay, and the snapshot is not stored: the service gets the same from the log.
#[test]
fn install_snapshot_receiver_6() {
    let mut core = core(0, 3, 5, &[1, 1, 3, 4, 4]);
    assert_eq!(core.install_snapshot(&install(5, 1, (3, 3))), InstallSnapshotReply { term: 5 });
    assert_eq!((terms(core.log()), core.commit_index()), (vec![1, 1, 3, 4, 4], 3));
    let Output { unsaved, installed, committed, .. } = core.take_output();
    assert_eq!((unsaved, installed, committed), (Unsaved::default(), None, Some(1..=3)));
}

//= install.discard
/// "7. Discard the entire log." (Figure 13)
#[test]
fn install_snapshot_receiver_7() {
    // It is shorter; it has an entry of another term there; and more behind it.
    for log in [&[1, 1][..], &[1, 1, 2], &[1, 1, 2, 2, 4]] {
        let mut core = core(0, 3, 5, log);
        core.install_snapshot(&install(5, 1, (3, 3)));
        has_only(&core, place(3, 3));
        assert!(terms(core.log()).is_empty(), "{log:?}");
    }
}

//= install.reset
/// "8. Reset state machine using snapshot contents." (Figure 13)
#[test]
fn install_snapshot_receiver_8() {
    let mut core = core(0, 3, 5, &[1, 1]);
    let args = install(5, 1, (7, 3));
    core.install_snapshot(&args);
    let snapshot = Snapshot { last: place(7, 3), data: args.data };
    let Output { installed, committed, .. } = core.take_output();
    assert_eq!((installed, committed), (Some(snapshot), None));
    // And only once: what follows are commands.
    assert!(core.append_entries(&append(5, 1, (7, 3), &[4, 5], 9)).success);
    let Output { installed, committed, .. } = core.take_output();
    assert_eq!((installed, committed), (None, Some(8..=9)));
}

//= all.newer-term
/// It comes from the leader of the term, like AppendEntries. (Figure 2, Rules for all servers, for
/// followers and for candidates)
#[test]
fn install_snapshot_is_a_word_of_the_leader() {
    for term in [6, 7] {
        let mut core = core(0, 3, 5, &[1, 1]);
        core.election_timeout();
        core.take_output();
        assert_eq!(core.install_snapshot(&install(term, 1, (7, 3))).term, term);
        assert_eq!((core.term(), core.role()), (term, &Role::Follower));
        assert!(core.take_output().reset_election_timer);
    }
}

//= install.newer
/// The same if its snapshot is older than ours. Its last entry is one of ours, as far as we can know: there
/// its term is no later than that of what we have forgotten. (Figure 2, Rules for all servers)
#[test]
fn an_old_snapshot_is_a_word_of_the_leader_too() {
    for last in [(9, 4), (9, 3), (10, 4), (11, 4)] {
        let mut core = core_behind(place(10, 4), 0, 3, 5, &[4, 5]);
        core.append_entries(&append(5, 1, (12, 5), &[], 11));
        core.take_output();
        let (log, snapshot) = (core.log().clone(), core.snapshot().clone());
        assert_eq!(core.install_snapshot(&install(7, 1, last)).term, 7, "{last:?}");
        assert_eq!((core.term(), core.commit_index()), (7, 11), "{last:?}");
        assert_eq!((core.log(), core.snapshot()), (&log, &snapshot), "{last:?}");
        let Output { reset_election_timer, installed, committed, .. } = core.take_output();
        assert_eq!((reset_election_timer, installed, committed), (true, None, None), "{last:?}");
    }
}

/// A snapshot of what comes behind all that is committed here may end in the very term that this ends in.
/// (Figure 13, 7 and 8)
#[test]
fn a_snapshot_may_end_in_the_term_of_what_is_committed() {
    let mut core = core(0, 3, 5, &[1, 3]);
    core.append_entries(&append(5, 1, (2, 3), &[], 2));
    core.take_output();
    core.install_snapshot(&install(5, 1, (7, 3)));
    has_only(&core, place(7, 3));
}
