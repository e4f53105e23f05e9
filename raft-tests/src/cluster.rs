//! A cluster of servers under test, and what can be done to it and asked of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use labrpc::Network;
use labrt::channel;
use labrt::rng::Stream;
use labrt::sync::Leaf;
use labrt::thread;
use labtrace::VerdictBuilder;
use raft_watch::{AnyRaft, RaftType, Watch};
use tester::{Group, Net, Run, Server, Totals};

use crate::applied::{Applied, Service};

mod agreement;
mod leaders;
mod prompt;
mod reader;
mod situation;

/// The longest time a new leader may take to appear; tests wait in multiples of it.
pub const ELECTION_TIMEOUT: Duration = Duration::from_secs(1);

/// A cluster of servers on a network of its own. Clones are the same cluster.
///
/// Go: the type `config`.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    raft: RaftType,
    group: Group<RaftServer>,
    applied: Arc<Leaf<Applied>>,
    watch: Watch,
    /// Whether the service above takes snapshots (part 2D).
    snapshots: bool,
    /// When servers were last connected or cut off.
    links_changed: Leaf<LinksChange>,
}

/// A moment in which servers were connected or cut off.
#[derive(Clone, Copy, Default)]
struct LinksChange {
    /// In microseconds of the run.
    us: u64,
    /// The latest term that was known then to have a leader; 0 if none was.
    led: u64,
}

/// A Raft in a slot of the tester's.
#[derive(Clone)]
struct RaftServer(Arc<dyn AnyRaft>);

impl Server for RaftServer {
    fn services(&self) -> Vec<labrpc::Service> {
        self.0.clone().services()
    }

    fn kill(&self) {
        self.0.kill();
    }
}

impl Cluster {
    /// Starts and connects all servers, in a run of their own of which nothing is kept.
    ///
    /// # Panics
    /// If a server cannot be made, or the world has a run already.
    pub fn new(raft: RaftType, servers: usize, unreliable: bool) -> Cluster {
        let run = Run::silent();
        run.enter();
        Cluster::in_run(raft, &run, servers, unreliable)
    }

    /// As [`new`](Cluster::new), in the run of the caller's world.
    ///
    /// # Panics
    /// If a server cannot be made.
    pub fn in_run(raft: RaftType, run: &Run, servers: usize, unreliable: bool) -> Cluster {
        Cluster::on(raft, &lab_net(run, unreliable), "", servers)
    }

    /// As [`in_run`](Cluster::in_run), with services that take a snapshot every ten entries (part 2D).
    ///
    /// # Panics
    /// If a server cannot be made.
    pub fn with_snapshots(raft: RaftType, run: &Run, servers: usize, unreliable: bool) -> Cluster {
        Cluster::made_on(raft, &lab_net(run, unreliable), "", servers, true)
    }

    /// As [`new`](Cluster::new), on a network that others may be on as well, if this cluster has a
    /// name.
    ///
    /// # Panics
    /// If a server cannot be made, or the network has a group of this name.
    pub fn on(raft: RaftType, net: &Net, name: &str, servers: usize) -> Cluster {
        Cluster::made_on(raft, net, name, servers, false)
    }

    fn made_on(raft: RaftType, net: &Net, name: &str, servers: usize, snapshots: bool) -> Cluster {
        let cluster = Cluster::unstarted(raft, net, name, servers, snapshots);
        cluster.start_all();
        cluster
    }

    /// A cluster of which no server runs yet.
    pub(crate) fn unstarted(
        raft: RaftType,
        net: &Net,
        name: &str,
        servers: usize,
        snapshots: bool,
    ) -> Cluster {
        let group = Group::new(net, name, servers);
        let applied = Applied {
            logs: vec![Vec::new(); servers],
            instances: vec![0; servers],
            starts: vec![None; servers],
            snapshots: vec![0; servers],
            services: vec![Service::Ready; servers],
            put_off: vec![None; servers],
            history: BTreeMap::new(),
        };
        let (applied, watch) = (Arc::new(Leaf::new(applied)), Watch::of(raft, &group));
        watch.hears_what_is_applied();
        let links_changed = Leaf::default();
        let inner = Inner { raft, group, applied, watch, snapshots, links_changed };
        Cluster { inner: Arc::new(inner) }
    }

    /// Starts and connects all servers.
    pub(crate) fn start_all(&self) {
        (0..self.servers()).for_each(|server| self.start_server(server));
        (0..self.servers()).for_each(|server| self.connect(server));
    }

    /// The servers, whatever they are: who runs, who is connected, what is saved.
    pub fn group(&self) -> &Group<impl Server> {
        &self.inner.group
    }

    /// What watches the servers' messages.
    pub fn watch(&self) -> &Watch {
        &self.inner.watch
    }

    /// The run that the cluster belongs to.
    pub fn run(&self) -> &Run {
        self.inner.group.run()
    }

    fn net(&self) -> &Net {
        self.inner.group.net()
    }

    /// How many servers there are.
    pub fn servers(&self) -> usize {
        self.inner.group.servers()
    }

    /// The network, to read its counters.
    pub fn network(&self) -> &Network {
        self.net().network()
    }

    /// Whether requests arrive at once and nothing is lost, from now on.
    pub fn set_reliable(&self, reliable: bool) {
        self.net().set_reliable(reliable);
    }

    /// How likely a request is to come twice, from now on.
    ///
    /// # Panics
    /// If that is no probability.
    pub fn set_duplication(&self, probability: f64) {
        self.net().set_duplication(probability);
    }

    /// Whether many replies are late, from now on.
    pub fn set_long_reordering(&self, on: bool) {
        self.net().set_long_reordering(on);
    }

    /// The rounds of a test that does the same `most` times: all of them, unless the run's setting
    /// asks for fewer.
    pub fn rounds(&self, most: usize) -> impl Iterator<Item = usize> + use<> {
        self.run().rounds(most)
    }

    /// The sums up to now.
    pub fn totals(&self) -> Totals {
        self.net().totals(self.servers(), self.max_index())
    }

    /// The highest index that was applied anywhere.
    fn max_index(&self) -> u64 {
        self.inner.applied.with(|all| all.history.keys().next_back().copied().unwrap_or(0))
    }

    /// A draw from the tester's own random stream.
    pub fn draw<T>(&self, f: impl FnOnce(&mut Stream) -> T) -> T {
        self.net().draw(f)
    }

    // ---- Servers come and go -------------------------------------------------------------------

    /// Crashes a server: it leaves the network and ends, and only what it has saved remains.
    pub fn crash(&self, server: usize) {
        self.inner.group.crash(server);
    }

    /// Starts a server anew, after a crash if it runs. It is not connected yet.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn start_server(&self, server: usize) {
        let (raft, since_us) = (self.inner.raft, labtrace::now_us());
        self.inner.group.start(server, |seat| {
            // No buffer, as in the course.
            let (apply, messages) = channel::bounded(0);
            self.read_applied(server, &*seat.persister, messages);
            move || raft.make(seat.ends, seat.me, seat.persister, apply).map(RaftServer)
        });
        self.check_make_was_prompt(server, since_us);
        self.take_snapshot_put_off(server);
    }

    /// True if the server runs.
    pub fn is_running(&self, server: usize) -> bool {
        self.inner.group.is_running(server)
    }

    /// True if the server is connected.
    pub fn is_connected(&self, server: usize) -> bool {
        self.inner.group.is_connected(server)
    }

    /// Lets a server reach all connected ones and them reach it.
    pub fn connect(&self, server: usize) {
        self.inner.group.connect(server);
        self.links_have_changed();
    }

    /// Cuts a server off from all others.
    pub fn disconnect(&self, server: usize) {
        self.inner.group.disconnect(server);
        self.links_have_changed();
    }

    /// Splits the cluster into parts that each live on by themselves; see [`Group::partition`].
    pub fn partition(&self, parts: &[&[usize]]) {
        self.inner.group.partition(parts);
        self.links_have_changed();
    }

    fn links_have_changed(&self) {
        let change = LinksChange { us: labtrace::now_us(), led: self.inner.watch.latest_led() };
        self.inner.links_changed.with(|last| *last = change);
    }

    /// Lets all servers reach each other.
    pub(crate) fn connect_all(&self) {
        let all: Vec<usize> = (0..self.servers()).collect();
        self.partition(&[&all]);
    }

    /// Ends the run that this cluster is all of; returns its sums.
    ///
    /// # Panics
    /// If a rule was broken in the run, and the code under test has caught the panic of that.
    pub fn finish(&self) -> Totals {
        let totals = self.totals();
        self.run().session().close();
        self.cleanup();
        totals
    }

    /// Ends all servers and the network.
    ///
    /// # Panics
    /// As [`finish`](Cluster::finish).
    pub fn cleanup(&self) {
        self.end();
        self.net().cleanup();
    }

    /// Ends all servers. Others may go on using the network.
    pub fn end(&self) {
        self.inner.group.end();
    }

    /// Ends the run with a verdict about servers of this cluster.
    #[track_caller]
    fn fail(&self, broken: VerdictBuilder) -> ! {
        self.inner.group.members().fail(broken.build())
    }
}

/// The network of a test of lab 2.
pub(crate) fn lab_net(run: &Run, unreliable: bool) -> Net {
    let net = Net::new(run);
    net.set_long_delays(true);
    net.set_reliable(!unreliable);
    net
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("group", &self.inner.group).finish_non_exhaustive()
    }
}

/// Sleeps for a number of [`ELECTION_TIMEOUT`]s.
pub fn sleep_elections(count: f64) {
    thread::sleep(ELECTION_TIMEOUT.mul_f64(count));
}
