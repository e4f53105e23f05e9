//! Situations that a run may come into, each recognised from outside: from messages, from what clients ask
//! and are answered, and from what the tester does.
//!
//! A suite that never comes into a situation tests nothing of what is written for it. So each run counts
//! them, and who sums up runs can say which were never reached.

use std::collections::BTreeMap;

use crate::coverage::{self, Coverage, Kind};

/// What a situation is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// A Raft.
    Raft,
    /// A service on a Raft, and its clients.
    Service,
    /// A service whose shards move between groups.
    Shards,
}

macro_rules! situations {
    ($($layer:ident { $($(#[doc = $doc:literal])* $name:ident = $key:literal, $says:literal;)* })*) => {
        /// A situation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Situation {
            $($($(#[doc = $doc])* $name,)*)*
        }

        impl Situation {
            /// All of them, in the order in which a table shows them.
            pub const ALL: &[Situation] = &[$($(Situation::$name,)*)*];

            /// Its name in a record.
            pub fn key(self) -> &'static str {
                match self {
                    $($(Situation::$name => $key,)*)*
                }
            }

            /// What it is, in a line.
            pub fn says(self) -> &'static str {
                match self {
                    $($(Situation::$name => $says,)*)*
                }
            }

            /// What it is one of.
            pub fn layer(self) -> Layer {
                match self {
                    $($(Situation::$name => Layer::$layer,)*)*
                }
            }
        }

        impl Layer {
            /// Its situations, in the order in which a table shows them. Those of a Raft come first of all.
            pub fn situations(self) -> &'static [Situation] {
                match self {
                    $(Layer::$layer => &[$(Situation::$name,)*],)*
                }
            }
        }
    };
}

situations! {
    Raft {
        /// Counted when a request of a later term reaches somebody. Who reaches nobody is no candidate here, and a
        /// voter has to have been asked for what another one had.
        SplitVote = "split_vote", "several candidates in a term, and nobody is elected";
        /// Counted when the winner speaks as leader. Who reaches nobody is no candidate here.
        ContestedTerm = "contested_term", "several candidates in a term, and one of them is elected";
        /// What it hears is an AppendEntries or a snapshot.
        CandidateHearsLeader = "candidate_hears_leader", "a candidate hears the leader of its term";
        /// The timer ran out a moment too early.
        TimeoutWhileHeartbeatTravels = "timeout_while_heartbeat_travels",
            "a follower stands for election while a message of its leader is on its way to it";
        /// The vote must have been saved.
        AskedAgainAfterCrash = "asked_again_after_crash",
            "a server has voted, crashes, and is asked by another candidate of that term";
        /// What the server had promised before must still hold.
        RestartWithinTerm = "restart_within_term", "a server speaks after a restart in the term of before it";
        /// The reply never left, but what it would have said is true.
        CrashBeforeReply = "crash_before_reply", "a server crashes after it has saved and before it answers";
        /// The cluster starts again with what was saved alone.
        AllDown = "all_down", "all servers are down at once";
        /// It was cut off, most often.
        DeposedByReply = "deposed_by_reply", "a leader learns of a higher term from a reply";
        /// A candidate or a new leader tells it.
        DeposedByRequest = "deposed_by_request", "a leader learns of a higher term from a request";
        /// The entries may come to either end.
        DeposedWithTail = "deposed_with_tail", "a leader is deposed while entries of it are not committed";
        /// The entries are lost, as they may be.
        TailOverwritten = "tail_overwritten", "such entries are overwritten by a later leader's";
        /// The entries were not lost after all.
        TailCommitted = "tail_committed", "such entries are committed by a later leader";
        /// It does not know yet that nobody will ever commit them.
        StaleLeaderAccepts = "stale_leader_accepts",
            "a leader accepts a command while another one leads a later term, or while it reaches no majority";
        /// It hears so.
        StaleLeaderRefused = "stale_leader_refused", "the AppendEntries of a leader of an earlier term is refused";
        /// A wrong leader counts it, or takes a term from it.
        ReplyToEarlierTerm = "reply_to_earlier_term", "a reply reaches its server in a later term than it asked in";
        /// What it says is old.
        LateReply = "late_reply", "a reply to an AppendEntries comes after one to a later AppendEntries";
        /// Nothing is cut off, there are just too few entries.
        FollowerTooShort = "follower_too_short", "a follower refuses since its log ends before prevLogIndex";
        /// A follower cuts off entries of one term.
        ConflictOneTerm = "conflict_1_term", "a follower's entries of one term are cut off";
        /// As above.
        ConflictTwoTerms = "conflict_2_terms", "a follower's entries of two terms are cut off";
        /// As above.
        ConflictMoreTerms = "conflict_3_terms", "a follower's entries of three terms or more are cut off";
        /// Figure 8 of the paper.
        OldEntryNotCounted = "old_entry_not_counted",
            "a majority has an entry of an earlier term, and the leader does not commit it yet";
        /// What ends the situation before.
        OldEntryCommittedLater = "old_entry_committed_later",
            "it commits such an entry together with one of its own term";
        /// Nothing may be cut off.
        LatePrefix = "late_prefix", "an AppendEntries comes whose entries are a part of what is stored already";
        /// The second one must change nothing. It was sent again, or the network has made a copy.
        SameRequestTwice = "same_request_twice",
            "the same entries, the same snapshot or the same request for a vote reach a server twice";
        /// The later one comes first.
        Overtaken = "overtaken", "a heartbeat and entries overtake each other";
        /// The snapshot takes away nothing that came after it.
        SnapshotOvertaken = "snapshot_overtaken", "AppendEntries that was sent after a snapshot comes before it";
        /// It is old news.
        SnapshotOld = "snapshot_old", "a snapshot comes that ends before the follower's own";
    }
    Service {
        /// The answer was lost, or came too late. A copy that the network makes is not the client's.
        RetryAfterCommit = "retry_after_commit",
            "a client asks again for a write, and an entry of it is committed when that reaches a server";
        /// Each leader has made an entry of it.
        WriteAtTwoLeaders = "write_at_two_leaders", "leaders of two terms have an entry for the same write";
        /// What it has executed is old, and it does not know so.
        ReadAtDeposedLeader = "read_at_deposed_leader",
            "a read reaches a leader while another one leads a later term";
    }
    Shards {
        /// Nobody may execute it until the shard has arrived.
        WriteWhileMoving = "write_while_moving",
            "a client waits for a write while its shard is on its way between groups";
        /// Shards are asked for that their group does not have itself yet.
        ReconfigurationsOverlap = "reconfigurations_overlap",
            "a configuration is made while shards are on their way for an earlier one";
    }
}

/// How often each situation was seen in a run, by [`Situation::key`]. What somebody has looked for and not seen is
/// there with 0; what nobody has looked for is not.
pub type Situations = BTreeMap<String, u64>;

/// Counts situations, and keeps when their numbers doubled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    all: BTreeMap<Situation, u64>,
    doubled: Coverage,
}

impl Counts {
    /// None of a layer's has been seen yet.
    ///
    /// What is never seen is there too, with 0: so who sums up runs knows that somebody has looked for it.
    pub fn of(layer: Layer) -> Counts {
        let all = layer.situations().iter().map(|one| (*one, 0)).collect();
        Counts { all, ..Counts::default() }
    }

    /// It was seen so many times more. `now` gives the lab time in microseconds; it is asked if this is the first,
    /// second, fourth and so on time.
    pub fn add(&mut self, situation: Situation, times: u64, now: impl FnOnce() -> u64) {
        let count = self.all.entry(situation).or_default();
        let before = std::mem::replace(count, *count + times);
        let digits = |number: u64| u64::BITS - number.leading_zeros();
        let doublings = digits(before)..digits(*count);
        if doublings.is_empty() {
            return;
        }
        let us = now();
        for power in doublings {
            let key = situation.key().bytes().map(u64::from);
            self.doubled.see(Kind::Situations, coverage::hash(key.chain([1 << power])), us);
        }
    }

    /// What was seen.
    pub fn all(&self) -> Situations {
        self.all.iter().map(|(one, times)| (one.key().to_string(), *times)).collect()
    }

    /// The same for a search: that there were 1, 2, 4 and so on of each, and since when.
    pub fn coverage(&self) -> &Coverage {
        &self.doubled
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_distinct() {
        let keys: BTreeSet<&str> = Situation::ALL.iter().map(|one| one.key()).collect();
        assert_eq!(keys.len(), Situation::ALL.len());
    }

    #[test]
    fn what_was_looked_for_and_not_seen_is_there() {
        let mut counts = Counts::of(Layer::Shards);
        counts.add(Situation::WriteWhileMoving, 2, || 5);
        let expected = [("reconfigurations_overlap", 0), ("write_while_moving", 2)];
        assert_eq!(counts.all(), expected.map(|(key, times)| (key.to_string(), times)).into());
        assert_eq!(Counts::default().all(), Situations::new());
    }

    #[test]
    fn a_search_is_told_when_a_number_doubles() {
        let mut counts = Counts::default();
        let mut news = Vec::new();
        for (us, times) in [(10, 0), (20, 1), (30, 1), (40, 1), (50, 5), (60, 7), (70, 1)] {
            let asked = std::cell::Cell::new(false);
            let now = || {
                asked.set(true);
                us
            };
            let before = counts.coverage().of(Kind::Situations).count();
            counts.add(Situation::SplitVote, times, now);
            let new = counts.coverage().of(Kind::Situations).count() - before;
            assert_eq!(asked.get(), new > 0);
            news.push(new);
        }
        // There were none, 1, 2, 3, 8, 15 and 16 of them.
        assert_eq!(news, [0, 1, 1, 0, 2, 0, 1]);
        let mut times: Vec<u64> =
            counts.coverage().of(Kind::Situations).map(|(_, us)| us).collect();
        times.sort_unstable();
        assert_eq!(times, [20, 30, 50, 50, 70]);
        let mut other = Counts::default();
        other.add(Situation::AllDown, 16, || 0);
        assert_eq!(other.coverage().of(Kind::Situations).count(), 5);
        let of_both = |hash| other.coverage().of(Kind::Situations).any(|(other, _)| other == hash);
        assert!(!counts.coverage().of(Kind::Situations).any(|(hash, _)| of_both(hash)));
    }
}
