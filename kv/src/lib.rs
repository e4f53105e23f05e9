//! The reference key/value service of lab 3: strings by keys, on a cluster of servers of which a
//! minority may be down.
//!
//! ```text
//!   Clerk ──RPC──> Server ──submit──> rsm ──start──> Raft ... apply channel ──> rsm ──> the store
//!     ^                                                                                   |
//!     +────────────────────────────── reply ──────────────────────────────────────────────+
//! ```
//!
//! What a server adds to [`rsm`] is little: two RPC handlers, and the store, which is a
//! [`rsm::Machine`].
//!
//! - **Every request goes through the log**, reads too: a server that is cut off cannot answer, so
//!   no read is stale. [`Server::with_options`] makes servers whose reads need no entry, or whose requests
//!   share entries ([`Options`]).
//! - **Exactly once**: a clerk numbers its writes, and the store has a write executed once
//!   ([`rsm::once`]), in whatever term and through whichever servers it comes. Reads have no numbers:
//!   to execute one twice does no harm, and no old value has to be kept.
//! - **No handler waits.** It starts the request and returns; the answer is given by the task that
//!   executes the request. So a server whose clerks wait for a long time has nothing but a table of
//!   them.
//! - **The clerk** asks the server that answered last, and a second one while the first says nothing.
//!
//! # What is missing
//!
//! Clerks are never forgotten: each costs some 10 bytes in every snapshot, for ever.

mod clerk;
mod message;
mod server;
mod store;

pub use clerk::Clerk;
pub use message::{
    GetArgs, GetReply, KeyValue, KeyValueClient, KeyValueService, Op, Outcome, PutAppendArgs,
    PutAppendReply,
};
pub use rsm::Options;
pub use server::Server;
