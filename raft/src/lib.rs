//! The reference Raft of the lab: elections, replication and persistence, as in Figure 2 of the
//! extended Raft paper, with fast log back-up, and snapshots as in its Figure 13.
//!
//! # How it is built
//!
//! Events go in, effects come out:
//!
//! ```text
//!   timeouts, requests, replies, commands
//!          |
//!          v
//!   server (event loop) ---> rules (the core) ---> Output: what changed and what to send
//!          ^                                          |
//!          |                                          v
//!          +------------- persist, then reply, then send, then apply
//! ```
//!
//! - [`rules`] hold the rules and nothing else: no clock, no threads, no randomness, no locks, no
//!   I/O. Each rule of Figure 2 stands there once, under the figure's name.
//! - [`server`] owns a core. One task takes events from one queue, lets the core handle all that
//!   have come, and then performs the effects in their order. Since nobody else touches the core,
//!   there is no lock that could be held across a call.
//! - [`storage`] turns changes into records that are appended to the persister, so that saving one
//!   more entry costs the same in a long log as in a short one.
//! - An [`Observer`] may look at a server each time that it has saved and before anybody is told.
//!   The crate `raft-checked` has one that watches a whole cluster.
//!
//! # Deviations from the paper
//!
//! - A follower that refuses AppendEntries says which term conflicts and where it begins (the end
//!   of the paper's section 5.3 suggests it).
//! - While an AppendEntries is unanswered, further entries wait for its reply or for the next
//!   heartbeat, whichever comes first.
//! - `nextIndex` moves on when entries are sent, not when they are accepted: each is sent once, unless
//!   it got lost. Of entries a follower has not answered there is at most a megabyte; then it only
//!   gets heartbeats ([`rules::Progress`]).
//! - A term is believed only if it can have come about ([`rules::MAX_LEAP`]).
//! - A snapshot travels in one message, as the lab wants it. It is sent only to a follower that has
//!   just shown by an answer that it lacks what the leader has forgotten, so never to one that is away.
//! - A follower whose log holds already what a snapshot covers goes on with its log. It learns from
//!   the snapshot that all of it is committed, and does not store it.
//!
//! - A read without a log entry ([`raft_api::Raft::read_index`], section 8) is confirmed by a message of its
//!   own and not by heartbeats; `rules/reading.rs` says why.
//!
//! # What is missing
//!
//! Membership changes, pre-vote, check-quorum and leader transfer. The lab's tests rule out the no-op entry at the
//! beginning of a term.
//!
//! Without check-quorum a leader that reaches nobody leads on, and takes commands: what its log holds and is not
//! committed has no bound but what its clients send (see [`server`]).
//!
//! A leader forgets at once what its service has put into a snapshot, also if a follower has not got
//! it yet, and keeps its snapshot in memory. So a follower that comes back while commands keep coming
//! fast may be sent several snapshots, each newer than the one before, until it has caught up.

mod log;
mod message;
mod options;
pub mod rules;
pub mod server;
pub mod storage;
mod stored;

pub use log::{Entry, Log, Place};
pub use message::{
    AppendEntriesArgs, AppendEntriesReply, ConfirmLeaderArgs, ConfirmLeaderReply, Conflict,
    InstallSnapshotArgs, InstallSnapshotReply, RequestVoteArgs, RequestVoteReply,
};
pub use options::{Observer, Options};
pub use server::{MakeError, Raft};
pub use stored::{HardState, Snapshot, Stored};
