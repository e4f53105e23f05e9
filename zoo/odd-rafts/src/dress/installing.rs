//! InstallSnapshot: as in Figure 13, as a whole, and with indexes that begin with 0.

use labgob::Gob;
use raft_api::Bytes;
use serde::{Deserialize, Serialize};

use super::{AsksInstall, zero_based};
use crate::message::{InstallReply, InstallRequest, InstallSubject, Place};

/// As in Figure 13. How many commands there are is bookkeeping.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct InstallSnapshotArgs {
    term: u64,
    leader_id: usize,
    last_included_index: u64,
    last_included_term: u64,
    offset: u64,
    data: Bytes,
    done: bool,
    commands: u64,
}

impl AsksInstall for InstallSnapshotArgs {
    fn dress(install: &InstallRequest) -> Self {
        InstallSnapshotArgs {
            term: install.term,
            leader_id: install.leader,
            last_included_index: install.last.index,
            last_included_term: install.last.term,
            offset: install.offset,
            data: install.data.clone(),
            done: install.done,
            commands: install.commands,
        }
    }

    fn undress(self) -> InstallRequest {
        InstallRequest {
            term: self.term,
            leader: self.leader_id,
            last: Place { index: self.last_included_index, term: self.last_included_term },
            commands: self.commands,
            offset: self.offset,
            data: self.data,
            done: self.done,
        }
    }
}

/// All of a snapshot, as the course has it.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
#[expect(non_snake_case, reason = "these are the names in Go")]
pub(crate) struct Whole {
    Term: u64,
    LeaderId: usize,
    LastIncludedIndex: u64,
    LastIncludedTerm: u64,
    Data: Bytes,
    Commands: u64,
}

impl AsksInstall for Whole {
    fn dress(install: &InstallRequest) -> Self {
        Whole {
            Term: install.term,
            LeaderId: install.leader,
            LastIncludedIndex: install.last.index,
            LastIncludedTerm: install.last.term,
            Data: install.data.clone(),
            Commands: install.commands,
        }
    }

    fn undress(self) -> InstallRequest {
        InstallRequest {
            term: self.Term,
            leader: self.LeaderId,
            last: Place { index: self.LastIncludedIndex, term: self.LastIncludedTerm },
            commands: self.Commands,
            offset: 0,
            data: self.Data,
            done: true,
        }
    }
}

/// The first entry has index 0.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct ZeroBased {
    term: u64,
    leader_id: usize,
    snapshot_index: i64,
    snapshot_term: u64,
    offset: u64,
    snapshot: Bytes,
    done: bool,
    commands: u64,
}

impl AsksInstall for ZeroBased {
    fn dress(install: &InstallRequest) -> Self {
        ZeroBased {
            term: install.term,
            leader_id: install.leader,
            snapshot_index: zero_based::dress(install.last.index),
            snapshot_term: install.last.term,
            offset: install.offset,
            snapshot: install.data.clone(),
            done: install.done,
            commands: install.commands,
        }
    }

    fn undress(self) -> InstallRequest {
        InstallRequest {
            term: self.term,
            leader: self.leader_id,
            last: Place {
                index: zero_based::undress(self.snapshot_index),
                term: self.snapshot_term,
            },
            commands: self.commands,
            offset: self.offset,
            data: self.snapshot,
            done: self.done,
        }
    }
}

/// Parts by names that nobody else uses.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct Parts {
    term: u64,
    leader_id: usize,
    last_included_index: u64,
    last_included_term: u64,
    starts_at: u64,
    data: Bytes,
    more: bool,
    commands: u64,
}

impl AsksInstall for Parts {
    fn dress(install: &InstallRequest) -> Self {
        Parts {
            term: install.term,
            leader_id: install.leader,
            last_included_index: install.last.index,
            last_included_term: install.last.term,
            starts_at: install.offset,
            data: install.data.clone(),
            more: !install.done,
            commands: install.commands,
        }
    }

    fn undress(self) -> InstallRequest {
        InstallRequest {
            term: self.term,
            leader: self.leader_id,
            last: Place { index: self.last_included_index, term: self.last_included_term },
            commands: self.commands,
            offset: self.starts_at,
            data: self.data,
            done: !self.more,
        }
    }
}

/// The answer to InstallSnapshot.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct InstallSnapshotReply {
    term: u64,
    success: bool,
}

impl InstallSnapshotReply {
    pub(super) fn dress(reply: &InstallReply) -> Self {
        InstallSnapshotReply { term: reply.term, success: reply.taken }
    }

    pub(super) fn undress(self, about: InstallSubject) -> InstallReply {
        InstallReply { term: self.term, about, taken: self.success }
    }
}
