//! A server: the task that owns a [`Core`], and the handle that the service above it holds.
//!
//! All that concerns the core comes through one queue: requests and replies from the network,
//! commands and snapshots of the service, and the end. The task takes everything that is there, lets the core handle it, looks at
//! its two timers, and performs what comes out, in an order that keeps every promise:
//! **save, then answer, then send, then apply**. So many commands that come together share one save
//! and one round of AppendEntries.
//!
//! Nothing here waits for a peer: the results of calls come into the queue too. A second task feeds
//! the apply channel, which may block; it holds no lock meanwhile, and the event loop never waits for
//! it. So a service may hand over a snapshot between two messages that it takes from that channel.
//!
//! # What is bounded, and by what
//!
//! - *Calls under way* to one peer: 128, whatever becomes of them; 32 before a reader's question, which the next
//!   heartbeat asks again, is not sent. What all AppendEntries of a term carry that were sent to a peer since the newest
//!   one that it has answered is at most 1 MB together, however many they are, or a single entry that is larger (see
//!   [`rules::Progress`](crate::rules::Progress)). One call more may carry a snapshot, which all followers
//!   and the core share; and it counts as lost before the next one is sent.
//! - *The event queue*: it holds one input for each call that a peer has under way to this server
//!   (and peers keep to the bounds above), one for each own call that has ended, and one for each
//!   task that waits in [`start`](raft_api::Raft::start) or [`snapshot`](raft_api::Raft::snapshot).
//! - *Entries that are not committed*: by nothing. A leader that is cut off takes commands as long as somebody
//!   brings them, saves them, and no snapshot can take their place; whoever sends the same request again and again
//!   to it has to look that it is not there yet.
//! - *Reads that wait for their index*: by nothing. [`read_index`](raft_api::Raft::read_index) does not wait, so
//!   whoever calls it has to bound how much is read at a time. A leader that is cut off keeps them until it learns of
//!   another one.
//! - *The queue before the apply channel*: by the log. It shares the commands with the log, so what
//!   a service does not take costs some fifty bytes an entry more. A service that takes nothing gives
//!   no snapshots either, so its log and this queue grow with what is committed.
//!
//! So a follower whose disk is stalled, or that is away, costs its leader and itself a few
//! megabytes and a snapshot, however long it lasts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use labrpc::{ClientEnd, Reply, Service};
use labrt::channel::{self, Sender};
use labrt::{node, rng, thread};
use persister::Persister;
use raft_api::{
    ApplyMsg, Meaning, NoReadIndex, Persisted, RaftState, Started, TellReadIndex, Wire,
};

use crate::message::{
    AppendEntriesArgs, AppendEntriesReply, ConfirmLeaderArgs, ConfirmLeaderReply,
    InstallSnapshotArgs, InstallSnapshotReply, RaftRpc, RaftRpcClient, RaftRpcService,
    RequestVoteArgs, RequestVoteReply,
};
use crate::options::Options;
use crate::rules::Core;
use crate::storage::{self, RestoreError, Storage};

mod applier;
mod event_loop;
mod input;
mod status;

use event_loop::{EventLoop, Surroundings};
use input::Input;
use status::Status;

/// Why a server cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MakeError {
    /// What the persister holds cannot be used.
    #[error("server {me}: {error}")]
    Restore {
        /// The server's number.
        me: usize,
        /// What is wrong.
        #[source]
        error: RestoreError,
    },
    /// The persisted vote is for a server that does not exist.
    #[error(
        "server {me}: the persisted state has a vote for server {vote}, but the cluster has only \
         {servers} servers; it belongs to another cluster"
    )]
    ForeignVote {
        /// The server's number.
        me: usize,
        /// Whom it voted for.
        vote: usize,
        /// How many servers there are.
        servers: usize,
    },
    /// No server can work with these [`Options`].
    #[error(
        "server {me}: its options are impossible: heartbeats come every {heartbeat:?}, and election \
         timeouts are {} to {} ms; needed is 0 < heartbeat < least timeout <= most timeout <= a year",
        election_timeout_ms.0, election_timeout_ms.1
    )]
    ImpossibleOptions {
        /// The server's number.
        me: usize,
        /// How often a leader was to send heartbeats.
        heartbeat: Duration,
        /// The range that election timeouts were to be drawn from, in ms.
        election_timeout_ms: (u64, u64),
    },
    /// `me` is not a place in `peers`.
    #[error("server {me} is not one of the {servers} servers given as peers")]
    NoSuchServer {
        /// The server's number.
        me: usize,
        /// How many servers there are.
        servers: usize,
    },
}

/// A Raft server. Go: the type `Raft`.
///
/// It ends when it is killed, and when this handle and the services made from it are gone. From then
/// on it does not lead, takes no command and applies nothing more; a command whose hand-over to the
/// service had begun may still reach it. Its tasks end within a tenth of a second, unless the
/// persister or the observer holds them up.
pub struct Raft {
    owner: Arc<Owner>,
}

/// What keeps a server going: when the last of these is dropped, it ends.
struct Owner {
    inputs: Sender<Input>,
    status: Arc<Status>,
}

impl Owner {
    fn end(&self) {
        self.status.end();
        // If nobody receives it, the loop has ended already.
        let _ = self.inputs.send(Input::End);
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        node::outside(|| self.end());
    }
}

impl Raft {
    //= lab.make
    /// Makes a server; see [`raft_api::Raft::make`].
    ///
    /// # Errors
    /// If the persister cannot be read, holds what this Raft did not write, `me` is no peer, or no server can
    /// work with these options.
    pub fn open(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        apply: Sender<ApplyMsg>,
        options: Options,
    ) -> Result<Arc<Raft>, MakeError> {
        let servers = peers.len();
        if me >= servers {
            return Err(MakeError::NoSuchServer { me, servers });
        }
        let Options { heartbeat, election_timeout_ms, .. } = options;
        if !options.are_possible() {
            return Err(MakeError::ImpossibleOptions { me, heartbeat, election_timeout_ms });
        }
        let (storage, stored) =
            Storage::open(persister).map_err(|error| MakeError::Restore { me, error })?;
        if let Some(vote) = stored.hard.voted_for.filter(|vote| *vote >= servers) {
            return Err(MakeError::ForeignVote { me, vote, servers });
        }
        let core = Core::new(me, servers, stored);
        let status = Arc::new(Status::new(core.term(), core.commit_index()));
        let (inputs, queue) = channel::unbounded();
        let (to_applier, to_apply) = channel::unbounded();
        let surroundings = Surroundings {
            peers: peers.into_iter().map(RaftRpcClient::new).collect(),
            inputs: inputs.clone(),
            to_applier,
            status: status.clone(),
        };
        let mut event_loop =
            EventLoop::new(core, storage, options, rng::node_stream(), surroundings);
        thread::Builder::new().name("raft").spawn(move || event_loop.run(&queue));
        let applies_for = status.clone();
        thread::Builder::new()
            .name("applier")
            .spawn(move || applier::feed(&to_apply, &apply, &applies_for));
        Ok(Arc::new(Raft { owner: Arc::new(Owner { inputs, status }) }))
    }
}

impl raft_api::Raft for Raft {
    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        apply: Sender<ApplyMsg>,
    ) -> Result<Arc<Raft>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Raft::open(peers, me, persister, apply, Options::default())?)
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        vec![RaftRpcService::of(Arc::new(Handlers { owner: self.owner.clone() }))]
    }

    //= lab.start
    /// See [`raft_api::Raft::start`].
    ///
    /// On the leader it waits for the server's own disk: until the event loop has done what it is
    /// doing, which may be a save, and has saved the command. So the answer is true however soon the
    /// server crashes. It never waits for another server, for the network or for the service. On any
    /// other server it returns at once.
    fn start(&self, command: Bytes) -> Option<Started> {
        if !self.state().is_leader {
            return None;
        }
        let (sender, started) = channel::bounded(1);
        self.owner.inputs.send(Input::Start(command, sender)).ok()?;
        started.recv().ok()?
    }

    /// See [`raft_api::Raft::snapshot`].
    ///
    /// Like `start` it waits for the server's own disk, until the snapshot is saved, and for nothing
    /// else; so the size of the Raft state is the new one when it returns. On a server that is over it
    /// does nothing.
    ///
    /// # Panics
    /// If the service was not given all entries up to `index`, or if the snapshot is empty.
    fn snapshot(&self, index: u64, snapshot: Bytes) {
        let given = self.owner.status.given();
        assert!(
            index <= given,
            "`snapshot({index}, ..)`, but the service was given no more than entry {given}: pass the \
             index of the last command that is in the snapshot"
        );
        assert!(
            !snapshot.is_empty(),
            "`snapshot({index}, ..)` with no bytes: to a persister that is no snapshot at all, and a \
             restarted service would miss {index} commands; encode something, if only the index"
        );
        let (sender, saved) = channel::bounded(1);
        if self.owner.inputs.send(Input::Snapshot(index, snapshot, sender)).is_ok() {
            // If the server ends first, nobody says it.
            let _ = saved.recv();
        }
    }

    /// See [`raft_api::Raft::read_index`] and `rules/reading.rs`.
    ///
    /// `tell` is called on the event loop, which does nothing else meanwhile; or on the calling task, if
    /// this server does not lead.
    fn read_index(&self, tell: TellReadIndex) {
        if !self.state().is_leader {
            return tell(Err(NoReadIndex::NotLeader));
        }
        // If nobody receives it, the server is over.
        let _ = self.owner.inputs.send(Input::Read(tell));
    }

    /// All messages go by their names, but for the question of who reads: it asks for nothing and
    /// promises nothing that the rules speak of.
    fn read_message(message: &Wire<'_>) -> Meaning {
        match message.method {
            "Raft.ConfirmLeader" => Meaning::Nothing,
            _ => Meaning::ByNames,
        }
    }

    fn read_persisted(state: &[u8]) -> Option<Persisted> {
        let (hard, log) = storage::restore(state).ok()?;
        Some(Persisted {
            term: hard.term,
            voted_for: hard.voted_for,
            log_base: log.base().index,
            log_base_term: log.base().term,
            log_base_commands: Some(log.base().index),
            log_terms: log.entries().iter().map(|entry| entry.term).collect(),
        })
    }

    fn read_appended(known: Persisted, appended: &[u8]) -> Option<Persisted> {
        storage::read_appended(known, appended)
    }

    fn state(&self) -> RaftState {
        self.owner.status.state()
    }

    /// Ends the server; see [`Raft`].
    fn kill(&self) {
        self.owner.end();
    }
}

impl fmt::Debug for Raft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raft").field("status", &self.owner.status).finish_non_exhaustive()
    }
}

/// Passes requests on to the event loop. If that has ended, the right to reply is dropped, and the
/// caller gets no reply.
struct Handlers {
    owner: Arc<Owner>,
}

impl RaftRpc for Handlers {
    //= lab.locks, followers.respond
    fn request_vote(&self, args: RequestVoteArgs, reply: Reply<RequestVoteReply>) {
        let _ = self.owner.inputs.send(Input::RequestVote(args, reply));
    }

    fn append_entries(&self, args: AppendEntriesArgs, reply: Reply<AppendEntriesReply>) {
        let _ = self.owner.inputs.send(Input::AppendEntries(args, reply));
    }

    fn install_snapshot(&self, args: InstallSnapshotArgs, reply: Reply<InstallSnapshotReply>) {
        let _ = self.owner.inputs.send(Input::InstallSnapshot(args, reply));
    }

    fn confirm_leader(&self, args: ConfirmLeaderArgs, reply: Reply<ConfirmLeaderReply>) {
        let _ = self.owner.inputs.send(Input::ConfirmLeader(args, reply));
    }
}
