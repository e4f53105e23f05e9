//! What must hold in every state.

use std::fmt;

/// Something that must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// Figure 3: at most one leader is elected in a term.
    ElectionSafety,
    /// Figure 3: a leader never overwrites or deletes entries in its log.
    LeaderAppendOnly,
    /// Figure 3: two logs with an entry of the same index and term are the same up to there.
    LogMatching,
    /// Figure 3: what was committed in a term is in the log of each leader of a later term, also of one that
    /// leads already when it is committed.
    LeaderCompleteness,
    /// Figure 3: no two servers commit different entries at one index.
    StateMachineSafety,
    /// Section 5.2: a server votes at most once in a term, and in no term before one that it has told of, over
    /// crashes too.
    OneVote,
    /// Section 5.3: a committed entry is, and stays, on the disks of a majority.
    OnMajority,
    /// Section 7: a snapshot holds what was committed up to its last entry, and nothing else.
    Snapshots,
    /// Figure 2: all that has changed is saved before anybody is told.
    Saved,
    /// What the core promises of itself (`raft::rules::invariants`).
    OwnPromises,
}

impl Property {
    /// Its name, as in the paper where it has one there.
    pub fn name(self) -> &'static str {
        match self {
            Property::ElectionSafety => "Election Safety",
            Property::LeaderAppendOnly => "Leader Append-Only",
            Property::LogMatching => "Log Matching",
            Property::LeaderCompleteness => "Leader Completeness",
            Property::StateMachineSafety => "State Machine Safety",
            Property::OneVote => "one vote a term",
            Property::OnMajority => "committed on a majority",
            Property::Snapshots => "snapshots",
            Property::Saved => "saved before answered",
            Property::OwnPromises => "the core's promises",
        }
    }
}

/// A property that does not hold, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which property.
    pub property: Property,
    /// What happened, in a sentence.
    pub words: String,
}

impl Violation {
    pub(crate) fn new(property: Property, words: String) -> Violation {
        Violation { property, words }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property.name(), self.words)
    }
}
