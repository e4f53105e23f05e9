//! The handout of the labs, for [mdBook](https://rust-lang.github.io/mdBook): `src` has the chapters.
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
