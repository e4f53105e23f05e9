//! A controller, some groups and clerks on one network.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use labrpc::Network;
use labrt::thread;
use labrt::world::Builder;
use raft::Raft;
use raft_api::Raft as _;
use shard_api::{Config, Controller, ControllerClerk, Gid, MakeEnd, Server};

pub(crate) mod cluster;
use cluster::{Cluster, Ends, Host, Made};

/// How many servers each cluster has.
const SERVERS: usize = 3;

pub(crate) type Clerk = shardkv::Clerk<shardctrler::Clerk>;

pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) controller: Cluster,
    pub(crate) groups: BTreeMap<Gid, Cluster>,
    /// A clerk of the controller.
    pub(crate) admin: shardctrler::Clerk,
    clerks: usize,
}

impl World {
    /// A world with groups 100, 101 and so on, none of which has joined.
    pub(crate) fn new(groups: u64, max_raft_state: Option<usize>) -> World {
        let network = Network::new();
        let controller = Cluster::new(&network, "controller", SERVERS, make_controller);
        let admin = admin_clerk(&network, &controller, 0);
        let make_group = |gid: Gid| {
            let controllers = controller.names().to_vec();
            let make = move |host| make_server(host, max_raft_state, gid, &controllers);
            (gid, Cluster::new(&network, &format!("server-{gid}"), SERVERS, make))
        };
        let groups = (100..100 + groups).map(make_group).collect();
        World { network, controller, groups, admin, clerks: 0 }
    }

    /// One more clerk of the controller.
    pub(crate) fn admin_clerk(&mut self) -> shardctrler::Clerk {
        self.clerks += 1;
        admin_clerk(&self.network, &self.controller, self.clerks)
    }

    pub(crate) fn clerk(&mut self) -> Clerk {
        self.clerks += 1;
        let ends = Ends::new(&self.network, format!("clerk{}", self.clerks));
        let controllers = ends.to_all(self.controller.names());
        shard_api::Clerk::make(controllers, make_end(&ends))
    }

    pub(crate) fn join(&mut self, gids: &[Gid]) {
        let names = |gid: &Gid| (*gid, self.groups[gid].names().to_vec());
        let groups = gids.iter().map(names).collect();
        self.admin.join(groups);
    }

    pub(crate) fn leave(&mut self, gids: &[Gid]) {
        self.admin.leave(gids);
    }

    pub(crate) fn config(&mut self) -> Config {
        self.admin.query(None)
    }

    pub(crate) fn group(&mut self, gid: Gid) -> &mut Cluster {
        self.groups.get_mut(&gid).expect("there is such a group")
    }
}

fn admin_clerk(network: &Network, controller: &Cluster, number: usize) -> shardctrler::Clerk {
    let ends = Ends::new(network, format!("admin{number}"));
    ControllerClerk::make(ends.to_all(controller.names()))
}

/// What the cluster wants to know of a server of either kind.
macro_rules! made {
    ($server:expr) => {{
        let (asked, killed) = ($server.clone(), $server.clone());
        Made {
            leads: Box::new(move || asked.raft().state().is_leader),
            kill: Box::new(move || killed.kill()),
            services: $server.services(),
        }
    }};
}

fn make_controller(host: Host) -> Made {
    let Host { me, peers, persister, .. } = host;
    let server = shardctrler::Server::<Raft>::make(peers, me, persister).expect("it can be made");
    made!(server)
}

fn make_server(
    host: Host,
    max_raft_state: Option<usize>,
    gid: Gid,
    controllers: &[String],
) -> Made {
    let Host { me, peers, persister, ends } = host;
    let controllers = ends.to_all(controllers);
    let server = shardkv::Server::<Raft, shardctrler::Clerk>::make(
        peers,
        me,
        persister,
        max_raft_state,
        gid,
        controllers,
        make_end(&ends),
    );
    let server = server.expect("it can be made");
    made!(server)
}

fn make_end(ends: &Ends) -> MakeEnd {
    let ends = ends.clone();
    Arc::new(move |server| ends.to(server))
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn sleep(time: u64) {
    thread::sleep(ms(time));
}

/// The seeds to try: as many as `LAB_SEEDS` says, or a few; or the one that `LAB_SEED` says.
pub(crate) fn seeds() -> Range<u64> {
    let number = |name| {
        let text = std::env::var(name).ok()?;
        Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not `{text}`")))
    };
    match number("LAB_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LAB_SEEDS").unwrap_or(10),
    }
}

/// Runs a test with each seed.
pub(crate) fn each_seed(test: impl Fn() + Send + Sync + Copy + 'static) {
    for seed in seeds() {
        if let Err(failure) = Builder::simulated(seed).time_limit(ms(120_000)).run(test) {
            panic!("{failure}\nagain with LAB_SEED={seed}");
        }
    }
}

/// Runs a test on the real clock, once.
pub(crate) fn on_the_real_clock(test: impl Fn() + Send + 'static) {
    if let Err(failure) = Builder::real().time_limit(ms(120_000)).run(test) {
        panic!("{failure}");
    }
}
