//! Part 4A: the service that keeps the configurations.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use labrpc::{ClientEnd, Service};
use persister::Persister;
use raft_api::Raft;

use crate::{Config, Gid};

/// One server of the shard controller.
///
/// It keeps all configurations for ever. Each [`join`](ControllerClerk::join),
/// [`leave`](ControllerClerk::leave) and [`move_shard`](ControllerClerk::move_shard) makes one more,
/// exactly one however often a clerk had to send it, whose number is one higher. All calls of all
/// clerks together are linearizable.
///
/// After a join or a leave the shards are *balanced*: of the groups of the configuration, the one with
/// the most shards has at most one more than the one with the fewest. Among the balanced
/// configurations it is one for which as few shards as possible move. Which one, is the same on every
/// server.
///
/// Servers talk to each other through Raft alone. They make no snapshots.
pub trait Controller: Send + Sync + Sized + 'static {
    /// The Raft that it stands on.
    type Raft: Raft;

    /// Makes a server, restores what the persister holds and starts its background work. Returns
    /// quickly. `peers` has one end per server of the controller, for Raft.
    ///
    /// # Errors
    /// If what the persister holds cannot be read or understood.
    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>>;

    /// What others may call: the service that the clerks know, and Raft's.
    fn services(self: Arc<Self>) -> Vec<Service>;

    /// The Raft below, which the tester asks who leads.
    fn raft(&self) -> &Self::Raft;

    /// Tells the server that it will not be used any more. The tester does not rely on it.
    fn kill(&self);
}

/// A client's side of the controller. It makes one call at a time, and each call returns only when it
/// is done: a clerk tries for ever.
pub trait ControllerClerk: Send + 'static {
    /// Makes a clerk. `servers` has an end for each server of the controller, in an order of its own.
    fn make(servers: Vec<ClientEnd>) -> Self;

    /// The configuration with this number. `None`, or a number that no configuration has yet, asks for
    /// the latest one.
    fn query(&mut self, number: Option<u64>) -> Config;

    /// Adds groups, with the names of their servers, and balances. All of them come into one new
    /// configuration. A group that left may come back, and one that is there may come with other names.
    ///
    /// A group without servers, or with the number [`NOBODY`](crate::NOBODY), makes no sense: a controller need not
    /// take it, and no test asks for it.
    fn join(&mut self, groups: BTreeMap<Gid, Vec<String>>);

    /// Takes groups out, gives their shards to the others, and balances. All of them are gone in one
    /// new configuration. If no group remains, no shard has one.
    fn leave(&mut self, gids: &[Gid]);

    /// Gives a shard to a group, in one new configuration in which nothing else changes. The next join
    /// or leave may undo it. What happens if the configuration does not have that group, each
    /// implementation says.
    fn move_shard(&mut self, shard: usize, gid: Gid);
}
