//! A server: handlers that wait, and a thread that executes what Raft hands over.
//!
//! One mutex guards everything that changes. A handler starts its request, leaves a channel at the
//! index where it will stand, and waits; now and then it looks whether its server still
//! leads the term in which it started it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use labrpc::{ClientEnd, Service};
use labrt::channel::{self, Receiver, RecvTimeoutError, Sender};
use labrt::sync::Mutex;
use labrt::thread;
use persister::Persister;
use raft::Raft;
use raft_api::{ApplyMsg, Bytes, Raft as _, Started};

use crate::message::{Answer, Kind, Op, Rpc, RpcService};
use crate::store::Store;
use crate::{Choice, Habits, Mistake};

/// A server as a student of the course would write it, with the mistake `M`.
pub struct StudentKv<M> {
    student: Arc<Student>,
    choice: PhantomData<fn() -> M>,
}

/// The same with a mistake that is a value.
struct Student {
    raft: Arc<Raft>,
    state: Mutex<State>,
    persister: Arc<dyn Persister>,
    max_raft_state: Option<usize>,
    habits: Habits,
}

#[derive(Default)]
struct State {
    store: Store,
    /// By index: who waits for what will be executed there.
    waiting: BTreeMap<u64, Waiter>,
    /// By client: the last request that has arrived here.
    arrived: BTreeMap<u64, u64>,
}

struct Waiter {
    op: Op,
    answer: Sender<Answer>,
}

impl Student {
    fn make(
        habits: Habits,
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        max_raft_state: Option<usize>,
    ) -> Result<Arc<Student>, Box<dyn Error + Send + Sync>> {
        let (apply, messages) = channel::bounded(0);
        let mut state = State::default();
        let snapshot = persister.read_snapshot()?;
        if !snapshot.is_empty() && habits.mistake != Some(Mistake::SnapshotNotRead) {
            state.store = Store::restored(&snapshot)?;
        }
        let raft = Raft::make(peers, me, persister.clone(), apply)?;
        let state = Mutex::new(state);
        let server = Arc::new(Student { raft, state, persister, max_raft_state, habits });
        let below = server.clone();
        thread::Builder::new().name("applier").spawn(move || below.apply(messages));
        Ok(server)
    }

    fn services(self: &Arc<Self>) -> Vec<Service> {
        let mut services = self.raft.clone().services();
        services.push(RpcService::of(Arc::new(Handlers(self.clone()))));
        services
    }

    fn has(&self, mistake: Mistake) -> bool {
        self.habits.mistake == Some(mistake)
    }

    /// A handler: returns when the request is done, or cannot be done here.
    fn submit(&self, op: Op) -> Answer {
        if self.has(Mistake::ReadsItsOwnState) && op.kind == Kind::Get {
            return self.read(&op);
        }
        let mut state = self.state.lock();
        if let Some(result) = self.known(&state.store, &op) {
            return Answer::done(result);
        }
        let last = state.arrived.insert(op.client, op.number);
        if self.has(Mistake::SeenMeansDone) && last == Some(op.number) && op.kind != Kind::Get {
            return Answer::done(String::new());
        }
        let Some(started) = self.raft.start(self.encode(&self.as_started(&state, &op))) else {
            return Answer::wrong_leader();
        };
        if self.has(Mistake::AnswersAtStart) && op.kind != Kind::Get {
            return Answer::done(String::new());
        }
        let (answer, receiver) = channel::bounded(1);
        state.waiting.insert(started.index, Waiter { op, answer });
        if self.has(Mistake::LockWhileWaiting) {
            let answer = receiver.recv_timeout(Duration::from_secs(60));
            drop(state);
            return answer.unwrap_or_else(|_| Answer::wrong_leader());
        }
        drop(state);
        self.wait(started, &receiver)
    }

    /// The result of a request that has been executed, as far as it is known for one.
    fn known(&self, store: &Store, op: &Op) -> Option<String> {
        let is_last = store.last.get(&op.client).is_some_and(|(number, _)| *number == op.number);
        store.result_of(op).filter(|_| is_last || !self.has(Mistake::OnlyTheLastIsKnown))
    }

    /// An entry. One that hides what is written is masked, as every second one of a client is if the habit is to
    /// hide some.
    fn encode(&self, op: &Op) -> Bytes {
        const MASK: u8 = 0x5a;
        let mask = if self.habits.hides && op.number.is_multiple_of(2) { MASK } else { 0 };
        let masked = labgob::encode(op).into_iter().map(|byte| byte ^ mask);
        Bytes::from([mask].into_iter().chain(masked).collect::<Vec<u8>>())
    }

    /// What goes into the log for a request.
    fn as_started(&self, state: &State, op: &Op) -> Op {
        if !self.has(Mistake::AppendAsPut) || op.kind != Kind::Append {
            return op.clone();
        }
        let there = state.store.data.get(&op.key).cloned().unwrap_or_default();
        Op { kind: Kind::Put, value: there + &op.value, ..op.clone() }
    }

    /// Answers from what this server has executed.
    fn read(&self, op: &Op) -> Answer {
        if !self.raft.state().is_leader {
            return Answer::wrong_leader();
        }
        Answer::done(self.state.lock().store.execute(op))
    }

    fn wait(&self, started: Started, receiver: &Receiver<Answer>) -> Answer {
        loop {
            match receiver.recv_timeout(self.habits.look) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Disconnected) => return Answer::wrong_leader(),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.has(Mistake::NeverFreed) || self.has(Mistake::AnyEntryWillDo) {
                continue;
            }
            let now = self.raft.state();
            if !now.is_leader || now.term != started.term {
                self.state.lock().waiting.remove(&started.index);
                return Answer::wrong_leader();
            }
        }
    }

    /// Executes what Raft hands over.
    fn apply(&self, messages: Receiver<ApplyMsg>) {
        for message in messages {
            match message {
                ApplyMsg::Command { index, command } => {
                    let op = decode(&command);
                    self.execute(index, &op);
                    self.snapshot_if_due(index);
                }
                ApplyMsg::Snapshot { snapshot, .. } => self.restore(&snapshot),
                other => panic!("Raft handed over {other:?}"),
            }
        }
    }

    fn execute(&self, index: u64, op: &Op) {
        let mut state = self.state.lock();
        let asked_here = state.waiting.get(&index).is_some_and(|waiter| waiter.op == *op);
        let known = match self.has(Mistake::DuplicatesAtArrival) {
            true => None, // those were dropped where they arrived
            false => self.known(&state.store, op),
        };
        let result = known.unwrap_or_else(|| {
            let result = state.store.execute(op);
            if asked_here || !self.has(Mistake::TableOfTheLeader) {
                state.store.note(op, &result, self.habits.mistake);
            }
            result
        });
        let Some(waiter) = state.waiting.remove(&index) else { return };
        let same = (waiter.op.client, waiter.op.number) == (op.client, op.number);
        let any = self.has(Mistake::AnyEntryWillDo) || self.has(Mistake::IndexIsEnough);
        let answer = match same || any {
            true => Answer::done(result),
            false if self.has(Mistake::NeverFreed) => {
                state.waiting.insert(index, waiter);
                return;
            }
            false => Answer::wrong_leader(),
        };
        let _ = waiter.answer.send(answer); // it may have gone meanwhile
    }

    fn restore(&self, snapshot: &[u8]) {
        let mut state = self.state.lock();
        state.store = Store::restored(snapshot).expect("a snapshot of this service");
    }

    fn snapshot_if_due(&self, index: u64) {
        let Some(limit) = self.max_raft_state else { return };
        let due = self.persister.raft_state_size() * 4 >= limit * self.habits.due;
        if !due || self.has(Mistake::NoSnapshots) {
            return;
        }
        let snapshot = self.state.lock().store.snapshot(self.habits.mistake);
        self.raft.snapshot(index, Bytes::from(snapshot));
    }
}

/// A request as it stands in an entry, of which the first byte says how it is masked.
fn decode(command: &[u8]) -> Op {
    let (mask, masked) = command.split_first().expect("it has a first byte");
    let plain: Vec<u8> = masked.iter().map(|byte| byte ^ mask).collect();
    labgob::decode(&plain).expect("only requests are started")
}

impl<M: Choice> kv_api::Server for StudentKv<M> {
    type Raft = Raft;

    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        max_raft_state: Option<usize>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let student = Student::make(Habits::of::<M>(), peers, me, persister, max_raft_state)?;
        Ok(Arc::new(StudentKv { student, choice: PhantomData }))
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        self.student.services()
    }

    fn raft(&self) -> &Raft {
        &self.student.raft
    }

    fn kill(&self) {
        self.student.raft.kill();
    }
}

/// What clerks may call.
struct Handlers(Arc<Student>);

impl Rpc for Handlers {
    fn execute(&self, op: Op) -> Answer {
        self.0.submit(op)
    }
}

impl<M: Choice> fmt::Debug for StudentKv<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StudentKv").field("mistake", &M::mistake()).finish_non_exhaustive()
    }
}
