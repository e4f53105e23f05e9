//! What a leader knows about one follower, and what it may send it.
//!
//! At first the leader searches for the place where the follower's log departs from its own.
//! `nextIndex` only goes back then, until the follower accepts something; heartbeats are empty.
//!
//! From there on each entry is sent once: `nextIndex` moves on when entries are sent, not when they
//! are accepted. So each AppendEntries, also a heartbeat, asks whether the follower holds what was
//! sent before. A yes makes up for answers that are late or lost. A no, or a call that failed, sets
//! `nextIndex` back, and what is missing is sent again.
//!
//! What a follower was sent since the newest AppendEntries that it has answered is limited in size
//! ([`MAX_UNANSWERED`]), whether it was sent for the first time or again. Beyond that it gets empty
//! heartbeats until it answers one. So no more is sent in vain to a follower that is away or whose
//! disk is stalled, however long that lasts; and when it is back, one answer is enough to go on.
//!
//! What was forgotten, because it is in a snapshot, cannot be sent any more: `nextIndex` never lies
//! before the log's first entry. If the follower turns out to lack something before it, it needs the
//! snapshot (`installing.rs`), and is searched for until it has it.

use super::installing::{InstallTicket, Installing};
use crate::log::{Entry, Log};

/// How large all entries together may be that a follower was sent and has not answered, unless it is
/// a single one.
const MAX_UNANSWERED: usize = 1 << 20;

/// About how many bytes an entry takes in memory beside its command. Counted with each, so that
/// commands of no length have a limit too.
const ENTRY_OVERHEAD: usize = 48;

/// Volatile state on leaders, for one follower.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Progress {
    /// `nextIndex`: the next entry to send.
    pub next: u64,
    /// `matchIndex`: the last entry known to be replicated.
    pub matched: u64,
    /// The last AppendEntries, while neither its answer nor its failure has come: commands that come
    /// meanwhile wait for one of the two, or for the next heartbeat.
    pub awaiting: Option<Ticket>,
    /// The follower's log may depart from ours before `next`. If not, what is between `matched` and
    /// `next` was sent.
    searching: bool,
    due: Due,
    /// The snapshot, if it needs one. Until it has it, it lacks what is before `next`.
    installing: Installing,
    /// How many AppendEntries and InstallSnapshots it was sent; the last one has this number.
    sent: u64,
    /// The size of all entries that it was sent, each as often as it was.
    carried: usize,
    /// The part of `carried` that was sent up to the newest AppendEntries that it has answered.
    answered: usize,
    /// The number of the first one that was sent after `next` was last set back, or of the last snapshot.
    /// Those before it followed another `next`, so it is no news that they were refused or lost.
    current_from: u64,
}

/// What was sent with an AppendEntries, to make sense of its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// The term it was sent in.
    pub term: u64,
    /// Its `prevLogIndex`.
    pub prev: u64,
    /// How many entries it carried.
    pub count: u64,
    /// Tells it from every other one of this leader to this follower; later ones have larger numbers.
    number: u64,
    /// The size of all entries that were sent up to this one and with it.
    carried: usize,
}

impl Ticket {
    /// The last entry that the follower holds if it says yes.
    fn last(&self) -> u64 {
        self.prev + self.count
    }
}

/// What a leader has to send to a follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Due {
    Nothing,
    /// The entries from `nextIndex` on, if there are any.
    Entries,
    /// An AppendEntries in any case.
    Heartbeat,
}

impl Progress {
    /// What a leader knows when it is elected and its log ends with this index (Figure 2, State).
    pub(super) fn new(last: u64) -> Progress {
        Progress {
            next: last + 1,
            matched: 0,
            awaiting: None,
            searching: true,
            //= leaders.first-heartbeat
            due: Due::Heartbeat,
            installing: Installing::No,
            sent: 0,
            carried: 0,
            answered: 0,
            current_from: 1,
        }
    }

    /// There are entries that the follower was not sent.
    pub(super) fn want_entries(&mut self) {
        if self.due == Due::Nothing {
            self.due = Due::Entries;
        }
    }

    /// It is time for a heartbeat: nothing is waited for any longer.
    pub(super) fn want_heartbeat(&mut self) {
        self.awaiting = None;
        self.due = Due::Heartbeat;
    }

    /// The entries of an AppendEntries that is to be sent now, if one is. A heartbeat may have none.
    pub(super) fn due<'a>(&self, log: &'a Log) -> Option<&'a [Entry]> {
        let sendable = || self.as_many_as_fit(log.from(self.next));
        match self.due {
            Due::Nothing => None,
            Due::Entries if self.awaiting.is_some() || self.installing != Installing::No => None,
            Due::Entries => Some(sendable()).filter(|entries| !entries.is_empty()),
            Due::Heartbeat if self.searching => Some(&[]),
            Due::Heartbeat => Some(sendable()),
        }
    }

    /// As many of the entries as the follower may be sent now.
    fn as_many_as_fit<'a>(&self, entries: &'a [Entry]) -> &'a [Entry] {
        let unanswered = self.carried - self.answered;
        let mut size = unanswered;
        let fits = |entry: &&Entry| {
            size += size_of(entry);
            size <= MAX_UNANSWERED
        };
        let count = entries.iter().take_while(fits).count();
        let at_least = usize::from(unanswered == 0 && !entries.is_empty());
        &entries[..count.max(at_least)]
    }

    /// An AppendEntries is sent, with these entries from `next` on.
    pub(super) fn note_sent(&mut self, term: u64, entries: &[Entry]) -> Ticket {
        let count = entries.len() as u64;
        self.sent += 1;
        self.carried += entries.iter().map(size_of).sum::<usize>();
        let (prev, number, carried) = (self.next - 1, self.sent, self.carried);
        let ticket = Ticket { term, prev, count, number, carried };
        if !self.searching {
            self.next += count;
        }
        self.awaiting = Some(ticket);
        self.due = Due::Nothing;
        ticket
    }

    /// The follower has answered, whatever it said.
    pub(super) fn note_answered(&mut self, ticket: Ticket) {
        self.answered = self.answered.max(ticket.carried);
        self.stop_awaiting(ticket);
    }

    //= leaders.success
    /// "If successful: update nextIndex and matchIndex for follower." The log begins with the index
    /// `first` and ends with `last`.
    pub(super) fn note_success(&mut self, ticket: Ticket, first: u64, last: u64) {
        self.note_matched(ticket.last(), last);
        // It has said yes to the last that it was sent, and that ended before our base.
        if self.matched + 1 < first && ticket.number == self.sent {
            self.installing.want();
        }
    }

    /// The follower has everything up to this index. Answers may overtake each other, so nothing goes
    /// back.
    fn note_matched(&mut self, matched: u64, last: u64) {
        self.matched = self.matched.max(matched);
        if self.matched + 1 >= self.next {
            self.next = self.matched + 1;
            self.searching = false;
            self.installing = Installing::No;
        }
        if self.next <= last {
            self.want_entries();
        }
    }

    /// "If AppendEntries fails because of log inconsistency: decrement nextIndex and retry." The
    /// conflict suggests `end` as `nextIndex`; the log begins with the index `first`.
    pub(super) fn note_conflict(&mut self, ticket: Ticket, end: u64, first: u64) {
        // What it is known to have, or what every log has, no correct follower refuses: to try that
        // again at once would go on for ever.
        if ticket.prev <= self.matched {
            self.note_lost(ticket, first);
        } else if self.is_current(ticket) {
            if matches!(self.installing, Installing::UnderWay { .. }) {
                return self.installing.note_refused();
            }
            let next = end.clamp(self.matched + 1, ticket.prev);
            self.set_back(next, first);
            self.searching = self.next > self.matched + 1;
            match next < first {
                true => self.installing.want(),
                false => self.want_entries(),
            }
        }
    }

    //= retry
    /// An AppendEntries has failed, or was refused without a word why: its entries go out again with
    /// the next one. The log begins with the index `first`.
    pub(super) fn note_lost(&mut self, ticket: Ticket, first: u64) {
        self.stop_awaiting(ticket);
        if ticket.count > 0 && ticket.last() > self.matched && self.is_current(ticket) {
            self.set_back(ticket.prev + 1, first);
        }
    }

    /// The log begins with the index `first` now.
    pub(super) fn note_forgotten(&mut self, first: u64) {
        if self.next < first {
            self.next = first;
            self.searching = true;
        }
    }

    /// True if the follower is to be sent a snapshot now.
    pub(super) fn needs_snapshot(&self) -> bool {
        self.installing == Installing::Due
    }

    /// A snapshot is sent, of all up to the index `last`, behind which the log begins.
    pub(super) fn note_snapshot_sent(&mut self, term: u64, last: u64) -> InstallTicket {
        self.sent += 1;
        let ticket = InstallTicket { term, last, number: self.sent };
        self.installing = Installing::UnderWay { ticket, refused: 0 };
        // `next` has come to the place behind it already. What was sent before says nothing about it.
        self.current_from = self.sent;
        ticket
    }

    /// The follower has what is in the snapshot. The log ends with the index `last`.
    pub(super) fn note_installed(&mut self, ticket: InstallTicket, last: u64) {
        let was_under_way = self.installing.note_ended(ticket);
        self.note_matched(ticket.last, last);
        if was_under_way && self.searching {
            // More has been forgotten meanwhile. Does it lack that?
            self.want_heartbeat();
        }
    }

    /// No snapshot is under way any more, if it was this one.
    pub(super) fn note_install_lost(&mut self, ticket: InstallTicket) {
        self.installing.note_ended(ticket);
    }

    fn stop_awaiting(&mut self, ticket: Ticket) {
        if self.awaiting == Some(ticket) {
            self.awaiting = None;
        }
    }

    fn is_current(&self, ticket: Ticket) -> bool {
        ticket.number >= self.current_from
    }

    /// What was sent from this index on is sent again, as far as it is still there. Nothing is waited
    /// for any longer: it follows what is missing, and would be refused too.
    fn set_back(&mut self, next: u64, first: u64) {
        let next = next.max(self.matched + 1);
        // It may lack what was forgotten.
        self.searching |= next < first;
        self.next = next.min(self.next).max(first);
        self.current_from = self.sent + 1;
        self.awaiting = None;
    }
}

fn size_of(entry: &Entry) -> usize {
    entry.command.len() + ENTRY_OVERHEAD
}
