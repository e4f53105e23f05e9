//! A server: its state, its threads, and what the service above it may ask of it.
//!
//! One mutex guards everything that changes. The *ticker* waits on a condition variable until an
//! election or a heartbeat is due; the *applier* waits on another one until an entry is committed.
//! Each RPC that is sent has a thread of its own, which blocks in the call.

use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use labgob::{DecodeError, Decoder, Encoder};
use labrpc::{ClientEnd, NoReply, Service};
use labrt::channel::Sender;
use labrt::rng::{self, RngExt, Stream};
use labrt::sync::{Condvar, Mutex, MutexGuard};
use labrt::thread;
use labrt::time::Instant;
use persister::Persister;
use raft_api::{ApplyMsg, Bytes, Persisted, RaftState, Started};

use crate::log::Log;
use crate::message::{Entry, RpcClient, RpcService};
use crate::{Bug, Kind};

/// At most ten heartbeats a second.
pub(crate) const HEARTBEAT: Duration = Duration::from_millis(120);

/// How long a command waits for others that can be sent with it.
const BATCH: Duration = Duration::from_millis(10);

/// How long `start` waits with [`Kind::StartWaits`], and `make` with [`Kind::MakeWaits`].
const START_WAITS: Duration = Duration::from_millis(100);
const MAKE_WAITS: Duration = Duration::from_millis(650);

/// When a candidate asks again with [`Kind::VotesCountedTwice`].
pub(crate) const ASKS_AGAIN: Duration = Duration::from_millis(100);

/// Election timeouts, in ms: several heartbeats, and well within the 5 s of the lab.
const ELECTION: std::ops::RangeInclusive<u64> = 350..=650;

/// A Raft as a student of the course would write it, with the bug `B`.
pub struct StudentRaft<B> {
    student: Arc<Student>,
    bug: PhantomData<fn() -> B>,
}

/// The same with a bug that is a value: so it is compiled once, and not again for each bug.
pub(crate) struct Student {
    pub(crate) me: usize,
    pub(crate) peers: Vec<RpcClient>,
    pub(crate) state: Mutex<State>,
    /// Signals the ticker that something is due earlier than it was.
    pub(crate) due: Condvar,
    /// Signals the applier that `commit_index` has moved.
    pub(crate) committed: Condvar,
    /// Taken with [`Kind::LockOrder`] only.
    pub(crate) applying: Mutex<()>,
    pub(crate) apply: Sender<ApplyMsg>,
    persister: Arc<dyn Persister>,
    pub(crate) bug: Option<Kind>,
}

/// Everything that changes, under the one lock.
pub(crate) struct State {
    // Persistent state on all servers (Figure 2).
    pub(crate) current_term: u64,
    pub(crate) voted_for: Option<usize>,
    pub(crate) log: Log,
    /// The snapshot of what is before the log; empty without one.
    pub(crate) snapshot: Bytes,
    // Volatile state on all servers.
    pub(crate) commit_index: u64,
    pub(crate) last_applied: u64,
    /// A snapshot that the service is to get before anything else.
    pub(crate) installed: Option<ApplyMsg>,
    // Volatile state on leaders, a place for each server.
    pub(crate) next_index: Vec<u64>,
    pub(crate) match_index: Vec<u64>,
    /// Who gets no more heartbeats, with [`Kind::SilentAfterFailure`] only.
    pub(crate) given_up: Vec<bool>,
    // What Figure 2 leaves to us.
    pub(crate) role: Role,
    pub(crate) votes: usize,
    pub(crate) election_at: Instant,
    pub(crate) heartbeat_at: Instant,
    /// Something was not sent yet.
    pub(crate) fresh: bool,
    killed: bool,
    rng: Stream,
}

impl State {
    fn reset_election_timer(&mut self, bug: Option<Kind>) {
        let timeout = match bug {
            Some(Kind::SameTimeout) => *ELECTION.start(),
            _ => self.rng.random_range(ELECTION),
        };
        self.election_at = Instant::now() + Duration::from_millis(timeout);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Follower,
    Candidate,
    Leader,
}

impl Student {
    /// True if this is the bug that this Raft has.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.bug == Some(kind)
    }

    pub(crate) fn reset_election_timer(&self, state: &mut State) {
        state.reset_election_timer(self.bug);
    }

    fn ticker(self: &Arc<Self>) {
        let mut state = self.state.lock();
        while !state.killed {
            let leads = state.role == Role::Leader;
            let wake_at = if leads { state.heartbeat_at } else { state.election_at };
            if Instant::now() < wake_at {
                self.due.wait_until(&mut state, wake_at);
            } else if leads {
                self.send_to_all(&mut state);
            } else {
                self.start_election(&mut state);
            }
        }
    }

    fn applier(&self) {
        loop {
            let mut state = self.state.lock();
            if self.has(Kind::LostWakeUp) && !state.killed {
                self.committed.wait(&mut state);
            }
            self.committed.wait_while(&mut state, |state| {
                let idle = state.installed.is_none() && state.commit_index <= state.last_applied;
                idle && !state.killed
            });
            if state.killed {
                return;
            }
            self.apply_committed(state);
        }
    }

    /// Rules for all servers: "If commitIndex > lastApplied: increment lastApplied, apply
    /// log[lastApplied] to state machine."
    pub(crate) fn apply_committed<'a>(&'a self, mut state: MutexGuard<'a, State>) {
        let mut _applying = None;
        if self.has(Kind::LockOrder) {
            drop(state);
            _applying = Some(self.applying.lock());
            state = self.state.lock();
        }
        if let Some(snapshot) = Self::take_installed(&mut state) {
            drop(state);
            let _ = self.apply.send(snapshot);
            return;
        }
        let first = state.last_applied + 1;
        let entries = state.log.between(state.last_applied, state.commit_index);
        state.last_applied = state.commit_index;
        // The service may take its time, and may call `start` or `snapshot` meanwhile.
        let _held = self.has(Kind::AppliesUnderLock).then_some(state);
        for (index, Entry { command, .. }) in (first..).zip(entries) {
            // A service that no longer listens needs no commands.
            let _ = self.apply.send(ApplyMsg::Command { index, command });
        }
    }

    /// Rules for all servers: "If RPC request or response contains term T > currentTerm: set
    /// currentTerm = T, convert to follower."
    pub(crate) fn see_term(&self, state: &mut State, term: u64) {
        let deaf = state.role == Role::Leader && self.has(Kind::LeaderDeaf);
        let taken = match self.has(Kind::AnyTermTaken) {
            true => term != state.current_term,
            false => term > state.current_term,
        };
        if taken && !deaf {
            state.current_term = term;
            state.voted_for = None;
            if !self.has(Kind::TermNotPersisted) {
                self.persist_vote(state);
            }
            if state.role == Role::Leader {
                // A leader does not keep this timer.
                self.reset_election_timer(state);
            }
            state.role = Role::Follower;
            self.tell(state);
        }
    }

    /// The same for a reply.
    pub(crate) fn see_term_of_reply(&self, state: &mut State, term: u64) {
        if !self.has(Kind::NewerTermIgnored) {
            self.see_term(state, term);
        }
    }

    /// Makes a call and waits for its reply, without the lock; then takes the lock.
    pub(crate) fn call<R>(
        &self,
        call: impl FnOnce() -> Result<R, NoReply>,
    ) -> Option<(MutexGuard<'_, State>, R)> {
        let held = self.has(Kind::RpcUnderLock).then(|| self.state.lock());
        let reply = call().ok()?;
        Some((held.unwrap_or_else(|| self.state.lock()), reply))
    }

    /// Saves what must survive a crash: "Updated on stable storage before responding to RPCs."
    pub(crate) fn persist(&self, state: &State) {
        let mut encoder = Encoder::new();
        encoder.encode_named("currentTerm", &state.current_term);
        encoder.encode_named("votedFor", &state.voted_for);
        encoder.encode_named("lastIncludedIndex", &state.log.base());
        let base_term = if self.has(Kind::BaseTermForgotten) { 0 } else { state.log.base_term() };
        encoder.encode_named("lastIncludedTerm", &base_term);
        encoder.encode_named("log", state.log.entries());
        let state_bytes = encoder.into_bytes();
        if let Err(error) = self.persister.save_state_and_snapshot(&state_bytes, &state.snapshot) {
            panic!("server {} stops, because its state cannot be saved: {error}", self.me);
        }
        self.tell(state);
    }

    /// Tells the trace of the run what this server is.
    pub(crate) fn tell(&self, state: &State) {
        let role = match state.role {
            Role::Follower => labtrace::Role::Follower,
            Role::Candidate => labtrace::Role::Candidate,
            Role::Leader => labtrace::Role::Leader,
        };
        let number = |server| u32::try_from(server).expect("a cluster has few servers");
        labtrace::state(|| labtrace::State {
            role,
            term: state.current_term,
            vote: state.voted_for.map(number),
            commit: Some(state.commit_index),
            log: None,
        });
    }

    /// Saves the term and the vote, when the log is as it was.
    pub(crate) fn persist_vote(&self, state: &State) {
        if !self.has(Kind::OnlyLogPersisted) {
            self.persist(state);
        }
    }

    pub(crate) fn is_majority(&self, servers: usize) -> bool {
        match self.has(Kind::HalfIsEnough) {
            true => 2 * servers >= self.peers.len(),
            false => servers > self.peers.len() / 2,
        }
    }

    pub(crate) fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let me = self.me;
        (0..self.peers.len()).filter(move |peer| *peer != me)
    }
}

/// Reads what [`Student::persist`] has saved.
fn restore(saved: &[u8]) -> Result<(u64, Option<usize>, Log), DecodeError> {
    if saved.is_empty() {
        return Ok((0, None, Log::default()));
    }
    let mut decoder = Decoder::new(saved);
    let current_term = decoder.decode_named("currentTerm")?;
    let voted_for = decoder.decode_named("votedFor")?;
    let base = decoder.decode_named("lastIncludedIndex")?;
    let base_term = decoder.decode_named("lastIncludedTerm")?;
    let entries = decoder.decode_named("log")?;
    decoder.finish()?;
    Ok((current_term, voted_for, Log::new(base, base_term, entries)))
}

impl Student {
    fn make(
        bug: Option<Kind>,
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        apply: Sender<ApplyMsg>,
    ) -> Result<Arc<Student>, Box<dyn Error + Send + Sync>> {
        let (current_term, voted_for, log) = restore(&persister.read_raft_state()?)?;
        let snapshot = match bug {
            Some(Kind::EmptySnapshotSaved) => Bytes::new(),
            _ => Bytes::from(persister.read_snapshot()?),
        };
        // The service has read the snapshot by itself, and goes on behind it.
        let applied = if bug == Some(Kind::AppliedFromStart) { 0 } else { log.base() };
        let committed = match bug {
            Some(Kind::RestoredIsCommitted) => log.last_index(),
            _ => applied,
        };
        let now = Instant::now();
        let mut state = State {
            current_term,
            voted_for,
            log,
            snapshot,
            commit_index: committed,
            last_applied: applied,
            installed: None,
            next_index: Vec::new(),
            match_index: Vec::new(),
            given_up: Vec::new(),
            role: Role::Follower,
            votes: 0,
            election_at: now,
            heartbeat_at: now,
            fresh: false,
            killed: false,
            rng: rng::node_stream(),
        };
        state.reset_election_timer(bug);
        let raft = Arc::new(Student {
            me,
            peers: peers.into_iter().map(RpcClient::new).collect(),
            state: Mutex::new(state),
            due: Condvar::new(),
            committed: Condvar::new(),
            applying: Mutex::new(()),
            apply,
            persister,
            bug,
        });
        let ticker = raft.clone();
        thread::Builder::new().name("ticker").spawn(move || ticker.ticker());
        let applier = raft.clone();
        thread::Builder::new().name("applier").spawn(move || applier.applier());
        Ok(raft)
    }

    fn read_persisted(saved: &[u8]) -> Option<Persisted> {
        let (term, voted_for, log) = restore(saved).ok()?;
        let log_terms = log.entries().iter().map(|entry| entry.term).collect();
        let (log_base, log_base_term) = (log.base(), log.base_term());
        let log_base_commands = Some(log_base);
        Some(Persisted { term, voted_for, log_base, log_base_term, log_base_commands, log_terms })
    }

    fn services(self: &Arc<Self>) -> Vec<Service> {
        vec![RpcService::of(Arc::new(Handlers(self.clone())))]
    }

    fn start(&self, command: Bytes) -> Option<Started> {
        let mut state = self.state.lock();
        if state.role != Role::Leader {
            return None;
        }
        if self.has(Kind::StartUnlocked) {
            drop(state);
            state = self.state.lock();
        }
        if self.has(Kind::StartWaits) {
            drop(state);
            thread::sleep(START_WAITS);
            state = self.state.lock();
            if state.role != Role::Leader {
                return None;
            }
        }
        // Rules for leaders: "If command received from client: append entry to local log."
        let term = state.current_term;
        state.log.push(Entry { term, command });
        if !self.has(Kind::LeaderLogNotPersisted) {
            self.persist(&state);
        }
        let index = state.log.last_index();
        state.match_index[self.me] = index;
        state.fresh = true;
        // The ticker sends it, together with others that come within this time.
        state.heartbeat_at = state.heartbeat_at.min(Instant::now() + BATCH);
        self.due.notify_one();
        Some(Started { index, term })
    }

    fn state(&self) -> RaftState {
        let state = self.state.lock();
        RaftState { term: state.current_term, is_leader: state.role == Role::Leader }
    }

    fn kill(&self) {
        self.state.lock().killed = true;
        self.due.notify_all();
        self.committed.notify_all();
    }
}

impl<B: Bug> raft_api::Raft for StudentRaft<B> {
    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        apply: Sender<ApplyMsg>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let student = Student::make(B::kind(), peers, me, persister, apply)?;
        if student.has(Kind::MakeWaits) {
            thread::sleep(MAKE_WAITS);
        }
        Ok(Arc::new(StudentRaft { student, bug: PhantomData }))
    }

    fn read_persisted(saved: &[u8]) -> Option<Persisted> {
        Student::read_persisted(saved)
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        self.student.services()
    }

    fn start(&self, command: Bytes) -> Option<Started> {
        self.student.start(command)
    }

    fn snapshot(&self, index: u64, snapshot: Bytes) {
        self.student.take_snapshot(index, snapshot);
    }

    fn state(&self) -> RaftState {
        self.student.state()
    }

    fn kill(&self) {
        self.student.kill();
    }
}

/// The server as the others see it. (A handler may have to start a thread, which needs the `Arc`.)
pub(crate) struct Handlers(pub(crate) Arc<Student>);

impl<B: Bug> fmt::Debug for StudentRaft<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StudentRaft({}, {:?})", self.student.me, B::kind())
    }
}
