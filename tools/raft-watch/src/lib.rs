//! Watching a run from outside: what is recorded of it, and what must hold at every message.
//!
//! A [`Watch`] is made for each run, outside of its world, so that it is there when the world has
//! failed. The cluster tells it of starts, crashes, offered commands and applied entries, and the
//! network of every step of every call (`observer`). It does two things with that: it records events
//! into the run's [`Session`], and it checks what must hold for any Raft. Nothing here is a step of a
//! simulated run.
//!
//! # What is known, and from what
//!
//! 1. `understanding`: what a message says, by the names of its fields or by what the Raft itself
//!    makes of it. What is not understood switches off the rules that need it, for the whole run, and
//!    each test says so.
//! 2. `evidence`: what each server has promised, and what has reached it. Only promises count: a
//!    refusal may send the request's own term back, the answer to a pre-vote promises nothing, and a
//!    request that was prepared in an earlier term may well leave later. What a follower's log holds is
//!    known from its last acceptance until something reaches it that could cut it off.
//! 3. `reigns`: each leader's log as far as it has shown it, who has accepted it up to where, and so
//!    what is committed: what some leader had on a majority with an entry of its own term.
//!
//! # The rules
//!
//! | file | rules | what they need |
//! |---|---|---|
//! | `terms` | term, stale request | the messages' terms |
//! | `votes` | one vote a term, election restriction | RequestVote and its replies; AppendEntries |
//! | `elections` | Election Safety, elected by a majority | RequestVote and its replies; AppendEntries |
//! | `matching` | Log Matching, a leader's log | AppendEntries with terms (and commands) |
//! | `commitment` | committed by a majority, applied when committed, when told | all of AppendEntries and its replies, and no other calls |
//! | `following` | stale requests, accepted after a look, accepted entries stay | the same |
//! | `saved` | saved before answered | `read_persisted` |
//! | `heartbeats` | heartbeats, a newer term is taken over | AppendEntries |
//! | `locks` | no RPC with a lock held | the simulated clock |
//!
//! Each accuses nobody of what may still be under way, and names the server at fault at the moment of
//! the fault. Where a later term may have changed it all without a word, a suspicion waits for proof.
//! If nothing happens at all, `obstacles` tells what is known to stand in the way.
//!
//! # What is missing
//!
//! Snapshots: a call that is not of Figure 2, such as InstallSnapshot, switches off what it could
//! change. Entries that are packed into bytes are not read; their Raft can read them out in
//! `read_message`. Replies that are calls of their own are not understood.

mod commitment;
mod elections;
mod evidence;
mod following;
mod heartbeats;
mod judge;
mod locks;
mod matching;
mod observer;
mod obstacles;
mod persister;
mod reigns;
mod saved;
mod terms;
mod understanding;
mod votes;

use std::collections::BTreeMap;
use std::sync::Arc;

use ::persister::Persister;
use labrpc::{Name, Observer};
use labrt::observe::Cause;
use labrt::sync::Leaf;
use labtrace::{Keep, Role, Session, What};
use persister::Saves;
use persister::WatchedPersister;
use raft_api::{Persisted, Raft, Started};
use run_record::setting::{Counts, Setting, Trouble};

use judge::{Checked, Judge};
pub use obstacles::of_several;
use understanding::{Part, Understanding};

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
    understanding: Understanding,
    judge: Judge,
    /// Whose end it is: the server, and its instance.
    ends: BTreeMap<Name, (usize, u64)>,
    instances: Vec<u64>,
    saves: Vec<Saves>,
    /// What a server must be by its messages.
    inferred: Vec<(Role, u64)>,
    troubles: Counts,
    /// How many reasons not to judge the trace has been told.
    told: usize,
}

impl Watch {
    /// A watch over a run of so many servers of this Raft, of which so much is kept.
    pub fn of<R: Raft>(servers: usize, keep: Keep, setting: Setting) -> Watch {
        let lanes = (0..servers).map(node_name).collect();
        let state = State {
            understanding: Understanding::new(R::read_message),
            judge: Judge::new(servers),
            ends: BTreeMap::new(),
            instances: vec![0; servers],
            saves: vec![Saves::default(); servers],
            inferred: vec![(Role::Follower, 0); servers],
            troubles: Counts::default(),
            told: 0,
        };
        let (session, read_persisted) = (Session::new(keep, lanes), R::read_persisted);
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

    /// Which rules could not be judged, and why, in a sentence for each reason.
    pub fn not_judged(&self) -> Vec<String> {
        self.inner.state.with(|state| {
            let mut missing = state.understanding.missing().clone();
            if !state.judge.has_seen_append() && !missing.lacks(Part::Appends) {
                missing.note(Part::Appends, "no AppendEntries was seen".to_string());
            }
            missing.sentences()
        })
    }

    /// True if there may be one more trouble of this kind, which is counted then.
    pub fn may(&self, trouble: Trouble) -> bool {
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
    pub fn starting(
        &self,
        server: usize,
        ends: &[String],
        persister: Arc<dyn Persister>,
    ) -> Arc<dyn Persister> {
        self.inner.state.with(|state| {
            state.instances[server] += 1;
            let instance = state.instances[server];
            state.judge.started(server, instance);
            state
                .ends
                .extend(ends.iter().map(|end| (Name::from(end.as_str()), (server, instance))));
            state.saves[server] = Saves::of(persister.clone());
            state.inferred[server] = (Role::Follower, state.judge.term(server));
        });
        self.record(server, What::Started);
        Arc::new(WatchedPersister::new(persister, self.session().clone(), lane(server)))
    }

    /// A server has crashed: what it does from here on does not count.
    pub fn crashed(&self, server: usize) {
        self.inner.state.with(|state| state.judge.crashed(server));
        self.record(server, What::Crashed);
    }

    /// A command is about to be offered to a server.
    pub fn offering(&self) {
        self.inner.state.with(|state| state.judge.offering());
    }

    /// A server has accepted a command.
    ///
    /// # Panics
    /// If a rule is broken by that; so do [`applied`](Watch::applied) and what the network tells.
    pub fn accepted(&self, server: usize, started: Started) {
        let us = labtrace::now_us();
        let checked = self
            .inner
            .state
            .with(|state| state.judge.accepts(server, started, us, state.understanding.missing()));
        self.fail_if_broken(checked, || format!("`start` of server {server}"));
    }

    /// A server has applied an entry.
    ///
    /// # Panics
    /// If a rule is broken by that.
    pub fn applied(&self, server: usize, index: u64) {
        let us = labtrace::now_us();
        let checked = self
            .inner
            .state
            .with(|state| state.judge.applies(server, index, us, state.understanding.missing()));
        self.fail_if_broken(checked, || format!("what server {server} applies"));
    }

    fn fail_if_broken(&self, checked: Checked, place: impl FnOnce() -> String) {
        if let Err(mut broken) = checked {
            broken.location = Some(place());
            labtrace::fail(*broken);
        }
    }

    /// Records something about a server.
    pub fn record(&self, server: usize, what: What) -> Option<Cause> {
        self.session().record(Some(lane(server)), what)
    }

    // ---- What is asked -------------------------------------------------------------------------

    /// The highest term that each server has shown in its messages; none if they are not understood.
    pub fn terms(&self) -> Option<Vec<u64>> {
        self.inner.state.with(|state| {
            let missing = state.understanding.missing();
            let blind = [Part::Votes, Part::Appends, Part::Others];
            let understood = !blind.into_iter().any(|part| missing.lacks(part));
            let terms = (0..state.instances.len()).map(|server| state.judge.term(server));
            understood.then(|| terms.collect())
        })
    }

    /// What keeps the cluster from agreement, as far as messages show it.
    pub fn obstacles(&self) -> Vec<labtrace::Fact> {
        let us = labtrace::now_us();
        self.inner.state.with(|state| state.judge.obstacles(us, state.understanding.missing()))
    }

    /// The entries that have been sent as those of an index, as facts of a verdict.
    pub fn entries_sent(&self, index: u64) -> Vec<labtrace::Fact> {
        self.inner.state.with(|state| state.judge.entries_sent(index))
    }

    /// The network's observer.
    pub fn observer(&self) -> impl Observer + use<> {
        self.clone()
    }
}

/// The name of a server's node, which is also that of its lane.
pub fn node_name(server: usize) -> String {
    format!("server {server}")
}

pub(crate) fn lane(server: usize) -> u32 {
    u32::try_from(server).expect("a cluster has few servers")
}
