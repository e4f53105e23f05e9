//! Watching a run from outside: what is recorded of it, and what must hold at every message.
//!
//! A [`Watch`] sees one group of servers, each with a Raft in it: a cluster of lab 2, or the servers
//! below a service. It is told by its [`Group`] of starts, crashes and every step of
//! every call between them, and by whoever sees it of accepted commands and applied entries. It checks
//! what must hold for any Raft, and tells the run's session what servers must be by their messages.
//! Nothing here is a step of a simulated run.
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
//!    what is committed: what some leader had on a majority with an entry of its own term, or on all.
//!    `settled`: what leaders have said to be so.
//!
//! A snapshot takes the place of entries. To who gets one it says that they are committed, and that its
//! log is the leader's up to there; to those who look on it shows the leader's entry at its end. So all
//! rules go on across a snapshot. That a follower has taken one promises nothing, since nothing depends on
//! it: what is in it was committed before.
//!
//! # The rules
//!
//! | file | rules | what they need |
//! |---|---|---|
//! | `terms` | term, stale request | the messages' terms |
//! | `votes` | one vote a term, election restriction | RequestVote and its replies; AppendEntries |
//! | `elections` | Election Safety, elected by a majority | RequestVote and its replies; AppendEntries |
//! | `elections` | saved before counted: the vote by which a server leads | the same; `read_persisted` |
//! | `standing` | a follower stands for election | RequestVote and its replies; no other calls |
//! | `standing` | a follower that hears its leader waits | the same; AppendEntries and its replies |
//! | `matching` | Log Matching, a leader's log | AppendEntries with terms (and commands) |
//! | `commitment` | committed by a majority, applied when committed, when told | all of AppendEntries and its replies, and no other calls |
//! | `commitment` | saved before counted: an entry that a leader itself is needed for | the same; `read_persisted` |
//! | `settled` | Leader Completeness | the same; `leaderCommit` |
//! | `snapshots` | snapshots of what is committed, a snapshot's last entry, snapshots sent again | the same; InstallSnapshot |
//! | `bases` | snapshots do not go back, state and snapshot belong together | `read_persisted` |
//! | `bases` | a snapshot is saved | `read_persisted`; that the service tells of its snapshots |
//! | `following` | stale requests, accepted after a look, accepted entries stay, a candidate follows | the same |
//! | `saved` | saved before answered, a saved log | `read_persisted` |
//! | `second` | promises survive a crash (votes, entries, terms) | RequestVote, or AppendEntries, and their replies; the simulated clock |
//! | `heartbeats` | heartbeats | AppendEntries |
//! | `heartbeats` | a newer term is taken over | AppendEntries, RequestVote |
//! | `resends` | refused entries | AppendEntries and its replies |
//! | `locks` | no RPC with a lock held | the simulated clock |
//!
//! Two refusals are no rule. An AppendEntries or InstallSnapshot that is refused in a term lower than the request's: a
//! server that is busy, or holds on to a leader of its own, may say so once and be right, and what it says next it says
//! to another request. And a vote that is refused though the server is free and the candidate's log up to date: that is
//! told as a fact when nobody is elected.
//!
//! An answer that is given again, byte for byte, to a request that is sent again is not judged again (`retries`).
//!
//! Each accuses nobody of what may still be under way, and names the server at fault at the moment of
//! the fault. Where a later term may have changed it all without a word, a suspicion waits for proof.
//! If nothing happens at all, `obstacles` tells what is known to stand in the way.
//!
//! `situations` is no rule: it counts what the run comes into, such as a split vote, so that a suite can be
//! asked what it never tries.
//!
//! # What it costs
//!
//! Some fifth of a run. Most entries have been seen before and are compared as encoded bytes; what
//! concerns one server is found without a look at the calls of the others. Only what is saved is dear
//! to read (`persister`): it is read again when something was saved since, and then for sure if a
//! server promises something new without having saved anything for it; else as often as it costs
//! little. A second server costs some 0.2 ms of CPU, for its tasks are made and ended; `second` says
//! when there is one.
//!
//! # What is missing
//!
//! A call that is neither of Figure 2 nor InstallSnapshot nor TimeoutNow switches off what it could change; one without
//! any fields can only tell a server to stand for election. Entries that
//! are packed into bytes are not read; their Raft can read them out in `read_message`. Replies that are calls of their own are not understood. Each test says so.

mod any;
mod bases;
mod calls;
mod commitment;
mod digest;
mod elections;
mod evidence;
mod following;
#[cfg(test)]
mod habits;
mod heartbeats;
mod judge;
mod locks;
mod log;
mod matching;
mod observer;
mod obstacles;
mod persister;
mod reigns;
mod resends;
mod retries;
mod saved;
mod second;
mod settled;
mod situations;
mod slow;
mod snapshots;
mod standing;
mod terms;
#[cfg(test)]
mod tests;
mod understanding;
mod votes;

use std::sync::Arc;
use std::time::Duration;

use labrt::sync::Leaf;
use labtrace::{Role, Session};
use persister::Saves;
use raft_api::Started;
use tester::{Group, Members, Server};

pub use any::{AnyRaft, AnyServer, RaftType};
pub use bases::{Began, SentSnapshot};
use judge::{Checked, Judge};
use locks::SendersLocks;
pub use log::{Bookmark, SentEntry};
pub use obstacles::of_several;
use retries::Retries;
use second::Second;
use situations::Spotter;
use understanding::{Part, Place, Understanding};

/// What watches one group of servers. Clones are the same watch.
#[derive(Clone)]
pub struct Watch {
    inner: Arc<Inner>,
}

struct Inner {
    session: Session,
    members: Members,
    /// How to read what servers have saved, if their Raft says so.
    reading: persister::Reading,
    senders_locks: SendersLocks,
    state: Leaf<State>,
}

struct State {
    understanding: Understanding,
    judge: Judge,
    spotter: Spotter,
    second: Second,
    retries: Retries,
    saves: Vec<Saves>,
    /// What a server must be by its messages.
    inferred: Vec<(Role, u64)>,
    /// How many reasons not to judge the trace has been told.
    told: usize,
}

impl Watch {
    /// A watch of a group with a Raft of this type in each server, from now on. None may have been
    /// started yet.
    ///
    /// # Panics
    /// If the group is watched already.
    pub fn of(raft: RaftType, group: &Group<impl Server>) -> Watch {
        let servers = group.servers();
        let state = State {
            understanding: Understanding::new(raft.read_message),
            judge: Judge::new(servers),
            spotter: Spotter::new(servers, group.run().wants_coverage()),
            second: Second::of(raft, servers),
            retries: Retries::new(servers),
            saves: vec![Saves::none(); servers],
            inferred: vec![(Role::Follower, 0); servers],
            told: 0,
        };
        let inner = Inner {
            session: group.run().session().clone(),
            members: group.members().clone(),
            reading: persister::Reading::of(raft),
            senders_locks: SendersLocks::default(),
            state: Leaf::new(state),
        };
        let watch = Watch { inner: Arc::new(inner) };
        group.watch(Arc::new(watch.clone()));
        watch
    }

    fn session(&self) -> &Session {
        &self.inner.session
    }

    // ---- What the tester tells -----------------------------------------------------------------

    /// From now on all that servers apply is told ([`applied`](Watch::applied)), so that what is not told was
    /// not applied. Of a service nobody knows that.
    pub fn hears_what_is_applied(&self) {
        self.inner.state.with(|state| state.judge.hears_applied = true);
    }

    /// A command is about to be offered to a server. The number is for [`offered`](Watch::offered).
    pub fn offering(&self, server: usize) -> u64 {
        self.inner.state.with(|state| state.judge.offering(server, labtrace::now_us()))
    }

    /// The `start` that [`offering`](Watch::offering) was about has returned.
    pub fn offered(&self, start: u64) {
        self.inner.state.with(|state| state.judge.offered(start));
    }

    /// A server has accepted a command.
    ///
    /// # Panics
    /// If a rule is broken by that; so do [`applied`](Watch::applied) and what the network tells.
    pub fn accepted(&self, server: usize, started: Started) {
        let checked = self.inner.state.with(|state| {
            let us = labtrace::now_us();
            state.spotter.accepted(server, started.index, started.term);
            state.judge.accepts(server, started, us, state.understanding.missing())
        });
        self.fail_if_broken(checked, || format!("`start` of server {server}"));
    }

    /// A server has applied an entry, or a snapshot of all up to this index that its Raft has handed
    /// over.
    ///
    /// # Panics
    /// If a rule is broken by that.
    pub fn applied(&self, server: usize, index: u64) {
        let checked = self.inner.state.with(|state| {
            let us = labtrace::now_us();
            state.judge.applies(server, index, us, state.understanding.missing())
        });
        self.fail_if_broken(checked, || format!("what server {server} applies"));
    }

    /// A server has handed its service a snapshot that a leader has sent, with this index and term (part 2D).
    ///
    /// # Panics
    /// If the entry there is known to be of another term.
    pub fn hands_over(&self, server: usize, index: u64, term: u64) {
        let checked = self.inner.state.with(|state| {
            let us = labtrace::now_us();
            let handed = Place { index, term };
            state.judge.check_handed_over(server, handed, us, state.understanding.missing())
        });
        self.fail_if_broken(checked, || format!("what server {server} applies"));
    }

    /// The service of a server is about to give it a snapshot of all up to an index (part 2D).
    pub fn gives_snapshot(&self, server: usize, index: u64, snapshot: &[u8]) {
        self.inner.state.with(|state| {
            state.spotter.snapshot(server, index);
            state.judge.given(server, index, snapshot, labtrace::now_us());
        });
    }

    /// The service of a server that has just been started begins with the snapshot of this index, which
    /// it has read from the persister.
    pub fn restored(&self, server: usize, index: u64) {
        self.inner.state.with(|state| {
            state.spotter.snapshot(server, index);
            state.judge.restored(server, index);
        });
    }

    /// The stored snapshot with which the instance of a server began that runs, unless a leader has sent it a
    /// later one since.
    pub fn began(&self, server: usize) -> Option<Began> {
        self.inner.state.with(|state| state.judge.servers[server].began)
    }

    /// The snapshot with the last index of those that a leader has sent to the instance of a server that runs.
    pub fn sent_snapshot(&self, server: usize) -> Option<SentSnapshot> {
        self.inner.state.with(|state| state.judge.servers[server].was_offered)
    }

    fn fail_if_broken(&self, checked: Checked, place: impl FnOnce() -> String) {
        if let Err(mut broken) = checked {
            broken.location = Some(place());
            self.inner.members.fail(*broken);
        }
    }

    // ---- What is asked -------------------------------------------------------------------------

    /// Whether a server is paused, or was at some time since this moment of the run in microseconds.
    pub fn was_paused(&self, server: usize, since_us: u64) -> bool {
        self.inner.state.with(|state| {
            let server = &state.judge.servers[server];
            server.paused || server.resumed_us.is_some_and(|resumed| resumed >= since_us)
        })
    }

    /// The highest term that each server has shown in its messages; none if they are not understood.
    pub fn terms(&self) -> Option<Vec<u64>> {
        self.inner.state.with(|state| {
            let missing = state.understanding.missing();
            let blind = [Part::Votes, Part::Appends, Part::Others];
            let understood = !blind.into_iter().any(|part| missing.lacks(part));
            let terms = (0..state.saves.len()).map(|server| state.judge.term(server));
            understood.then(|| terms.collect())
        })
    }

    /// When a server first asked for votes in this term, in microseconds of the run; none if nobody has seen it do so.
    pub fn stood_us(&self, server: usize, term: u64) -> Option<u64> {
        self.inner.state.with(|state| state.judge.elections.stood_us(server, term))
    }

    /// The latest term that is known to have, or to have had, a leader; 0 if none is.
    pub fn latest_led(&self) -> u64 {
        self.inner.state.with(|state| state.judge.elections.latest_led())
    }

    /// True if a server leads, as far as messages have told it, while another one leads a later term.
    pub fn is_deposed(&self, server: usize) -> bool {
        self.inner.state.with(|state| state.spotter.is_deposed(server))
    }

    /// What keeps the cluster from agreement, as far as messages show it.
    pub fn obstacles(&self) -> Vec<labtrace::Fact> {
        let us = labtrace::now_us();
        let (members, long) = (&self.inner.members, Duration::from_micros(obstacles::LONG_US));
        let waits: Vec<_> = (0..members.count())
            .map(|server| labrt::observe::waits_of(&members.node_name(server), long))
            .collect();
        self.obstacles_at(us, &waits)
    }

    fn obstacles_at(&self, us: u64, waits: &[Vec<String>]) -> Vec<labtrace::Fact> {
        self.inner
            .state
            .with(|state| state.judge.obstacles(us, state.understanding.missing(), waits))
    }

    /// The entries that have been sent as those of an index, as facts of a verdict.
    pub fn entries_sent(&self, index: u64) -> Vec<labtrace::Fact> {
        self.inner.state.with(|state| state.judge.entries_sent(index))
    }
}
