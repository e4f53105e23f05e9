//! Rules about votes (paper, sections 5.2 and 5.4.1).
//!
//! - A server votes once in a term, across restarts too.
//! - A vote is given only to a candidate whose log is at least as up-to-date.

use labtrace::verdict;
use raft_api::Persisted;

use super::calls::{Call, Delivered};
use super::evidence::Held;
use super::judge::{Checked, Judge, Means};
use super::persister::Look;
use super::saved::{check_log, check_vote_saved};
use super::understanding::missing as rules;
use super::understanding::{Missing, Place, Reply};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Vote {
    pub(crate) candidate: usize,
    pub(super) us: u64,
    instance: u64,
    /// It is known to be saved.
    pub(super) saved: bool,
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

impl Judge {
    /// A server asks for votes.
    pub(super) fn stands(
        &mut self,
        server: usize,
        term: u64,
        last: Place,
        us: u64,
        missing: &Missing,
    ) -> Checked {
        self.elections.seen = true;
        self.check_deaf(server, term, us)?;
        if !self.elections.stood(server, term) {
            self.check_waits(server, term, us, missing)?;
        }
        let heard = self.servers[server].heard_us;
        let soon = heard.is_some_and(|heard| self.stands_too_soon(server, heard, us));
        if soon && !self.elections.stood(server, term) {
            *self.elections.while_heard.entry(server).or_default() += 1;
        }
        let stands = &mut self.servers[server];
        stands.log_end = Some((last, stands.appends));
        stands.applied_when_stood = stands.applied;
        self.commit_is_forgotten |=
            stands.applied == stands.restored && stands.applied_before > stands.restored;
        self.vote(server, term, server, us, missing)?;
        self.elections.receives(server, term, server);
        Ok(())
    }

    /// A server votes once in a term, across restarts too (Figure 2, RequestVote). That its vote is the leader's whom it
    /// follows it may say besides.
    fn vote(
        &mut self,
        server: usize,
        term: u64,
        candidate: usize,
        us: u64,
        missing: &Missing,
    ) -> Checked {
        let instance = self.servers[server].instance;
        let vote = Vote { candidate, us, instance, saved: false };
        let former = self.elections.votes.entry((server, term)).or_insert(vote);
        let led = self.elections.leaders.get(&term).is_some_and(|(leader, ..)| *leader == server);
        if former.instance != instance && former.candidate == server && !former.saved && !led {
            // It had asked for votes only, and has not counted its own.
            *former = vote;
        }
        let former = *former;
        // Who has heard the leader of the term may note that one as its vote: nobody else can be elected any more.
        let follows =
            self.elections.is_elected(candidate, term) && self.servers[server].was_led_in(term);
        if former.candidate == candidate || follows || !missing.allows(&rules::ONE_VOTE) {
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
        //= vote.once
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
                // The vote that it has given it may give again, whatever has come into its log since.
                let given = self.elections.votes.get(&(voter, term));
                let again = given.is_some_and(|vote| vote.candidate == candidate);
                self.vote(voter, term, candidate, us, means.missing)?;
                if !again
                    && means.missing.allows(&rules::RESTRICTION)
                    && let (Some(had), Some(now)) = (delivered.held, self.servers[voter].held())
                    && had.in_term == now.in_term
                    && self.is_still(voter, had)
                    && last.up_to_date() < had.place.up_to_date()
                    // What it has from the leader of this very term, that one has got its vote before.
                    && (had.leader, had.in_term) != (candidate, term)
                {
                    let saved = means.saved.look(voter, Look::Surely).map(end_of_log);
                    check_log(voter, means.saved.disorder(voter))?;
                    return Err(self.voted_for_older_log(call, (term, last), had, saved));
                }
                self.servers[voter].promise(term, us);
            }
            Some(false) => self.refuses_vote(call, delivered, (term, last), us, means),
            None => {}
        }
        let refused = reply.yes == Some(false);
        if refused && reply.term == Some(term) && self.hears_a_leader(voter, us) {
            return Ok(());
        }
        let look = match reply.yes {
            Some(true) => means.saved.since(voter, delivered),
            _ => Look::IfCheap,
        };
        match means.saved.look(voter, look) {
            Some(saved) => {
                let leads = |vote| self.elections.is_elected(vote, term);
                check_vote_saved((candidate, voter), term, reply, saved, leads)
            }
            None => Ok(()),
        }
    }

    /// True if a leader has called a server just now. Then it need not look at what a candidate says, and may send the
    /// request's term back with its refusal (Ongaro's thesis, section 4.2.3).
    fn hears_a_leader(&self, server: usize, us: u64) -> bool {
        const JUST_NOW_US: u64 = 1_000_000;
        self.servers[server].heard_us.is_some_and(|heard| us < heard + JUST_NOW_US)
    }

    fn refuses_vote(
        &mut self,
        call: &Call,
        delivered: Delivered,
        (term, last): (u64, Place),
        us: u64,
        means: &mut Means<'_>,
    ) {
        const KEPT: usize = 64;
        /// After so many refusals since the last election that was won it matters why.
        const MANY: usize = 3;
        let (voter, candidate) = (call.to, call.from);
        let server = &self.servers[voter];
        let look = match self.elections.refusals_since_the_last_leader().count() < MANY {
            true => Look::IfCheap,
            false => Look::Surely,
        };
        let saved = means.saved.look(voter, look);
        let end = server.log_end.filter(|(_, appends)| *appends == server.appends);
        let own = saved.map(end_of_log).or(end.map(|(place, _)| place)).map(|place| (place, true));
        let own = own.or(delivered.held.map(|held| (held.place, false)));
        let vote = self.elections.votes.get(&(voter, term));
        let bound = vote.is_some_and(|vote| vote.candidate != candidate)
            || delivered.promised.term > term
            || saved.is_some_and(|saved| is_bound(saved, term, candidate));
        let refusals = &mut self.elections.refusals;
        if refusals.len() == KEPT {
            refusals.remove(0);
        }
        refusals.push(Refusal { term, voter, candidate, last, own, bound, us });
    }

    fn voted_for_older_log(
        &self,
        call: &Call,
        (term, last): (u64, Place),
        had: Held,
        saved: Option<Place>,
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
        //= vote.up-to-date
        let mut broken = verdict("election restriction", words)
            .index(index)
            .fact_at(us, voter, has)
            .fact(candidate, ends);
        if let Some(Place { index, term }) = saved {
            let text =
                format!("what server {voter} has saved ends with entry {index} of term {term}");
            broken = broken.fact(voter, text);
        }
        let hint = match instance == self.servers[voter].instance {
            true => {
                "section 5.4.1: compare the terms of the last entries first, and their indexes \
                 only if the terms are equal; or the server's log was cut off by mistake, or what followed a \
                 conflicting entry was not deleted"
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

/// The last entry of a saved log.
fn end_of_log(saved: &Persisted) -> Place {
    Place {
        index: saved.log_base.saturating_add(saved.log_terms.len() as u64),
        term: saved.log_terms.last().copied().unwrap_or(saved.log_base_term),
    }
}

/// True if a server with this state must not vote for the candidate in this term.
fn is_bound(saved: &Persisted, term: u64, candidate: usize) -> bool {
    saved.term > term || saved.term == term && saved.voted_for.is_some_and(|vote| vote != candidate)
}
