//! The controller: its configurations as a machine, a server, and a clerk.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use labgob::DecodeError;
use labrpc::{ClientEnd, Service};
use labrt::rng::{self, RngExt};
use labrt::sync::Mutex;
use labrt::thread;
use persister::Persister;
use raft::Raft;
use rsm::{Machine, MakeError, Options, Rsm};
use shard_api::{Config, ControllerClerk, Gid, NOBODY};

use crate::balance::balance;
use crate::message::{Ask, Asked, Ctrler, CtrlerClient, CtrlerService, Err, Said};
use crate::{Choice, Mistake};

/// All configurations, and by client the last change that was made.
#[derive(Default)]
struct History {
    configs: Vec<Config>,
    last: BTreeMap<u64, u64>,
}

impl History {
    fn latest(&self) -> &Config {
        self.configs.last().expect("the first one is never taken away")
    }

    fn query(&self, number: Option<u64>) -> Config {
        let place = number.and_then(|number| usize::try_from(number).ok());
        place.and_then(|place| self.configs.get(place)).unwrap_or(self.latest()).clone()
    }

    fn join(&mut self, groups: BTreeMap<Gid, Vec<String>>, rules: &Rules) {
        self.add(rules, |config| config.groups.extend(groups));
    }

    fn add(&mut self, rules: &Rules, change: impl FnOnce(&mut Config)) {
        let mut config = self.latest().clone();
        config.number += 1;
        change(&mut config);
        balance(&mut config, rules);
        self.keep(config, rules);
    }

    fn keep(&mut self, config: Config, rules: &Rules) {
        if rules.mistake == Some(Mistake::SharedMap) {
            // One map, of which all configurations have a reference.
            self.configs.iter_mut().for_each(|old| old.groups = config.groups.clone());
        }
        self.configs.push(config);
    }

    fn move_shard(&mut self, shard: usize, gid: Gid, rules: &Rules) {
        let mut config = self.latest().clone();
        config.number += 1;
        config.shards[shard] = gid;
        if rules.mistake == Some(Mistake::MoveBalances) {
            balance(&mut config, rules);
        }
        self.keep(config, rules);
    }
}

/// What a balance depends on.
pub(crate) struct Rules {
    pub(crate) mistake: Option<Mistake>,
    /// The seed of this server's hash maps.
    pub(crate) hash: u64,
}

struct Controller {
    history: Arc<Mutex<History>>,
    rules: Rules,
}

impl Machine for Controller {
    type Request = Asked;
    type Reply = Config;

    fn apply(&mut self, Asked { ask, client, number }: Asked) -> Config {
        let mut history = self.history.lock();
        let seen = history.last.get(&client).is_some_and(|last| *last >= number);
        let rules = &self.rules;
        if !matches!(ask, Ask::Query(_)) && (!seen || rules.mistake == Some(Mistake::ChangedTwice))
        {
            history.last.insert(client, number);
            match ask {
                Ask::Join(groups) if rules.mistake == Some(Mistake::OneConfigurationEach) => {
                    let each = groups.into_iter();
                    each.for_each(|group| history.join(BTreeMap::from([group]), rules));
                }
                Ask::Join(groups) => history.join(groups, rules),
                Ask::Leave(gids) => {
                    history.add(rules, |config| config.groups.retain(|gid, _| !gids.contains(gid)));
                }
                Ask::Move(shard, gid) => history.move_shard(shard, gid, rules),
                Ask::Query(_) => unreachable!("a query changes nothing"),
            }
            return Config::default();
        }
        match ask {
            Ask::Query(number) => history.query(number),
            _ => Config::default(),
        }
    }

    fn snapshot(&self) -> Bytes {
        unreachable!("a controller makes no snapshots")
    }

    fn restore(&mut self, _: &[u8]) -> Result<(), DecodeError> {
        Ok(())
    }
}

/// A server of the controller as a student of the course would write it, with the mistake `M`.
pub struct StudentController<M> {
    inner: Arc<Inner>,
    choice: PhantomData<fn() -> M>,
}

struct Inner {
    mistake: Option<Mistake>,
    rsm: Arc<Rsm<Controller, Raft>>,
    history: Arc<Mutex<History>>,
}

impl Inner {
    fn make(
        mistake: Option<Mistake>,
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
    ) -> Result<Arc<Inner>, MakeError> {
        let first = History { configs: vec![Config::default()], ..History::default() };
        let history = Arc::new(Mutex::new(first));
        let rules = Rules { mistake, hash: rng::node_stream().random() };
        let machine = Controller { history: history.clone(), rules };
        let rsm = Rsm::make(peers, me, persister, Options::default(), machine)?;
        Ok(Arc::new(Inner { mistake, rsm, history }))
    }

    fn services(self: &Arc<Self>) -> Vec<Service> {
        let mut services = self.rsm.services();
        services.push(CtrlerService::of(self.clone()));
        services
    }
}

impl Ctrler for Inner {
    fn ask(&self, asked: Asked) -> Said {
        if let (Ask::Query(number), Some(Mistake::QueriesItsOwnState)) = (&asked.ask, self.mistake)
            && self.rsm.state().is_leader
        {
            return Said { err: Err::Ok, config: self.history.lock().query(*number) };
        }
        match self.rsm.submit(asked) {
            Ok(config) => Said { err: Err::Ok, config },
            Err(_) => Said { err: Err::WrongLeader, config: Config::default() },
        }
    }
}

impl<M: Choice> shard_api::Controller for StudentController<M> {
    type Raft = Raft;

    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let inner = Inner::make(M::mistake(), peers, me, persister)?;
        Ok(Arc::new(StudentController { inner, choice: PhantomData }))
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

impl<M: Choice> fmt::Debug for StudentController<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StudentController").field("mistake", &M::mistake()).finish_non_exhaustive()
    }
}

/// A clerk of that controller.
#[derive(Debug)]
pub struct StudentControllerClerk {
    servers: Vec<CtrlerClient>,
    client: u64,
    number: u64,
}

impl StudentControllerClerk {
    fn ask(&mut self, ask: Ask) -> Config {
        self.number += 1;
        let asked = Asked { ask, client: self.client, number: self.number };
        loop {
            for server in &self.servers {
                if let Ok(Said { err: Err::Ok, config }) = server.ask(&asked) {
                    return config;
                }
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl ControllerClerk for StudentControllerClerk {
    fn make(servers: Vec<ClientEnd>) -> Self {
        let servers = servers.into_iter().map(CtrlerClient::new).collect();
        let client = rng::stream("student's controller clerk").random();
        StudentControllerClerk { servers, client, number: 0 }
    }

    fn query(&mut self, number: Option<u64>) -> Config {
        self.ask(Ask::Query(number))
    }

    fn join(&mut self, groups: BTreeMap<Gid, Vec<String>>) {
        debug_assert!(!groups.contains_key(&NOBODY), "0 is no group's number");
        self.ask(Ask::Join(groups));
    }

    fn leave(&mut self, gids: &[Gid]) {
        self.ask(Ask::Leave(gids.to_vec()));
    }

    fn move_shard(&mut self, shard: usize, gid: Gid) {
        self.ask(Ask::Move(shard, gid));
    }
}
