//! Rules about leaders (paper, section 5.2): a term has one leader, which stood for election in it and
//! has got the votes of a majority; its own counts if it is saved.

use std::collections::{BTreeMap, BTreeSet};

use labtrace::verdict;
use raft_api::Started;

use super::judge::{Checked, Judge, Means};
use super::persister::Look;
use super::understanding::Missing;
use super::understanding::missing as rules;
use super::votes::{Refusal, Vote};

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
    pub(super) seen: bool,
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

impl Elections {
    pub(crate) fn new(servers: usize) -> Elections {
        Elections { servers, ..Elections::default() }
    }

    /// A vote has reached its candidate.
    pub(crate) fn receives(&mut self, candidate: usize, term: u64, voter: usize) {
        self.received.entry((candidate, term)).or_default().insert(voter);
    }

    /// A server has begun with this as its vote.
    pub(crate) fn is_saved(&mut self, server: usize, term: u64, vote: Option<usize>) {
        if let Some(known) = self.votes.get_mut(&(server, term)) {
            known.saved |= vote == Some(known.candidate);
        }
    }

    /// True if the server has asked for votes in this term.
    pub(crate) fn stood(&self, server: usize, term: u64) -> bool {
        self.stood_us(server, term).is_some()
    }

    /// When the server first asked for votes in this term.
    pub(crate) fn stood_us(&self, server: usize, term: u64) -> Option<u64> {
        let own = self.votes.get(&(server, term)).filter(|vote| vote.candidate == server);
        own.map(|vote| vote.us)
    }

    /// The server that is known to lead a term.
    pub(crate) fn leader_of(&self, term: u64) -> Option<usize> {
        self.leaders.get(&term).map(|(leader, ..)| *leader)
    }

    /// The latest term that is known to have a leader; 0 if none is.
    pub(crate) fn latest_led(&self) -> u64 {
        self.leaders.last_key_value().map_or(0, |(term, _)| *term)
    }

    /// True if a server is known to lead a term, or can, by the votes that have reached it.
    pub(crate) fn is_elected(&self, server: usize, term: u64) -> bool {
        let votes = self.received.get(&(server, term)).map_or(0, BTreeSet::len);
        votes > self.servers / 2 || self.leader_of(term) == Some(server)
    }

    /// What was refused in terms after that of the last leader, the latest first.
    pub(super) fn refusals_since_the_last_leader(&self) -> impl Iterator<Item = &Refusal> {
        let since = self.latest_led();
        self.refusals.iter().rev().filter(move |refusal| refusal.term > since)
    }

    fn voters(&self, candidate: usize, term: u64) -> Vec<usize> {
        self.received.get(&(candidate, term)).into_iter().flatten().copied().collect()
    }
}

impl Judge {
    /// A server speaks as leader of a term.
    pub(super) fn leads(
        &mut self,
        server: usize,
        term: u64,
        us: u64,
        means: &mut Means<'_>,
    ) -> Checked {
        let missing = means.missing;
        match self.elections.leaders.get(&term) {
            Some((leader, _, Claim::Sent)) if *leader == server => return Ok(()),
            Some((leader, ..)) if *leader == server => {}
            _ => self.check_leader(server, term, us, Claim::Sent, missing)?,
        }
        self.elections.leaders.insert(term, (server, us, Claim::Sent));
        if missing.allows(&rules::ELECTED) {
            self.check_majority(server, term, us)?;
            self.check_own_vote(server, term, us, means)?;
        }
        self.reigns.led_by(server, term);
        self.servers[server].led = term;
        Ok(())
    }

    /// A server has accepted a command, which only a leader does. What one that has crashed does does not
    /// count.
    pub(crate) fn accepts(
        &mut self,
        server: usize,
        started: Started,
        us: u64,
        missing: &Missing,
    ) -> Checked {
        let term = started.term;
        if !self.servers[server].alive {
            return Ok(());
        }
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
        if self.elections.seen && !stood && missing.allows(&rules::ELECTED) {
            let words = format!(
                "server {server} leads term {term}, but has asked nobody for a vote in that term"
            );
            //= candidates.start
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

    /// A leader counts its own vote only if that is saved: else it may give another one in this term, after a crash.
    fn check_own_vote(&self, server: usize, term: u64, us: u64, means: &mut Means<'_>) -> Checked {
        let voters = self.elections.voters(server, term);
        let others = voters.iter().filter(|voter| **voter != server).count();
        // Others may be a majority without it.
        let enough = voters.is_empty() || others > self.elections.servers / 2;
        if enough || !means.missing.allows(&rules::COUNTED) {
            return Ok(());
        }
        let Some(saved) = means.saved.look(server, Look::Surely) else { return Ok(()) };
        let has = match saved.voted_for {
            _ if saved.term > term => return Ok(()),
            _ if saved.term < term => format!("term {}", saved.term),
            Some(vote) if vote == server => return Ok(()),
            Some(vote) => format!("a vote for {vote}"),
            None => "no vote".to_string(),
        };
        let words = format!(
            "server {server} leads term {term} by its own vote, which it has not saved: {has} is"
        );
        Err(Box::new(
            //= state.saved
            verdict("saved before counted", words)
                .fact_at(us, server, format!("server {server} leads term {term}"))
                .fact(server, format!("it has the votes of servers {voters:?}"))
                .fact(server, format!("its persister holds {has}"))
                .hint(
                    "a candidate saves its new term and its vote for itself before it counts that; or they \
                     are read in another order than written",
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
        //= candidates.majority, lab.half, all.stale-reply
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
}

/// What usually leads to a leader that was not elected.
const LEADS_UNELECTED: &str = "a message was built after the term had changed, with the new term: look \
     at the role and the term under the same lock as the rest; or the role was not given up when \
     the term went on";

#[cfg(test)]
mod tests {
    use super::super::understanding::Part;
    use super::*;

    fn accepts(judge: &mut Judge, server: usize, missing: &Missing) -> Checked {
        judge.accepts(server, Started { index: 1, term: 4 }, 0, missing)
    }

    /// Server 1 has accepted a command as leader of term 4, and server 0 runs.
    fn one_leads() -> Judge {
        let mut judge = Judge::new(3);
        (0..2).for_each(|server| judge.started(server, 1));
        accepts(&mut judge, 1, &Missing::default()).expect("nobody else leads");
        judge
    }

    #[test]
    fn what_a_crashed_server_accepts_does_not_count() {
        let mut judge = one_leads();
        let broken = accepts(&mut judge, 0, &Missing::default()).expect_err("it has two leaders");
        assert_eq!((&broken.check[..], &broken.servers[..]), ("Election Safety", &[1, 0][..]));
        judge.crashed(0);
        assert!(accepts(&mut judge, 0, &Missing::default()).is_ok());
    }

    #[test]
    fn where_leaders_calls_are_not_understood_two_may_accept() {
        let mut missing = Missing::default();
        missing.note(Part::Appends, "of a test".to_string());
        assert!(accepts(&mut one_leads(), 0, &missing).is_ok());
    }
}
