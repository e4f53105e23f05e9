//! Mistakes to be found: what a wrong server does around a right core.
//!
//! The core stays as it is. A mistake changes what it hears, what it asks to be saved, what it says, or
//! puts another core in its place. So each shows that some property is looked at, and that the search
//! comes to where it breaks.

use raft::rules::{Core, Output, Request, Unsaved};
use raft::{AppendEntriesArgs, Stored};

use crate::event::{Event, MOST_COMMANDS, command};
use crate::message::Payload;
use crate::server::matched_by_majority;
use crate::start::log_behind;

macro_rules! mistakes {
    ($($(#[doc = $doc:literal])* $name:ident = $key:literal, $says:literal;)*) => {
        /// A mistake.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mistake {
            $($(#[doc = $doc])* $name,)*
        }

        impl Mistake {
            /// All of them.
            pub const ALL: &[Mistake] = &[$(Mistake::$name,)*];

            /// What the command line calls it.
            pub fn key(self) -> &'static str {
                match self {
                    $(Mistake::$name => $key,)*
                }
            }

            /// What is wrong, in a line.
            pub fn says(self) -> &'static str {
                match self {
                    $(Mistake::$name => $says,)*
                }
            }
        }
    };
}

mistakes! {
    /// It may vote again after a crash.
    VoteNotSaved = "vote-not-saved", "term and vote are never saved";
    /// What it has accepted is gone after a crash.
    LogNotSaved = "log-not-saved", "followers never save their logs";
    /// It has counted itself for what is gone after a crash.
    LeaderLogNotSaved = "leader-log-not-saved", "leaders never save their logs";
    /// A crash in between, and what was said is not true any more.
    AnsweredFirst = "answered-first", "a server answers and sends before it saves";
    /// Figure 8 of the paper.
    OldTermsCounted = "old-terms-counted", "a leader commits what a majority has, also of earlier terms";
    /// An old yes makes a leader.
    StaleVoteCounted = "stale-vote-counted", "a vote of an earlier term counts in this one";
    /// A no makes a leader.
    RefusalCounted = "refusal-counted", "a refused vote counts";
    /// Section 5.4.1 of the paper.
    RestrictionIgnored = "restriction-ignored", "servers vote for whoever comes first, whatever its log";
    /// A leader of an earlier term counts what a later leader lacks.
    StaleAppendAccepted = "stale-append-accepted", "an AppendEntries of an earlier term is accepted as if it were of that term";
    /// The leader counts it.
    RefusedAccepted = "refused-accepted", "an AppendEntries that does not fit is answered with yes";
    /// What came after it was acknowledged.
    LateAppendErases = "late-append-erases", "an AppendEntries cuts the log behind its entries, also a late one";
    /// What is there may be another leader's.
    CommitUnchecked = "commit-unchecked", "a follower commits up to leaderCommit, whether or not its entries were checked";
    /// What came after it was acknowledged.
    SnapshotEmptiesLog = "snapshot-empties-log", "an InstallSnapshot empties the log, also what is behind it";
    /// Logs that should be the same are not.
    CommandChanged = "command-changed", "followers store another command than they were sent";
    /// The log begins behind something that is nowhere.
    SnapshotNotSaved = "snapshot-not-saved", "a new snapshot is not saved, though the log is";
}

/// An index that no log comes to.
const FAR: u64 = 1 << 32;

impl Mistake {
    /// Changes what a server hears.
    pub(crate) fn hears(self, core: &Core, payload: &mut Payload) {
        match (self, payload) {
            (Mistake::StaleVoteCounted, Payload::Voted { sent_in, reply })
                if reply.vote_granted && reply.term < core.term() =>
            {
                (*sent_in, reply.term) = (core.term(), core.term());
            }
            (Mistake::RefusalCounted, Payload::Voted { reply, .. }) => reply.vote_granted = true,
            (Mistake::CommandChanged, Payload::Append(args, _)) => {
                args.entries
                    .iter_mut()
                    .for_each(|entry| entry.command = command(MOST_COMMANDS - 1));
            }
            (Mistake::StaleAppendAccepted, Payload::Append(args, _)) if !core.is_leader() => {
                args.term = args.term.max(core.term());
            }
            (Mistake::RestrictionIgnored, Payload::Vote(args)) if args.term > 1 => {
                (args.last_log_index, args.last_log_term) = (FAR, args.term - 1);
            }
            _ => {}
        }
    }

    /// Changes a core behind its back, once it has handled something.
    pub(crate) fn spoils(
        self,
        core: &mut Core,
        output: &mut Output,
        servers: usize,
        event: &Event,
    ) {
        let by_majority = matched_by_majority(core);
        if self == Mistake::OldTermsCounted && by_majority > core.commit_index() {
            let first = output.committed.take().map_or(core.commit_index() + 1, |all| *all.start());
            output.committed = Some(first..=by_majority);
        }
        let Event::Deliver(message) = event else { return };
        match (self, &message.payload) {
            (Mistake::LateAppendErases, Payload::Append(args, _)) if args.term == core.term() => {
                let last_new = args.prev_log_index + args.entries.len() as u64;
                cut(core, output, servers, last_new);
            }
            (Mistake::SnapshotEmptiesLog, Payload::Install(args, _))
                if args.term == core.term() =>
            {
                cut(core, output, servers, args.last_included_index);
            }
            (Mistake::CommitUnchecked, Payload::Append(args, _)) if args.term == core.term() => {
                let all = told(core, args.leader_id, args.leader_commit);
                core.append_entries(&all);
                let more = core.take_output();
                output.committed = match (output.committed.take(), more.committed) {
                    (Some(first), Some(rest)) => Some(*first.start()..=*rest.end()),
                    (first, rest) => first.or(rest),
                };
            }
            _ => {}
        }
    }

    /// Changes what is saved.
    pub(crate) fn saves(self, core: &Core, unsaved: &mut Unsaved) {
        match self {
            Mistake::VoteNotSaved => unsaved.hard_state = false,
            Mistake::LogNotSaved if !core.is_leader() => unsaved.log_from = None,
            Mistake::LeaderLogNotSaved if core.is_leader() => unsaved.log_from = None,
            Mistake::SnapshotNotSaved if unsaved.snapshot => {
                unsaved.snapshot = false;
                unsaved.log_from = Some(core.log().first_index());
            }
            _ => {}
        }
    }

    /// Changes what a server answers and sends.
    pub(crate) fn tells(
        self,
        core: &Core,
        answer: Option<&mut Payload>,
        requests: &mut [(usize, Request)],
    ) {
        match self {
            Mistake::OldTermsCounted => {
                let by_majority = matched_by_majority(core);
                for (_, request) in requests {
                    if let Request::Append(args, _) = request {
                        args.leader_commit = args.leader_commit.max(by_majority);
                    }
                }
            }
            Mistake::StaleAppendAccepted => {
                if let Some(Payload::Appended(ticket, reply)) = answer
                    && !core.is_leader()
                {
                    reply.term = ticket.term;
                }
            }
            Mistake::RefusedAccepted => {
                if let Some(Payload::Appended(_, reply)) = answer
                    && reply.conflict.take().is_some()
                {
                    reply.success = true;
                }
            }
            _ => {}
        }
    }

    /// True if a crash may come between what is said and the save.
    pub(crate) fn answers_first(self) -> bool {
        self == Mistake::AnsweredFirst
    }
}

/// A leader's word that so much is committed, with nothing to check but the end of the log.
fn told(core: &Core, leader: u32, commit: u64) -> AppendEntriesArgs {
    AppendEntriesArgs {
        term: core.term(),
        leader_id: leader,
        prev_log_index: core.log().last_index(),
        prev_log_term: core.log().last_term(),
        entries: Vec::new(),
        leader_commit: commit,
    }
}

/// A follower's log ends with this index from now on, if it is there and does not end before it.
fn cut(core: &mut Core, output: &mut Output, servers: usize, last: u64) {
    let (log, commit, me) = (core.log(), core.commit_index(), core.me());
    if core.is_leader() || !(log.base().index..log.last_index()).contains(&last) {
        return;
    }
    let count = (last - log.base().index) as usize;
    let log = log_behind(log.base(), log.entries()[..count].to_vec());
    let stored = Stored { hard: core.hard_state(), log, snapshot: core.snapshot().clone() };
    *core = Core::new(me, servers, stored);
    let leader = u32::from(me == 0);
    core.append_entries(&told(core, leader, commit));
    core.take_output();
    output.unsaved.log_from = Some(last + 1);
    output.committed = output.committed.take().filter(|all| *all.end() <= last);
}
