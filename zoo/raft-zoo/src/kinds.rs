//! The bugs, each with the rule that it breaks and the thought behind it.

use crate::{Bug, StudentRaft};

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
    //= state.saved, vote.once
    /// A vote is granted and not saved.
    ///
    /// Breaks Figure 2, "Persistent state on all servers (updated on stable storage before responding
    /// to RPCs)": after a crash the server may vote a second time in the same term.
    ///
    /// The thought: "The new term has just been saved, a few lines above."
    VoteNotPersisted,
    //= state.saved, state.term-grows
    /// The state is saved when the log has changed, and only then.
    ///
    /// Breaks the same rule: after a crash the server is back in an earlier term, in which it may
    /// stand for election or vote once more.
    ///
    /// The thought: "It is the entries that must not get lost."
    OnlyLogPersisted,
    //= state.saved
    /// A follower does not save the entries it has stored.
    ///
    /// Breaks the same rule, for `log[]`: an entry counts as replicated that a crash takes away.
    ///
    /// The thought: "`start` saves each command."
    FollowerLogNotPersisted,
    //= state.saved, state.term-grows
    /// A newer term is taken over and not saved.
    ///
    /// Breaks the same rule, for `currentTerm`: after a crash the server listens to a leader of an
    /// earlier term once more.
    ///
    /// The thought: "It is saved with the next vote or the next entry."
    TermNotPersisted,
    //= followers.stand
    /// The election timer starts anew on every RPC that comes in.
    ///
    /// Breaks the Students' Guide, "Livelocks": only a granted vote and an AppendEntries of the
    /// current term count. A server whose log is too old to win keeps the others from trying.
    ///
    /// The thought: "Somebody talks to me, so the cluster is alive."
    TimerResetByAnyRpc,
    //= candidates.random, lab.election-time
    /// All servers have the same election timeout.
    ///
    /// Breaks section 5.2: "Raft uses randomized election timeouts to ensure that split votes are
    /// rare and that they are resolved quickly."
    ///
    /// The thought: "They do not start at the same moment anyway."
    SameTimeout,
    //= all.stale-reply, candidates.majority
    /// A vote of an earlier term counts for the present one.
    ///
    /// Breaks the Students' Guide, "Term confusion": a reply is dropped if the term is no longer the
    /// one that was asked in. Two servers can lead one term.
    ///
    /// The thought: "I am a candidate, and it says that the vote is granted."
    StaleVoteCounted,
    //= all.stale-reply
    /// The reply to an AppendEntries of an earlier term is taken for one of the present term.
    ///
    /// Breaks the same advice. The follower's log may have changed since, and so may the leader's.
    ///
    /// The thought: "I am the leader, and it says that the entries are stored."
    StaleAppendReply,
    //= leaders.commit
    /// An entry of an earlier term is committed as soon as a majority has it.
    ///
    /// Breaks section 5.4.2 (Figure 8): "only log entries from the leader's current term are
    /// committed by counting replicas". Another leader can still overwrite it.
    ///
    /// The thought: "A majority has it, so it is safe."
    OldTermCommitted,
    //= leaders.back-up, leaders.send
    /// After a conflict in a term that the leader does not have, `nextIndex` is one too high.
    ///
    /// Breaks the Students' Guide, "An aside on optimizations": then the entry before `nextIndex` is
    /// the one in conflict, and the follower refuses again, for ever.
    ///
    /// The thought: "The other branch has `+ 1` as well."
    NextIndexOffByOne,
    //= append.conflict
    /// A follower deletes everything after `prevLogIndex` before it appends.
    ///
    /// Breaks Figure 2, AppendEntries, receiver 3, "*If* an existing entry conflicts with a new one":
    /// a request that was overtaken by a later one deletes entries that the leader counts on.
    ///
    /// The thought: "The leader is always right, and the result is the same."
    TruncateAlways,
    //= leaders.success
    /// `matchIndex` is taken from the leader's log as it is when the reply comes.
    ///
    /// Breaks the Students' Guide ("Term confusion", on `matchIndex`): it is `prevLogIndex +
    /// len(entries[])` of the arguments that were sent; the log may have grown since.
    ///
    /// The thought: "I have sent all I had."
    MatchIndexFromLog,
    //= all.apply
    /// Each step of `commitIndex` starts a thread that applies what is new.
    ///
    /// Breaks section 5.3, which has entries applied "in log order": the threads send outside the
    /// lock, whoever comes first.
    ///
    /// The thought: "`lastApplied` moves under the lock, so nothing is applied twice."
    ManyAppliers,
    //= all.apply
    /// The applier waits for a signal before it looks whether there is something to apply.
    ///
    /// Breaks Figure 2, Rules for all servers ("If commitIndex > lastApplied: ... apply"): a signal that comes while it
    /// hands over a command wakes nobody, and what was committed then is applied when the next entry is.
    ///
    /// The thought: "Whenever `commitIndex` moves, I am woken."
    LostWakeUp,
    //= lab.locks
    /// A second lock orders what is applied: the applier takes it before the state's lock, and
    /// whoever moves `commitIndex` takes it after.
    ///
    /// Breaks no rule of the paper but the first one about locks: always in the same order.
    ///
    /// The thought: "`commitIndex` must not move between reading and sending."
    LockOrder,
    //= lab.locks
    /// The lock is held while a call is under way.
    ///
    /// Breaks the course's advice on locking: a call takes as long as the network likes, and its
    /// handler may wait for the lock of a server that waits for this one.
    ///
    /// The thought: "So nothing can change between the question and the answer."
    RpcUnderLock,
    //= append.matches
    /// A follower accepts a heartbeat without a look at its log.
    ///
    /// Breaks the Students' Guide ("The importance of details"): a heartbeat is an AppendEntries, and
    /// "success" says that the log agrees up to `prevLogIndex`.
    ///
    /// The thought: "There is nothing in it that I could store."
    HeartbeatUnchecked,
    //= vote.up-to-date
    /// The longer log counts as more up-to-date, whatever its last term is.
    ///
    /// Breaks section 5.4.1: "the log with the later term is more up-to-date". A server that lacks
    /// committed entries can be elected.
    ///
    /// The thought: "Up-to-date means that nothing is missing."
    LongerLogWins,
    //= lab.half
    /// Half of the servers count as a majority.
    ///
    /// Breaks section 5.2 and all that rests on "a majority of the servers": two halves elect and commit
    /// without knowing of each other. With an odd number of servers nothing is to be seen.
    ///
    /// The thought: "`votes * 2 >= servers`, as for three of five."
    HalfIsEnough,
    //= lab.alone
    /// Votes are counted when a reply comes, and then only.
    ///
    /// A server that is alone, which is a majority, never leads.
    ///
    /// The thought: "A candidate is elected by its peers."
    AloneNeverElected,
    //= lab.alone
    /// The commit index moves when a reply comes, and then only.
    ///
    /// A server that is alone leads and commits nothing.
    ///
    /// The thought: "Only an answer can change what a majority has."
    AloneNeverCommits,
    //= vote.once
    /// A candidate does not note that it has voted for itself.
    ///
    /// Breaks Figure 2, Rules for candidates, "vote for self": it votes for another candidate of its term as well.
    ///
    /// The thought: "My own vote is counted in `votes`."
    OwnVoteNotNoted,
    //= vote.once
    /// The vote is forgotten when the leader of the term speaks.
    ///
    /// Breaks Figure 2, RequestVote, receiver 2: a second vote in the same term.
    ///
    /// The thought: "Now I am a follower, as in a new term."
    VoteForgotten,
    //= vote.stale
    /// A vote is given to a candidate of an earlier term.
    ///
    /// Breaks Figure 2, RequestVote, receiver 1.
    ///
    /// The thought: "My vote is free and its log is good."
    OldTermVote,
    //= vote.up-to-date
    /// A log counts as up-to-date if neither its last term nor its last index is lower.
    ///
    /// Breaks section 5.4.1: the later term wins, however short the log is. The one server that can win may be refused.
    ///
    /// The thought: "At least as up-to-date, in both."
    BothMustBeGreater,
    //= all.newer-term
    /// A candidate with an old log is refused before its newer term is taken over.
    ///
    /// Breaks Figure 2, Rules for all servers: a term is taken over from whoever has it.
    ///
    /// The thought: "It gets no vote anyway."
    RefusedBeforeTerm,
    //= all.newer-term
    /// The terms of replies are not looked at.
    ///
    /// Breaks the same rule, which has "request or response": a deposed leader goes on.
    ///
    /// The thought: "If there is a new leader, it will tell me."
    NewerTermIgnored,
    //= all.newer-term
    /// A leader takes over no newer term, neither of a request nor of a reply, and answers no.
    ///
    /// Breaks the same rule: a leader that was deposed while it was away leads on for ever.
    ///
    /// The thought: "I was elected; those who ask are candidates."
    LeaderDeaf,
    //= candidates.leader
    /// A candidate refuses the AppendEntries of its term's leader.
    ///
    /// Breaks Figure 2, Rules for candidates: "If AppendEntries RPC received from new leader: convert to follower".
    ///
    /// The thought: "I stand for election, I follow nobody."
    CandidateDeaf,
    //= leaders.own-log
    /// A new leader deletes the entries that it does not know to be committed.
    ///
    /// Breaks section 5.3, "a leader never overwrites or deletes entries in its log": they may well be committed.
    ///
    /// The thought: "Their clients have gone, and it is my term now."
    LeaderCleansLog,
    //= state.leader
    /// `matchIndex` survives from one lead to the next.
    ///
    /// Breaks Figure 2, State, "reinitialized after election": followers' logs have changed since.
    ///
    /// The thought: "What is matched stays matched."
    MatchIndexKept,
    //= append.stale
    /// Entries of an earlier term's leader are taken.
    ///
    /// Breaks Figure 2, AppendEntries, receiver 1.
    ///
    /// The thought: "The consistency check will find out."
    OldLeaderHeard,
    //= append.conflict
    /// Entries in conflict are overwritten, and those behind them stay.
    ///
    /// Breaks Figure 2, AppendEntries, receiver 3, "and all that follow it".
    ///
    /// The thought: "The next ones will overwrite them too."
    StaleTailKept,
    //= append.new
    /// Nothing is appended if the first entry is there already.
    ///
    /// Breaks Figure 2, AppendEntries, receiver 4, "*any* new entries not already in the log".
    ///
    /// The thought: "I have had this request before."
    RestDropped,
    //= append.commit
    /// `commitIndex` follows `leaderCommit` up to the end of the log. (Heartbeats are empty here, and follow
    /// `matchIndex`.)
    ///
    /// Breaks Figure 2, AppendEntries, receiver 5: what is behind the last new entry may be another leader's.
    ///
    /// The thought: "The last new entry is the last one of my log."
    CommitsUnchecked,
    //= append.commit
    /// A follower commits what it accepts.
    ///
    /// Breaks the same rule.
    ///
    /// The thought: "It comes from the leader, so it is decided."
    AppliedOnAcceptance,
    //= state.commit-grows
    /// `commitIndex` is set to what each request says, and `lastApplied` follows it.
    ///
    /// Breaks Figure 2, State, "increases monotonically": an old request takes it back, and entries are applied twice.
    ///
    /// The thought: "The leader knows it better."
    CommitGoesBack,
    //= state.commit-grows, lab.restart
    /// A restarted server counts its whole log as committed.
    ///
    /// Breaks Figure 2, State: `commitIndex` is volatile and begins at 0.
    ///
    /// The thought: "It was saved, so it is safe."
    RestoredIsCommitted,
    //= leaders.commit
    /// The search for `N` begins behind `commitIndex` and stops at the first entry of an earlier term.
    ///
    /// Breaks section 5.4.2, "all prior entries are committed indirectly": they hold up all that follow.
    ///
    /// The thought: "An entry of an old term is not committed by counting."
    CommitLoopStops,
    //= retry
    /// Entries are sent when there are new ones, and heartbeats are always empty.
    ///
    /// Breaks section 5.5: what was lost is not sent again before the next command comes.
    ///
    /// The thought: "A heartbeat is an AppendEntries without entries."
    HeartbeatsEmpty,
    //= lab.heartbeats
    /// Heartbeats are sent three times as often as the lab allows.
    ///
    /// The thought: "The paper has election timeouts of 150 ms."
    ManyHeartbeats,
    //= lab.rpcs, lab.heartbeats
    /// Each success leads to the next AppendEntries at once.
    ///
    /// The thought: "There may be something new by now."
    ReplyLeadsToNext,
    //= lab.bytes
    /// Each AppendEntries has the whole log.
    ///
    /// Breaks the lab's limit on bytes: each command goes to each peer once.
    ///
    /// The thought: "So the consistency check always succeeds."
    WholeLogSent,
    //= leaders.heartbeat
    /// One thread calls the followers one after the other.
    ///
    /// Breaks section 5.3, "issues AppendEntries RPCs in parallel": one that does not answer holds up the others' heartbeats.
    ///
    /// The thought: "There are only a few of them."
    CallsInTurn,
    //= lab.start
    /// `start` looks whether the server leads, and takes the lock once more to append.
    ///
    /// Breaks the course's advice on locking: in between the server may have lost its lead.
    ///
    /// The thought: "The lock is held at each access."
    StartUnlocked,
    //= lab.start
    /// `start` waits a tenth of a second for other commands, to send them together.
    ///
    /// Breaks part 2B: "`Start()` should return immediately, without waiting for the log appends to complete".
    ///
    /// The thought: "Fewer RPCs are better."
    StartWaits,
    //= lab.make
    /// `make` returns when there may be a leader, and not before.
    ///
    /// Breaks the lab's interface: `Make()` returns quickly, since servers are made one after the other.
    ///
    /// The thought: "The service cannot do anything without one."
    MakeWaits,
    //= state.term-grows
    /// The term of a reply is read before the request's newer one is taken over.
    ///
    /// Breaks section 5.1: a yes is said in the term in which it was asked for. Who is asked looks as if it had answered
    /// in an earlier one.
    ///
    /// The thought: "`reply.Term = rf.currentTerm` comes first, then all cases have it."
    TermReadTooEarly,
    //= state.term-grows
    /// The term of a request or reply is taken over if it is another one, also a smaller one.
    ///
    /// Breaks Figure 2, State, "increases monotonically": a message that comes late takes the server back.
    ///
    /// The thought: "If the terms differ, I am out of date."
    AnyTermTaken,
    //= candidates.majority
    /// The thread that sends an AppendEntries builds it, and does not look whether the server still leads.
    ///
    /// Breaks Figure 2, which has leaders send these: by then the server may follow, and its `currentTerm` be another
    /// leader's.
    ///
    /// The thought: "The ticker has just seen that I lead."
    RequestBuiltLate,
    //= candidates.majority
    /// A candidate asks once more, since replies may be lost, and counts each yes.
    ///
    /// Breaks section 5.2, "votes from a majority of the servers": one server makes two of them.
    ///
    /// The thought: "`votes++` for each vote that is granted."
    VotesCountedTwice,
    //= vote.once
    /// A leader gives its vote to a candidate of its own term.
    ///
    /// Breaks Figure 2, RequestVote, receiver 2: it has voted for itself. So it makes a second leader of the term.
    ///
    /// The thought: "My election is over, so my vote is free."
    LeaderVotes,
    //= state.saved
    /// A leader does not save the commands that it takes, and counts itself for them.
    ///
    /// Breaks Figure 2, "Persistent state on all servers": of the majority that makes an entry committed, one forgets it
    /// in a crash.
    ///
    /// The thought: "Followers save before they answer, so it is on stable storage."
    LeaderLogNotPersisted,
    //= leaders.success
    /// A follower's success says where its log ends, and the leader takes that for `matchIndex`.
    ///
    /// Breaks Figure 2, AppendEntries: what is behind the entries of the request may be another leader's.
    ///
    /// The thought: "It knows best what it has."
    TailAcknowledged,
    //= append.conflict
    /// If there is an entry at the index of the first new one, that one is taken to be the same.
    ///
    /// Breaks Figure 2, AppendEntries, receiver 3: only the entry *before* it was compared.
    ///
    /// The thought: "The consistency check has just looked at it."
    FirstEntryUnchecked,
    //= retry
    /// A follower that did not answer gets nothing more of this leader.
    ///
    /// Breaks section 5.3, "the leader retries AppendEntries RPCs indefinitely".
    ///
    /// The thought: "It has crashed, and will say so when it is back."
    SilentAfterFailure,
    //= followers.stand
    /// The election timer starts anew when an AppendEntries has succeeded, and not when it is refused.
    ///
    /// Breaks Figure 2, Rules for followers: a follower whose log is behind deposes the leader that mends it.
    ///
    /// The thought: "What I refuse does not count."
    OnlySuccessRestarts,
    //= leaders.back-up
    /// `nextIndex` goes back by one for each refusal, an old one too, and below `matchIndex`.
    ///
    /// Breaks the Students' Guide, "An aside on optimizations": who lacks hundreds of entries needs as many calls. An old
    /// refusal speaks of the `nextIndex` that it was asked with, and costs time and bytes only.
    ///
    /// The thought: "Decrement and retry."
    EachRefusalCounts,
    //= install.newer
    /// A snapshot of the service is saved when something else is to be saved, and not before.
    ///
    /// Breaks section 7: what a snapshot holds must be on stable storage when its entries are gone.
    ///
    /// The thought: "The next entry saves it all."
    SnapshotNotSaved,
    //= snapshot.together
    /// The shorter log is saved first, and then once more with the snapshot.
    ///
    /// Breaks the lab's rule that both change in one step: after a crash in between the entries are gone
    /// and no snapshot holds them.
    ///
    /// The thought: "`persist` comes after each change of the log."
    StateSavedAlone,
    //= snapshot.together, lab.restart
    /// A restarted server does not read its snapshot back, and saves an empty one with its next state.
    ///
    /// Breaks the same rule: the stored snapshot is erased.
    ///
    /// The thought: "The service reads the snapshot, Raft does not need it."
    EmptySnapshotSaved,
    //= snapshot.base-term
    /// `lastIncludedTerm` is not saved with the rest.
    ///
    /// Breaks section 7, which keeps it "to support the AppendEntries consistency check for the first log
    /// entry following the snapshot".
    ///
    /// The thought: "The entry is gone, and its index is in the snapshot."
    BaseTermForgotten,
    //= snapshot.committed
    /// A snapshot is taken of the whole log.
    ///
    /// Breaks section 7: a snapshot covers "just the committed entries", here even those that the service
    /// has not seen.
    ///
    /// The thought: "It holds all that there is."
    SnapshotOfAll,
    //= snapshot.committed
    /// One entry too few is cut off behind a snapshot, so all that follow have the wrong index.
    ///
    /// Breaks Log Matching (Figure 3).
    ///
    /// The thought: "Index 1 stands at place 0, so it is `index - 1` entries."
    CutOffByOne,
    //= snapshot.committed
    /// The entries that a snapshot holds are kept.
    ///
    /// Breaks section 7, whose point is that the log does not grow without bound.
    ///
    /// The thought: "They may still be good for somebody who is behind."
    LogNotCut,
    //= lab.restart
    /// A restarted server begins with `commitIndex` and `lastApplied` 0, though it has a snapshot.
    ///
    /// Breaks the lab's interface: the service has read the snapshot, and goes on behind it.
    ///
    /// The thought: "Figure 2: initialized to 0."
    AppliedFromStart,
    //= snapshot.send
    /// A leader sends a follower the entries that it has, though that one lacks some that are gone.
    ///
    /// Breaks section 7: "the leader must occasionally send snapshots to followers that lag behind".
    ///
    /// The thought: "`nextIndex` cannot be lower than the first entry."
    NoInstallSnapshot,
    //= snapshot.send
    /// `nextIndex` stays where it is when a snapshot has come.
    ///
    /// Wastes a snapshot with each heartbeat; and the entries behind it are never sent.
    ///
    /// The thought: "The next AppendEntries will find that out."
    NextIndexNotMoved,
    //= install.newer
    /// A follower takes each snapshot of the current term, also an old one.
    ///
    /// Breaks Figure 13, InstallSnapshot, receiver 5 and 6: only one with a *smaller* index is discarded
    /// for another. A late one takes log and service back.
    ///
    /// The thought: "The leader knows why it sends it."
    SnapshotGoesBack,
    //= install.keep
    /// A snapshot takes the place of the whole log, whatever is in that.
    ///
    /// Breaks Figure 13, InstallSnapshot, receiver 6: "If existing log entry has same index and term as
    /// snapshot's last included entry, retain log entries following it". The follower may have accepted
    /// them.
    ///
    /// The thought: "Receiver 7: discard the entire log."
    SnapshotEmptiesLog,
    //= leaders.success
    /// `matchIndex` is taken from the leader's snapshot as it is when the answer comes.
    ///
    /// As [`Kind::MatchIndexFromLog`]: it is `lastIncludedIndex` of the arguments that were sent. The
    /// follower lacks what is between the two, and `nextIndex` never goes back there.
    ///
    /// The thought: "It has my snapshot."
    InstalledIsBase,
    //= install.reset
    /// A thread of its own hands a snapshot to the service.
    ///
    /// Breaks the order of the apply channel: entries behind the snapshot may be there first.
    ///
    /// The thought: "The handler must not wait for the service."
    SnapshotByItself,
    //= snapshot.base-term
    /// With a snapshot the service gets the term of the server, and not that of the snapshot's last entry.
    ///
    /// Breaks the lab's interface: `SnapshotTerm` belongs to `SnapshotIndex`, as in Figure 13 `lastIncludedTerm` does to
    /// `lastIncludedIndex`.
    ///
    /// The thought: "The term is the one in which I install it."
    SnapshotTermIsCurrent,
    //= lab.locks
    /// The handler of InstallSnapshot sends the snapshot on the apply channel itself, with the lock held.
    ///
    /// Breaks the lab's advice: a service that is busy just then waits for the lock as soon as it calls its
    /// Raft, for ever.
    ///
    /// The thought: "The service must have it before I answer."
    SnapshotUnderLock,
    //= lab.locks
    /// The applier sends with the lock held.
    ///
    /// Breaks the lab's advice: the service calls `snapshot` before it reads on, and that waits for the
    /// lock, for ever.
    ///
    /// The thought: "So nothing comes between two commands."
    AppliesUnderLock,
}
