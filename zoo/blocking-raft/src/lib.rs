//! A Raft in the style of the course's students: threads, one mutex, one condition variable.
//!
//! It does leader election, what part 2A asks for, and is here to show two things: what the trait
//! [`raft_api::Raft`] looks like from the inside, and that ordinary blocking code needs no change to
//! be simulated. All of it is written against labrt's `Mutex`, `Condvar`, `thread` and `Instant`;
//! the tests run it on both clocks.
//!
//! Each server has one thread that waits on the condition variable until a timer is due: the
//! *ticker*. Each RPC that is sent has a thread of its own, which blocks in the call. The lock is
//! never held during a call.
//!
//! What is missing: the log. `start` refuses every command, so the tests of 2B and 2C fail.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use labgob::Gob;
use labrpc::{ClientEnd, Service};
use labrt::channel::Sender;
use labrt::rng::{self, RngExt};
use labrt::sync::{Condvar, Mutex, MutexGuard};
use labrt::thread;
use labrt::time::Instant;
use persister::Persister;
use raft_api::{ApplyMsg, Bytes, RaftState, Started};
use serde::{Deserialize, Serialize};

/// At most ten heartbeats a second.
const HEARTBEAT: Duration = Duration::from_millis(120);

/// Election timeouts, in ms: several heartbeats, and well within the 5 s of the lab.
const ELECTION: std::ops::RangeInclusive<u64> = 350..=700;

/// What RequestVote says (Figure 2), without the parts about the log.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub struct RequestVoteArgs {
    term: u64,
    candidate_id: usize,
}

/// The answer to RequestVote.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub struct RequestVoteReply {
    term: u64,
    vote_granted: bool,
}

/// What a heartbeat says: AppendEntries without entries.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub struct AppendEntriesArgs {
    term: u64,
}

/// The answer to a heartbeat.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub struct AppendEntriesReply {
    term: u64,
}

/// The RPCs between servers.
#[labrpc::service(name = "Raft")]
trait Rpc {
    fn request_vote(&self, args: RequestVoteArgs) -> RequestVoteReply;
    fn append_entries(&self, args: AppendEntriesArgs) -> AppendEntriesReply;
}

/// What must survive a crash.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Gob)]
struct Persistent {
    term: u64,
    voted_for: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Follower,
    Candidate,
    Leader,
}

/// Everything that changes, under the one lock.
struct State {
    persistent: Persistent,
    role: Role,
    votes: usize,
    /// When the ticker has something to do next.
    wake_at: Instant,
    killed: bool,
}

/// A server.
pub struct BlockingRaft {
    me: usize,
    peers: Vec<RpcClient>,
    persister: Arc<dyn Persister>,
    state: Mutex<State>,
    /// Signals that the server was elected, so that the ticker has something to do at once, or that it was killed.
    /// Who draws a new election timeout does not signal, also if it ends earlier than the one before: then the
    /// ticker wakes late, which only makes this timeout longer.
    changed: Condvar,
}

impl BlockingRaft {
    fn ticker(self: &Arc<Self>) {
        let mut state = self.state.lock();
        while !state.killed {
            if Instant::now() < state.wake_at {
                let wake_at = state.wake_at;
                self.changed.wait_until(&mut state, wake_at);
            } else if state.role == Role::Leader {
                self.send_heartbeats(&mut state);
            } else {
                self.start_election(&mut state);
            }
        }
    }

    /// Rules for candidates: "Increment currentTerm, vote for self, reset election timer, send
    /// RequestVote RPCs to all other servers."
    fn start_election(self: &Arc<Self>, state: &mut MutexGuard<'_, State>) {
        state.persistent.term += 1;
        state.persistent.voted_for = Some(self.me);
        self.persist(state);
        state.role = Role::Candidate;
        state.votes = 1;
        reset_election_timer(state);
        let args = RequestVoteArgs { term: state.persistent.term, candidate_id: self.me };
        for peer in self.others() {
            let (raft, args) = (self.clone(), args.clone());
            thread::spawn(move || {
                // No lock is held here: the call may take seconds.
                if let Ok(reply) = raft.peers[peer].request_vote(&args) {
                    raft.count_vote(args.term, &reply);
                }
            });
        }
        self.lead_if_elected(state);
    }

    fn count_vote(self: &Arc<Self>, asked_in: u64, reply: &RequestVoteReply) {
        let mut state = self.state.lock();
        self.see_term(&mut state, reply.term);
        // The world may have moved on while the call was under way.
        if state.role == Role::Candidate && state.persistent.term == asked_in && reply.vote_granted
        {
            state.votes += 1;
            self.lead_if_elected(&mut state);
        }
    }

    fn lead_if_elected(self: &Arc<Self>, state: &mut MutexGuard<'_, State>) {
        if state.votes > self.peers.len() / 2 {
            state.role = Role::Leader;
            // The first heartbeats are due at once.
            state.wake_at = Instant::now();
            self.changed.notify_all();
        }
    }

    fn send_heartbeats(self: &Arc<Self>, state: &mut MutexGuard<'_, State>) {
        state.wake_at = Instant::now() + HEARTBEAT;
        let args = AppendEntriesArgs { term: state.persistent.term };
        for peer in self.others() {
            let (raft, args) = (self.clone(), args.clone());
            thread::spawn(move || {
                if let Ok(reply) = raft.peers[peer].append_entries(&args) {
                    let mut state = raft.state.lock();
                    raft.see_term(&mut state, reply.term);
                }
            });
        }
    }

    /// Rules for all servers: a later term makes a follower of everyone.
    fn see_term(&self, state: &mut MutexGuard<'_, State>, term: u64) {
        if term > state.persistent.term {
            state.persistent = Persistent { term, voted_for: None };
            self.persist(state);
            if state.role == Role::Leader {
                reset_election_timer(state);
            }
            state.role = Role::Follower;
        }
    }

    fn persist(&self, state: &State) {
        let saved = self.persister.save_raft_state(&labgob::encode(&state.persistent));
        if let Err(error) = saved {
            panic!("server {} stops, because its state cannot be saved: {error}", self.me);
        }
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let me = self.me;
        (0..self.peers.len()).filter(move |peer| *peer != me)
    }
}

fn reset_election_timer(state: &mut State) {
    let timeout = Duration::from_millis(rng::node_stream().random_range(ELECTION));
    state.wake_at = Instant::now() + timeout;
}

impl Rpc for BlockingRaft {
    fn request_vote(&self, args: RequestVoteArgs) -> RequestVoteReply {
        let mut state = self.state.lock();
        self.see_term(&mut state, args.term);
        let Persistent { term, voted_for } = state.persistent;
        let vote_granted =
            args.term == term && voted_for.is_none_or(|vote| vote == args.candidate_id);
        if vote_granted {
            state.persistent.voted_for = Some(args.candidate_id);
            self.persist(&state);
            reset_election_timer(&mut state);
        }
        RequestVoteReply { term, vote_granted }
    }

    fn append_entries(&self, args: AppendEntriesArgs) -> AppendEntriesReply {
        let mut state = self.state.lock();
        self.see_term(&mut state, args.term);
        let term = state.persistent.term;
        if args.term == term {
            state.role = Role::Follower;
            reset_election_timer(&mut state);
        }
        AppendEntriesReply { term }
    }
}

impl raft_api::Raft for BlockingRaft {
    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        _apply: Sender<ApplyMsg>,
    ) -> Result<Arc<BlockingRaft>, Box<dyn Error + Send + Sync>> {
        let saved = persister.read_raft_state()?;
        let persistent =
            if saved.is_empty() { Persistent::default() } else { labgob::decode(&saved)? };
        let wake_at = Instant::now();
        let mut state =
            State { persistent, role: Role::Follower, votes: 0, wake_at, killed: false };
        reset_election_timer(&mut state);
        let raft = Arc::new(BlockingRaft {
            me,
            peers: peers.into_iter().map(RpcClient::new).collect(),
            persister,
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let background = raft.clone();
        thread::Builder::new().name("ticker").spawn(move || background.ticker());
        Ok(raft)
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        vec![RpcService::of(self)]
    }

    fn start(&self, _command: Bytes) -> Option<Started> {
        None
    }

    fn state(&self) -> RaftState {
        let state = self.state.lock();
        RaftState { term: state.persistent.term, is_leader: state.role == Role::Leader }
    }

    fn kill(&self) {
        self.state.lock().killed = true;
        self.changed.notify_all();
    }
}

impl fmt::Debug for BlockingRaft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockingRaft({})", self.me)
    }
}
