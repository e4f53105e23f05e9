//! Part 4B: the groups that serve the shards.

use std::error::Error;
use std::sync::Arc;

use labrpc::{ClientEnd, Service};
use persister::Persister;
use raft_api::Raft;

use crate::Gid;

/// Makes an end that reaches the server of this name, which need not run.
///
/// Whoever gets such a function makes one end for each name, keeps it, and makes no more. The tester
/// disables a server's ends when that server crashes.
///
/// Go: `make_end`.
pub type MakeEnd = Arc<dyn Fn(&str) -> ClientEnd + Send + Sync>;

/// One server of a group of the sharded key/value service.
///
/// All groups together map keys to values, both strings. Each serves the shards that it owns in the
/// configuration that it has come to, and answers all other keys with an error on which the clerk asks
/// the controller again. All calls of all clerks together are linearizable, and each Put and Append
/// takes effect exactly once, also when shards move meanwhile.
///
/// A shard that a configuration gives to [`NOBODY`](crate::NOBODY), since all groups have left, stays with its last
/// owner, not served; the next owner gets it from there. A group that has left goes on following the controller.
///
/// What a server does with its shards it may tell a tester, see [`tell`](crate::tell).
///
/// A group follows the controller from configuration to configuration by itself. Its servers talk to
/// each other through Raft, and to those of other groups through ends made by name.
pub trait Server: Send + Sync + Sized + 'static {
    /// The Raft that it stands on.
    type Raft: Raft;

    /// Makes a server, restores what the persister holds and starts its background work. Returns
    /// quickly.
    ///
    /// `peers` has one end per server of the group, for Raft. As the saved Raft state (log included,
    /// snapshot not) comes near `max_raft_state` bytes, the server makes a snapshot; with `None` it
    /// never does. `gid` is the group's number, which is never [`NOBODY`](crate::NOBODY). It belongs to what its
    /// servers have saved: a group that begins with nothing needs a number that no group has had. `controllers` has an end for each server of the
    /// controller. A configuration has names of servers, for `make_end`.
    ///
    /// # Errors
    /// If what the persister holds cannot be read or understood.
    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        max_raft_state: Option<usize>,
        gid: Gid,
        controllers: Vec<ClientEnd>,
        make_end: MakeEnd,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>>;

    /// What others may call: the services that clerks and other groups know, and Raft's.
    fn services(self: Arc<Self>) -> Vec<Service>;

    /// The Raft below, which the tester asks who leads.
    fn raft(&self) -> &Self::Raft;

    /// Tells the server that it will not be used any more. The tester does not rely on it.
    fn kill(&self);
}

/// A client's side of the service. It makes one call at a time, and each call returns only when it is
/// done: a clerk tries for ever.
pub trait Clerk: Send + 'static {
    /// Makes a clerk. `controllers` has an end for each server of the controller. It finds the groups
    /// in the controller's configurations, and their servers with `make_end`.
    fn make(controllers: Vec<ClientEnd>, make_end: MakeEnd) -> Self;

    /// The value of a key; the empty string if it has none.
    fn get(&mut self, key: &str) -> String;

    /// Gives a key a value.
    fn put(&mut self, key: &str, value: &str);

    /// Adds to the end of a key's value. A key without a value gets this one.
    fn append(&mut self, key: &str, value: &str);
}
