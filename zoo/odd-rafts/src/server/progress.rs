//! What a leader knows of one follower, and what is on its way to it.

use std::time::Duration;

use labrt::time::Instant;

use super::snapshots::Sending;
use crate::message::Subject;

/// When entries that were not acknowledged count as lost: by the next heartbeat.
const LOST_AFTER: Duration = Duration::from_millis(100);

pub(super) struct Progress {
    /// The next entry to send: `nextIndex`, moved on as soon as entries are sent.
    pub(super) next: u64,
    /// The follower is known to have the leader's log up to here: `matchIndex`.
    pub(super) matched: u64,
    /// AppendEntries with entries that were neither answered nor given up, in the order of sending.
    flights: Vec<Flight>,
    /// How far to go back at the next refusal without a hint.
    step: u64,
    /// The highest commit index that the follower has learnt together with entries.
    pub(super) told: u64,
    /// The snapshot that is on its way to it.
    pub(super) install: Option<Sending>,
    /// Nothing was sent to it in this reign.
    pub(super) fresh: bool,
    pub(super) send_at: Instant,
    /// `send_at` has come nearer since somebody asked.
    pub(super) hurried: bool,
    pub(super) heard_at: Instant,
}

pub(super) struct Flight {
    pub(super) prev: u64,
    pub(super) last: u64,
    pub(super) commit: u64,
    pub(super) sent_at: Instant,
}

impl Progress {
    /// A follower of which nothing is known yet; the log ends with `last`.
    pub(super) fn new(last: u64, now: Instant) -> Progress {
        Progress {
            next: last + 1,
            matched: 0,
            flights: Vec::new(),
            step: 1,
            told: 0,
            install: None,
            fresh: true,
            send_at: now,
            hurried: true,
            heard_at: now,
        }
    }

    /// Has something sent by this time.
    pub(super) fn hurry(&mut self, at: Instant) {
        if at < self.send_at {
            self.send_at = at;
            self.hurried = true;
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// The index up to which entries were sent that are not given up.
    pub(super) fn sent_upto(&self) -> u64 {
        let flights = self.flights.iter().map(|flight| flight.last).max();
        flights.unwrap_or(self.next - 1)
    }

    pub(super) fn fly(&mut self, flight: Flight) {
        self.flights.push(flight);
    }

    /// Gives up what has been on its way for long: it will be sent again.
    pub(super) fn give_up_lost(&mut self, now: Instant) {
        let lost = |flight: &Flight| flight.sent_at + LOST_AFTER <= now;
        if let Some(first) = self.flights.iter().find(|flight| lost(flight)) {
            self.next = self.next.min(first.prev + 1).max(self.matched + 1);
            self.flights.clear();
        }
    }

    /// The follower's log agrees up to `upto`, says its answer to this message.
    pub(super) fn accepted(&mut self, about: Subject, upto: u64) {
        self.step = 1;
        let answered = |flight: &Flight| (flight.prev, flight.last) == (about.prev, about.last);
        if let Some(flight) = self.flights.iter().find(|flight| answered(flight)) {
            self.told = self.told.max(flight.commit.min(upto));
        }
        self.flights.retain(|flight| !answered(flight));
        if upto < about.last {
            // It has stored only a part: what was sent after that was in vain.
            self.flights.clear();
            self.next = self.matched.max(upto) + 1;
        }
        self.has_upto(upto);
    }

    /// The follower has the leader's log up to here.
    pub(super) fn has_upto(&mut self, index: u64) {
        self.matched = self.matched.max(index);
        let matched = self.matched;
        self.flights.retain(|flight| flight.last > matched);
        self.next = self.next.max(matched + 1);
    }

    /// The follower refused a message that followed `prev`. With a hint it names the index to try
    /// next. Returns whether there is something else to try.
    pub(super) fn refused(&mut self, prev: u64, hint: Option<u64>, last: u64) -> bool {
        // An answer from before the last step back, or from before something was accepted.
        if prev < self.matched || prev >= self.next {
            return false;
        }
        let back = (prev + 1).saturating_sub(self.step);
        if hint.is_none() {
            self.step = self.step.saturating_mul(2);
        }
        let next = hint.unwrap_or(back).clamp(self.matched + 1, last + 1);
        self.flights.clear();
        self.next = next;
        next - 1 != prev
    }
}
