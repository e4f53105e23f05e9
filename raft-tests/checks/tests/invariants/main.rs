//! The rules that hold for any Raft, each both ways: broken by a server that says what its test wants,
//! and not by one that comes close.

mod commitment;
mod elections;
mod five;
mod following;
mod forgetting;
mod installs;
mod looks;
mod matching;
mod newer_terms;
mod obstacles;
mod puppet;
mod refusals;
mod saved;
mod second;
mod sending;
mod shown;
mod snapshots;
mod standing;
mod stored;
mod tracing;
mod understanding;
