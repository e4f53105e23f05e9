//! What is under test.

use std::fmt;
use std::sync::Arc;

use labrpc::Service;
use raft_api::Raft;
use raft_watch::RaftType;
use rsm_api::{Server, WrongLeader};
use tester::{MakeError, Seat};

use crate::counter::{Counter, Reply, Request};

/// The type of server that is under test, as a value: so that all the rest of this suite is compiled once,
/// and not again for each layer.
#[derive(Clone, Copy)]
pub struct Subject {
    pub(crate) raft: RaftType,
    /// As [`Server::make`], with a new counter.
    pub(crate) make: fn(Seat, Option<usize>) -> Result<Slot, MakeError>,
}

impl Subject {
    /// This type.
    pub fn of<S: Server<Machine = Counter>>() -> Subject {
        Subject {
            raft: RaftType::of::<S::Raft>(),
            make: |Seat { ends, me, persister, .. }, max_raft_state| {
                let counter = Counter::default();
                let server = S::make(ends, me, persister, max_raft_state, counter.clone())?;
                Ok(Slot { server, counter })
            },
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject")
    }
}

/// A server in a slot of the tester's, with its counter.
#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) server: Arc<dyn Counts>,
    pub(crate) counter: Counter,
}

impl tester::Server for Slot {
    fn services(&self) -> Vec<Service> {
        self.server.clone().services()
    }

    fn kill(&self) {
        self.server.kill();
    }
}

/// What the tester wants of a server of a replicated [`Counter`].
pub(crate) trait Counts: Send + Sync {
    fn services(self: Arc<Self>) -> Vec<Service>;
    fn submit(&self, request: Request) -> Result<Reply, WrongLeader>;
    fn leads(&self) -> bool;
    fn kill(&self);
}

impl<S: Server<Machine = Counter>> Counts for S {
    fn services(self: Arc<Self>) -> Vec<Service> {
        Server::services(self)
    }

    fn submit(&self, request: Request) -> Result<Reply, WrongLeader> {
        Server::submit(self, request)
    }

    fn leads(&self) -> bool {
        self.raft().state().is_leader
    }

    fn kill(&self) {
        Server::kill(self);
    }
}
