//! What is under test.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use kv_clients::KeyValue;
use labrpc::{ClientEnd, Service};
use raft_api::Raft;
use raft_watch::RaftType;
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
    pub(crate) make_controller: fn(Seat) -> Result<Slot, MakeError>,
    /// As [`ControllerClerk::make`].
    pub(crate) make_controller_clerk: fn(Vec<ClientEnd>) -> Box<dyn Configures>,
}

type MakeServer = fn(Seat, Option<usize>, Gid, Vec<ClientEnd>, MakeEnd) -> Result<Slot, MakeError>;

impl Subject {
    /// These types: server, clerk, controller, controller's clerk.
    pub fn of<S: Server, C: Clerk, T: Controller, K: ControllerClerk>() -> Subject {
        Subject {
            raft: RaftType::of::<S::Raft>(),
            controller_raft: RaftType::of::<T::Raft>(),
            make_server: |Seat { ends, me, persister, .. }, limit, gid, controllers, make_end| {
                let server = S::make(ends, me, persister, limit, gid, controllers, make_end)?;
                Ok(Slot(Arc::new(OfStore(server))))
            },
            make_clerk: |controllers, make_end| Box::new(OfLab(C::make(controllers, make_end))),
            make_controller: |Seat { ends, me, persister, .. }| {
                Ok(Slot(Arc::new(OfController(T::make(ends, me, persister)?))))
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

/// A server of either kind in a slot of the tester's.
#[derive(Clone)]
pub(crate) struct Slot(Arc<dyn Running>);

/// What the tester wants of a server that runs.
trait Running: Send + Sync {
    fn services(&self) -> Vec<Service>;
    fn leads(&self) -> bool;
    fn kill(&self);
}

struct OfStore<S>(Arc<S>);

impl<S: Server> Running for OfStore<S> {
    fn services(&self) -> Vec<Service> {
        self.0.clone().services()
    }

    fn leads(&self) -> bool {
        self.0.raft().state().is_leader
    }

    fn kill(&self) {
        self.0.kill();
    }
}

struct OfController<T>(Arc<T>);

impl<T: Controller> Running for OfController<T> {
    fn services(&self) -> Vec<Service> {
        self.0.clone().services()
    }

    fn leads(&self) -> bool {
        self.0.raft().state().is_leader
    }

    fn kill(&self) {
        self.0.kill();
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
        self.0.services()
    }

    fn kill(&self) {
        self.0.kill();
    }
}

/// A clerk of the store, as a clerk of any key/value service.
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
