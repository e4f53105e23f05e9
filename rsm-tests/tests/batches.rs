//! The reference with requests that share log entries passes all tests, too.

use std::error::Error;
use std::num::NonZeroUsize;
use std::sync::Arc;

use labrpc::{ClientEnd, Service};
use persister::Persister;
use raft::Raft;
use rsm::{Options, Rsm};
use rsm_api::{Server, WrongLeader};
use rsm_tests::{Counter, Reply, Request};

struct Batches(Arc<Rsm<Counter, Raft>>);

impl Server for Batches {
    type Machine = Counter;
    type Raft = Raft;

    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        max_raft_state: Option<usize>,
        machine: Counter,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let batch = NonZeroUsize::new(64);
        let options = Options { max_raft_state, batch, ..Options::default() };
        Ok(Arc::new(Batches(Rsm::make(peers, me, persister, options, machine)?)))
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        self.0.clone().services()
    }

    fn submit(&self, request: Request) -> Result<Reply, WrongLeader> {
        Server::submit(&*self.0, request)
    }

    fn raft(&self) -> &Raft {
        Server::raft(&*self.0)
    }

    fn kill(&self) {
        self.0.kill();
    }
}

rsm_tests::suite!(simulated, Batches);
