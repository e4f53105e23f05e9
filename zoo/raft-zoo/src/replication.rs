//! Log replication and commitment (paper, sections 5.3 and 5.4.2).

use std::sync::Arc;

use labrt::thread;
use labrt::time::Instant;

use crate::Kind;
use crate::message::{AppendEntriesArgs, AppendEntriesReply};
use crate::server::{HEARTBEAT, Role, State, Student};

impl Student {
    /// Rules for leaders: heartbeats, and "If last log index ≥ nextIndex for a follower: send
    /// AppendEntries RPC with log entries starting at nextIndex."
    pub(crate) fn send_to_all(self: &Arc<Self>, state: &mut State) {
        let pause = if self.has(Kind::ManyHeartbeats) { HEARTBEAT / 3 } else { HEARTBEAT };
        state.heartbeat_at = Instant::now() + pause;
        if self.has(Kind::CallsInTurn) {
            self.send_in_turn(state);
        } else {
            let listening = self.others().filter(|peer| !state.given_up[*peer]);
            listening.for_each(|peer| self.send_append_entries(state, peer));
        }
        state.fresh = false;
        // A cluster of one server gets no replies.
        if !self.has(Kind::AloneNeverCommits) {
            self.advance_commit_index(state);
        }
    }

    pub(crate) fn send_append_entries(self: &Arc<Self>, state: &State, peer: usize) {
        let lacks_forgotten = state.next_index[peer] <= state.log.base();
        if lacks_forgotten && !self.has(Kind::NoInstallSnapshot) {
            return self.send_snapshot(state, peer);
        }
        if self.has(Kind::RequestBuiltLate) {
            let raft = self.clone();
            thread::spawn(move || {
                let args = raft.append_entries_args(&raft.state.lock(), peer);
                raft.ask_to_append(peer, &args);
            });
            return;
        }
        let (raft, args) = (self.clone(), self.append_entries_args(state, peer));
        thread::spawn(move || raft.ask_to_append(peer, &args));
    }

    /// With [`Kind::CallsInTurn`]: one thread calls all.
    fn send_in_turn(self: &Arc<Self>, state: &State) {
        let raft = self.clone();
        let all = self.others().map(|peer| (peer, self.append_entries_args(state, peer)));
        let all: Vec<_> = all.collect();
        thread::spawn(move || {
            for (peer, args) in all {
                raft.ask_to_append(peer, &args);
            }
        });
    }

    fn append_entries_args(&self, state: &State, peer: usize) -> AppendEntriesArgs {
        let mut prev_log_index = (state.next_index[peer] - 1).max(state.log.base());
        let idle = !state.fresh;
        match self.bug {
            // By now its log may be another leader's, and shorter.
            Some(Kind::RequestBuiltLate) => {
                prev_log_index = prev_log_index.min(state.log.last_index());
            }
            Some(Kind::WholeLogSent) => prev_log_index = state.log.base(),
            Some(Kind::CommitsUnchecked) if idle => {
                prev_log_index = state.match_index[peer].max(state.log.base());
            }
            _ => {}
        }
        let prev_log_term = state.log.term_at(prev_log_index);
        let mut entries = state.log.between(prev_log_index, state.log.last_index());
        if idle && (self.has(Kind::HeartbeatsEmpty) || self.has(Kind::CommitsUnchecked)) {
            entries.clear();
        }
        AppendEntriesArgs {
            term: state.current_term,
            leader_id: self.me,
            prev_log_index,
            prev_log_term: prev_log_term.expect("nextIndex is at most one past the log"),
            entries,
            leader_commit: state.commit_index,
        }
    }

    fn ask_to_append(self: &Arc<Self>, peer: usize, args: &AppendEntriesArgs) {
        let reply = self.call(|| self.peers[peer].append_entries(args));
        if let Some((mut state, reply)) = reply {
            self.handle_append_reply(&mut state, peer, args, &reply);
        } else if self.has(Kind::SilentAfterFailure) {
            self.state.lock().given_up[peer] = true;
        }
    }

    fn handle_append_reply(
        self: &Arc<Self>,
        state: &mut State,
        peer: usize,
        args: &AppendEntriesArgs,
        reply: &AppendEntriesReply,
    ) {
        self.see_term_of_reply(state, reply.term);
        // Students' Guide, "Term confusion": the world may have moved on during the call.
        let current = state.current_term == args.term || self.has(Kind::StaleAppendReply);
        if state.role != Role::Leader || !current {
            return;
        }
        if reply.success {
            // "If successful: update nextIndex and matchIndex for follower." Replies may come in
            // any order, and an old one takes nothing back.
            let matched = match self.bug {
                Some(Kind::MatchIndexFromLog) => state.log.last_index(),
                Some(Kind::TailAcknowledged) => reply.conflict_index.min(state.log.last_index()),
                _ => args.prev_log_index + args.entries.len() as u64,
            };
            state.match_index[peer] = state.match_index[peer].max(matched);
            state.next_index[peer] = state.match_index[peer] + 1;
            self.advance_commit_index(state);
            if self.has(Kind::ReplyLeadsToNext) {
                self.send_append_entries(state, peer);
            }
        } else {
            // "If AppendEntries fails because of log inconsistency: decrement nextIndex and retry."
            let next = match self.has(Kind::EachRefusalCounts) {
                true => (state.next_index[peer] - 1).max(1),
                false => self.next_after_conflict(state, reply).max(state.match_index[peer] + 1),
            };
            if next < state.next_index[peer] {
                state.next_index[peer] = next;
                self.send_append_entries(state, peer);
            }
        }
    }

    /// Students' Guide: "Upon receiving a conflict response, the leader should first search its log
    /// for conflictTerm. If it finds an entry in its log with that term, it should set nextIndex to
    /// be the one beyond the index of the last entry in that term in its log. If it does not find an
    /// entry with that term, it should set nextIndex = conflictIndex."
    fn next_after_conflict(&self, state: &State, reply: &AppendEntriesReply) -> u64 {
        let Some(term) = reply.conflict_term else { return reply.conflict_index };
        match state.log.last_index_of(term) {
            Some(last) => last + 1,
            None if self.has(Kind::NextIndexOffByOne) => reply.conflict_index + 1,
            None => reply.conflict_index,
        }
    }

    /// Rules for leaders: "If there exists an N such that N > commitIndex, a majority of
    /// matchIndex[i] ≥ N, and log[N].term == currentTerm: set commitIndex = N."
    fn advance_commit_index(self: &Arc<Self>, state: &mut State) {
        let mut matched = state.match_index.clone();
        matched.sort_unstable();
        let majority_has = match self.has(Kind::HalfIsEnough) {
            true => matched[matched.len() / 2],
            false => matched[(matched.len() - 1) / 2],
        };
        let own_term = match self.has(Kind::CommitLoopStops) {
            true => state.log.term_at(state.commit_index + 1) == Some(state.current_term),
            false => state.log.term_at(majority_has) == Some(state.current_term),
        };
        if own_term || self.has(Kind::OldTermCommitted) {
            self.commit_up_to(state, majority_has);
        }
    }

    fn commit_up_to(self: &Arc<Self>, state: &mut State, index: u64) {
        if index <= state.commit_index {
            return;
        }
        let _applying = self.has(Kind::LockOrder).then(|| self.applying.lock());
        state.commit_index = index;
        self.tell(state);
        if self.has(Kind::ManyAppliers) {
            let raft = self.clone();
            thread::spawn(move || raft.apply_committed(raft.state.lock()));
        } else {
            self.committed.notify_one();
        }
    }

    /// AppendEntries RPC, receiver implementation.
    pub(crate) fn handle_append_entries(
        self: &Arc<Self>,
        args: &AppendEntriesArgs,
    ) -> AppendEntriesReply {
        let mut state = self.state.lock();
        let before = state.current_term;
        let mut reply = self.append(&mut state, args);
        if self.has(Kind::TermReadTooEarly) {
            reply.term = before;
        }
        reply
    }

    fn append(self: &Arc<Self>, state: &mut State, args: &AppendEntriesArgs) -> AppendEntriesReply {
        self.see_term(state, args.term);
        // 1. "Reply false if term < currentTerm."
        let deaf = (state.role == Role::Candidate && self.has(Kind::CandidateDeaf))
            || (state.role == Role::Leader && self.has(Kind::LeaderDeaf));
        if (args.term < state.current_term && !self.has(Kind::OldLeaderHeard)) || deaf {
            if self.has(Kind::TimerResetByAnyRpc) {
                self.reset_election_timer(state);
            }
            return Self::refusal(state, None, 0);
        }
        // Rules for candidates: "If AppendEntries RPC received from new leader: convert to
        // follower." Rules for followers: the timer starts anew on "receiving AppendEntries RPC
        // from current leader".
        state.role = Role::Follower;
        if self.has(Kind::VoteForgotten) {
            state.voted_for = None;
        }
        if !self.has(Kind::OnlySuccessRestarts) {
            self.reset_election_timer(state);
        }
        let args = &Self::behind_base(state, args);
        if let Some(refusal) = self.refuse_conflict(state, args) {
            return refusal;
        }
        if self.has(Kind::OnlySuccessRestarts) {
            self.reset_election_timer(state);
        }
        self.store(state, args);
        // 5. "If leaderCommit > commitIndex, set commitIndex = min(leaderCommit, index of last new
        //    entry)."
        let last_new = args.prev_log_index + args.entries.len() as u64;
        let commit = match self.bug {
            Some(Kind::CommitsUnchecked) => args.leader_commit.min(state.log.last_index()),
            Some(Kind::AppliedOnAcceptance) => last_new,
            _ => args.leader_commit.min(last_new),
        };
        if self.has(Kind::CommitGoesBack) && commit < state.commit_index {
            state.commit_index = commit.max(state.log.base());
            state.last_applied = state.last_applied.min(state.commit_index);
        }
        self.commit_up_to(state, commit);
        let term = state.current_term;
        let conflict_index = match self.has(Kind::TailAcknowledged) {
            true => state.log.last_index(),
            false => 0,
        };
        AppendEntriesReply { term, success: true, conflict_term: None, conflict_index }
    }

    /// 2. "Reply false if log doesn't contain an entry at prevLogIndex whose term matches
    ///    prevLogTerm."
    fn refuse_conflict(
        &self,
        state: &State,
        args: &AppendEntriesArgs,
    ) -> Option<AppendEntriesReply> {
        if self.has(Kind::HeartbeatUnchecked) && args.entries.is_empty() {
            return None;
        }
        match state.log.term_at(args.prev_log_index) {
            None => Some(Self::refusal(state, None, state.log.last_index() + 1)),
            Some(term) if term != args.prev_log_term => {
                Some(Self::refusal(state, Some(term), state.log.first_index_of(term)))
            }
            Some(_) => None,
        }
    }

    fn refusal(
        state: &State,
        conflict_term: Option<u64>,
        conflict_index: u64,
    ) -> AppendEntriesReply {
        let term = state.current_term;
        AppendEntriesReply { term, success: false, conflict_term, conflict_index }
    }

    /// 3. "If an existing entry conflicts with a new one (same index but different terms), delete
    ///    the existing entry and all that follow it." 4. "Append any new entries not already in the
    ///    log."
    fn store(&self, state: &mut State, args: &AppendEntriesArgs) {
        // If there is no such entry, what follows in the log is of a later request, and stays.
        let mut new = (args.prev_log_index + 1..).zip(&args.entries);
        let first_new = match self.bug {
            Some(Kind::TruncateAlways) => Some(0),
            Some(Kind::FirstEntryUnchecked) => new.position(|(index, entry)| {
                let term = state.log.term_at(index);
                let is_first = index == args.prev_log_index + 1;
                term != Some(entry.term) && !(is_first && term.is_some())
            }),
            _ => new.position(|(index, entry)| state.log.term_at(index) != Some(entry.term)),
        };
        let dropped = self.has(Kind::RestDropped) && first_new.is_some_and(|known| known > 0);
        if let Some(known) = first_new.filter(|_| !dropped) {
            let (index, entries) = (args.prev_log_index + known as u64, &args.entries[known..]);
            let last_new = index + entries.len() as u64;
            let mut entries = entries.to_vec();
            if self.has(Kind::StaleTailKept) && last_new < state.log.last_index() {
                entries.extend(state.log.between(last_new, state.log.last_index()));
            }
            state.log.replace_after(index, &entries);
            if !self.has(Kind::FollowerLogNotPersisted) {
                self.persist(state);
            }
        }
    }
}
