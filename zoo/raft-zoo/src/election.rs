//! Leader election (paper, sections 5.2 and 5.4.1).

use std::sync::Arc;

use labrt::thread;
use labrt::time::Instant;

use crate::Kind;
use crate::message::{RequestVoteArgs, RequestVoteReply};
use crate::server::{ASKS_AGAIN, Role, State, Student};

impl Student {
    /// Rules for candidates: "Increment currentTerm, vote for self, reset election timer, send
    /// RequestVote RPCs to all other servers."
    pub(crate) fn start_election(self: &Arc<Self>, state: &mut State) {
        state.role = Role::Candidate;
        state.current_term += 1;
        state.voted_for = (!self.has(Kind::OwnVoteNotNoted)).then_some(self.me);
        state.votes = 1;
        self.persist_vote(state);
        self.reset_election_timer(state);
        let args = RequestVoteArgs {
            term: state.current_term,
            candidate_id: self.me,
            last_log_index: state.log.last_index(),
            last_log_term: state.log.last_term(),
        };
        for peer in self.others() {
            let (raft, args) = (self.clone(), args.clone());
            thread::spawn(move || {
                raft.ask_for_vote(peer, &args);
                if raft.has(Kind::VotesCountedTwice) {
                    raft.ask_again(peer, &args);
                }
            });
        }
        if !self.has(Kind::AloneNeverElected) {
            self.lead_if_elected(state);
        }
    }

    fn ask_for_vote(self: &Arc<Self>, peer: usize, args: &RequestVoteArgs) {
        let Some((mut state, reply)) = self.call(|| self.peers[peer].request_vote(args)) else {
            return;
        };
        self.see_term_of_reply(&mut state, reply.term);
        // Students' Guide, "Term confusion": the world may have moved on during the call.
        let current = state.current_term == args.term || self.has(Kind::StaleVoteCounted);
        if state.role == Role::Candidate && current && reply.vote_granted {
            state.votes += 1;
            self.lead_if_elected(&mut state);
        }
    }

    /// With [`Kind::VotesCountedTwice`]: the request, or its reply, may have been lost.
    fn ask_again(self: &Arc<Self>, peer: usize, args: &RequestVoteArgs) {
        thread::sleep(ASKS_AGAIN);
        let state = self.state.lock();
        let still = state.role == Role::Candidate && state.current_term == args.term;
        drop(state);
        if still {
            self.ask_for_vote(peer, args);
        }
    }

    /// Rules for candidates: "If votes received from majority of servers: become leader."
    fn lead_if_elected(&self, state: &mut State) {
        if !self.is_majority(state.votes) {
            return;
        }
        state.role = Role::Leader;
        self.tell(state);
        if self.has(Kind::LeaderCleansLog) {
            state.log.replace_after(state.commit_index, &[]);
            self.persist(state);
        }
        let last = state.log.last_index();
        state.next_index = vec![last + 1; self.peers.len()];
        if state.match_index.is_empty() || !self.has(Kind::MatchIndexKept) {
            state.match_index = vec![0; self.peers.len()];
        }
        state.match_index[self.me] = last;
        state.given_up = vec![false; self.peers.len()];
        state.fresh = true;
        // "Upon election: send initial empty AppendEntries RPCs (heartbeat) to each server."
        state.heartbeat_at = Instant::now();
        self.due.notify_one();
    }

    /// RequestVote RPC, receiver implementation.
    pub(crate) fn handle_request_vote(&self, args: &RequestVoteArgs) -> RequestVoteReply {
        let mut state = self.state.lock();
        let before = state.current_term;
        let mut reply = self.vote(&mut state, args);
        if self.has(Kind::TermReadTooEarly) {
            reply.term = before;
        }
        reply
    }

    fn vote(&self, state: &mut State, args: &RequestVoteArgs) -> RequestVoteReply {
        if self.has(Kind::RefusedBeforeTerm) && !self.is_up_to_date(state, args) {
            return RequestVoteReply { term: state.current_term, vote_granted: false };
        }
        self.see_term(state, args.term);
        // 1. "Reply false if term < currentTerm." 2. "If votedFor is null or candidateId, and
        // candidate's log is at least as up-to-date as receiver's log, grant vote."
        let free = state.voted_for.is_none_or(|vote| vote == args.candidate_id)
            || (state.role == Role::Leader && self.has(Kind::LeaderVotes));
        let current = args.term == state.current_term || self.has(Kind::OldTermVote);
        let vote_granted = current && free && self.is_up_to_date(state, args);
        if vote_granted {
            state.voted_for = Some(args.candidate_id);
            if !self.has(Kind::VoteNotPersisted) {
                self.persist_vote(state);
            }
        }
        // Rules for followers: the timer starts anew on "granting vote to candidate".
        if vote_granted || self.has(Kind::TimerResetByAnyRpc) {
            self.reset_election_timer(state);
        }
        RequestVoteReply { term: state.current_term, vote_granted }
    }

    /// Section 5.4.1: "If the logs have last entries with different terms, then the log with the
    /// later term is more up-to-date. If the logs end with the same term, then whichever log is
    /// longer is more up-to-date."
    fn is_up_to_date(&self, state: &State, args: &RequestVoteArgs) -> bool {
        if self.has(Kind::LongerLogWins) {
            return args.last_log_index >= state.log.last_index();
        }
        if self.has(Kind::BothMustBeGreater) {
            return args.last_log_index >= state.log.last_index()
                && args.last_log_term >= state.log.last_term();
        }
        let ours = (state.log.last_term(), state.log.last_index());
        (args.last_log_term, args.last_log_index) >= ours
    }
}
