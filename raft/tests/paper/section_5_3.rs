//! Log replication.

use raft::rules::{Core, Ticket};
use raft::{AppendEntriesArgs, Conflict};

use crate::common::{append, core, entries, entry, terms};
use crate::harness::{Cluster, Payload, accepted, appends, between, from_to, leader, progress};

/// What one message carries at most: commands, and so much more for each.
const MESSAGE_LIMIT: usize = 1 << 20;
const ENTRY_OVERHEAD: usize = 48;

/// The log that a follower of term 6 has after an AppendEntries that it accepts.
fn after(has: &[u64], args: &AppendEntriesArgs) -> (Vec<u64>, Option<u64>) {
    let mut core = core(0, 3, 6, has);
    assert!(core.append_entries(args).success, "{has:?} refuses {args:?}");
    (terms(core.log()), core.take_output().unsaved.log_from)
}

/// The leader appends a command to its log, sends it to all others in parallel, commits it once a
/// majority holds it, and tells the others with its next message. (5.3)
#[test]
fn a_command_is_committed_once_a_majority_holds_it() {
    for (servers, needed) in [(2, 2), (3, 2), (4, 3), (5, 3)] {
        let mut cluster = Cluster::new(servers);
        cluster.elect(0);
        assert_eq!(cluster.propose(0), 1);
        assert_eq!(cluster.network().len(), servers - 1, "sent to all others at once");
        for holders in 2..=needed {
            assert_eq!(cluster.core(0).commit_index(), 0, "{} of {servers} hold it", holders - 1);
            cluster.deliver_where(between(0, holders - 1));
        }
        assert_eq!(cluster.core(0).commit_index(), 1, "{needed} of {servers} hold it");
        cluster.deliver_all();
        assert_eq!(cluster.core(1).commit_index(), 0, "nobody has told it");
        cluster.heartbeat(0);
        cluster.deliver_all();
        assert_eq!(cluster.commits(), vec![1; servers]);
    }
}

//= lab.alone
/// The majority of one server is itself. (5.3)
#[test]
fn a_server_that_is_alone_commits_a_command_at_once() {
    let mut cluster = Cluster::new(1);
    cluster.elect(0);
    assert_eq!((cluster.propose(0), cluster.core(0).commit_index()), (1, 1));
}

/// Only a leader takes commands. (5.1, 5.3)
#[test]
fn followers_and_candidates_take_no_commands() {
    let mut core = core(0, 3, 2, &[2]);
    assert_eq!(core.propose("x".into()), None);
    core.election_timeout();
    assert_eq!(core.propose("x".into()), None);
    assert_eq!(terms(core.log()), [2]);
}

/// A follower whose log lacks the entry before the new ones refuses them, and says where its log
/// ends or where the term that conflicts begins. (5.3)
#[test]
fn a_follower_refuses_entries_that_do_not_join_its_log() {
    let has = [1, 1, 4, 4, 4];
    let cases = [
        ((6, 5), None, 6),
        ((9, 5), None, 6),
        ((5, 5), Some(4), 3),
        ((3, 1), Some(4), 3),
        ((2, 3), Some(1), 1),
    ];
    for (prev, term, index) in cases {
        let mut core = core(0, 3, 6, &has);
        let reply = core.append_entries(&append(6, 1, prev, &[6], 9));
        assert_eq!((reply.success, reply.conflict), (false, Some(Conflict { term, index })));
        assert_eq!((terms(core.log()), core.commit_index()), (has.to_vec(), 0), "after {prev:?}");
    }
}

/// New entries go behind those that agree; what conflicts goes, with all that follows it. (5.3)
#[test]
fn a_follower_takes_the_leaders_entries_in_place_of_its_own() {
    assert_eq!(after(&[], &append(6, 1, (0, 0), &[4, 6], 0)), (vec![4, 6], Some(1)));
    assert_eq!(after(&[1, 1], &append(6, 1, (2, 1), &[6], 0)), (vec![1, 1, 6], Some(3)));
    assert_eq!(after(&[1, 2, 2, 2], &append(6, 1, (1, 1), &[6], 0)), (vec![1, 6], Some(2)));
    let args = append(6, 1, (1, 1), &[2, 6, 6], 0);
    assert_eq!(after(&[1, 2, 2, 2, 2], &args), (vec![1, 2, 6, 6], Some(3)));
}

/// An AppendEntries without entries says nothing about what comes after `prev`. (5.3)
#[test]
fn a_heartbeat_does_not_shorten_the_log() {
    for prev in [(0, 0), (2, 1), (4, 3)] {
        let heartbeat = append(6, 1, prev, &[], 0);
        assert_eq!(after(&[1, 1, 3, 3], &heartbeat), (vec![1, 1, 3, 3], None));
    }
}

//= append.conflict
/// A request that was under way for long brings entries the follower has; those it took since stay.
/// (5.3, Figure 2: an *existing entry that conflicts*)
#[test]
fn an_old_append_entries_does_not_remove_newer_entries() {
    let mut cluster = Cluster::new(3);
    cluster.elect(0);
    cluster.propose(0);
    let old = cluster.take(from_to(0, 1)).remove(0);
    cluster.heartbeat(0);
    cluster.deliver_all();
    cluster.propose(0);
    cluster.deliver_all();
    cluster.heartbeat(0);
    cluster.deliver_all();
    assert_eq!((cluster.terms(1), cluster.core(1).commit_index()), (vec![1, 1], 2));
    cluster.deliver(old.clone());
    cluster.deliver_all();
    assert_eq!((cluster.terms(1), cluster.core(1).commit_index()), (vec![1, 1], 2));
    // The same if nothing is committed yet.
    let args = append(6, 1, (1, 1), &[3], 0);
    assert_eq!(after(&[1, 3, 3, 6], &args), (vec![1, 3, 3, 6], None));
}

/// Entries that are there with the right term are left alone, down to the bytes to save. (5.3)
#[test]
fn entries_that_are_there_already_are_not_saved_again() {
    assert_eq!(after(&[1, 3, 6], &append(6, 1, (1, 1), &[3, 6], 0)), (vec![1, 3, 6], None));
    assert_eq!(
        after(&[1, 3, 6], &append(6, 1, (0, 0), &[1, 3, 6, 6], 0)),
        (vec![1, 3, 6, 6], Some(4))
    );
}

/// A follower commits what the leader has committed and this message vouches for. Entries behind
/// it may be another leader's. (5.3, Figure 2: AppendEntries, receiver 5)
#[test]
fn a_follower_commits_up_to_the_last_new_entry_at_most() {
    let cases = [
        (append(6, 1, (2, 1), &[6, 6], 3), 3),
        (append(6, 1, (2, 1), &[6, 6], 4), 4),
        (append(6, 1, (2, 1), &[6, 6], 9), 4),
        (append(6, 1, (1, 1), &[], 9), 1),
        (append(6, 1, (2, 1), &[], 1), 1),
        (append(6, 1, (0, 0), &[1], 9), 1),
    ];
    for (args, commit) in cases {
        let mut core = core(0, 3, 6, &[1, 1, 3, 3, 3]);
        assert!(core.append_entries(&args).success);
        assert_eq!(core.commit_index(), commit, "after {args:?}");
        assert_eq!(core.take_output().committed, Some(1..=commit));
    }
}

//= state.commit-grows
/// A leader that has committed less is no reason to forget. (5.3)
#[test]
fn a_follower_s_commit_index_never_goes_back() {
    let mut core = core(0, 3, 6, &[1, 1]);
    core.append_entries(&append(6, 1, (2, 1), &[], 2));
    core.append_entries(&append(6, 1, (2, 1), &[6], 1));
    assert_eq!(core.commit_index(), 2);
}

//= leaders.own-log
/// The leader's log only grows, whatever the followers say. (5.3: Leader Append-Only)
#[test]
fn a_leader_keeps_its_own_entries() {
    let mut cluster = Cluster::with_logs(&[(6, &[1, 6, 6]), (6, &[1, 1, 1, 1, 4]), (6, &[])]);
    cluster.elect(0);
    cluster.propose(0);
    cluster.heartbeat(0);
    cluster.deliver_all();
    for server in 0..3 {
        assert_eq!(cluster.terms(server), [1, 6, 6, 7], "server {server}");
    }
}

/// Commands that come while a message with entries is unanswered wait for its reply, and then go
/// together. (5.3; the crate's stated deviation)
#[test]
fn commands_that_come_during_a_round_share_the_next_one() {
    let mut cluster = Cluster::new(2);
    cluster.elect(0);
    for _ in 0..3 {
        cluster.propose(0);
    }
    assert_eq!(cluster.network().len(), 1);
    cluster.deliver_where(from_to(0, 1));
    cluster.deliver_where(from_to(1, 0));
    assert_eq!(cluster.network().len(), 1);
    let rest = cluster.take(|_| true).remove(0);
    cluster.deliver(rest);
    cluster.deliver_all();
    assert_eq!((cluster.terms(1), cluster.core(0).commit_index()), (vec![1; 3], 3));
}

/// Lost entries, lost replies: the leader sends again with the next heartbeat, for ever. A reply
/// that never comes holds up nothing else. (5.3)
#[test]
fn the_leader_sends_again_until_it_is_answered() {
    let mut cluster = Cluster::new(3);
    cluster.elect(0);
    cluster.propose(0);
    for _ in 0..3 {
        // To 1 requests are lost, from 2 replies.
        assert_eq!(cluster.take(from_to(0, 1)).len(), 1);
        cluster.deliver_where(from_to(0, 2));
        assert_eq!(cluster.take(from_to(2, 0)).len(), 1);
        cluster.heartbeat(0);
    }
    assert_eq!((cluster.core(0).commit_index(), cluster.terms(2)), (0, vec![1]));
    cluster.deliver_all();
    assert_eq!((cluster.core(0).commit_index(), cluster.terms(1)), (1, vec![1]));
}

//= leaders.success
/// The answer to a first sending that comes after the second one counts: the follower holds the
/// entries. (5.3)
#[test]
fn a_late_success_counts_and_success_never_takes_back() {
    let (mut core, first) = leader(3, 1, &[1]);
    core.append_reply(1, first[0].2, &accepted(2));
    core.propose("a".into());
    let one = ticket_to(1, &mut core);
    core.propose("b".into());
    core.heartbeat_timeout();
    let two = ticket_to(1, &mut core);
    assert_eq!(((one.prev, one.count), (two.prev, two.count)), ((1, 1), (2, 1)));
    core.append_reply(1, two, &accepted(2));
    assert_eq!((progress(&core, 1).matched, core.commit_index()), (3, 3));
    core.append_reply(1, one, &accepted(2));
    assert_eq!(
        (progress(&core, 1).matched, progress(&core, 1).next, core.commit_index()),
        (3, 4, 3)
    );
}

/// Once a call has failed, its message is not waited for any longer: new entries go at once. (5.3)
#[test]
fn a_failed_call_makes_room_for_the_next_one() {
    let (mut core, first) = leader(3, 1, &[1]);
    core.propose("a".into());
    assert!(appends(&mut core).is_empty(), "the heartbeat is under way");
    core.append_failed(1, first[0].2);
    let sent = appends(&mut core);
    let to_1 = append(2, 0, (1, 1), &[], 0);
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].0, sent[0].1.prev_log_index), (1, to_1.prev_log_index));
    assert_eq!(sent[0].1.entries.len(), 1);
    // A second word about the first call says nothing about this one.
    core.append_failed(1, first[0].2);
    assert_eq!(progress(&core, 1).awaiting, Some(sent[0].2));
}

fn ticket_to(peer: usize, core: &mut Core) -> Ticket {
    let sent = appends(core);
    sent.iter().find(|(to, ..)| *to == peer).expect("there is something to send").2
}

/// A message carries as many entries as fit, one at least, and the rest follows when it is answered.
/// (5.3; the limit is the crate's)
#[test]
fn entries_are_split_at_the_message_limit() {
    let half = MESSAGE_LIMIT / 2 - ENTRY_OVERHEAD;
    let sizes = [half, half, 1, half + 1, half + 1, 3 * MESSAGE_LIMIT, 7, half];
    let mut cluster = Cluster::new(2);
    cluster.elect(0);
    cluster.step(0, |core| {
        for size in sizes {
            core.propose(vec![b'x'; size].into());
        }
    });
    let mut rounds = Vec::new();
    while let Some(message) = cluster.take(from_to(0, 1)).pop() {
        if let Payload::Append(args, _) = &message.payload {
            rounds.push(args.entries.len());
        }
        assert!(rounds.len() <= sizes.len(), "messages without entries for ever: {rounds:?}");
        cluster.deliver(message);
        cluster.deliver_where(from_to(1, 0));
    }
    assert_eq!(rounds, [2, 2, 1, 1, 2]);
    assert_eq!((cluster.terms(1).len(), cluster.core(0).commit_index()), (8, 8));
}

/// Commands without content take room as well. (5.3; the limit is the crate's)
#[test]
fn empty_commands_have_a_limit_too() {
    let (mut core, first) = leader(2, 1, &[]);
    core.append_reply(1, first[0].2, &accepted(2));
    for _ in 0..100_000 {
        core.propose("".into());
    }
    let sent = appends(&mut core).remove(0).1;
    assert_eq!(sent.entries.len(), MESSAGE_LIMIT / ENTRY_OVERHEAD);
}

/// Two logs that agree on an entry agree on all before it; so what a follower accepts behind `prev`
/// makes its log the leader's up to there. (5.3: Log Matching)
#[test]
fn what_is_accepted_equals_the_leaders_log() {
    let theirs = entries(1, &[1, 1, 4, 4, 5, 5, 6, 6]);
    for prev in 0..8 {
        let prev_term = theirs[..prev].last().map_or(0, |entry| entry.term);
        let mut core = core(0, 3, 6, &[1, 1, 4, 4, 5, 5, 5, 5, 5]);
        let mut args = append(6, 1, (prev as u64, prev_term), &[], 0);
        args.entries = theirs[prev..].to_vec();
        let accepted = core.append_entries(&args).success;
        assert_eq!(accepted, prev <= 6, "behind entry {prev}");
        if accepted {
            assert_eq!(core.log().entries(), theirs);
        }
    }
    assert_eq!(theirs[7], entry(6, 8));
}
