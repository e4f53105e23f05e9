//! What a server has promised it must keep after a crash, whoever its Raft is and whether or not it says
//! what its saved state means.
//!
//! A server may crash right after an answer. What would come back then can be tried: from a copy of what
//! is saved at that moment a second server is made, in a simulated world of its own beside the run, in
//! which it reaches nobody. It is asked for what contradicts the answer ([`questions`]):
//!
//! | the run's server | the second one is asked | what it must not say |
//! |---|---|---|
//! | gave its vote | for its vote in the same term, by another candidate | yes |
//! | accepted entries | to accept the same in the term before | yes |
//! | | for its vote in a later term, by a candidate that lacks the last of them | yes |
//! | refused a request and showed a later term | the very same request | yes |
//!
//! # Only a yes is evidence
//!
//! A second server may have good reasons to refuse: it has heard of a leader, it must hear others first,
//! it has put the entry into a snapshot, its term has gone on since. It may also be silent for a while. All that
//! proves nothing. So no question is put whose right answer is yes.
//!
//! # A yes is compared
//!
//! A question is a message of the run in which a number or two are changed. Perhaps the Raft looks at
//! something else in it: then it was not asked what we believe. So before anybody is accused a third server is
//! made from the same bytes. It first gets the run's own request, and has to say yes to it once more. Then the
//! question is put to it, and it has to say no. If it does not, nothing is judged. For a Raft that saves
//! what it promises the two servers are the same one, since the run's request tells it nothing new.
//!
//! Only the last row of the table has no such comparison. It needs none: nothing is changed in that message.
//!
//! # Who saves nothing
//!
//! Parts 2A and 2B do not ask for anything to be saved. So nothing is tried before some server of the group has
//! saved something; what was promised until then, and not saved, is tried at that moment.
//!
//! # The run stays as it is
//!
//! The bytes are copied when the answer is on its way and nobody else runs. The worlds of second servers
//! have their own tasks, time and randomness. So a run has the same steps with and without them, and a
//! run that is repeated puts the same questions. On the real clock none are put: there the
//! run would have to wait for them.

mod often;
mod questions;
mod verdicts;
mod world;

use std::collections::BTreeMap;

use labrpc::{CallEvent, KeptRequest};
use labtrace::Verdict;

use super::calls::{Asked, Call};
use super::judge::Judge;
use super::persister::SavedStates;
use super::understanding::missing as rules;
use super::understanding::{Part, Place, Reply, Understanding};
use crate::RaftType;
use often::Often;
use questions::{Question, Questions};
use world::{Saved, Step};

/// What is kept for second servers, and when there is one.
pub(crate) struct Second {
    often: Often,
    raft: RaftType,
    /// What may be asked again: by the number of the call.
    kept: BTreeMap<u64, KeptRequest>,
    /// By candidate and receiver, the request for a vote that was sent last.
    votes: BTreeMap<(usize, usize), KeptRequest>,
    /// By server: the latest that it has promised of each kind.
    known: Vec<Known>,
    /// What is to be tried when some server has saved something.
    waiting: Vec<Trial>,
    /// Why a question cannot be made of this Raft's messages, if one cannot.
    lacking: Option<&'static str>,
}

/// The latest that a server has promised of each kind.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The term of its last vote.
    voted: u64,
    /// The term of the leader whose entries it accepted last, and the last one's index.
    accepted: (u64, u64),
    /// The highest term that it has shown in a refusal.
    shown: u64,
}

impl Known {
    /// True if a yes to this, or a refusal by a server that has shown this term, may be news.
    fn may_change(&self, asked: &Asked, shown: u64) -> bool {
        match asked {
            Asked::Vote { .. } => true,
            Asked::Append(append) => {
                (append.term, append.last.index) > self.accepted || append.term < shown
            }
            Asked::Install(_) | Asked::Beat { .. } | Asked::Nothing => false,
        }
    }

    /// What an answer promises, if the server had not promised as much before. `end`: what its log has for
    /// certain, by what it has accepted in a term.
    fn news(
        &mut self,
        call: &Call,
        reply: Reply,
        end: impl FnOnce(u64) -> Option<(Place, Place)>,
    ) -> Option<News> {
        match (call.asked, reply.yes?) {
            (Asked::Vote { term, .. }, true) if term > self.voted => {
                self.voted = term;
                Some(News::Vote { term, candidate: call.from })
            }
            (Asked::Append(append), true) => {
                let accepted = (append.term, call.kept?.index);
                if accepted <= self.accepted {
                    return None;
                }
                self.accepted = accepted;
                Some(News::Accepted {
                    term: append.term,
                    leader: call.from,
                    last: end(append.term),
                })
            }
            (_, false) => {
                let (asked, term) = (call.asked.term()?, reply.term?);
                if term <= asked || term <= self.shown {
                    return None;
                }
                self.shown = term;
                Some(News::Shown { term, asked })
            }
            _ => None,
        }
    }
}

/// Something that a server had not promised before.
#[derive(Clone, Copy, Debug)]
pub(crate) enum News {
    /// Its vote.
    Vote { term: u64, candidate: usize },
    /// Entries up to this one. What its log has for certain ends there, and this is the entry before.
    Accepted { term: u64, leader: usize, last: Option<(Place, Place)> },
    /// A later term than the one of the request that it refuses.
    Shown { term: u64, asked: u64 },
}

/// An answer of the run, with all that is needed to try what would come back after a crash.
pub(crate) struct Trial {
    server: usize,
    news: News,
    /// What was asked in the run.
    request: KeptRequest,
    questions: Vec<Question>,
    saved: Saved,
    /// It had saved nothing since the request reached it.
    saved_nothing: bool,
    us: u64,
    /// Which message it was.
    location: String,
    raft: RaftType,
}

impl Second {
    /// For servers of this Raft.
    ///
    /// # Panics
    /// If the environment asks for a frequency that there is not.
    pub(crate) fn of(raft: RaftType, servers: usize) -> Second {
        Second {
            often: Often::of(raft),
            raft,
            kept: BTreeMap::new(),
            votes: BTreeMap::new(),
            known: vec![Known::default(); servers],
            waiting: Vec::new(),
            lacking: None,
        }
    }

    /// Keeps a request whose answer may be news.
    pub(crate) fn sent(&mut self, from: usize, to: usize, event: &CallEvent<'_>, judge: &Judge) {
        if self.often.is_over() {
            return;
        }
        let Some(asked) = judge.calls.get(event.call).map(|call| call.asked) else { return };
        if !self.known[to].may_change(&asked, judge.term(to)) {
            return;
        }
        let Some(request) = event.keep() else { return };
        if let Asked::Vote { .. } = asked {
            self.votes.insert((from, to), request.clone());
        }
        self.kept.insert(event.call, request);
    }

    /// A call is over.
    pub(crate) fn over(&mut self, call: u64) {
        self.kept.remove(&call);
    }

    /// A server has answered, and no rule was broken. What is to be tried now?
    pub(crate) fn replied(
        &mut self,
        number: u64,
        reply: Reply,
        judge: &Judge,
        saves: &SavedStates<'_>,
        understanding: &mut Understanding,
    ) -> Vec<Trial> {
        let trial = self.trial(number, reply, judge, saves, understanding);
        self.waiting.extend(trial);
        if (self.waiting.is_empty() && self.lacking.is_none()) || saves.are_empty() {
            return Vec::new();
        }
        if let Some(why) = self.lacking.take() {
            understanding.missing_mut().note(Part::OtherCandidate, why.to_string());
        }
        std::mem::take(&mut self.waiting)
    }

    fn trial(
        &mut self,
        number: u64,
        reply: Reply,
        judge: &Judge,
        saves: &SavedStates<'_>,
        understanding: &mut Understanding,
    ) -> Option<Trial> {
        let request = self.kept.remove(&number)?;
        let call = judge.calls.get(number)?;
        let delivered = call.delivered.filter(|seen| judge.is_live(call.to, seen.instance))?;
        let end = |term| judge.end_of(call.to, term);
        let news = self.known[call.to].news(&call, reply, end)?;
        let rule = match news {
            News::Vote { .. } => &rules::VOTES_SURVIVE,
            News::Accepted { .. } => &rules::ENTRIES_SURVIVE,
            News::Shown { .. } => &rules::TERMS_SURVIVE,
        };
        if !understanding.missing().allows(rule) {
            return None;
        }
        let us = labtrace::now_us();
        let saved_nothing = saves.count(call.to) == delivered.saves;
        if !self.often.is_time(&news, saved_nothing, us) {
            return None;
        }
        let (votes, lacking) = (&self.votes, &mut self.lacking);
        let made_from = Questions { request: &request, votes, judge, understanding, lacking };
        let questions = made_from.about(&call, &news);
        if questions.is_empty() {
            return None;
        }
        let (state, snapshot) = saves.copy(call.to)?;
        let servers = judge.servers.len();
        let saved = Saved { me: call.to, servers, state, snapshot, seed: number };
        let (server, raft) = (call.to, self.raft);
        let location = format!(
            "the reply to {} from server {} to server {server}",
            request.method(),
            call.from
        );
        Some(Trial { server, news, request, questions, saved, saved_nothing, us, location, raft })
    }
}

impl Judge {
    /// The last entry that a follower's log has for certain, by what it has accepted in this term, and
    /// the one before.
    fn end_of(&self, server: usize, term: u64) -> Option<(Place, Place)> {
        let held = self.servers[server].held().filter(|held| held.in_term == term)?;
        let before = match held.place.index.checked_sub(1)? {
            0 => Place::default(),
            index => Place { index, term: self.reigns.of(term)?.terms.at(index)? },
        };
        Some((held.place, before))
    }
}

impl Trial {
    /// Makes a second server and puts the questions to it; who says yes where no was promised, with the
    /// verdict.
    ///
    /// # Errors
    /// Why that could not be done.
    pub(crate) fn run(
        &self,
        read: &mut impl FnMut(&KeptRequest, &[u8]) -> Option<bool>,
    ) -> Result<Option<Box<Verdict>>, String> {
        let steps: Vec<Step> = self.questions.iter().map(Question::step).collect();
        let answers = world::ask(self.raft, &self.saved, &steps)?;
        for (question, answer) in self.questions.iter().zip(&answers) {
            let yes = answer.as_ref().and_then(|bytes| read(&question.request, bytes));
            if yes == Some(true) && self.is_kept_without_a_crash(question, read)? {
                return Ok(Some(self.verdict(question)));
            }
        }
        Ok(None)
    }

    /// True if a third server that has just promised the same as the run's says no to the question.
    fn is_kept_without_a_crash(
        &self,
        question: &Question,
        read: &mut impl FnMut(&KeptRequest, &[u8]) -> Option<bool>,
    ) -> Result<bool, String> {
        let Some(wait) = question.wait else { return Ok(true) };
        let first = Step { request: self.request.clone(), wait };
        let answers = world::ask(self.raft, &self.saved, &[first, question.step()])?;
        let [Some(promise), Some(answer)] = &answers[..] else { return Ok(false) };
        let promised = read(&self.request, promise) == Some(true);
        Ok(promised && read(&question.request, answer) == Some(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::{Append, Sent};
    use crate::tests::OneByte;
    use crate::understanding::Request;
    use crate::understanding::tests::kept;

    fn append(term: u64, index: u64) -> Asked {
        let last = Place { index, term };
        Asked::Append(Append {
            term,
            prev: Place::default(),
            last,
            commit: 0,
            may_be_told_to_stand: false,
        })
    }

    fn vote(term: u64) -> Asked {
        Asked::Vote { term, last: Place::default() }
    }

    /// What a call of server 2 tells of the one that answers it.
    fn news(known: &mut Known, asked: Asked, reply: Reply) -> Option<News> {
        let sent = Sent { call: 1, from: 2, instance: 1, to: 1, request: Request::Nothing, us: 0 };
        let mut call = Call::new(&sent, 1, asked, 1);
        call.kept = asked.append().map(|append| append.last);
        known.news(&call, reply, |_| None)
    }

    fn yes(term: u64) -> Reply {
        Reply::new(term, true, None)
    }

    fn no(term: u64) -> Reply {
        Reply::new(term, false, None)
    }

    #[test]
    fn a_promise_is_news_only_if_it_goes_further_than_those_before() {
        let mut known = Known::default();
        for term in [3, 5] {
            let told = news(&mut known, vote(term), yes(term));
            assert!(matches!(told, Some(News::Vote { term: of, candidate: 2 }) if of == term));
        }
        assert!([5, 4].iter().all(|term| news(&mut known, vote(*term), yes(*term)).is_none()));
        // A later term, or in the same one a later entry.
        for (term, index) in [(3, 7), (3, 8), (5, 2)] {
            let told = news(&mut known, append(term, index), yes(term));
            assert!(matches!(told, Some(News::Accepted { term: of, leader: 2, .. }) if of == term));
        }
        for (term, index) in [(5, 2), (5, 1), (3, 9)] {
            assert!(news(&mut known, append(term, index), yes(term)).is_none());
        }
    }

    #[test]
    fn a_refusal_is_news_if_it_shows_a_later_term_than_it_was_asked_in_and_than_before() {
        let mut known = Known::default();
        assert!(news(&mut known, vote(5), no(5)).is_none());
        let told = news(&mut known, vote(5), no(6));
        assert!(matches!(told, Some(News::Shown { term: 6, asked: 5 })));
        for (asked, term) in [(4, 6), (4, 5), (7, 7)] {
            assert!(news(&mut known, append(asked, 1), no(term)).is_none(), "{asked} {term}");
        }
        let told = news(&mut known, append(6, 1), no(7));
        assert!(matches!(told, Some(News::Shown { term: 7, asked: 6 })));
        // Who tells no term tells nothing.
        assert!(
            news(&mut known, vote(5), Reply { yes: Some(false), ..Reply::default() }).is_none()
        );
    }

    #[test]
    fn only_requests_are_kept_whose_answer_may_be_news() {
        let known = Known { accepted: (5, 7), ..Known::default() };
        let may = |asked: Asked, shown| known.may_change(&asked, shown);
        assert!(may(vote(1), 9));
        assert!(may(append(5, 8), 5) && may(append(6, 0), 5));
        assert!(!may(append(5, 7), 5) && !may(append(4, 9), 4));
        assert!(may(append(4, 9), 5));
        assert!(!may(Asked::Beat { term: 6, commit: 0 }, 9) && !may(Asked::Nothing, 9));
    }

    #[test]
    fn a_request_is_kept_until_its_call_is_over() {
        let mut second = Second::of(RaftType::of::<OneByte>(), 2);
        for call in [7, 8] {
            second.kept.insert(call, kept(&call));
        }
        second.over(7);
        assert_eq!(second.kept.keys().collect::<Vec<_>>(), [&8]);
    }
}
