//! Leader election (paper, sections 5.2, 5.4.1 and 6; Ongaro's thesis, section 9.6 on pre-vote).

use std::collections::BTreeSet;

use labrt::time::Instant;

use super::{LEADER_HEARD, Role, Server};
use crate::message::{Request, VoteReply, VoteRequest};

impl Server {
    /// The election timeout has elapsed.
    pub(super) fn campaign(&mut self, now: Instant) -> Vec<(usize, Request)> {
        let asked_to_stand = self.asked_to_stand;
        self.reset_election_timer(now);
        if self.habits.pre_vote && !asked_to_stand && !self.would_win() {
            // Those who have said yes in an earlier round said it of this very term.
            if !matches!(self.role, Role::PreCandidate(_)) {
                self.role = Role::PreCandidate(BTreeSet::from([self.me]));
            }
            if !self.would_win() {
                return self.ask_for_votes(self.durable.term + 1, true);
            }
        }
        self.start_election(now)
    }

    fn would_win(&self) -> bool {
        matches!(&self.role, Role::PreCandidate(votes) if self.is_majority(votes.len()))
    }

    /// Rules for candidates: "Increment currentTerm, vote for self, reset election timer, send
    /// RequestVote RPCs to all other servers."
    fn start_election(&mut self, now: Instant) -> Vec<(usize, Request)> {
        self.durable.term += 1;
        self.durable.voted_for = Some(self.me);
        self.unsaved = true;
        self.role = Role::Candidate(BTreeSet::from([self.me]));
        self.reset_election_timer(now);
        self.lead_if_elected(now);
        self.ask_for_votes(self.durable.term, false)
    }

    fn ask_for_votes(&self, term: u64, pre: bool) -> Vec<(usize, Request)> {
        let last = self.durable.log.last();
        let request = Request::Vote(VoteRequest { term, candidate: self.me, last, pre });
        self.others().map(|server| (server, request.clone())).collect()
    }

    pub(super) fn vote_request(&mut self, vote: &VoteRequest, now: Instant) -> VoteReply {
        let granted = match vote.pre {
            true => self.would_vote(vote, now),
            false => self.votes(vote, now),
        };
        let mut term = self.durable.term;
        if self.habits.replies_echo_term
            || (self.habits.pre_vote_reply_next_term && vote.pre && granted)
        {
            term = vote.term;
        }
        if self.habits.success_with_term_0 && granted {
            term = 0;
        }
        VoteReply { term, asked: vote.term, pre: vote.pre, granted }
    }

    /// RequestVote RPC, receiver implementation.
    fn votes(&mut self, vote: &VoteRequest, now: Instant) -> bool {
        if self.habits.leader_stickiness && self.hears_a_leader(now) {
            return false;
        }
        self.see_term(vote.term, now);
        let free = self.durable.voted_for.is_none_or(|candidate| candidate == vote.candidate);
        let granted = vote.term == self.durable.term && free && self.is_up_to_date(vote);
        if granted {
            self.durable.voted_for = Some(vote.candidate);
            self.unsaved = true;
            self.role = Role::Follower;
            self.reset_election_timer(now);
        }
        granted
    }

    /// The answer to a pre-vote promises nothing, so nothing changes.
    fn would_vote(&self, vote: &VoteRequest, now: Instant) -> bool {
        vote.term > self.durable.term && !self.hears_a_leader(now) && self.is_up_to_date(vote)
    }

    fn hears_a_leader(&self, now: Instant) -> bool {
        let heard = self.leader_heard.is_some_and(|heard| now < heard + LEADER_HEARD);
        heard || matches!(self.role, Role::Leader(_))
    }

    /// Section 5.4.1: the later term wins, and with equal terms the longer log.
    fn is_up_to_date(&self, vote: &VoteRequest) -> bool {
        let own = self.durable.log.last();
        (vote.last.term, vote.last.index) >= (own.term, own.index)
    }

    pub(super) fn vote_reply(&mut self, from: usize, reply: &VoteReply, now: Instant) {
        // A pre-vote that would be given may show the term that was asked about.
        if !(reply.pre && reply.granted) {
            self.see_term(reply.term, now);
        }
        let term = self.durable.term;
        let votes = match &mut self.role {
            Role::PreCandidate(votes) if reply.pre && reply.asked == term + 1 => votes,
            Role::Candidate(votes) if !reply.pre && reply.asked == term => votes,
            _ => return,
        };
        if reply.granted {
            votes.insert(from);
            self.lead_if_elected(now);
        }
    }

    /// Rules for candidates: "If votes received from majority of servers: become leader." A server
    /// that would win begins its election: the next [`tick`](Server::tick) sends it.
    fn lead_if_elected(&mut self, now: Instant) {
        match &self.role {
            Role::PreCandidate(votes) if self.is_majority(votes.len()) => {
                self.election_at = now;
            }
            Role::Candidate(votes) if self.is_majority(votes.len()) => self.lead(now),
            _ => {}
        }
    }
}
