//! A zoo of wrong Rafts: each with one classic bug, for the tools to find.
//!
//! [`StudentRaft`] is a complete Raft of parts 2A to 2C as a student of the course would write it, in
//! plain blocking Rust: threads, one mutex, two condition variables, a thread for each call. As
//! [`Correct`] it passes the whole suite. Its type parameter chooses one small deviation, a [`Kind`],
//! of those that students really write. Where one deviates, the code says `Self::has(Kind::...)`.
//!
//! ```ignore
//! raft_tests::suite!(simulated, raft_zoo::OldTermCommitted);
//! ```
//!
//! # What the suite says
//!
//! Runs that failed, of 500 seeds a test on the simulated clock (200 for `churn`, `unreliable_churn`
//! and `figure_8_unreliable`), with the course's tests alone; and the rule that finds the bug since
//! the tester checks each message, with its share of 60 seeds a test.
//!
//! | bug | the course's tests alone | the rule, and where it is broken |
//! |---|---|---|
//! | [`VoteNotPersisted`] | never found | *saved before answered*: every run |
//! | [`OnlyLogPersisted`] | never found | *saved before answered*: every run |
//! | [`FollowerLogNotPersisted`] | `basic_persistence` 100 %, both `churn`s 21 % | *saved before answered*: every run with commands |
//! | [`TimerResetByAnyRpc`] | `more_persistence`, 6 of 9,516; `figure_8_unreliable` 0.5 % | none: as before |
//! | [`SameTimeout`] | `figure_8_unreliable` 100 %, `unreliable_agreement` 99 %, `multiple_elections` 88 % | none, but the verdict counts the elections that nobody won |
//! | [`StaleVoteCounted`] | `figure_8_unreliable` 3 % | *elected by a majority*: `figure_8_unreliable` 89 % |
//! | [`StaleAppendReply`] | `figure_8_unreliable`, 1 of 3,500 | none: as before |
//! | [`OldTermCommitted`] | `figure_8` 78 %, `figure_8_unreliable` 2.5 % | *old entries are not committed by counting* (or *committed by a majority*): ten tests, most runs |
//! | [`NextIndexOffByOne`] | `figure_8` 100 %, `figure_8_unreliable` 97 % | none, but the verdict counts the refusals at one `prevLogIndex` |
//! | [`TruncateAlways`] | `unreliable_agreement` 72 %, `unreliable_churn` 55 %, `figure_8_unreliable` 5 % | *accepted entries stay*: 82 %, 100 %, 45 % |
//! | [`MatchIndexFromLog`] | `unreliable_agreement` 100 %, `figure_8_unreliable` 85 %, `unreliable_churn` 76 % | *committed by a majority*: the same and more |
//! | [`ManyAppliers`] | both `churn`s 2.5 %, `unreliable_agreement` 1 % | *apply order*: as before |
//! | [`LockOrder`] | `unreliable_churn` 4 %, `unreliable_agreement` 0.6 %, as a time limit | *deadlock*, with both places: as often, at the moment it happens |
//! | [`RpcUnderLock`] | almost all tests, as time limits | *RPC while holding a lock*: every run, at the first election |
//! | [`HeartbeatUnchecked`] | ten tests, mostly 95 % or more | *accepted after a look*: the same, nearly every run of them |
//! | [`HalfIsEnough`] | `agreement_of_2`, `of_4`, `of_6_sizes` | *elected by a majority*, *committed by a majority*: every run of these |
//! | [`AloneNeverElected`] | `agreement_of_1_sizes` 100 % | none, but the verdict counts the elections that nobody won |
//! | [`AloneNeverCommits`] | `agreement_of_1_sizes` 100 % | none |
//! | [`LongerLogWins`] | `leader_backs_up_quickly`, `rejoin_of_partitioned_leader` 100 %, as `apply error` | *election restriction*: at the vote, the same |
//!
//! Lost votes need a crash in the short time between a vote and the next entry, and an election that
//! asks for the same term afterwards. [`StaleAppendReply`] needs a server that leads, loses its last
//! entries to another leader and leads again, all before a reply comes. [`TimerResetByAnyRpc`] only
//! delays elections: a test fails if the one server that can win is not the first to try in some twenty
//! rounds.
//!
//! `tests/found.rs` has seeds for all but [`StaleAppendReply`]. To see one fail:
//!
//! ```text
//! RAFT_ZOO=LongerLogWins cargo test -p raft-zoo --test sim -- rejoin_of_partitioned_leader_2B
//! ```

use std::sync::OnceLock;

mod election;
mod log;
mod message;
mod replication;
mod server;

use message::{AppendEntriesArgs, AppendEntriesReply, RequestVoteArgs, RequestVoteReply, Rpc};
pub use server::StudentRaft;

impl<B: Bug> Rpc for server::Handlers<B> {
    fn request_vote(&self, args: RequestVoteArgs) -> RequestVoteReply {
        self.0.handle_request_vote(&args)
    }

    fn append_entries(&self, args: AppendEntriesArgs) -> AppendEntriesReply {
        self.0.handle_append_entries(&args)
    }
}

/// Which bug a [`StudentRaft`] has.
pub trait Bug: Send + Sync + 'static {
    /// The bug; none in the correct one.
    fn kind() -> Option<Kind>;
}

/// No bug.
#[derive(Debug)]
pub enum NoBug {}

impl Bug for NoBug {
    fn kind() -> Option<Kind> {
        None
    }
}

/// The Raft without a bug.
pub type Correct = StudentRaft<NoBug>;

/// The bug that the environment variable `RAFT_ZOO` names; none if it is not set.
#[derive(Debug)]
pub enum FromEnvironment {}

impl Bug for FromEnvironment {
    fn kind() -> Option<Kind> {
        static KIND: OnceLock<Option<Kind>> = OnceLock::new();
        *KIND.get_or_init(|| {
            let name = labrt::env::var("RAFT_ZOO")?;
            let known = Kind::ALL.iter().find(|kind| format!("{kind:?}") == name);
            let Some(kind) = known else {
                panic!("RAFT_ZOO={name} names no bug; there are {:?}", Kind::ALL);
            };
            Some(*kind)
        })
    }
}

/// The Raft with the bug that the environment variable `RAFT_ZOO` names.
pub type Chosen = StudentRaft<FromEnvironment>;

macro_rules! zoo {
    ($($(#[$doc:meta])* $kind:ident,)*) => {
        /// The bugs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind,)*];
        }

        /// The bugs as type parameters.
        pub mod bugs {
            use super::{Bug, Kind};
            $(
                #[doc = concat!("Chooses [`Kind::", stringify!($kind), "`].")]
                #[derive(Debug)]
                pub enum $kind {}
                impl Bug for $kind {
                    fn kind() -> Option<Kind> {
                        Some(Kind::$kind)
                    }
                }
            )*
        }

        $(
            #[doc = concat!("The Raft with [`Kind::", stringify!($kind), "`].")]
            pub type $kind = StudentRaft<bugs::$kind>;
        )*
    };
}

zoo! {
    /// A vote is granted and not saved.
    ///
    /// Breaks Figure 2, "Persistent state on all servers (updated on stable storage before responding
    /// to RPCs)": after a crash the server may vote a second time in the same term.
    ///
    /// The thought: "The new term has just been saved, a few lines above."
    VoteNotPersisted,
    /// The state is saved when the log has changed, and only then.
    ///
    /// Breaks the same rule: after a crash the server is back in an earlier term, in which it may
    /// stand for election or vote once more.
    ///
    /// The thought: "It is the entries that must not get lost."
    OnlyLogPersisted,
    /// A follower does not save the entries it has stored.
    ///
    /// Breaks the same rule, for `log[]`: an entry counts as replicated that a crash takes away.
    ///
    /// The thought: "`start` saves each command."
    FollowerLogNotPersisted,
    /// The election timer starts anew on every RPC that comes in.
    ///
    /// Breaks the Students' Guide, "Livelocks": only a granted vote and an AppendEntries of the
    /// current term count. A server whose log is too old to win keeps the others from trying.
    ///
    /// The thought: "Somebody talks to me, so the cluster is alive."
    TimerResetByAnyRpc,
    /// All servers have the same election timeout.
    ///
    /// Breaks section 5.2: "Raft uses randomized election timeouts to ensure that split votes are
    /// rare and that they are resolved quickly."
    ///
    /// The thought: "They do not start at the same moment anyway."
    SameTimeout,
    /// A vote of an earlier term counts for the present one.
    ///
    /// Breaks the Students' Guide, "Term confusion": a reply is dropped if the term is no longer the
    /// one that was asked in. Two servers can lead one term.
    ///
    /// The thought: "I am a candidate, and it says that the vote is granted."
    StaleVoteCounted,
    /// The reply to an AppendEntries of an earlier term is taken for one of the present term.
    ///
    /// Breaks the same advice. The follower's log may have changed since, and so may the leader's.
    ///
    /// The thought: "I am the leader, and it says that the entries are stored."
    StaleAppendReply,
    /// An entry of an earlier term is committed as soon as a majority has it.
    ///
    /// Breaks section 5.4.2 (Figure 8): "only log entries from the leader's current term are
    /// committed by counting replicas". Another leader can still overwrite it.
    ///
    /// The thought: "A majority has it, so it is safe."
    OldTermCommitted,
    /// After a conflict in a term that the leader does not have, `nextIndex` is one too high.
    ///
    /// Breaks the Students' Guide, "An aside on optimizations": then the entry before `nextIndex` is
    /// the one in conflict, and the follower refuses again, for ever.
    ///
    /// The thought: "The other branch has `+ 1` as well."
    NextIndexOffByOne,
    /// A follower deletes everything after `prevLogIndex` before it appends.
    ///
    /// Breaks Figure 2, AppendEntries, receiver 3, "*If* an existing entry conflicts with a new one":
    /// a request that was overtaken by a later one deletes entries that the leader counts on.
    ///
    /// The thought: "The leader is always right, and the result is the same."
    TruncateAlways,
    /// `matchIndex` is taken from the leader's log as it is when the reply comes.
    ///
    /// Breaks the Students' Guide ("Term confusion", on `matchIndex`): it is `prevLogIndex +
    /// len(entries[])` of the arguments that were sent; the log may have grown since.
    ///
    /// The thought: "I have sent all I had."
    MatchIndexFromLog,
    /// Each step of `commitIndex` starts a thread that applies what is new.
    ///
    /// Breaks section 5.3, which has entries applied "in log order": the threads send outside the
    /// lock, whoever comes first.
    ///
    /// The thought: "`lastApplied` moves under the lock, so nothing is applied twice."
    ManyAppliers,
    /// A second lock orders what is applied: the applier takes it before the state's lock, and
    /// whoever moves `commitIndex` takes it after.
    ///
    /// Breaks no rule of the paper but the first one about locks: always in the same order.
    ///
    /// The thought: "`commitIndex` must not move between reading and sending."
    LockOrder,
    /// The lock is held while a call is under way.
    ///
    /// Breaks the course's advice on locking: a call takes as long as the network likes, and its
    /// handler may wait for the lock of a server that waits for this one.
    ///
    /// The thought: "So nothing can change between the question and the answer."
    RpcUnderLock,
    /// A follower accepts a heartbeat without a look at its log.
    ///
    /// Breaks the Students' Guide ("The importance of details"): a heartbeat is an AppendEntries, and
    /// "success" says that the log agrees up to `prevLogIndex`.
    ///
    /// The thought: "There is nothing in it that I could store."
    HeartbeatUnchecked,
    /// The longer log counts as more up-to-date, whatever its last term is.
    ///
    /// Breaks section 5.4.1: "the log with the later term is more up-to-date". A server that lacks
    /// committed entries can be elected.
    ///
    /// The thought: "Up-to-date means that nothing is missing."
    LongerLogWins,
    /// Half of the servers count as a majority.
    ///
    /// Breaks section 5.2 and all that rests on "a majority of the servers": two halves elect and commit
    /// without knowing of each other. With an odd number of servers nothing is to be seen.
    ///
    /// The thought: "`votes * 2 >= servers`, as for three of five."
    HalfIsEnough,
    /// Votes are counted when a reply comes, and then only.
    ///
    /// A server that is alone, which is a majority, never leads.
    ///
    /// The thought: "A candidate is elected by its peers."
    AloneNeverElected,
    /// The commit index moves when a reply comes, and then only.
    ///
    /// A server that is alone leads and commits nothing.
    ///
    /// The thought: "Only an answer can change what a majority has."
    AloneNeverCommits,
}
