//! What a second server is asked, made from messages of the run.

use std::collections::BTreeMap;
use std::time::Duration;

use labrpc::KeptRequest;
use run_record::names::Name;

use super::News;
use super::world::Step;
use crate::calls::{Asked, Call};
use crate::judge::Judge;
use crate::understanding::{Place, Request, Understanding};

/// Something that contradicts an answer of the run if a second server says yes to it.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) request: KeptRequest,
    pub(crate) what: What,
    /// How long after the run's own request the third server gets it; none if there is nothing to compare.
    pub(crate) wait: Option<Duration>,
}

/// What a question asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// A vote in the same term, for another candidate.
    SecondVote { candidate: usize },
    /// What was accepted, from a leader of an earlier term.
    EarlierTerm { term: u64 },
    /// A vote for a candidate whose log ends before the last entry that was accepted.
    OlderLog { candidate: usize, term: u64, last: Place },
    /// The same as before.
    Again,
}

impl Question {
    fn new(request: KeptRequest, what: What, wait: Duration) -> Question {
        Question { request, what, wait: Some(wait) }
    }

    pub(crate) fn step(&self) -> Step {
        Step { request: self.request.clone(), wait: Duration::ZERO }
    }
}

/// How much later the term of a vote is in which nobody can have voted yet: a server that reaches nobody may
/// stand for election a few times while it waits for the question.
const LATER: u64 = 1_000;

/// How long a server may be bound to a leader that it has just heard. After that it may vote again.
const BOUND: Duration = Duration::from_secs(2);

/// What questions are made from.
pub(crate) struct Questions<'a> {
    pub(crate) request: &'a KeptRequest,
    pub(crate) votes: &'a BTreeMap<(usize, usize), KeptRequest>,
    pub(crate) judge: &'a Judge,
    pub(crate) understanding: &'a mut Understanding,
    /// Why a question cannot be made of this Raft's messages, if one cannot.
    pub(crate) lacking: &'a mut Option<&'static str>,
}

impl Questions<'_> {
    /// What to ask after an answer, in the order in which it is asked: a right no changes nothing for the
    /// next question.
    pub(crate) fn about(mut self, call: &Call, news: &News) -> Vec<Question> {
        match *news {
            News::Vote { term, candidate } => {
                self.second_vote(call, term, candidate).into_iter().collect()
            }
            News::Accepted { term, last, .. } => {
                let earlier = self.earlier_term(term);
                let older = last.and_then(|(_, before)| self.older_log(call.to, term, before));
                earlier.into_iter().chain(older).collect()
            }
            News::Shown { .. } => {
                let request = self.request.clone();
                vec![Question { request, what: What::Again, wait: None }]
            }
        }
    }

    /// The same request, from another candidate.
    fn second_vote(&mut self, call: &Call, term: u64, former: usize) -> Option<Question> {
        let Asked::Vote { last, .. } = call.asked else { return None };
        let others = (0..self.judge.servers.len()).filter(|id| ![former, call.to].contains(id));
        let others: Vec<usize> = others.collect();
        let first = *others.first()?; // in a cluster of two there is no other one
        let renamed = self.understanding.with_candidate(self.request, former, first);
        // What another one has once sent names it for certain, and has to be brought up to date.
        let brought_up = || {
            others.iter().find_map(|other| {
                let request = self.votes.get(&(*other, call.to))?;
                Some((*other, self.understanding.with_vote(request, term, last)?))
            })
        };
        let Some((candidate, request)) =
            renamed.map(|request| (first, request)).or_else(brought_up)
        else {
            *self.lacking = Some(
                "a request for a vote has no `candidate_id` or the like, so none can be made that comes \
                 from another candidate",
            );
            return None;
        };
        self.reads_as_vote(&request, term, last)
            .then(|| Question::new(request, What::SecondVote { candidate }, Duration::ZERO))
    }

    /// The same request, from a leader of the term before.
    fn earlier_term(&mut self, term: u64) -> Option<Question> {
        let earlier = term.checked_sub(1)?;
        let request = self.understanding.with(self.request, &[(Name::Term, earlier)])?;
        let reads = match self.understanding.request(request.method(), (&request).into()) {
            Request::Append(append) => append.term == earlier,
            _ => false,
        };
        reads.then(|| Question::new(request, What::EarlierTerm { term: earlier }, Duration::ZERO))
    }

    /// A request for a vote by a candidate whose log ends at a place.
    fn older_log(&mut self, voter: usize, term: u64, last: Place) -> Option<Question> {
        let mut to_voter = self.votes.iter().filter(|((_, to), _)| *to == voter);
        let (&(candidate, _), request) = to_voter.next_back()?;
        let term = term.checked_add(LATER)?;
        let request = self.understanding.with_vote(request, term, last)?;
        let what = What::OlderLog { candidate, term, last };
        self.reads_as_vote(&request, term, last).then(|| Question::new(request, what, BOUND))
    }

    fn reads_as_vote(&mut self, request: &KeptRequest, term: u64, last: Place) -> bool {
        match self.understanding.request(request.method(), request.into()) {
            Request::Vote { term: asked, last: end } => (asked, end) == (term, last),
            _ => false,
        }
    }
}
