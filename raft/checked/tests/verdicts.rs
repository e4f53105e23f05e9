//! The checker accuses those who contradict each other, and says of what.

use std::sync::Arc;

use labrt::{channel, simulate, thread};
use persister::{MemoryPersister, PersistError, Persister};
use raft::rules::Core;
use raft::{AppendEntriesArgs, Entry, RequestVoteArgs, RequestVoteReply, Stored};
use raft_api::Raft;
use raft_checked::{CheckedRaft, ClusterChecker};

/// A server of a cluster of three, without a past.
fn server(me: usize) -> Core {
    Core::new(me, 3, Stored::default())
}

/// What the checker makes of what the server has done since it last looked.
fn saves(checker: &ClusterChecker, server: &mut Core) {
    let output = server.take_output();
    checker.saved(server, &output);
}

/// The server is elected leader by this voter.
fn is_elected(server: &mut Core, voter: usize) {
    server.election_timeout();
    let term = server.term();
    server.vote_reply(voter, term, &RequestVoteReply { term, vote_granted: true });
    assert!(server.is_leader());
}

/// The server follows a leader with these entries, which commits so many.
fn follows(server: &mut Core, leader: u32, term: u64, entries: &[(u64, &str)], commit: u64) {
    let entry =
        |(term, command): &(u64, &str)| Entry { term: *term, command: command.to_string().into() };
    let entries = entries.iter().map(entry).collect();
    let (prev_log_index, prev_log_term) = (0, 0);
    let args = AppendEntriesArgs {
        term,
        leader,
        prev_log_index,
        prev_log_term,
        entries,
        leader_commit: commit,
    };
    assert!(server.append_entries(&args).success);
}

#[test]
fn servers_that_agree_are_not_accused() {
    let checker = ClusterChecker::default();
    let [mut one, mut other, mut third] = [0, 1, 2].map(server);
    is_elected(&mut one, 1);
    one.propose("a".into());
    for server in [&mut other, &mut third] {
        follows(server, 0, 1, &[(1, "a")], 1);
        saves(&checker, server);
    }
    saves(&checker, &mut one);
    // The next leader has what was committed.
    is_elected(&mut third, 1);
    third.propose("b".into());
    follows(&mut other, 2, 2, &[(1, "a"), (2, "b")], 2);
    saves(&checker, &mut third);
    saves(&checker, &mut other);
}

#[test]
#[should_panic(expected = "Election Safety: servers 0 and 1 both lead term 1")]
fn two_leaders_of_a_term() {
    let checker = ClusterChecker::default();
    for me in [0, 1] {
        let mut server = server(me);
        is_elected(&mut server, 2);
        saves(&checker, &mut server);
    }
}

#[test]
#[should_panic(expected = "one vote a term: server 0 votes for 2 in term 4, after it voted for 1")]
fn two_votes_in_a_term() {
    let checker = ClusterChecker::default();
    for candidate in [1, 2] {
        // The second time it has forgotten all.
        let mut server = server(0);
        server.request_vote(&RequestVoteArgs {
            term: 4,
            candidate,
            last_log_index: 0,
            last_log_term: 0,
        });
        saves(&checker, &mut server);
    }
}

#[test]
#[should_panic(expected = "Log Matching: server 1 has 1:b\"y\" at index 1")]
fn two_entries_of_a_term_at_one_index() {
    let checker = ClusterChecker::default();
    for (me, command) in [(0, "x"), (1, "y")] {
        let mut server = server(me);
        follows(&mut server, 2, 1, &[(1, command)], 0);
        saves(&checker, &mut server);
    }
}

#[test]
#[should_panic(expected = "State Machine Safety: server 1 commits 2:b\"y\" at index 1")]
fn two_entries_committed_at_one_index() {
    let checker = ClusterChecker::default();
    for (me, term, command) in [(0, 1, "x"), (1, 2, "y")] {
        let mut server = server(me);
        follows(&mut server, 2, term, &[(term, command)], 1);
        saves(&checker, &mut server);
    }
}

#[test]
#[should_panic(expected = "Leader Completeness: server 1 leads term 1 without entry 1 of term 1")]
fn a_leader_without_what_was_committed() {
    let checker = ClusterChecker::default();
    let [mut one, mut other] = [0, 1].map(server);
    follows(&mut one, 2, 1, &[(1, "x")], 1);
    saves(&checker, &mut one);
    is_elected(&mut other, 2);
    saves(&checker, &mut other);
}

#[test]
#[should_panic(expected = "server 0 commits index 2, but nothing was committed at 1")]
fn an_entry_committed_before_the_one_it_follows() {
    let checker = ClusterChecker::default();
    let mut server = server(0);
    follows(&mut server, 2, 1, &[(1, "x"), (1, "y")], 1);
    server.take_output();
    follows(&mut server, 2, 1, &[(1, "x"), (1, "y")], 2);
    saves(&checker, &mut server);
}

/// A disk that says yes and keeps nothing.
struct Liar(MemoryPersister);

impl Persister for Liar {
    fn save_raft_state(&self, _: &[u8]) -> Result<(), PersistError> {
        Ok(())
    }

    fn append_raft_state(&self, _: &[u8]) -> Result<(), PersistError> {
        Ok(())
    }

    fn read_raft_state(&self) -> Result<Vec<u8>, PersistError> {
        self.0.read_raft_state()
    }

    fn raft_state_size(&self) -> usize {
        0
    }

    fn save_state_and_snapshot(&self, _: &[u8], _: &[u8]) -> Result<(), PersistError> {
        Ok(())
    }

    fn read_snapshot(&self) -> Result<Vec<u8>, PersistError> {
        self.0.read_snapshot()
    }

    fn snapshot_size(&self) -> usize {
        0
    }
}

#[test]
fn a_server_whose_state_is_not_on_its_disk_is_stopped() {
    let outcome = simulate(0, || {
        let peers = vec![labrpc::Network::new().make_end("0 to 0")];
        let (apply, _commands) = channel::unbounded();
        let liar = Arc::new(Liar(MemoryPersister::new()));
        let _raft = CheckedRaft::make(peers, 0, liar, apply).expect("an empty disk");
        thread::sleep(std::time::Duration::from_secs(5));
    });
    let words = outcome.expect_err("its first vote is lost").to_string();
    assert!(words.contains("about to answer and send, but its state is not saved"), "{words}");
}
