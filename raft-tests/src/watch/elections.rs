//! Rules about elections (paper, sections 5.1, 5.2 and 5.4.1).
//!
//! - A term does not go back, also not in a restart.
//! - A server votes once in a term, across restarts too.
//! - A term has one leader. It stood for election in it, and has got the votes of a majority.
//! - A vote is given only to a candidate whose log is at least as up-to-date.

use std::collections::{BTreeMap, BTreeSet};

use labtrace::verdict;
use raft_api::Started;

use super::evidence::Held;
use super::judge::{Asked, Call, Checked, Delivered, Judge, Look, Means};
use super::saved::check_vote_saved;
use super::understanding::missing as rules;
use super::understanding::{Missing, Place, Reply};

/// Who has voted, who has been elected, and what was refused.
#[derive(Debug, Default)]
pub(crate) struct Elections {
    servers: usize,
    /// Who has led each term, since when, and how that is known.
    pub(super) leaders: BTreeMap<u64, (usize, u64, Claim)>,
    /// Whom each server has voted for in each term.
    pub(super) votes: BTreeMap<(usize, u64), Vote>,
    /// Whose votes have reached each candidate in each term.
    received: BTreeMap<(usize, u64), BTreeSet<usize>>,
    /// Some request for a vote was seen.
    seen: bool,
    /// The refusals of the latest terms.
    pub(super) refusals: Vec<Refusal>,
    /// By server: how often it stood for election shortly after the leader was heard.
    pub(super) while_heard: BTreeMap<usize, u64>,
}

/// How a server has said that it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    Sent,
    Accepted,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Vote {
    pub(crate) candidate: usize,
    us: u64,
    instance: u64,
}

/// A vote that was not given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    pub(crate) term: u64,
    pub(crate) voter: usize,
    pub(crate) candidate: usize,
    pub(crate) last: Place,
    /// What the voter's log ended with, or at least had.
    pub(crate) own: Option<(Place, bool)>,
    /// The voter had given its vote to another one, or shown a later term.
    pub(crate) bound: bool,
    pub(crate) us: u64,
}

impl Elections {
    pub(crate) fn new(servers: usize) -> Elections {
        Elections { servers, ..Elections::default() }
    }

    /// A vote has reached its candidate.
    pub(crate) fn receives(&mut self, candidate: usize, term: u64, voter: usize) {
        self.received.entry((candidate, term)).or_default().insert(voter);
    }

    /// True if the server has asked for votes in this term.
    pub(crate) fn stood(&self, server: usize, term: u64) -> bool {
        self.votes.get(&(server, term)).is_some_and(|vote| vote.candidate == server)
    }

    fn voters(&self, candidate: usize, term: u64) -> Vec<usize> {
        self.received.get(&(candidate, term)).into_iter().flatten().copied().collect()
    }
}

impl Judge {
    /// `currentTerm` is persistent: no instance is behind an earlier one (Figure 2, State).
    pub(super) fn check_term_after_restart(&self, server: usize, term: u64) -> Checked {
        let before = self.servers[server].before;
        if term >= before.term {
            return Ok(());
        }
        let (before, then) = (before.term, before.us);
        let words =
            format!("the term of server {server} went back from {before} to {term} in a restart");
        Err(Box::new(
            verdict("persistence: term", words)
                .fact_at(then, server, format!("server {server} sent a message of term {before}"))
                .fact(server, format!("since its restart it sends one of term {term}"))
                .hint(
                    "currentTerm is not saved each time it changes, or not read when the server \
                     is made (or read in another order than written); another server's higher term \
                     counts too",
                )
                .build(),
        ))
    }

    /// A server asks for votes.
    pub(super) fn stands(
        &mut self,
        server: usize,
        term: u64,
        last: Place,
        us: u64,
        missing: &Missing,
    ) -> Checked {
        /// Sooner after a leader's message no timer of the lab elapses.
        const SOON_US: u64 = 100_000;
        self.elections.seen = true;
        let known = &self.servers[server];
        let soon = known.heard_us.is_some_and(|heard| us < heard + SOON_US);
        if soon && !self.elections.stood(server, term) {
            *self.elections.while_heard.entry(server).or_default() += 1;
        }
        let stands = &mut self.servers[server];
        stands.log_end = Some((last, stands.appends));
        stands.applied_when_stood = stands.applied;
        self.vote(server, term, server, us, missing)?;
        self.elections.receives(server, term, server);
        Ok(())
    }

    /// A server votes once in a term, across restarts too (Figure 2, RequestVote).
    fn vote(
        &mut self,
        server: usize,
        term: u64,
        candidate: usize,
        us: u64,
        missing: &Missing,
    ) -> Checked {
        let instance = self.servers[server].instance;
        let vote = Vote { candidate, us, instance };
        let former = *self.elections.votes.entry((server, term)).or_insert(vote);
        if former.candidate == candidate || !missing.allows(&rules::ONE_VOTE) {
            return Ok(());
        }
        let says = |vote: Vote| {
            format!("server {server} gave its vote in term {term} to server {}", vote.candidate)
        };
        let hint = match former.instance == instance {
            true => {
                "votedFor must be set when a vote is given, also to oneself, and be reset only \
                 together with a new term"
            }
            false => {
                "the server restarted in between and had forgotten its vote: votedFor must be \
                 saved before the vote is given, and read when the server is made"
            }
        };
        let mut broken = verdict(
            "one vote a term",
            format!(
                "server {server} voted for {} and for {candidate} in term {term}",
                former.candidate
            ),
        )
        .fact_at(former.us, server, says(former))
        .fact_at(us, server, says(vote));
        if former.instance != instance {
            broken = broken.detail(format!("server {server} was restarted between the two"));
        }
        Err(Box::new(broken.hint(hint).build()))
    }

    /// A server speaks as leader of a term.
    pub(super) fn leads(
        &mut self,
        server: usize,
        term: u64,
        us: u64,
        missing: &Missing,
    ) -> Checked {
        match self.elections.leaders.get(&term) {
            Some((leader, _, Claim::Sent)) if *leader == server => return Ok(()),
            Some((leader, ..)) if *leader == server => {}
            _ => self.check_leader(server, term, us, Claim::Sent, missing)?,
        }
        self.elections.leaders.insert(term, (server, us, Claim::Sent));
        if self.servers.len() > 1 && missing.allows(&rules::ELECTED) {
            self.check_majority(server, term, us)?;
        }
        self.reigns.led_by(server, term);
        Ok(())
    }

    /// A server has accepted a command, which only a leader does.
    pub(crate) fn accepts(
        &mut self,
        server: usize,
        started: Started,
        us: u64,
        missing: &Missing,
    ) -> Checked {
        let term = started.term;
        match self.elections.leaders.get(&term) {
            Some((leader, ..)) if *leader == server => Ok(()),
            _ => {
                self.check_leader(server, term, us, Claim::Accepted, missing)?;
                self.elections.leaders.entry(term).or_insert((server, us, Claim::Accepted));
                Ok(())
            }
        }
    }

    /// Election Safety: one leader in a term (Figure 3), and none that did not stand for election.
    fn check_leader(
        &self,
        server: usize,
        term: u64,
        us: u64,
        claim: Claim,
        missing: &Missing,
    ) -> Checked {
        let says = |server, claim| match claim {
            Claim::Sent => format!("server {server} sent AppendEntries as leader of term {term}"),
            Claim::Accepted => {
                format!("server {server} accepted a command as leader of term {term}")
            }
        };
        let stood = self.elections.stood(server, term);
        let judged = self.elections.seen && self.servers.len() > 1;
        if judged && !stood && missing.allows(&rules::ELECTED) {
            let words = format!(
                "server {server} leads term {term}, but has asked nobody for a vote in that term"
            );
            let mut broken = verdict("elected by a majority", words)
                .fact_at(us, server, says(server, claim))
                .fact(server, format!("it sent no RequestVote of term {term}"));
            if let Some((leader, since, claim)) = self.elections.leaders.get(&term) {
                broken = broken.fact_at(*since, *leader, says(*leader, *claim));
            }
            return Err(Box::new(broken.hint(LEADS_UNELECTED).build()));
        }
        let Some(&(leader, since, former)) = self.elections.leaders.get(&term) else {
            return Ok(());
        };
        if !missing.allows(&rules::ELECTION_SAFETY) {
            return Ok(());
        }
        Err(Box::new(
            verdict(
                "Election Safety",
                format!("term {term} has two leaders: {leader} and {server}"),
            )
            .fact_at(since, leader, says(leader, former))
            .fact_at(us, server, says(server, claim))
            .hint(
                "a server voted twice in this term (its vote was not saved, or not reset \
                     with the term only), or a candidate counted votes of another term",
            )
            .build(),
        ))
    }

    /// A leader has the votes of a majority, given in its term (Figure 2, Rules for candidates).
    fn check_majority(&self, server: usize, term: u64, us: u64) -> Checked {
        let voters = self.elections.voters(server, term);
        if voters.is_empty() || voters.len() > self.elections.servers / 2 {
            return Ok(());
        }
        let words = format!(
            "server {server} leads term {term}, but only the votes of {} of {} servers had reached it \
             in that term",
            voters.len(),
            self.servers.len()
        );
        let mut broken = verdict("elected by a majority", words)
            .fact_at(
                us,
                server,
                format!("server {server} sends AppendEntries as leader of term {term}"),
            )
            .fact(server, format!("in term {term} it has the votes of servers {voters:?}"));
        let earlier = self.elections.received.range((server, 0)..(server, term)).next_back();
        if let Some(((_, before), voters)) = earlier {
            let voters: Vec<usize> = voters.iter().copied().collect();
            let text = format!("in term {before} it had those of servers {voters:?}");
            broken = broken.fact(server, text);
        }
        Err(Box::new(
            broken
                .hint(
                    "a vote that was given in an earlier term was counted: a reply counts only \
                     while currentTerm is still the term of its request; or a vote was counted \
                     twice, or against the wrong number",
                )
                .build(),
        ))
    }

    /// `currentTerm` never decreases: an answer to a request that came after the server had shown a
    /// term is of that term or a later one, unless it sends the request's own term back.
    pub(super) fn check_term_of_reply(
        &self,
        call: &Call,
        delivered: Delivered,
        reply: Reply,
        us: u64,
    ) -> Checked {
        let (server, Some(term)) = (call.to, reply.term) else { return Ok(()) };
        let asked = match call.asked {
            Asked::Vote { term, .. } | Asked::Beat { term, .. } => term,
            Asked::Append(append) => append.term,
            Asked::Nothing => return Ok(()),
        };
        let before = delivered.promised;
        if reply.yes == Some(true) && term < asked {
            let words = format!(
                "server {server} said yes to a request of term {asked} with a reply of term {term}"
            );
            return Err(Box::new(
                verdict("term", words)
                    .fact(call.from, format!("server {} sent a request of term {asked}", call.from))
                    .fact_at(us, server, format!("server {server} said yes with term {term}"))
                    .hint(
                        "the term of the reply is read before the request's newer one is taken \
                         over, or the newer one is not taken over at all",
                    )
                    .build(),
            ));
        }
        if term >= before.term || term == asked {
            return Ok(());
        }
        let words = format!("the term of server {server} went back from {} to {term}", before.term);
        let first = format!("server {server} sent a message of term {}", before.term);
        Err(Box::new(
            verdict("term", words)
                .fact_at(before.us, server, first)
                .fact_at(us, server, format!("it answers a later request with term {term}"))
                .hint(
                    "currentTerm is set from a message without looking whether that is higher, or \
                     was not saved before a restart",
                )
                .build(),
        ))
    }

    /// A server has answered a request for its vote.
    pub(super) fn votes(
        &mut self,
        call: &Call,
        delivered: Delivered,
        (term, last): (u64, Place),
        reply: Reply,
        us: u64,
        means: &mut Means<'_>,
    ) -> Checked {
        let (candidate, voter) = (call.from, call.to);
        match reply.yes {
            Some(true) => {
                self.check_stale(call, delivered, term, us)?;
                self.vote(voter, term, candidate, us, means.missing)?;
                if means.missing.allows(&rules::RESTRICTION)
                    && let (Some(had), Some(now)) = (delivered.held, self.servers[voter].held())
                    && had.in_term == now.in_term
                    && self.is_still(voter, had)
                    && last.up_to_date() < had.place.up_to_date()
                {
                    return Err(self.voted_for_older_log(call, term, last, had));
                }
                self.servers[voter].promise(term, us);
            }
            Some(false) => self.refuses_vote(call, delivered, (term, last), us),
            None => {}
        }
        match (means.saved)(voter, Look::IfCheap) {
            Some(saved) => check_vote_saved(candidate, voter, term, reply, &saved),
            None => Ok(()),
        }
    }

    fn refuses_vote(
        &mut self,
        call: &Call,
        delivered: Delivered,
        (term, last): (u64, Place),
        us: u64,
    ) {
        const KEPT: usize = 64;
        let (voter, candidate) = (call.to, call.from);
        let server = &self.servers[voter];
        let end = server.log_end.filter(|(_, appends)| *appends == server.appends);
        let own = end.map(|(place, _)| (place, true));
        let own = own.or(delivered.held.map(|held| (held.place, false)));
        let vote = self.elections.votes.get(&(voter, term));
        let bound =
            vote.is_some_and(|vote| vote.candidate != candidate) || delivered.promised.term > term;
        let refusals = &mut self.elections.refusals;
        if refusals.len() == KEPT {
            refusals.remove(0);
        }
        refusals.push(Refusal { term, voter, candidate, last, own, bound, us });
    }

    fn voted_for_older_log(
        &self,
        call: &Call,
        term: u64,
        last: Place,
        had: Held,
    ) -> Box<labtrace::Verdict> {
        let Held { leader, in_term, place, us, instance } = had;
        let (candidate, voter) = (call.from, call.to);
        let words = format!(
            "server {voter} voted for server {candidate} in term {term}, whose log is older than its own"
        );
        let Place { index, term: of } = place;
        let has = match leader == voter {
            true => {
                format!("server {voter} had entry {index} of term {of} as leader of term {in_term}")
            }
            false => format!(
                "server {voter} accepted entry {index} of term {of} from server {leader} in term \
                 {in_term}"
            ),
        };
        let ends = format!(
            "the log of server {candidate} ends with entry {} of term {}",
            last.index, last.term
        );
        let broken = verdict("election restriction", words)
            .index(index)
            .fact_at(us, voter, has)
            .fact(candidate, ends);
        let hint = match instance == self.servers[voter].instance {
            true => {
                "section 5.4.1: compare the terms of the last entries first, and their indexes \
                 only if the terms are equal; or the server's log was cut off by mistake"
            }
            false => {
                "the server restarted in between and forgot what it had accepted: entries must be \
                 saved before they are accepted, and read when the server is made"
            }
        };
        let broken = match instance == self.servers[voter].instance {
            true => broken,
            false => broken.detail(format!("server {voter} was restarted in between")),
        };
        Box::new(broken.hint(hint).build())
    }
}

/// What usually leads to a leader that was not elected.
const LEADS_UNELECTED: &str = "a message was built after the term had changed, with the new term: look \
     at the role and the term under the same lock as the rest; or the role was not given up when \
     the term went on";
