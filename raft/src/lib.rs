//! The reference Raft of the lab: elections, replication and persistence, as in Figure 2 of the
//! extended Raft paper, with fast log back-up.
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
//!
//! # What is missing
//!
//! Snapshots (2D), membership changes, pre-vote and leader transfer. The lab's tests rule out the
//! no-op entry at the beginning of a term.

mod hard_state;
mod log;
mod message;
mod options;
pub mod rules;
pub mod server;
pub mod storage;

pub use hard_state::HardState;
pub use log::{Entry, Log, Place};
pub use message::{
    AppendEntriesArgs, AppendEntriesReply, Conflict, RequestVoteArgs, RequestVoteReply,
};
pub use options::{Observer, Options};
pub use server::{MakeError, Raft};
