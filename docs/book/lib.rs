//! The handout of the labs: `src` has the chapters. They can be read as files, beginning with `start.md`, or in a
//! browser by [mdBook](https://rust-lang.github.io/mdBook). What they link to in other folders mdBook does not show:
//! such links are called by the file's path, and are for who reads the files.
//!
//! This crate is their check. Each chapter is a module's documentation here, so its code is compiled and
//! run; the tests see to it that no chapter is forgotten and no link leads nowhere.

#[doc = include_str!("src/start.md")]
pub mod start {}

#[doc = include_str!("src/raft.md")]
pub mod raft {}

#[doc = include_str!("src/snapshots.md")]
pub mod snapshots {}

#[doc = include_str!("src/kv.md")]
pub mod kv {}

#[doc = include_str!("src/shards.md")]
pub mod shards {}

#[doc = include_str!("src/fails.md")]
pub mod fails {}
