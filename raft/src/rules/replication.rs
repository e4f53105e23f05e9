//! Log replication and commitment (paper, sections 5.3 and 5.4.2).

use bytes::Bytes;

use super::invariants::Before;
use super::{Core, MAX_BYTES, MAX_TERM, Request, Role, Ticket};
use crate::log::Entry;
use crate::message::{AppendEntriesArgs, AppendEntriesReply, Conflict};

impl Core {
    /// An AppendEntries has come (Figure 2, AppendEntries RPC, receiver implementation).
    pub fn append_entries(&mut self, args: &AppendEntriesArgs) -> AppendEntriesReply {
        let before = Before::of(self);
        let reply = match self.refusal(args) {
            Some(conflict) => AppendEntriesReply { term: self.hard.term, success: false, conflict },
            None => {
                self.accept(args);
                AppendEntriesReply { term: self.hard.term, success: true, conflict: None }
            }
        };
        before.check(self);
        reply
    }

    /// Why an AppendEntries cannot be accepted, if so: `Some(conflict)` is a refusal.
    fn refusal(&mut self, args: &AppendEntriesArgs) -> Option<Option<Conflict>> {
        if self.peer(args.leader).is_none() || !is_possible(args) {
            return Some(None);
        }
        self.see_term(args.term);
        // 1. "Reply false if term < currentTerm."
        if args.term < self.hard.term {
            return Some(None);
        }
        // Nobody else can lead the term that we lead: the message is not from a Raft.
        if self.is_leader() {
            return Some(None);
        }
        // Rules for candidates: "If AppendEntries RPC received from new leader: convert to
        // follower." Rules for followers: it keeps us from starting an election.
        self.become_follower();
        self.output.reset_election_timer = true;
        // 2. "Reply false if log doesn't contain an entry at prevLogIndex whose term matches
        //    prevLogTerm."
        match self.log.term_at(args.prev_log_index) {
            None => {
                let index = self.log.last_index() + 1;
                Some(Some(Conflict { term: None, index }))
            }
            Some(term) if term != args.prev_log_term => {
                let index = self.log.first_of_term(term);
                Some(Some(Conflict { term: Some(term), index }))
            }
            // What is committed here is in the log of every later leader (section 5.4.3).
            Some(_) if self.first_difference(args).is_some_and(|index| index <= self.commit) => {
                Some(None)
            }
            Some(_) => None,
        }
    }

    /// The index of the first entry that we have otherwise.
    fn first_difference(&self, args: &AppendEntriesArgs) -> Option<u64> {
        let theirs = (args.prev_log_index + 1..).zip(&args.entries);
        let ours = self.log.from(args.prev_log_index + 1);
        let mut pairs = theirs.zip(ours);
        pairs.find(|((_, theirs), ours)| theirs.term != ours.term).map(|((index, _), _)| index)
    }

    fn accept(&mut self, args: &AppendEntriesArgs) {
        // 3. "If an existing entry conflicts with a new one (same index but different terms), delete
        //    the existing entry and all that follow it." And only then: what follows the entries of
        //    an old, delayed request stays.
        if let Some(index) = self.first_difference(args) {
            self.log.truncate_from(index);
            self.output.save.log(index);
        }
        // 4. "Append any new entries not already in the log."
        let last_new = args.prev_log_index + args.entries.len() as u64;
        if last_new > self.log.last_index() {
            let first = self.log.last_index() + 1;
            let known = (first - args.prev_log_index - 1) as usize;
            for entry in &args.entries[known..] {
                self.log.push(entry.clone());
            }
            self.output.save.log(first);
        }
        // 5. "If leaderCommit > commitIndex, set commitIndex = min(leaderCommit, index of last new
        //    entry)."
        self.commit_up_to(args.leader_commit.min(last_new));
    }

    /// A command has come from the service (Rules for leaders: "append entry to local log"). Returns
    /// its index, or `None` if this server does not lead.
    pub fn propose(&mut self, command: Bytes) -> Option<u64> {
        let before = Before::of(self);
        let Role::Leader { progress } = &mut self.role else { return None };
        progress.iter_mut().for_each(|progress| progress.due = true);
        let index = self.log.push(Entry { term: self.hard.term, command });
        self.output.save.log(index);
        self.advance_commit();
        before.check(self);
        Some(index)
    }

    /// The heartbeat timer has run out (Rules for leaders: "repeat during idle periods to prevent
    /// election timeouts"). What a follower has not acknowledged is sent again.
    pub fn heartbeat_timeout(&mut self) {
        if let Role::Leader { progress } = &mut self.role {
            for progress in progress {
                progress.awaiting = None;
                progress.due = true;
            }
        }
    }

    /// Rules for leaders: "If last log index >= nextIndex for a follower: send AppendEntries RPC
    /// with log entries starting at nextIndex."
    pub(super) fn send_due_entries(&mut self) {
        let (term, commit, leader) = (self.hard.term, self.commit, self.my_number());
        let Role::Leader { progress } = &mut self.role else { return };
        for (peer, progress) in progress.iter_mut().enumerate() {
            if peer == self.me || !progress.due || progress.awaiting.is_some() {
                continue;
            }
            let prev = progress.next - 1;
            let prev_log_term = self.log.term_at(prev).expect("nextIndex is within the log");
            let entries = first_bytes(self.log.from(progress.next)).to_vec();
            let ticket =
                Ticket { term, prev, count: entries.len() as u64, serial: self.next_serial };
            self.next_serial += 1;
            progress.awaiting = Some(ticket);
            progress.due = false;
            let args = AppendEntriesArgs {
                term,
                leader,
                prev_log_index: prev,
                prev_log_term,
                entries,
                leader_commit: commit,
            };
            self.output.requests.push((peer, Request::Append(args, ticket)));
        }
    }

    /// The reply to an AppendEntries has come (Rules for leaders).
    pub fn append_reply(&mut self, from: usize, ticket: Ticket, reply: &AppendEntriesReply) {
        if from >= self.servers || from == self.me || reply.term > MAX_TERM {
            return;
        }
        let before = Before::of(self);
        self.see_term(reply.term);
        // A reply to what we sent in an earlier term says nothing about this one.
        if ticket.term == self.hard.term && reply.term == self.hard.term {
            self.follow_up(from, ticket, reply);
            self.advance_commit();
        }
        before.check(self);
    }

    fn follow_up(&mut self, from: usize, ticket: Ticket, reply: &AppendEntriesReply) {
        let conflict_end = reply.conflict.as_ref().map(|conflict| self.log_end_for(conflict));
        let last = self.log.last_index();
        let Role::Leader { progress } = &mut self.role else { return };
        let progress = &mut progress[from];
        if progress.awaiting == Some(ticket) {
            progress.awaiting = None;
        }
        if reply.success {
            // "If successful: update nextIndex and matchIndex for follower." Replies may overtake
            // each other, so neither goes back.
            progress.matched = progress.matched.max(ticket.prev + ticket.count);
            progress.next = progress.next.max(progress.matched + 1);
            progress.due |= progress.next <= last;
        } else if let Some(end) = conflict_end
            && ticket.prev + 1 == progress.next
            && ticket.prev > progress.matched
        {
            // "If AppendEntries fails because of log inconsistency: decrement nextIndex and retry."
            // An old refusal, of another nextIndex, is no reason to; nor is one of what the follower
            // is known to have, which no correct follower sends.
            progress.next = end.min(ticket.prev).max(progress.matched + 1);
            progress.due = true;
        }
    }

    /// Where to go on after a conflict: behind our last entry of the follower's conflicting term,
    /// or, if we have none, at the place where that term begins (paper, end of section 5.3).
    fn log_end_for(&self, conflict: &Conflict) -> u64 {
        let ours = conflict.term.and_then(|term| self.log.last_of_term(term));
        ours.map_or(conflict.index, |index| index + 1)
    }

    /// No reply has come to an AppendEntries: it is not waited for any longer.
    pub fn append_failed(&mut self, from: usize, ticket: Ticket) {
        if let Role::Leader { progress } = &mut self.role
            && let Some(progress) = progress.get_mut(from)
            && progress.awaiting == Some(ticket)
        {
            progress.awaiting = None;
        }
    }

    /// Rules for leaders: "If there exists an N such that N > commitIndex, a majority of
    /// matchIndex\[i\] >= N, and log\[N\].term == currentTerm: set commitIndex = N."
    fn advance_commit(&mut self) {
        let Role::Leader { progress } = &self.role else { return };
        let mut matched: Vec<u64> = progress.iter().map(|progress| progress.matched).collect();
        matched[self.me] = self.log.last_index();
        matched.sort_unstable_by(|a, b| b.cmp(a));
        let by_majority = matched[self.quorum() - 1];
        if self.log.term_at(by_majority) == Some(self.hard.term) {
            self.commit_up_to(by_majority);
        }
    }

    fn commit_up_to(&mut self, index: u64) {
        if index > self.commit {
            let first = self.output.committed.as_ref().map_or(self.commit + 1, |all| *all.start());
            self.output.committed = Some(first..=index);
            self.commit = index;
        }
    }
}

/// True if a leader could have sent this: the entries' terms do not decrease, none is later than the
/// leader's, and no number is out of range.
fn is_possible(args: &AppendEntriesArgs) -> bool {
    let terms = args.entries.iter().map(|entry| entry.term);
    let all = std::iter::once(args.prev_log_term).chain(terms).chain([args.term, MAX_TERM]);
    let in_range = args.prev_log_index.checked_add(args.entries.len() as u64 + 1).is_some();
    let at_zero = args.prev_log_index > 0 || args.prev_log_term == 0;
    in_range && at_zero && args.entries.first().is_none_or(|e| e.term > 0) && all.is_sorted()
}

/// As many of the entries as fit into one message, at least one if there is one.
fn first_bytes(entries: &[Entry]) -> &[Entry] {
    let mut bytes = 0;
    let fits = |entry: &&Entry| {
        bytes += entry.command.len();
        bytes <= MAX_BYTES
    };
    let count = entries.iter().take_while(fits).count();
    &entries[..count.max(1).min(entries.len())]
}
