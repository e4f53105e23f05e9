//! What is asked of a Raft, sentence by sentence, in our own words.

use super::{Demand, Kind};
use Kind::{Mistake, Proved, Seen};

const fn demand(
    id: &'static str,
    source: &'static str,
    says: &'static str,
    holes: &'static [(Kind, &'static str)],
) -> Demand {
    Demand { id, source, says, holes }
}

const TIME: &str = "a question of numbers of messages, which the suite counts";
const NOBODY: &str = "without it nothing works at all";
const FOLLOWS: &str = "by what follows from it only";
const LATE: &str = "it looks like a heartbeat that was lost";

pub(super) static DEMANDS: &[Demand] = &[
    // Figure 2, State
    demand(
        "state.saved",
        "Figure 2, State",
        "`currentTerm`, `votedFor` and `log[]` are on stable storage before an RPC is answered",
        &[],
    ),
    demand(
        "state.begin",
        "Figure 2, State",
        "A new server begins in term 0, without a vote, with an empty log whose first index is 1",
        &[(Mistake, NOBODY)],
    ),
    demand(
        "state.term-grows",
        "Figure 2, State",
        "`currentTerm` never goes back, across restarts too",
        &[],
    ),
    demand(
        "state.commit-grows",
        "Figure 2, State",
        "`commitIndex` and `lastApplied` only grow",
        &[],
    ),
    demand(
        "state.leader",
        "Figure 2, State",
        "A leader begins anew with `nextIndex` behind its last entry and `matchIndex` 0",
        &[(Seen, FOLLOWS)],
    ),
    // RequestVote
    demand(
        "vote.stale",
        "Figure 2, RequestVote 1",
        "No vote for a candidate of an earlier term",
        &[],
    ),
    demand("vote.once", "Figure 2, RequestVote 2", "One vote in a term, across restarts too", &[]),
    demand(
        "vote.up-to-date",
        "Figure 2, RequestVote 2; section 5.4.1",
        "A vote only for a log whose last entry has a later term, or the same term and no lower index",
        &[],
    ),
    // AppendEntries
    demand(
        "append.stale",
        "Figure 2, AppendEntries 1",
        "Entries of an earlier term's leader are refused",
        &[],
    ),
    demand(
        "append.matches",
        "Figure 2, AppendEntries 2",
        "Refused unless the log has an entry at `prevLogIndex` whose term is `prevLogTerm`",
        &[],
    ),
    demand(
        "append.conflict",
        "Figure 2, AppendEntries 3",
        "Only an entry with another term is deleted, with all behind it; what agrees stays",
        &[],
    ),
    demand(
        "append.new",
        "Figure 2, AppendEntries 4",
        "Entries that are not there are appended",
        &[],
    ),
    demand(
        "append.commit",
        "Figure 2, AppendEntries 5",
        "`commitIndex` follows `leaderCommit`, up to the last entry that this request has checked",
        &[],
    ),
    // Rules for servers
    demand(
        "all.apply",
        "Figure 2, Rules, all servers; section 5.3",
        "What is committed is applied, once, in log order",
        &[],
    ),
    demand(
        "all.newer-term",
        "Figure 2, Rules, all servers; section 5.1",
        "A later term in a request or reply is taken over, and ends candidacy and leadership",
        &[],
    ),
    demand(
        "all.stale-reply",
        "Section 5.1",
        "A reply to what was sent in an earlier term changes nothing in this one",
        &[],
    ),
    demand(
        "followers.respond",
        "Figure 2, Rules, followers",
        "The RPCs of candidates and leaders are answered",
        &[(Mistake, NOBODY)],
    ),
    demand(
        "followers.stand",
        "Figure 2, Rules, followers",
        "Without an AppendEntries of the current leader and without granting a vote, a follower stands \
         for election; a refused or old request does not keep it from that",
        &[],
    ),
    demand(
        "candidates.start",
        "Figure 2, Rules, candidates",
        "An election: a new term, a vote for oneself, a new timeout, RequestVotes to all others",
        &[(Mistake, NOBODY)],
    ),
    demand(
        "candidates.majority",
        "Figure 2, Rules, candidates; section 5.2",
        "Whoever has the votes of a majority of all servers leads",
        &[],
    ),
    demand(
        "candidates.leader",
        "Figure 2, Rules, candidates",
        "A candidate that hears the leader of its term follows it",
        &[],
    ),
    demand(
        "candidates.again",
        "Figure 2, Rules, candidates",
        "An election that nobody has won is followed by another one",
        &[(Mistake, NOBODY)],
    ),
    demand(
        "candidates.random",
        "Section 5.2",
        "Election timeouts are random, so that split votes are rare",
        &[],
    ),
    demand(
        "leaders.first-heartbeat",
        "Figure 2, Rules, leaders",
        "Heartbeats at once after the election",
        &[(Seen, LATE), (Mistake, LATE)],
    ),
    demand(
        "leaders.heartbeat",
        "Figure 2, Rules, leaders",
        "Heartbeats while nothing else is sent, so that nobody else stands for election",
        &[(Seen, FOLLOWS)],
    ),
    demand(
        "leaders.command",
        "Figure 2, Rules, leaders",
        "A command goes into the leader's own log",
        &[(Mistake, NOBODY)],
    ),
    demand(
        "leaders.send",
        "Figure 2, Rules, leaders",
        "A follower is sent what it lacks, from `nextIndex` on",
        &[],
    ),
    demand(
        "leaders.success",
        "Figure 2, Rules, leaders",
        "After success, `matchIndex` is the last entry that the request had, and `nextIndex` follows it",
        &[],
    ),
    demand(
        "leaders.back-up",
        "Figure 2, Rules, leaders; end of section 5.3",
        "After a refusal `nextIndex` goes back, by a whole term at a time",
        &[],
    ),
    demand(
        "leaders.commit",
        "Figure 2, Rules, leaders; section 5.4.2",
        "Committed is what a majority has, if it is of the leader's own term, with all before it",
        &[],
    ),
    demand(
        "leaders.own-log",
        "Section 5.3",
        "A leader never overwrites or deletes entries of its own log",
        &[],
    ),
    demand(
        "retry",
        "Section 5.5",
        "RPCs that fail are sent again, and one that comes twice does no harm",
        &[],
    ),
    // Figure 13
    demand(
        "install.stale",
        "Figure 13, InstallSnapshot 1",
        "A snapshot of an earlier term's leader is ignored",
        &[(Mistake, "what it holds is committed, so it does no harm")],
    ),
    demand(
        "install.newer",
        "Figure 13, InstallSnapshot 5",
        "A snapshot takes the place of one with a smaller index, and is saved; never the other way",
        &[],
    ),
    demand(
        "install.keep",
        "Figure 13, InstallSnapshot 6",
        "If the log has the snapshot's last entry, what follows it stays",
        &[],
    ),
    demand(
        "install.discard",
        "Figure 13, InstallSnapshot 7",
        "Otherwise the whole log goes",
        &[
            (Seen, FOLLOWS),
            (Mistake, "it heals itself: the next entry takes the place of what was left"),
        ],
    ),
    demand(
        "install.reset",
        "Figure 13, InstallSnapshot 8",
        "The service gets the snapshot, in its place among the commands",
        &[],
    ),
    demand(
        "snapshot.committed",
        "Section 7",
        "A snapshot holds committed entries only, and these leave the log",
        &[],
    ),
    demand(
        "snapshot.base-term",
        "Section 7",
        "The index and term of a snapshot's last entry are kept for the next consistency check",
        &[],
    ),
    demand(
        "snapshot.together",
        "Section 7; part 2D",
        "Raft state and snapshot change in one step, and a restart begins with both",
        &[],
    ),
    demand(
        "snapshot.send",
        "Section 7",
        "A follower that lacks what was forgotten is sent the snapshot, and then what follows it",
        &[],
    ),
    // The course's handout
    demand(
        "lab.half",
        "The lab",
        "Without a majority nothing is committed and nobody is elected, in clusters of any size",
        &[],
    ),
    demand("lab.alone", "The lab", "A server that is alone elects itself and commits", &[]),
    demand("lab.heartbeats", "Part 2A", "No more than ten heartbeats a second", &[]),
    demand(
        "lab.election-time",
        "Part 2A",
        "A new leader within five seconds of the old one's failure",
        &[],
    ),
    demand(
        "lab.make",
        "The lab",
        "`make` returns quickly, and starts threads for what takes time",
        &[],
    ),
    demand(
        "lab.start",
        "Part 2B",
        "`start` returns at once, and says where the command will stand if it is committed",
        &[(Proved, "the core answers at once by its nature")],
    ),
    demand("lab.bytes", "Part 2B", "Each command goes to each peer once", &[]),
    demand(
        "lab.rpcs",
        "Part 2B",
        "Few RPCs, when idle as well as for a command",
        &[(Proved, TIME)],
    ),
    demand(
        "lab.locks",
        "The course's advice on locking",
        "No lock is held while one waits for a call or for the service",
        &[],
    ),
    demand(
        "lab.restart",
        "Part 2C",
        "A server comes back from what it has saved, and from nothing else",
        &[],
    ),
];
