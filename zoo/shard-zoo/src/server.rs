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
use rsm::{MakeError, Options, Rsm};
use shard_api::{ControllerClerk, Gid, MakeEnd, shard_of};

use crate::machine::{Entry, Group, State, Status};
use crate::message::{Answer, Err, Op, Pulled, Store, StoreService, Wanted};
use crate::movers::Movers;
use crate::{Choice, Habits, Mistake};

/// A server as a student of the course would write it, with the mistake `M`. It asks the controller
/// through a clerk `C`.
pub struct StudentShards<M: Choice, C> {
    inner: Arc<Inner>,
    types: PhantomData<fn() -> (M, C)>,
}

pub(crate) struct Inner {
    pub(crate) habits: Habits,
    pub(crate) rsm: Arc<Rsm<Group, Raft>>,
    pub(crate) gid: Gid,
    pub(crate) state: Arc<Mutex<State>>,
}

impl Inner {
    fn make(
        habits: Habits,
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        max_raft_state: Option<usize>,
        gid: Gid,
    ) -> Result<Arc<Inner>, MakeError> {
        let state: Arc<Mutex<State>> = Arc::default();
        let machine = Group { gid, state: state.clone(), habits };
        let options = Options { max_raft_state, ..Options::default() };
        let rsm = Rsm::make(peers, me, persister, options, machine)?;
        Ok(Arc::new(Inner { habits, rsm, gid, state }))
    }

    fn services(self: &Arc<Self>) -> Vec<Service> {
        let mut services = self.rsm.services();
        services.push(StoreService::of(self.clone()));
        services
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

impl Store for Inner {
    fn execute(&self, op: Op) -> Answer {
        let wrong = |err| Answer { err, value: String::new() };
        if self.habits.has(Mistake::CheckedAtArrival)
            && !self.state.lock().serves(shard_of(&op.key), self.habits.mistake)
        {
            return wrong(Err::WrongGroup);
        }
        self.rsm.submit(Entry::Client(op)).unwrap_or_else(|_| wrong(Err::WrongLeader))
    }

    fn pull(&self, wanted: Wanted) -> Pulled {
        let nothing = |err| Pulled { err, shards: Default::default() };
        let Some(pulled) = self.frozen(&wanted) else { return nothing(Err::NotReady) };
        if self.habits.has(Mistake::DeletedWhenSent) && !self.put(Entry::Delete(wanted)) {
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
        let habits = Habits::of::<M>();
        let inner = Inner::make(habits, peers, me, persister, max_raft_state, gid)?;
        let movers = Movers::new(inner.clone(), make_end);
        movers.start(move || C::make(controllers));
        Ok(Arc::new(StudentShards { inner, types: PhantomData }))
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        self.inner.services()
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
