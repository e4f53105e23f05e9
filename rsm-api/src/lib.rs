//! What a replicated state machine hosts, and what it offers.
//!
//! The layer between Raft and a service has two sides. Below the service is a [`Machine`]: what is
//! replicated. Around it is a [`Server`], which has requests executed on all machines of a cluster in
//! one order. The tests of this layer (crate `rsm-tests`) are written against the trait [`Server`], so
//! that a student's can take the place of the reference in the crate `rsm`, above a student's own
//! Raft or above the reference.
//!
//! | Go (2025) | here |
//! |---|---|
//! | `StateMachine`: `DoOp`, `Snapshot`, `Restore` | [`Machine`]: `apply`, `snapshot`, `restore` |
//! | `MakeRSM(servers, me, persister, maxraftstate, sm)` | [`Server::make`] |
//! | `rsm.Submit(req)`, which returns `(err, reply)` | [`Server::submit`] |
//! | `rpc.ErrWrongLeader` | [`WrongLeader`] |
//! | `rsm.Raft()` | [`Server::raft`] |
//! | `rsm.Raft().Kill()`, which the tester calls | [`Server::kill`] |
//!
//! # Why this is a crate of its own
//!
//! A student's layer implements these two traits and needs nothing else of this workspace's layers:
//! neither the reference, which it replaces, nor the traits of a key/value service, of which it knows
//! nothing. It is to `rsm` and `rsm-tests` what `raft-api` is to `raft` and `raft-tests`.
//!
//! `cargo xtask skeleton DIR --lab rsm` writes a crate to begin such a layer in.
//!
//! This crate holds no rules and no state.

use std::error::Error;
use std::sync::Arc;

pub use bytes::Bytes;
pub use labgob::{DecodeError, Gob};
use labrpc::{ClientEnd, Service};
use persister::Persister;
use raft_api::Raft;

/// A deterministic machine: what it answers and what it becomes depends on nothing but the requests
/// that it has executed, and their order.
///
/// So it reads no clock, draws no number, and lets no `HashMap`'s order decide. Each server has one;
/// all execute the same requests, and must stay the same.
///
/// Go (2025): the interface `StateMachine`, with `DoOp`, `Snapshot` and `Restore`.
pub trait Machine: Send + 'static {
    /// What it can be asked to do. Stands in the log.
    type Request: Gob + Send;
    /// What it answers. Only the submitter on this server sees it.
    type Reply: Send + 'static;

    /// Executes a request.
    ///
    /// A request that makes no sense gets an answer that says so. A panic here would come on every
    /// server, and again after each restart.
    fn apply(&mut self, request: Self::Request) -> Self::Reply;

    /// All of its state, as bytes.
    ///
    /// Machines that have executed the same requests give snapshots that mean the same.
    fn snapshot(&self) -> Bytes;

    /// Becomes what the snapshot was taken of; nothing of what it was remains.
    ///
    /// # Errors
    /// If these bytes are no snapshot of such a machine.
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), DecodeError>;
}

/// One server of a replicated machine.
///
/// Go (2025): the type `RSM`.
pub trait Server: Send + Sync + Sized + 'static {
    /// What is replicated.
    type Machine: Machine;
    /// The Raft that it stands on.
    type Raft: Raft;

    /// Makes a server, restores what the persister holds and starts its background work. Returns
    /// quickly.
    ///
    /// `peers` has one end per server of the cluster, in the same order everywhere; they are for
    /// Raft. `machine` has executed nothing: if the persister holds a snapshot, the machine is to be
    /// restored from it. As the saved Raft state (log included, snapshot not) comes near
    /// `max_raft_state` bytes, the server has the machine make a snapshot and gives it to Raft; with
    /// `None` it never does.
    ///
    /// # Errors
    /// If what the persister holds cannot be read or understood.
    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        max_raft_state: Option<usize>,
        machine: Self::Machine,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>>;

    /// What others may call: Raft's services.
    fn services(self: Arc<Self>) -> Vec<Service>;

    /// Has a request executed on all servers; waits for it, and returns what the machine of this
    /// server answered. Any number of tasks may wait at a time.
    ///
    /// It waits for as long as this server may still be the leader that has it committed, and not
    /// longer: soon after it is known that it is not, it ends with the error.
    ///
    /// # Errors
    /// If this server does not lead, or led and lost its place before the request was committed (another
    /// one stands at that index, or there is a newer term), or is over. In the last two cases the
    /// request may be executed all the same.
    fn submit(
        &self,
        request: <Self::Machine as Machine>::Request,
    ) -> Result<<Self::Machine as Machine>::Reply, WrongLeader>;

    /// The Raft below, which the tester asks who leads.
    fn raft(&self) -> &Self::Raft;

    /// Tells the server that it will not be used any more. Those who wait in [`submit`](Server::submit)
    /// get the error, if not at once then soon.
    fn kill(&self);
}

/// Why a submitted request has no reply: this server does not lead, or leads no longer, or is over.
///
/// Go (2025): `rpc.ErrWrongLeader`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this server does not lead, or leads no longer")]
pub struct WrongLeader;
