//! A cluster of servers under test, and what can be done to it and asked of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use labrpc::{Network, Server};
use labrt::channel::{self, Receiver};
use labrt::rng::{self, RngExt, Stream};
use labrt::sync::{Leaf, Mutex};
use labrt::time::Instant;
use labrt::{Node, thread};
use persister::{MemoryPersister, Persister};
use raft_api::{ApplyMsg, Raft, RaftState, Started};

use crate::commands::show;

/// The longest time a new leader may take to appear; tests wait in multiples of it.
pub const ELECTION_TIMEOUT: Duration = Duration::from_secs(1);

/// A cluster of servers on a network of its own. Clones are the same cluster.
///
/// Go: the type `config`.
pub struct Cluster<R: Raft> {
    inner: Arc<Inner<R>>,
}

struct Inner<R: Raft> {
    network: Network,
    slots: Vec<Mutex<Slot<R>>>,
    applied: Arc<Leaf<Applied>>,
    rng: Mutex<Stream>,
    began: Instant,
}

/// The place of one server.
struct Slot<R> {
    running: Option<Instance<R>>,
    persister: Arc<MemoryPersister>,
    /// The names of its ends, one per server; empty until its first start.
    ends: Vec<String>,
    connected: bool,
}

/// A server from its start to its crash.
struct Instance<R> {
    raft: Arc<R>,
    node: Node,
}

impl<R> Clone for Instance<R> {
    fn clone(&self) -> Self {
        Instance { raft: self.raft.clone(), node: self.node.clone() }
    }
}

/// What each server has applied since its last start.
#[derive(Default)]
struct Applied {
    logs: Vec<Vec<Bytes>>,
    /// The instance whose messages count, for each server.
    instances: Vec<u64>,
    /// Every command ever applied, by index, and which server was first.
    history: BTreeMap<u64, (usize, Bytes)>,
}

/// The sums that the last line of a test shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// How long the test took, on its clock.
    pub time: Duration,
    /// How many servers there were.
    pub servers: usize,
    /// How many RPCs were sent.
    pub rpcs: u64,
    /// How many bytes the RPCs had.
    pub bytes: u64,
    /// How many entries were committed.
    pub committed: u64,
}

impl<R: Raft> Cluster<R> {
    /// Starts and connects all servers.
    ///
    /// # Panics
    /// If a server cannot be made.
    pub fn new(servers: usize, unreliable: bool) -> Cluster<R> {
        let network = Network::new();
        network.set_long_delays(true);
        network.set_reliable(!unreliable);
        let slot = |_| {
            Mutex::new(Slot {
                running: None,
                persister: Arc::default(),
                ends: Vec::new(),
                connected: false,
            })
        };
        let applied = Applied {
            logs: vec![Vec::new(); servers],
            instances: vec![0; servers],
            history: BTreeMap::new(),
        };
        let cluster = Cluster {
            inner: Arc::new(Inner {
                network,
                slots: (0..servers).map(slot).collect(),
                applied: Arc::new(Leaf::new(applied)),
                rng: Mutex::new(rng::stream("tester")),
                began: Instant::now(),
            }),
        };
        (0..servers).for_each(|server| cluster.start_server(server));
        (0..servers).for_each(|server| cluster.connect(server));
        cluster
    }

    /// How many servers there are.
    pub fn servers(&self) -> usize {
        self.inner.slots.len()
    }

    /// The network, to change its conditions and read its counters.
    pub fn network(&self) -> &Network {
        &self.inner.network
    }

    /// The sums up to now.
    pub fn totals(&self) -> Totals {
        Totals {
            time: self.inner.began.elapsed(),
            servers: self.servers(),
            rpcs: self.network().total_count(),
            bytes: self.network().total_bytes(),
            committed: self.max_index(),
        }
    }

    /// The highest index that was applied anywhere.
    fn max_index(&self) -> u64 {
        self.inner.applied.with(|all| all.history.keys().next_back().copied().unwrap_or(0))
    }

    /// A draw from the tester's own random stream.
    pub fn draw<T>(&self, f: impl FnOnce(&mut Stream) -> T) -> T {
        f(&mut self.inner.rng.lock())
    }

    // ---- Servers come and go -------------------------------------------------------------------

    /// Crashes a server: it leaves the network and ends, and only what it has saved remains.
    pub fn crash(&self, server: usize) {
        self.disconnect(server);
        self.network().delete_server(server);
        let mut slot = self.inner.slots[server].lock();
        // From here on the dead server's writes go to a store that nobody reads.
        let saved = slot.persister.copy();
        slot.persister = Arc::new(saved.copy());
        let instance = slot.running.take();
        drop(slot);
        if let Some(Instance { raft, node }) = instance {
            let _ = node.enter(|| raft.kill());
            node.kill();
        }
        // The lab's parts up to 2C have no snapshots: only the Raft state survives.
        let state = saved.read_raft_state().expect("memory can be read");
        let fresh = MemoryPersister::new();
        fresh.save_raft_state(&state).expect("memory can be written");
        self.inner.slots[server].lock().persister = Arc::new(fresh);
    }

    /// Starts a server anew, after a crash if it runs. It is not connected yet.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn start_server(&self, server: usize) {
        self.crash(server);
        let network = self.network();
        let suffix: u64 = self.draw(|rng| rng.random());
        let names: Vec<String> =
            (0..self.servers()).map(|peer| format!("{server}-{peer}-{suffix:x}")).collect();
        let ends = names.iter().enumerate().map(|(peer, name)| {
            let end = network.make_end(name.as_str());
            network.connect(name.as_str(), peer);
            end
        });
        let ends = ends.collect();
        let persister = {
            let mut slot = self.inner.slots[server].lock();
            slot.ends = names;
            slot.persister = Arc::new(slot.persister.copy());
            slot.persister.clone()
        };
        let (apply, messages) = channel::unbounded();
        self.read_applied(server, messages);
        let node = Node::new(format!("server {server}"));
        let made = node.enter(|| R::make(ends, server, persister, apply));
        let raft = match made {
            Ok(Ok(raft)) => raft,
            Ok(Err(error)) => panic!("server {server} cannot be made: {error}"),
            Err(_) => unreachable!("nobody else knows this node"),
        };
        let services = node.enter(|| raft.clone().services()).expect("it has just been made");
        let labrpc_server = services.into_iter().fold(Server::new(), Server::service);
        self.inner.slots[server].lock().running = Some(Instance { raft, node: node.clone() });
        network.add_server(server, labrpc_server.node(node));
    }

    /// True if the server runs.
    pub fn is_running(&self, server: usize) -> bool {
        self.inner.slots[server].lock().running.is_some()
    }

    /// True if the server is connected.
    pub fn is_connected(&self, server: usize) -> bool {
        self.inner.slots[server].lock().connected
    }

    /// Lets a server reach all connected ones and them reach it.
    pub fn connect(&self, server: usize) {
        self.inner.slots[server].lock().connected = true;
        let connected: BTreeSet<usize> =
            (0..self.servers()).filter(|peer| self.is_connected(*peer)).collect();
        self.enable_ends(server, &connected, true);
    }

    /// Cuts a server off from all others.
    pub fn disconnect(&self, server: usize) {
        self.inner.slots[server].lock().connected = false;
        self.enable_ends(server, &(0..self.servers()).collect(), false);
    }

    fn enable_ends(&self, server: usize, peers: &BTreeSet<usize>, on: bool) {
        let to = |from: usize, to: usize| {
            let name = self.inner.slots[from].lock().ends.get(to).cloned();
            if let Some(name) = name {
                self.network().enable(name, on);
            }
        };
        for &peer in peers {
            to(server, peer);
            to(peer, server);
        }
    }

    // ---- What servers apply --------------------------------------------------------------------

    /// Starts the task that reads and checks what a new instance applies.
    fn read_applied(&self, server: usize, messages: Receiver<ApplyMsg>) {
        let applied = self.inner.applied.clone();
        let instance = applied.with(|all| {
            all.logs[server].clear();
            all.instances[server] += 1;
            all.instances[server]
        });
        thread::Builder::new().name(format!("apply reader {server}")).spawn(move || {
            for message in messages {
                let ApplyMsg::Command { index, command } = message else {
                    panic!("server {server} applied {message:?}, which this lab does not know");
                };
                let checked = applied.with(|all| all.add(server, instance, index, command));
                if let Err(words) = checked {
                    panic!("apply error: {words}");
                }
            }
        });
    }

    /// How many servers have applied this index, and with which command.
    pub fn committed(&self, index: u64) -> (usize, Option<Bytes>) {
        self.inner.applied.with(|all| {
            let place = place(index);
            let count = all.logs.iter().filter(|log| log.len() > place).count();
            let command = all.history.get(&index).map(|(_, command)| command.clone());
            (count, command.filter(|_| count > 0))
        })
    }

    /// Waits, for half a minute at most, until `servers` have applied this index; returns the
    /// command. With a `term`, gives up and returns `None` when some server has gone on to a later
    /// one.
    ///
    /// # Panics
    /// If too few servers apply it.
    #[track_caller]
    pub fn wait(&self, index: u64, servers: usize, term: Option<u64>) -> Option<Bytes> {
        let mut pause = Duration::from_millis(10);
        for _ in 0..30 {
            if self.committed(index).0 >= servers {
                break;
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(1));
            if let Some(term) = term
                && self.states().any(|(_, state)| state.term > term)
            {
                return None;
            }
        }
        let (count, command) = self.committed(index);
        if count < servers {
            panic!("only {count} decided for index {index}; wanted {servers}");
        }
        command
    }

    // ---- What servers say ----------------------------------------------------------------------

    fn instance(&self, server: usize) -> Option<Instance<R>> {
        self.inner.slots[server].lock().running.clone()
    }

    /// Term and role of a server; `None` if it does not run.
    pub fn state(&self, server: usize) -> Option<RaftState> {
        let Instance { raft, node } = self.instance(server)?;
        node.enter(|| raft.state()).ok()
    }

    /// Offers a command to a server; `None` if it does not run or does not lead.
    pub fn start(&self, server: usize, command: Bytes) -> Option<Started> {
        let Instance { raft, node } = self.instance(server)?;
        node.enter(|| raft.start(command)).ok()?
    }

    fn states(&self) -> impl Iterator<Item = (usize, RaftState)> {
        (0..self.servers()).filter_map(|server| Some((server, self.state(server)?)))
    }

    fn connected_states(&self) -> impl Iterator<Item = (usize, RaftState)> {
        self.states().filter(|(server, _)| self.is_connected(*server))
    }

    /// Waits until the connected servers have a leader and returns it.
    ///
    /// # Panics
    /// If there is none within some 5 s, or there are two in one term.
    #[track_caller]
    pub fn check_one_leader(&self) -> usize {
        for _ in 0..10 {
            let pause = self.draw(|rng| rng.random_range(450..=549));
            thread::sleep(Duration::from_millis(pause));
            let mut leaders: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
            for (server, state) in self.connected_states().filter(|(_, state)| state.is_leader) {
                leaders.entry(state.term).or_default().push(server);
            }
            if let Some((term, both)) = leaders.iter().find(|(_, servers)| servers.len() > 1) {
                panic!("term {term} has {} (>1) leaders: servers {both:?}", both.len());
            }
            if let Some((_, servers)) = leaders.last_key_value() {
                return servers[0];
            }
        }
        panic!("expected one leader, got none");
    }

    /// The term of the connected servers.
    ///
    /// # Panics
    /// If they disagree.
    #[track_caller]
    pub fn check_terms(&self) -> u64 {
        let terms: BTreeMap<usize, u64> =
            self.connected_states().map(|(server, state)| (server, state.term)).collect();
        let mut distinct = terms.values();
        let term = *distinct.next().expect("some server is connected");
        if distinct.any(|other| *other != term) {
            panic!("servers disagree on term: by server, {terms:?}");
        }
        term
    }

    /// Makes sure that no connected server claims to lead.
    ///
    /// # Panics
    /// If one does.
    #[track_caller]
    pub fn check_no_leader(&self) {
        if let Some((leader, state)) = self.connected_states().find(|(_, state)| state.is_leader) {
            panic!("expected no leader, but {leader} claims to be leader (of term {})", state.term);
        }
    }

    /// Has the cluster agree on a command, whoever leads; returns its index.
    ///
    /// For up to 10 s it is offered to one server after the other until one accepts it; then
    /// `servers` of them have 2 s to apply it. If they do not, it is offered again with `retry`.
    ///
    /// # Panics
    /// If there is no agreement.
    #[track_caller]
    pub fn one(&self, command: Bytes, servers: usize, retry: bool) -> u64 {
        let began = Instant::now();
        let mut candidate = 0;
        while began.elapsed() < Duration::from_secs(10) {
            let started = (0..self.servers()).find_map(|_| {
                candidate = (candidate + 1) % self.servers();
                let offer = self.is_connected(candidate);
                offer.then(|| self.start(candidate, command.clone())).flatten()
            });
            let Some(Started { index, .. }) = started else {
                thread::sleep(Duration::from_millis(50));
                continue;
            };
            let offered = Instant::now();
            while offered.elapsed() < Duration::from_secs(2) {
                let (count, applied) = self.committed(index);
                if count >= servers && applied.as_ref() == Some(&command) {
                    return index;
                }
                thread::sleep(Duration::from_millis(20));
            }
            if !retry {
                break;
            }
        }
        panic!("one({}) failed to reach agreement", show(&command));
    }

    /// Ends all servers and the network.
    pub fn cleanup(&self) {
        for slot in &self.inner.slots {
            let instance = slot.lock().running.take();
            if let Some(Instance { raft, node }) = instance {
                let _ = node.enter(|| raft.kill());
                node.kill();
            }
        }
        self.network().cleanup();
    }
}

/// Where an index stands in a list that begins with index 1.
fn place(index: u64) -> usize {
    usize::try_from(index.saturating_sub(1)).expect("an index in memory")
}

impl Applied {
    /// Adds what an instance has applied, or says what is wrong with it.
    fn add(
        &mut self,
        server: usize,
        instance: u64,
        index: u64,
        command: Bytes,
    ) -> Result<(), String> {
        // Whatever an instance has applied must agree with the others, also if it has crashed since.
        match self.history.get(&index) {
            Some((first, known)) if *known != command => {
                return Err(format!(
                    "commit index={index} server={server} {} != server={first} {}",
                    show(&command),
                    show(known)
                ));
            }
            _ => {}
        }
        if self.instances[server] != instance {
            return Ok(());
        }
        let log = &mut self.logs[server];
        if index != log.len() as u64 + 1 {
            return Err(format!(
                "server {server} apply out of order {index}: expected index {}",
                log.len() + 1
            ));
        }
        log.push(command.clone());
        self.history.entry(index).or_insert((server, command));
        Ok(())
    }
}

impl<R: Raft> Clone for Cluster<R> {
    fn clone(&self) -> Self {
        Cluster { inner: self.inner.clone() }
    }
}

impl<R: Raft> fmt::Debug for Cluster<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("network", &self.inner.network).finish_non_exhaustive()
    }
}

/// Sleeps for a number of [`ELECTION_TIMEOUT`]s.
pub fn sleep_elections(count: f64) {
    thread::sleep(ELECTION_TIMEOUT.mul_f64(count));
}
