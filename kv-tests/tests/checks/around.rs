//! The reference Raft with something wrong around it: in what it saves, takes or hands over.

use std::error::Error;
use std::marker::PhantomData;
use std::sync::Arc;

use labrpc::{ClientEnd, Service};
use labrt::channel::{self, Sender};
use labrt::sync::Mutex;
use labrt::thread;
use persister::Persister;
use raft_api::{ApplyMsg, Bytes, Meaning, Persisted, Raft, RaftState, Started, Wire};

/// What is wrong. By default nothing is.
pub(crate) trait Habit: Send + Sync + 'static {
    /// What it saves to.
    fn persister(given: Arc<dyn Persister>) -> Arc<dyn Persister> {
        given
    }

    /// It is asked to take a command.
    fn start(raft: &raft::Raft, _lock: &Mutex<()>, command: Bytes) -> Option<Started> {
        raft.start(command)
    }

    /// It is about to hand this over.
    fn hands_over(_message: &ApplyMsg, _lock: &Mutex<()>) {}
}

/// The reference Raft with this habit.
pub(crate) struct Around<H> {
    raft: Arc<raft::Raft>,
    lock: Arc<Mutex<()>>,
    habit: PhantomData<H>,
}

impl<H: Habit> Raft for Around<H> {
    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        apply: Sender<ApplyMsg>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let (sender, messages) = channel::bounded(0);
        let raft = raft::Raft::make(peers, me, H::persister(persister), sender)?;
        let lock = Arc::new(Mutex::new(()));
        let own = lock.clone();
        thread::Builder::new().name("relay").spawn(move || {
            for message in messages {
                H::hands_over(&message, &own);
                if apply.send(message).is_err() {
                    return;
                }
            }
        });
        Ok(Arc::new(Around { raft, lock, habit: PhantomData }))
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        self.raft.clone().services()
    }

    fn start(&self, command: Bytes) -> Option<Started> {
        H::start(&self.raft, &self.lock, command)
    }

    fn snapshot(&self, index: u64, snapshot: Bytes) {
        self.raft.snapshot(index, snapshot);
    }

    fn state(&self) -> RaftState {
        self.raft.state()
    }

    fn read_persisted(state: &[u8]) -> Option<Persisted> {
        raft::Raft::read_persisted(state)
    }

    fn read_message(message: &Wire<'_>) -> Meaning {
        raft::Raft::read_message(message)
    }

    fn kill(&self) {
        self.raft.kill();
    }
}
