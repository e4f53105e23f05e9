//! What the suite is there to find is found, and the reference with what can be chosen beyond the course passes.
//!
//! One program, so that the reference is compiled once for all of it.

mod around;
mod chosen;
mod found;
mod options;
mod situations;
mod snapshots;
mod soak;
mod stale_reads;
mod steps;
mod waits;
