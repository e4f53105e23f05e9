//! Rafts, and servers on Rafts, whose type is left behind.
//!
//! What watches and tests servers asks little of them, and never what type they have. Here the type becomes a
//! value: so all that code is compiled once, and not again in each test program for each Raft that it tests.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use labrpc::{ClientEnd, Service};
use labrt::channel::Sender;
use persister::Persister;
use raft_api::{ApplyMsg, Meaning, Persisted, Raft, RaftState, Started, Wire};

/// A server of any type of Raft: what testers ask of it. Each [`Raft`] is one.
pub trait AnyRaft: Send + Sync {
    /// As [`Raft::services`].
    fn services(self: Arc<Self>) -> Vec<Service>;

    /// As [`Raft::start`].
    fn start(&self, command: Bytes) -> Option<Started>;

    /// As [`Raft::snapshot`].
    fn snapshot(&self, index: u64, snapshot: Bytes);

    /// As [`Raft::state`].
    fn state(&self) -> RaftState;

    /// As [`Raft::kill`].
    fn kill(&self);
}

impl<R: Raft> AnyRaft for R {
    fn services(self: Arc<Self>) -> Vec<Service> {
        Raft::services(self)
    }

    fn start(&self, command: Bytes) -> Option<Started> {
        Raft::start(self, command)
    }

    fn snapshot(&self, index: u64, snapshot: Bytes) {
        Raft::snapshot(self, index, snapshot);
    }

    fn state(&self) -> RaftState {
        Raft::state(self)
    }

    fn kill(&self) {
        Raft::kill(self);
    }
}

/// A type of Raft, as a value.
#[derive(Clone, Copy)]
pub struct RaftType {
    make: Make,
    pub(crate) read_persisted: fn(&[u8]) -> Option<Persisted>,
    pub(crate) read_appended: fn(Persisted, &[u8]) -> Option<Persisted>,
    pub(crate) read_message: fn(&Wire<'_>) -> Meaning,
}

type Make = fn(Vec<ClientEnd>, usize, Arc<dyn Persister>, Sender<ApplyMsg>) -> Made;

type Made = Result<Arc<dyn AnyRaft>, Box<dyn Error + Send + Sync>>;

impl RaftType {
    /// The type `R`.
    pub fn of<R: Raft>() -> RaftType {
        RaftType {
            make: |peers, me, persister, apply| Ok(R::make(peers, me, persister, apply)?),
            read_persisted: R::read_persisted,
            read_appended: R::read_appended,
            read_message: R::read_message,
        }
    }

    /// As [`Raft::make`].
    ///
    /// # Errors
    /// Those of the type.
    pub fn make(
        &self,
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        apply: Sender<ApplyMsg>,
    ) -> Made {
        (self.make)(peers, me, persister, apply)
    }

    /// As [`Raft::read_persisted`].
    pub fn read_persisted(&self, state: &[u8]) -> Option<Persisted> {
        (self.read_persisted)(state)
    }
}

impl fmt::Debug for RaftType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RaftType")
    }
}

/// A server of a service that stands on a Raft, of any type: for a slot of the tester's. Clones are the same
/// server.
#[derive(Clone)]
pub struct AnyServer(Arc<dyn Running>);

impl AnyServer {
    /// This server. The functions are those of its type: what it offers on the network, the Raft below it, and how
    /// it is told that it will not be used any more.
    pub fn of<S, R>(
        server: Arc<S>,
        services: fn(Arc<S>) -> Vec<Service>,
        raft: fn(&S) -> &R,
        kill: fn(&S),
    ) -> AnyServer
    where
        S: Send + Sync + 'static,
        R: Raft,
    {
        AnyServer(Arc::new(Typed { server, services, raft, kill }))
    }

    /// Whether it claims to lead.
    pub fn leads(&self) -> bool {
        self.0.leads()
    }
}

impl tester::Server for AnyServer {
    fn services(&self) -> Vec<Service> {
        self.0.services()
    }

    fn kill(&self) {
        self.0.kill();
    }
}

impl fmt::Debug for AnyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyServer")
    }
}

/// A server with its type.
struct Typed<S, R> {
    server: Arc<S>,
    services: fn(Arc<S>) -> Vec<Service>,
    raft: fn(&S) -> &R,
    kill: fn(&S),
}

/// The same without it.
trait Running: Send + Sync {
    fn services(&self) -> Vec<Service>;
    fn leads(&self) -> bool;
    fn kill(&self);
}

impl<S: Send + Sync, R: Raft> Running for Typed<S, R> {
    fn services(&self) -> Vec<Service> {
        (self.services)(self.server.clone())
    }

    fn leads(&self) -> bool {
        (self.raft)(&self.server).state().is_leader
    }

    fn kill(&self) {
        (self.kill)(&self.server);
    }
}
