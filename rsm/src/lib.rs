//! A replicated state machine: one deterministic machine on each server of a Raft cluster, all of
//! which execute the same requests in the same order.
//!
//! ```text
//!   submit ──> raft.start ──> (log, other servers, majority) ──> apply channel
//!      ^                                                              |
//!      |                                                              v
//!      +── reply, or why there is none <── machine.apply <── the reader: one task
//! ```
//!
//! This is the layer between Raft and a service, which every service needs and none should write
//! again: the lab's key/value service, its shard controller and its shards are each a [`Machine`]
//! and a few RPC handlers that call [`Rsm::submit`]. It works over any [`raft_api::Raft`].
//!
//! # A request's way
//!
//! [`submit`](Rsm::submit) gives the request a name that no other one has: a number of this server's,
//! and a number that the server drew when it was made. Name and request go into Raft's log together.
//! The reader executes every entry that Raft hands over, on every server, whoever submitted it. Where
//! the name is one of its own, it passes the machine's reply on to the submitter.
//!
//! That a submitter waits for its *name*, and not only for its index, matters: a leader that is
//! deposed may find another leader's request at the index that its own one was promised.
//!
//! # Nothing waits for ever
//!
//! A submission ends when
//!
//! | what happens | the result |
//! |---|---|
//! | the request is executed here | the reply |
//! | Raft refuses it, since this server does not lead | [`NotLeader`](SubmitError::NotLeader) |
//! | another request is executed at its index | [`Replaced`](SubmitError::Replaced) |
//! | this server is in a later term than when it started the request, or leads no longer | [`Unknown`](SubmitError::Unknown) |
//! | a snapshot comes that covers its index | [`Unknown`](SubmitError::Unknown) |
//! | this server ends | [`Ended`](SubmitError::Ended) |
//!
//! The fourth needs somebody who looks: a deposed leader may never be told of anything at its old
//! indexes. A task looks every 100 ms, and only while somebody waits.
//!
//! A leader that is cut off from all others is no case of these: it cannot know that another one has
//! been elected, and its submitters wait until it hears of that.
//!
//! After `Unknown` the request may still be executed, later. Whoever sends it again needs
//! [`once`]: requests with numbers, executed once.
//!
//! # Snapshots
//!
//! With a [limit](Options::max_raft_state) the reader watches the size of the saved Raft state. At
//! three quarters of the limit it has the machine make a snapshot and gives it to Raft, which drops
//! the entries that it covers. A snapshot that arrives from the leader replaces the machine's state,
//! unless this server has executed more. At the start the machine is restored from the persister.
//!
//! # One task executes
//!
//! The machine belongs to the reader alone, so it needs no lock and sees one request at a time. Raft
//! and the reader meet at a channel without a buffer. The reader takes no lock of Raft's but inside
//! `snapshot`, and holds none of its own while it hands a reply on.
//!
//! # The other side
//!
//! [`ask`] is what the clients of such a service have in common: finding the server that leads.
//!
//! # What is missing
//!
//! Reads that do not go through the log.

pub mod ask;
mod error;
pub mod once;
mod pending;
mod reader;
mod server;
mod shared;

pub use error::{MakeError, SubmitError};
pub use rsm_api::Machine;
pub use server::Rsm;
pub use shared::Options;
