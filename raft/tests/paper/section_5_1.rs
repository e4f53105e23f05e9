//! Terms.

use raft::rules::{Core, Role};
use raft::{AppendEntriesReply, RequestVoteReply};

use crate::common::{append, core, install, request_vote};
use crate::harness::{accepted, appends, leader};

/// A candidate of term 5.
fn candidate() -> Core {
    let mut core = core(0, 3, 4, &[1, 4]);
    core.election_timeout();
    core.take_output();
    core
}

/// Checks that an event brings a leader of term 5 and a candidate of term 5 into term 9, as
/// followers without a vote, and that this is saved.
fn brings_into_term_9(name: &str, event: impl Fn(&mut Core)) {
    for mut core in [candidate(), leader(3, 4, &[1, 4]).0] {
        let was = core.role().clone();
        event(&mut core);
        assert_eq!((core.term(), core.role()), (9, &Role::Follower), "{name}, before: {was:?}");
        assert_eq!(core.hard_state().voted_for, None, "{name}, before: {was:?}");
        assert!(core.take_output().unsaved.hard_state, "{name}: the new term is not saved");
    }
}

//= all.newer-term
/// Whatever carries a later term brings a candidate and a leader into it, as followers. (5.1; the
/// log of the candidate that asks is too old for a vote.)
#[test]
fn a_later_term_in_any_message_ends_candidacy_and_leadership() {
    brings_into_term_9("RequestVote", |core| {
        assert!(!core.request_vote(&request_vote(9, 1, (0, 0))).vote_granted);
    });
    brings_into_term_9("AppendEntries", |core| {
        core.append_entries(&append(9, 1, (0, 0), &[], 0));
    });
    brings_into_term_9("InstallSnapshot", |core| {
        core.install_snapshot(&install(9, 1, (7, 5)));
    });
    brings_into_term_9("reply to RequestVote", |core| {
        core.vote_reply(1, 5, &RequestVoteReply { term: 9, vote_granted: false });
    });
    let (_, first) = leader(3, 4, &[1, 4]);
    brings_into_term_9("reply to AppendEntries", |core| {
        let reply = AppendEntriesReply { term: 9, success: false, conflict: None };
        core.append_reply(1, first[0].2, &reply);
    });
}

/// A leader has no election timer. When it becomes a follower it needs one again. (5.1, 5.2)
#[test]
fn a_leader_that_steps_down_starts_its_election_timer() {
    let (mut core, _) = leader(3, 4, &[1, 4]);
    core.request_vote(&request_vote(9, 1, (0, 0)));
    assert!(core.take_output().reset_election_timer);
}

//= state.term-grows
/// A request of an earlier term is refused with the current term and changes nothing. (5.1)
#[test]
fn a_request_of_an_earlier_term_is_refused_and_changes_nothing() {
    for mut core in [core(0, 3, 5, &[1, 4]), candidate(), leader(3, 4, &[1, 4]).0] {
        let before = format!("{core:?}");
        let vote = core.request_vote(&request_vote(4, 1, (9, 4)));
        assert_eq!(vote, RequestVoteReply { term: 5, vote_granted: false });
        let answer = core.append_entries(&append(4, 1, (2, 4), &[4], 3));
        let refused = AppendEntriesReply { term: 5, success: false, conflict: None };
        assert_eq!(answer, refused);
        assert_eq!(format!("{core:?}"), before);
    }
}

//= all.stale-reply, state.term-grows
/// A vote for an earlier candidacy does not count for the present one, whichever term the voter
/// says it is in. (5.1, 5.2)
#[test]
fn a_vote_for_an_earlier_candidacy_does_not_count() {
    let mut core = candidate();
    core.election_timeout();
    core.take_output();
    let before = format!("{core:?}");
    core.vote_reply(1, 5, &RequestVoteReply { term: 5, vote_granted: true });
    core.vote_reply(1, 5, &RequestVoteReply { term: 6, vote_granted: true });
    core.vote_reply(1, 6, &RequestVoteReply { term: 5, vote_granted: true });
    assert_eq!(format!("{core:?}"), before);
    core.vote_reply(1, 6, &RequestVoteReply { term: 6, vote_granted: true });
    assert!(core.is_leader(), "the vote for this candidacy counts");
}

//= all.stale-reply
/// A reply to what a leader sent when it led an earlier term says nothing about what followers hold
/// now: the leader may have lost that term's entries since. (5.1, 5.3)
#[test]
fn a_reply_to_an_append_entries_of_an_earlier_term_changes_nothing() {
    let (mut core, first) = leader(3, 4, &[1, 4]);
    core.append_reply(1, first[0].2, &accepted(5));
    core.propose("lost".into());
    let old = appends(&mut core)[0].2;
    assert_eq!((old.prev, old.count), (2, 1));
    // Another leader takes over, replaces the entry, and loses the lead again.
    core.append_entries(&append(6, 2, (2, 4), &[6], 0));
    core.election_timeout();
    core.vote_reply(1, 7, &RequestVoteReply { term: 7, vote_granted: true });
    core.take_output();
    assert!(core.is_leader());
    let before = format!("{core:?}");
    core.append_reply(1, old, &accepted(5));
    core.append_reply(1, old, &accepted(7));
    core.append_failed(1, old);
    assert_eq!(format!("{core:?}"), before);
}
