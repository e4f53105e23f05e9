//! What is under test.

use std::collections::BTreeMap;
use std::fmt;

use kv_clients::KeyValue;
use labrpc::ClientEnd;
use raft_watch::{AnyServer, RaftType};
use shard_api::{Clerk, Config, Controller, ControllerClerk, Gid, MakeEnd, Server};
use tester::{MakeError, Seat};

/// The four types of lab 4 that are under test, servers and clerks of the store and of the controller, as a
/// value: so that all the rest of this suite is compiled once, and not again for each service.
#[derive(Clone, Copy)]
pub struct Subject {
    /// That of the store.
    pub(crate) raft: RaftType,
    /// That of the controller.
    pub(crate) controller_raft: RaftType,
    /// As [`Server::make`], from `max_raft_state` on.
    pub(crate) make_server: MakeServer,
    /// As [`Clerk::make`].
    pub(crate) make_clerk: fn(Vec<ClientEnd>, MakeEnd) -> Box<dyn KeyValue>,
    /// As [`Controller::make`].
    pub(crate) make_controller: fn(Seat) -> Result<AnyServer, MakeError>,
    /// As [`ControllerClerk::make`].
    pub(crate) make_controller_clerk: fn(Vec<ClientEnd>) -> Box<dyn Configures>,
}

type MakeServer =
    fn(Seat, Option<usize>, Gid, Vec<ClientEnd>, MakeEnd) -> Result<AnyServer, MakeError>;

impl Subject {
    /// These types: server, clerk, controller, controller's clerk.
    pub fn of<S: Server, C: Clerk, T: Controller, K: ControllerClerk>() -> Subject {
        Subject {
            raft: RaftType::of::<S::Raft>(),
            controller_raft: RaftType::of::<T::Raft>(),
            make_server: |Seat { ends, me, persister, .. }, limit, gid, controllers, make_end| {
                let server = S::make(ends, me, persister, limit, gid, controllers, make_end)?;
                Ok(AnyServer::of(server, S::services, S::raft, S::kill))
            },
            make_clerk: |controllers, make_end| {
                <dyn KeyValue>::of(C::make(controllers, make_end), C::get, C::put, C::append)
            },
            make_controller: |Seat { ends, me, persister, .. }| {
                let server = T::make(ends, me, persister)?;
                Ok(AnyServer::of(server, T::services, T::raft, T::kill))
            },
            make_controller_clerk: |servers| Box::new(K::make(servers)),
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject")
    }
}

/// What a clerk of the controller can do, whatever its type.
pub(crate) trait Configures: Send {
    fn query(&mut self, number: Option<u64>) -> Config;
    fn join(&mut self, groups: BTreeMap<Gid, Vec<String>>);
    fn leave(&mut self, gids: &[Gid]);
    fn move_shard(&mut self, shard: usize, gid: Gid);
}

impl<K: ControllerClerk> Configures for K {
    fn query(&mut self, number: Option<u64>) -> Config {
        ControllerClerk::query(self, number)
    }

    fn join(&mut self, groups: BTreeMap<Gid, Vec<String>>) {
        ControllerClerk::join(self, groups);
    }

    fn leave(&mut self, gids: &[Gid]) {
        ControllerClerk::leave(self, gids);
    }

    fn move_shard(&mut self, shard: usize, gid: Gid) {
        ControllerClerk::move_shard(self, shard, gid);
    }
}
