//! A zoo of wrong sharded services: each with one classic mistake, for the tools to find.
//!
//! [`StudentShards`] and [`StudentClerk`] are the sharded store of part 4B, [`StudentController`] and
//! [`StudentControllerClerk`] the controller of part 4A, as a student of the course would write them.
//! As [`Correct`] they pass the whole suite. Their type parameter chooses one small deviation, a
//! [`Mistake`], of those that students really make.
//!
//! The store is of another build than the reference: here the group that gets a shard *pulls* it, and
//! then has the other one delete it; a group goes on to the next configuration when its shards have
//! come, and those that went are deleted. The layer between Raft and the service is the crate `rsm`: the
//! mistakes here are all above it.
//!
//! ```ignore
//! shard_tests::suite!(
//!     simulated,
//!     shard_zoo::StudentShards<shard_zoo::Chosen, shard_zoo::StudentControllerClerk>,
//!     shard_zoo::StudentClerk<shard_zoo::Chosen, shard_zoo::StudentControllerClerk>,
//!     shard_zoo::StudentController<shard_zoo::Chosen>,
//!     shard_zoo::StudentControllerClerk
//! );
//! ```
//!
//! # What the suite says
//!
//! Tests that failed, of 18 with 3 seeds each (all but `deletion_again_rare` and the swarm test), on the simulated clock; what was said of them; and one
//! where it is found. What stands in italics are rules that are checked at every event, of `shard-watch`
//! and `service-watch`; the others are what tests look at by themselves.
//!
//! | mistake | tests | said | for example |
//! |---|---|---|---|
//! | [`ServedBeforeItArrived`](Mistake::ServedBeforeItArrived) | 15 | *one group serves a shard* | `join_leave`, each with a move |
//! | [`ServedAfterItLeft`](Mistake::ServedAfterItLeft) | 15 | *served as configured* 14, *one group serves a shard* | `join_leave`, each with a move |
//! | [`CheckedAtArrival`](Mistake::CheckedAtArrival) | 4 | get 3, linearizability | `concurrent_1` |
//! | [`ConfigurationSkipped`](Mistake::ConfigurationSkipped) | 12 | *configurations in order* | `miss_change` |
//! | [`TwoMovesAtOnce`](Mistake::TwoMovesAtOnce) | 6 | *one group serves a shard* 2, *served as configured*, get, linearizability, time limit | `miss_change` |
//! | [`ChangesByItself`](Mistake::ChangesByItself) | 8 | *the servers of a group change alike* 3, *configurations in order* 2, get 2, time limit | `concurrent_3` |
//! | [`NeverDeleted`](Mistake::NeverDeleted) | 1 | *lost shards are deleted* | `challenge_1_delete`, the one that asks for it |
//! | [`DeletionOnlyInMind`](Mistake::DeletionOnlyInMind) | 4 | time limit 3, progress after healing | `anything_storm`: a group waits for ever for what nobody remembers |
//! | [`DeletedWhenSent`](Mistake::DeletedWhenSent) | 15 | *no shard is lost* | `static_shards`, each with a move |
//! | [`AnyDeletionWillDo`](Mistake::AnyDeletionWillDo) | none, in 15 seeds each | *no shard is lost*: 71 % of the runs of `deletion_again_rare`, which was written for it, and 1 % of `shards_soak` | where requests come twice, up to 2 s apart |
//! | [`NobodysShardIsNew`](Mistake::NobodysShardIsNew) | 1 | *no shard is lost*, *one group serves a shard* | `anything_storm`, where all groups may leave |
//! | [`InsertedAgain`](Mistake::InsertedAgain) | 3 | linearizability 2, get | `unreliable_2` |
//! | [`TableNotMoved`](Mistake::TableNotMoved) | 5 | *applied once* | `unreliable_2` |
//! | [`RefusalsNoted`](Mistake::RefusalsNoted) | 13 | get 11, linearizability 2 | `concurrent_1` |
//! | [`SnapshotWithoutMoves`](Mistake::SnapshotWithoutMoves) | 10 | *the servers of a group change alike* 6, *one group serves a shard* 3, *configurations in order* | `unreliable_1` |
//! | [`MovesStopAll`](Mistake::MovesStopAll) | 2 | time limit | both tests of challenge 2, and no other |
//! | [`WaitsForAll`](Mistake::WaitsForAll) | 1 | time limit | `challenge_2_partial`, and no other |
//! | [`NewNumberForNextGroup`](Mistake::NewNumberForNextGroup) | 7 | *applied once* | `unreliable_1` |
//! | [`SharedMap`](Mistake::SharedMap) | 18 | first configuration 9, time limit 7, same configuration, progress after healing | `basic_4A` |
//! | [`BalancedByHashOrder`](Mistake::BalancedByHashOrder) | 2 | same configuration, *served as configured* | `multi_4A`; elsewhere one server answers all queries |
//! | [`DealtAnew`](Mistake::DealtAnew) | 13 | minimal movement | `basic_4A` |
//! | [`OneTakesAll`](Mistake::OneTakesAll) | 18 | balance 16, others 2 | `basic_4A` |
//! | [`MoveBalances`](Mistake::MoveBalances) | 2 | move, minimal movement | `basic_4A` |
//! | [`OneConfigurationEach`](Mistake::OneConfigurationEach) | 4 | numbers 2, linearizability of the controller, minimal movement | `minimal_movement_again` |
//! | [`ChangedTwice`](Mistake::ChangedTwice) | 3 | numbers | `unreliable_3` |
//! | [`QueriesItsOwnState`](Mistake::QueriesItsOwnState) | 3 | *a read that cannot know*, same configuration, numbers | `multi_4A` |
//!
//! The swarm test, `shards_soak`, finds all of them in 30 runs but the one named above,
//! [`NeverDeleted`](Mistake::NeverDeleted), [`MovesStopAll`](Mistake::MovesStopAll) and
//! [`WaitsForAll`](Mistake::WaitsForAll): the first is asked for in one test only, the others do no more than let
//! clients wait.
//!
//! If servers tell nothing (`SHARD_ZOO_SILENT=1`), the first two and
//! [`DeletedWhenSent`](Mistake::DeletedWhenSent) are found by what clients get, later and in fewer
//! tests: 8, 8 and 1.
//!
//! A lock that is held while another group is asked is no mistake of a store that pulls. From one
//! configuration to the next a group gains shards or loses them, never both; and a group goes on only when
//! all is done. So two groups never ask each other. In a store that goes on meanwhile, as the reference
//! does, they can.
//!
//! `tests/found.rs` finds each of them again, `tests/close.rs` shows that a right store of this build is
//! not accused. To see one fail:
//!
//! ```text
//! SHARD_ZOO=DeletedWhenSent cargo test -p shard-zoo --test sim -- static_shards_4B
//! ```

use std::sync::OnceLock;

mod balance;
mod clerk;
mod controller;
mod machine;
mod message;
mod movers;
mod server;

pub use clerk::StudentClerk;
pub use controller::{StudentController, StudentControllerClerk};
pub use server::StudentShards;

/// Which mistake a service has.
pub trait Choice: Send + Sync + 'static {
    /// The mistake; none in the correct one.
    fn mistake() -> Option<Mistake>;

    /// Whether servers tell what their group does with the shards ([`shard_api::tell`]).
    fn tells() -> bool {
        true
    }
}

/// A [`Choice`] as a value: so what runs on a server is compiled once, and not again for each choice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    pub(crate) mistake: Option<Mistake>,
    pub(crate) tells: bool,
}

impl Habits {
    pub(crate) fn of<M: Choice>() -> Habits {
        Habits { mistake: M::mistake(), tells: M::tells() }
    }

    pub(crate) fn has(self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
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

/// The mistake that the environment variable `SHARD_ZOO` names; none if it is not set. With
/// `SHARD_ZOO_SILENT` set, servers tell nothing.
#[derive(Debug)]
pub enum Chosen {}

impl Choice for Chosen {
    fn mistake() -> Option<Mistake> {
        static MISTAKE: OnceLock<Option<Mistake>> = OnceLock::new();
        *MISTAKE.get_or_init(|| {
            let name = labrt::env::var("SHARD_ZOO")?;
            let known = Mistake::ALL.iter().find(|mistake| format!("{mistake:?}") == name);
            let Some(mistake) = known else {
                panic!("SHARD_ZOO={name} names no mistake; there are {:?}", Mistake::ALL);
            };
            Some(*mistake)
        })
    }

    fn tells() -> bool {
        static TELLS: OnceLock<bool> = OnceLock::new();
        *TELLS.get_or_init(|| labrt::env::var("SHARD_ZOO_SILENT").is_none())
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
    /// A group answers for a shard as soon as the configuration gives it to it.
    ///
    /// The thought: "It is mine now." Its data have not come yet.
    ServedBeforeItArrived,
    /// A group answers for a shard until the new owner has had it deleted.
    ///
    /// The thought: "While I have it, I can as well answer." What it answers then, the new owner does not
    /// know.
    ServedAfterItLeft,
    /// Whether a group serves a key is looked at where the request arrives, and not where it is executed.
    ///
    /// The thought: "I refuse what is not mine before it is in the log." The configuration can change in
    /// between.
    CheckedAtArrival,
    /// A group goes to the latest configuration, whatever lies between.
    ///
    /// The thought: "Only the latest one counts."
    ConfigurationSkipped,
    /// A group goes on to the next configuration although shards have not come yet.
    ///
    /// The thought: "They will come some day."
    TwoMovesAtOnce,
    /// Each server changes its configuration when the controller answers it.
    ///
    /// The thought: "All of them will hear of it."
    ChangesByItself,
    /// What has gone to another group is never deleted.
    ///
    /// The thought: "It does no harm."
    NeverDeleted,
    /// Only the memory of the leader knows that the old owner is still to delete a shard.
    ///
    /// The thought: "I have it, now I tell him." Whoever crashes in between tells nobody.
    DeletionOnlyInMind,
    /// A group deletes a shard when it has sent it.
    ///
    /// The thought: "The answer will arrive."
    DeletedWhenSent,
    /// A group that is told to delete a shard that leaves does so, whichever move the word is about.
    ///
    /// The thought: "Whoever says so has it." It may be about a move before, in which the shard left too.
    AnyDeletionWillDo,
    /// A group deletes a shard that the configuration gives to nobody, and who gets it next begins with none of its data.
    ///
    /// The thought: "Nobody has it, so nobody needs it." The keys have values for all that.
    NobodysShardIsNew,
    /// Shards that have come are taken again if they come again.
    ///
    /// The thought: "They are the same ones." Meanwhile they have been written to.
    InsertedAgain,
    /// The table of what was executed does not go with the shard.
    ///
    /// The thought: "The shard is the data."
    TableNotMoved,
    /// What was refused is noted as done.
    ///
    /// The thought: "Whatever came out of the log goes into the table."
    RefusalsNoted,
    /// A snapshot has the data and the configuration, and not what is on its way.
    ///
    /// The thought: "The configuration says what is mine."
    SnapshotWithoutMoves,
    /// While shards are to come, a group answers for none.
    ///
    /// The thought: "First the move, then the rest." It breaks challenge 2 only.
    MovesStopAll,
    /// Shards that have come are served when all of them have.
    ///
    /// The thought: "The configuration is finished then." It breaks challenge 2 only.
    WaitsForAll,
    /// A clerk gives a write a new number when it goes to another group.
    ///
    /// The thought: "To that group it is a new request."
    NewNumberForNextGroup,
    /// All configurations of the controller share one map of groups.
    ///
    /// The thought: in Go, an assignment copies a map. It does not.
    SharedMap,
    /// The controller looks at the groups in the order of a hash map.
    ///
    /// The thought: "Any group with few shards will do." It is another one on each server.
    BalancedByHashOrder,
    /// Each balance deals all shards anew, round and round.
    ///
    /// The thought: "So they are balanced."
    DealtAnew,
    /// The shards of who leaves all go to the first group, and who joins gets none.
    ///
    /// The thought: "Somebody has them."
    OneTakesAll,
    /// A Move is balanced afterwards.
    ///
    /// The thought: "Every configuration is balanced." So the Move is undone.
    MoveBalances,
    /// A Join of several groups makes a configuration for each.
    ///
    /// The thought: "A loop over the groups."
    OneConfigurationEach,
    /// The controller makes a change again when its request comes again.
    ///
    /// The thought: "To join twice does no harm."
    ChangedTwice,
    /// A leader answers a Query from its own state, without an entry in the log.
    ///
    /// The thought: "I lead, so I know the latest one."
    QueriesItsOwnState,
}
