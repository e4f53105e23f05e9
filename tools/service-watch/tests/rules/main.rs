//! The rules that hold for any service, each both ways: broken by servers that say what a test wants, and not by
//! such as come close. And what is said of a service besides.
//!
//! There is no service and no Raft: entries are committed because the messages say so.

mod asked;
mod replies;
mod shown;
mod situations;
mod sizes;
mod snapshots;
mod twice;
mod waiting;
mod waits;
mod world;
