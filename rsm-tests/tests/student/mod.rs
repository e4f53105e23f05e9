//! A replicated counter as a student may write it: one lock, one condition variable, plain blocking
//! code. It is right, but for the habits that it is given.

use std::collections::BTreeMap;
use std::error::Error;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use labgob::{Deserialize, Gob, Serialize};
use labrpc::{ClientEnd, Service};
use labrt::channel::{self, Receiver};
use labrt::rng::{self, RngExt};
use labrt::sync::{Condvar, Mutex};
use labrt::thread;
use persister::Persister;
use raft_api::{ApplyMsg, Bytes, Raft, Started};
use rsm_api::{Machine, Server, WrongLeader};
use rsm_tests::{Counter, Reply, Request};

/// What a student may get wrong. As they are here, all is right.
pub(crate) trait Habits: Send + Sync + 'static {
    /// Submitters are told of their replies.
    const TELLS_THE_REPLY: bool = true;
    /// A submitter gets the reply of what was executed last, and not of its own request.
    const TELLS_THE_LATEST: bool = false;
    /// Submitters are let go when there is a newer term.
    const LETS_GO_WHEN_DEPOSED: bool = true;
    /// Submitters are let go when the server is over.
    const LETS_GO_AT_THE_END: bool = true;
    /// A reply goes to who submitted the request, and not to whoever waits for its index.
    const LOOKS_WHO_SUBMITTED: bool = true;
    /// Names of requests are not used again after a restart.
    const NAMES_AFRESH: bool = true;
    /// Requests are executed when they are submitted.
    const EXECUTES_AT_ONCE: bool = false;
    /// Requests that were executed when they were submitted are not executed again.
    const EXECUTES_ONCE: bool = true;
    /// Each request is executed twice, and the second reply is told.
    const EXECUTES_TWICE: bool = false;
    /// All servers execute all requests, and not only their own.
    const EXECUTES_ALL: bool = true;
    /// The machine is restored from the persister's snapshot.
    const RESTORES: bool = true;
    /// The machine becomes what a snapshot that comes out of the apply channel was taken of.
    const TAKES_SNAPSHOTS: bool = true;
    /// Snapshots are made.
    const MAKES_SNAPSHOTS: bool = true;
    /// Snapshots are made also if none is ever due.
    const SNAPSHOTS_ALWAYS: bool = false;
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Gob)]
struct Id {
    server: u64,
    number: u64,
}

#[derive(Serialize, Deserialize, Gob)]
struct Entry {
    id: Id,
    request: Request,
}

#[derive(Serialize, Deserialize, Gob)]
struct Snapshot {
    index: u64,
    machine: Bytes,
}

struct State {
    machine: Counter,
    server: u64,
    submitted: u64,
    /// Who submitted what was executed at each index, and the reply.
    executed: BTreeMap<u64, (Id, Reply)>,
    /// The last index that was executed.
    last: u64,
    over: bool,
}

impl State {
    fn restore(&mut self, snapshot: &[u8]) {
        let Snapshot { index, machine } = labgob::decode(snapshot).expect("our own");
        self.machine.restore(&machine).expect("our own");
        self.last = index;
    }

    /// What is known of a request that was to stand at this index.
    fn outcome<H: Habits>(&self, id: Id, index: u64) -> Option<Result<Reply, WrongLeader>> {
        if !H::TELLS_THE_REPLY {
            return None;
        }
        if !H::LOOKS_WHO_SUBMITTED {
            return self.executed.get(&index).map(|(_, reply)| Ok(*reply));
        }
        let own = self.executed.values().find(|(of, _)| *of == id);
        let latest = own.and(self.executed.values().next_back()).filter(|_| H::TELLS_THE_LATEST);
        let own = latest.or(own).map(|(_, reply)| Ok(*reply));
        own.or((self.last >= index).then_some(Err(WrongLeader)))
    }
}

pub(crate) struct Student<H> {
    raft: Arc<raft::Raft>,
    state: Arc<Mutex<State>>,
    changed: Arc<Condvar>,
    habits: PhantomData<H>,
}

impl<H: Habits> Server for Student<H> {
    type Machine = Counter;
    type Raft = raft::Raft;

    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        max_raft_state: Option<usize>,
        machine: Counter,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let server = if H::NAMES_AFRESH { rng::node_stream().random() } else { me as u64 };
        let executed = BTreeMap::new();
        let mut state = State { machine, server, submitted: 0, executed, last: 0, over: false };
        let snapshot = persister.read_snapshot()?;
        if H::RESTORES && !snapshot.is_empty() {
            state.restore(&snapshot);
        }
        let (apply, committed) = channel::bounded(0);
        let raft = raft::Raft::make(peers, me, persister.clone(), apply)?;
        let (state, changed) = (Arc::new(Mutex::new(state)), Arc::new(Condvar::new()));
        let student = Arc::new(Student { raft, state, changed, habits: PhantomData });
        let limit = max_raft_state.filter(|_| H::MAKES_SNAPSHOTS);
        let limit = limit.or(H::SNAPSHOTS_ALWAYS.then_some(0));
        let reader = student.clone();
        thread::spawn(move || reader.read(&committed, &*persister, limit));
        Ok(student)
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        self.raft.clone().services()
    }

    fn submit(&self, request: Request) -> Result<Reply, WrongLeader> {
        let mut state = self.state.lock();
        state.submitted += 1;
        let id = Id { server: state.server, number: state.submitted };
        drop(state);
        let command = Bytes::from(labgob::encode(&Entry { id, request }));
        let Started { index, term } = self.raft.start(command).ok_or(WrongLeader)?;
        let mut state = self.state.lock();
        if H::EXECUTES_AT_ONCE {
            return Ok(state.machine.apply(request));
        }
        loop {
            if let Some(result) = state.outcome::<H>(id, index) {
                return result;
            }
            let deposed = H::LETS_GO_WHEN_DEPOSED && self.raft.state().term > term;
            if state.over || deposed {
                return Err(WrongLeader);
            }
            self.changed.wait_for(&mut state, Duration::from_millis(50));
        }
    }

    fn raft(&self) -> &raft::Raft {
        &self.raft
    }

    fn kill(&self) {
        self.raft.kill();
    }
}

impl<H: Habits> Student<H> {
    fn read(
        &self,
        committed: &Receiver<ApplyMsg>,
        persister: &dyn Persister,
        limit: Option<usize>,
    ) {
        for message in committed {
            match message {
                ApplyMsg::Command { index, command } => self.execute(index, &command),
                ApplyMsg::Snapshot { .. } if !H::TAKES_SNAPSHOTS => {}
                ApplyMsg::Snapshot { snapshot, .. } => self.state.lock().restore(&snapshot),
                other => panic!("what is {other:?}?"),
            }
            if limit.is_some_and(|limit| persister.raft_state_size() * 4 > limit * 3) {
                let state = self.state.lock();
                let snapshot = Snapshot { index: state.last, machine: state.machine.snapshot() };
                drop(state);
                self.raft.snapshot(snapshot.index, Bytes::from(labgob::encode(&snapshot)));
            }
        }
        self.state.lock().over = H::LETS_GO_AT_THE_END;
        self.changed.notify_all();
    }

    fn execute(&self, index: u64, command: &[u8]) {
        let Entry { id, request } = labgob::decode(command).expect("our own");
        let mut state = self.state.lock();
        state.last = index;
        let own = id.server == state.server;
        let early = own && H::EXECUTES_AT_ONCE && H::EXECUTES_ONCE;
        if !early && (own || H::EXECUTES_ALL) {
            if H::EXECUTES_TWICE {
                state.machine.apply(request);
            }
            let reply = state.machine.apply(request);
            state.executed.insert(index, (id, reply));
        }
        drop(state);
        self.changed.notify_all();
    }
}
