//! What survives a crash.

use std::error::Error;

use labgob::Gob;
use raft_api::Persisted;
use serde::{Deserialize, Serialize};

use crate::log::Log;

/// What a server saves, as one value.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Gob)]
pub(crate) struct Durable {
    pub(crate) term: u64,
    pub(crate) voted_for: Option<usize>,
    pub(crate) log: Log,
    /// How many of the forgotten entries were the service's.
    pub(crate) commands_forgotten: u64,
    /// What the snapshot that is saved beside this holds.
    pub(crate) covered: Covered,
    /// With the habit `commit_persisted`.
    pub(crate) commit: u64,
    /// With the habit `replies_after_restart`.
    pub(crate) accepted: Option<Accepted>,
}

/// The last entry that a snapshot takes the place of; all 0 without a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) struct Covered {
    pub(crate) index: u64,
    pub(crate) term: u64,
    /// How many of the entries up to there are the service's.
    pub(crate) commands: u64,
}

/// The last yes to an AppendEntries.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct Accepted {
    pub(crate) leader: usize,
    pub(crate) term: u64,
    pub(crate) upto: u64,
}

impl Durable {
    /// Reads what a server has saved; a new one has saved nothing.
    pub(crate) fn restore(saved: &[u8]) -> Result<Durable, Box<dyn Error + Send + Sync>> {
        match saved {
            [] => Ok(Durable::default()),
            saved => Ok(labgob::decode(saved)?),
        }
    }

    /// What it means to the tester.
    pub(crate) fn meaning(&self) -> Persisted {
        Persisted {
            term: self.term,
            voted_for: self.voted_for,
            log_base: self.log.base().index,
            log_base_term: self.log.base().term,
            log_base_commands: Some(self.commands_forgotten),
            log_terms: self.log.entries().iter().map(|entry| entry.term).collect(),
        }
    }
}
