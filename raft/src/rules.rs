//! The rules of Raft: a server as a pure function from events to effects.
//!
//! [`Core`] is what Figure 2 of the paper calls the state of a server. It has a method for each
//! event: a timeout, a request, a reply, a command. Calling one changes the state and adds to the
//! [`Output`] what is to be done about it; nothing here does anything itself. After as many events
//! as it likes the caller has the core send what followers lack ([`Core::replicate`]), takes the
//! output ([`Core::take_output`]) and performs it in this order:
//!
//! 1. save what changed ([`Output::unsaved`]);
//! 2. answer the requests handled since the last output, and the reads ([`Output::reads`]);
//! 3. send the new requests ([`Output::requests`]);
//! 4. hand the service a new snapshot ([`Output::installed`]), then apply what was committed
//!    ([`Output::committed`]).
//!
//! Where each rule of Figures 2 and 13 stands:
//!
//! | Figure 2 | here |
//! |---|---|
//! | State | [`Core`] and [`Role`] |
//! | RequestVote RPC, receiver 1 and 2 | [`Core::request_vote`] |
//! | AppendEntries RPC, receiver 1 to 5 | [`Core::append_entries`] |
//! | Rules, all servers: newer term | `Core::see_term` |
//! | Rules, followers and candidates: timeouts | [`Core::election_timeout`] |
//! | Rules, candidates: votes | [`Core::vote_reply`] |
//! | Rules, leaders: heartbeats | [`Core::heartbeat_timeout`] |
//! | Rules, leaders: commands | [`Core::propose`], [`Core::replicate`] |
//! | Rules, leaders: replies | [`Core::append_reply`] |
//! | Rules, leaders: commit | `Core::advance_commit` |
//! | **Figure 13** | |
//! | InstallSnapshot RPC, receiver 1 to 8 | [`Core::install_snapshot`] |
//! | (section 7) the service takes a snapshot | [`Core::take_snapshot`] |
//! | (section 7) a follower lacks what was forgotten | `Progress::note_conflict`, [`Core::replicate`] |
//! | (section 7) replies | [`Core::install_reply`] |
//! | **Section 8** | |
//! | reads without a log entry | [`Core::read`], [`Core::confirm_leader`], [`Core::confirm_reply`] |
//!
//! A message from outside is checked before it is believed: one that names a server that is not of
//! the cluster, contradicts what no correct peer can contradict, or claims a term that cannot have
//! come about ([`MAX_LEAP`]), is refused and changes nothing. After each event the core checks its
//! own promises ([`invariants`]) and panics if it broke one.
//!
//! This module never blocks, reads a clock, draws a random number or takes a lock.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use bytes::Bytes;
use raft_api::NoReadIndex;

use crate::log::Log;
use crate::message::{AppendEntriesArgs, ConfirmLeaderArgs, InstallSnapshotArgs, RequestVoteArgs};
use crate::stored::{HardState, Snapshot, Stored};

mod election;
mod installing;
pub mod invariants;
mod progress;
mod reading;
mod replication;
mod snapshots;
mod warning;

pub use installing::InstallTicket;
pub use progress::{Progress, Ticket};
pub use reading::{ReadTicket, Reads};
pub use warning::{MAX_LEAP, Warning};

/// A server's state (Figure 2, State).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    me: usize,
    servers: usize,
    /// Persistent state on all servers: `currentTerm` and `votedFor`.
    hard: HardState,
    /// Persistent state on all servers: `log[]`.
    log: Log,
    /// Persistent state on all servers: the snapshot of all up to the log's base (section 7); empty if
    /// that is 0.
    snapshot: Bytes,
    /// Volatile state on all servers: `commitIndex`. (`lastApplied` is the business of who applies.)
    commit: u64,
    role: Role,
    output: Output,
    /// What was warned of already: each thing once.
    warned: BTreeSet<warning::About>,
}

/// What a server is, with what only such a server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Follows whoever leads the term.
    Follower,
    /// Gathers votes.
    Candidate {
        /// Who has voted for it, itself included.
        votes: BTreeSet<usize>,
    },
    /// Leads the term.
    Leader {
        /// What it knows about each server; its own place is unused.
        progress: Vec<Progress>,
        /// The reads without a log entry that it has not answered.
        reads: Reads,
    },
}

/// What is to be done after some events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// What must be on stable storage before anything else of this output leaves the server.
    pub unsaved: Unsaved,
    /// What to send, and to whom.
    pub requests: Vec<(usize, Request)>,
    /// A snapshot that the leader has sent. It takes the service from wherever it is to this place.
    pub installed: Option<Snapshot>,
    /// The indexes that have become committed; behind those of `installed`, if there is one.
    pub committed: Option<RangeInclusive<u64>>,
    /// The reads without a log entry that can be answered now, by what they are called: up to which index
    /// the service must have executed all, or why they cannot be answered so.
    pub reads: Vec<(u64, Result<u64, NoReadIndex>)>,
    /// The election timer starts again, with a new random timeout.
    pub reset_election_timer: bool,
    /// The term that the server was elected leader of, if it was: the heartbeat timer starts. It may
    /// have lost that role since.
    pub elected: Option<u64>,
    /// What the operator of the service should hear of.
    pub warnings: Vec<Warning>,
}

/// Which part of the persistent state has changed and is not saved yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsaved {
    /// The term or the vote.
    pub hard_state: bool,
    /// The log, from this index on; what was there before is replaced.
    pub log_from: Option<u64>,
    /// The snapshot and the log's base. The whole state is to be replaced, together with it.
    pub snapshot: bool,
}

impl Unsaved {
    /// True if nothing has changed.
    pub fn is_empty(&self) -> bool {
        *self == Unsaved::default()
    }

    /// The log has changed from this index on.
    fn add_log_from(&mut self, from: u64) {
        self.log_from = Some(self.log_from.map_or(from, |earlier| earlier.min(from)));
    }
}

/// A request to another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// See [`RequestVoteArgs`]; hand the reply to [`Core::vote_reply`].
    Vote(RequestVoteArgs),
    /// See [`AppendEntriesArgs`]; hand reply or failure, with the ticket, to
    /// [`Core::append_reply`] or [`Core::append_failed`].
    Append(AppendEntriesArgs, Ticket),
    /// See [`InstallSnapshotArgs`]; hand reply or failure, with the ticket, to
    /// [`Core::install_reply`] or [`Core::install_failed`].
    Install(InstallSnapshotArgs, InstallTicket),
    /// See [`ConfirmLeaderArgs`]; hand the reply, with the ticket, to [`Core::confirm_reply`]. A failure
    /// need not be told.
    Confirm(ConfirmLeaderArgs, ReadTicket),
}

impl Core {
    /// Server `me` of a cluster of `servers`, as it begins or comes back (Figure 2, State). What is
    /// before the log's base is committed, and all that it knows to be.
    ///
    /// # Panics
    /// If `me` is not one of the servers, or if there is a snapshot without a base of the log or a
    /// base without a snapshot.
    pub fn new(me: usize, servers: usize, stored: Stored) -> Core {
        assert!(me < servers, "server {me} is not one of {servers} servers");
        let Stored { hard, log, snapshot } = stored;
        let (base, size) = (log.base().index, snapshot.len());
        assert!(
            (base == 0) == (size == 0),
            "server {me}: a snapshot of {size} bytes, but the log begins behind entry {base}"
        );
        let output = Output { reset_election_timer: true, ..Output::default() };
        let (commit, role, warned) = (log.base().index, Role::Follower, BTreeSet::new());
        Core { me, servers, hard, log, snapshot, commit, role, output, warned }
    }

    /// The server's number.
    pub fn me(&self) -> usize {
        self.me
    }

    /// `currentTerm`.
    pub fn term(&self) -> u64 {
        self.hard.term
    }

    /// Term and vote.
    pub fn hard_state(&self) -> HardState {
        self.hard
    }

    /// `log[]`.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The snapshot of all up to the log's base; empty if that is 0.
    pub fn snapshot(&self) -> &Bytes {
        &self.snapshot
    }

    /// `commitIndex`.
    pub fn commit_index(&self) -> u64 {
        self.commit
    }

    /// What the server is.
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// True if the server leads its term.
    pub fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader { .. })
    }

    /// What there is to do, to look at: nothing of it is to be done yet.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// What is to be done since this was last called.
    pub fn take_output(&mut self) -> Output {
        std::mem::take(&mut self.output)
    }

    /// Rules for all servers: "If RPC request or response contains term T > currentTerm: set
    /// currentTerm = T, convert to follower."
    fn see_term(&mut self, term: u64) {
        debug_assert!(self.is_within_reach(term), "a message with an impossible term was believed");
        //= state.term-grows, all.newer-term
        if term > self.hard.term {
            self.hard = HardState { term, voted_for: None };
            self.output.unsaved.hard_state = true;
            self.become_follower();
        }
    }

    fn become_follower(&mut self) {
        if let Role::Leader { reads, .. } = &mut self.role {
            // A leader has no election timer; a follower needs one.
            self.output.reset_election_timer = true;
            self.output.reads.extend(reads.give_up());
        }
        self.role = Role::Follower;
    }

    //= lab.half
    /// How many servers are a majority.
    fn quorum(&self) -> usize {
        self.servers / 2 + 1
    }

    /// The numbers of all other servers.
    fn peers(&self) -> impl Iterator<Item = usize> + use<> {
        let me = self.me;
        (0..self.servers).filter(move |&server| server != me)
    }

    fn is_peer(&self, server: usize) -> bool {
        server < self.servers && server != self.me
    }

    /// A server number from a message, if it is that of a peer.
    fn peer(&self, number: u32) -> Option<usize> {
        usize::try_from(number).ok().filter(|number| self.is_peer(*number))
    }

    fn my_number(&self) -> u32 {
        u32::try_from(self.me).expect("a cluster has few servers")
    }
}
