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
//! - [`checker`] watches a whole cluster from outside and fails the run when two servers contradict
//!   each other.
//!
//! # Deviations from the paper
//!
//! - A follower that refuses AppendEntries says which term conflicts and where it begins (the end
//!   of the paper's section 5.3 suggests it).
//! - While an AppendEntries with entries is unanswered, further entries wait for its reply or for
//!   the next heartbeat, whichever comes first.
//!
//! # What is missing
//!
//! Snapshots (2D), membership changes, pre-vote and leader transfer. The lab's tests rule out the
//! no-op entry at the beginning of a term.

mod checked;
pub mod checker;
mod hard_state;
mod log;
mod message;
mod reporter;
pub mod rules;
pub mod server;
pub mod storage;

pub use checked::CheckedRaft;
pub use checker::ClusterChecker;
pub use hard_state::HardState;
pub use log::{Entry, Log};
pub use message::{
    AppendEntriesArgs, AppendEntriesReply, Conflict, RequestVoteArgs, RequestVoteReply,
};
pub use server::{MakeError, Options, Raft};
