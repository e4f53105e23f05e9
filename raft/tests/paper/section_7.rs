//! Log compaction (paper, section 7): who forgets what, and how followers come by what was forgotten.

use bytes::Bytes;
use raft::rules::{Core, InstallTicket, Output, Request, Ticket, Unsaved};
use raft::{
    AppendEntriesArgs, AppendEntriesReply, Conflict, InstallSnapshotArgs, InstallSnapshotReply,
    Place, RequestVoteReply,
};

use crate::common::{append, core, core_behind, install, request_vote, snapshot, terms};
use crate::harness::{Cluster, Message, Payload, accepted, appends, between, from_to, progress};

const BASE: Place = Place { index: 10, term: 4 };

/// Server 0 of 3 leads term 7 with the entries 11 to 13 of terms 4, 5 and 5, of which it has a snapshot
/// up to 10; and its first heartbeat to server 1.
fn leader() -> (Core, Ticket) {
    let mut core = core_behind(BASE, 0, 3, 6, &[4, 5, 5]);
    core.election_timeout();
    core.vote_reply(1, 7, &RequestVoteReply { term: 7, vote_granted: true });
    let first = appends(&mut core).remove(0).2;
    (core, first)
}

/// What a core sends server 1 at the end of a round.
#[derive(Debug, Default)]
struct Sent {
    appends: Vec<(AppendEntriesArgs, Ticket)>,
    installs: Vec<(InstallSnapshotArgs, InstallTicket)>,
}

fn sent(core: &mut Core) -> Sent {
    core.replicate();
    let mut sent = Sent::default();
    for (to, request) in core.take_output().requests {
        match request {
            Request::Append(args, ticket) if to == 1 => sent.appends.push((args, ticket)),
            Request::Install(args, ticket) if to == 1 => sent.installs.push((args, ticket)),
            _ => {}
        }
    }
    sent
}

/// Server 1 has no entry behind this index.
fn ends_before(index: u64) -> AppendEntriesReply {
    let conflict = Some(Conflict { term: None, index });
    AppendEntriesReply { term: 7, success: false, conflict }
}

/// A leader whose snapshot is under way to server 1.
fn installing() -> (Core, InstallTicket) {
    let (mut core, first) = leader();
    core.append_reply(1, first, &ends_before(5));
    let (_, ticket) = sent(&mut core).installs.remove(0);
    (core, ticket)
}

/// A heartbeat to server 1, which it answers like this.
fn heartbeat(core: &mut Core, reply: &AppendEntriesReply) -> AppendEntriesArgs {
    core.heartbeat_timeout();
    let (args, ticket) = sent(core).appends.remove(0);
    core.append_reply(1, ticket, reply);
    args
}

/// "Each server takes snapshots independently, covering just the committed entries in its log." (7)
#[test]
fn a_server_forgets_what_its_service_has_in_a_snapshot() {
    let mut core = core(0, 3, 6, &[1, 1, 4, 5]);
    core.append_entries(&append(6, 1, (4, 5), &[], 3));
    core.take_output();
    core.take_snapshot(2, "two".into());
    assert_eq!(core.log().base(), Place { index: 2, term: 1 });
    assert_eq!((terms(core.log()), core.commit()), (vec![4, 5], 3));
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

/// "the leader must occasionally send snapshots to followers that lag behind. This happens when the
/// leader has already discarded the next log entry that it needs to send". (7)
#[test]
fn a_follower_that_lacks_what_was_forgotten_is_sent_the_snapshot() {
    // Its log is too short; it has a term there that ours does not have; the base is another one.
    for (term, index) in [(None, 5), (None, 10), (Some(3), 8), (Some(6), 9), (Some(2), 1)] {
        let (mut core, first) = leader();
        let conflict = Some(Conflict { term, index });
        core.append_reply(1, first, &AppendEntriesReply { term: 7, success: false, conflict });
        let Sent { appends, installs } = sent(&mut core);
        let (args, _) = &installs[0];
        assert_eq!((args, installs.len()), (&install(7, 0, (10, 4)), 1), "{term:?} from {index}");
        // Entries would be refused.
        assert!(appends.is_empty());
        assert_eq!((progress(&core, 1).next, progress(&core, 1).matched), (11, 0));
    }
}

/// A follower is helped with entries as long as they are there. (End of 5.3)
#[test]
fn a_follower_that_lacks_only_what_is_there_gets_entries() {
    for (term, index) in [(None, 11), (None, 12), (Some(4), 2)] {
        let (mut core, first) = leader();
        let conflict = Some(Conflict { term, index });
        core.append_reply(1, first, &AppendEntriesReply { term: 7, success: false, conflict });
        let Sent { appends, installs } = sent(&mut core);
        assert_eq!((appends.len(), installs.len()), (1, 0), "{term:?} from {index}");
    }
}

/// It shares the bytes with whoever has them.
#[test]
fn a_snapshot_is_not_copied() {
    let mut core = core(0, 3, 6, &[1, 1]);
    core.append_entries(&append(6, 1, (2, 1), &[], 2));
    core.take_output();
    let data = Bytes::from(vec![7; 100]);
    core.take_snapshot(2, data.clone());
    core.election_timeout();
    core.vote_reply(1, 7, &RequestVoteReply { term: 7, vote_granted: true });
    let (_, _, first) = appends(&mut core).remove(0);
    core.append_reply(1, first, &ends_before(1));
    let (args, _) = sent(&mut core).installs.remove(0);
    assert_eq!((args.data.as_ptr(), core.snapshot().as_ptr()), (data.as_ptr(), data.as_ptr()));
    let mut follower = self::core(1, 3, 6, &[]);
    follower.install_snapshot(&args);
    let installed = follower.take_output().installed.unwrap().data;
    assert_eq!((installed.as_ptr(), follower.snapshot().as_ptr()), (data.as_ptr(), data.as_ptr()));
}

/// After the snapshot the follower goes on with the entry behind it.
#[test]
fn what_follows_a_snapshot_is_sent_as_entries() {
    let (mut core, ticket) = installing();
    core.install_reply(1, ticket, &InstallSnapshotReply { term: 7 });
    let Sent { appends, installs } = sent(&mut core);
    let args = &appends[0].0;
    assert_eq!((args.prev_log_index, args.prev_log_term, args.entries.len()), (10, 4, 3));
    assert_eq!((appends.len(), installs.len()), (1, 0));
    let progress = progress(&core, 1);
    assert_eq!((progress.next, progress.matched), (14, 10));
}

/// While a snapshot is under way there are heartbeats, and nothing else, however the follower answers
/// and whatever commands come.
#[test]
fn one_snapshot_is_under_way_at_a_time() {
    let (mut core, ticket) = installing();
    for _ in 0..15 {
        let args = heartbeat(&mut core, &ends_before(5));
        assert_eq!((args.prev_log_index, args.entries.len()), (10, 0));
        core.propose("x".into());
        let Sent { appends, installs } = sent(&mut core);
        assert!(appends.is_empty() && installs.is_empty(), "{appends:?} {installs:?}");
    }
    core.install_reply(1, ticket, &InstallSnapshotReply { term: 7 });
    assert_eq!(sent(&mut core).appends[0].0.entries.len(), 3 + 15);
}

/// Another follower does not wait for it.
#[test]
fn others_do_not_wait_for_a_snapshot() {
    let (mut core, _) = installing();
    core.propose("x".into());
    core.heartbeat_timeout();
    let append = |(to, args, ticket): &(usize, AppendEntriesArgs, Ticket)| {
        (*to == 2).then(|| (args.clone(), *ticket))
    };
    let (args, ticket) = appends(&mut core).iter().find_map(append).unwrap();
    assert_eq!(args.prev_log_index, 13);
    core.append_reply(2, ticket, &accepted(7));
    core.heartbeat_timeout();
    let (_, ticket) = appends(&mut core).iter().find_map(append).unwrap();
    core.append_reply(2, ticket, &accepted(7));
    assert_eq!(core.commit(), 14);
}

/// What was lost is sent again when the follower has answered once more, and not before.
#[test]
fn a_snapshot_that_failed_waits_for_a_sign_of_life() {
    let (mut core, ticket) = installing();
    core.install_failed(1, ticket);
    for _ in 0..20 {
        core.heartbeat_timeout();
        let Sent { appends, installs } = sent(&mut core);
        assert_eq!((appends.len(), installs.len()), (1, 0));
        core.append_failed(1, appends[0].1);
    }
    heartbeat(&mut core, &ends_before(5));
    assert_eq!(sent(&mut core).installs.len(), 1);
}

/// The call may take long to fail, and the follower be back sooner.
#[test]
fn a_snapshot_counts_as_lost_when_many_later_heartbeats_were_refused() {
    let (mut core, first) = installing();
    for refused in 1..=16 {
        assert!(sent(&mut core).installs.is_empty(), "after {refused}");
        heartbeat(&mut core, &ends_before(5));
    }
    let again = sent(&mut core).installs.remove(0).1;
    assert_ne!(first, again);
    // The first one has arrived after all; its reply is as good as the other's.
    core.install_reply(1, first, &InstallSnapshotReply { term: 7 });
    assert_eq!(sent(&mut core).appends[0].0.entries.len(), 3);
    core.install_failed(1, again);
    core.heartbeat_timeout();
    assert_eq!(sent(&mut core).appends.len(), 1);
}

/// Heartbeats that were sent before the snapshot say nothing about it.
#[test]
fn refusals_from_before_a_snapshot_do_not_count() {
    let (mut core, first) = leader();
    let mut old = Vec::new();
    for _ in 0..40 {
        core.heartbeat_timeout();
        old.push(sent(&mut core).appends.remove(0).1);
    }
    core.append_reply(1, first, &ends_before(5));
    assert_eq!(sent(&mut core).installs.len(), 1);
    for ticket in old {
        core.append_reply(1, ticket, &ends_before(5));
        assert!(sent(&mut core).installs.is_empty());
    }
}

/// The follower has it, and only the reply is lost or late.
#[test]
fn an_accepted_heartbeat_says_that_the_snapshot_has_arrived() {
    let (mut core, ticket) = installing();
    let args = heartbeat(&mut core, &accepted(7));
    assert_eq!(args.prev_log_index, 10);
    assert_eq!(sent(&mut core).appends[0].0.entries.len(), 3);
    let before = progress(&core, 1).clone();
    core.install_failed(1, ticket);
    core.install_reply(1, ticket, &InstallSnapshotReply { term: 7 });
    assert_eq!(progress(&core, 1), &before, "a late reply is no news");
}

/// Late replies never take nextIndex or matchIndex back.
#[test]
fn a_reply_to_an_old_snapshot_changes_nothing() {
    let (mut core, old) = installing();
    heartbeat(&mut core, &accepted(7));
    let (_, ticket) = sent(&mut core).appends.remove(0);
    core.append_reply(1, ticket, &accepted(7));
    let before = progress(&core, 1).clone();
    assert_eq!((before.next, before.matched), (14, 13));
    core.install_reply(1, old, &InstallSnapshotReply { term: 7 });
    assert_eq!(progress(&core, 1), &before);
}

/// More is forgotten while a snapshot is under way: the leader asks whether the follower lacks it.
#[test]
fn a_snapshot_that_is_outdated_when_it_arrives_is_followed_by_a_question() {
    let (mut core, ticket) = installing();
    core.propose("x".into());
    for _ in 0..2 {
        core.heartbeat_timeout();
        let to_2 = appends(&mut core).into_iter().find(|(to, ..)| *to == 2).unwrap();
        core.append_reply(2, to_2.2, &accepted(7));
    }
    assert_eq!(core.commit(), 14);
    core.take_output();
    core.take_snapshot(14, snapshot(Place { index: 14, term: 7 }));
    core.install_reply(1, ticket, &InstallSnapshotReply { term: 7 });
    assert_eq!((progress(&core, 1).next, progress(&core, 1).matched), (15, 10));
    let Sent { appends, installs } = sent(&mut core);
    assert_eq!((appends[0].0.prev_log_index, installs.len()), (14, 0));
    core.append_reply(1, appends[0].1, &ends_before(11));
    assert_eq!(sent(&mut core).installs[0].0, install(7, 0, (14, 7)));
}

/// A reply of a later term ends the leadership, and one to what an earlier term sent says nothing.
/// (Figure 2, Rules for all servers)
#[test]
fn replies_to_snapshots_have_terms_like_all_others() {
    let (mut core, ticket) = installing();
    core.install_reply(1, ticket, &InstallSnapshotReply { term: 8 });
    assert_eq!((core.term(), core.is_leader()), (8, false));
    core.election_timeout();
    core.vote_reply(2, 9, &RequestVoteReply { term: 9, vote_granted: true });
    assert!(core.is_leader());
    let before = progress(&core, 1).clone();
    core.install_reply(1, ticket, &InstallSnapshotReply { term: 9 });
    core.install_failed(1, ticket);
    assert_eq!(progress(&core, 1), &before);
}

/// What a follower was sent and has not answered may be lost, and forgotten meanwhile.
#[test]
fn entries_that_are_lost_after_they_were_forgotten_lead_to_a_snapshot() {
    let mut cluster = Cluster::new(3);
    cluster.elect(0);
    let put = |cluster: &mut Cluster| {
        cluster.propose(0);
        cluster.deliver_where(between(0, 2));
    };
    put(&mut cluster);
    cluster.lose(from_to(0, 1));
    (0..3).for_each(|_| put(&mut cluster));
    cluster.heartbeat(0);
    cluster.lose(from_to(0, 1));
    cluster.snapshot(0, 4);
    cluster.heartbeat(0);
    cluster.deliver_all();
    assert_eq!(cluster.core(1).log().base(), Place { index: 4, term: 1 });
    assert_eq!(cluster.commits(), [4, 4, 4]);
}

/// A leader whose follower 1 has everything up to 13 and was sent 14, which is committed without it and
/// forgotten; and what it was sent.
fn forgotten_under_way() -> (Core, Ticket) {
    let (mut core, first) = leader();
    // The first heartbeats of both followers are alike.
    (1..3).for_each(|follower| core.append_reply(follower, first, &accepted(7)));
    core.propose("x".into());
    let sent = appends(&mut core);
    assert_eq!(sent.iter().map(|(to, ..)| *to).collect::<Vec<_>>(), [1, 2]);
    core.append_reply(2, sent[1].2, &accepted(7));
    assert_eq!(core.commit(), 14);
    core.take_output();
    core.take_snapshot(14, snapshot(Place { index: 14, term: 7 }));
    (core, sent[0].2)
}

/// The follower is asked by a heartbeat before it is sent more entries, which it may have to refuse.
#[test]
fn what_follows_forgotten_entries_that_were_lost_waits_for_an_answer() {
    let (mut core, ticket) = forgotten_under_way();
    core.append_failed(1, ticket);
    core.heartbeat_timeout();
    core.propose("y".into());
    let (args, _) = sent(&mut core).appends.remove(0);
    assert_eq!((args.prev_log_index, args.entries.len()), (14, 0));
}

/// If it arrives, nothing is missing.
#[test]
fn entries_under_way_may_be_forgotten() {
    let (mut core, ticket) = forgotten_under_way();
    core.append_reply(1, ticket, &accepted(7));
    core.propose("y".into());
    let Sent { appends, installs } = sent(&mut core);
    assert_eq!((appends[0].0.prev_log_index, appends[0].0.entries.len()), (14, 1));
    assert!(installs.is_empty());
}

/// A follower that has taken all it was sent, and yet lacks what was committed and forgotten meanwhile,
/// needs no further question.
#[test]
fn a_follower_that_was_overtaken_is_sent_the_snapshot_at_once() {
    let mut cluster = Cluster::new(3);
    cluster.elect(0);
    cluster.propose(0);
    let slow = cluster.take(from_to(0, 1));
    cluster.deliver_where(between(0, 2));
    // What comes now waits for the follower's answer.
    cluster.propose(0);
    cluster.deliver_where(between(0, 2));
    cluster.snapshot(0, 2);
    cluster.put_back(slow);
    cluster.deliver_all();
    assert_eq!((cluster.commits(), cluster.installed()), (vec![2, 2, 1], 1));
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
    assert_eq!((after.commit(), after.log().base().index), (7, 6));
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
        assert_eq!(cluster.core(server).commit(), 4);
        assert_eq!(cluster.core(server).log().base().index, 4);
    }
    cluster.elect(1);
    assert_eq!(cluster.propose(1), 5);
    cluster.deliver_all();
    cluster.heartbeat(1);
    cluster.deliver_all();
    assert_eq!(cluster.commits(), [5, 5, 5]);
}

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
