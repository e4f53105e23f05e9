//! Clients of key/value services under a tester's eyes: what the suites of labs 3 and 4 share.
//!
//! - A [`Client`] is a clerk whose calls are counted, stand in the trace, are told to the watch of the
//!   service (crate `service-watch`) and, if asked for, are part of a history.
//! - A [`History`] is what all clients of a run saw. It is decided whether it is linearizable.
//! - [`appends`] says whether a value has what was appended, each element once and in order.
//!
//! What a clerk is, each lab says by a trait of its own; here it is anything that is a [`KeyValue`].

pub mod appends;
mod client;
mod history;
mod values;

pub use client::{Client, KeyValue};
pub use history::History;
