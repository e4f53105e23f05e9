//! The term in a header that all requests have, beside what looks like a term too.

use labgob::Gob;
use raft_api::Bytes;
use serde::{Deserialize, Serialize};

use super::{AsksAppend, AsksVote};
use crate::message::{AppendRequest, Entry, Place, VoteRequest};

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct Header {
    from: usize,
    term: u64,
}

/// The number of the cluster's configuration. It never changes here.
const EPOCH: u64 = 1;

/// RequestVote.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct VoteArgs {
    header: Header,
    epoch: u64,
    last_log_index: u64,
    last_log_term: u64,
}

impl AsksVote for VoteArgs {
    fn dress(vote: &VoteRequest) -> Self {
        VoteArgs {
            header: Header { from: vote.candidate, term: vote.term },
            epoch: EPOCH,
            last_log_index: vote.last.index,
            last_log_term: vote.last.term,
        }
    }

    fn undress(self) -> VoteRequest {
        let Header { from: candidate, term } = self.header;
        let last = Place { index: self.last_log_index, term: self.last_log_term };
        VoteRequest { term, candidate, last, pre: false }
    }
}

/// AppendEntries. An entry is its index and its command; the terms are a list of their own.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct AppendArgs {
    header: Header,
    epoch: u64,
    prev_log_index: u64,
    prev_log_term: u64,
    terms: Vec<u64>,
    entries: Vec<(u64, Bytes)>,
    leader_commit: u64,
}

impl AsksAppend for AppendArgs {
    fn dress(append: &AppendRequest) -> Self {
        let entries = (append.prev.index + 1..).zip(&append.entries);
        AppendArgs {
            header: Header { from: append.leader, term: append.term },
            epoch: EPOCH,
            prev_log_index: append.prev.index,
            prev_log_term: append.prev.term,
            terms: append.entries.iter().map(|entry| entry.term).collect(),
            entries: entries.map(|(index, entry)| (index, entry.command.clone())).collect(),
            leader_commit: append.commit,
        }
    }

    fn undress(self) -> AppendRequest {
        let Header { from: leader, term } = self.header;
        let entries = self.terms.into_iter().zip(self.entries);
        AppendRequest {
            term,
            leader,
            prev: Place { index: self.prev_log_index, term: self.prev_log_term },
            entries: entries.map(|(term, (_, command))| Entry { term, command }).collect(),
            commit: self.leader_commit,
        }
    }
}
