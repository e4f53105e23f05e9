//! A replicated queue: first in, first out, on a cluster of servers of which a minority may be down.
//!
//! ```text
//!   Clerk ──RPC──> Server ──submit──> rsm ──start──> Raft ... apply channel ──> rsm ──> the queue
//!     ^                                                                                   |
//!     +────────────────────────────── reply ──────────────────────────────────────────────+
//! ```
//!
//! It is the example of `docs/own-service.md`, which says how to write a service of your own on this
//! workspace, and a suite of tests for it. The service is here; its suite is in `tests`.
//!
//! - **The machine** is a queue of texts, plain code without locks or clocks ([`rsm::Machine`]).
//! - **Every request goes through the log**, a dequeue too: it changes the queue.
//! - **Exactly once**: a clerk numbers its requests, and [`rsm::once::Once`] executes each number once,
//!   however often it is sent. Without that, a dequeue whose reply is lost would lose an element.
//! - **Snapshots** are made by [`rsm`], which asks the machine for its bytes.
//!
//! # Mistakes
//!
//! A suite that has never failed shows little. So the server has two [`Mistake`]s to choose from, and
//! `tests/found.rs` checks that the suite finds both. A service of yours needs nothing of the kind in its
//! own code: break it by hand, see the suite fail, and take the change back.
//!
//! # What is missing
//!
//! Clerks are never forgotten: the last reply to each stays in every snapshot, for ever.

#![forbid(unsafe_code)]

mod clerk;
mod machine;
mod message;
mod mistake;
mod server;

pub use clerk::Clerk;
pub use message::{Outcome, Queue, QueueClient, QueueService, Request};
pub use mistake::Mistake;
pub use server::Server;
