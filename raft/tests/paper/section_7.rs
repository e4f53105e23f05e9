//! Log compaction (paper, section 7): what servers forget, what they keep, and what a snapshot is to who
//! gets it. How leaders send them is in `section_7_flow.rs`.

use bytes::Bytes;
use raft::Place;
use raft::rules::{Output, Unsaved};

use crate::common::{append, core, core_behind, install, request_vote, terms};
use crate::harness::{Cluster, Message, Payload, between, from_to};

const BASE: Place = Place { index: 10, term: 4 };

//= snapshot.committed
/// "Each server takes snapshots independently, covering just the committed entries in its log." (7)
#[test]
fn a_server_forgets_what_its_service_has_in_a_snapshot() {
    let mut core = core(0, 3, 6, &[1, 1, 4, 5]);
    core.append_entries(&append(6, 1, (4, 5), &[], 3));
    core.take_output();
    core.take_snapshot(2, "two".into());
    assert_eq!(core.log().base(), Place { index: 2, term: 1 });
    assert_eq!((terms(core.log()), core.commit_index()), (vec![4, 5], 3));
    assert_eq!(core.snapshot(), &Bytes::from("two"));
    let Output { unsaved, installed, committed, .. } = core.take_output();
    assert_eq!(unsaved, Unsaved { snapshot: true, ..Unsaved::default() });
    assert_eq!((installed, committed), (None, None), "the service has it already");
}

/// The service may be behind: what it does not know yet is from the leader.
#[test]
fn a_snapshot_that_is_not_newer_is_ignored() {
    for index in [0, 1, 9, 10] {
        let mut core = core_behind(BASE, 0, 3, 6, &[4, 5]);
        let before = format!("{core:?}");
        core.take_snapshot(index, "old".into());
        assert_eq!(format!("{core:?}"), before, "{index}");
    }
}

//= snapshot.committed
#[test]
#[should_panic(expected = "server 0: a snapshot of 3 entries, of which 2 are out")]
fn what_is_not_committed_is_in_no_snapshot() {
    let mut core = core(0, 3, 6, &[1, 1, 4, 5]);
    core.append_entries(&append(6, 1, (4, 5), &[], 2));
    core.take_output();
    core.take_snapshot(3, "three".into());
}

#[test]
#[should_panic(expected = "server 0: a snapshot of 3 entries, of which 2 are out")]
fn what_the_service_was_not_given_yet_is_in_no_snapshot() {
    let mut core = core(0, 3, 6, &[1, 1, 4, 5]);
    core.append_entries(&append(6, 1, (4, 5), &[], 2));
    core.take_output();
    core.append_entries(&append(6, 1, (4, 5), &[], 4));
    core.take_snapshot(3, "three".into());
}

#[test]
#[should_panic(expected = "server 0: the snapshot of 2 entries is empty")]
fn a_snapshot_is_not_empty() {
    let mut core = core(0, 3, 6, &[1, 1]);
    core.append_entries(&append(6, 1, (2, 1), &[], 2));
    core.take_output();
    core.take_snapshot(2, Bytes::new());
}

fn is_install(message: &Message) -> bool {
    matches!(message.payload, Payload::Install(..))
}

/// Server 1 of 3 is to get a snapshot of all up to 4, which is taken off the network.
fn with_a_snapshot_under_way() -> (Cluster, Vec<Message>) {
    let mut cluster = Cluster::new(3);
    cluster.elect(0);
    for _ in 0..4 {
        cluster.propose(0);
        cluster.deliver_where(between(0, 2));
        cluster.lose(from_to(0, 1));
    }
    cluster.snapshot(0, 4);
    cluster.heartbeat(0);
    cluster.deliver_where(|message| !is_install(message));
    let snapshot = cluster.take(is_install);
    assert_eq!(snapshot.len(), 1);
    (cluster, snapshot)
}

/// An InstallSnapshot that comes late, when the follower has long been brought up to date and beyond,
/// and one that comes twice.
#[test]
fn old_and_repeated_snapshots_do_no_harm() {
    let (mut cluster, snapshot) = with_a_snapshot_under_way();
    cluster.put_back(snapshot.clone());
    cluster.put_back(snapshot.clone());
    cluster.deliver_all();
    for _ in 0..3 {
        cluster.propose(0);
        cluster.deliver_all();
    }
    cluster.heartbeat(0);
    cluster.deliver_all();
    assert_eq!(cluster.commits(), [7, 7, 7]);
    cluster.snapshot(1, 6);
    let before = format!("{:?}", cluster.core(1));
    // The harness sees to it that the service hears nothing of it.
    cluster.put_back(snapshot);
    cluster.deliver_where(is_install);
    let after = cluster.core(1);
    assert_eq!((after.commit_index(), after.log().base().index), (7, 6));
    assert_eq!(format!("{after:?}"), before);
}

/// Entries that were committed and are to be applied, but are not yet, are in the snapshot.
#[test]
fn a_snapshot_takes_the_place_of_what_is_committed_and_not_yet_applied() {
    let mut core = core(0, 3, 5, &[1, 1]);
    core.append_entries(&append(5, 1, (2, 1), &[3, 3], 4));
    core.install_snapshot(&install(5, 1, (7, 3)));
    core.append_entries(&append(5, 1, (7, 3), &[4, 4, 5], 9));
    core.install_snapshot(&install(5, 1, (9, 4)));
    let Output { installed, committed, .. } = core.take_output();
    assert_eq!(installed.map(|snapshot| snapshot.last.index), Some(7));
    assert_eq!(committed, Some(8..=9));
    core.append_entries(&append(5, 1, (10, 5), &[5], 11));
    core.install_snapshot(&install(5, 1, (20, 5)));
    let Output { installed, committed, .. } = core.take_output();
    assert_eq!(installed.map(|snapshot| snapshot.last.index), Some(20));
    assert_eq!(committed, None);
}

//= snapshot.together
/// A server that comes back has its snapshot committed and applied, and nothing else. (7, and Figure 2,
/// State)
#[test]
fn a_server_comes_back_with_its_snapshot() {
    let (mut cluster, snapshot) = with_a_snapshot_under_way();
    cluster.put_back(snapshot);
    cluster.deliver_all();
    for server in [0, 1] {
        cluster.crash(server);
        cluster.restart(server);
        assert_eq!(cluster.core(server).commit_index(), 4);
        assert_eq!(cluster.core(server).log().base().index, 4);
    }
    cluster.elect(1);
    assert_eq!(cluster.propose(1), 5);
    cluster.deliver_all();
    cluster.heartbeat(1);
    cluster.deliver_all();
    assert_eq!(cluster.commits(), [5, 5, 5]);
}

//= snapshot.base-term
/// The base's term counts for votes and for the consistency check. (5.4.1, 5.3)
#[test]
fn the_last_included_entry_counts_as_the_last_of_the_log() {
    let mut core = core(0, 3, 6, &[1, 1, 4]);
    core.install_snapshot(&install(6, 1, (10, 5)));
    for (last, granted) in [((9, 5), false), ((10, 5), true)] {
        let mut core = core.clone();
        assert_eq!(core.request_vote(&request_vote(7, 1, last)).vote_granted, granted, "{last:?}");
    }
    assert!(core.append_entries(&append(6, 1, (10, 5), &[6], 10)).success);
    assert!(!core.append_entries(&append(6, 1, (12, 6), &[6], 10)).success);
}
