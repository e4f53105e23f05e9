//! A cluster of servers under test, and what can be done to it and asked of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use labrpc::{Conditions, Faults, Network, Server};
use labrt::channel::{self, Receiver};
use labrt::rng::{self, RngExt, Stream};
use labrt::sync::{Leaf, Mutex};
use labrt::time::Instant;
use labrt::{Node, observe, thread};
use labtrace::{Keep, Span, SpanOf, VerdictBuilder, What, show, verdict};
use persister::{MemoryPersister, Persister};
use raft_api::{ApplyMsg, Raft, RaftState, Started};
use raft_watch::{Watch, node_name, of_several};
use run_record::setting::{Setting, Trouble};

use crate::applied::{Applied, Message, place};

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
    watch: Watch,
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
        let watch = Watch::of::<R>(servers, Keep::Nothing, Setting::default());
        Cluster::watched(servers, unreliable, watch)
    }

    /// As [`new`](Cluster::new), with a watch of the caller's own.
    ///
    /// # Panics
    /// If a server cannot be made.
    pub fn watched(servers: usize, unreliable: bool, watch: Watch) -> Cluster<R> {
        watch.session().enter();
        let network = Network::new();
        network.watch(watch.observer());
        let limit = |trouble| watch.setting().limit(trouble).unwrap_or(u64::MAX);
        let mut faults = Faults::default();
        faults.most_losses = limit(Trouble::Losses);
        faults.most_delays = limit(Trouble::Delays);
        faults.most_reorderings = limit(Trouble::Reorders);
        network.set_faults(faults);
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
                watch,
            }),
        };
        cluster.record_conditions();
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

    /// Whether requests arrive at once and nothing is lost, from now on.
    pub fn set_reliable(&self, reliable: bool) {
        self.network().set_reliable(reliable);
        self.record_conditions();
    }

    /// Whether many replies are late, from now on.
    pub fn set_long_reordering(&self, on: bool) {
        self.network().set_long_reordering(on);
        self.record_conditions();
    }

    fn record_conditions(&self) {
        let Conditions { reliable, long_reordering, long_delays, .. } = self.network().conditions();
        let what = What::Network { reliable, long_reordering, long_delays };
        self.inner.watch.session().record(None, what);
    }

    /// The rounds of a test that does the same `most` times: all of them, unless the run's setting
    /// asks for fewer.
    pub fn rounds(&self, most: usize) -> impl Iterator<Item = usize> + use<R> {
        let watch = self.inner.watch.clone();
        (0..most).take_while(move |_| watch.may(Trouble::Rounds))
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
        let running = self.is_running(server);
        if running && !self.inner.watch.may(Trouble::Crashes) {
            return;
        }
        self.cut_off(server);
        self.network().delete_server(server);
        // Now nobody hears it any more, and all that somebody has heard can still be saved.
        if running {
            self.inner.watch.crashed(server);
        }
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
        if self.is_running(server) {
            return; // the run's setting has no crash left
        }
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
            slot.persister = Arc::new(slot.persister.copy());
            let persister = self.inner.watch.starting(server, &names, slot.persister.clone());
            slot.ends = names;
            persister
        };
        let (apply, messages) = channel::unbounded();
        self.read_applied(server, messages);
        let node = Node::new(node_name(server));
        let made = node.enter(|| R::make(ends, server, persister, apply));
        let raft = match made {
            Ok(Ok(raft)) => raft,
            Ok(Err(error)) => {
                let words = format!("server {server} cannot be made: {error}");
                verdict("make", words).fact(server, format!("`make` said: {error}")).fail()
            }
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
        let before = std::mem::replace(&mut self.inner.slots[server].lock().connected, true);
        if !before {
            self.inner.watch.record(server, What::Connected);
        }
        let connected: BTreeSet<usize> =
            (0..self.servers()).filter(|peer| self.is_connected(*peer)).collect();
        self.enable_ends(server, &connected, true);
    }

    /// Cuts a server off from all others.
    pub fn disconnect(&self, server: usize) {
        if !self.is_connected(server) || self.inner.watch.may(Trouble::Cuts) {
            self.cut_off(server);
        }
    }

    fn cut_off(&self, server: usize) {
        let before = std::mem::replace(&mut self.inner.slots[server].lock().connected, false);
        if before {
            self.inner.watch.record(server, What::Disconnected);
        }
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
        let (applied, watch) = (self.inner.applied.clone(), self.inner.watch.clone());
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
                if watch.session().keeps_events() {
                    watch.record(server, What::Applied { index, command: show(&command) });
                }
                let us = labtrace::now_us();
                let message = Message { server, instance, index, command, us };
                if let Err(mut broken) = applied.with(|all| all.add(message)) {
                    // Where the entries come from that do not agree.
                    broken.facts.extend(watch.entries_sent(index));
                    broken.location = Some(format!("what server {server} applies"));
                    labtrace::fail(*broken);
                }
                if applied.with(|all| all.instances[server] == instance) {
                    watch.applied(server, index);
                }
            }
        });
    }

    /// How many servers have applied this index, and with which command.
    pub fn committed(&self, index: u64) -> (usize, Option<Bytes>) {
        self.inner.applied.with(|all| {
            let place = place(index);
            let count = all.logs.iter().filter(|log| log.len() > place).count();
            let command = all.history.get(&index).map(|(_, command, _)| command.clone());
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
        let span = Span::begin(
            SpanOf::Tester,
            &format_args!("wait until {servers} servers apply index {index}"),
        );
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
                span.end("a server is in a later term");
                return None;
            }
        }
        let (count, command) = self.committed(index);
        if count < servers {
            let words = format!("only {count} decided for index {index}; wanted {servers}");
            self.situation(verdict("wait", words))
                .index(index)
                .hint("the leader does not bring a follower up to date, or does not tell it what is committed")
                .fail();
        }
        span.end(command.as_deref().map_or_else(String::new, show));
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
        self.inner.watch.offering();
        let started = self.offer(server, command)?;
        self.inner.watch.accepted(server, started);
        Some(started)
    }

    fn offer(&self, server: usize, command: Bytes) -> Option<Started> {
        let Instance { raft, node } = self.instance(server)?;
        let watch = &self.inner.watch;
        if !watch.session().keeps_events() {
            return node.enter(|| raft.start(command)).ok()?;
        }
        let offer = What::Offered { command: show(&command), index: None, term: None };
        let event = watch.record(server, offer);
        let started = observe::with_cause(event, || node.enter(|| raft.start(command))).ok()?;
        if let Some(started) = started {
            watch.session().amend(event, |what| {
                if let What::Offered { index, term, .. } = what {
                    (*index, *term) = (Some(started.index), Some(started.term));
                }
            });
        }
        started
    }

    fn states(&self) -> impl Iterator<Item = (usize, RaftState)> {
        (0..self.servers()).filter_map(|server| Some((server, self.state(server)?)))
    }

    /// Asks only those that are connected: another one may be stuck, which is not the question.
    fn connected_states(&self) -> impl Iterator<Item = (usize, RaftState)> {
        let connected = (0..self.servers()).filter(|server| self.is_connected(*server));
        connected.filter_map(|server| Some((server, self.state(server)?)))
    }

    /// Waits until the connected servers have a leader and returns it.
    ///
    /// # Panics
    /// If there is none within some 5 s, or there are two in one term.
    #[track_caller]
    pub fn check_one_leader(&self) -> usize {
        let span = Span::begin(SpanOf::Tester, &"check one leader");
        for _ in 0..10 {
            let pause = self.draw(|rng| rng.random_range(450..=549));
            thread::sleep(Duration::from_millis(pause));
            let mut leaders: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
            for (server, state) in self.connected_states().filter(|(_, state)| state.is_leader) {
                leaders.entry(state.term).or_default().push(server);
            }
            if let Some((term, both)) = leaders.iter().find(|(_, servers)| servers.len() > 1) {
                let words =
                    format!("term {term} has {} (>1) leaders: servers {both:?}", both.len());
                let claim = |broken: VerdictBuilder, server: &usize| {
                    let text = format!("server {server} claims to be leader of term {term}");
                    broken.fact(*server, text)
                };
                both.iter().fold(verdict("Election Safety", words), claim).hint(TWO_LEADERS).fail();
            }
            if let Some((term, servers)) = leaders.last_key_value() {
                span.end(format_args!("server {} leads term {term}", servers[0]));
                return servers[0];
            }
        }
        self.situation(verdict("one leader", "expected one leader, got none"))
            .hint(
                "elections do not succeed: timers that do not fire or fire all at once, votes that \
                 are refused or not counted, or a server that waits (for a lock, for a reply) \
                 instead of answering",
            )
            .fail();
    }

    /// The term of the connected servers.
    ///
    /// # Panics
    /// If they disagree.
    #[track_caller]
    pub fn check_terms(&self) -> u64 {
        let span = Span::begin(SpanOf::Tester, &"check terms");
        let terms: BTreeMap<usize, u64> =
            self.connected_states().map(|(server, state)| (server, state.term)).collect();
        let mut distinct = terms.values();
        let term = *distinct.next().expect("some server is connected");
        if distinct.any(|other| *other != term) {
            let words = format!("servers disagree on term: by server, {terms:?}");
            let say = |broken: VerdictBuilder, (server, term): (&usize, &u64)| {
                broken.fact(*server, format!("server {server} is in term {term}"))
            };
            terms
                .iter()
                .fold(verdict("terms", words), say)
                .hint("a higher term in a request or a reply does not reach currentTerm")
                .fail();
        }
        span.end(format_args!("term {term}"));
        term
    }

    /// Makes sure that no connected server claims to lead.
    ///
    /// # Panics
    /// If one does.
    #[track_caller]
    pub fn check_no_leader(&self) {
        let span = Span::begin(SpanOf::Tester, &"check no leader");
        if let Some((leader, state)) = self.connected_states().find(|(_, state)| state.is_leader) {
            let term = state.term;
            let words =
                format!("expected no leader, but {leader} claims to be leader (of term {term})");
            verdict("no leader", words)
                .fact(leader, format!("server {leader} claims to be leader of term {term}"))
                .fact(None, "the connected servers are no majority")
                .hint("a candidate counts its votes against the wrong number, or counts some twice")
                .fail();
        }
        span.end("none");
    }

    /// What stands in the way, and what is known of each server, as facts of a verdict.
    fn situation(&self, broken: VerdictBuilder) -> VerdictBuilder {
        let terms = self.inner.watch.terms();
        let applied =
            self.inner.applied.with(|all| all.logs.iter().map(Vec::len).collect::<Vec<_>>());
        let mut alike: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for server in 0..self.servers() {
            let place = match (self.is_running(server), self.is_connected(server)) {
                (false, _) => "down",
                (true, false) => "cut off",
                (true, true) => "connected",
            };
            let term = match &terms {
                // What it says is not understood.
                None => String::new(),
                Some(terms) if terms[server] == 0 => ", sent no message".into(),
                Some(terms) => format!(", showed term {}", terms[server]),
            };
            let text = format!("{place}{term}, applied {} entries", applied[server]);
            alike.entry(text).or_default().insert(server);
        }
        let situations = alike.iter().map(|(text, who)| {
            let is = if who.len() == 1 { "is" } else { "are" };
            of_several(who, &format!("{is} {text}"))
        });
        let obstacles = self.inner.watch.obstacles();
        obstacles.into_iter().chain(situations).fold(broken, VerdictBuilder::with_fact)
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
        let span = Span::begin(
            SpanOf::Tester,
            &format_args!("one({}) on {servers} servers", show(&command)),
        );
        let mut accepted = Vec::new();
        let began = Instant::now();
        let mut candidate = 0;
        while began.elapsed() < Duration::from_secs(10) {
            let started = (0..self.servers()).find_map(|_| {
                candidate = (candidate + 1) % self.servers();
                let offer = self.is_connected(candidate);
                offer.then(|| self.start(candidate, command.clone())).flatten()
            });
            let Some(Started { index, term }) = started else {
                thread::sleep(Duration::from_millis(50));
                continue;
            };
            accepted.push((labtrace::now_us(), candidate, index, term));
            let offered = Instant::now();
            while offered.elapsed() < Duration::from_secs(2) {
                let (count, applied) = self.committed(index);
                if count >= servers && applied.as_ref() == Some(&command) {
                    span.end(format_args!("index {index}"));
                    return index;
                }
                thread::sleep(Duration::from_millis(20));
            }
            if !retry {
                break;
            }
        }
        let words = format!("one({}) failed to reach agreement", show(&command));
        let mut broken = verdict("agreement", words);
        for (us, server, index, term) in &accepted {
            let text = format!("server {server} accepted it at index {index} in term {term}");
            broken = broken.fact_at(*us, *server, text).index(*index);
        }
        let hint = match accepted.is_empty() {
            true => NO_LEADER_FOR_LONG,
            false => NOT_COMMITTED,
        };
        self.situation(broken).hint(hint).fail();
    }

    /// Ends all servers and the network.
    ///
    /// # Panics
    /// If a rule was broken in the run, and the code under test has caught the panic of that.
    pub fn cleanup(&self) {
        for slot in &self.inner.slots {
            let instance = slot.lock().running.take();
            if let Some(Instance { raft, node }) = instance {
                let _ = node.enter(|| raft.kill());
                node.kill();
            }
        }
        self.network().cleanup();
        self.inner.watch.session().fail_if_judged();
    }
}

/// What usually leads to two leaders in a term.
const TWO_LEADERS: &str = "a server voted twice in this term, or a candidate counted votes of \
     another term, or of less than a majority";

/// What usually leads to a command that nobody accepts.
const NO_LEADER_FOR_LONG: &str = "no connected server claimed to lead for 10 s: elections do not \
     succeed, or a server waits (for a lock, for a reply) instead of answering";

/// What usually leads to a command that is accepted and not applied.
const NOT_COMMITTED: &str = "a leader accepted it and could not have it applied: AppendEntries that \
     are refused without end (nextIndex does not go back, or goes back to the wrong place), a \
     commit index that does not advance or is not passed on, or an applier that has stopped";

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
