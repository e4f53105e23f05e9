//! Log replication and commitment (paper, sections 5.3 and 5.4.2).

use bytes::Bytes;

use super::invariants::Before;
use super::snapshots::install_args;
use super::{Core, Progress, Request, Role, Ticket};
use crate::log::Entry;
use crate::message::{AppendEntriesArgs, AppendEntriesReply, Conflict};

/// What an AppendEntries is to its receiver (Figure 2, AppendEntries RPC, receiver implementation).
enum Judgement {
    /// No correct leader sends it.
    Impossible,
    /// This server claims to lead a term that cannot have come about.
    TermOutOfReach(usize),
    /// 1. "term < currentTerm"
    OldTerm,
    /// 2. "log doesn't contain an entry at prevLogIndex whose term matches prevLogTerm"
    Inconsistent(Conflict),
    /// 3. to 5.: its entries can be taken.
    Consistent,
}

impl Core {
    /// An AppendEntries has come (Figure 2, AppendEntries RPC, receiver implementation).
    pub fn append_entries(&mut self, args: &AppendEntriesArgs) -> AppendEntriesReply {
        let before = Before::of(self);
        let (mut success, mut conflict) = (false, None);
        match self.judge(args) {
            Judgement::Impossible | Judgement::OldTerm => {}
            Judgement::TermOutOfReach(leader) => self.warn_of_term(leader, args.term),
            Judgement::Inconsistent(how) => {
                self.follow(args.term);
                conflict = Some(how);
            }
            Judgement::Consistent => {
                self.follow(args.term);
                self.accept(args);
                success = true;
            }
        }
        before.check(self);
        AppendEntriesReply { term: self.hard.term, success, conflict }
    }

    fn judge(&self, args: &AppendEntriesArgs) -> Judgement {
        let leader = self.peer(args.leader_id).filter(|_| is_possible(args));
        let Some(leader) = leader else { return Judgement::Impossible };
        if !self.is_within_reach(args.term) {
            return Judgement::TermOutOfReach(leader);
        }
        //= append.stale
        if args.term < self.hard.term {
            return Judgement::OldTerm;
        }
        // Nobody else can lead the term that we lead.
        if self.is_leader() && args.term == self.hard.term {
            return Judgement::Impossible;
        }
        let (prev, last) = (args.prev_log_index, self.log.last_index());
        match self.first_difference(args) {
            // What is committed here is in the log of every later leader (section 5.4.3).
            Some((index, _)) if index <= self.commit => Judgement::Impossible,
            //= append.matches
            Some((index, term)) if index == prev => {
                let index = self.log.first_of_term(term);
                Judgement::Inconsistent(Conflict { term: Some(term), index })
            }
            None if prev > last => {
                Judgement::Inconsistent(Conflict { term: None, index: last + 1 })
            }
            _ => Judgement::Consistent,
        }
    }

    /// The leader of this term, ours or a later one, has spoken. Rules for candidates: "If
    /// AppendEntries RPC received from new leader: convert to follower." Rules for followers: it
    /// keeps us from starting an election.
    pub(super) fn follow(&mut self, term: u64) {
        self.see_term(term);
        //= candidates.leader
        self.become_follower();
        //= followers.stand
        self.output.reset_election_timer = true;
    }

    /// The first entry that we have otherwise, from `prevLogIndex` on: its index, and the term that
    /// it has here.
    fn first_difference(&self, args: &AppendEntriesArgs) -> Option<(u64, u64)> {
        let new = args.entries.iter().map(|entry| entry.term);
        let theirs = std::iter::once(args.prev_log_term).chain(new);
        let mut both = (args.prev_log_index..=self.log.last_index()).zip(theirs);
        both.find_map(|(index, theirs)| {
            // Of what is before the base we only know that it is committed, and so does not differ.
            let ours = self.log.term_at(index)?;
            (ours != theirs).then_some((index, ours))
        })
    }

    fn accept(&mut self, args: &AppendEntriesArgs) {
        //= append.conflict
        // 3. "If an existing entry conflicts with a new one (same index but different terms), delete
        //    the existing entry and all that follow it." And only then: what follows the entries of
        //    an old, delayed request stays.
        if let Some((index, _)) = self.first_difference(args) {
            self.log.truncate_from(index);
            self.output.unsaved.add_log_from(index);
        }
        // 4. "Append any new entries not already in the log."
        let last_new = args.prev_log_index + args.entries.len() as u64;
        //= append.new
        if last_new > self.log.last_index() {
            let first = self.log.last_index() + 1;
            let known = (first - args.prev_log_index - 1) as usize;
            for entry in &args.entries[known..] {
                self.log.push(entry.clone());
            }
            self.output.unsaved.add_log_from(first);
        }
        //= append.commit
        // 5. "If leaderCommit > commitIndex, set commitIndex = min(leaderCommit, index of last new
        //    entry)."
        self.commit_up_to(args.leader_commit.min(last_new));
    }

    /// A command has come from the service (Rules for leaders: "append entry to local log"). Returns
    /// its index, or `None` if this server does not lead.
    pub fn propose(&mut self, command: Bytes) -> Option<u64> {
        let before = Before::of(self);
        let Role::Leader { progress, .. } = &mut self.role else { return None };
        progress.iter_mut().for_each(Progress::want_entries);
        //= leaders.command
        let index = self.log.push(Entry { term: self.hard.term, command });
        self.output.unsaved.add_log_from(index);
        //= lab.alone
        self.advance_commit();
        before.check(self);
        Some(index)
    }

    /// The heartbeat timer has run out (Rules for leaders: "repeat during idle periods to prevent
    /// election timeouts").
    pub fn heartbeat_timeout(&mut self) {
        if let Role::Leader { progress, reads } = &mut self.role {
            progress.iter_mut().for_each(Progress::want_heartbeat);
            reads.want_heartbeat();
        }
    }

    /// Sends each follower what is due. To be called after some events, so that commands which came
    /// together are sent together. Rules for leaders: "If last log index >= nextIndex for a
    /// follower: send AppendEntries RPC with log entries starting at nextIndex"; see [`Progress`]
    /// for when. A follower that lacks what was forgotten is sent the snapshot (section 7). If reads wait, all
    /// are asked whether this server still leads (section 8).
    pub fn replicate(&mut self) {
        self.ask_for_reads();
        let (me, term, commit, leader) = (self.me, self.hard.term, self.commit, self.my_number());
        let Role::Leader { progress, .. } = &mut self.role else { return };
        //= lab.rpcs
        let followers = progress.iter_mut().enumerate().filter(|(server, _)| *server != me);
        for (peer, progress) in followers {
            //= snapshot.send
            if progress.needs_snapshot() {
                let last = self.log.base();
                let ticket = progress.note_snapshot_sent(term, last.index);
                let args = install_args(term, leader, last, self.snapshot.clone());
                self.output.requests.push((peer, Request::Install(args, ticket)));
            }
            //= leaders.send, lab.bytes
            let Some(entries) = progress.due(&self.log) else { continue };
            let prev_log_index = progress.next - 1;
            // `next` is never before the log's first entry, nor further than one behind its last
            // (`invariants`), so what is before `next` is an entry or the base.
            let prev_log_term = self.log.term_at(prev_log_index).expect("it is in the log");
            let ticket = progress.note_sent(term, entries);
            let entries = entries.to_vec();
            let args = AppendEntriesArgs {
                term,
                leader_id: leader,
                prev_log_index,
                prev_log_term,
                entries,
                leader_commit: commit,
            };
            self.output.requests.push((peer, Request::Append(args, ticket)));
        }
    }

    /// The reply to an AppendEntries has come (Rules for leaders).
    pub fn append_reply(&mut self, from: usize, ticket: Ticket, reply: &AppendEntriesReply) {
        if !self.is_peer(from) || !self.believes(from, reply.term) {
            return;
        }
        let before = Before::of(self);
        self.see_term(reply.term);
        //= all.stale-reply
        // A reply to what we sent in an earlier term says nothing about this one.
        if ticket.term == self.hard.term && reply.term == self.hard.term {
            self.follow_up(from, ticket, reply);
            self.advance_commit();
        }
        before.check(self);
    }

    fn follow_up(&mut self, from: usize, ticket: Ticket, reply: &AppendEntriesReply) {
        let conflict_end = reply.conflict.as_ref().map(|conflict| self.log_end_for(conflict));
        let (first, last) = (self.log.first_index(), self.log.last_index());
        let Role::Leader { progress, .. } = &mut self.role else { return };
        let progress = &mut progress[from];
        progress.note_answered(ticket);
        match conflict_end {
            _ if reply.success => progress.note_success(ticket, first, last),
            Some(end) => progress.note_conflict(ticket, end, first),
            None => progress.note_lost(ticket, first),
        }
    }

    /// Where to go on after a conflict: behind our last entry of the follower's conflicting term,
    /// or, if we have none, at the place where that term begins (paper, end of section 5.3).
    fn log_end_for(&self, conflict: &Conflict) -> u64 {
        //= leaders.back-up
        let ours = conflict.term.and_then(|term| self.log.last_of_term(term));
        ours.map_or(conflict.index, |index| index + 1)
    }

    /// No reply has come to an AppendEntries: its entries go out again with the next one.
    ///
    /// Who sends need not say so of each one that is lost: the next heartbeat finds out too.
    pub fn append_failed(&mut self, from: usize, ticket: Ticket) {
        if !self.is_peer(from) || ticket.term != self.hard.term {
            return;
        }
        let before = Before::of(self);
        let first = self.log.first_index();
        if let Role::Leader { progress, .. } = &mut self.role {
            progress[from].note_lost(ticket, first);
        }
        before.check(self);
    }

    /// Rules for leaders: "If there exists an N such that N > commitIndex, a majority of
    /// matchIndex\[i\] >= N, and log\[N\].term == currentTerm: set commitIndex = N."
    fn advance_commit(&mut self) {
        let Role::Leader { progress, .. } = &self.role else { return };
        let mut matched: Vec<u64> = progress.iter().map(|progress| progress.matched).collect();
        matched[self.me] = self.log.last_index();
        matched.sort_unstable_by(|a, b| b.cmp(a));
        let by_majority = matched[self.quorum() - 1];
        //= leaders.commit
        if self.log.term_at(by_majority) == Some(self.hard.term) {
            self.commit_up_to(by_majority);
        }
    }

    pub(super) fn commit_up_to(&mut self, index: u64) {
        //= state.commit-grows
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
    let all = std::iter::once(args.prev_log_term).chain(terms).chain([args.term]);
    let in_range = args.prev_log_index.checked_add(args.entries.len() as u64 + 1).is_some();
    let at_zero = args.prev_log_index > 0 || args.prev_log_term == 0;
    in_range && at_zero && args.entries.first().is_none_or(|e| e.term > 0) && all.is_sorted()
}
