//! The reference Raft under the eyes of a checker, for tests.
//!
//! [`CheckedRaft`] is [`raft::Raft`] with an [`Observer`](raft::Observer) that sees each server's
//! whole state every time that it has been saved, before anybody else can know of it. It does three
//! things with that:
//!
//! - A [`ClusterChecker`], one for all servers of a world, fails the run at the moment when two
//!   servers contradict each other (Figure 3 of the paper).
//! - What a server is about to tell others is compared with what its persister holds.
//! - The trace of the run, if there is one, learns what the server is.
//!
//! The rules that hold for any Raft, seen in its messages, are in the crate `raft-watch`. Those here
//! need to see inside.
//!
//! A server that is killed during a save has told nobody of it, and nobody is told by the checker
//! either: only what is reported counts. So a crash may take back anything but what was saved.

mod checked;
mod checker;
mod reporter;

pub use checked::CheckedRaft;
pub use checker::ClusterChecker;
