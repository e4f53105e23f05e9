//! What is under test.

use std::fmt;
use std::sync::Arc;

use kv_api::{Clerk, Server};
use kv_clients::KeyValue;
use labrpc::{ClientEnd, Service};
use raft_api::Raft;
use raft_watch::RaftType;
use tester::{MakeError, Seat};

/// The two types of lab 3 that are under test, server and clerk, as a value: so that all the rest of this
/// suite is compiled once, and not again for each service.
#[derive(Clone, Copy)]
pub struct Subject {
    pub(crate) raft: RaftType,
    /// As [`Server::make`].
    pub(crate) make_server: fn(Seat, Option<usize>) -> Result<Slot, MakeError>,
    /// As [`Clerk::make`].
    pub(crate) make_clerk: fn(Vec<ClientEnd>) -> Box<dyn KeyValue>,
}

impl Subject {
    /// These types.
    pub fn of<S: Server, C: Clerk>() -> Subject {
        Subject {
            raft: RaftType::of::<S::Raft>(),
            make_server: |Seat { ends, me, persister, .. }, max_raft_state| {
                Ok(Slot(S::make(ends, me, persister, max_raft_state)?))
            },
            make_clerk: |servers| Box::new(OfLab(C::make(servers))),
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject")
    }
}

/// A server in a slot of the tester's.
#[derive(Clone)]
pub(crate) struct Slot(Arc<dyn Running>);

/// What the tester wants of a server that runs.
trait Running: Send + Sync {
    fn services(self: Arc<Self>) -> Vec<Service>;
    fn leads(&self) -> bool;
    fn kill(&self);
}

impl<S: Server> Running for S {
    fn services(self: Arc<Self>) -> Vec<Service> {
        Server::services(self)
    }

    fn leads(&self) -> bool {
        self.raft().state().is_leader
    }

    fn kill(&self) {
        Server::kill(self);
    }
}

impl Slot {
    /// Whether it claims to lead.
    pub(crate) fn leads(&self) -> bool {
        self.0.leads()
    }
}

impl tester::Server for Slot {
    fn services(&self) -> Vec<Service> {
        self.0.clone().services()
    }

    fn kill(&self) {
        self.0.kill();
    }
}

/// A clerk of this lab, as a clerk of any key/value service.
struct OfLab<C>(C);

impl<C: Clerk> KeyValue for OfLab<C> {
    fn get(&mut self, key: &str) -> String {
        self.0.get(key)
    }

    fn put(&mut self, key: &str, value: &str) {
        self.0.put(key, value);
    }

    fn append(&mut self, key: &str, value: &str) {
        self.0.append(key, value);
    }
}
