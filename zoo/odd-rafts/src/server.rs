//! One server: its state, and the rules of Figure 2 for it.
//!
//! Nothing here blocks, sends or reads a clock: a driver brings requests, replies and the time, and
//! takes away what is to be saved, sent and applied. Where a habit makes a difference, the code says
//! `habits.` and its name.

use std::collections::BTreeSet;
use std::time::Duration;

use labrt::rng::{RngExt, Stream};
use labrt::time::Instant;
use raft_api::{ApplyMsg, Bytes, RaftState, Started};

use crate::durable::Durable;
use crate::habits::Habits;
use crate::message::{Entry, Reply, Request};

mod after_restart;
mod election;
mod follower;
mod leader;
mod progress;
#[cfg(test)]
mod snapshot_tests;
mod snapshots;
#[cfg(test)]
mod tests;
mod transfer;

use progress::Progress;
use snapshots::Parts;
use transfer::Transfer;

/// Fewer than ten heartbeats a second.
const HEARTBEAT: Duration = Duration::from_millis(110);

/// Election timeouts in ms: some heartbeats, and well within the 5 s of the lab.
const ELECTION: std::ops::RangeInclusive<u64> = 350..=650;

/// How long a server that has heard a leader keeps to it, with some habits.
const LEADER_HEARD: Duration = Duration::from_millis(*ELECTION.start());

/// How long a command waits for others that can be sent with it.
const BATCH: Duration = Duration::from_millis(5);

/// How long the disk takes with the habit `parallel_disk_write`: longer than the entries take to the
/// followers, so that these often have them first.
const SLOW_DISK: Duration = Duration::from_millis(25);

/// Everything about one server that changes.
pub(crate) struct Server {
    me: usize,
    servers: usize,
    habits: Habits,
    durable: Durable,
    /// The snapshot that goes with it; empty without one.
    snapshot: Bytes,
    /// The snapshot is not saved yet.
    snapshot_unsaved: bool,
    /// What has come of a snapshot in parts.
    parts: Option<Parts>,
    /// A snapshot that the service is to get before anything else.
    installed: Option<ApplyMsg>,
    role: Role,
    commit: u64,
    /// Up to which index entries were handed to the service, and how many commands there were.
    handed: u64,
    commands: u64,
    /// Up to which index the log is saved.
    saved_upto: u64,
    unsaved: bool,
    /// When a leader saves entries of its own that it has sent before.
    save_at: Option<Instant>,
    leader_heard: Option<Instant>,
    /// What was accepted last: in which term, and up to which index.
    handled: (u64, u64),
    election_at: Instant,
    /// A leader has asked this server to stand for election.
    asked_to_stand: bool,
    rng: Stream,
}

enum Role {
    Follower,
    /// It asks whether it could win the next term, and these servers have said yes.
    PreCandidate(BTreeSet<usize>),
    Candidate(BTreeSet<usize>),
    Leader(Reign),
}

/// What only a leader keeps.
struct Reign {
    /// What each server has, and what is on its way to it. The leader's own place is not used.
    followers: Vec<Progress>,
    /// When it looks next whether a majority is still there.
    quorum_check_at: Instant,
    /// With the habit `leadership_transfer`, until it has asked somebody to take over.
    transfer: Option<Transfer>,
}

impl Server {
    pub(crate) fn new(
        (me, servers): (usize, usize),
        habits: Habits,
        durable: Durable,
        now: Instant,
        rng: Stream,
    ) -> Server {
        let saved_commit = if habits.commit_persisted { durable.commit } else { 0 };
        let mut server = Server {
            me,
            servers,
            habits,
            snapshot: Bytes::new(),
            snapshot_unsaved: false,
            parts: None,
            installed: None,
            role: Role::Follower,
            commit: durable.covered.index.max(saved_commit),
            handed: durable.covered.index,
            commands: durable.covered.commands,
            saved_upto: durable.log.last_index(),
            durable,
            unsaved: false,
            save_at: None,
            leader_heard: None,
            handled: (0, 0),
            election_at: now,
            asked_to_stand: false,
            rng,
        };
        server.reset_election_timer(now);
        server
    }

    // ---- What a driver brings ------------------------------------------------------------------

    pub(crate) fn request(&mut self, request: &Request, now: Instant) -> Reply {
        match request {
            Request::Vote(vote) => Reply::Vote(self.vote_request(vote, now)),
            Request::Append(append) => Reply::Append(self.append_request(append, now)),
            Request::Install(install) => Reply::Install(self.install_request(install, now)),
            Request::TimeoutNow(asked) => Reply::TimeoutNow(self.timeout_now(*asked, now)),
        }
    }

    pub(crate) fn reply(&mut self, from: usize, reply: &Reply, now: Instant) {
        match reply {
            Reply::Vote(vote) => self.vote_reply(from, vote, now),
            Reply::Append(append) => self.append_reply(from, append, now),
            Reply::Install(install) => self.install_reply(from, install, now),
            Reply::TimeoutNow(reply) => self.see_term(reply.term, now),
        }
    }

    /// Does what is due by now, but for what a leader sends: for that see
    /// [`request_if_due`](Server::request_if_due). Returns what is to be sent, and to whom.
    pub(crate) fn tick(&mut self, now: Instant) -> Vec<(usize, Request)> {
        if self.save_at.is_some_and(|at| at <= now) {
            self.unsaved = true;
        }
        match &self.role {
            Role::Leader(_) => self.check_quorum(now),
            _ if now >= self.election_at => return self.campaign(now),
            _ => {}
        }
        Vec::new()
    }

    /// When [`tick`](Server::tick) has something to do; perhaps never.
    pub(crate) fn tick_at(&self) -> Option<Instant> {
        let timer = match &self.role {
            Role::Leader(reign) => self.habits.check_quorum.then_some(reign.quorum_check_at),
            _ => Some(self.election_at),
        };
        timer.into_iter().chain(self.save_at).min()
    }

    /// Rules for leaders: "If command received from client: append entry to local log."
    pub(crate) fn start(&mut self, command: Bytes, now: Instant) -> Option<Started> {
        if !matches!(self.role, Role::Leader(_)) {
            return None;
        }
        let noop = self.habits.noop && command.is_empty();
        assert!(
            !noop,
            "with the habit `noop` a command without a byte would not reach the service"
        );
        self.append_own(command, now);
        self.send_soon(now);
        let index = self.commands_upto(self.durable.log.last_index());
        Some(Started { index, term: self.durable.term })
    }

    pub(crate) fn state(&self) -> RaftState {
        RaftState { term: self.durable.term, is_leader: matches!(self.role, Role::Leader(_)) }
    }

    // ---- What a driver takes away --------------------------------------------------------------

    /// What must be saved before anything else is said.
    pub(crate) fn unsaved(&self) -> Option<&Durable> {
        self.unsaved.then_some(&self.durable)
    }

    /// The snapshot that must be saved together with it, if that has changed.
    pub(crate) fn unsaved_snapshot(&self) -> Option<&Bytes> {
        self.snapshot_unsaved.then_some(&self.snapshot)
    }

    /// That was saved.
    pub(crate) fn saved(&mut self) {
        (self.unsaved, self.snapshot_unsaved) = (false, false);
        self.save_at = None;
        self.saved_upto = self.durable.log.last_index();
        self.advance_commit();
    }

    /// Rules for all servers: "If commitIndex > lastApplied: increment lastApplied, apply
    /// log[lastApplied] to state machine."
    pub(crate) fn take_committed(&mut self) -> Vec<ApplyMsg> {
        let entries = self.durable.log.after(self.handed, self.commit - self.handed).to_vec();
        self.handed = self.commit;
        let commands = entries.into_iter().filter(|entry| !self.is_noop(entry));
        let messages: Vec<_> = (self.commands + 1..)
            .zip(commands)
            .map(|(index, Entry { command, .. })| ApplyMsg::Command { index, command })
            .collect();
        self.commands += messages.len() as u64;
        self.installed.take().into_iter().chain(messages).collect()
    }

    // ---- What all roles share ------------------------------------------------------------------

    /// Rules for all servers: "If RPC request or response contains term T > currentTerm: set
    /// currentTerm = T, convert to follower."
    fn see_term(&mut self, term: u64, now: Instant) {
        if term > self.durable.term {
            self.durable.term = term;
            self.durable.voted_for = None;
            self.unsaved = true;
            self.leader_heard = None;
            self.follow(now);
        }
    }

    fn follow(&mut self, now: Instant) {
        if matches!(self.role, Role::Leader(_)) {
            // A leader does not keep this timer.
            self.reset_election_timer(now);
        }
        self.role = Role::Follower;
    }

    fn reset_election_timer(&mut self, now: Instant) {
        self.asked_to_stand = false;
        self.election_at = now + Duration::from_millis(self.rng.random_range(ELECTION));
    }

    fn commit_upto(&mut self, index: u64) {
        if index > self.commit {
            self.commit = index;
            if self.habits.commit_persisted {
                self.durable.commit = index;
                self.unsaved = true;
            }
        }
    }

    fn is_majority(&self, servers: usize) -> bool {
        servers > self.servers / 2
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let me = self.me;
        (0..self.servers).filter(move |server| *server != me)
    }

    fn is_noop(&self, entry: &Entry) -> bool {
        self.habits.noop && entry.command.is_empty()
    }

    /// How many of the entries up to an index are the service's.
    fn commands_upto(&self, index: u64) -> u64 {
        match self.habits.noop {
            true => {
                let log = &self.durable.log;
                let base = log.base().index;
                let entries = log.after(base, index - base).iter();
                let commands = entries.filter(|entry| !self.is_noop(entry)).count() as u64;
                self.durable.commands_forgotten + commands
            }
            false => index,
        }
    }
}
