//! The habit `leadership_transfer` (Ongaro's thesis, section 3.10).

use std::time::Duration;

use labrt::time::Instant;

use super::progress::Progress;
use super::{Role, Server};
use crate::message::{TimeoutNowReply, TimeoutNowRequest};

/// How long a leader leads before it hands over.
pub(super) const REIGN: Duration = Duration::from_secs(1);

/// How long it must have had nothing to do: tests that start commands one after the other count on the
/// leader that they know.
const IDLE: Duration = Duration::from_millis(200);

/// That a leader wants to hand over.
pub(super) struct Transfer {
    at: Instant,
}

impl Transfer {
    pub(super) fn new(elected: Instant) -> Transfer {
        Transfer { at: elected + REIGN }
    }
}

impl Server {
    /// There is something to do.
    pub(super) fn put_transfer_off(&mut self, now: Instant) {
        if let Role::Leader(reign) = &mut self.role
            && let Some(transfer) = &mut reign.transfer
        {
            transfer.at = transfer.at.max(now + IDLE);
        }
    }

    /// Asks this server to take over, if that is due and all servers have all entries: one that is behind would have
    /// to be found anew by each leader. What else is due to the server is sent as ever: it may not get this message.
    pub(super) fn transfer_if_due(&mut self, to: usize, now: Instant) -> Option<TimeoutNowRequest> {
        let last = self.durable.log.last_index();
        let (term, leader) = (self.durable.term, self.me);
        let Role::Leader(reign) = &mut self.role else { return None };
        let due = reign.transfer.as_ref().is_some_and(|transfer| transfer.at <= now);
        let has_all = |(server, one): (usize, &Progress)| server == leader || one.matched == last;
        if !due || to == leader || !reign.followers.iter().enumerate().all(has_all) {
            return None;
        }
        reign.transfer = None;
        Some(TimeoutNowRequest { term, leader })
    }

    /// A follower stands for election as if its timeout had elapsed. A request of an earlier term, or one
    /// that comes a second time, changes nothing.
    pub(super) fn timeout_now(
        &mut self,
        asked: TimeoutNowRequest,
        now: Instant,
    ) -> TimeoutNowReply {
        self.see_term(asked.term, now);
        if asked.term == self.durable.term && !matches!(self.role, Role::Leader(_)) {
            self.asked_to_stand = true;
            self.election_at = now;
        }
        TimeoutNowReply { term: self.durable.term }
    }
}
