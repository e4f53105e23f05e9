//! Figure 2, rule by rule, in its order. Each test shows the rule at its smallest; the sections'
//! tests have the cases.

use raft::rules::{Output, Request, Role};
use raft::{HardState, Log, RequestVoteReply, Stored};

use crate::common::{append, core, request_vote, terms};
use crate::harness::{Cluster, accepted, appends, leader, progress};

//= state.begin
/// "currentTerm: latest term server has seen (initialized to 0 on first boot)"; "votedFor: null if
/// none"; "log[]: first index is 1"; "commitIndex: initialized to 0". (Figure 2, State)
#[test]
fn state_of_a_new_server() {
    let cluster = Cluster::new(3);
    let core = cluster.core(0);
    assert_eq!(core.hard_state(), HardState { term: 0, voted_for: None });
    assert_eq!((core.log(), core.commit_index()), (&Log::default(), 0));
    let mut cluster = Cluster::new(1);
    cluster.elect(0);
    assert_eq!(cluster.propose(0), 1);
}

//= state.saved
/// "(Updated on stable storage before responding to RPCs)": each of the three is named to be saved
/// when it changes, and only then. (Figure 2, State: persistent)
#[test]
fn state_persistent_is_saved_when_it_changes() {
    let mut core = core(0, 3, 1, &[1, 1]);
    let saved = |output: Output| (output.unsaved.hard_state, output.unsaved.log_from);
    core.request_vote(&request_vote(2, 1, (0, 0)));
    assert_eq!(saved(core.take_output()), (true, None), "the term");
    core.request_vote(&request_vote(2, 1, (2, 1)));
    assert_eq!(saved(core.take_output()), (true, None), "the vote");
    core.append_entries(&append(2, 1, (1, 1), &[2], 0));
    assert_eq!(saved(core.take_output()), (false, Some(2)), "the log");
    core.append_entries(&append(2, 1, (2, 2), &[], 2));
    assert_eq!(saved(core.take_output()), (false, None), "nothing but the commit index");
    core.append_entries(&append(3, 1, (2, 2), &[3], 2));
    core.append_entries(&append(3, 1, (3, 3), &[3], 2));
    assert_eq!(saved(core.take_output()), (true, Some(3)), "several events at once");
}

//= state.leader
/// "nextIndex[]: initialized to leader last log index + 1"; "matchIndex[]: initialized to 0".
/// (Figure 2, State: volatile on leaders)
#[test]
fn state_on_leaders_begins_with_the_election() {
    let (core, _) = leader(3, 1, &[1, 1, 1]);
    for follower in [1, 2] {
        assert_eq!((progress(&core, follower).next, progress(&core, follower).matched), (4, 0));
    }
}

//= vote.stale
/// "1. Reply false if term < currentTerm." (Figure 2, RequestVote)
#[test]
fn request_vote_receiver_1() {
    let reply = core(0, 3, 5, &[]).request_vote(&request_vote(4, 1, (9, 4)));
    assert_eq!(reply, RequestVoteReply { term: 5, vote_granted: false });
}

//= vote.once, vote.up-to-date
/// "2. If votedFor is null or candidateId, and candidate's log is at least as up-to-date as
/// receiver's log, grant vote." (Figure 2, RequestVote)
#[test]
fn request_vote_receiver_2() {
    for (voted_for, last, granted) in [
        (None, (1, 1), true),
        (Some(1), (1, 1), true),
        (Some(2), (1, 1), false),
        (None, (0, 0), false),
        (Some(1), (0, 0), false),
    ] {
        let hard = HardState { term: 5, voted_for };
        let log = core(0, 3, 5, &[1]).log().clone();
        let mut core = raft::rules::Core::new(0, 3, Stored { hard, log, ..Stored::default() });
        let reply = core.request_vote(&request_vote(5, 1, last));
        assert_eq!(reply.vote_granted, granted, "{voted_for:?}, {last:?}");
    }
}

//= append.stale
/// "1. Reply false if term < currentTerm." (Figure 2, AppendEntries)
#[test]
fn append_entries_receiver_1() {
    let reply = core(0, 3, 5, &[1]).append_entries(&append(4, 1, (1, 1), &[], 0));
    assert_eq!((reply.term, reply.success), (5, false));
}

//= append.matches
/// "2. Reply false if log doesn't contain an entry at prevLogIndex whose term matches prevLogTerm."
/// (Figure 2, AppendEntries)
#[test]
fn append_entries_receiver_2() {
    let answer = |prev| core(0, 3, 5, &[1]).append_entries(&append(5, 1, prev, &[5], 0)).success;
    assert!(!answer((2, 1)) && !answer((1, 2)));
    assert!(answer((1, 1)) && answer((0, 0)));
}

//= append.conflict
/// "3. If an existing entry conflicts with a new one (same index but different terms), delete the
/// existing entry and all that follow it." (Figure 2, AppendEntries)
#[test]
fn append_entries_receiver_3() {
    let mut core = core(0, 3, 5, &[1, 2, 2, 2]);
    core.append_entries(&append(5, 1, (1, 1), &[2, 3], 0));
    assert_eq!(terms(core.log()), [1, 2, 3]);
}

//= append.new
/// "4. Append any new entries not already in the log." (Figure 2, AppendEntries)
#[test]
fn append_entries_receiver_4() {
    let mut core = core(0, 3, 5, &[1, 2]);
    core.append_entries(&append(5, 1, (0, 0), &[1, 2, 5, 5], 0));
    assert_eq!(terms(core.log()), [1, 2, 5, 5]);
}

//= append.commit
/// "5. If leaderCommit > commitIndex, set commitIndex = min(leaderCommit, index of last new entry)."
/// (Figure 2, AppendEntries)
#[test]
fn append_entries_receiver_5() {
    for (leader_commit, commit) in [(0, 0), (1, 1), (2, 2), (3, 2)] {
        let mut core = core(0, 3, 5, &[1, 1, 1]);
        core.append_entries(&append(5, 1, (1, 1), &[1], leader_commit));
        assert_eq!(core.commit_index(), commit);
    }
}

//= all.apply
/// "If commitIndex > lastApplied: increment lastApplied, apply log[lastApplied] to state machine":
/// each index is handed out once, in order. (Figure 2, Rules for all servers)
#[test]
fn all_servers_apply_what_is_committed() {
    let mut core = core(0, 3, 5, &[1, 1, 1, 1]);
    let mut committed = Vec::new();
    for commit in [1, 1, 0, 3, 4] {
        core.append_entries(&append(5, 1, (4, 1), &[], commit));
        committed.push(core.take_output().committed);
    }
    assert_eq!(committed, [Some(1..=1), None, None, Some(2..=3), Some(4..=4)]);
    // Several steps in one output become one range.
    core.append_entries(&append(5, 1, (4, 1), &[5], 5));
    core.append_entries(&append(5, 1, (5, 5), &[5, 5], 7));
    assert_eq!(core.take_output().committed, Some(5..=7));
}

//= all.newer-term
/// "If RPC request or response contains term T > currentTerm: set currentTerm = T, convert to
/// follower." (Figure 2, Rules for all servers)
#[test]
fn all_servers_see_newer_terms() {
    let (mut core, _) = leader(3, 1, &[]);
    core.vote_reply(2, 2, &RequestVoteReply { term: 3, vote_granted: false });
    assert_eq!((core.term(), core.role()), (3, &Role::Follower));
}

//= followers.respond
/// "Respond to RPCs from candidates and leaders." (Figure 2, Rules for followers)
#[test]
fn followers_respond() {
    let mut core = core(0, 3, 1, &[]);
    assert!(core.request_vote(&request_vote(1, 1, (0, 0))).vote_granted);
    assert!(core.append_entries(&append(1, 1, (0, 0), &[], 0)).success);
}

//= followers.stand
/// "If election timeout elapses without receiving AppendEntries RPC from current leader or granting
/// vote to candidate: convert to candidate." (Figure 2, Rules for followers)
#[test]
fn followers_stand_for_election() {
    let mut core = core(0, 3, 1, &[]);
    core.election_timeout();
    assert!(matches!(core.role(), Role::Candidate { .. }));
}

//= candidates.start
/// "On conversion to candidate, start election: increment currentTerm, vote for self, reset election
/// timer, send RequestVote RPCs to all other servers." (Figure 2, Rules for candidates)
#[test]
fn candidates_start_an_election() {
    let mut core = core(0, 3, 1, &[1]);
    core.election_timeout();
    let output = core.take_output();
    assert_eq!(core.hard_state(), HardState { term: 2, voted_for: Some(0) });
    assert!(output.reset_election_timer);
    let args = request_vote(2, 0, (1, 1));
    assert_eq!(output.requests, [1, 2].map(|peer| (peer, Request::Vote(args.clone()))));
}

//= candidates.majority
/// "If votes received from majority of servers: become leader." (Figure 2, Rules for candidates)
#[test]
fn candidates_become_leader() {
    let mut core = core(0, 3, 1, &[]);
    core.election_timeout();
    core.vote_reply(2, 2, &RequestVoteReply { term: 2, vote_granted: true });
    assert!(core.is_leader());
    assert_eq!(core.take_output().elected, Some(2));
}

//= candidates.leader
/// "If AppendEntries RPC received from new leader: convert to follower." (Figure 2, Rules for
/// candidates)
#[test]
fn candidates_become_follower() {
    let mut core = core(0, 3, 1, &[]);
    core.election_timeout();
    core.append_entries(&append(2, 1, (0, 0), &[], 0));
    assert_eq!(core.role(), &Role::Follower);
}

//= candidates.again
/// "If election timeout elapses: start new election." (Figure 2, Rules for candidates)
#[test]
fn candidates_start_another_election() {
    let mut core = core(0, 3, 1, &[]);
    core.election_timeout();
    core.election_timeout();
    assert_eq!((core.term(), core.is_leader()), (3, false));
}

//= leaders.first-heartbeat, leaders.heartbeat
/// "Upon election: send initial empty AppendEntries RPCs (heartbeat) to each server; repeat during
/// idle periods to prevent election timeouts." (Figure 2, Rules for leaders)
#[test]
fn leaders_send_heartbeats() {
    let (mut core, first) = leader(3, 1, &[1]);
    core.heartbeat_timeout();
    for sent in [first, appends(&mut core)] {
        assert_eq!(sent.iter().map(|(to, ..)| *to).collect::<Vec<_>>(), [1, 2]);
        assert!(sent.iter().all(|(_, args, _)| args.entries.is_empty()));
    }
}

//= leaders.command
/// "If command received from client: append entry to local log, respond after entry applied to state
/// machine." (Figure 2, Rules for leaders; the lab responds at once and applies later)
#[test]
fn leaders_take_commands() {
    let (mut core, _) = leader(3, 1, &[1]);
    assert_eq!(core.propose("x".into()), Some(2));
    assert_eq!(core.log().get(2).map(|entry| &entry.command[..]), Some(&b"x"[..]));
    assert_eq!(terms(core.log()), [1, 2]);
    assert_eq!(core.take_output().committed, None);
}

//= leaders.send
/// "If last log index >= nextIndex for a follower: send AppendEntries RPC with log entries starting
/// at nextIndex." (Figure 2, Rules for leaders)
#[test]
fn leaders_send_entries_from_next_index_on() {
    let (mut core, first) = leader(3, 1, &[1]);
    core.append_reply(1, first[0].2, &accepted(2));
    core.append_reply(2, first[1].2, &accepted(2));
    assert!(appends(&mut core).is_empty(), "nothing to send");
    core.propose("x".into());
    core.propose("y".into());
    let sent = appends(&mut core);
    assert_eq!(sent.len(), 2);
    for (_, args, _) in sent {
        assert_eq!((args.prev_log_index, args.prev_log_term), (1, 1));
        assert_eq!(args.entries, core.log().from(2));
    }
}

//= leaders.success
/// "If successful: update nextIndex and matchIndex for follower." (Figure 2, Rules for leaders)
#[test]
fn leaders_note_success() {
    let (mut core, first) = leader(5, 1, &[1]);
    core.append_reply(1, first[0].2, &accepted(2));
    core.propose("x".into());
    let sent = appends(&mut core);
    core.append_reply(1, sent[0].2, &accepted(2));
    assert_eq!((progress(&core, 1).next, progress(&core, 1).matched), (3, 2));
}

//= leaders.back-up
/// "If AppendEntries fails because of log inconsistency: decrement nextIndex and retry." (Figure 2,
/// Rules for leaders)
#[test]
fn leaders_back_up() {
    let mut cluster = Cluster::with_logs(&[(1, &[1, 1]), (1, &[])]);
    cluster.elect(0);
    assert_eq!(cluster.terms(1), [1, 1]);
    assert_eq!((cluster.progress(0, 1).next, cluster.progress(0, 1).matched), (3, 2));
}

//= leaders.commit
/// "If there exists an N such that N > commitIndex, a majority of matchIndex[i] >= N, and
/// log[N].term == currentTerm: set commitIndex = N." (Figure 2, Rules for leaders)
#[test]
fn leaders_commit() {
    let mut cluster = Cluster::with_logs(&[(1, &[1, 1]), (1, &[1, 1]), (1, &[1, 1])]);
    cluster.elect(0);
    assert_eq!(cluster.core(0).commit_index(), 0, "on all servers, but of an earlier term");
    cluster.propose(0);
    cluster.deliver_all();
    assert_eq!(cluster.core(0).commit_index(), 3);
}
