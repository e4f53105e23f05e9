//! A server of a group: handlers on a replicated machine, and the tasks that move shards.

use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use labrpc::{ClientEnd, Service};
use labrt::sync::Mutex;
use labrt::thread;
use persister::Persister;
use raft::Raft;
use rsm::{Options, Rsm};
use shard_api::{ControllerClerk, Gid, MakeEnd, shard_of};

use crate::machine::{Entry, Group, State, Status};
use crate::message::{Answer, Err, Op, Pulled, Store, StoreService, Wanted};
use crate::movers::Movers;
use crate::{Choice, Mistake};

/// A server as a student of the course would write it, with the mistake `M`. It asks the controller
/// through a clerk `C`.
pub struct StudentShards<M: Choice, C> {
    inner: Arc<Inner<M>>,
    controller: PhantomData<fn() -> C>,
}

pub(crate) struct Inner<M: Choice> {
    pub(crate) rsm: Arc<Rsm<Group<M>, Raft>>,
    pub(crate) gid: Gid,
    pub(crate) state: Arc<Mutex<State>>,
}

impl<M: Choice> Inner<M> {
    pub(crate) fn has(mistake: Mistake) -> bool {
        M::mistake() == Some(mistake)
    }

    /// Has an entry executed. False if this server cannot.
    pub(crate) fn put(&self, entry: Entry) -> bool {
        self.rsm.submit(entry).is_ok()
    }

    fn frozen(&self, wanted: &Wanted) -> Option<Pulled> {
        let state = self.state.lock();
        let of = |shard: &usize| {
            let place = &state.places[*shard];
            let leaves = (place.status, place.number) == (Status::Leaving, wanted.number);
            leaves.then(|| (*shard, place.shard.clone()))
        };
        let shards = wanted.shards.iter().map(of).collect::<Option<_>>()?;
        Some(Pulled { err: Err::Ok, shards })
    }
}

impl<M: Choice> Store for Inner<M> {
    fn execute(&self, op: Op) -> Answer {
        let wrong = |err| Answer { err, value: String::new() };
        if Self::has(Mistake::CheckedAtArrival)
            && !self.state.lock().serves(shard_of(&op.key), M::mistake())
        {
            return wrong(Err::WrongGroup);
        }
        self.rsm.submit(Entry::Client(op)).unwrap_or_else(|_| wrong(Err::WrongLeader))
    }

    fn pull(&self, wanted: Wanted) -> Pulled {
        let nothing = |err| Pulled { err, shards: Default::default() };
        let Some(pulled) = self.frozen(&wanted) else { return nothing(Err::NotReady) };
        if Self::has(Mistake::DeletedWhenSent) && !self.put(Entry::Delete(wanted)) {
            return nothing(Err::WrongLeader);
        }
        pulled
    }

    fn delete(&self, wanted: Wanted) -> Err {
        if self.put(Entry::Delete(wanted)) { Err::Ok } else { Err::WrongLeader }
    }
}

impl<M: Choice, C: ControllerClerk> shard_api::Server for StudentShards<M, C> {
    type Raft = Raft;

    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        max_raft_state: Option<usize>,
        gid: Gid,
        controllers: Vec<ClientEnd>,
        make_end: MakeEnd,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let state: Arc<Mutex<State>> = Arc::default();
        let machine = Group::<M>::new(gid, state.clone());
        let options = Options { max_raft_state, ..Options::default() };
        let rsm = Rsm::make(peers, me, persister, options, machine)?;
        let inner = Arc::new(Inner { rsm, gid, state });
        let movers = Movers::new(inner.clone(), make_end);
        movers.start(move || C::make(controllers));
        Ok(Arc::new(StudentShards { inner, controller: PhantomData }))
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        let mut services = self.inner.rsm.services();
        services.push(StoreService::of(self.inner.clone()));
        services
    }

    fn raft(&self) -> &Raft {
        self.inner.rsm.raft()
    }

    fn kill(&self) {
        self.inner.rsm.kill();
    }
}

impl<M: Choice, C> fmt::Debug for StudentShards<M, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StudentShards").field("mistake", &M::mistake()).finish_non_exhaustive()
    }
}

/// Starts a task of a server.
pub(crate) fn start(name: &str, run: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name(name).spawn(run);
}
