use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use labrpc::{ClientEnd, Service};
use labrt::channel::Sender;
use persister::Persister;
use raft_api::{ApplyMsg, RaftState, Started};

use crate::server::{Options, Raft};

/// A [`Raft`] under the eyes of the world's [`ClusterChecker`](crate::ClusterChecker).
///
/// For tests of one cluster: all servers of a world report to one checker.
#[derive(Debug)]
pub struct CheckedRaft(Arc<Raft>);

impl raft_api::Raft for CheckedRaft {
    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        apply: Sender<ApplyMsg>,
    ) -> Result<Arc<CheckedRaft>, Box<dyn Error + Send + Sync>> {
        let options = Options { checker: labrt::world::local(), ..Options::default() };
        Ok(Arc::new(CheckedRaft(Raft::open(peers, me, persister, apply, options)?)))
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        self.0.clone().services()
    }

    fn start(&self, command: Bytes) -> Option<Started> {
        self.0.start(command)
    }

    fn state(&self) -> RaftState {
        self.0.state()
    }

    fn kill(&self) {
        self.0.kill();
    }
}
