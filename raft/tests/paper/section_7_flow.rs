//! How a leader sends snapshots (paper, section 7): to whom, when, how often, and what it makes of the
//! answers.

use bytes::Bytes;
use raft::rules::{Core, InstallTicket, Request, Ticket};
use raft::{
    AppendEntriesArgs, AppendEntriesReply, Conflict, InstallSnapshotArgs, InstallSnapshotReply,
    Place, RequestVoteReply,
};

use crate::common::{append, core, core_behind, install, snapshot};
use crate::harness::{Cluster, accepted, appends, between, from_to, progress};

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

//= snapshot.send
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

//= snapshot.send
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

/// If there is none, the leader has nothing to say until the next heartbeat.
#[test]
fn a_snapshot_of_everything_is_followed_by_nothing() {
    let mut core = core_behind(BASE, 0, 3, 6, &[]);
    core.election_timeout();
    core.vote_reply(1, 7, &RequestVoteReply { term: 7, vote_granted: true });
    let first = appends(&mut core).remove(0).2;
    core.append_reply(1, first, &ends_before(5));
    let (_, ticket) = sent(&mut core).installs.remove(0);
    core.install_reply(1, ticket, &InstallSnapshotReply { term: 7 });
    assert_eq!((progress(&core, 1).next, progress(&core, 1).matched), (11, 10));
    let Sent { appends, installs } = sent(&mut core);
    assert!(appends.is_empty() && installs.is_empty(), "{appends:?} {installs:?}");
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
    assert_eq!(core.commit_index(), 14);
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

/// The one that counted as lost ends at last. That says nothing about the one that is under way since.
#[test]
fn the_end_of_an_older_snapshot_is_not_that_of_the_one_under_way() {
    let (mut core, first) = installing();
    (0..16).for_each(|_| drop(heartbeat(&mut core, &ends_before(5))));
    let again = sent(&mut core).installs.remove(0).1;
    core.install_failed(1, first);
    heartbeat(&mut core, &ends_before(5));
    assert!(sent(&mut core).installs.is_empty(), "the second one is under way still");
    core.install_failed(1, again);
    heartbeat(&mut core, &ends_before(5));
    assert_eq!(sent(&mut core).installs.len(), 1, "none is under way");
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
    assert_eq!(core.commit_index(), 14);
    core.take_output();
    core.take_snapshot(14, snapshot(Place { index: 14, term: 7 }));
    core.install_reply(1, ticket, &InstallSnapshotReply { term: 7 });
    assert_eq!((progress(&core, 1).next, progress(&core, 1).matched), (15, 10));
    let Sent { appends, installs } = sent(&mut core);
    assert_eq!((appends[0].0.prev_log_index, installs.len()), (14, 0));
    core.append_reply(1, appends[0].1, &ends_before(11));
    assert_eq!(sent(&mut core).installs[0].0, install(7, 0, (14, 7)));
}

//= all.newer-term, all.stale-reply
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
    for term in [7, 9] {
        core.install_reply(1, ticket, &InstallSnapshotReply { term });
    }
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
    assert_eq!(core.commit_index(), 14);
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

/// After a snapshot that failed only an answer to what was sent later counts. Others may tell of before.
#[test]
fn answers_to_what_was_sent_before_a_snapshot_do_not_bring_the_next_one() {
    let (mut core, first) = leader();
    (1..3).for_each(|follower| core.append_reply(follower, first, &accepted(7)));
    // Server 2 takes what it is sent. Entry 14 is under way to server 1, with two heartbeats behind it.
    let round = |core: &mut Core| {
        let mut to_1 = None;
        for (to, _, ticket) in appends(core) {
            match to {
                1 => to_1 = Some(ticket),
                _ => core.append_reply(2, ticket, &accepted(7)),
            }
        }
        to_1
    };
    core.propose("x".into());
    round(&mut core);
    let [overtakes, second] = [(); 2].map(|()| {
        core.heartbeat_timeout();
        round(&mut core).expect("a heartbeat")
    });
    core.propose("y".into());
    assert_eq!((round(&mut core), overtakes.prev, core.commit_index()), (None, 14, 15));
    core.take_output();
    core.take_snapshot(15, snapshot(Place { index: 15, term: 7 }));
    // The first one has come before the entry.
    core.append_reply(1, overtakes, &ends_before(14));
    let (_, ticket) = sent(&mut core).installs.remove(0);
    core.install_failed(1, ticket);
    for answer in [ends_before(14), accepted(7)] {
        let mut core = core.clone();
        core.append_reply(1, second, &answer);
        let installs = sent(&mut core).installs;
        assert!(installs.is_empty(), "{installs:?} after {answer:?}");
        heartbeat(&mut core, &ends_before(15));
        assert_eq!(sent(&mut core).installs.len(), 1);
    }
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

/// A follower that was sent all that is forgotten is sent what follows as before.
#[test]
fn forgetting_what_a_follower_was_sent_does_not_hold_up_what_follows() {
    let (mut core, ticket) = forgotten_under_way();
    core.append_reply(1, ticket, &accepted(7));
    core.propose("y".into());
    core.heartbeat_timeout();
    let (args, _) = sent(&mut core).appends.remove(0);
    assert_eq!((args.prev_log_index, args.entries.len()), (14, 1));
    // The same if it has not answered yet.
    let (mut core, _) = forgotten_under_way();
    core.propose("y".into());
    core.heartbeat_timeout();
    let (args, _) = sent(&mut core).appends.remove(0);
    assert_eq!((args.prev_log_index, args.entries.len()), (14, 1));
}
