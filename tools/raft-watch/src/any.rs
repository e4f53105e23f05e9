//! Rafts whose type is left behind.
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
