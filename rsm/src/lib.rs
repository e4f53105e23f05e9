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
//! and a few RPC handlers that call [`Rsm::submit`]. It works over any [`raft_api::Raft`]. It is the
//! reference for the traits of [`rsm_api`], whose tests are in `rsm-tests`.
//!
//! # The machine
//!
//! ```toml
//! [dependencies]
//! labgob = { path = "../raft-lab/labgob" } # the encoding of requests and snapshots
//! rsm = { path = "../raft-lab/rsm" }
//! ```
//!
//! ```
//! use rsm::{Bytes, DecodeError, Machine};
//!
//! /// Adds up.
//! struct Sum(u64);
//!
//! impl Machine for Sum {
//!     type Request = u64;
//!     type Reply = u64;
//!
//!     fn apply(&mut self, request: u64) -> u64 {
//!         self.0 = self.0.wrapping_add(request);
//!         self.0
//!     }
//!
//!     fn snapshot(&self) -> Bytes {
//!         Bytes::from(labgob::encode(&self.0))
//!     }
//!
//!     fn restore(&mut self, snapshot: &[u8]) -> Result<(), DecodeError> {
//!         self.0 = labgob::decode(snapshot)?;
//!         Ok(())
//!     }
//! }
//! # let mut sum = Sum(1);
//! # sum.restore(&Sum(41).snapshot()).expect("it is one");
//! # assert_eq!(sum.apply(1), 42);
//! ```
//!
//! A machine is plain code without locks, clocks or tasks: what it answers and becomes depends on the
//! requests and their order alone. All servers execute the same ones, so all machines stay the same.
//! [`apply`](Machine::apply) must not panic, whatever it is asked: the same panic would come on every
//! server, and again after each restart.
//!
//! # The life of a request
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
//! | this server does not lead when it is asked | [`NotLeader`](SubmitError::NotLeader) |
//! | it does, and Raft gives the request no place all the same | [`NoPlace`](SubmitError::NoPlace) |
//! | another request is executed at its index | [`Replaced`](SubmitError::Replaced) |
//! | this server is in a later term than when it started the request, or leads no longer | [`Unknown`](SubmitError::Unknown) |
//! | a snapshot comes that covers its index | [`Unknown`](SubmitError::Unknown) |
//! | this server ends | [`Ended`](SubmitError::Ended) |
//!
//! The fifth needs somebody who looks: a deposed leader may never be told of anything at its old
//! indexes. A task looks every 100 ms, and only while somebody waits.
//!
//! A leader that is cut off from all others is no case of these: it cannot know that another one has
//! been elected, and its submitters wait until it hears of that.
//!
//! A server ends when it is killed or dropped, or when one of its tasks panics: its reader, because of the machine; or
//! another one, because of what a submitter has it call. A service's own tasks can have the same done for them
//! ([`Rsm::ends_with_task`]).
//!
//! After `Unknown`, `NoPlace` and `Ended` the request may still be executed, later. Whoever sends it again needs
//! [`once`]: requests with numbers, executed once.
//!
//! # Snapshots
//!
//! With a [limit](Options::max_raft_state) the reader watches the size of the saved Raft state. At
//! three quarters of the limit it has the machine make a snapshot and gives it to Raft, which drops
//! the entries that it covers. Half of the limit must have been executed since the last one: entries that are not
//! committed yet may keep the state large, and no snapshot drops these. A snapshot that arrives from the leader replaces the machine's state,
//! unless this server has executed more. At the start the machine is restored from the persister; a snapshot that
//! the saved log does not go on from is refused ([`MakeError::Apart`]).
//!
//! # Exactly once
//!
//! Whoever gets no reply sends the request again, and then it may stand in the log twice. [`once::Once`] is
//! a machine around a machine: it keeps the last number and reply of each client, and executes no number
//! twice, wherever and whenever it was submitted. Its table is part of the snapshot. The layer below knows
//! nothing of it.
//!
//! # One task executes
//!
//! The reader alone changes the machine, and the machine sees one request at a time. Raft and the reader
//! meet at a channel without a buffer. The reader takes no lock of Raft's but inside `snapshot`, and holds
//! none of its own while it hands a reply on, or a snapshot to Raft.
//!
//! # What can be chosen
//!
//! Both are beyond the course, and off unless [`Options`] says otherwise.
//!
//! **Requests share entries** ([`Options::batch`]). While Raft takes an entry (the leader's disk may be
//! slow), the requests that come wait, and go into the next entry together, in their order. Nobody waits
//! for others to come. All requests of an entry have the same end: they are executed one after the other,
//! or none is. A snapshot is looked for after an entry, so the saved state may grow by a whole one.
//!
//! **Reads without an entry** ([`Options::read_index`]). [`Rsm::read`] asks Raft up to which index this server
//! must have executed all ([`raft_api::Raft::read_index`]; paper, section 8), waits until it has, and reads the
//! machine ([`Readable`]) on the one task that does. That needs a round of messages between the servers,
//! which all reads of that time share, but no disk. A leader that has committed nothing of its own term has
//! no such index, nor has a Raft without read indexes; then the read goes through the log like a
//! write. At a new leader that is just what is missing: the next read has an index. A leader that was
//! cut off answers no read, however long that lasts: others may have elected another one.
//!
//! # The other side
//!
//! [`ask`] is what the clients of such a service have in common: finding the server that leads.
//!
//! # What is missing
//!
//! Reads by followers; and leases, by which a leader could answer reads without a round of messages, at the
//! price of trust in clocks. What happens here (requests that are executed, replies) is not in a run's trace.

pub mod ask;
mod batches;
mod error;
pub mod once;
mod pending;
mod reader;
mod reads;
mod server;
mod shared;
mod stand;

pub use error::{MakeError, SubmitError};
pub use reads::Readable;
pub use rsm_api::{Bytes, DecodeError, Machine};
pub use server::{EndsWithTask, Rsm};
pub use shared::Options;
