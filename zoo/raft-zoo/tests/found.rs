//! For each bug, a test and seeds with which the suite finds it today.
//!
//! A test here runs itself in a process of its own, with its seeds in the environment, and looks at
//! what is said. With `LAB_SEED` it is the run itself: what a failure names as its replay works. The
//! environment chooses the bug as well: so there is one Raft in this program, and not one for each bug.

use std::env;
use std::ops::Range;
use std::process::Command;

use raft_tests::run::{Test, origin, simulated};
use raft_tests::{RaftType, Silent, part_2a, part_2b, part_2c, part_2d, rare, sizes, soak};
use raft_zoo::{Chosen, Kind};

/// The type of Raft and the part, then a line for each bug: name, bug, body, servers, whether the network is
/// unreliable, seeds, and what the verdict contains. The part says whether services take snapshots.
macro_rules! found {
    ($raft:ty, $part:literal: $($name:ident: $bug:ident, $body:path, $servers:literal, $unreliable:literal,
       $seeds:expr, $words:literal;)*) => {$(
        #[test]
        fn $name() {
            let name = stringify!($name);
            if env::var_os("LAB_SEED").is_none() {
                return assert_found(name, Kind::$bug, $seeds, $words);
            }
            let test = Test {
                part: $part,
                title: stringify!($bug),
                servers: $servers,
                unreliable: $unreliable,
                body: $body,
            };
            simulated(&test, RaftType::of::<$raft>(), origin!(name));
        }
    )*};
}

found! { Chosen, "zoo":
    vote_not_persisted: VoteNotPersisted, part_2a::initial_election, 3, false, 0..1,
        "saved before answered: server";
    only_log_persisted: OnlyLogPersisted, part_2a::initial_election, 3, false, 0..1,
        "saved before answered: server";
    follower_log_not_persisted: FollowerLogNotPersisted, part_2b::basic_agreement, 3, false, 0..1,
        "saved before answered: server";
    term_not_persisted: TermNotPersisted, part_2a::election_after_network_failure, 3, false, 0..1,
        "saved before answered: server";
    timer_reset_by_any_rpc: TimerResetByAnyRpc, rare::one_can_win, 9, false, 0..19,
        "a follower stands for election: server";
    stale_append_reply: StaleAppendReply, rare::late_replies, 5, false, 0..9,
        "committed by a majority: server";
    newer_term_ignored: NewerTermIgnored, rare::out_of_touch, 3, false, 0..9,
        "a newer term is taken over: server";
    leader_deaf: LeaderDeaf, part_2a::election_after_network_failure, 3, false, 0..9,
        "a newer term in a request or reply is not taken over";
    same_timeout: SameTimeout, part_2a::multiple_elections, 7, false, 0..3,
        "and none was won";
    stale_vote_counted: StaleVoteCounted, part_2c::figure_8_unreliable, 5, true, 0..9,
        "elected by a majority: server";
    old_term_committed: OldTermCommitted, part_2c::figure_8, 5, false, 0..1,
        "old entries are not committed by counting: server";
    next_index_off_by_one: NextIndexOffByOne, part_2c::figure_8, 5, false, 0..1,
        "AppendEntries of server";
    truncate_always: TruncateAlways, part_2c::churn, 5, true, 0..3,
        "accepted entries stay: server";
    match_index_from_log: MatchIndexFromLog, part_2c::unreliable_agreement, 5, true, 0..3,
        "committed by a majority: server";
    many_appliers: ManyAppliers, part_2c::unreliable_agreement, 5, true, 0..400,
        "apply order: apply error: server";
    lost_wake_up: LostWakeUp, rare::commands_for_a_busy_service, 3, false, 0..1,
        "waits for a signal before it looks";
    lock_order: LockOrder, part_2c::churn, 5, true, 0..99,
        "tasks wait for each other in a circle";
    rpc_under_lock: RpcUnderLock, part_2a::initial_election, 3, false, 0..1,
        "RPC while holding a lock: server";
    heartbeat_unchecked: HeartbeatUnchecked, part_2b::rejoin_of_partitioned_leader, 3, false, 0..1,
        "accepted after a look: server";
    longer_log_wins: LongerLogWins, part_2b::leader_backs_up_quickly, 5, false, 0..1,
        "election restriction: server";
    half_is_enough_of_2: HalfIsEnough, sizes::half_is_no_majority, 2, false, 0..1,
        "by a majority: server";
    half_is_enough_of_4: HalfIsEnough, sizes::half_is_no_majority, 4, false, 0..1,
        "by a majority: server";
    half_is_enough_of_6: HalfIsEnough, sizes::half_is_no_majority, 6, false, 0..1,
        "by a majority: server";
    alone_never_elected: AloneNeverElected, sizes::alone, 1, false, 0..1,
        "agreement: one(10) failed to reach agreement";
    alone_never_commits: AloneNeverCommits, sizes::alone, 1, false, 0..1,
        "agreement: one(10) failed to reach agreement";
    own_vote_not_noted: OwnVoteNotNoted, part_2c::figure_8, 5, false, 0..99,
        "saved before counted: server";
    vote_forgotten: VoteForgotten, part_2c::figure_8, 5, false, 0..99,
        "one vote a term: server";
    old_term_vote: OldTermVote, part_2c::churn, 5, true, 0..400,
        "one vote a term: server";
    both_must_be_greater: BothMustBeGreater, part_2b::leader_backs_up_quickly, 5, false, 0..1,
        "failed to reach agreement";
    refused_before_term: RefusedBeforeTerm, part_2b::leader_backs_up_quickly, 5, false, 0..99,
        "failed to reach agreement";
    leader_cleans_log: LeaderCleansLog, part_2c::basic_persistence, 3, false, 0..1,
        "Leader Completeness: server";
    match_index_kept: MatchIndexKept, part_2b::leader_backs_up_quickly, 5, false, 0..99,
        "failed to reach agreement";
    old_leader_heard: OldLeaderHeard, part_2a::election_after_network_failure, 3, false, 0..1,
        "stale request: server";
    stale_tail_kept: StaleTailKept, part_2b::rejoin_of_partitioned_leader, 3, false, 0..1,
        "a saved log: in the saved log of server";
    rest_dropped: RestDropped, part_2c::unreliable_agreement, 5, true, 0..99,
        "saved before answered: server";
    commits_unchecked: CommitsUnchecked, part_2b::leader_backs_up_quickly, 5, false, 0..1,
        "beyond the entries that their request has checked";
    applied_on_acceptance: AppliedOnAcceptance, part_2b::basic_agreement, 3, false, 0..1,
        "applied when told: server";
    commit_goes_back: CommitGoesBack, part_2c::figure_8, 5, false, 0..99,
        "apply order: apply error";
    restored_is_committed: RestoredIsCommitted, part_2c::figure_8, 5, false, 0..99,
        "applied when told: server";
    commit_loop_stops: CommitLoopStops, part_2c::basic_persistence, 3, false, 0..1,
        "failed to reach agreement";
    heartbeats_empty: HeartbeatsEmpty, part_2c::basic_persistence, 3, false, 0..1,
        "wait: only 2 decided for index";
    many_heartbeats: ManyHeartbeats, part_2c::basic_persistence, 3, false, 0..1,
        "heartbeats: server";
    reply_leads_to_next: ReplyLeadsToNext, part_2b::basic_agreement, 3, false, 0..1,
        "heartbeats: server";
    whole_log_sent: WholeLogSent, part_2b::rpc_byte_count, 3, false, 0..1,
        "too many RPC bytes";
    calls_in_turn: CallsInTurn, part_2c::basic_persistence, 3, false, 0..1,
        "one thread calls the followers one after the other";
    start_waits: StartWaits, part_2b::basic_agreement, 3, false, 0..1,
        "start: `start` of server";
    make_waits: MakeWaits, part_2a::initial_election, 3, false, 0..1,
        "make: `make` of server 0 took";
    term_read_too_early: TermReadTooEarly, part_2b::leader_backs_up_quickly, 5, false, 0..4,
        "term: server";
    any_term_taken: AnyTermTaken, part_2b::leader_backs_up_quickly, 5, false, 0..4,
        "stale request: server";
    request_built_late: RequestBuiltLate, part_2b::leader_backs_up_quickly, 5, false, 0..4,
        "elected by a majority: server";
    votes_counted_twice: VotesCountedTwice, part_2b::leader_backs_up_quickly, 5, false, 0..4,
        "elected by a majority: server";
    leader_votes: LeaderVotes, part_2a::multiple_elections, 7, false, 0..9,
        "one vote a term: server";
    leader_log_not_persisted: LeaderLogNotPersisted, part_2b::leader_backs_up_quickly, 5, false, 0..4,
        "saved before counted: server";
    tail_acknowledged: TailAcknowledged, part_2c::churn, 5, true, 0..9,
        "committed by a majority: server";
    first_entry_unchecked: FirstEntryUnchecked, part_2b::rejoin_of_partitioned_leader, 3, false, 0..4,
        "saved before answered: server";
    silent_after_failure: SilentAfterFailure, part_2b::rejoin_of_partitioned_leader, 3, false, 0..4,
        "failed to reach agreement";
    only_success_restarts: OnlySuccessRestarts, part_2c::figure_8_unreliable, 5, true, 0..9,
        "its timer is not restarted by each of them";
    each_refusal_counts: EachRefusalCounts, part_2c::figure_8_unreliable, 5, true, 0..4,
        "failed to reach agreement";
    start_unlocked: StartUnlocked, rare::starts_at_the_end_of_a_reign, 3, false, 0..9,
        "elected by a majority: server";
}

found! { Chosen, "2D":
    snapshot_not_saved: SnapshotNotSaved, part_2d::install_snapshots_disconnect, 3, false, 0..1,
        "a snapshot is saved: server";
    state_saved_alone: StateSavedAlone, part_2d::snapshots_basic, 3, false, 0..1,
        "state and snapshot belong together: the saved log of server";
    empty_snapshot_saved: EmptySnapshotSaved, part_2d::snapshot_initialization, 3, false, 0..1,
        "state and snapshot belong together: the saved log of server";
    base_term_forgotten: BaseTermForgotten, part_2d::snapshots_basic, 3, false, 0..1,
        "a snapshot's last entry: server";
    snapshot_of_all: SnapshotOfAll, part_2d::snapshots_basic, 3, false, 0..1,
        "state and snapshot belong together: the saved log of server";
    cut_off_by_one: CutOffByOne, part_2d::install_snapshots_disconnect, 3, false, 0..1,
        "Log Matching: two different entries";
    log_not_cut: LogNotCut, part_2d::snapshots_basic, 3, false, 0..1,
        "log size: Log size too large";
    applied_from_start: AppliedFromStart, part_2d::snapshot_initialization, 3, false, 0..1,
        "State Machine Safety: apply error";
    no_install_snapshot: NoInstallSnapshot, part_2d::install_snapshots_disconnect, 3, false, 0..1,
        "and no InstallSnapshot was sent to it";
    next_index_not_moved: NextIndexNotMoved, part_2d::install_snapshots_disconnect, 3, false, 0..1,
        "snapshots sent again: server";
    installed_is_base: InstalledIsBase, part_2d::install_snapshots_disconnect, 3, false, 0..9,
        "AppendEntries of server";
    snapshot_goes_back: SnapshotGoesBack, part_2d::install_snapshots_crash, 3, true, 0..1,
        "apply order: server";
    snapshot_empties_log: SnapshotEmptiesLog, rare::snapshots_on_a_lossy_network, 3, true, 0..9,
        "accepted entries stay: server";
    snapshot_by_itself: SnapshotByItself, part_2d::install_snapshots_disconnect, 3, false, 0..9,
        "apply order: ";
    snapshot_term_is_current: SnapshotTermIsCurrent, part_2d::install_snapshots_disconnect, 3, false, 0..1,
        "a snapshot's last entry: server";
    snapshot_under_lock: SnapshotUnderLock, rare::snapshot_for_a_busy_service, 3, false, 0..3,
        "tasks wait for each other in a circle";
    applies_under_lock: AppliesUnderLock, part_2d::snapshots_basic, 3, false, 0..1,
        "tasks wait for each other in a circle";
}

// A run of these draws how many servers there are.
found! { Chosen, "soak":
    candidate_deaf: CandidateDeaf, soak::anything, 0, false, 0..60,
        "a candidate follows: server";
}

// Without a word from the Raft about what its saved state means.
found! { Silent<Chosen>, "zoo":
    vote_not_persisted_unsaid: VoteNotPersisted, part_2a::initial_election, 3, false, 0..1,
        "promises survive a crash: server";
    only_log_persisted_unsaid: OnlyLogPersisted, part_2b::basic_agreement, 3, false, 0..1,
        "promises survive a crash: server";
    term_not_persisted_unsaid: TermNotPersisted, part_2a::election_after_network_failure, 3, false,
        0..10, "promises survive a crash: server";
    stale_tail_kept_unsaid: StaleTailKept, part_2c::figure_8_unreliable, 5, true, 0..99,
        "or what followed a conflicting entry was not deleted";
    follower_log_not_persisted_unsaid: FollowerLogNotPersisted, part_2b::basic_agreement, 3, false,
        0..1, "promises survive a crash: server";
}

/// The command that repeats a run says which bug the environment chose: else it would repeat another.
#[test]
fn the_replay_names_the_chosen_bug() {
    let name = "the_replay_names_the_chosen_bug";
    if env::var_os("LAB_SEED").is_none() {
        let replay = "replay: RAFT_ZOO=LongerLogWins LAB_SEED=0 cargo test";
        return assert_found(name, Kind::LongerLogWins, 0..1, replay);
    }
    let test = Test {
        part: "zoo",
        title: "chosen",
        servers: 5,
        unreliable: false,
        body: part_2b::leader_backs_up_quickly,
    };
    simulated(&test, RaftType::of::<Chosen>(), origin!(name));
}

/// Runs one of the tests above with this bug and these seeds, and looks for these words.
fn assert_found(name: &str, bug: Kind, seeds: Range<u64>, expected: &str) {
    let run = Command::new(env::current_exe().expect("a running program"))
        .args(["--exact", name, "--nocapture"])
        .env("LAB_SEED", seeds.start.to_string())
        .env("LAB_SEEDS", (seeds.end - seeds.start).to_string())
        .env("RAFT_ZOO", format!("{bug:?}"))
        .env_remove("LAB_RECORDS")
        .output()
        .expect("it can be run");
    let words = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success(), "seeds {seeds:?} find nothing: {words}");
    assert!(words.contains(expected), "`{expected}` is not in: {words}");
}
