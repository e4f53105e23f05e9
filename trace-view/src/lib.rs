//! Shows a trace of a run ([`run_record::trace`]).
//!
//! - [`page`] makes one HTML file of it, which needs no network.
//! - [`terminal`] prints it, one column per server.
//! - [`replay`] walks through it and knows what each server is at each moment.

mod fields;
pub mod page;
pub mod replay;
pub mod terminal;
