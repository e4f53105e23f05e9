use bytes::Bytes;
use labgob::Gob;
use serde::{Deserialize, Serialize};

use crate::log::{Log, Place};

/// A server's persistent state, as it comes from its disk (Figure 2, persistent state, and section 7 of
/// the paper). The default is that of a new server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// `currentTerm` and `votedFor`.
    pub hard: HardState,
    /// `log[]`, behind what the snapshot holds.
    pub log: Log,
    /// The service's snapshot of all up to the log's base; empty if the log has all its entries.
    pub snapshot: Bytes,
}

/// `currentTerm` and `votedFor`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Gob)]
pub struct HardState {
    /// The latest term the server has seen.
    pub term: u64,
    /// Whom the server has voted for in this term.
    pub voted_for: Option<usize>,
}

/// What all entries up to one have led to, as the service wrote it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The last of these entries (Figure 13, `lastIncludedIndex` and `lastIncludedTerm`).
    pub last: Place,
    /// The service's bytes; never none. All who hold them share them.
    pub data: Bytes,
}
