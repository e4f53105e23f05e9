//! Leader election (paper, sections 5.2 and 5.4.1).

use std::collections::BTreeSet;

use super::invariants::Before;
use super::{Core, Progress, Reads, Request, Role, Warning};
use crate::message::{RequestVoteArgs, RequestVoteReply};
use crate::stored::HardState;

impl Core {
    /// A RequestVote has come (Figure 2, RequestVote RPC, receiver implementation).
    pub fn request_vote(&mut self, args: &RequestVoteArgs) -> RequestVoteReply {
        let before = Before::of(self);
        let refusal = RequestVoteReply { term: self.hard.term, vote_granted: false };
        let candidate = self.peer(args.candidate_id).filter(|_| is_possible(args));
        let Some(candidate) = candidate else { return refusal };
        if !self.believes(candidate, args.term) {
            return refusal;
        }
        self.see_term(args.term);
        //= vote.once
        // 1. "Reply false if term < currentTerm."
        // 2. "If votedFor is null or candidateId, and candidate's log is at least as up-to-date as
        //    receiver's log, grant vote."
        let free = self.hard.voted_for.is_none_or(|vote| vote == candidate);
        //= vote.stale
        let vote_granted = args.term == self.hard.term
            && free
            && self.is_up_to_date(args.last_log_term, args.last_log_index);
        if vote_granted {
            if self.hard.voted_for.is_none() {
                self.hard.voted_for = Some(candidate);
                self.output.unsaved.hard_state = true;
            }
            self.output.reset_election_timer = true;
        }
        before.check(self);
        RequestVoteReply { term: self.hard.term, vote_granted }
    }

    /// True if a log that ends like this is at least as up-to-date as ours (section 5.4.1): "If the
    /// logs have last entries with different terms, then the log with the later term is more
    /// up-to-date. If the logs end with the same term, then whichever log is longer is more
    /// up-to-date."
    fn is_up_to_date(&self, last_term: u64, last_index: u64) -> bool {
        //= vote.up-to-date
        (last_term, last_index) >= (self.log.last_term(), self.log.last_index())
    }

    /// The election timer has run out (Rules for followers and for candidates): starts an election.
    pub fn election_timeout(&mut self) {
        //= followers.stand, candidates.again
        if self.is_leader() {
            return;
        }
        let Some(term) = self.hard.term.checked_add(1) else {
            self.warn(Warning::NoLaterTerm);
            self.output.reset_election_timer = true;
            return;
        };
        let before = Before::of(self);
        //= candidates.start
        // "Increment currentTerm, vote for self, reset election timer, send RequestVote RPCs to all
        // other servers."
        self.hard = HardState { term, voted_for: Some(self.me) };
        self.output.unsaved.hard_state = true;
        self.output.reset_election_timer = true;
        self.role = Role::Candidate { votes: BTreeSet::from([self.me]) };
        let args = RequestVoteArgs {
            term,
            candidate_id: self.my_number(),
            last_log_index: self.log.last_index(),
            last_log_term: self.log.last_term(),
        };
        for peer in self.peers() {
            self.output.requests.push((peer, Request::Vote(args.clone())));
        }
        //= lab.alone
        self.count_votes();
        before.check(self);
    }

    /// The reply to a RequestVote that was sent in term `sent_in` has come (Rules for candidates).
    pub fn vote_reply(&mut self, from: usize, sent_in: u64, reply: &RequestVoteReply) {
        if !self.is_peer(from) || !self.believes(from, reply.term) {
            return;
        }
        let before = Before::of(self);
        self.see_term(reply.term);
        //= all.stale-reply
        let current = sent_in == self.hard.term && reply.term == self.hard.term;
        if let Role::Candidate { votes } = &mut self.role
            && current
            && reply.vote_granted
        {
            votes.insert(from);
            self.count_votes();
        }
        before.check(self);
    }

    /// "If votes received from majority of servers: become leader."
    fn count_votes(&mut self) {
        let quorum = self.quorum();
        if let Role::Candidate { votes } = &self.role
            //= candidates.majority
            && votes.len() >= quorum
        {
            self.become_leader();
        }
    }

    /// "Upon election: send initial empty AppendEntries RPCs (heartbeat) to each server."
    fn become_leader(&mut self) {
        //= state.leader
        // Figure 2, volatile state on leaders, reinitialized after election.
        let fresh = Progress::new(self.log.last_index());
        self.role = Role::Leader { progress: vec![fresh; self.servers], reads: Reads::default() };
        self.output.elected = Some(self.hard.term);
    }
}

/// True if a candidate could have sent this: its log ends in an earlier term than the one it wants to
/// lead, and an empty log ends in term 0.
fn is_possible(args: &RequestVoteArgs) -> bool {
    args.last_log_term < args.term && (args.last_log_index == 0) == (args.last_log_term == 0)
}
