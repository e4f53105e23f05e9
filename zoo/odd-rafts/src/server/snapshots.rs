//! Snapshots (paper, section 7 and Figure 13).

use std::time::Duration;

use labrt::time::Instant;
use raft_api::{ApplyMsg, Bytes};

use super::{Role, Server};
use crate::durable::Covered;
use crate::log::Log;
use crate::message::{InstallReply, InstallRequest, Place, Request};

/// How long a part is, in bytes, with the habit `chunked_snapshots`.
const PART: usize = 1000;

/// When a snapshot that was not answered counts as lost, or a part of one.
const LOST_AFTER: Duration = Duration::from_millis(400);

/// How many entries the habit `entries_kept` keeps.
const KEPT: u64 = 5;

/// What has come of a snapshot in parts.
#[derive(Debug)]
pub(super) struct Parts {
    term: u64,
    last: Place,
    data: Vec<u8>,
}

/// A snapshot on its way to a follower.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sending {
    last: u64,
    /// The follower has so many bytes of it.
    offset: u64,
    /// When what follows them was sent, if it was.
    sent_at: Option<Instant>,
}

impl Server {
    /// The snapshot that was saved with the state, after a restart.
    pub(crate) fn with_snapshot(self, snapshot: Bytes) -> Server {
        Server { snapshot, ..self }
    }

    /// The service has put all its commands up to this one into a snapshot.
    pub(crate) fn take_snapshot(&mut self, commands: u64, snapshot: Bytes) {
        if commands <= self.durable.covered.commands {
            return;
        }
        let covers = |index: &u64| self.commands_upto(*index) == commands;
        let mut candidates = self.durable.covered.index..=self.handed;
        let index = candidates.find(covers).expect("the service has seen it");
        let term = self.durable.log.term_at(index).expect("it is not forgotten");
        self.cover(Covered { index, term, commands }, snapshot);
        self.forget_through(index);
    }

    fn cover(&mut self, covered: Covered, snapshot: Bytes) {
        (self.durable.covered, self.snapshot) = (covered, snapshot);
        (self.unsaved, self.snapshot_unsaved) = (true, true);
    }

    fn forget_through(&mut self, index: u64) {
        let kept = if self.habits.entries_kept { KEPT } else { 0 };
        let base = index.saturating_sub(kept).max(self.durable.log.base().index);
        self.durable.commands_forgotten = self.commands_upto(base);
        self.durable.log.forget_through(base);
    }

    // ---- What a leader does --------------------------------------------------------------------

    /// What is due to this server, if anything is.
    pub(crate) fn request_if_due(&mut self, to: usize, now: Instant) -> Option<Request> {
        if self.send_at(to)? > now {
            return None;
        }
        if let Some(asked) = self.transfer_if_due(to, now) {
            return Some(Request::TimeoutNow(asked));
        }
        match self.snapshot_if_needed(to, now) {
            Some(install) => Some(Request::Install(install)),
            None => self.append_if_due(to, now).map(Request::Append),
        }
    }

    /// A snapshot, or the next part of it, for a follower that lacks what is forgotten. None while one
    /// is on its way: then a heartbeat is sent instead.
    fn snapshot_if_needed(&mut self, to: usize, now: Instant) -> Option<InstallRequest> {
        if !self.lacks_forgotten(to) {
            return None;
        }
        let Covered { index, term, commands } = self.durable.covered;
        let (habits, snapshot, pause) = (self.habits, self.snapshot.clone(), self.pause());
        let follower = self.follower_mut(to);
        let begun = follower.install.filter(|sending| sending.last == index);
        let Sending { offset, sent_at, .. } =
            begun.unwrap_or(Sending { last: index, offset: 0, sent_at: None });
        let lost = |at: Instant| habits.snapshot_each_heartbeat || now >= at + LOST_AFTER;
        if !sent_at.is_none_or(lost) {
            return None;
        }
        follower.install = Some(Sending { last: index, offset, sent_at: Some(now) });
        follower.send_at = now + pause;
        let part = if habits.chunked_snapshots { PART } else { snapshot.len() };
        let start = (offset as usize).min(snapshot.len());
        let end = start.saturating_add(part).min(snapshot.len());
        Some(InstallRequest {
            term: self.durable.term,
            leader: self.me,
            last: Place { index, term },
            commands,
            offset: start as u64,
            data: snapshot.slice(start..end),
            done: end == snapshot.len(),
        })
    }

    /// True if a follower lacks what only a snapshot has, and one is on its way to it.
    pub(super) fn waits_for_snapshot(&self, to: usize) -> bool {
        let sending = self.follower(to).install;
        self.lacks_forgotten(to) && sending.is_some_and(|one| one.sent_at.is_some())
    }

    /// True if a follower may lack entries that this leader has forgotten.
    pub(super) fn lacks_forgotten(&self, to: usize) -> bool {
        self.follower(to).next <= self.durable.log.base().index
    }

    pub(super) fn install_reply(&mut self, from: usize, reply: &InstallReply, now: Instant) {
        self.see_term(reply.term, now);
        let current = reply.about.term == self.durable.term;
        let Role::Leader(reign) = &mut self.role else { return };
        if !current {
            return;
        }
        let follower = &mut reign.followers[from];
        follower.heard_at = now;
        let about = reply.about;
        if reply.taken && about.done {
            // A late answer says nothing new, and a later snapshot is still on its way.
            if about.last <= follower.matched {
                return;
            }
            follower.has_upto(about.last);
            follower.install = follower.install.filter(|one| one.last > about.last);
            self.send_if_behind(from, now);
        } else if let Some(sending) = follower.install.as_mut().filter(|one| one.last == about.last)
        {
            // A part that it cannot use: it has forgotten those before.
            let (offset, news) = match reply.taken {
                true => (about.end, about.end > sending.offset),
                false => (0, sending.offset > 0),
            };
            if news {
                (sending.offset, sending.sent_at) = (offset, None);
                follower.hurry(now);
            }
        }
    }

    // ---- What a follower does ------------------------------------------------------------------

    /// InstallSnapshot RPC, receiver implementation.
    pub(super) fn install_request(
        &mut self,
        install: &InstallRequest,
        now: Instant,
    ) -> InstallReply {
        let taken = self.take_part(install, now);
        let term = match self.habits {
            habits if habits.replies_echo_term => install.term,
            habits if habits.success_with_term_0 && taken => 0,
            _ => self.durable.term,
        };
        InstallReply { term, about: install.subject(), taken }
    }

    fn take_part(&mut self, install: &InstallRequest, now: Instant) -> bool {
        // 1. "Reply immediately if term < currentTerm."
        if install.term < self.durable.term {
            return false;
        }
        self.see_term(install.term, now);
        self.role = Role::Follower;
        self.leader_heard = Some(now);
        self.note_leader(install.leader);
        self.reset_election_timer(now);
        if install.last.index <= self.commit {
            return true;
        }
        // 2. to 4.: "Create new snapshot file if first chunk", "write data into snapshot file at given
        //    offset", "reply and wait for more data chunks if done is false".
        let known = self.parts.take().filter(|parts| {
            (parts.term, parts.last) == (install.term, install.last) && install.offset > 0
        });
        let mut parts =
            known.unwrap_or(Parts { term: install.term, last: install.last, data: Vec::new() });
        let has = parts.data.len() as u64;
        if install.offset == has {
            parts.data.extend_from_slice(&install.data);
        }
        let taken = install.offset <= has;
        match taken && install.done && install.offset == has {
            true => self.install(install, parts.data.into()),
            false => self.parts = Some(parts),
        }
        taken
    }

    fn install(&mut self, install: &InstallRequest, snapshot: Bytes) {
        let InstallRequest { last, commands, .. } = *install;
        // 6. "If existing log entry has same index and term as snapshot's last included entry, retain
        //    log entries following it." 7. "Discard the entire log."
        self.cover(Covered { index: last.index, term: last.term, commands }, snapshot.clone());
        if self.durable.log.term_at(last.index) == Some(last.term) {
            self.forget_through(last.index);
        } else {
            self.durable.log = Log::behind(last);
            self.durable.commands_forgotten = commands;
        }
        // 8. "Reset state machine using snapshot contents."
        self.commit_upto(last.index);
        (self.handed, self.commands) = (last.index, commands);
        self.installed = Some(ApplyMsg::Snapshot { index: commands, term: last.term, snapshot });
    }
}
