//! A Raft that does not say what its saved state means.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use labrpc::{ClientEnd, Service};
use labrt::channel::Sender;
use persister::Persister;
use raft_api::{ApplyMsg, Bytes, Meaning, Raft, RaftState, Started, TellReadIndex, Wire};

/// Another Raft with `read_persisted` at its default, as many students have it: so it can be tried what is
/// found then.
pub struct Silent<R>(Arc<R>);

impl<R: Raft> Raft for Silent<R> {
    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        apply: Sender<ApplyMsg>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        Ok(Arc::new(Silent(R::make(peers, me, persister, apply)?)))
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        self.0.clone().services()
    }

    fn start(&self, command: Bytes) -> Option<Started> {
        self.0.start(command)
    }

    fn snapshot(&self, index: u64, snapshot: Bytes) {
        self.0.snapshot(index, snapshot);
    }

    fn read_index(&self, tell: TellReadIndex) {
        self.0.read_index(tell);
    }

    fn state(&self) -> RaftState {
        self.0.state()
    }

    fn read_message(message: &Wire<'_>) -> Meaning {
        R::read_message(message)
    }

    fn kill(&self) {
        self.0.kill();
    }
}

impl<R> fmt::Debug for Silent<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Silent")
    }
}
