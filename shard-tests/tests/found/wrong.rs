//! The reference, wrapped into what does one thing wrong.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use labrpc::{ClientEnd, Service};
use labrt::{Node, thread};
use persister::{PersistError, Persister};
use shard_api::{Config, ControllerClerk as _, Gid, MakeEnd, SHARDS};
use shardctrler::{JoinArgs, Outcome, ShardCtrlerClient};

/// The environment variable that chooses the mistake.
pub(crate) const VARIABLE: &str = "SHARD_MISTAKE";

macro_rules! mistakes {
    ($($(#[$doc:meta])* $mistake:ident,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Mistake {
            $($(#[$doc])* $mistake,)*
        }

        const ALL: &[Mistake] = &[$(Mistake::$mistake,)*];
    };
}

mistakes! {
    /// Every other configuration has the shards the other way round.
    MovesMore,
    /// All shards are at the group with the lowest number.
    OneForAll,
    /// Older configurations show the groups of the latest one.
    OldOnesChange,
    /// A Join happens twice.
    ChangesTwice,
    /// A Join at the second controller happens twice.
    ChangesTwiceAtSecond,
    /// A Query of a number that is too large gives configuration 0.
    TooLargeIsEmpty,
    /// Each Join of a clerk but its first one is done as soon as anybody has refused it.
    TakesRefusals,
    /// A Move does nothing.
    MovesNothing,
    /// Each group believes that it has all shards.
    ServesAll,
    /// What a server saves does not become less.
    KeepsLost,
    /// There are snapshots although none was asked for.
    Snapshots,
    /// There are no snapshots.
    NoSnapshots,
    /// Nothing reaches a group's servers but from clerks.
    NoWayOut,
    /// Every seventh Append happens twice.
    AppendsTwice,
    /// Every seventh Append does not happen.
    Forgets,
    /// A Get gives what the last one of that key gave.
    ReadsOld,
    /// A Get of who comes late, when all that goes wrong has begun, is never answered.
    LateReadsHang,
}

fn has(mistake: Mistake) -> bool {
    let name = labrt::env::var(VARIABLE).unwrap_or_else(|| panic!("{VARIABLE} is not set"));
    let known = ALL.iter().find(|known| format!("{known:?}") == name);
    *known.unwrap_or_else(|| panic!("{VARIABLE}={name} is no mistake")) == mistake
}

/// The number of the group of the store that the calling task belongs to.
fn own_group() -> Option<Gid> {
    let node = Node::current()?;
    node.name().strip_prefix("server ")?.split_once('-')?.0.parse().ok()
}

/// The number of a clerk for requests that are refused.
const REFUSED: u64 = 1;

/// A controller's clerk: of the tester, of groups and of clerks.
pub(crate) struct ControllerClerk {
    right: shardctrler::Clerk,
    servers: Vec<ShardCtrlerClient>,
    joins: u64,
    /// Whether it is one of the second controller.
    of_second: bool,
}

impl ControllerClerk {
    /// Asks one server after the other to add groups, until one refuses.
    fn is_refused(&self, groups: &BTreeMap<Gid, Vec<String>>) -> bool {
        let (client, number) = (REFUSED, self.joins);
        let join = JoinArgs { groups: groups.clone(), client, number };
        let refuses = |server: &ShardCtrlerClient| {
            server.join(&join).is_ok_and(|reply| reply.outcome == Outcome::WrongLeader)
        };
        self.servers.iter().any(refuses)
    }

    fn shown(&mut self, mut config: Config) -> Config {
        let first = config.groups.keys().next().copied();
        if has(Mistake::MovesMore) && config.number.is_multiple_of(2) {
            config.shards.reverse();
        }
        if let Some(all) = own_group().filter(|_| config.number > 0 && has(Mistake::ServesAll)) {
            config.shards = [all; SHARDS];
            config.groups.entry(all).or_insert(vec!["nobody".to_string()]);
        }
        if let Some(first) = first.filter(|_| has(Mistake::OneForAll)) {
            config.shards = [first; SHARDS];
        }
        if has(Mistake::OldOnesChange) {
            config.groups = self.right.query(None).groups;
        }
        config
    }
}

impl shard_api::ControllerClerk for ControllerClerk {
    fn make(servers: Vec<ClientEnd>) -> Self {
        // An end's name has that of its server, and that has the name of its group.
        let of_second = servers.iter().all(|end| format!("{end:?}").contains("to other-"));
        let clients = servers.iter().cloned().map(ShardCtrlerClient::new).collect();
        let right = shard_api::ControllerClerk::make(servers);
        ControllerClerk { right, servers: clients, joins: 0, of_second }
    }

    fn query(&mut self, number: Option<u64>) -> Config {
        let config = self.right.query(number);
        if has(Mistake::TooLargeIsEmpty) && number.is_some_and(|number| number > config.number) {
            return Config::default();
        }
        self.shown(config)
    }

    fn join(&mut self, groups: BTreeMap<Gid, Vec<String>>) {
        if has(Mistake::ChangesTwice) || self.of_second && has(Mistake::ChangesTwiceAtSecond) {
            self.right.join(groups.clone());
        }
        self.joins += 1;
        if has(Mistake::TakesRefusals) && self.joins > 1 && self.is_refused(&groups) {
            return;
        }
        self.right.join(groups);
    }

    fn leave(&mut self, gids: &[Gid]) {
        self.right.leave(gids);
    }

    fn move_shard(&mut self, shard: usize, gid: Gid) {
        if !has(Mistake::MovesNothing) {
            self.right.move_shard(shard, gid);
        }
    }
}

/// A server of a group.
pub(crate) struct Server(Arc<shardkv::Server<raft::Raft, ControllerClerk>>);

impl shard_api::Server for Server {
    type Raft = raft::Raft;

    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        max_raft_state: Option<usize>,
        gid: Gid,
        controllers: Vec<ClientEnd>,
        make_end: MakeEnd,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let persister = match has(Mistake::KeepsLost) {
            true => Arc::new(Growing(persister)),
            false => persister,
        };
        let max_raft_state = match max_raft_state {
            _ if has(Mistake::Snapshots) => Some(1000),
            _ if has(Mistake::NoSnapshots) => None,
            most => most,
        };
        let make_end = match has(Mistake::NoWayOut) {
            true => Arc::new(move |_: &str| make_end("nobody")),
            false => make_end,
        };
        shardkv::Server::make(peers, me, persister, max_raft_state, gid, controllers, make_end)
            .map(|server| Arc::new(Server(server)))
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        self.0.clone().services()
    }

    fn raft(&self) -> &raft::Raft {
        self.0.raft()
    }

    fn kill(&self) {
        self.0.kill();
    }
}

/// Has more in each snapshot than it was given.
struct Growing(Arc<dyn Persister>);

const MORE: usize = 14_000;

impl Persister for Growing {
    fn save_raft_state(&self, state: &[u8]) -> Result<(), PersistError> {
        self.0.save_raft_state(state)
    }

    fn append_raft_state(&self, record: &[u8]) -> Result<(), PersistError> {
        self.0.append_raft_state(record)
    }

    fn read_raft_state(&self) -> Result<Vec<u8>, PersistError> {
        self.0.read_raft_state()
    }

    fn raft_state_size(&self) -> usize {
        self.0.raft_state_size()
    }

    fn save_state_and_snapshot(&self, state: &[u8], snapshot: &[u8]) -> Result<(), PersistError> {
        self.0.save_state_and_snapshot(state, &[snapshot, &[0; MORE]].concat())
    }

    fn read_snapshot(&self) -> Result<Vec<u8>, PersistError> {
        let mut snapshot = self.0.read_snapshot()?;
        snapshot.truncate(snapshot.len().saturating_sub(MORE));
        Ok(snapshot)
    }

    fn snapshot_size(&self) -> usize {
        self.0.snapshot_size().saturating_sub(MORE)
    }
}

/// A client's side of the store.
pub(crate) struct Clerk {
    right: shardkv::Clerk<ControllerClerk>,
    appends: u64,
    read: BTreeMap<String, String>,
    is_late: bool,
}

/// Who comes after this is late, in us.
const LATE: u64 = 15_000_000;

impl shard_api::Clerk for Clerk {
    fn make(controllers: Vec<ClientEnd>, make_end: MakeEnd) -> Self {
        let right = shard_api::Clerk::make(controllers, make_end);
        let is_late = labtrace::now_us() > LATE;
        Clerk { right, appends: 0, read: BTreeMap::new(), is_late }
    }

    fn get(&mut self, key: &str) -> String {
        while self.is_late && has(Mistake::LateReadsHang) {
            thread::sleep(Duration::from_secs(1));
        }
        let now = self.right.get(key);
        let last = self.read.insert(key.to_string(), now.clone());
        last.filter(|_| has(Mistake::ReadsOld)).unwrap_or(now)
    }

    fn put(&mut self, key: &str, value: &str) {
        self.right.put(key, value);
    }

    fn append(&mut self, key: &str, value: &str) {
        self.appends += 1;
        let times = match self.appends.is_multiple_of(7) {
            true if has(Mistake::AppendsTwice) => 2,
            true if has(Mistake::Forgets) => 0,
            _ => 1,
        };
        (0..times).for_each(|_| self.right.append(key, value));
    }
}
