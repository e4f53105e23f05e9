//! The tasks of a leader that follow the controller, pull shards, and have them deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use labrpc::ClientEnd;
use labrt::sync::Mutex;
use labrt::thread;
use raft_api::RaftState;
use shard_api::{Config, ControllerClerk, MakeEnd};

use crate::Mistake;
use crate::machine::{Entry, State, Status};
use crate::message::{Err, Pulled, StoreClient, Wanted};
use crate::server::{Inner, start};

/// How often the controller is asked, and the other tasks look whether there is something to do.
const EVERY: [Duration; 2] = [Duration::from_millis(80), Duration::from_millis(30)];

pub(crate) struct Movers {
    of: Arc<Inner>,
    make_end: MakeEnd,
    ends: Mutex<BTreeMap<String, ClientEnd>>,
}

/// Shards of one move by the servers of the other group.
type Moves = BTreeMap<Vec<String>, Wanted>;

impl Movers {
    pub(crate) fn new(of: Arc<Inner>, make_end: MakeEnd) -> Arc<Movers> {
        Arc::new(Movers { of, make_end, ends: Mutex::default() })
    }

    pub(crate) fn start<C: ControllerClerk>(
        self: Arc<Self>,
        clerk: impl FnOnce() -> C + Send + 'static,
    ) {
        let [slowly, often] = EVERY;
        let movers = self.clone();
        start("configurations", move || {
            let mut clerk = clerk();
            movers.each(slowly, |movers| movers.follow(&mut clerk));
        });
        let movers = self.clone();
        start("pulls", move || movers.each(often, |movers| movers.pull_all()));
        start("deletions", move || self.each(often, |movers| movers.delete_all()));
    }

    /// Does something now and then, while this server leads. The first thing that a leader does is to
    /// have an entry executed: before that it does not know what was committed.
    fn each(self: &Arc<Self>, every: Duration, mut work: impl FnMut(&Arc<Self>)) {
        let mut known = None;
        loop {
            let RaftState { term, is_leader } = self.of.rsm.state();
            if is_leader && known != Some(term) && self.of.put(Entry::Nothing) {
                known = Some(term);
            }
            if is_leader || self.of.habits.has(Mistake::ChangesByItself) {
                work(self);
            }
            thread::sleep(every);
        }
    }

    fn follow(&self, clerk: &mut impl ControllerClerk) {
        let next = {
            let state = self.of.state.lock();
            if !state.is_finished(self.of.habits.mistake) {
                return;
            }
            state.config.number + 1
        };
        let skips = self.of.habits.has(Mistake::ConfigurationSkipped);
        let config: Config = clerk.query(if skips { None } else { Some(next) });
        if config.number < next || (config.number > next && !skips) {
            return;
        }
        if self.of.habits.has(Mistake::ChangesByItself) {
            let mut state = self.of.state.lock();
            state.configure(self.of.gid, config, self.of.habits.mistake);
            state.tell(self.of.habits);
        } else {
            self.of.put(Entry::Configure(config));
        }
    }

    /// The shards of this status, by the group that has them or had them.
    fn moves(state: &State, status: Status) -> Moves {
        let mut moves = Moves::new();
        for (shard, place) in state.places.iter().enumerate() {
            if place.status == status {
                let new = || Wanted { number: place.number, shards: BTreeSet::new() };
                moves.entry(place.from.clone()).or_insert_with(new).shards.insert(shard);
            }
        }
        moves
    }

    fn pull_all(self: &Arc<Self>) {
        let moves = Self::moves(&self.of.state.lock(), Status::Pulling);
        for (servers, wanted) in moves {
            let movers = self.clone();
            start("pull", move || movers.pull(&servers, wanted));
        }
    }

    fn pull(&self, servers: &[String], wanted: Wanted) {
        for server in servers {
            if let Ok(Pulled { err: Err::Ok, shards }) = self.client(server).pull(&wanted) {
                let inserted = self.of.put(Entry::Insert(wanted.number, shards));
                if inserted && self.of.habits.has(Mistake::DeletionOnlyInMind) {
                    self.delete(servers, &wanted);
                }
                return;
            }
        }
    }

    fn delete_all(self: &Arc<Self>) {
        let moves = Self::moves(&self.of.state.lock(), Status::Fetched);
        for (servers, wanted) in moves {
            let movers = self.clone();
            start("delete", move || {
                if movers.delete(&servers, &wanted) {
                    movers.of.put(Entry::Deleted(wanted));
                }
            });
        }
    }

    /// Has the other group delete shards. False if no server of it did.
    fn delete(&self, servers: &[String], wanted: &Wanted) -> bool {
        servers.iter().any(|server| self.client(server).delete(wanted) == Ok(Err::Ok))
    }

    fn client(&self, server: &str) -> StoreClient {
        let make = || (self.make_end)(server);
        StoreClient::new(self.ends.lock().entry(server.to_string()).or_insert_with(make).clone())
    }
}
