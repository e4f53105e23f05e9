//! Reads without an entry in the log (paper, section 8).
//!
//! "Read-only operations can be handled without writing anything into the log." Two precautions are
//! needed, or a read may miss what was written before it began:
//!
//! 1. A leader must know what is committed, and a new one does not: "it needs to commit an entry from its
//!    term". Until it has, a read is refused ([`NoReadIndex::NothingCommitted`]). The lab rules out the
//!    paper's remedy, an entry without a command at the beginning of each term. Ours is the service's: a
//!    refused read goes into the log, like a write, and so is itself the entry that was missing.
//! 2. A leader must know that it leads: "a leader must check whether it has been deposed". It asks all
//!    others which term they are in, after the read has come. If a majority, itself included, is in no
//!    later term, no later leader had been elected when the read came.
//!
//! Then the read may be answered from what all up to the *read index* has led to: `commitIndex` as it was
//! when the read came.
//!
//! Many reads share a question: those that come while one is under way wait for the next one. One that is
//! not answered is put again with each heartbeat, to those who have not answered it.
//!
//! # Why the question is a message of its own
//!
//! The paper has the leader exchange heartbeats. Heartbeats at the rate of reads would break the lab's
//! limit of ten a second, which is checked at every message, and blur what a heartbeat is for. This
//! question brings no entry, resets no timer and changes nothing at who is asked. It is put only if a
//! service reads so.

use std::collections::BTreeSet;

use raft_api::NoReadIndex;

use super::invariants::Before;
use super::{Core, Request, Role};
use crate::message::{ConfirmLeaderArgs, ConfirmLeaderReply};

/// What a leader knows of the reads that it has not answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Those that came after the question under way was put first.
    waiting: Vec<Read>,
    /// Those that the question under way is for; none if there is no such question.
    asked: Vec<Read>,
    /// Which question this is.
    round: u64,
    /// Who has confirmed that no later term is known, this server included.
    confirmed: BTreeSet<usize>,
    /// The question is to be put, or put again.
    due: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Read {
    id: u64,
    /// `commitIndex` when it came.
    index: u64,
}

/// Which question was put, to make sense of its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadTicket {
    /// The term it was put in.
    pub term: u64,
    round: u64,
}

impl Reads {
    /// Those that are confirmed, if a majority has confirmed the question that is under way.
    fn take_confirmed(&mut self, quorum: usize) -> Vec<Read> {
        match self.confirmed.len() >= quorum {
            true => std::mem::take(&mut self.asked),
            false => Vec::new(),
        }
    }

    /// The indexes of all reads.
    pub(super) fn indexes(&self) -> impl Iterator<Item = u64> {
        self.asked.iter().chain(&self.waiting).map(|read| read.index)
    }

    /// The server leads no longer.
    pub(super) fn give_up(&mut self) -> impl Iterator<Item = (u64, Result<u64, NoReadIndex>)> {
        let all = std::mem::take(self);
        let refused = |read: Read| (read.id, Err(NoReadIndex::NotLeader));
        all.asked.into_iter().chain(all.waiting).map(refused)
    }

    pub(super) fn want_heartbeat(&mut self) {
        self.due = !self.asked.is_empty();
    }
}

impl Core {
    /// The service wants to read without an entry in the log. [`Output::reads`](super::Output::reads)
    /// will say, of this `id`, up to which index the service must have executed all, or why there is no
    /// such index.
    pub fn read(&mut self, id: u64) {
        let before = Before::of(self);
        let (index, term) = (self.commit, self.hard.term);
        let own_committed = self.log.term_at(index) == Some(term);
        match &mut self.role {
            Role::Leader { reads, .. } if own_committed => reads.waiting.push(Read { id, index }),
            Role::Leader { .. } => self.output.reads.push((id, Err(NoReadIndex::NothingCommitted))),
            _ => self.output.reads.push((id, Err(NoReadIndex::NotLeader))),
        }
        before.check(self);
    }

    /// Puts the question that is due, if one is.
    pub(super) fn ask_for_reads(&mut self) {
        let (me, term, peers) = (self.me, self.hard.term, self.peers());
        let Role::Leader { reads, .. } = &mut self.role else { return };
        if reads.asked.is_empty() && !reads.waiting.is_empty() {
            reads.asked = std::mem::take(&mut reads.waiting);
            reads.round += 1;
            reads.confirmed = BTreeSet::from([me]);
            reads.due = true;
        }
        if !std::mem::take(&mut reads.due) {
            return;
        }
        let ticket = ReadTicket { term, round: reads.round };
        for peer in peers.filter(|peer| !reads.confirmed.contains(peer)) {
            let question = Request::Confirm(ConfirmLeaderArgs { term }, ticket);
            self.output.requests.push((peer, question));
        }
        self.finish_reads();
    }

    /// A leader asks whether we know of a later term than its own. Whatever the answer, it says which
    /// term we are in, and nothing changes here.
    pub fn confirm_leader(&self, _: &ConfirmLeaderArgs) -> ConfirmLeaderReply {
        ConfirmLeaderReply { term: self.hard.term }
    }

    /// The reply to a ConfirmLeader has come. Who is in an earlier term confirms too: it has not voted in
    /// a later one.
    pub fn confirm_reply(&mut self, from: usize, ticket: ReadTicket, reply: &ConfirmLeaderReply) {
        if !self.is_peer(from) || !self.believes(from, reply.term) {
            return;
        }
        let before = Before::of(self);
        self.see_term(reply.term);
        if let Role::Leader { reads, .. } = &mut self.role
            && (ticket.term, ticket.round) == (self.hard.term, reads.round)
        {
            reads.confirmed.insert(from);
            self.finish_reads();
        }
        before.check(self);
    }

    fn finish_reads(&mut self) {
        let quorum = self.quorum();
        let Role::Leader { reads, .. } = &mut self.role else { return };
        let confirmed = reads.take_confirmed(quorum);
        self.output.reads.extend(confirmed.into_iter().map(|read| (read.id, Ok(read.index))));
    }
}
