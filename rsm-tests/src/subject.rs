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
    /// As [`Server::make`], from `max_raft_state` on.
    pub(crate) make: fn(Seat, Option<usize>, Counter) -> Result<Arc<dyn Counts>, MakeError>,
}

impl Subject {
    /// This type.
    pub fn of<S: Server<Machine = Counter>>() -> Subject {
        Subject {
            raft: RaftType::of::<S::Raft>(),
            make: |Seat { ends, me, persister, .. }, max_raft_state, machine| {
                Ok(S::make(ends, me, persister, max_raft_state, machine)?)
            },
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject")
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
