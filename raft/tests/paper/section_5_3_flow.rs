//! Log replication: what a leader sends to a follower that answers late, or not at all. (The paper
//! says only that "the leader retries AppendEntries RPCs indefinitely"; the limits are the crate's.)

use raft::rules::{Core, Ticket};
use raft::{AppendEntriesArgs, AppendEntriesReply, Conflict};

use crate::common::terms;
use crate::harness::{accepted, appends, leader, progress};

/// How large the entries may be that a follower has not answered.
const MOST: usize = 1 << 20;
const ENTRY_OVERHEAD: usize = 48;

/// A leader of term 2 with one entry, and a follower that is known to have it.
fn known_follower() -> Core {
    let (mut core, first) = leader(2, 1, &[1]);
    core.append_reply(1, first[0].2, &accepted(2));
    core
}

/// What is sent to server 1 at the end of a round.
fn sent(core: &mut Core) -> Option<(AppendEntriesArgs, Ticket)> {
    let mut sent = appends(core).into_iter().filter(|(to, ..)| *to == 1);
    let (_, args, ticket) = sent.next()?;
    assert!(sent.next().is_none(), "two at once");
    Some((args, ticket))
}

/// What goes out when the heartbeat timer has run out.
fn heartbeat(core: &mut Core) -> (AppendEntriesArgs, Ticket) {
    core.heartbeat_timeout();
    sent(core).expect("a heartbeat")
}

/// `prevLogIndex` and the number of entries.
fn place(args: &AppendEntriesArgs) -> (u64, usize) {
    (args.prev_log_index, args.entries.len())
}

fn size(args: &AppendEntriesArgs) -> usize {
    args.entries.iter().map(|entry| entry.command.len() + ENTRY_OVERHEAD).sum()
}

fn refused(term: Option<u64>, index: u64) -> AppendEntriesReply {
    AppendEntriesReply { term: 2, success: false, conflict: Some(Conflict { term, index }) }
}

//= lab.bytes
/// While its answer is out, no entry goes out again, and new ones go with the next heartbeat. (5.3)
#[test]
fn an_entry_is_sent_once_while_its_answer_is_late() {
    let mut core = known_follower();
    core.propose("a".into());
    assert_eq!(place(&sent(&mut core).unwrap().0), (1, 1));
    assert_eq!(place(&heartbeat(&mut core).0), (2, 0));
    core.propose("b".into());
    core.propose("c".into());
    assert!(sent(&mut core).is_none(), "they wait for an answer or the next heartbeat");
    assert_eq!(place(&heartbeat(&mut core).0), (2, 2));
    for _ in 0..10 {
        assert_eq!(place(&heartbeat(&mut core).0), (4, 0));
    }
}

/// A heartbeat asks for what was sent before it: its yes makes up for an answer that is late or lost.
/// (5.3)
#[test]
fn the_answer_to_a_heartbeat_makes_up_for_a_late_one() {
    let mut core = known_follower();
    core.propose("a".into());
    let late = sent(&mut core).unwrap().1;
    let beat = heartbeat(&mut core).1;
    core.append_reply(1, beat, &accepted(2));
    assert_eq!((progress(&core, 1).matched, core.commit_index()), (2, 2));
    // The late answer is no news, nor is it that its call has failed: what was sent since stays sent.
    core.propose("b".into());
    assert_eq!(place(&sent(&mut core).unwrap().0), (2, 1));
    core.append_reply(1, late, &accepted(2));
    core.append_failed(1, late);
    assert_eq!((progress(&core, 1).matched, place(&heartbeat(&mut core).0)), (2, (3, 0)));
}

/// Its no tells that what was sent before is missing: that goes out again at once. (5.3)
#[test]
fn what_a_heartbeat_shows_to_be_missing_is_sent_again_at_once() {
    let mut core = known_follower();
    core.propose("lost without a word".into());
    sent(&mut core).unwrap();
    let beats = [heartbeat(&mut core).1, heartbeat(&mut core).1];
    core.append_reply(1, beats[0], &refused(None, 2));
    assert_eq!(place(&sent(&mut core).unwrap().0), (1, 1));
    // The second no is about the same gap, which is being filled.
    core.append_reply(1, beats[1], &refused(None, 2));
    assert!(sent(&mut core).is_none());
    assert_eq!(place(&heartbeat(&mut core).0), (2, 0));
}

//= retry
/// The entries of a call that has failed go out again with the next heartbeat or command. (5.3)
#[test]
fn the_entries_of_a_failed_call_are_sent_again() {
    let mut core = known_follower();
    core.propose("a".into());
    let lost = sent(&mut core).unwrap().1;
    core.append_failed(1, lost);
    assert!(sent(&mut core).is_none(), "not at once: a peer that is away lets all calls fail");
    let (args, again) = heartbeat(&mut core);
    assert_eq!(place(&args), (1, 1));
    // A second word about the first call says nothing about this one.
    core.append_failed(1, lost);
    assert_eq!(place(&heartbeat(&mut core).0), (2, 0));
    core.append_failed(1, again);
    core.propose("b".into());
    assert_eq!(place(&sent(&mut core).unwrap().0), (1, 2));
}

/// Of two calls under way the later one fails. What the earlier one carries is still under way. (5.3)
#[test]
fn the_entries_of_an_earlier_call_are_not_sent_again_with_those_of_a_failed_one() {
    let mut core = known_follower();
    core.propose("a".into());
    assert_eq!(place(&sent(&mut core).unwrap().0), (1, 1));
    core.propose("b".into());
    let (args, later) = heartbeat(&mut core);
    assert_eq!(place(&args), (2, 1));
    core.append_failed(1, later);
    assert_eq!(place(&heartbeat(&mut core).0), (2, 1));
}

/// What the follower is known to have by now is not sent again, even if the call that has failed carried
/// it too. (5.3)
#[test]
fn what_is_known_to_be_there_is_not_sent_again_after_a_failure() {
    let mut core = known_follower();
    core.propose("a".into());
    let late = sent(&mut core).unwrap().1;
    // A heartbeat overtakes it, so the follower refuses that.
    let (_, beat) = heartbeat(&mut core);
    core.propose("b".into());
    core.append_reply(1, beat, &refused(None, 2));
    let (args, both) = sent(&mut core).unwrap();
    assert_eq!(place(&args), (1, 2));
    core.append_reply(1, late, &accepted(2));
    assert_eq!(progress(&core, 1).matched, 2);
    core.append_failed(1, both);
    assert_eq!(place(&heartbeat(&mut core).0), (2, 1));
}

/// The first entry of all is no exception: every log has the place before it, so nobody asks first. (5.3)
#[test]
fn the_first_entry_of_all_is_sent_again_too() {
    let (mut core, first) = leader(2, 1, &[]);
    core.append_reply(1, first[0].2, &accepted(2));
    core.propose("a".into());
    let (args, lost) = sent(&mut core).unwrap();
    assert_eq!(place(&args), (0, 1));
    core.append_failed(1, lost);
    assert_eq!(place(&heartbeat(&mut core).0), (0, 1));
    assert_eq!(place(&heartbeat(&mut core).0), (1, 0));
}

/// A heartbeat that has failed carried nothing: what went out since is not touched. (5.3)
#[test]
fn the_failure_of_an_empty_heartbeat_sends_nothing_again() {
    let mut core = known_follower();
    core.propose("a".into());
    sent(&mut core).unwrap();
    let (args, beat) = heartbeat(&mut core);
    assert_eq!(place(&args), (2, 0));
    core.propose("b".into());
    assert_eq!(place(&heartbeat(&mut core).0), (2, 1));
    core.append_failed(1, beat);
    assert_eq!(place(&heartbeat(&mut core).0), (3, 0));
}

/// To a follower that does not answer goes so much and no more, however much there is and however
/// long it lasts; then only heartbeats. (5.3; the limit is the crate's)
#[test]
fn a_follower_that_does_not_answer_gets_little() {
    for fails in [false, true] {
        let mut core = known_follower();
        let (mut in_vain, mut beats) = (0, 0);
        for number in 0..1_000 {
            core.propose(vec![b'x'; if number % 2 == 0 { 5_000 } else { 0 }].into());
            let early = sent(&mut core);
            for (args, ticket) in early.into_iter().chain([heartbeat(&mut core)]) {
                in_vain += size(&args);
                beats += u64::from(args.entries.is_empty());
                if fails {
                    core.append_failed(1, ticket);
                }
            }
        }
        assert!((MOST / 2..=MOST).contains(&in_vain), "{in_vain} bytes; calls fail: {fails}");
        // Heartbeats go out all the same, and one answer is enough to go on.
        assert!(beats > 500, "{beats} empty heartbeats");
        let (args, beat) = heartbeat(&mut core);
        assert_eq!(args.entries.len(), 0);
        let held = args.prev_log_index;
        match fails {
            false => core.append_reply(1, beat, &refused(None, 2)),
            true => core.append_reply(1, beat, &accepted(2)),
        }
        let (args, _) = sent(&mut core).expect("it goes on at once");
        assert_eq!(args.prev_log_index, if fails { held } else { 1 });
        assert!(size(&args) > MOST / 2);
    }
}

/// Answers to older messages do not make room for what was sent since. (5.3; the limit is the
/// crate's)
#[test]
fn only_what_was_answered_makes_room() {
    let mut core = known_follower();
    let half = || vec![b'x'; MOST / 2 - ENTRY_OVERHEAD];
    core.propose(half().into());
    let one = sent(&mut core).unwrap().1;
    core.propose(half().into());
    let (args, two) = heartbeat(&mut core);
    assert_eq!(place(&args), (2, 1));
    core.propose(half().into());
    core.propose(half().into());
    assert_eq!(place(&heartbeat(&mut core).0), (3, 0), "two halves are unanswered");
    core.append_reply(1, one, &accepted(2));
    assert_eq!(place(&heartbeat(&mut core).0), (3, 1), "one half is unanswered");
    assert_eq!(place(&heartbeat(&mut core).0), (4, 0), "two halves are unanswered");
    core.append_reply(1, two, &accepted(2));
    assert_eq!(place(&heartbeat(&mut core).0), (4, 1), "one half is unanswered");
}

/// An entry larger than the limit goes alone, when nothing else is unanswered. (5.3; the limit is the
/// crate's)
#[test]
fn an_entry_larger_than_the_limit_waits_until_all_is_answered() {
    let mut core = known_follower();
    core.propose("small".into());
    let small = sent(&mut core).unwrap().1;
    core.propose(vec![b'x'; 3 * MOST].into());
    core.propose("behind it".into());
    assert_eq!(place(&heartbeat(&mut core).0), (2, 0));
    core.append_reply(1, small, &accepted(2));
    assert_eq!(place(&heartbeat(&mut core).0), (2, 1));
    assert_eq!(place(&heartbeat(&mut core).0), (3, 0));
}

/// As long as the leader searches for the place where the follower's log departs from its own, each
/// heartbeat asks for the place it has come to, and carries nothing. (5.3)
#[test]
fn the_place_that_a_search_has_come_to_is_not_lost() {
    let (mut core, first) = leader(2, 1, &[1; 9]);
    assert_eq!(terms(core.log()), [1; 9]);
    core.propose("a".into());
    assert_eq!(place(&heartbeat(&mut core).0), (9, 0), "nothing before the first answer");
    core.append_reply(1, first[0].2, &refused(None, 6));
    assert_eq!(place(&sent(&mut core).unwrap().0), (5, 5));
    // Its answer is late. A heartbeat that asked for entry 10 would be told of another conflict,
    // behind this one.
    let (args, beat) = heartbeat(&mut core);
    assert_eq!(place(&args), (5, 0));
    core.append_reply(1, beat, &refused(Some(7), 3));
    assert_eq!(place(&sent(&mut core).unwrap().0), (2, 8));
    let (args, beat) = heartbeat(&mut core);
    assert_eq!(place(&args), (2, 0));
    core.append_reply(1, beat, &accepted(2));
    assert_eq!((progress(&core, 1).matched, place(&sent(&mut core).unwrap().0)), (2, (2, 8)));
    assert_eq!(place(&heartbeat(&mut core).0), (10, 0), "the place is found");
}

/// A search may begin again: what lies between matchIndex and the place that a follower names may be
/// another leader's. (5.3)
#[test]
fn a_conflict_behind_what_is_known_begins_a_search() {
    let mut core = known_follower();
    for command in ["a", "b", "c", "d"] {
        core.propose(command.into());
        core.heartbeat_timeout();
        sent(&mut core).unwrap();
    }
    let (args, beat) = heartbeat(&mut core);
    assert_eq!(place(&args), (5, 0));
    core.append_reply(1, beat, &refused(None, 4));
    assert_eq!((progress(&core, 1).matched, progress(&core, 1).next), (1, 4));
    assert_eq!(place(&sent(&mut core).unwrap().0), (3, 2));
    let (args, beat) = heartbeat(&mut core);
    assert_eq!(place(&args), (3, 0), "not sure yet that the follower has entry 3");
    core.append_reply(1, beat, &accepted(2));
    assert_eq!(place(&sent(&mut core).unwrap().0), (3, 2));
    assert_eq!(place(&heartbeat(&mut core).0), (5, 0));
}

/// What a follower is known to have no correct one refuses. To send the same again at once would go
/// on for ever, as fast as the network carries it. (5.3)
#[test]
fn a_refusal_of_what_is_known_to_be_there_is_not_answered_at_once() {
    let mut core = known_follower();
    core.propose("a".into());
    let one = sent(&mut core).unwrap().1;
    for reply in [refused(None, 1), refused(Some(1), 1)] {
        core.append_reply(1, one, &reply);
        assert!(sent(&mut core).is_none(), "after {reply:?}");
    }
    assert_eq!(place(&heartbeat(&mut core).0), (1, 1), "but with the next heartbeat");
}
