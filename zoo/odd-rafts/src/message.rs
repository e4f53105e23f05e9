//! What servers say to each other, whatever it looks like on the wire: that is the business of the
//! dresses.

use labgob::Gob;
use raft_api::Bytes;
use serde::{Deserialize, Serialize};

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) struct Entry {
    pub(crate) term: u64,
    pub(crate) command: Bytes,
}

/// Where an entry is, and of which term: enough to tell it from all others. Before the first entry,
/// at index 0, everybody has one of term 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) index: u64,
    pub(crate) term: u64,
}

/// What one server asks of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Vote(VoteRequest),
    Append(AppendRequest),
    Install(InstallRequest),
    TimeoutNow(TimeoutNowRequest),
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Vote(VoteReply),
    Append(AppendReply),
    Install(InstallReply),
    TimeoutNow(TimeoutNowReply),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VoteRequest {
    pub(crate) term: u64,
    pub(crate) candidate: usize,
    /// The last entry of the candidate's log.
    pub(crate) last: Place,
    /// It only asks whether a vote would be given. `term` is the one after the sender's.
    pub(crate) pre: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VoteReply {
    /// The term that the reply shows.
    pub(crate) term: u64,
    /// The term of the request.
    pub(crate) asked: u64,
    pub(crate) pre: bool,
    pub(crate) granted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AppendRequest {
    pub(crate) term: u64,
    pub(crate) leader: usize,
    pub(crate) prev: Place,
    pub(crate) entries: Vec<Entry>,
    pub(crate) commit: u64,
}

/// Which AppendEntries a reply is about. It need not say so itself: the caller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) term: u64,
    pub(crate) prev: u64,
    /// The index of the last entry; `prev` if there is none.
    pub(crate) last: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AppendReply {
    /// The term that the reply shows.
    pub(crate) term: u64,
    pub(crate) about: Subject,
    pub(crate) outcome: Outcome,
    /// The index of the last entry of the follower's log, whether the leader has it or not. Only some
    /// dresses tell it, and no leader of ours asks for it.
    pub(crate) log_end: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The logs agree up to this index.
    Accepted {
        upto: u64,
    },
    Refused {
        hint: Option<Hint>,
    },
}

/// Where a leader that was refused should try next (Students' Guide to Raft, "An aside on
/// optimizations").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hint {
    /// The term of the follower's entry at `prev`; none if it has no entry there.
    pub(crate) term: Option<u64>,
    /// The first index with that term; without one, the index that the follower waits for.
    pub(crate) index: u64,
}

/// A part of a snapshot, or all of it (Figure 13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InstallRequest {
    pub(crate) term: u64,
    pub(crate) leader: usize,
    /// The last entry that the snapshot takes the place of.
    pub(crate) last: Place,
    /// How many of the entries up to there are the service's.
    pub(crate) commands: u64,
    /// Where in the snapshot this part begins.
    pub(crate) offset: u64,
    pub(crate) data: Bytes,
    /// It is the last part.
    pub(crate) done: bool,
}

/// Which InstallSnapshot a reply is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InstallSubject {
    pub(crate) term: u64,
    pub(crate) last: u64,
    /// Where the part ends.
    pub(crate) end: u64,
    pub(crate) done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InstallReply {
    /// The term that the reply shows.
    pub(crate) term: u64,
    pub(crate) about: InstallSubject,
    /// The follower has all of the snapshot up to the end of this part, or needs none of it.
    pub(crate) taken: bool,
}

/// A leader wants this server to stand for election at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeoutNowRequest {
    pub(crate) term: u64,
    pub(crate) leader: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeoutNowReply {
    /// The term that the reply shows.
    pub(crate) term: u64,
}

impl InstallRequest {
    pub(crate) fn subject(&self) -> InstallSubject {
        let end = self.offset + self.data.len() as u64;
        InstallSubject { term: self.term, last: self.last.index, end, done: self.done }
    }
}

impl AppendRequest {
    pub(crate) fn subject(&self) -> Subject {
        let prev = self.prev.index;
        Subject { term: self.term, prev, last: prev + self.entries.len() as u64 }
    }

    /// Without anything to check and anything to store.
    pub(crate) fn is_bare(&self) -> bool {
        self.prev.index == 0 && self.entries.is_empty()
    }
}

impl Reply {
    /// A refusal since entries before those of the request are missing.
    pub(crate) fn waits_for_entries(&self) -> bool {
        let Reply::Append(AppendReply { about, outcome, .. }) = self else { return false };
        let Outcome::Refused { hint: Some(Hint { term: None, index }) } = outcome else {
            return false;
        };
        *index <= about.prev
    }
}

impl Subject {
    /// What a bare yes or no to this request means, with a hint if there is one.
    pub(crate) fn outcome(self, yes: bool, hint: Option<Hint>) -> Outcome {
        match yes {
            true => Outcome::Accepted { upto: self.last },
            false => Outcome::Refused { hint },
        }
    }
}

impl AppendReply {
    /// What a leader has made out of a reply.
    pub(crate) fn read(term: u64, about: Subject, outcome: Outcome) -> AppendReply {
        AppendReply { term, about, outcome, log_end: 0 }
    }

    pub(crate) fn is_yes(&self) -> bool {
        matches!(self.outcome, Outcome::Accepted { .. })
    }

    pub(crate) fn hint(&self) -> Option<Hint> {
        match self.outcome {
            Outcome::Accepted { .. } => None,
            Outcome::Refused { hint } => hint,
        }
    }
}
