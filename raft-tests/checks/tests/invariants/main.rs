//! The rules that hold for any Raft, each both ways: broken by a server that says what its test wants,
//! and not by one that comes close.

mod commitment;
mod elections;
mod following;
mod installs;
mod matching;
mod newer_terms;
mod obstacles;
mod puppet;
mod saved;
mod second;
mod sending;
mod snapshots;
mod tracing;
mod understanding;
