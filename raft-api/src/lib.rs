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
//! | `rf.Snapshot(index, snapshot)` | [`Raft::snapshot`] (part 2D) |
//! | - | [`Raft::read_index`]: reads without a log entry, beyond the course |
//! | `ApplyMsg`, `applyCh` | [`ApplyMsg`], whose docs say in which order they come |
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
    /// the server's own, which it need not use. Committed commands go to `apply` in the order that
    /// [`ApplyMsg`] describes: without gaps, from index 1 on, again after each restart. If the persister
    /// holds a snapshot (part 2D), they go on behind it instead; the service reads the stored snapshot
    /// from the persister itself, before it makes the server.
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
    /// `None` from a server that does not lead says that nothing was done. A server that ends meanwhile says `None`,
    /// too, and may have saved the command before: after a restart it can be committed.
    ///
    /// Never waits for agreement, for another server or for the service. An implementation may wait
    /// for what it is doing itself, such as a write to its own disk, and says so.
    fn start(&self, command: Bytes) -> Option<Started>;

    /// Gives the server a snapshot (part 2D): `snapshot` holds all that the commands up to and with
    /// `index` have led to, so that their entries are needed no more. Every server's service does this
    /// by itself, a leader's as well as a follower's, whenever it likes.
    ///
    /// When it returns, or soon after:
    ///
    /// - Raft state and snapshot are saved, in one step
    ///   ([`Persister::save_state_and_snapshot`]): no crash leaves one of them without the other.
    ///   Every later save keeps the snapshot.
    /// - The entries up to `index` are forgotten, and their memory is free. Index and term of the last
    ///   one are kept, also in the saved state: what follows is compared with them.
    /// - A follower that lacks what is forgotten gets the snapshot instead, in one message
    ///   (InstallSnapshot, Figure 13 of the paper, without chunks).
    ///
    /// **Who calls it.** The thread that reads the apply channel, between two messages, and that channel
    /// has no buffer. So while a server sends on the channel it must not hold a lock that this method
    /// needs: the two would wait for each other for ever. Nor may this method wait for the service, or
    /// for another server. It may wait for what the server does itself, such as a write to its own disk.
    ///
    /// **Old ones are ignored**: if `index` is not above that of the last snapshot, the call changes
    /// nothing. That is no mistake of the service: the server may have got a newer snapshot from its
    /// leader, which is still on its way through the apply channel.
    ///
    /// `index` is at most that of the last message that the service took from the apply channel, and
    /// `snapshot` is not empty: to a persister an empty snapshot is none. An implementation may panic
    /// if one of the two is not so.
    ///
    /// # Panics
    /// The default always does. It is for a Raft of parts 2A to 2C, which needs no line about it.
    fn snapshot(&self, index: u64, _snapshot: Bytes) {
        panic!(
            "this Raft has no snapshots (part 2D): `snapshot({index}, ..)` was called, and it has only \
             the default of `raft_api::Raft::snapshot`; write that method"
        );
    }

    /// Where a read may be answered without an entry in the log (paper, section 8): up to which index the
    /// service of this server must have executed all that Raft hands over. Then its answer has all that
    /// was written before this call, on whichever server. No test of the lab asks for it.
    ///
    /// `tell` is called once, with the index or with the reason why there is none. It may be called on any
    /// task, before or after this returns, and does not block. It is not called, but dropped, if the server
    /// ends before; and it may take as long as this server cannot reach a majority.
    ///
    /// An implementation must know what is committed (it has committed an entry of its own term) and that
    /// no later leader was elected before the call (a majority says so, after the call has come).
    ///
    /// The default tells [`NoReadIndex::Unsupported`]. Reads go through the log then, and always can.
    fn read_index(&self, tell: TellReadIndex) {
        tell(Err(NoReadIndex::Unsupported));
    }

    /// What the server believes about its term and its role.
    fn state(&self) -> RaftState;

    /// What a saved Raft state means, for checkers: they compare it with what the server has told
    /// others. `None`, the default, if this Raft does not say or the bytes are not its own. No bytes
    /// at all are the state of a new server. (If a Raft does not say, a test on the simulated clock makes a
    /// second server from the bytes now and then, by [`make`](Raft::make), and asks that one.)
    ///
    /// Its indexes are those of the messages. A Raft whose log holds more than the service sees (such
    /// as entries without a command) gives the log as it is, and says how many of the forgotten entries the
    /// service saw ([`Persisted::log_base_commands`]).
    fn read_persisted(_state: &[u8]) -> Option<Persisted> {
        None
    }

    /// What a saved Raft state means of which all but the end, `appended`, means `known`: for checkers,
    /// which look often, at states that grow ([`Persister::append_raft_state`]). `None`, the default: the
    /// whole must be read ([`read_persisted`](Raft::read_persisted)), which says the same.
    fn read_appended(_known: Persisted, _appended: &[u8]) -> Option<Persisted> {
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

/// Is told of a read index, or why there is none.
pub type TellReadIndex = Box<dyn FnOnce(Result<u64, NoReadIndex>) + Send>;

/// Why there is no read index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoReadIndex {
    /// This server does not lead, or leads no longer.
    NotLeader,
    /// This server leads, and nothing of its term is committed yet, so it does not know what is. A
    /// command helps: let the read go through the log, and the next one will have an index.
    NothingCommitted,
    /// This Raft does not say. Reads must go through the log.
    Unsupported,
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
    /// snapshot holds what the entries up to here led to. Then it is Figure 13's `lastIncludedIndex` of
    /// that snapshot (or less, if some entries are kept that the snapshot holds), and the persister holds
    /// the snapshot beside this state. It never goes back.
    pub log_base: u64,
    /// The term of that entry (`lastIncludedTerm`); 0 if [`log_base`](Persisted::log_base) is 0.
    pub log_base_term: u64,
    /// How many of the entries up to [`log_base`](Persisted::log_base) are commands: the index up to which
    /// the service's snapshot must go at least. Fewer than all, if the log holds entries that the service
    /// does not see. `None`, the default, if the Raft does not say.
    pub log_base_commands: Option<u64>,
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

    /// The term of the entry with this index, if the saved state says it. It does so of the entries
    /// that it has and of the last one that the snapshot holds: two logs that agree there are the same
    /// up to there, whether an entry or a snapshot says it. Index 0 has term 0.
    pub fn term_at(&self, index: u64) -> Option<u64> {
        match self.entry(index) {
            SavedEntry::OfTerm(term) => Some(term),
            SavedEntry::InSnapshot => (index == self.log_base).then_some(self.log_base_term),
            SavedEntry::Missing => None,
        }
    }
}

/// What a server tells the service above it, through the apply channel.
///
/// The messages are one sequence. Say the service *is at* index 0 when it is new, at the index of its
/// stored snapshot when it is restarted with one, and later at the index of the last message:
///
/// - a command has the index after the one where the service is;
/// - a snapshot has an index above it, and the next command has the one after the snapshot's.
///
/// So nothing is missing, nothing comes twice and nothing goes back. A snapshot that the service has
/// overtaken meanwhile, by commands or by a newer one, must not be sent any more. Nor does a restarted
/// server send the snapshot that it has stored.
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
    /// The leader has sent a snapshot (part 2D), since it does not have the commands any more that
    /// this server lacks. It takes the place of all that the service has. Raft has saved it already.
    Snapshot {
        /// The index of the last command whose effect it holds (`lastIncludedIndex`).
        index: u64,
        /// The term of that command's entry (`lastIncludedTerm`).
        term: u64,
        /// The bytes that some server's service gave to [`Raft::snapshot`] for this index.
        snapshot: Bytes,
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
        let cut = Persisted { log_base: 7, log_base_term: 1, ..whole };
        assert_eq!(entries(&cut, [6, 7, 8, 9]), [InSnapshot, InSnapshot, OfTerm(1), OfTerm(3)]);
        assert_eq!(entries(&cut, [0, 1, 10, u64::MAX]), [InSnapshot, InSnapshot, Missing, Missing]);
    }

    #[test]
    fn the_term_is_known_of_the_last_entry_in_a_snapshot_too() {
        let log_terms = vec![2, 3];
        let whole = Persisted { log_terms, ..Persisted::default() };
        assert_eq!(
            [0, 1, 2, 3].map(|index| whole.term_at(index)),
            [Some(0), Some(2), Some(3), None]
        );
        let cut = Persisted { log_base: 7, log_base_term: 1, ..whole };
        let terms = [0, 6, 7, 8, 9, 10].map(|index| cut.term_at(index));
        assert_eq!(terms, [None, None, Some(1), Some(2), Some(3), None]);
    }

    struct OfPart2C;

    impl Raft for OfPart2C {
        fn make(
            _: Vec<ClientEnd>,
            _: usize,
            _: Arc<dyn Persister>,
            _: Sender<ApplyMsg>,
        ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
            Ok(Arc::new(OfPart2C))
        }

        fn services(self: Arc<Self>) -> Vec<Service> {
            Vec::new()
        }

        fn start(&self, _: Bytes) -> Option<Started> {
            None
        }

        fn state(&self) -> RaftState {
            RaftState { term: 0, is_leader: false }
        }

        fn kill(&self) {}
    }

    #[test]
    fn a_raft_without_read_indexes_says_so_to_who_asks() {
        let (told, says) = labrt::channel::unbounded();
        OfPart2C.read_index(Box::new(move |index| told.send(index).expect("somebody listens")));
        assert_eq!(says.recv(), Ok(Err(NoReadIndex::Unsupported)));
    }

    #[test]
    #[should_panic(expected = "this Raft has no snapshots (part 2D): `snapshot(9, ..)` was called")]
    fn a_raft_without_snapshots_says_so_when_it_is_given_one() {
        OfPart2C.snapshot(9, Bytes::from_static(b"s"));
    }
}
