//! A disk that fails while the server runs: it must not say what it cannot keep.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use labrpc::{Network, Server};
use labrt::{FailureKind, channel, thread};
use raft::{
    AppendEntriesArgs, AppendEntriesReply, Options, Raft, RequestVoteArgs, RequestVoteReply,
};
use raft_api::Raft as _;

use crate::model::Watched;

/// The RPCs of a Raft, to ask one and to take the place of one.
#[labrpc::service(name = "Raft")]
trait RaftRpc {
    fn request_vote(&self, args: RequestVoteArgs) -> RequestVoteReply;
    fn append_entries(&self, args: AppendEntriesArgs) -> AppendEntriesReply;
}

/// A server that counts what it is asked, and grants nothing.
struct Spy(Arc<AtomicU64>);

impl RaftRpc for Spy {
    fn request_vote(&self, args: RequestVoteArgs) -> RequestVoteReply {
        self.0.fetch_add(1, Ordering::Relaxed);
        RequestVoteReply { term: args.term, vote_granted: false }
    }

    fn append_entries(&self, args: AppendEntriesArgs) -> AppendEntriesReply {
        self.0.fetch_add(1, Ordering::Relaxed);
        AppendEntriesReply { term: args.term, success: false, conflict: None }
    }
}

/// How a run ended.
struct Run {
    words: String,
    /// How many requests server 0 answered.
    answers: u64,
    /// How many requests it sent.
    sent: u64,
}

/// Server 0 of 2 is asked for votes, 10 ms apart, and then left alone; server 1 is a spy. Each vote
/// and each election is one write, and write number `fails_at` fails.
fn run(seed: u64, votes: u64, fails_at: u64) -> Run {
    let (answers, sent) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (answered, spied) = (answers.clone(), sent.clone());
    let outcome = labrt::simulate(seed, move || {
        let network = Network::new();
        let end = |name: &str, server: &str| {
            let end = network.make_end(name.to_string());
            network.connect(name.to_string(), server.to_string());
            network.enable(name.to_string(), true);
            end
        };
        let persister = Arc::new(Watched::default());
        persister.fail_at(fails_at);
        // What went out before the save would be there before it fails.
        persister.set_write_ms(5);
        let (apply, _commands) = channel::unbounded();
        let peers = vec![end("0 to 0", "0"), end("0 to 1", "1")];
        let raft = Raft::open(peers, 0, persister, apply, Options::default()).unwrap();
        let server = raft.services().into_iter().fold(Server::new(), Server::service);
        network.add_server("0", server);
        network.add_server("1", Server::new().service(RaftRpcService::of(Arc::new(Spy(spied)))));
        let client = RaftRpcClient::new(end("1 to 0", "0"));
        for term in 1..=votes {
            let args =
                RequestVoteArgs { term, candidate_id: 1, last_log_index: 0, last_log_term: 0 };
            let answered = answered.clone();
            client.request_vote_then(&args, move |reply| {
                answered.fetch_add(u64::from(reply.is_ok()), Ordering::Relaxed);
            });
            thread::sleep(Duration::from_millis(10));
        }
        thread::sleep(Duration::from_secs(10));
    });
    let failure = outcome.expect_err("the disk fails");
    assert_eq!(failure.kind, FailureKind::Panic, "{failure}");
    Run {
        words: failure.to_string(),
        answers: answers.load(Ordering::Relaxed),
        sent: sent.load(Ordering::Relaxed),
    }
}

//= state.saved
#[test]
fn a_server_whose_disk_fails_stops_and_answers_nothing_any_more() {
    for seed in 0..20 {
        for fails_at in [1, 2, 5] {
            let Run { words, answers, .. } = run(seed, 6, fails_at);
            assert!(words.contains("server 0 stops, because its state cannot be saved"), "{words}");
            assert!(words.contains("the disk is full"), "the disk's own words: {words}");
            assert_eq!(answers, fails_at - 1, "votes that were given, with seed {seed}");
        }
    }
}

#[test]
fn a_candidate_whose_disk_fails_asks_for_no_votes() {
    for seed in 0..20 {
        let Run { words, sent, .. } = run(seed, 0, 1);
        assert!(words.contains("server 0 stops, because its state cannot be saved"), "{words}");
        assert_eq!(sent, 0, "requests of a term that is not on the disk");
        // The control: an election that was saved is heard of.
        assert_eq!(run(seed, 0, 2).sent, 1);
    }
}
