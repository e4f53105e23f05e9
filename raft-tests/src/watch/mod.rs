//! Watching a run from outside: what is recorded of it, and what must hold at every message.
//!
//! A [`Watch`] is made for each run, outside of its world, so that it is there when the world has
//! failed. The cluster tells it of starts, crashes and the like, and the network of every step of
//! every call. It does two things with that: it records events into the run's [`Session`], and it
//! checks at every message what must hold for any Raft. Nothing here is a step of a simulated run.

pub(crate) mod invariants;
pub(crate) mod message;
mod persister;
mod replication;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ::persister::Persister;
use labrpc::{CallEvent, CallStep, Leg, Loss, Message, Name, Observer};
use labrt::Node;
use labrt::observe::{self, Cause};
use labrt::sync::Leaf;
use labtrace::{Keep, Role, Session, What, verdict};
use persister::Saves;
pub(crate) use persister::WatchedPersister;
use raft_api::Persisted;
use run_record::setting::{Counts, Setting, Trouble};
use run_record::trace;

use invariants::{Seen, Sent};
use message::{Reply, Request};
use replication::Checked;

/// What watches one run of a cluster. Clones are the same watch.
#[derive(Clone)]
pub struct Watch {
    inner: Arc<Inner>,
}

struct Inner {
    session: Session,
    setting: Setting,
    /// How to read what servers have saved, if their Raft says so.
    read_persisted: fn(&[u8]) -> Option<Persisted>,
    state: Leaf<State>,
}

struct State {
    seen: Seen,
    /// Whose end it is: the server, and its instance.
    ends: BTreeMap<Name, (usize, u64)>,
    instances: Vec<u64>,
    saves: Vec<Saves>,
    /// What a server must be by its messages.
    inferred: Vec<(Role, u64)>,
    troubles: Counts,
}

impl Watch {
    /// A watch over a run of so many servers, of which so much is kept.
    pub fn new(
        servers: usize,
        keep: Keep,
        setting: Setting,
        read_persisted: fn(&[u8]) -> Option<Persisted>,
    ) -> Watch {
        let lanes = (0..servers).map(node_name).collect();
        let state = State {
            seen: Seen::new(servers),
            ends: BTreeMap::new(),
            instances: vec![0; servers],
            saves: vec![Saves::default(); servers],
            inferred: vec![(Role::Follower, 0); servers],
            troubles: Counts::default(),
        };
        let session = Session::new(keep, lanes);
        Watch {
            inner: Arc::new(Inner { session, setting, read_persisted, state: Leaf::new(state) }),
        }
    }

    /// What the run is recorded into.
    pub fn session(&self) -> &Session {
        &self.inner.session
    }

    /// What is taken away from the test.
    pub fn setting(&self) -> Setting {
        self.inner.setting
    }

    /// How many troubles of each kind there were.
    pub fn troubles(&self) -> Counts {
        self.inner.state.with(|state| state.troubles)
    }

    /// True if there may be one more trouble of this kind, which is counted then.
    pub(crate) fn may(&self, trouble: Trouble) -> bool {
        let limit = self.inner.setting.limit(trouble).unwrap_or(u64::MAX);
        self.inner.state.with(|state| {
            let count = state.troubles.get(trouble);
            let may = count < limit;
            state.troubles.set(trouble, count + u64::from(may));
            may
        })
    }

    // ---- What the cluster tells ----------------------------------------------------------------

    /// A new instance of a server is about to be made, with these ends. Returns its persister.
    pub(crate) fn starting(
        &self,
        server: usize,
        ends: &[String],
        persister: Arc<dyn Persister>,
    ) -> Arc<dyn Persister> {
        self.inner.state.with(|state| {
            state.instances[server] += 1;
            let instance = state.instances[server];
            state.seen.started(server, instance);
            state
                .ends
                .extend(ends.iter().map(|end| (Name::from(end.as_str()), (server, instance))));
            state.saves[server] = Saves::of(persister.clone());
            state.inferred[server] = (Role::Follower, state.seen.term(server));
        });
        self.record(server, What::Started);
        Arc::new(WatchedPersister::new(persister, self.session().clone(), lane(server)))
    }

    /// A server has crashed: what it does from here on does not count.
    pub(crate) fn crashed(&self, server: usize) {
        self.inner.state.with(|state| state.seen.crashed(server));
        self.record(server, What::Crashed);
    }

    /// Records something about a server.
    pub(crate) fn record(&self, server: usize, what: What) -> Option<Cause> {
        self.session().record(Some(lane(server)), what)
    }

    /// The highest term that each server has shown in its messages.
    pub(crate) fn terms(&self) -> Vec<u64> {
        self.inner.state.with(|state| {
            (0..state.instances.len()).map(|server| state.seen.term(server)).collect()
        })
    }

    /// The network's observer.
    pub(crate) fn observer(&self) -> impl Observer + use<> {
        self.clone()
    }

    // ---- What the network tells ----------------------------------------------------------------

    fn sent(&self, event: &CallEvent<'_>, args: Message<'_>, blocking: bool) -> Option<Cause> {
        let call = event.call;
        let (from, instance) = self.inner.state.with(|state| state.ends.get(event.end).copied())?;
        let to = number(event.server)?;
        let what = || What::Sent {
            call,
            to: lane(to),
            method: event.method.to_string(),
            args: serde_json::Value::Null,
            bytes: args.bytes().len() as u64,
        };
        let cause = self.record_message(from, what, args);
        if blocking {
            check_locks(from, event.method);
        }
        let request = args.peek().map_or(Request::Other, |args| Request::read(event.method, args));
        let inferred = match &request {
            Request::Vote { term, .. } => Some((Role::Candidate, *term)),
            Request::Append(append) => Some((Role::Leader, append.term)),
            Request::Other => None,
        };
        let us = labtrace::now_us();
        let sent = Sent { call, from, instance, to, request };
        self.check("", event, |state| state.seen.sent(sent, us));
        if let Some((role, term)) = inferred {
            self.infer(from, Some(role), term);
        }
        cause
    }

    fn replied(&self, event: &CallEvent<'_>, reply: Message<'_>) -> Option<Cause> {
        let call = event.call;
        let to = number(event.server)?;
        let what = || What::Replied {
            call,
            reply: serde_json::Value::Null,
            bytes: reply.bytes().len() as u64,
        };
        let cause = self.record_message(to, what, reply);
        let reply = reply.peek().map_or(Reply::default(), Reply::read);
        let us = labtrace::now_us();
        let read = self.inner.read_persisted;
        self.check("the reply to ", event, |state| {
            let State { seen, saves, .. } = state;
            seen.replied(call, reply, us, || saves[to].look(read))
        });
        if let Some(term) = reply.term {
            self.infer(to, None, term);
        }
        cause
    }

    fn record_message(
        &self,
        server: usize,
        what: impl FnOnce() -> What,
        message: Message<'_>,
    ) -> Option<Cause> {
        if !self.session().keeps_events() {
            return None;
        }
        let (bytes, shape) = (message.bytes(), message.shape());
        self.session().record_message(Some(lane(server)), what(), bytes, shape)
    }

    /// Fails the run if a rule is broken by a message.
    fn check(&self, which: &str, event: &CallEvent<'_>, rule: impl FnOnce(&mut State) -> Checked) {
        let Err(mut broken) = self.inner.state.with(rule) else { return };
        if observe::is_unwinding() {
            return; // this task has failed already, or its server has
        }
        let from = self.inner.state.with(|state| state.ends.get(event.end).copied());
        if let (Some((from, _)), Some(to)) = (from, number(event.server)) {
            let method = event.method;
            broken.location = Some(format!("{which}{method} from server {from} to server {to}"));
        }
        labtrace::fail(*broken);
    }

    /// What keeps the cluster from agreement, as far as messages show it.
    pub(crate) fn obstacles(&self) -> Vec<labtrace::Fact> {
        self.inner.state.with(|state| state.seen.obstacles())
    }

    /// The entries that have been sent as those of an index, as facts of a verdict.
    pub(crate) fn entries_sent(&self, index: u64) -> Vec<labtrace::Fact> {
        self.inner.state.with(|state| state.seen.entries_sent(index))
    }

    /// Records what a server must be by its messages, if it does not say so itself. Without a role,
    /// a later term than it was known in makes it a follower.
    fn infer(&self, server: usize, role: Option<Role>, term: u64) {
        if !self.session().keeps_events() || self.session().knows_state_of(lane(server)) {
            return;
        }
        let changed = self.inner.state.with(|state| {
            let known = &mut state.inferred[server];
            let new = match role {
                Some(role) => (role, term),
                None if term > known.1 => (Role::Follower, term),
                None => *known,
            };
            let changed = new.1 >= known.1 && new != *known;
            if changed {
                *known = new;
            }
            changed.then_some(new)
        });
        if let Some((role, term)) = changed {
            self.record(server, What::Inferred { role, term });
        }
    }

    fn trouble(&self, trouble: Trouble) {
        self.inner.state.with(|state| {
            state.troubles.set(trouble, state.troubles.get(trouble) + 1);
        });
    }
}

impl Observer for Watch {
    fn observe(&self, event: &CallEvent<'_>) -> Option<Cause> {
        let call = event.call;
        let from = || Some(self.inner.state.with(|state| state.ends.get(event.end).copied())?.0);
        let session = self.session();
        let at = |server: Option<usize>, what| session.record(server.map(lane), what);
        match event.step {
            CallStep::Sent { args, blocking } => self.sent(event, args, blocking),
            CallStep::Replied(reply) => self.replied(event, reply),
            CallStep::Delivered => {
                self.inner.state.with(|state| state.seen.delivered(call));
                at(number(event.server), What::Delivered { call })
            }
            CallStep::Delayed(by) => {
                if by > Duration::ZERO {
                    self.trouble(Trouble::Delays);
                }
                at(from(), What::Delayed { call, by_us: micros(by) })
            }
            CallStep::Late(by) => {
                self.trouble(Trouble::Reorders);
                at(number(event.server), What::Late { call, by_us: micros(by) })
            }
            CallStep::Lost { leg, why, fails_after } => {
                if why == Loss::Dropped {
                    self.trouble(Trouble::Losses);
                }
                let server = if leg == Leg::Request { from() } else { number(event.server) };
                at(server, lost(call, leg, why, fails_after))
            }
            CallStep::Returned => {
                self.inner.state.with(|state| state.seen.over(call, false));
                at(from(), What::Returned { call })
            }
            CallStep::Failed => {
                self.inner.state.with(|state| state.seen.over(call, true));
                at(from(), What::Failed { call })
            }
            _ => None,
        }
    }
}

fn lost(call: u64, leg: Leg, why: Loss, fails_after: Duration) -> What {
    let leg = match leg {
        Leg::Request => trace::Leg::Request,
        Leg::Reply => trace::Leg::Reply,
    };
    let why = match why {
        Loss::Dropped => trace::Loss::Dropped,
        Loss::Disabled => trace::Loss::Disconnected,
        Loss::NoServer => trace::Loss::NoServer,
        Loss::Gone => trace::Loss::Gone,
        Loss::CleanedUp => trace::Loss::Ended,
        _ => trace::Loss::Unanswered,
    };
    What::Lost { call, leg, why, fails_us: micros(fails_after) }
}

/// No RPC while holding a lock (the lab's rule): a peer that is away takes 7 s to fail.
fn check_locks(server: usize, method: &str) {
    let held = observe::held_locks();
    let Some(first) = held.first() else { return };
    let in_a_server = Node::current().is_some_and(|node| node.name() == node_name(server));
    if !in_a_server || observe::is_unwinding() {
        return;
    }
    verdict(
        "RPC while holding a lock",
        format!("server {server} waits for {method} with a lock held"),
    )
    .at(format!("a call of {method}"))
    .fact(server, format!("the lock was taken at {first}"))
    .hint(
        "a call may take 7 s; until then nobody gets the lock, and two servers that call each \
             other so wait for each other: copy what the call needs, release the lock, then call",
    )
    .fail();
}

/// The name of a server's node, which is also that of its lane.
pub(crate) fn node_name(server: usize) -> String {
    format!("server {server}")
}

pub(crate) fn lane(server: usize) -> u32 {
    u32::try_from(server).expect("a cluster has few servers")
}

/// The server that goes by this name on the network.
fn number(name: Option<&Name>) -> Option<usize> {
    name?.to_string().parse().ok()
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
