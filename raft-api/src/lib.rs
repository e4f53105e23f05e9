//! What a Raft offers to the services and the tests above it.
//!
//! The tester and the services of later labs are written against the trait [`Raft`], so that any
//! implementation can take the place of any other: the reference in the crate `raft`, a student's,
//! an adapter for somebody else's.
//!
//! | Go | here |
//! |---|---|
//! | `Make(peers, me, persister, applyCh)` | [`Raft::make`] |
//! | `rf.Start(command)` | [`Raft::start`], with [`Started`] for `(index, term, true)` |
//! | `rf.GetState()` | [`Raft::state`] |
//! | `rf.Kill()` | [`Raft::kill`] |
//! | `ApplyMsg` | [`ApplyMsg`] |
//! | methods found by reflection | [`Raft::services`] |
//! | `interface{}` as a command | [`Bytes`]; encode with labgob |
//!
//! This crate holds no rules and no state.

use std::error::Error;
use std::sync::Arc;

pub use bytes::Bytes;
use labrpc::{ClientEnd, Service};
use labrt::channel::Sender;
use persister::Persister;

mod message;
pub use message::{Meaning, Wire};

/// One server of a Raft cluster, as the service above it sees it.
pub trait Raft: Send + Sync + Sized + 'static {
    /// Makes a server, restores what the persister holds and starts its background work. Returns
    /// quickly.
    ///
    /// `peers` has one end per server of the cluster, in the same order everywhere; `peers[me]` is
    /// the server's own, which it need not use. Committed commands go to `apply`, in order of their
    /// index, without gaps, from 1 on, again after each restart.
    ///
    /// # Errors
    /// If the persister cannot be read, or what it holds is not a state of this Raft. A server must
    /// not start afresh then: it could vote twice in one term.
    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        apply: Sender<ApplyMsg>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>>;

    /// What other servers may call: added to the labrpc server that goes by this one's number.
    fn services(self: Arc<Self>) -> Vec<Service>;

    /// Offers a command. If this server believes it is the leader it starts agreement on it and
    /// returns where the command will stand, *if* it is ever committed; else it returns `None`.
    ///
    /// Never waits for agreement, for another server or for the service. An implementation may wait
    /// for what it is doing itself, such as a write to its own disk, and says so.
    fn start(&self, command: Bytes) -> Option<Started>;

    /// What the server believes about its term and its role.
    fn state(&self) -> RaftState;

    /// What a saved Raft state means, for checkers: they compare it with what the server has told
    /// others. `None`, the default, if this Raft does not say or the bytes are not its own. No bytes
    /// at all are the state of a new server.
    ///
    /// Its indexes are those of the messages. A Raft whose log holds more than the service sees (such
    /// as entries without a command) gives the log as it is.
    fn read_persisted(_state: &[u8]) -> Option<Persisted> {
        None
    }

    /// What a message between servers means, for checkers. By default they go by the names of its
    /// fields (`docs/names.md` lists those that they know). A Raft with other names says it here, in
    /// the words of Figure 2; so does one whose message promises less than its name says.
    ///
    /// The indexes may be higher than the service's by what only the log holds, but not lower.
    ///
    /// ```
    /// # use labgob::{Gob, serde::{Deserialize, Serialize}};
    /// use raft_api::{Meaning, Wire};
    ///
    /// #[derive(Serialize, Deserialize, Gob)]
    /// # #[serde(crate = "labgob::serde")]
    /// struct Answer { epoch_now: u64, fits: bool }
    ///
    /// fn read_message(message: &Wire<'_>) -> Meaning {
    ///     match (message.method, message.reply) {
    ///         ("Raft.AppendEntries", true) => match labgob::decode::<Answer>(message.bytes) {
    ///             Ok(Answer { epoch_now, fits }) => {
    ///                 Meaning::Appended { term: epoch_now, success: fits, match_index: None }
    ///             }
    ///             Err(_) => Meaning::Nothing,
    ///         },
    ///         _ => Meaning::ByNames,
    ///     }
    /// }
    /// ```
    fn read_message(_message: &Wire<'_>) -> Meaning {
        Meaning::ByNames
    }

    /// Tells the server that it will not be used any more, so that it may stop its background work.
    /// The tester does not rely on it. A service may: an implementation says what a killed server
    /// still does.
    fn kill(&self);
}

/// Where a command will stand in the log if it is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Started {
    /// The index; the first command has 1.
    pub index: u64,
    /// The leader's term.
    pub term: u64,
}

/// What a server believes about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RaftState {
    /// Its current term.
    pub term: u64,
    /// Whether it believes it is the leader of that term.
    pub is_leader: bool,
}

/// What a saved Raft state means (Figure 2 of the paper, persistent state).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Persisted {
    /// `currentTerm`.
    pub term: u64,
    /// `votedFor`.
    pub voted_for: Option<usize>,
    /// The index of the entry before the first of [`log_terms`](Persisted::log_terms): 0, unless a
    /// snapshot holds what the entries up to here led to.
    pub log_base: u64,
    /// The terms of the entries of `log[]`, from the one after [`log_base`](Persisted::log_base) on.
    pub log_terms: Vec<u64>,
}

/// What a saved Raft state says about the entry with some index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SavedEntry {
    /// A snapshot has taken its place; it was committed.
    InSnapshot,
    /// It is saved, with this term.
    OfTerm(u64),
    /// There is none.
    Missing,
}

impl Persisted {
    /// What is saved about the entry with this index. Index 0 is before all entries, and counts as
    /// part of the snapshot.
    pub fn entry(&self, index: u64) -> SavedEntry {
        let Some(behind) = index.checked_sub(self.log_base).filter(|behind| *behind > 0) else {
            return SavedEntry::InSnapshot;
        };
        let place = usize::try_from(behind - 1).unwrap_or(usize::MAX);
        self.log_terms.get(place).map_or(SavedEntry::Missing, |term| SavedEntry::OfTerm(*term))
    }
}

/// What a server tells the service above it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApplyMsg {
    /// This command has been committed.
    Command {
        /// Its index.
        index: u64,
        /// The command.
        command: Bytes,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_log_may_begin_anywhere() {
        let whole = Persisted { log_terms: vec![1, 3], ..Persisted::default() };
        let entries =
            |saved: &Persisted, indexes: [u64; 4]| indexes.map(|index| saved.entry(index));
        use SavedEntry::{InSnapshot, Missing, OfTerm};
        assert_eq!(entries(&whole, [0, 1, 2, 3]), [InSnapshot, OfTerm(1), OfTerm(3), Missing]);
        let cut = Persisted { log_base: 7, ..whole };
        assert_eq!(entries(&cut, [6, 7, 8, 9]), [InSnapshot, InSnapshot, OfTerm(1), OfTerm(3)]);
        assert_eq!(entries(&cut, [0, 1, 10, u64::MAX]), [InSnapshot, InSnapshot, Missing, Missing]);
    }
}
