//! tikv's Raft, the crate `raft`, as a Raft of this lab: somebody else's code, with habits of its own.
//!
//! It is a library without threads, clock or network. Here it gets a mutex, a ticker and a thread for
//! each message, and its messages take one of two forms: its own, or the names of Figure 2.
//!
//! Three things need care. A new leader appends an entry without a command, so the indexes of its log
//! are not those of the service: commands are counted. It draws its election timeouts from the
//! operating system's randomness, so that a simulated run could not be repeated: after each step the
//! timeout is set to one that was drawn here. And it lets each later term start the timer anew, so that
//! once in a while those who cannot be elected keep the one who can from it for ten seconds: what was
//! waited is put back.

use std::error::Error;
use std::sync::{Arc, Weak};
use std::time::Duration;

use labrpc::{ClientEnd, Service};
use labrt::channel::Sender;
use labrt::sync::{Condvar, Mutex};
use labrt::thread;
use labrt::time::Instant;
use persister::Persister;
use raft_api::{ApplyMsg, Bytes, RaftState, Started};
use tikv_raft::eraftpb::Message;

use crate::driver::{Running, start_applier};

mod figure_2;
mod node;
mod own_form;
mod store;

use node::Node;
pub(crate) use store::Saved;

/// The library's unit of time.
const TICK: Duration = Duration::from_millis(25);

/// How long a command waits for others that can be sent with it.
const BATCH: Duration = Duration::from_millis(5);

/// What the library's messages look like on the wire, and how they travel.
pub(crate) trait Form: Send + Sync {
    /// Sends a message. A reply that comes with the call goes to `answered`.
    fn send(&self, end: &ClientEnd, message: &Message, answered: Answered);
    /// What others may call.
    fn service(&self, raft: Arc<Tikv>) -> Service;
}

/// Takes a reply.
pub(crate) type Answered = Box<dyn FnOnce(Message) + Send>;

pub(crate) struct Tikv {
    id: u64,
    state: Mutex<State>,
    /// Something is to be done before the next tick.
    changed: Condvar,
    form: &'static dyn Form,
    ends: Vec<ClientEnd>,
    /// Itself, for the threads that it starts.
    this: Weak<Tikv>,
}

struct State {
    node: Node,
    killed: bool,
    tick_at: Instant,
    /// When commands that were offered are sent.
    flush_at: Option<Instant>,
}

impl Tikv {
    /// Makes the form of this name, and lets it run.
    ///
    /// # Errors
    /// If the persister cannot be read, or what it holds is not a state of this Raft.
    pub(crate) fn run(
        name: &str,
        ends: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        apply: Sender<ApplyMsg>,
    ) -> Result<Arc<dyn Running>, Box<dyn Error + Send + Sync>> {
        let form: &'static dyn Form = match name.contains("figure_2") {
            true => &figure_2::Figure2,
            false => &own_form::OwnForm,
        };
        let pre_vote = name.contains("pre_vote");
        let node = Node::new((me, ends.len()), pre_vote, persister, start_applier(apply))?;
        let state = State { node, killed: false, tick_at: Instant::now() + TICK, flush_at: None };
        let raft = Arc::new_cyclic(|this| Tikv {
            id: node::id(me),
            state: Mutex::new(state),
            changed: Condvar::new(),
            form,
            ends,
            this: this.clone(),
        });
        let ticker = raft.clone();
        thread::Builder::new().name("ticker").spawn(move || ticker.tick());
        Ok(raft)
    }

    fn tick(&self) {
        let mut state = self.state.lock();
        while !state.killed {
            let now = Instant::now();
            let wake_at = state.flush_at.map_or(state.tick_at, |at| at.min(state.tick_at));
            if now < wake_at {
                self.changed.wait_until(&mut state, wake_at);
                continue;
            }
            if state.tick_at <= now {
                state.node.tick();
                state.tick_at = now + TICK;
            }
            let messages = state.flush();
            self.send_all(messages);
        }
    }

    /// Takes a message. Returns what it leads to at once.
    pub(crate) fn step(&self, message: Message) -> Vec<Message> {
        let mut state = self.state.lock();
        state.node.step(message);
        state.flush()
    }

    /// Takes a message and sends what it leads to.
    pub(crate) fn take(&self, message: Message) {
        let messages = self.step(message);
        self.send_all(messages);
    }

    /// The number that the library knows it by.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Sends messages, none of which waits for another.
    pub(crate) fn send_all(&self, messages: Vec<Message>) {
        for message in messages {
            let this = self.this.clone();
            let answered = Box::new(move |reply| {
                if let Some(raft) = this.upgrade() {
                    raft.take(reply);
                }
            });
            self.form.send(&self.ends[node::place(message.to)], &message, answered);
        }
    }
}

impl State {
    fn flush(&mut self) -> Vec<Message> {
        self.flush_at = None;
        self.node.flush()
    }
}

impl Running for Tikv {
    fn snapshot(&self, index: u64, _: Bytes) {
        panic!("tikv's Raft is used without snapshots here, and was given one of 1 to {index}");
    }

    fn service(self: Arc<Self>) -> Service {
        let form = self.form;
        form.service(self)
    }

    fn start(&self, command: Bytes) -> Option<Started> {
        let mut state = self.state.lock();
        let started = state.node.propose(&command)?;
        if state.flush_at.is_none() {
            state.flush_at = Some(Instant::now() + BATCH);
            self.changed.notify_one();
        }
        Some(started)
    }

    fn state(&self) -> RaftState {
        self.state.lock().node.state()
    }

    fn kill(&self) {
        self.state.lock().killed = true;
        self.changed.notify_all();
    }
}
