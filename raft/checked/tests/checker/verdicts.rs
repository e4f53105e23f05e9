//! The checker accuses those who contradict each other, and says of what.

use std::sync::Arc;

use labrt::{channel, simulate, thread};
use persister::{MemoryPersister, PersistError, Persister};
use raft::rules::Core;
use raft::{
    AppendEntriesArgs, Entry, InstallSnapshotArgs, Place, RequestVoteArgs, RequestVoteReply, Stored,
};
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
        leader_id: leader,
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
            candidate_id: candidate,
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
fn a_leader_of_an_earlier_term_may_lack_what_a_later_one_has_committed() {
    let checker = ClusterChecker::default();
    let [mut one, mut other] = [0, 1].map(server);
    follows(&mut one, 2, 2, &[(2, "x")], 1);
    saves(&checker, &mut one);
    // Its votes of term 1 were long on their way.
    is_elected(&mut other, 2);
    assert_eq!(other.term(), 1);
    saves(&checker, &mut other);
}

#[test]
#[should_panic(expected = "Leader Completeness: server 1 leads term 2 without entry 1 of term 1")]
fn a_leader_lacks_what_an_earlier_one_commits_while_it_leads() {
    let checker = ClusterChecker::default();
    let [mut one, mut other] = [0, 1].map(server);
    other.election_timeout();
    is_elected(&mut other, 2);
    assert_eq!(other.term(), 2);
    saves(&checker, &mut other);
    // Server 2 has taken it from the leader of term 1, after it voted in term 2.
    follows(&mut one, 2, 1, &[(1, "x")], 1);
    saves(&checker, &mut one);
}

#[test]
fn a_leader_may_have_what_an_earlier_one_commits_while_it_leads() {
    let checker = ClusterChecker::default();
    let [mut one, mut other] = [0, 1].map(server);
    let entries = [(1, "x"), (1, "y"), (2, "z")];
    follows(&mut other, 2, 2, &entries, 1);
    saves(&checker, &mut other);
    is_elected(&mut other, 2);
    assert_eq!(other.term(), 3);
    saves(&checker, &mut other);
    follows(&mut one, 2, 2, &entries, 3);
    saves(&checker, &mut one);
    // And it goes on with an entry of its own.
    other.propose("own".into());
    saves(&checker, &mut other);
    follows(&mut one, 1, 3, &[(1, "x"), (1, "y"), (2, "z"), (3, "own")], 4);
    saves(&checker, &mut one);
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

/// The server gets a snapshot of all up to this place from the leader.
fn installs(server: &mut Core, leader: u32, term: u64, index: u64, of: u64) {
    server.install_snapshot(&InstallSnapshotArgs {
        term,
        leader_id: leader,
        last_included_index: index,
        last_included_term: of,
        data: "all".into(),
    });
    assert_eq!(server.log().base(), Place { index, term: of });
}

/// Server 0 has committed three entries, and the checker has seen it.
fn three_are_committed(checker: &ClusterChecker) -> Core {
    let mut server = server(0);
    follows(&mut server, 2, 2, &[(1, "x"), (2, "y"), (2, "z")], 3);
    saves(checker, &mut server);
    server
}

#[test]
fn snapshots_of_what_is_committed_are_not_accused() {
    let checker = ClusterChecker::default();
    let mut one = three_are_committed(&checker);
    one.take_snapshot(2, "two".into());
    saves(&checker, &mut one);
    let mut other = server(1);
    installs(&mut other, 0, 2, 2, 2);
    saves(&checker, &mut other);
    // It goes on behind it, and may lead: what it has forgotten was committed.
    let args = AppendEntriesArgs {
        term: 2,
        leader_id: 0,
        prev_log_index: 2,
        prev_log_term: 2,
        entries: vec![Entry { term: 2, command: "z".into() }],
        leader_commit: 3,
    };
    assert!(other.append_entries(&args).success);
    saves(&checker, &mut other);
    is_elected(&mut other, 2);
    saves(&checker, &mut other);
}

#[test]
#[should_panic(
    expected = "server 1 has a snapshot up to entry 4 of term 2, which nobody has committed"
)]
fn a_snapshot_of_what_is_not_committed() {
    let checker = ClusterChecker::default();
    three_are_committed(&checker);
    let mut other = server(1);
    installs(&mut other, 0, 2, 4, 2);
    saves(&checker, &mut other);
}

#[test]
#[should_panic(
    expected = "server 1 has a snapshot up to entry 2 of term 1, but the committed entry 2 \
                           is of term 2"
)]
fn a_snapshot_with_a_wrong_last_term() {
    let checker = ClusterChecker::default();
    three_are_committed(&checker);
    let mut other = server(1);
    installs(&mut other, 0, 2, 2, 1);
    saves(&checker, &mut other);
}

#[test]
#[should_panic(expected = "Log Matching: server 1 has 2:b\"other\" at index 3")]
fn another_entry_behind_a_snapshot() {
    let checker = ClusterChecker::default();
    three_are_committed(&checker);
    let mut other = server(1);
    installs(&mut other, 0, 2, 2, 2);
    let args = AppendEntriesArgs {
        term: 2,
        leader_id: 0,
        prev_log_index: 2,
        prev_log_term: 2,
        entries: vec![Entry { term: 2, command: "other".into() }],
        leader_commit: 2,
    };
    assert!(other.append_entries(&args).success);
    saves(&checker, &mut other);
}

#[test]
#[should_panic(expected = "Leader Completeness: server 1 leads term 3 without entry 3 of term 2")]
fn a_leader_that_has_less_than_was_committed_behind_its_snapshot() {
    let checker = ClusterChecker::default();
    three_are_committed(&checker);
    let mut other = server(1);
    installs(&mut other, 0, 2, 2, 2);
    saves(&checker, &mut other);
    is_elected(&mut other, 2);
    saves(&checker, &mut other);
}

/// Who watches one server alone has not seen what the others have committed.
#[test]
fn a_checker_of_one_server_learns_from_its_snapshots() {
    let checker = ClusterChecker::of_one_server();
    let mut server = server(1);
    installs(&mut server, 0, 2, 4, 2);
    saves(&checker, &mut server);
    server.append_entries(&AppendEntriesArgs {
        term: 2,
        leader_id: 0,
        prev_log_index: 4,
        prev_log_term: 2,
        entries: vec![Entry { term: 2, command: "x".into() }],
        leader_commit: 5,
    });
    saves(&checker, &mut server);
    assert_eq!(server.commit_index(), 5);
}

/// A disk that says yes and keeps nothing, or no snapshots.
struct Liar {
    disk: MemoryPersister,
    keeps_states: bool,
}

impl Persister for Liar {
    fn save_raft_state(&self, state: &[u8]) -> Result<(), PersistError> {
        if self.keeps_states { self.disk.save_raft_state(state) } else { Ok(()) }
    }

    fn append_raft_state(&self, record: &[u8]) -> Result<(), PersistError> {
        if self.keeps_states { self.disk.append_raft_state(record) } else { Ok(()) }
    }

    fn read_raft_state(&self) -> Result<Vec<u8>, PersistError> {
        self.disk.read_raft_state()
    }

    fn raft_state_size(&self) -> usize {
        self.disk.raft_state_size()
    }

    fn save_state_and_snapshot(&self, state: &[u8], _: &[u8]) -> Result<(), PersistError> {
        self.save_raft_state(state)
    }

    fn read_snapshot(&self) -> Result<Vec<u8>, PersistError> {
        self.disk.read_snapshot()
    }

    fn snapshot_size(&self) -> usize {
        self.disk.snapshot_size()
    }
}

/// What stops a server with such a disk, whose service gives it a snapshot of its first command.
fn stopped_by(keeps_states: bool) -> String {
    let outcome = simulate(0, move || {
        let peers = vec![labrpc::Network::new().make_end("0 to 0")];
        let (apply, commands) = channel::bounded(0);
        let liar = Arc::new(Liar { disk: MemoryPersister::new(), keeps_states });
        let raft = CheckedRaft::make(peers, 0, liar, apply).expect("an empty disk");
        thread::sleep(std::time::Duration::from_secs(5));
        raft.start("x".into());
        commands.recv().unwrap();
        raft.snapshot(1, "one".into());
    });
    outcome.expect_err("something is lost").to_string()
}

#[test]
fn a_server_whose_state_is_not_on_its_disk_is_stopped() {
    let words = stopped_by(false);
    assert!(words.contains("about to answer and send, but its state is not saved"), "{words}");
}

#[test]
fn a_server_whose_snapshot_is_not_on_its_disk_is_stopped() {
    let words = stopped_by(true);
    assert!(words.contains("about to answer and send, but its snapshot is not saved"), "{words}");
}
