//! What a replicated key/value server and its clerk offer.
//!
//! The tests of lab 3 (crate `kv-tests`) are written against the traits [`Server`] and [`Clerk`]. So
//! a student's pair can take the place of the reference in the crate `kv`, above a student's own
//! Raft or above the reference.
//!
//! | Go | here |
//! |---|---|
//! | `StartKVServer(servers, me, persister, maxraftstate)` | [`Server::make`] |
//! | `kv.rf` | [`Server::raft`] |
//! | `kv.Kill()` | [`Server::kill`] |
//! | the services that the tester registers | [`Server::services`] |
//! | `MakeClerk(servers)` | [`Clerk::make`] |
//! | `ck.Get`, `ck.Put`, `ck.Append` | [`Clerk::get`], [`Clerk::put`], [`Clerk::append`] |
//!
//! This crate holds no rules and no state.

use std::error::Error;
use std::sync::Arc;

use labrpc::{ClientEnd, Service};
use persister::Persister;
use raft_api::Raft;

/// One server of a key/value service.
///
/// It maps keys to values, both strings. All calls of all clerks together are linearizable, and each
/// Put and Append takes effect exactly once, however often a clerk had to send it.
///
/// Servers talk to each other through Raft alone.
pub trait Server: Send + Sync + Sized + 'static {
    /// The Raft that it stands on.
    type Raft: Raft;

    /// Makes a server, restores what the persister holds and starts its background work. Returns
    /// quickly.
    ///
    /// `peers` has one end per server of the cluster, in the same order everywhere; they are for
    /// Raft. As the saved Raft state (log included, snapshot not) comes near `max_raft_state` bytes,
    /// the server makes a snapshot; with `None` it never does.
    ///
    /// # Errors
    /// If what the persister holds cannot be read or understood.
    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        max_raft_state: Option<usize>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>>;

    /// What others may call: the service that the clerks know, and Raft's.
    fn services(self: Arc<Self>) -> Vec<Service>;

    /// The Raft below, which the tester asks who leads.
    fn raft(&self) -> &Self::Raft;

    /// Tells the server that it will not be used any more. The tester does not rely on it.
    fn kill(&self);
}

/// A client's side of the service. It makes one call at a time, and each call returns only when it is
/// done: a clerk tries for ever.
pub trait Clerk: Send + 'static {
    /// Makes a clerk. `servers` has an end for each server, in an order of its own: no server can
    /// tell which place another one has in it.
    fn make(servers: Vec<ClientEnd>) -> Self;

    /// The value of a key; the empty string if it has none.
    fn get(&mut self, key: &str) -> String;

    /// Gives a key a value.
    fn put(&mut self, key: &str, value: &str);

    /// Adds to the end of a key's value. A key without a value gets this one.
    fn append(&mut self, key: &str, value: &str);
}
