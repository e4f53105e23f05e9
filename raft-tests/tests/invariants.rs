//! The rules that hold for any Raft: each is broken by a server that says what its test wants.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use labgob::{Deserialize, Gob, Serialize};
use labrpc::{ClientEnd, Service};
use labrt::channel::Sender;
use labrt::sync::{Leaf, Mutex};
use labrt::world::{self, Builder};
use labrt::{FailureKind, thread};
use labtrace::{Keep, Verdict};
use persister::Persister;
use raft_api::{ApplyMsg, Persisted, Raft, RaftState, Started};
use raft_tests::{Cluster, Watch};
use run_record::setting::Setting;

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct RequestVoteArgs {
    term: u64,
    candidate_id: usize,
    last_log_index: u64,
    last_log_term: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct RequestVoteReply {
    term: u64,
    vote_granted: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct Entry {
    term: u64,
    command: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, Gob)]
struct AppendEntriesArgs {
    term: u64,
    prev_log_index: u64,
    prev_log_term: u64,
    entries: Vec<Entry>,
    leader_commit: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct AppendEntriesReply {
    term: u64,
    success: bool,
}

#[labrpc::service(name = "Raft")]
trait Rpc {
    fn request_vote(&self, args: RequestVoteArgs) -> RequestVoteReply;
    fn append_entries(&self, args: AppendEntriesArgs) -> AppendEntriesReply;
}

/// A server that says what it is told to say, and does nothing of its own accord.
struct Puppet {
    peers: Vec<RpcClient>,
    /// Term 0 says nothing about the term.
    answer: Mutex<Answer>,
    lock: Mutex<()>,
    persister: Arc<dyn Persister>,
}

/// What a puppet answers.
#[derive(Clone, Copy)]
struct Answer {
    term: u64,
    yes: bool,
}

/// The puppets of the caller's world, latest instances only.
#[derive(Default)]
struct Stage(Leaf<Vec<(usize, Arc<Puppet>)>>);

fn puppet(server: usize) -> Arc<Puppet> {
    let stage = world::local::<Stage>().expect("in a world");
    let found = stage.0.with(|all| all.iter().rev().find(|(me, _)| *me == server).cloned());
    found.expect("it was made").1
}

impl Raft for Puppet {
    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        _: Sender<ApplyMsg>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let puppet = Arc::new(Puppet {
            peers: peers.into_iter().map(RpcClient::new).collect(),
            answer: Mutex::new(Answer { term: 0, yes: true }),
            lock: Mutex::new(()),
            persister,
        });
        let stage = world::local::<Stage>().expect("in a world");
        stage.0.with(|all| all.push((me, puppet.clone())));
        Ok(puppet)
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        vec![RpcService::of(self)]
    }

    fn start(&self, command: Bytes) -> Option<Started> {
        if &command[..] != b"call" {
            return None;
        }
        // A task of the server's own that calls with a lock held.
        let _guard = self.lock.lock();
        let args = AppendEntriesArgs { term: 1, ..AppendEntriesArgs::default() };
        let _ = self.peers[1].append_entries(&args);
        None
    }

    fn state(&self) -> RaftState {
        RaftState { term: 1, is_leader: false }
    }

    fn read_persisted(state: &[u8]) -> Option<Persisted> {
        // Empty for a test that does not care.
        let (term, voted_for, log_base, log_terms) = labgob::decode(state).ok()?;
        Some(Persisted { term, voted_for, log_base, log_terms })
    }

    fn kill(&self) {}
}

impl Rpc for Puppet {
    fn request_vote(&self, _: RequestVoteArgs) -> RequestVoteReply {
        let Answer { term, yes } = *self.answer.lock();
        RequestVoteReply { term, vote_granted: yes }
    }

    fn append_entries(&self, _: AppendEntriesArgs) -> AppendEntriesReply {
        let Answer { term, yes } = *self.answer.lock();
        AppendEntriesReply { term, success: yes }
    }
}

impl Puppet {
    fn answers(&self, term: u64, yes: bool) {
        *self.answer.lock() = Answer { term, yes };
    }

    fn asks_for_vote(&self, me: usize, to: usize, term: u64) {
        self.asks_with_log(me, to, term, (100, 100));
    }

    /// Asks for a vote with a log that ends with this index and term.
    fn asks_with_log(&self, me: usize, to: usize, term: u64, last: (u64, u64)) {
        let (last_log_index, last_log_term) = last;
        let args = RequestVoteArgs { term, candidate_id: me, last_log_index, last_log_term };
        let _ = self.peers[to].request_vote(&args);
    }

    /// Sends entries behind this place, and says that so much is committed.
    fn commits(&self, to: usize, term: u64, prev: (u64, u64), entries: u64, commit: u64) {
        let entry = |n| Entry { term, command: format!("c{n}") };
        let args = AppendEntriesArgs {
            term,
            prev_log_index: prev.0,
            prev_log_term: prev.1,
            entries: (0..entries).map(entry).collect(),
            leader_commit: commit,
        };
        let _ = self.peers[to].append_entries(&args);
    }

    fn leads(&self, to: usize, term: u64, prev: u64, entries: &[(u64, &str)]) {
        let entry =
            |(term, command): &(u64, &str)| Entry { term: *term, command: (*command).into() };
        let args = AppendEntriesArgs {
            term,
            prev_log_index: prev,
            entries: entries.iter().map(entry).collect(),
            ..AppendEntriesArgs::default()
        };
        let _ = self.peers[to].append_entries(&args);
    }

    fn saves(&self, term: u64, vote: Option<usize>, log_terms: Vec<u64>) {
        self.saves_behind(0, term, vote, log_terms);
    }

    /// The entries up to `base` are in a snapshot.
    fn saves_behind(&self, base: u64, term: u64, vote: Option<usize>, log_terms: Vec<u64>) {
        let bytes = labgob::encode(&(term, vote, base, log_terms));
        self.persister.save_raft_state(&bytes).expect("memory can be written");
    }
}

/// The verdict on a run of three puppets; none if it passes.
fn verdict(play: fn(&Cluster<Puppet>)) -> Option<Verdict> {
    let watch = Watch::new(3, Keep::All, Setting::default(), Puppet::read_persisted);
    let inside = watch.clone();
    let run = Builder::simulated(3).run(move || {
        let cluster = Cluster::watched(3, false, inside);
        play(&cluster);
        cluster.cleanup();
    });
    let verdict = watch.session().verdict();
    match run {
        Ok(_) => assert_eq!(verdict, None),
        Err(failure) => {
            assert_eq!(failure.kind, FailureKind::Panic, "{failure}");
            assert_eq!(verdict.as_ref().map(|v| &v.words), Some(&failure.message));
            let last = watch.session().take().events.pop().expect("there are events");
            assert!(matches!(last.what, labtrace::What::Violation { .. }), "{last:?}");
        }
    }
    verdict
}

#[track_caller]
fn assert_broken(play: fn(&Cluster<Puppet>), check: &str, servers: &[u32], facts: &[&str]) {
    let verdict = verdict(play).expect("a rule is broken");
    assert_eq!(verdict.check, check, "{verdict:?}");
    assert_eq!(verdict.servers, servers, "{verdict:?}");
    assert!(verdict.hint.is_some());
    for fact in facts {
        assert!(verdict.facts.iter().any(|has| has.text.contains(fact)), "{fact}: {verdict:?}");
    }
}

#[track_caller]
fn assert_fine(play: fn(&Cluster<Puppet>)) {
    assert_eq!(verdict(play), None);
}

fn pause() {
    thread::sleep(Duration::from_millis(100));
}

#[test]
fn one_leader_a_term() {
    assert_fine(|_| {
        puppet(0).leads(1, 4, 0, &[]);
        puppet(0).leads(2, 4, 0, &[]);
        puppet(2).leads(1, 5, 0, &[]);
    });
    assert_broken(
        |_| {
            puppet(0).leads(1, 4, 0, &[]);
            pause();
            puppet(2).leads(1, 4, 0, &[]);
        },
        "Election Safety",
        &[0, 2],
        &["server 0 sent AppendEntries as leader of term 4", "server 2 sent AppendEntries"],
    );
}

#[test]
fn a_leader_has_the_votes_of_a_majority() {
    assert_fine(|_| {
        puppet(0).asks_for_vote(0, 1, 4);
        puppet(0).leads(1, 4, 0, &[]);
        // Whose votes nobody has seen may have been elected in ways that nobody knows.
        puppet(2).leads(1, 5, 0, &[]);
    });
    assert_broken(
        |_| {
            puppet(0).asks_for_vote(0, 1, 4);
            puppet(1).answers(0, false);
            puppet(0).asks_for_vote(0, 1, 5);
            puppet(0).leads(1, 5, 0, &[]);
        },
        "elected by a majority",
        &[0],
        &["in term 5 it has the votes of servers [0]", "in term 4 it had those of servers [0, 1]"],
    );
}

#[test]
fn one_vote_a_term() {
    assert_fine(|_| {
        puppet(0).asks_for_vote(0, 1, 4);
        puppet(0).asks_for_vote(0, 1, 4);
        puppet(2).asks_for_vote(2, 1, 5);
        puppet(1).answers(5, false);
        puppet(0).asks_for_vote(0, 1, 5);
    });
    assert_broken(
        |_| {
            puppet(0).asks_for_vote(0, 1, 4);
            puppet(2).asks_for_vote(2, 1, 4);
        },
        "one vote a term",
        &[1],
        &["server 1 gave its vote in term 4 to server 0", "to server 2"],
    );
    // A candidate has voted for itself.
    assert_broken(
        |_| {
            puppet(1).asks_for_vote(1, 0, 4);
            puppet(2).asks_for_vote(2, 1, 4);
        },
        "one vote a term",
        &[1],
        &["server 1 gave its vote in term 4 to server 1", "to server 2"],
    );
}

#[test]
fn one_vote_a_term_across_restarts() {
    let verdict = verdict(|cluster| {
        puppet(0).asks_for_vote(0, 1, 4);
        cluster.start_server(1);
        cluster.connect(1);
        puppet(1).answers(4, true);
        puppet(2).asks_for_vote(2, 1, 4);
    });
    let verdict = verdict.expect("a rule is broken");
    assert_eq!(verdict.check, "one vote a term");
    assert_eq!(verdict.details, ["server 1 was restarted between the two"]);
    assert!(verdict.hint.is_some_and(|hint| hint.contains("forgotten its vote")));
}

#[test]
fn one_entry_for_each_index_and_term() {
    assert_fine(|_| {
        puppet(0).leads(1, 4, 0, &[(3, "a"), (4, "b")]);
        puppet(0).leads(2, 4, 1, &[(4, "b"), (4, "c")]);
        puppet(2).leads(1, 5, 0, &[(3, "a"), (5, "x")]);
    });
    assert_broken(
        |_| {
            puppet(0).leads(1, 4, 0, &[(3, "a"), (4, "b")]);
            puppet(2).leads(1, 5, 1, &[(4, "z")]);
        },
        "Log Matching",
        &[0, 2],
        &["server 0 sent b as the entry of term 4 at index 2", "server 2 sent z"],
    );
}

#[test]
fn the_term_does_not_go_back() {
    assert_fine(|_| {
        puppet(1).answers(6, true);
        puppet(0).leads(1, 4, 0, &[]);
        puppet(0).leads(1, 4, 0, &[]);
        // A request may have been prepared in an earlier term.
        puppet(1).asks_for_vote(1, 0, 3);
    });
    assert_broken(
        |_| {
            puppet(1).answers(6, true);
            puppet(0).leads(1, 4, 0, &[]);
            puppet(1).answers(5, true);
            puppet(0).leads(1, 4, 0, &[]);
        },
        "term",
        &[1],
        &["server 1 sent a message of term 6", "it answers a later request with term 5"],
    );
    assert_broken(
        |cluster| {
            puppet(1).answers(6, true);
            puppet(0).leads(1, 4, 0, &[]);
            cluster.start_server(1);
            cluster.connect(1);
            puppet(1).asks_for_vote(1, 0, 5);
        },
        "persistence: term",
        &[1],
        &["server 1 sent a message of term 6", "since its restart it sends one of term 5"],
    );
}

#[test]
fn what_a_dead_server_says_does_not_count() {
    assert_fine(|cluster| {
        puppet(0).leads(1, 4, 0, &[]);
        let old = puppet(2);
        cluster.crash(2);
        old.leads(1, 4, 0, &[]);
    });
}

#[test]
fn what_is_promised_is_saved() {
    assert_fine(|_| {
        puppet(1).answers(4, true);
        puppet(1).saves(4, Some(0), vec![3, 4]);
        puppet(0).asks_for_vote(0, 1, 4);
        puppet(0).leads(1, 4, 0, &[(3, "a"), (4, "b")]);
        // A refusal promises nothing; a later term has changed it all.
        puppet(1).saves(5, None, Vec::new());
        puppet(0).leads(1, 4, 0, &[(3, "a"), (4, "b")]);
    });
    let check = "saved before answered";
    assert_broken(
        |_| {
            puppet(1).answers(4, false);
            puppet(1).saves(3, Some(0), Vec::new());
            puppet(0).asks_for_vote(0, 1, 4);
        },
        check,
        &[1],
        &["server 1 answered with term 4", "its persister holds term 3"],
    );
    assert_broken(
        |_| {
            puppet(1).answers(4, true);
            puppet(1).saves(4, None, Vec::new());
            puppet(0).asks_for_vote(0, 1, 4);
        },
        check,
        &[1],
        &["server 1 voted for 0 in term 4", "its persister holds no vote"],
    );
    assert_broken(
        |_| {
            puppet(1).answers(4, true);
            puppet(1).saves(4, Some(0), vec![3]);
            puppet(0).leads(1, 4, 0, &[(3, "a"), (4, "b")]);
        },
        check,
        &[1],
        &["server 1 accepted entry 2 of term 4", "its persister holds none there"],
    );
}

#[test]
fn what_a_snapshot_holds_is_saved() {
    // Behind the snapshot each entry still has its own place: neither one further nor one less.
    assert_fine(|_| {
        puppet(1).answers(4, true);
        puppet(1).saves_behind(2, 4, None, Vec::new());
        puppet(0).leads(1, 4, 0, &[(3, "a"), (4, "b")]);
        puppet(1).saves_behind(2, 4, None, vec![4, 3]);
        puppet(0).leads(1, 4, 2, &[(4, "c")]);
    });
    assert_broken(
        |_| {
            puppet(1).answers(4, true);
            puppet(1).saves_behind(2, 4, None, vec![3, 4]);
            puppet(0).leads(1, 4, 2, &[(4, "c")]);
        },
        "saved before answered",
        &[1],
        &["server 1 accepted entry 3 of term 4", "its persister holds one of term 3"],
    );
}

#[test]
fn what_a_majority_has_is_committed() {
    let check = "committed by a majority";
    assert_fine(|_| {
        puppet(0).commits(1, 4, (0, 0), 2, 0);
        puppet(0).commits(1, 4, (2, 4), 0, 2);
    });
    assert_broken(
        |_| {
            puppet(0).commits(1, 4, (0, 0), 1, 0);
            puppet(1).answers(0, false);
            puppet(0).commits(2, 4, (0, 0), 2, 2);
        },
        check,
        &[0, 1, 2],
        &["server 1 accepted up to entry 1", "server 2 accepted nothing"],
    );
}

#[test]
fn old_entries_are_not_committed_by_counting() {
    // With an entry of its own term on a majority, the older ones are committed too.
    assert_fine(|_| {
        puppet(0).commits(1, 4, (2, 3), 0, 0);
        puppet(0).commits(1, 4, (2, 3), 1, 0);
        puppet(0).commits(1, 4, (3, 4), 0, 3);
    });
    assert_broken(
        |_| {
            puppet(0).commits(1, 4, (2, 3), 0, 0);
            puppet(0).commits(1, 4, (2, 3), 0, 2);
        },
        "old entries are not committed by counting",
        &[0],
        &["server 0 says that entry 2 is committed", "its log has term 3 at index 2"],
    );
}

#[test]
fn what_a_follower_has_accepted_stays() {
    let check = "accepted entries stay";
    assert_fine(|_| {
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        puppet(1).answers(4, false);
        puppet(0).commits(1, 4, (9, 4), 0, 0);
        // In a later term it may have lost them.
        puppet(1).answers(5, false);
        puppet(0).commits(1, 4, (3, 4), 0, 0);
    });
    assert_broken(
        |_| {
            puppet(0).commits(1, 4, (0, 0), 3, 0);
            puppet(1).answers(4, false);
            puppet(0).commits(1, 4, (2, 4), 0, 0);
        },
        check,
        &[1],
        &["server 1 accepted entries up to 3", "it refuses entries that follow entry 2"],
    );
}

#[test]
fn votes_go_to_logs_that_are_up_to_date() {
    assert_fine(|_| {
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        puppet(2).asks_with_log(2, 1, 5, (3, 4));
        puppet(2).asks_with_log(2, 1, 6, (1, 5));
        puppet(1).answers(7, false);
        puppet(2).asks_with_log(2, 1, 7, (9, 3));
    });
    let check = "election restriction";
    assert_broken(
        |_| {
            puppet(0).commits(1, 4, (0, 0), 3, 0);
            puppet(2).asks_with_log(2, 1, 5, (9, 3));
        },
        check,
        &[1, 2],
        &[
            "server 1 accepted entry 3 of term 4 from server 0",
            "the log of server 2 ends with entry 9 of term 3",
        ],
    );
    assert_broken(
        |_| {
            puppet(0).commits(1, 4, (0, 0), 3, 0);
            puppet(2).asks_with_log(2, 1, 5, (2, 4));
        },
        check,
        &[1, 2],
        &["the log of server 2 ends with entry 2 of term 4"],
    );
}

#[test]
fn what_stands_in_the_way_of_agreement_is_told() {
    let words = |play: fn(&Cluster<Puppet>)| {
        let verdict = verdict(play).expect("nobody leads");
        verdict.facts.into_iter().map(|fact| fact.text).collect::<Vec<_>>().join("; ")
    };
    let refused = words(|cluster| {
        puppet(1).answers(4, false);
        for _ in 0..5 {
            puppet(0).commits(1, 4, (7, 3), 1, 0);
        }
        cluster.one(Bytes::from_static(b"x"), 3, false);
    });
    let expected = "server 1 refused the last 5 AppendEntries of server 0 in term 4, all with \
                    prevLogIndex 7";
    assert!(refused.contains(expected), "{refused}");
    let elections = words(|cluster| {
        puppet(0).commits(1, 4, (0, 0), 0, 0);
        puppet(1).asks_for_vote(1, 0, 5);
        puppet(2).asks_for_vote(2, 1, 6);
        cluster.check_one_leader();
    });
    let expected = "server 0 was the last leader, of term 4; 2 elections since then, of servers 1, \
                    2, and none was won";
    assert!(elections.contains(expected), "{elections}");
}

#[test]
fn ten_heartbeats_a_second() {
    fn beat(millis: u64, count: u64, to: usize) {
        for _ in 0..count {
            puppet(0).leads(to, 4, 0, &[]);
            thread::sleep(Duration::from_millis(millis));
        }
    }
    assert_fine(|_| beat(100, 100, 1));
    // Entries and news are no heartbeats.
    assert_fine(|_| {
        for n in 0..100 {
            puppet(0).leads(1, 4, n, &[(4, "x")]);
            puppet(0).leads(1, 4, n + 1, &[]);
        }
    });
    // Nor is what is sent again because it was lost.
    assert_fine(|cluster| {
        cluster.network().set_long_delays(false);
        cluster.disconnect(1);
        beat(0, 100, 1);
    });
    assert_broken(
        |_| beat(80, 100, 1),
        "heartbeats",
        &[0],
        &["heartbeats to server 1", "the last of them"],
    );
}

#[test]
fn no_call_with_a_lock_held() {
    assert_broken(
        |cluster| {
            cluster.start(0, Bytes::from_static(b"call"));
        },
        "RPC while holding a lock",
        &[0],
        &["the lock was taken at", "invariants.rs:"],
    );
}

#[test]
fn roles_are_inferred_from_messages() {
    let watch = Watch::new(3, Keep::All, Setting::default(), Puppet::read_persisted);
    let inside = watch.clone();
    let run = Builder::simulated(3).run(move || {
        let cluster = Cluster::<Puppet>::watched(3, false, inside);
        puppet(1).answers(4, true);
        puppet(0).asks_for_vote(0, 1, 4);
        puppet(0).leads(1, 4, 0, &[]);
        puppet(1).asks_for_vote(1, 0, 5);
        cluster.cleanup();
    });
    run.expect("no rule is broken");
    let events = watch.session().take().events;
    let inferred = events.iter().filter_map(|event| match &event.what {
        labtrace::What::Inferred { role, term } => Some((event.lane?, *role, *term)),
        _ => None,
    });
    use labtrace::Role::{Candidate, Follower, Leader};
    let expected = [(0, Candidate, 4), (1, Follower, 4), (0, Leader, 4), (1, Candidate, 5)];
    assert_eq!(inferred.collect::<Vec<_>>(), expected);
}
