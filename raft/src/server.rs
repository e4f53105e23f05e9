//! A server: the task that owns a [`Core`], and the handle that the service above it holds.
//!
//! All that concerns the core comes through one queue: requests and replies from the network,
//! commands, and the end. The task takes everything that is there, lets the core handle it, looks at
//! its two timers, and performs what comes out, in an order that keeps every promise:
//! **save, then answer, then send, then apply**. So many commands that come together share one save
//! and one round of AppendEntries.
//!
//! Nothing here waits for a peer: requests are sent with a function to call when the reply comes,
//! and that function puts it into the queue. A second task feeds the apply channel, which may block.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use labrpc::{ClientEnd, NoReply, Reply, Service};
use labrt::channel::{self, Receiver, RecvTimeoutError, Sender};
use labrt::rng::{self, RngExt, Stream};
use labrt::sync::Leaf;
use labrt::time::Instant;
use labrt::{node, thread};
use persister::Persister;
use raft_api::{ApplyMsg, RaftState, Started};

use crate::checker::ClusterChecker;
use crate::message::{
    AppendEntriesArgs, AppendEntriesReply, RaftRpc, RaftRpcClient, RaftRpcService, RequestVoteArgs,
    RequestVoteReply,
};
use crate::reporter::Reporter;
use crate::rules::{Core, Output, Request, Ticket};
use crate::storage::{RestoreError, Storage};

/// How many inputs are handled before their output is performed.
const MAX_BATCH: usize = 1024;

/// A server's settings.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// How often a leader sends heartbeats. Default: every 110 ms, so that any second has at most
    /// the ten that the lab allows.
    pub heartbeat: Duration,
    /// The range that election timeouts are drawn from, in ms. Default: 300 to 600; the paper's 150
    /// to 300 is too short for ten heartbeats a second (see the lab's handout).
    pub election_timeout_ms: (u64, u64),
    /// What watches the whole cluster.
    pub checker: Option<Arc<ClusterChecker>>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            heartbeat: Duration::from_millis(110),
            election_timeout_ms: (300, 600),
            checker: None,
        }
    }
}

/// Why a server cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MakeError {
    /// What the persister holds cannot be used.
    #[error("server {me}: {error}")]
    Restore {
        /// The server's number.
        me: usize,
        /// What is wrong.
        #[source]
        error: RestoreError,
    },
    /// The persisted vote is for a server that does not exist.
    #[error(
        "server {me}: the persisted state has a vote for server {vote}, but the cluster has only \
         {servers} servers; it belongs to another cluster"
    )]
    ForeignVote {
        /// The server's number.
        me: usize,
        /// Whom it voted for.
        vote: usize,
        /// How many servers there are.
        servers: usize,
    },
    /// `me` is not a place in `peers`.
    #[error("server {me} is not one of the {servers} servers given as peers")]
    NoSuchServer {
        /// The server's number.
        me: usize,
        /// How many servers there are.
        servers: usize,
    },
}

/// A Raft server. Go: the type `Raft`.
///
/// It ends when it is killed, and when this handle and the services made from it are gone.
pub struct Raft {
    owner: Arc<Owner>,
    /// What the server last said about itself, after it was saved.
    state: Arc<Leaf<RaftState>>,
}

/// What keeps a server going: when the last of these is dropped, it ends.
struct Owner {
    inputs: Sender<Input>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        // A server that has ended already is as dead as it can be.
        node::outside(|| drop(self.inputs.send(Input::Kill)));
    }
}

/// All that can happen to a server, but for its timers.
enum Input {
    RequestVote(RequestVoteArgs, Reply<RequestVoteReply>),
    AppendEntries(AppendEntriesArgs, Reply<AppendEntriesReply>),
    Voted { from: usize, sent_in: u64, result: Result<RequestVoteReply, NoReply> },
    Appended { from: usize, ticket: Ticket, result: Result<AppendEntriesReply, NoReply> },
    Start(Bytes, Sender<Option<Started>>),
    Kill,
}

/// An answer that waits until its reasons are saved.
enum Answer {
    Vote(Reply<RequestVoteReply>, RequestVoteReply),
    Append(Reply<AppendEntriesReply>, AppendEntriesReply),
    Start(Sender<Option<Started>>, Option<Started>),
}

impl Raft {
    /// Makes a server; see [`raft_api::Raft::make`].
    ///
    /// # Errors
    /// If the persister cannot be read, holds what this Raft did not write, or `me` is no peer.
    pub fn open(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        apply: Sender<ApplyMsg>,
        options: Options,
    ) -> Result<Arc<Raft>, MakeError> {
        let servers = peers.len();
        if me >= servers {
            return Err(MakeError::NoSuchServer { me, servers });
        }
        let (storage, hard, log) =
            Storage::open(persister).map_err(|error| MakeError::Restore { me, error })?;
        if let Some(vote) = hard.voted_for.filter(|vote| *vote >= servers) {
            return Err(MakeError::ForeignVote { me, vote, servers });
        }
        let core = Core::new(me, servers, hard, log);
        let state = Arc::new(Leaf::new(RaftState { term: core.term(), is_leader: false }));
        let (inputs, queue) = channel::unbounded();
        let (committed, to_apply) = channel::unbounded();
        let now = Instant::now();
        let mut event_loop = EventLoop {
            core,
            storage,
            options,
            peers: peers.into_iter().map(RaftRpcClient::new).collect(),
            inputs: inputs.clone(),
            committed,
            state: state.clone(),
            rng: rng::node_stream(),
            election_at: now,
            heartbeat_at: now,
            answers: Vec::new(),
            reporter: Reporter::default(),
        };
        thread::Builder::new().name("raft").spawn(move || event_loop.run(&queue));
        thread::Builder::new().name("applier").spawn(move || feed(&to_apply, &apply));
        Ok(Arc::new(Raft { owner: Arc::new(Owner { inputs }), state }))
    }
}

impl raft_api::Raft for Raft {
    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        apply: Sender<ApplyMsg>,
    ) -> Result<Arc<Raft>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Raft::open(peers, me, persister, apply, Options::default())?)
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        vec![RaftRpcService::of(Arc::new(Handlers { owner: self.owner.clone() }))]
    }

    fn start(&self, command: Bytes) -> Option<Started> {
        if !self.state().is_leader {
            return None;
        }
        let (sender, started) = channel::bounded(1);
        self.owner.inputs.send(Input::Start(command, sender)).ok()?;
        started.recv().ok()?
    }

    fn state(&self) -> RaftState {
        self.state.with(|state| *state)
    }

    fn kill(&self) {
        // A server that has ended already is as dead as it can be.
        let _ = self.owner.inputs.send(Input::Kill);
    }
}

impl fmt::Debug for Raft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raft").field("state", &self.state).finish_non_exhaustive()
    }
}

/// Passes requests on to the event loop. If that has ended, the right to reply is dropped, and the
/// caller gets no reply.
struct Handlers {
    owner: Arc<Owner>,
}

impl RaftRpc for Handlers {
    fn request_vote(&self, args: RequestVoteArgs, reply: Reply<RequestVoteReply>) {
        let _ = self.owner.inputs.send(Input::RequestVote(args, reply));
    }

    fn append_entries(&self, args: AppendEntriesArgs, reply: Reply<AppendEntriesReply>) {
        let _ = self.owner.inputs.send(Input::AppendEntries(args, reply));
    }
}

/// Hands committed commands to the service, one after the other, at the service's pace.
fn feed(to_apply: &Receiver<Vec<ApplyMsg>>, apply: &Sender<ApplyMsg>) {
    for message in to_apply.iter().flatten() {
        if apply.send(message).is_err() {
            return; // the service is gone
        }
    }
}

struct EventLoop {
    core: Core,
    storage: Storage,
    options: Options,
    peers: Vec<RaftRpcClient>,
    /// For the functions that wait for replies.
    inputs: Sender<Input>,
    committed: Sender<Vec<ApplyMsg>>,
    state: Arc<Leaf<RaftState>>,
    rng: Stream,
    /// When to start an election, unless this server leads.
    election_at: Instant,
    /// When to send heartbeats, if this server leads.
    heartbeat_at: Instant,
    answers: Vec<Answer>,
    reporter: Reporter,
}

impl EventLoop {
    fn run(&mut self, queue: &Receiver<Input>) {
        loop {
            self.perform();
            let timer = if self.core.is_leader() { self.heartbeat_at } else { self.election_at };
            let mut next = match queue.recv_deadline(timer) {
                Ok(input) => Some(input),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut handled = 0;
            while let Some(input) = next {
                if !self.handle(input) {
                    return;
                }
                handled += 1;
                next = if handled < MAX_BATCH { queue.try_recv().ok() } else { None };
            }
            // After the messages: a heartbeat that has come in time is no reason for an election,
            // even if this task was slow to look.
            self.look_at_timers();
        }
    }

    /// False if the server is to end.
    fn handle(&mut self, input: Input) -> bool {
        match input {
            Input::RequestVote(args, reply) => {
                let answer = self.core.request_vote(&args);
                self.answers.push(Answer::Vote(reply, answer));
            }
            Input::AppendEntries(args, reply) => {
                let answer = self.core.append_entries(&args);
                self.answers.push(Answer::Append(reply, answer));
            }
            Input::Voted { from, sent_in, result: Ok(reply) } => {
                self.core.vote_reply(from, sent_in, &reply);
            }
            // The next election asks again.
            Input::Voted { result: Err(NoReply), .. } => {}
            Input::Appended { from, ticket, result: Ok(reply) } => {
                self.core.append_reply(from, ticket, &reply);
            }
            Input::Appended { from, ticket, result: Err(NoReply) } => {
                self.core.append_failed(from, ticket);
            }
            Input::Start(command, answer) => {
                let term = self.core.term();
                let started = self.core.propose(command).map(|index| Started { index, term });
                self.answers.push(Answer::Start(answer, started));
            }
            Input::Kill => return false,
        }
        true
    }

    fn look_at_timers(&mut self) {
        let now = Instant::now();
        if self.core.is_leader() {
            if now >= self.heartbeat_at {
                self.core.heartbeat_timeout();
                self.heartbeat_at = now + self.options.heartbeat;
            }
        } else if now >= self.election_at {
            labtrace::note!("timer", "no leader heard of: an election begins");
            self.core.election_timeout();
        }
    }

    /// Performs what the core has decided: save, then answer, then send, then apply.
    fn perform(&mut self) {
        let output = self.core.take_output();
        self.set_timers(&output);
        if let Some(checker) = &self.options.checker {
            checker.observe(&self.core, &output);
        }
        if let Err(error) = self.storage.save(&self.core, &output.save) {
            self.stop(&error);
        }
        if let Some(checker) = &self.options.checker {
            checker.check_saved(&self.core, &self.storage);
        }
        self.reporter.report(&self.core, &output.save);
        let state = RaftState { term: self.core.term(), is_leader: self.core.is_leader() };
        self.state.with(|shown| *shown = state);
        for answer in self.answers.drain(..) {
            match answer {
                Answer::Vote(reply, answer) => reply.send(answer),
                Answer::Append(reply, answer) => reply.send(answer),
                // Whoever asked may have been killed.
                Answer::Start(reply, started) => drop(reply.send(started)),
            }
        }
        for (to, request) in output.requests {
            self.send(to, request);
        }
        if let Some(indexes) = output.committed {
            let command = |index| {
                let entry = self.core.log().get(index).expect("what is committed is in the log");
                ApplyMsg::Command { index, command: entry.command.clone() }
            };
            // Without an applier there is no service any more.
            let _ = self.committed.send(indexes.map(command).collect());
        }
    }

    fn set_timers(&mut self, output: &Output) {
        if !output.reset_election_timer && output.elected.is_none() {
            return;
        }
        let now = Instant::now();
        let (least, most) = self.options.election_timeout_ms;
        self.election_at = now + Duration::from_millis(self.rng.random_range(least..=most));
        self.heartbeat_at = now + self.options.heartbeat;
    }

    fn send(&self, to: usize, request: Request) {
        let inputs = self.inputs.clone();
        match request {
            Request::Vote(args) => {
                let sent_in = args.term;
                self.peers[to].request_vote_then(&args, move |result| {
                    let _ = inputs.send(Input::Voted { from: to, sent_in, result });
                });
            }
            Request::Append(args, ticket) => {
                self.peers[to].append_entries_then(&args, move |result| {
                    let _ = inputs.send(Input::Appended { from: to, ticket, result });
                });
            }
        }
    }

    /// The state cannot be saved: the server must neither answer nor send anything any more.
    fn stop(&self, error: &persister::PersistError) -> ! {
        let term = self.core.term();
        self.state.with(|shown| *shown = RaftState { term, is_leader: false });
        panic!("server {} stops, because its state cannot be saved: {error}", self.core.me());
    }
}
