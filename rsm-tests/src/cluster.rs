//! Servers of a replicated counter under test, and what can be done to them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use labrt::channel;
use labrt::sync::Leaf;
use labrt::thread;
use labrt::time::Instant;
use labtrace::verdict;
use raft_watch::Watch;
use rsm_api::WrongLeader;
use tester::{Group, Net, Run, Totals};

use crate::counter::{Reply, Request};
use crate::subject::{Slot, Subject};

/// How many servers there are.
pub(crate) const SERVERS: usize = 3;

/// How long a request may take from its submission until it is executed.
pub(crate) const ONE: Duration = Duration::from_secs(10);

/// How long who submits waits after it has asked all servers in vain.
const PAUSE: Duration = Duration::from_millis(50);

/// How often it is looked at most whether servers have counted so far, and before which look (counted from 0)
/// a Null helps.
const LOOKS: usize = 30;
const NULL_BEFORE: usize = 8;

/// Three servers of a replicated [`Counter`](crate::Counter), all running and connected, on a network without
/// troubles. Clones are the same ones.
///
/// Go (2025): the type `Test` of the package `rsm`.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    subject: Subject,
    group: Group<Slot>,
    max_raft_state: Option<usize>,
    state: Leaf<State>,
}

#[derive(Default)]
struct State {
    /// Who executed a request last.
    leader: usize,
    /// How many requests were executed for somebody who asked.
    operations: u64,
}

impl Cluster {
    /// Starts and connects all servers. `max_raft_state`: from how many bytes of saved Raft state on a
    /// snapshot is due.
    ///
    /// # Panics
    /// If a server cannot be made.
    pub fn new(subject: Subject, run: &Run, max_raft_state: Option<usize>) -> Cluster {
        let net = Net::of_service(run);
        let group = Group::new(&net, "", SERVERS);
        // It watches from within the group.
        let _ = Watch::of(subject.raft, &group);
        let inner = Inner { subject, group, max_raft_state, state: Leaf::default() };
        let cluster = Cluster { inner: Arc::new(inner) };
        cluster.start_all();
        cluster
    }

    pub(crate) fn group(&self) -> &Group<impl tester::Server> {
        &self.inner.group
    }

    /// Starts all servers, those that run too, and connects them.
    ///
    /// # Panics
    /// If one cannot be made.
    pub fn start_all(&self) {
        let Inner { subject, group, max_raft_state, .. } = &*self.inner;
        for server in 0..SERVERS {
            group.start(server, |seat| move || (subject.make)(seat, *max_raft_state));
        }
        self.connect_all();
    }

    /// Stops all servers: they leave the network and are told to end, and only what they have saved
    /// counts from now on.
    pub fn stop_all(&self) {
        (0..SERVERS).for_each(|server| self.inner.group.stop(server));
    }

    /// Connects every server with every other one.
    pub fn connect_all(&self) {
        self.inner.group.partition(&[&[0, 1, 2]]);
    }

    /// The server with the lowest number that claims to lead; 0 if none does.
    pub fn leader(&self) -> usize {
        let leads = |server: &usize| {
            let instance = self.inner.group.instance(*server);
            instance.and_then(|at| at.enter(|slot| slot.server.leads())).unwrap_or(false)
        };
        (0..SERVERS).find(leads).unwrap_or(0)
    }

    /// Submits a request to one server, as a task of that server, and waits. `None`: the server does not
    /// run, or was killed meanwhile.
    pub fn submit(&self, server: usize, request: Request) -> Option<Result<Reply, WrongLeader>> {
        let instance = self.inner.group.instance(server)?;
        let result = instance.enter(|slot| slot.server.submit(request))?;
        if let Ok(reply) = result {
            check_kind(server, request, reply);
            self.inner.state.with(|state| {
                (state.leader, state.operations) = (server, state.operations + 1);
            });
        }
        Some(result)
    }

    /// Has a request executed by one of the connected servers among these, within 10 s. `None`: none
    /// has done it, or no server runs any more.
    pub fn try_one(&self, among: &[usize], request: Request) -> Option<Reply> {
        let (sender, reply) = channel::bounded(1);
        let (cluster, among) = (self.clone(), among.to_vec());
        // In a task of its own: a submit may never return.
        thread::Builder::new().name("submitter").spawn(move || {
            let _ = sender.send(cluster.ask_all(&among, request)); // it may be too late
        });
        reply.recv_timeout(ONE).ok().flatten()
    }

    /// As [`try_one`](Cluster::try_one), but waits for as long as a submit takes.
    pub(crate) fn ask_all(&self, among: &[usize], request: Request) -> Option<Reply> {
        let until = Instant::now() + ONE;
        while Instant::now() < until && self.is_any_running() {
            let first = self.inner.state.with(|state| state.leader);
            for server in (first..SERVERS).chain(0..first) {
                let reachable = among.contains(&server) && self.inner.group.is_connected(server);
                if let Some(Ok(reply)) = reachable.then(|| self.submit(server, request)).flatten() {
                    return Some(reply);
                }
            }
            thread::sleep(PAUSE);
        }
        None
    }

    fn is_any_running(&self) -> bool {
        (0..SERVERS).any(|server| self.inner.group.is_running(server))
    }

    /// Has an Inc executed by one of the connected servers among these; returns the counter's value
    /// after it.
    ///
    /// # Panics
    /// If none does it within 10 s.
    #[track_caller]
    pub fn inc_at(&self, among: &[usize]) -> u64 {
        match self.try_one(among, Request::Inc) {
            Some(Reply::Value(value)) => value,
            Some(Reply::Done) => unreachable!("the kinds of request and reply have been compared"),
            None => {
                let words = format!("an Inc was not executed within {} s", ONE.as_secs());
                verdict("one", words)
                    .hint(
                        "a submitter that is not told of its reply, or of its server's not leading; \
                         a reader that has stopped; or no leader",
                    )
                    .fail()
            }
        }
    }

    /// Has an Inc executed; returns the counter's value after it.
    ///
    /// # Panics
    /// If nobody does it within 10 s.
    #[track_caller]
    pub fn inc(&self) -> u64 {
        self.inc_at(&[0, 1, 2])
    }

    /// Has an Inc executed, which must bring the counter to `expected`.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn check_inc(&self, expected: u64) {
        let value = self.inc();
        if value != expected {
            verdict("counter", format!("Inc was answered {value}, and not {expected}"))
                .hint(
                    "a request that was executed twice or not at all, a reply that belongs to \
                     another request (of before a restart?), or a machine that was not restored",
                )
                .fail();
        }
    }

    /// Waits until so many servers show this value: 30 looks, with pauses from 10 ms to 1 s.
    ///
    /// If they do not for 2.27 s (8 looks), a Null is executed: a leader that was elected meanwhile (the machine
    /// may be busy) commits what is of earlier terms only together with something of its own. The Null is not
    /// counted among the test's operations.
    ///
    /// # Panics
    /// If they do not.
    #[track_caller]
    pub fn check_counter(&self, value: u64, servers: usize) {
        let mut pause = Duration::from_millis(10);
        for look in 0..LOOKS {
            if look == NULL_BEFORE {
                self.commit_what_is_old();
            }
            let showing = self.values().into_iter().filter(|(_, shown)| *shown == value).count();
            if showing >= servers {
                return;
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(1));
        }
        let values = self.values();
        let showing = values.iter().filter(|(_, shown)| *shown == value).count();
        let words = format!("only {showing} servers have counted to {value}, and not {servers}");
        let mut broken = verdict("counter", words);
        for (server, shown) in values {
            broken = broken.fact(server, format!("server {server} shows {shown}"));
        }
        broken
            .hint(
                "requests that only the leader executes, that are executed twice or not again after a \
                 restart, or a reader that has stopped",
            )
            .fail()
    }

    /// Has a Null executed, which is no operation of the test.
    fn commit_what_is_old(&self) {
        if self.try_one(&[0, 1, 2], Request::Null).is_some() {
            self.inner.state.with(|state| state.operations -= 1);
        }
    }

    /// What the running servers show.
    fn values(&self) -> Vec<(usize, u64)> {
        let shown = |server: usize| {
            let instance = self.inner.group.instance(server)?;
            Some((server, instance.enter(|slot| slot.counter.value())?))
        };
        (0..SERVERS).filter_map(shown).collect()
    }

    /// Checks that no server has made a snapshot if none is ever due.
    #[track_caller]
    fn check_snapshots(&self) {
        let Inner { group, max_raft_state, .. } = &*self.inner;
        let made = |server: &usize| group.snapshot_size(*server) > 0;
        let who = (0..SERVERS).find(made).filter(|_| max_raft_state.is_none());
        if let Some(server) = who {
            let words = format!("server {server} has made a snapshot, and was never to make one");
            verdict("snapshot size", words)
                .hint("without `max_raft_state` there is no limit to what Raft saves, and nothing is cut")
                .fail();
        }
    }

    /// The most bytes of Raft state that a server has saved.
    pub fn log_size(&self) -> usize {
        (0..SERVERS).map(|server| self.inner.group.state_size(server)).max().unwrap_or(0)
    }

    /// Ends all servers and the network; returns the test's sums.
    ///
    /// # Panics
    /// If a server has made a snapshot although there is no limit from which on one is due.
    #[track_caller]
    pub fn finish(&self) -> Totals {
        let Inner { group, state, .. } = &*self.inner;
        self.check_snapshots();
        let operations = state.with(|state| state.operations);
        let totals = group.net().totals(SERVERS, operations);
        group.run().session().close();
        group.end();
        group.net().cleanup();
        totals
    }
}

/// Checks that a reply can be one to this request.
#[track_caller]
fn check_kind(server: usize, request: Request, reply: Reply) {
    let fits = match request {
        Request::Inc => matches!(reply, Reply::Value(_)),
        Request::Null => reply == Reply::Done,
        // Its execution would have failed the run, so this is the reply to something else.
        Request::Dec => false,
    };
    if !fits {
        let words = format!("server {server} answered {request:?} with {reply:?}");
        verdict("replies", words)
            .hint(
                "the reply to another request, which stands at the index that was promised to this \
                 one: compare who submitted it, not only the index; or one of before a restart, of \
                 the same name",
            )
            .fail();
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("group", &self.inner.group).finish_non_exhaustive()
    }
}
