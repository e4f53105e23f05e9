//! Servers of a key/value service under test, and what can be done to them.

use std::fmt;
use std::sync::Arc;

use kv_clients::{Client, History};
use labrt::sync::Leaf;
use raft_watch::AnyServer;
use service_watch::{Limits, Watch};
use tester::{Group, Net, Run, Totals};

use crate::subject::Subject;

/// A key/value service on a network of its own, with all its servers running and connected. Clones
/// are the same one.
///
/// The network has neither long delays nor long reordering: a call to a server that is down fails
/// within 0.1 s.
///
/// Go: the type `config` of the package `kvraft`.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    subject: Subject,
    group: Group<AnyServer>,
    watch: Watch,
    max_raft_state: Option<usize>,
    /// How many clients without a number of their own there were.
    clients: Leaf<u64>,
}

impl Cluster {
    /// Starts and connects all servers; then the network becomes unreliable, if it shall.
    ///
    /// # Panics
    /// If a server cannot be made.
    pub fn new(
        subject: Subject,
        run: &Run,
        servers: usize,
        unreliable: bool,
        max_raft_state: Option<usize>,
    ) -> Cluster {
        let limits = Limits::of_lab(max_raft_state);
        Cluster::with_limits(subject, run, servers, unreliable, max_raft_state, limits)
    }

    /// As [`new`](Cluster::new), with limits of its own to what servers may save at any time.
    ///
    /// # Panics
    /// If a server cannot be made.
    pub fn with_limits(
        subject: Subject,
        run: &Run,
        servers: usize,
        unreliable: bool,
        max_raft_state: Option<usize>,
        limits: Limits,
    ) -> Cluster {
        let net = Net::of_service(run);
        let cluster = Cluster::unstarted(subject, &net, servers, max_raft_state, limits);
        cluster.start_all();
        net.set_reliable(!unreliable);
        cluster
    }

    /// A cluster of which no server runs yet.
    pub(crate) fn unstarted(
        subject: Subject,
        net: &Net,
        servers: usize,
        max_raft_state: Option<usize>,
        limits: Limits,
    ) -> Cluster {
        let group = Group::new(net, "", servers);
        let watch = Watch::of(net.run());
        watch.add(&group, &raft_watch::Watch::of(subject.raft, &group), limits);
        let clients = Leaf::default();
        Cluster { inner: Arc::new(Inner { subject, group, watch, max_raft_state, clients }) }
    }

    /// Starts and connects all servers.
    ///
    /// # Panics
    /// If a server cannot be made.
    pub(crate) fn start_all(&self) {
        (0..self.servers()).for_each(|server| self.start(server));
        self.connect_all();
    }

    /// The servers, whatever they are.
    pub(crate) fn group(&self) -> &Group<AnyServer> {
        &self.inner.group
    }

    /// What watches the service.
    pub fn watch(&self) -> &Watch {
        &self.inner.watch
    }

    /// The run that it belongs to.
    pub fn run(&self) -> &Run {
        self.inner.group.run()
    }

    /// Its network.
    pub fn net(&self) -> &Net {
        self.inner.group.net()
    }

    /// How many servers there are.
    pub fn servers(&self) -> usize {
        self.inner.group.servers()
    }

    /// The numbers of all servers.
    pub fn all(&self) -> Vec<usize> {
        (0..self.servers()).collect()
    }

    /// Shuts a server down: it leaves the network and ends, and only what it has saved remains.
    pub fn shut_down(&self, server: usize) {
        self.inner.group.crash(server);
    }

    /// Starts a server. It is not connected yet.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn start(&self, server: usize) {
        let Inner { subject, group, max_raft_state, .. } = &*self.inner;
        group.start(server, |seat| move || (subject.make_server)(seat, *max_raft_state));
    }

    /// Connects every server with every other one.
    pub fn connect_all(&self) {
        self.inner.group.partition(&[&self.all()]);
    }

    /// Splits the servers into two parts, of which each lives on by itself. Clients are not touched.
    pub fn partition(&self, one: &[usize], other: &[usize]) {
        self.inner.group.partition(&[one, other]);
    }

    /// Whether two servers reach each other.
    pub fn reaches(&self, one: usize, other: usize) -> bool {
        self.inner.group.reaches(one, other)
    }

    /// The server with the lowest number that claims to lead; 0 if none does. It may be a stale one.
    pub fn leader(&self) -> usize {
        (0..self.servers()).find(|server| self.leads(*server)).unwrap_or(0)
    }

    /// Whether a server claims to lead.
    pub(crate) fn leads(&self, server: usize) -> bool {
        let instance = self.inner.group.instance(server);
        instance.and_then(|instance| instance.enter(AnyServer::leads)).unwrap_or(false)
    }

    /// The servers in two parts: a majority without the leader, and the others.
    pub fn leader_in_minority(&self) -> (Vec<usize>, Vec<usize>) {
        self.inner.group.minority_with(self.leader())
    }

    /// The most bytes of Raft state that a server has saved.
    pub fn log_size(&self) -> usize {
        (0..self.servers()).map(|server| self.inner.group.state_size(server)).max().unwrap_or(0)
    }

    /// The most bytes that a server's snapshot has.
    pub fn snapshot_size(&self) -> usize {
        (0..self.servers()).map(|server| self.inner.group.snapshot_size(server)).max().unwrap_or(0)
    }

    /// A new client that reaches these servers, whose calls are not part of a history.
    pub fn client(&self, to: &[usize]) -> Client {
        let number = self.inner.clients.with(|clients| {
            *clients += 1;
            *clients - 1
        });
        self.client_with(to, number, None)
    }

    /// A new client that reaches these servers, whose calls are part of a history: under this number.
    pub fn client_in(&self, to: &[usize], number: u64, history: &History) -> Client {
        self.client_with(to, number, Some((number, history.clone())))
    }

    fn client_with(&self, to: &[usize], number: u64, history: Option<(u64, History)>) -> Client {
        let members = self.inner.group.members();
        let client = tester::Client::new(self.net(), &format!("client {number}"));
        let clerk = (self.inner.subject.make_clerk)(client.ends_to(members));
        client.connect(members, to);
        Client::new(clerk, client, self.inner.watch.clone(), history)
    }

    /// Lets a client reach these servers, beside those that it reaches already.
    pub fn connect_client(&self, client: &tester::Client, to: &[usize]) {
        client.connect(self.inner.group.members(), to);
    }

    /// Has a client reach these servers, and no others.
    pub(crate) fn reconnect_client(&self, client: &tester::Client, to: &[usize]) {
        let others: Vec<usize> =
            self.all().into_iter().filter(|server| !to.contains(server)).collect();
        client.disconnect(self.inner.group.members(), &others);
        self.connect_client(client, to);
    }

    /// Runs so many clients side by side, each with its number, and waits for all.
    ///
    /// # Panics
    /// If one of them fails.
    pub fn clients<T: Send + 'static>(
        &self,
        count: usize,
        work: impl Fn(usize, &mut Client) -> T + Clone + Send + 'static,
    ) -> Vec<T> {
        let threads: Vec<_> = (0..count)
            .map(|number| {
                let (mut client, work) = (self.client(&self.all()), work.clone());
                let name = format!("client {number}");
                labrt::thread::Builder::new().name(name).spawn(move || work(number, &mut client))
            })
            .collect();
        let results = threads.into_iter().map(|thread| thread.join().expect("a client panicked"));
        results.collect()
    }

    /// The sums up to now.
    pub fn totals(&self) -> Totals {
        self.net().totals(self.servers(), self.net().operations())
    }

    /// Ends the service; what its last line says.
    pub fn finish(&self) -> Totals {
        let totals = self.totals();
        self.run().session().close();
        self.inner.group.end();
        self.net().cleanup();
        totals
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("servers", &self.servers()).finish_non_exhaustive()
    }
}
