//! A controller and groups of a sharded service under test, and what can be done to them.

use std::fmt;
use std::sync::Arc;

use kv_clients::{Client, History};
use labrpc::Name;
use labrt::Node;
use labrt::sync::{Leaf, Mutex};
use labtrace::verdict;
use raft_watch::AnyServer;
use service_watch::{Limits, Watch};
use shard_api::{Config, Gid, MakeEnd};
use tester::{Group, Judged, Net, Run, Totals, swarm};

use crate::admin::{Admin, Groups};
use crate::configs;
use crate::controllers::Controllers;
use crate::subject::Subject;

/// The number of the first group; the others follow.
const FIRST_GID: Gid = 100;

/// What a cluster is made of.
#[derive(Clone, Debug)]
pub struct Layout {
    /// How many servers the controller has.
    pub controllers: usize,
    /// How many servers each group has.
    pub groups: Vec<usize>,
    /// Whether there is a second controller, which knows nothing of the first.
    pub second_controller: bool,
    /// Whether the network loses and delays.
    pub unreliable: bool,
    /// From how many bytes of saved Raft state on a snapshot is due; `None`: never.
    pub max_raft_state: Option<usize>,
    /// What servers of the groups may save at any time.
    pub limits: Limits,
    /// Whether each server has a clock of its own, which runs fast or slow (simulated clock only).
    pub drifting: bool,
}

impl Layout {
    /// That of the course: a controller and three groups, of three servers each.
    pub fn of_course(unreliable: bool, max_raft_state: Option<usize>) -> Layout {
        Layout {
            controllers: 3,
            groups: vec![3; 3],
            second_controller: false,
            unreliable,
            max_raft_state,
            limits: Limits::of_lab(max_raft_state),
            drifting: false,
        }
    }
}

/// A sharded service on a network of its own: a controller and groups, with all servers running, and
/// none of the groups joined. Clones are the same one.
///
/// The groups have the numbers 100, 101 and so on; here they are named by their places, from 0 on. The
/// servers of group 100 are called `100-0`, `100-1`, ..., on the network and in configurations. The
/// network has neither long delays nor long reordering.
///
/// Go: the type `config` of the package `shardkv`.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    subject: Subject,
    net: Net,
    controllers: Controllers,
    second: Option<Controllers>,
    groups: Vec<Group<AnyServer>>,
    watch: Watch,
    shards: shard_watch::Watch,
    history: History,
    max_raft_state: Option<usize>,
    admin: Mutex<Admin>,
    /// The number of the last configuration that the tester has learned of.
    known: Leaf<u64>,
    /// How many clients there were.
    clients: Leaf<u64>,
}

impl Cluster {
    /// That of the course: the network becomes unreliable, if it shall, when all servers run.
    ///
    /// # Panics
    /// If a server cannot be made.
    pub fn new(
        subject: Subject,
        run: &Run,
        unreliable: bool,
        max_raft_state: Option<usize>,
    ) -> Cluster {
        Cluster::with(subject, run, Layout::of_course(unreliable, max_raft_state))
    }

    /// One that is made of this.
    ///
    /// # Panics
    /// If a server cannot be made.
    pub fn with(subject: Subject, run: &Run, layout: Layout) -> Cluster {
        let net = Net::of_service(run);
        let watch = Watch::of(run);
        let shards = shard_watch::Watch::new(&watch);
        let controllers = Controllers::new(subject, &net, "ctrl", layout.controllers);
        let second = layout.second_controller.then(|| Controllers::new(subject, &net, "other", 3));
        let groups = (FIRST_GID..).zip(&layout.groups).map(|(gid, servers)| {
            let group = Group::new(&net, &gid.to_string(), *servers);
            let below = raft_watch::Watch::of(subject.raft, &group);
            watch.add(&group, &below, layout.limits);
            if run.judged() >= Judged::ByRules {
                shards.add(gid, &group);
            }
            group
        });
        let groups: Vec<Group<AnyServer>> = groups.collect();
        if layout.drifting {
            let all = groups.iter().chain([controllers.group()]);
            all.for_each(|group| swarm::draw_clocks(group, true));
        }
        controllers.start_all();
        second.iter().for_each(Controllers::start_all);
        let admin = Mutex::new(controllers.clerk("tester"));
        let inner = Inner {
            subject,
            net,
            controllers,
            second,
            groups,
            watch,
            shards,
            history: History::default(),
            max_raft_state: layout.max_raft_state,
            admin,
            known: Leaf::default(),
            clients: Leaf::default(),
        };
        let cluster = Cluster { inner: Arc::new(inner) };
        cluster.all().into_iter().for_each(|group| cluster.start_group(group));
        cluster.net().set_reliable(!layout.unreliable);
        cluster
    }

    // ---- What there is -------------------------------------------------------------------------

    /// The run that it belongs to.
    pub fn run(&self) -> &Run {
        self.net().run()
    }

    /// Its network.
    pub fn net(&self) -> &Net {
        &self.inner.net
    }

    /// Its controller.
    pub fn controllers(&self) -> &Controllers {
        &self.inner.controllers
    }

    /// Its second controller.
    ///
    /// # Panics
    /// If it has none.
    pub fn second_controllers(&self) -> &Controllers {
        self.inner.second.as_ref().expect("the layout has a second controller")
    }

    /// The groups.
    pub fn all(&self) -> Vec<usize> {
        (0..self.inner.groups.len()).collect()
    }

    /// The number of a group.
    pub fn gid(&self, group: usize) -> Gid {
        FIRST_GID + group as Gid
    }

    /// How many servers a group has.
    pub fn servers(&self, group: usize) -> usize {
        self.group(group).servers()
    }

    /// The servers of a group, whatever they are.
    pub(crate) fn group(&self, group: usize) -> &Group<AnyServer> {
        &self.inner.groups[group]
    }

    /// True if so many servers of a group run that they can agree.
    pub fn has_majority(&self, group: usize) -> bool {
        let group = self.group(group);
        let running = (0..group.servers()).filter(|server| group.is_running(*server)).count();
        running > group.servers() / 2
    }

    // ---- Servers come and go -------------------------------------------------------------------

    /// Starts a server of a group, and connects it with the others.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn start(&self, group: usize, server: usize) {
        self.start_alone(group, server);
        self.group(group).connect(server);
    }

    /// Starts a server of a group. It is not connected with the others yet.
    ///
    /// # Panics
    /// If it cannot be made.
    pub(crate) fn start_alone(&self, group: usize, server: usize) {
        let Inner { subject, controllers, max_raft_state, .. } = &*self.inner;
        let (controllers, gid) = (controllers.members().clone(), self.gid(group));
        self.group(group).start(server, |seat| {
            let others = seat.others.clone();
            let make_end: MakeEnd = Arc::new(move |name| others.end_to(&Name::from(name)));
            move || {
                let controllers = seat.others.ends_to(&controllers);
                (subject.make_server)(seat, *max_raft_state, gid, controllers, make_end)
            }
        });
    }

    /// Shuts a server of a group down: it leaves the network and ends, and only what it has saved
    /// remains.
    pub fn shut_down(&self, group: usize, server: usize) {
        self.group(group).crash(server);
    }

    /// Starts all servers of a group, one after the other.
    ///
    /// # Panics
    /// If one cannot be made.
    pub fn start_group(&self, group: usize) {
        (0..self.servers(group)).for_each(|server| self.start(group, server));
    }

    /// Starts those servers of a group that do not run.
    ///
    /// # Panics
    /// If one cannot be made.
    pub fn restart_group(&self, group: usize) {
        let down = |server: &usize| !self.group(group).is_running(*server);
        (0..self.servers(group)).filter(down).for_each(|server| self.start(group, server));
    }

    /// Shuts all servers of a group down, one after the other.
    pub fn shut_down_group(&self, group: usize) {
        (0..self.servers(group)).for_each(|server| self.shut_down(group, server));
    }

    // ---- Who reaches whom ----------------------------------------------------------------------

    /// Splits a group into two parts, of which each lives on by itself.
    pub fn partition(&self, group: usize, one: &[usize], other: &[usize]) {
        self.group(group).partition(&[one, other]);
    }

    /// Cuts a server of a group off from all servers of another group, both ways.
    pub fn cut_from_group(&self, group: usize, server: usize, other: usize) {
        self.group(group).cut_from(server, self.group(other).members());
    }

    /// Cuts a server of a group off from the controller.
    pub fn cut_from_controller(&self, group: usize, server: usize) {
        self.group(group).cut_from(server, self.inner.controllers.members());
    }

    /// Lets everybody reach everybody.
    pub fn heal(&self) {
        for (number, group) in self.inner.groups.iter().enumerate() {
            let servers: Vec<usize> = (0..group.servers()).collect();
            group.partition(&[&servers]);
            self.rejoin_others(number);
        }
    }

    /// Lets everybody reach the controller and the other groups. Within the groups all stays as it is.
    pub(crate) fn heal_between(&self) {
        self.all().into_iter().for_each(|group| self.rejoin_others(group));
    }

    /// Lets the servers of a group reach all others.
    fn rejoin_others(&self, number: usize) {
        let group = self.group(number);
        for server in 0..group.servers() {
            group.rejoin(server, self.inner.controllers.members());
            let others = self.inner.groups.iter().enumerate().filter(|(other, _)| *other != number);
            others.for_each(|(_, other)| group.rejoin(server, other.members()));
        }
    }

    // ---- Configurations ------------------------------------------------------------------------

    /// Adds groups, all in one configuration.
    ///
    /// # Panics
    /// If there is not one configuration more then; so do the other changes.
    #[track_caller]
    pub fn join(&self, groups: &[usize]) {
        self.change(|admin| admin.join(self.names(groups)));
    }

    /// Takes groups out, all in one configuration.
    #[track_caller]
    pub fn leave(&self, groups: &[usize]) {
        let gids: Vec<Gid> = groups.iter().map(|group| self.gid(*group)).collect();
        self.change(|admin| admin.leave(&gids));
    }

    /// Gives a shard to a group.
    #[track_caller]
    pub fn move_shard(&self, shard: usize, group: usize) {
        self.change(|admin| admin.move_shard(shard, self.gid(group)));
    }

    /// The latest configuration.
    pub fn latest(&self) -> Config {
        let config = self.inner.admin.lock().latest();
        self.learned(&config);
        config
    }

    /// Groups with the names of their servers.
    pub fn names(&self, groups: &[usize]) -> Groups {
        let names = |group: &usize| {
            let members = self.group(*group).members();
            let names = (0..members.count()).map(|server| members.name(server).to_string());
            (self.gid(*group), names.collect())
        };
        groups.iter().map(names).collect()
    }

    /// Has the controller change the configuration, and learns the new one. Nobody else changes it.
    #[track_caller]
    fn change(&self, change: impl FnOnce(&mut Admin)) {
        let before = self.inner.known.with(|known| *known);
        change(&mut self.inner.admin.lock());
        let Config { number, .. } = self.latest();
        if number != before + 1 {
            let words = format!(
                "after configuration {before} there was one change, and the latest one is {number}"
            );
            verdict("numbers", words).hint("each change makes one configuration more").fail();
        }
    }

    /// The tester has learned of a configuration. It learns of each, in the order of their numbers, and
    /// perhaps of one twice.
    fn learned(&self, config: &Config) {
        // Of two that ask at once the one with the older answer may come later.
        self.inner.known.with(|known| *known = (*known).max(config.number));
        self.inner.shards.configured(config);
    }

    /// What watches the service.
    pub fn watch(&self) -> &Watch {
        &self.inner.watch
    }

    /// What watches the shards.
    pub fn shards(&self) -> &shard_watch::Watch {
        &self.inner.shards
    }

    // ---- Clients -------------------------------------------------------------------------------

    /// A new client, whose calls are part of the history.
    pub fn client(&self) -> Client {
        self.client_of(&self.inner.controllers)
    }

    /// A new client that finds the groups in the configurations of this controller.
    pub fn client_of(&self, controllers: &Controllers) -> Client {
        let number = self.inner.clients.with(|clients| {
            *clients += 1;
            *clients - 1
        });
        let ends = tester::Client::new(self.net(), &format!("client {number}"));
        for members in self.inner.groups.iter().map(Group::members).chain([controllers.members()]) {
            let all: Vec<usize> = (0..members.count()).collect();
            ends.connect(members, &all);
        }
        let reaches = ends.clone();
        let make_end: MakeEnd = Arc::new(move |name| reaches.end_to(&Name::from(name)));
        let clerk = (self.inner.subject.make_clerk)(ends.ends_to(controllers.members()), make_end);
        let history = Some((number, self.inner.history.clone()));
        Client::new(clerk, ends, self.inner.watch.clone(), history)
    }

    /// Starts clients in threads of their own, each with its number, which can be stopped wherever
    /// they are.
    pub fn start_clients<T: Send + 'static>(
        &self,
        clients: Vec<Client>,
        work: impl Fn(usize, &mut Client) -> T + Clone + Send + 'static,
    ) -> Clients<T> {
        let node = Node::new("clients");
        let threads = clients.into_iter().enumerate().map(|(number, mut client)| {
            let (name, work) = (client.ends().name().to_string(), work.clone());
            let thread = labrt::thread::Builder::new().name(name).node(node.clone());
            thread.spawn(move || work(number, &mut client))
        });
        let threads = threads.collect();
        Clients { node, threads }
    }

    // ---- The end -------------------------------------------------------------------------------

    /// How many bytes each server of the groups has saved: its name, its Raft state, its snapshot.
    pub fn saved(&self) -> Vec<(String, usize, usize)> {
        let of_group = |group: &Group<AnyServer>| {
            let of = |server| {
                let (state, snapshot) = (group.state_size(server), group.snapshot_size(server));
                (group.members().node_name(server), state, snapshot)
            };
            (0..group.servers()).map(of).collect::<Vec<_>>()
        };
        self.inner.groups.iter().flat_map(of_group).collect()
    }

    /// The sums up to now.
    pub fn totals(&self) -> Totals {
        let servers: usize = self.inner.groups.iter().map(Group::servers).sum();
        self.net().totals(servers + self.controllers().servers(), self.net().operations())
    }

    /// Ends the service; what its last line says. All configurations must be right, those of the second
    /// controller too, and what all clients saw must have been possible.
    ///
    /// # Panics
    /// If it is not so.
    pub fn finish(&self) -> Totals {
        let totals = self.totals();
        configs::check_all(&mut self.inner.admin.lock());
        self.latest(); // what was answered since it was made is judged when it is learned again
        self.inner.second.iter().for_each(|second| configs::check_all(&mut second.clerk("tester")));
        self.run().session().close();
        self.inner.groups.iter().for_each(Group::end);
        self.inner.controllers.end();
        self.inner.second.iter().for_each(Controllers::end);
        self.net().cleanup();
        self.inner.history.check(self.run(), &self.inner.watch);
        self.inner.controllers.check_changes();
        self.inner.second.iter().for_each(Controllers::check_changes);
        totals
    }
}

/// Clients at work in threads of their own.
#[derive(Debug)]
pub struct Clients<T> {
    node: Node,
    threads: Vec<labrt::thread::JoinHandle<T>>,
}

impl<T> Clients<T> {
    /// Ends them wherever they are, with calls that may never return.
    pub fn stop(self) {
        self.node.kill();
    }

    /// Waits until all are done.
    ///
    /// # Panics
    /// If one of them fails.
    pub fn join(self) -> Vec<T> {
        let results = self.threads.into_iter().map(|thread| thread.join());
        results.map(|result| result.expect("a client that fails ends the run")).collect()
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("groups", &self.inner.groups).finish_non_exhaustive()
    }
}
