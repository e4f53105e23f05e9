//! A zoo of wrong key/value services: each with one classic mistake, for the tools to find.
//!
//! [`StudentKv`] and [`StudentClerk`] are a key/value service of parts 3A and 3B as a student of the
//! course would write it, on the reference Raft: one mutex, a thread that executes, handlers that wait
//! on a channel. As [`Correct`] they pass the whole suite. Their type parameter chooses one small
//! deviation, a [`Mistake`], of those that students really make. Where one deviates, the code says
//! `Self::has(Mistake::...)`.
//!
//! ```ignore
//! kv_tests::suite!(simulated, kv_zoo::StudentKv<kv_zoo::Chosen>, kv_zoo::StudentClerk<kv_zoo::Chosen>);
//! ```
//!
//! # What the suite says
//!
//! Runs that failed of 5 seeds a test, all 23 tests of the lab, on the simulated clock; what was said of them,
//! and where it was found most often. What stands in italics are rules of `service-watch`, checked at every
//! event; the others are what tests look at by themselves.
//!
//! | mistake | runs | said | where |
//! |---|---|---|---|
//! | [`AnswersAtStart`](Mistake::AnswersAtStart) | 105 of 115 | *answered when applied* | every test with operations that are watched |
//! | [`AnyEntryWillDo`](Mistake::AnyEntryWillDo) | 26 | *answered when applied* 13, *nobody waits for ever* 7, time limit 5, linearizability 1 | `one_partition`, `many_partitions`, `snapshot_rpc` |
//! | [`IndexIsEnough`](Mistake::IndexIsEnough) | 17 | *answered when applied* 10, get 5, linearizability 2 | `one_partition`, always; `many_partitions`, `snapshot_rpc` |
//! | [`ReadsItsOwnState`](Mistake::ReadsItsOwnState) | 59 | appends 24, get 20, linearizability 9, *a read that cannot know* 6 | partitions and restarts; the rule in `one_partition`, always |
//! | [`DuplicatesAtArrival`](Mistake::DuplicatesAtArrival) | 54 | *applied once* | lossy networks, partitions |
//! | [`SeenMeansDone`](Mistake::SeenMeansDone) | 101 | get 82, *answered when applied* 14 | nearly everywhere |
//! | [`NewNumberOnRetry`](Mistake::NewNumberOnRetry) | 58 | *applied once* | lossy networks, restarts |
//! | [`OneNumberForAll`](Mistake::OneNumberForAll) | 100 | get 75, *answered when applied* 15, appends 10 | nearly everywhere |
//! | [`TableOfTheLeader`](Mistake::TableOfTheLeader) | 58 | *applied once* | lossy networks, partitions, restarts |
//! | [`TableNotInSnapshot`](Mistake::TableNotInSnapshot) | 2 | *applied once* | `snapshot_unreliable_recover`, and with partitions and random keys |
//! | [`AllResultsKept`](Mistake::AllResultsKept) | `snapshot_size`, always | *snapshot size* | the one test with a limit |
//! | [`NeverFreed`](Mistake::NeverFreed) | 26 | *nobody waits for ever* 20, time limit 3, completion after heal 3 | `many_partitions`, `snapshot_rpc`, `one_partition` |
//! | [`LockWhileWaiting`](Mistake::LockWhileWaiting) | all | time limit 63, *nobody waits for ever* 52 | everywhere |
//! | [`AppendAsPut`](Mistake::AppendAsPut) | 41 | appends 21, get 10, linearizability 10 | `unreliable_one_key`, random keys |
//! | [`NoSnapshots`](Mistake::NoSnapshots) | 40 | *log size* | part 3B but for `snapshot_rpc` |
//! | [`SnapshotNotRead`](Mistake::SnapshotNotRead) | 25 | get 11, appends 9, linearizability 5 | part 3B with restarts |
//! | [`OnlyTheLastIsKnown`](Mistake::OnlyTheLastIsKnown) | none, in 25 seeds a test | *applied once*: 10 of 30 runs of `service_soak` | where requests come twice, up to 2 s apart |
//!
//! A server that leads again may keep a client waiting for an entry of its earlier term, which only a
//! further request could commit: that is the time limit of [`NeverFreed`](Mistake::NeverFreed).
//! Of [`AnyEntryWillDo`](Mistake::AnyEntryWillDo) and [`IndexIsEnough`](Mistake::IndexIsEnough) the rule sees each
//! write that is answered for another entry at its index, at the moment when its client has the answer. A Get
//! leaves no mark in an entry: that it was answered so shows in what it got, if that is checked.
//! [`TableNotInSnapshot`](Mistake::TableNotInSnapshot) needs a request that is sent again across a restart.
//!
//! Of 30 runs of the swarm test, `service_soak`, with each of the others, 0 fail for
//! [`AllResultsKept`](Mistake::AllResultsKept), which only a limit of snapshots finds; 1 for
//! [`TableNotInSnapshot`](Mistake::TableNotInSnapshot); 5 to 9 for [`AnyEntryWillDo`](Mistake::AnyEntryWillDo),
//! [`ReadsItsOwnState`](Mistake::ReadsItsOwnState) and [`NeverFreed`](Mistake::NeverFreed); 22 for
//! [`NoSnapshots`](Mistake::NoSnapshots), which shows where snapshots are due; and 12 to 30 for the rest.
//!
//! `tests/found.rs` finds each of them again, `tests/close.rs` shows that right services that come close
//! are not accused. To see one fail:
//!
//! ```text
//! KV_ZOO=AnswersAtStart cargo test -p kv-zoo --test sim -- persist_concurrent_3A
//! ```

use std::sync::OnceLock;
use std::time::Duration;

mod clerk;
mod message;
mod server;
mod store;

pub use clerk::StudentClerk;
pub use server::StudentKv;

/// Which mistake a service has.
pub trait Choice: Send + Sync + 'static {
    /// The mistake; none in the correct one.
    fn mistake() -> Option<Mistake>;

    /// How often a handler looks whether its server still leads.
    fn look() -> Duration {
        Duration::from_millis(100)
    }

    /// A snapshot is due when the saved Raft state has so many quarters of its limit.
    fn due() -> usize {
        3
    }

    /// Whether entries show only some of what clients write, as if the others were compressed.
    fn hides() -> bool {
        false
    }
}

/// A [`Choice`] as a value: so the server is compiled once, and not again for each choice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    pub(crate) mistake: Option<Mistake>,
    pub(crate) look: Duration,
    pub(crate) due: usize,
    pub(crate) hides: bool,
}

impl Habits {
    pub(crate) fn of<M: Choice>() -> Habits {
        Habits { mistake: M::mistake(), look: M::look(), due: M::due(), hides: M::hides() }
    }
}

/// No mistake.
#[derive(Debug)]
pub enum Correct {}

impl Choice for Correct {
    fn mistake() -> Option<Mistake> {
        None
    }
}

/// The mistake that the environment variable `KV_ZOO` names; none if it is not set.
#[derive(Debug)]
pub enum Chosen {}

impl Choice for Chosen {
    fn mistake() -> Option<Mistake> {
        static MISTAKE: OnceLock<Option<Mistake>> = OnceLock::new();
        *MISTAKE.get_or_init(|| {
            let name = labrt::env::var("KV_ZOO")?;
            let known = Mistake::ALL.iter().find(|mistake| format!("{mistake:?}") == name);
            let Some(mistake) = known else {
                panic!("KV_ZOO={name} names no mistake; there are {:?}", Mistake::ALL);
            };
            Some(*mistake)
        })
    }
}

macro_rules! zoo {
    ($($(#[$doc:meta])* $mistake:ident,)*) => {
        /// The mistakes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mistake {
            $($(#[$doc])* $mistake,)*
        }

        impl Mistake {
            /// All of them.
            pub const ALL: &'static [Mistake] = &[$(Mistake::$mistake,)*];
        }
    };
}

zoo! {
    /// A write is answered as soon as Raft has started it.
    ///
    /// The thought: "`start` has given me an index, so it is in the log."
    AnswersAtStart,
    /// Whoever waits at an index is answered with what is executed there, whatever that is.
    ///
    /// The thought: "What stands at my index is my request."
    AnyEntryWillDo,
    /// The same, with handlers that let go when they see that their server leads no longer: they look at that
    /// now and then, and what is executed at the index may come first.
    ///
    /// The thought: "Whoever waits in vain looks at the term; so whoever is answered may trust the index."
    IndexIsEnough,
    /// A leader answers a Get from its own state, without an entry in the log.
    ///
    /// The thought: "I lead, so I know the latest value."
    ReadsItsOwnState,
    /// Duplicates are looked for where requests arrive, and not where they are executed.
    ///
    /// The thought: "A request that was executed is not started again." It can be started twice before
    /// it is executed once.
    DuplicatesAtArrival,
    /// A request that has arrived before is answered as done.
    ///
    /// The thought: "I have it, so it will be done."
    SeenMeansDone,
    /// A clerk gives a request a new number when it sends it again.
    ///
    /// The thought: "Each call has a number of its own."
    NewNumberOnRetry,
    /// A clerk counts what it asks for, but an Append has the number of what came before.
    ///
    /// The thought: "The counter belongs into Get and Put", and the third place was forgotten.
    OneNumberForAll,
    /// Only the server that was asked notes that a request was executed.
    ///
    /// The thought: "The table is for those who ask me."
    TableOfTheLeader,
    /// The table of what was executed is not in the snapshot.
    ///
    /// The thought: "The snapshot is the data."
    TableNotInSnapshot,
    /// The results of all requests are kept for ever.
    ///
    /// The thought: "Any of them may be sent again."
    AllResultsKept,
    /// A handler waits for its own request and for nothing else.
    ///
    /// The thought: "What is in the log will be executed some day."
    NeverFreed,
    /// The lock is held while a handler waits.
    ///
    /// The thought: "So nobody can change what I wait for."
    LockWhileWaiting,
    /// An Append is put into the log as a Put of the whole new value.
    ///
    /// The thought: "I know what is there, and a Put is simpler."
    AppendAsPut,
    /// No snapshot is ever made.
    ///
    /// The thought: "The limit is only about speed."
    NoSnapshots,
    /// A server that starts does not read the snapshot that it has saved.
    ///
    /// The thought: "Raft will send me one." It sends only what it gets from others.
    SnapshotNotRead,
    /// A request is a duplicate only if it is the last one that was executed for its client.
    ///
    /// The thought: "A client asks for one thing at a time, so what comes again is what it asked last." The
    /// network can bring an older one again.
    OnlyTheLastIsKnown,
}
