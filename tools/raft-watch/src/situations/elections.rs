//! Situations of votes, candidates and terms.

use std::collections::{BTreeMap, BTreeSet};

use run_record::situations::Situation;

use super::Counts;

/// Who stood in each term, who was elected, and who has voted.
#[derive(Debug, Default)]
pub(super) struct Elections {
    terms: BTreeMap<u64, Term>,
    /// By server: its last vote for another one.
    votes: BTreeMap<usize, Vote>,
}

#[derive(Debug, Default)]
struct Term {
    /// Who has asked for votes, reached or not.
    stood: BTreeSet<usize>,
    /// Whose request has reached a server. Who is cut off may stand for ever, and divides no votes.
    candidates: BTreeSet<usize>,
    /// By server: whom its vote was given to.
    votes: BTreeMap<usize, usize>,
    /// A candidate was refused what another one has, or two have votes of others.
    divided: bool,
    leader: Option<usize>,
    /// It is known how its election ended.
    decided: bool,
}

impl Term {
    /// A candidate wants the vote of a server, which may have given it already.
    fn wants(&mut self, candidate: usize, voter: usize) {
        self.divided |= self.votes.get(&voter).is_some_and(|voted| *voted != candidate);
    }

    /// A server gives its vote to another one.
    fn gives(&mut self, voter: usize, candidate: usize) {
        self.votes.insert(voter, candidate);
        let others = self.votes.iter().filter(|(voter, of)| voter != of);
        self.divided |= others.map(|(_, of)| of).any(|of| *of != candidate);
    }
}

#[derive(Clone, Copy, Debug)]
struct Vote {
    term: u64,
    candidate: usize,
    /// The server has crashed since.
    crashed: bool,
}

impl Elections {
    /// A server asks for votes. True for the first time in this term.
    pub(super) fn stands(&mut self, server: usize, term: u64) -> bool {
        let of = self.terms.entry(term).or_default();
        of.votes.entry(server).or_insert(server);
        of.stood.insert(server)
    }

    /// A server speaks as leader of a term.
    pub(super) fn leads(&mut self, server: usize, term: u64, counts: &mut Counts) {
        let term = self.terms.entry(term).or_default();
        if term.leader.replace(server).is_none() {
            let contested = term.candidates.len() > 1 && !term.decided;
            counts.add_if(contested, Situation::ContestedTerm);
            term.decided = true;
        }
    }

    /// True if some server leads a later term.
    pub(super) fn has_leader_after(&self, term: u64) -> bool {
        let mut later = self.terms.range(term.saturating_add(1)..);
        later.any(|(_, term)| term.leader.is_some())
    }

    /// A server gives its vote.
    pub(super) fn votes(&mut self, server: usize, term: u64, candidate: usize) {
        self.terms.entry(term).or_default().gives(server, candidate);
        if self.votes.get(&server).is_none_or(|vote| vote.term < term) {
            self.votes.insert(server, Vote { term, candidate, crashed: false });
        }
    }

    /// A server refuses its vote.
    pub(super) fn refuses(&mut self, server: usize, term: u64, candidate: usize) {
        self.terms.entry(term).or_default().wants(candidate, server);
    }

    pub(super) fn crashed(&mut self, server: usize) {
        self.votes.entry(server).and_modify(|vote| vote.crashed = true);
    }

    /// A candidate's request reaches a server.
    pub(super) fn asked(&mut self, (from, to): (usize, usize), term: u64, counts: &mut Counts) {
        let of = self.terms.entry(term).or_default();
        of.candidates.insert(from);
        of.wants(from, to);
        let open = self.terms.range_mut(..term).rev().take_while(|(_, term)| !term.decided);
        for (_, earlier) in open {
            let split = earlier.candidates.len() > 1 && earlier.divided;
            counts.add_if(split, Situation::SplitVote);
            earlier.decided = true;
        }
        let voted = self.votes.get(&to);
        let again = voted.is_some_and(|vote| vote.crashed && vote.term == term);
        let by_another = voted.is_some_and(|vote| vote.candidate != from);
        counts.add_if(again && by_another, Situation::AskedAgainAfterCrash);
    }
}
