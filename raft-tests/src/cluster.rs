//! A cluster of servers under test, and what can be done to it and asked of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use labrpc::{Network, Service};
use labrt::channel;
use labrt::rng::{RngExt, Stream};
use labrt::sync::Leaf;
use labrt::time::Instant;
use labrt::{observe, thread};
use labtrace::{Span, SpanOf, VerdictBuilder, What, show, verdict};
use persister::Persister;
use raft_api::{Persisted, Raft, RaftState, Started};
use raft_watch::{Watch, of_several};
use tester::{Group, Net, Run, Server, Totals};

use crate::applied::{Applied, place};

mod reader;

/// The longest time a new leader may take to appear; tests wait in multiples of it.
pub const ELECTION_TIMEOUT: Duration = Duration::from_secs(1);

/// A cluster of servers on a network of its own. Clones are the same cluster.
///
/// Go: the type `config`.
pub struct Cluster<R: Raft> {
    inner: Arc<Inner<R>>,
}

struct Inner<R: Raft> {
    group: Group<RaftServer<R>>,
    applied: Arc<Leaf<Applied>>,
    watch: Watch,
    /// Whether the service above takes snapshots (part 2D).
    snapshots: bool,
}

/// A Raft in a slot of the tester's.
struct RaftServer<R>(Arc<R>);

impl<R: Raft> Server for RaftServer<R> {
    fn services(&self) -> Vec<Service> {
        self.0.clone().services()
    }

    fn kill(&self) {
        self.0.kill();
    }
}

impl<R> Clone for RaftServer<R> {
    fn clone(&self) -> Self {
        RaftServer(self.0.clone())
    }
}

impl<R: Raft> Cluster<R> {
    /// Starts and connects all servers, in a run of their own of which nothing is kept.
    ///
    /// # Panics
    /// If a server cannot be made, or the world has a run already.
    pub fn new(servers: usize, unreliable: bool) -> Cluster<R> {
        let run = Run::silent();
        run.enter();
        Cluster::in_run(&run, servers, unreliable)
    }

    /// As [`new`](Cluster::new), in the run of the caller's world.
    ///
    /// # Panics
    /// If a server cannot be made.
    pub fn in_run(run: &Run, servers: usize, unreliable: bool) -> Cluster<R> {
        Cluster::on(&lab_net(run, unreliable), "", servers)
    }

    /// As [`in_run`](Cluster::in_run), with services that take a snapshot every ten entries (part 2D).
    ///
    /// # Panics
    /// If a server cannot be made.
    pub fn with_snapshots(run: &Run, servers: usize, unreliable: bool) -> Cluster<R> {
        Cluster::made_on(&lab_net(run, unreliable), "", servers, true)
    }

    /// As [`new`](Cluster::new), on a network that others may be on as well, if this cluster has a
    /// name.
    ///
    /// # Panics
    /// If a server cannot be made, or the network has a group of this name.
    pub fn on(net: &Net, name: &str, servers: usize) -> Cluster<R> {
        Cluster::made_on(net, name, servers, false)
    }

    fn made_on(net: &Net, name: &str, servers: usize, snapshots: bool) -> Cluster<R> {
        let cluster = Cluster::unstarted(net, name, servers, snapshots);
        cluster.start_all();
        cluster
    }

    /// A cluster of which no server runs yet.
    pub(crate) fn unstarted(net: &Net, name: &str, servers: usize, snapshots: bool) -> Cluster<R> {
        let group = Group::new(net, name, servers);
        let applied = Applied {
            logs: vec![Vec::new(); servers],
            instances: vec![0; servers],
            starts: vec![None; servers],
            snapshots: vec![0; servers],
            history: BTreeMap::new(),
        };
        let (applied, watch) = (Arc::new(Leaf::new(applied)), Watch::of::<R>(&group));
        Cluster { inner: Arc::new(Inner { group, applied, watch, snapshots }) }
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
    pub fn rounds(&self, most: usize) -> impl Iterator<Item = usize> + use<R> {
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
        self.inner.group.start(server, |seat| {
            // No buffer, as in the course.
            let (apply, messages) = channel::bounded(0);
            self.read_applied(server, &*seat.persister, messages);
            move || R::make(seat.ends, seat.me, seat.persister, apply).map(RaftServer)
        });
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
    }

    /// Cuts a server off from all others.
    pub fn disconnect(&self, server: usize) {
        self.inner.group.disconnect(server);
    }

    /// Splits the cluster into parts that each live on by themselves; see [`Group::partition`].
    pub fn partition(&self, parts: &[&[usize]]) {
        self.inner.group.partition(parts);
    }

    // ---- What servers apply --------------------------------------------------------------------

    /// How many servers have applied this index, and with which command.
    pub fn committed(&self, index: u64) -> (usize, Option<Bytes>) {
        self.inner.applied.with(|all| {
            let place = place(index);
            let count = all.logs.iter().filter(|log| log.len() > place).count();
            let command = all.history.get(&index).map(|(_, command, _)| command.clone());
            (count, command.filter(|_| count > 0))
        })
    }

    /// The most bytes of Raft state that a server has saved, running or not.
    pub fn log_size(&self) -> usize {
        (0..self.servers()).map(|server| self.inner.group.state_size(server)).max().unwrap_or(0)
    }

    /// Makes sure that nobody has applied an index that was offered since servers were cut off, unless
    /// a majority is connected all the same.
    ///
    /// # Panics
    /// If somebody has.
    #[track_caller]
    pub fn check_minority_commits_nothing(&self, index: u64) {
        let (count, _) = self.committed(index);
        assert!(self.has_majority() || count == 0, "{count} committed but no majority");
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
            let broken = self.situation(verdict("wait", words)).index(index);
            self.fail(broken.hint(NOT_BROUGHT_UP_TO_DATE));
        }
        span.end(command.as_deref().map_or_else(String::new, show));
        command
    }

    // ---- What servers say ----------------------------------------------------------------------

    /// Asks a server something, if it runs.
    fn ask<T>(&self, server: usize, question: impl FnOnce(&R) -> T) -> Option<T> {
        self.inner.group.instance(server)?.enter(|raft| question(&raft.0))
    }

    /// Term and role of a server; `None` if it does not run.
    pub fn state(&self, server: usize) -> Option<RaftState> {
        self.ask(server, R::state)
    }

    /// Offers a command to a server; `None` if it does not run or does not lead.
    pub fn start(&self, server: usize, command: Bytes) -> Option<Started> {
        self.inner.watch.offering();
        let started = self.offer(server, command)?;
        self.inner.watch.accepted(server, started);
        Some(started)
    }

    fn offer(&self, server: usize, command: Bytes) -> Option<Started> {
        let instance = self.inner.group.instance(server)?;
        let session = self.run().session();
        if !session.keeps_events() {
            return instance.enter(|raft| raft.0.start(command))?;
        }
        let offer = What::Offered { command: show(&command), index: None, term: None };
        let event = self.inner.group.record(server, offer);
        let started = observe::with_cause(event, || instance.enter(|raft| raft.0.start(command)))?;
        if let Some(started) = started {
            session.amend(event, |what| {
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
                let broken = both.iter().fold(verdict("Election Safety", words), claim);
                self.fail(broken.hint(TWO_LEADERS));
            }
            if let Some((term, servers)) = leaders.last_key_value() {
                span.end(format_args!("server {} leads term {term}", servers[0]));
                return servers[0];
            }
        }
        let broken = self.situation(verdict("one leader", "expected one leader, got none"));
        self.fail(broken.hint(NO_LEADER));
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
            let broken = terms.iter().fold(verdict("terms", words), say);
            self.fail(
                broken.hint("a higher term in a request or a reply does not reach currentTerm"),
            );
        }
        span.end(format_args!("term {term}"));
        term
    }

    /// True if a majority of the servers run and are connected with each other.
    ///
    /// A test that has cut servers off must ask: the run's setting may have denied it.
    pub fn has_majority(&self) -> bool {
        let group = &self.inner.group;
        (0..self.servers()).any(|one| {
            let reached = |other: &usize| group.is_running(*other) && group.reaches(one, *other);
            (0..self.servers()).filter(reached).count() > self.servers() / 2
        })
    }

    /// Makes sure that no connected server claims to lead. They must be no majority.
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
            let broken = verdict("no leader", words)
                .fact(leader, format!("server {leader} claims to be leader of term {term}"))
                .fact(None, "the connected servers are no majority")
                .hint(
                    "a candidate counts its votes against the wrong number, or counts some twice",
                );
            self.fail(broken);
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
            let text = format!("{place}{term}, {}", self.progress(server, applied[server]));
            alike.entry(text).or_default().insert(server);
        }
        let situations = alike.iter().map(|(text, who)| {
            let is = if who.len() == 1 { "is" } else { "are" };
            of_several(who, &format!("{is} {text}"))
        });
        let obstacles = self.inner.watch.obstacles();
        obstacles.into_iter().chain(situations).fold(broken, VerdictBuilder::with_fact)
    }

    /// How far a server has come; in part 2D also what it has saved.
    fn progress(&self, server: usize, applied: usize) -> String {
        let applied = format!("applied {applied} entries");
        if !self.inner.snapshots {
            return applied;
        }
        let saved = self.inner.group.persister(server);
        let snapshot = saved.read_snapshot().expect("memory can be read");
        let snapshot = match reader::index_of(&snapshot) {
            _ if snapshot.is_empty() => "no snapshot".into(),
            Some(index) => format!("a snapshot up to {index}"),
            None => "a snapshot that cannot be read".into(),
        };
        let state = R::read_persisted(&saved.read_raft_state().expect("memory can be read"));
        let log = state.map(|Persisted { log_base, log_terms, .. }| match log_terms.len() as u64 {
            0 => format!(" and an empty log behind {log_base}"),
            count => format!(" and a log from {} to {}", log_base + 1, log_base + count),
        });
        format!("{applied}, saved {snapshot}{}", log.unwrap_or_default())
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
        self.fail(self.situation(broken).hint(hint));
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

/// What usually leads to two leaders in a term.
const TWO_LEADERS: &str = "a server voted twice in this term, or a candidate counted votes of \
     another term, or of less than a majority";

/// What usually leads to elections that nobody wins.
const NO_LEADER: &str = "elections do not succeed: timers that do not fire, fire all at once, or are \
     started anew by a refused vote or a newer term, votes that are refused or not counted, or a server \
     that waits (for a lock, for a reply) instead of answering";

/// What usually leads to a command that nobody accepts.
const NO_LEADER_FOR_LONG: &str = "no connected server claimed to lead for 10 s: elections do not \
     succeed (do refused votes or newer terms start election timers anew?), or a server waits (for a \
     lock, for a reply) instead of answering";

/// What usually leads to a follower that does not apply what others have applied.
const NOT_BROUGHT_UP_TO_DATE: &str = "the leader does not bring a follower up to date, or does not \
     tell it what is committed";

/// What usually leads to a command that is accepted and not applied.
const NOT_COMMITTED: &str = "a leader accepted it and could not have it applied: AppendEntries that \
     are refused without end (nextIndex does not go back, or goes back to the wrong place), a \
     commit index that does not advance or is not passed on, an applier that has stopped, or no leader \
     after it (do refused votes or newer terms start election timers anew?)";

/// The network of a test of lab 2.
pub(crate) fn lab_net(run: &Run, unreliable: bool) -> Net {
    let net = Net::new(run);
    net.set_long_delays(true);
    net.set_reliable(!unreliable);
    net
}

impl<R: Raft> Clone for Cluster<R> {
    fn clone(&self) -> Self {
        Cluster { inner: self.inner.clone() }
    }
}

impl<R: Raft> fmt::Debug for Cluster<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("group", &self.inner.group).finish_non_exhaustive()
    }
}

/// Sleeps for a number of [`ELECTION_TIMEOUT`]s.
pub fn sleep_elections(count: f64) {
    thread::sleep(ELECTION_TIMEOUT.mul_f64(count));
}
