//! Shows a trace of a run ([`run_record::trace`]).
//!
//! - [`page`] makes one HTML file of it, which needs no network.
//! - [`terminal`] prints it, one column per server.

pub mod page;
pub mod terminal;
