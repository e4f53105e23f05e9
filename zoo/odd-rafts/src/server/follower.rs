//! What a follower does with AppendEntries (paper, section 5.3).

use labrt::time::Instant;

use super::{Role, Server};
use crate::durable::Accepted;
use crate::message::{AppendReply, AppendRequest, Hint, Outcome};

impl Server {
    pub(super) fn append_request(&mut self, append: &AppendRequest, now: Instant) -> AppendReply {
        let outcome = self.append(append, now);
        let mut term = self.durable.term;
        if self.habits.replies_echo_term {
            term = append.term;
        }
        if self.habits.success_with_term_0 && matches!(outcome, Outcome::Accepted { .. }) {
            term = 0;
        }
        let log_end = self.durable.log.last_index();
        AppendReply { term, about: append.subject(), outcome, log_end }
    }

    /// AppendEntries RPC, receiver implementation.
    fn append(&mut self, append: &AppendRequest, now: Instant) -> Outcome {
        // 1. "Reply false if term < currentTerm."
        if append.term < self.durable.term {
            return Outcome::Refused { hint: None };
        }
        self.see_term(append.term, now);
        // Rules for candidates: "If AppendEntries RPC received from new leader: convert to
        // follower." Rules for followers: the timer starts anew.
        self.role = Role::Follower;
        self.leader_heard = Some(now);
        self.note_leader(append.leader);
        self.reset_election_timer(now);
        if self.habits.heartbeats_without_prev && append.is_bare() {
            // The leader says only what it knows this server to have.
            self.commit_upto(append.commit.min(self.durable.log.last_index()));
            return Outcome::Accepted { upto: 0 };
        }
        if self.habits.old_requests_refused && append.subject().last < self.handled_upto() {
            let hint = Hint { term: None, index: self.handled_upto() + 1 };
            return Outcome::Refused { hint: Some(hint) };
        }
        match self.conflict(append) {
            Some(hint) => {
                self.cut_if_eager(append, hint);
                Outcome::Refused { hint: Some(hint) }
            }
            None => Outcome::Accepted { upto: self.accept(append) },
        }
    }

    /// Nobody but the leader of the term can be elected in it any more: to note it as the vote gives no second one.
    pub(super) fn note_leader(&mut self, leader: usize) {
        if self.habits.vote_follows_leader && self.durable.voted_for != Some(leader) {
            self.durable.voted_for = Some(leader);
            self.unsaved = true;
        }
    }

    /// Up to which index entries were accepted in this term, by this instance.
    fn handled_upto(&self) -> u64 {
        let (term, upto) = self.handled;
        if term == self.durable.term { upto } else { 0 }
    }

    /// 2. "Reply false if log doesn't contain an entry at prevLogIndex whose term matches
    ///    prevLogTerm."
    fn conflict(&self, append: &AppendRequest) -> Option<Hint> {
        let log = &self.durable.log;
        match log.term_at(append.prev.index) {
            None if append.prev.index < log.base().index => {
                Some(Hint { term: None, index: log.base().index + 1 })
            }
            None => Some(Hint { term: None, index: log.last_index() + 1 }),
            Some(term) if term != append.prev.term => {
                Some(Hint { term: Some(term), index: log.first_of(term) })
            }
            Some(_) => None,
        }
    }

    /// An entry of another term at `prevLogIndex` will never be committed, nor what follows it.
    fn cut_if_eager(&mut self, append: &AppendRequest, hint: Hint) {
        if self.habits.cut_on_refusal && hint.term.is_some() {
            self.durable.log.cut_after(append.prev.index - 1);
            self.unsaved = true;
        }
    }

    /// Stores what is new, and returns up to where the log agrees with the leader's.
    fn accept(&mut self, append: &AppendRequest) -> u64 {
        let prev = append.prev.index;
        let count = match self.habits.partial_acceptance {
            true => append.entries.len().div_ceil(2),
            false => append.entries.len(),
        };
        // 3. and 4.: a stale tail stays until an entry really conflicts.
        self.unsaved |= self.durable.log.store(prev, &append.entries[..count]);
        let upto = prev + count as u64;
        self.handled = (append.term, upto.max(self.handled_upto()));
        // 5. "If leaderCommit > commitIndex, set commitIndex = min(leaderCommit, index of last new
        //    entry)."
        self.commit_upto(append.commit.min(upto));
        if self.habits.replies_after_restart {
            let (leader, term) = (append.leader, append.term);
            self.durable.accepted = Some(Accepted { leader, term, upto });
            self.unsaved = true;
        }
        upto
    }
}
