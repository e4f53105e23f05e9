//! What is under test.

use std::marker::PhantomData;
use std::sync::Arc;

use labrpc::Service;
use raft_api::Raft;
use shard_api::{Clerk, Controller, ControllerClerk, Server};

/// The four types of lab 4 that are under test, as one: servers and clerks of the store and of the
/// controller. [`Of`] makes it of them.
pub trait Subject: 'static {
    /// A server of a group (part 4B).
    type Server: Server;
    /// Its clients' side.
    type Clerk: Clerk;
    /// A server of the controller (part 4A).
    type Controller: Controller;
    /// Its clients' side.
    type ControllerClerk: ControllerClerk;
}

/// These types: server, clerk, controller, controller's clerk.
pub struct Of<S, C, T, K>(PhantomData<(S, C, T, K)>);

impl<S: Server, C: Clerk, T: Controller, K: ControllerClerk> Subject for Of<S, C, T, K> {
    type Server = S;
    type Clerk = C;
    type Controller = T;
    type ControllerClerk = K;
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
    pub(crate) fn of_store(server: Arc<impl Server>) -> Slot {
        Slot(Arc::new(OfStore(server)))
    }

    pub(crate) fn of_controller(server: Arc<impl Controller>) -> Slot {
        Slot(Arc::new(OfController(server)))
    }

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
