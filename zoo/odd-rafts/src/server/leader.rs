//! What a leader does (paper, sections 5.3 and 5.4.2).

use std::time::Duration;

use labrt::time::Instant;
use raft_api::Bytes;

use super::progress::{Flight, Progress};
use super::transfer::Transfer;
use super::{BATCH, ELECTION, HEARTBEAT, Reign, Role, SLOW_DISK, Server};
use crate::message::{AppendReply, AppendRequest, Entry, Hint, Outcome, Place};

/// How many messages with entries the habit `pipelined` has on their way.
const PIPELINE: usize = 3;

/// The same for the habit `one_entry`: a follower that is far behind must get there.
const SINGLE_ENTRIES: usize = 16;

impl Server {
    /// "Upon election: send initial empty AppendEntries RPCs (heartbeat) to each server."
    pub(super) fn lead(&mut self, now: Instant) {
        let last = self.durable.log.last_index();
        let followers = (0..self.servers).map(|_| Progress::new(last, now)).collect();
        let quorum_check_at = now + quorum_timeout();
        let transfer = self.habits.leadership_transfer.then(|| Transfer::new(now));
        self.role = Role::Leader(Reign { followers, quorum_check_at, transfer });
        if self.habits.noop {
            self.append_own(Bytes::new(), now);
        }
    }

    pub(super) fn append_own(&mut self, command: Bytes, now: Instant) {
        self.durable.log.push(Entry { term: self.durable.term, command });
        self.put_transfer_off(now);
        match self.habits.parallel_disk_write {
            true => self.save_at = self.save_at.or(Some(now + SLOW_DISK)),
            false => self.unsaved = true,
        }
    }

    /// A new entry is to be sent, unless what is on its way to a follower will lead to it anyway.
    pub(super) fn send_soon(&mut self, now: Instant) {
        let window = self.window();
        let at = if self.habits.eager { now } else { now + BATCH };
        let base = self.durable.log.base().index;
        let Role::Leader(reign) = &mut self.role else { return };
        // One that waits for a snapshot has no use for entries.
        let ready = |one: &&mut Progress| one.in_flight() < window && one.next > base;
        for follower in reign.followers.iter_mut().filter(ready) {
            follower.hurry(at);
        }
    }

    /// How many messages with entries may be on their way to a follower.
    fn window(&self) -> usize {
        match self.habits {
            habits if habits.eager || habits.overlapping => usize::MAX,
            habits if habits.one_entry => SINGLE_ENTRIES,
            habits if habits.pipelined => PIPELINE,
            _ => 1,
        }
    }

    /// When an AppendEntries to this server is due, if this one leads.
    pub(crate) fn send_at(&self, to: usize) -> Option<Instant> {
        match &self.role {
            Role::Leader(reign) if to != self.me => Some(reign.followers[to].send_at),
            _ => None,
        }
    }

    /// The servers to which something is to be sent earlier than was known.
    pub(crate) fn take_hurried(&mut self) -> Vec<usize> {
        let Role::Leader(reign) = &mut self.role else { return Vec::new() };
        let followers = reign.followers.iter_mut().enumerate();
        followers.filter_map(|(to, one)| std::mem::take(&mut one.hurried).then_some(to)).collect()
    }

    /// The AppendEntries to this server that is due, if one is.
    pub(crate) fn append_if_due(&mut self, to: usize, now: Instant) -> Option<AppendRequest> {
        if self.send_at(to)? > now {
            return None;
        }
        let pause = self.pause();
        let (habits, window) = (self.habits, self.window());
        let follower = self.follower_mut(to);
        follower.send_at = now + pause;
        if std::mem::take(&mut follower.fresh) && habits.bare_first_heartbeat {
            return Some(self.bare(0));
        }
        follower.give_up_lost(now);
        let has_room = follower.in_flight() < window;
        let (prev, count) = if has_room { self.next_entries(to) } else { self.no_entries(to) };
        // Only a follower that has the leader's log needs no check.
        if habits.heartbeats_without_prev && count == 0 && prev == self.follower(to).matched {
            return Some(self.bare(self.commit_for(to)));
        }
        Some(self.append_after(to, prev, count, now))
    }

    /// How long after one message the next one is due.
    pub(super) fn pause(&self) -> Duration {
        if self.habits.duplicates { 2 * HEARTBEAT } else { HEARTBEAT }
    }

    /// Which entries are next: the index that they follow, and how many they are.
    fn next_entries(&self, to: usize) -> (u64, u64) {
        if self.lacks_forgotten(to) {
            return self.no_entries(to);
        }
        let follower = self.follower(to);
        let prev = follower.next - 1;
        match self.durable.log.last_index() - prev {
            0 => self.no_entries(to),
            _ if self.habits.one_entry => (prev, 1),
            behind => (prev, behind),
        }
    }

    /// What to send if there is nothing new: what it follows, and usually no entry.
    fn no_entries(&self, to: usize) -> (u64, u64) {
        let (follower, base) = (self.follower(to), self.durable.log.base().index);
        if self.lacks_forgotten(to) {
            return (base, 0);
        }
        let prev = follower.next - 1;
        let untold = follower.told < self.commit.min(follower.matched);
        let last_again = untold && prev == follower.matched && prev > base;
        if self.habits.no_commit_without_entries && last_again {
            return (prev - 1, 1);
        }
        (prev, 0)
    }

    fn append_after(&mut self, to: usize, prev: u64, count: u64, now: Instant) -> AppendRequest {
        let log = &self.durable.log;
        let term = log.term_at(prev).expect("nextIndex is at most one past the log");
        let entries = log.after(prev, count).to_vec();
        let commit = match self.habits {
            habits if habits.no_commit_without_entries && count == 0 => 0,
            habits if habits.capped_commit => self.commit_for(to),
            _ => self.commit,
        };
        let overlapping = self.habits.overlapping;
        let more = prev + count < log.last_index();
        let window = self.window();
        let follower = self.follower_mut(to);
        if count > 0 {
            let last = prev + count;
            follower.fly(Flight { prev, last, commit, sent_at: now });
            if !overlapping {
                follower.next = follower.next.max(last + 1);
            }
            if more && follower.in_flight() < window {
                follower.send_at = now;
            }
        }
        let prev = Place { index: prev, term };
        AppendRequest { term: self.durable.term, leader: self.me, prev, entries, commit }
    }

    /// A message without anything to check or to store.
    fn bare(&self, commit: u64) -> AppendRequest {
        let (term, prev, entries) = (self.durable.term, Place::default(), Vec::new());
        AppendRequest { term, leader: self.me, prev, entries, commit }
    }

    /// The commit index as far as this follower is known to have the entries.
    fn commit_for(&self, to: usize) -> u64 {
        self.commit.min(self.follower(to).matched)
    }

    pub(super) fn append_reply(&mut self, from: usize, reply: &AppendReply, now: Instant) {
        self.see_term(reply.term, now);
        let last = self.durable.log.last_index();
        let current = reply.about.term == self.durable.term;
        let hint = self.next_by_hint(reply);
        let Role::Leader(reign) = &mut self.role else { return };
        if !current {
            return;
        }
        let follower = &mut reign.followers[from];
        follower.heard_at = now;
        let news = match reply.outcome {
            Outcome::Accepted { upto } => {
                follower.accepted(reply.about, upto);
                true
            }
            Outcome::Refused { .. } => follower.refused(reply.about.prev, hint, last),
        };
        if news {
            self.send_if_behind(from, now);
        }
        self.advance_commit();
    }

    /// What a follower lacks is sent at once, unless it is on its way already: an answer alone is no
    /// reason to send.
    pub(super) fn send_if_behind(&mut self, to: usize, now: Instant) {
        let (last, window) = (self.durable.log.last_index(), self.window());
        let follower = self.follower(to);
        let behind = follower.sent_upto() < last && follower.in_flight() < window;
        if behind && !self.waits_for_snapshot(to) {
            self.follower_mut(to).hurry(now);
        }
    }

    /// Students' Guide: "If it finds an entry in its log with that term, it should set nextIndex to be
    /// the one beyond the index of the last entry in that term in its log. If it does not find an
    /// entry with that term, it should set nextIndex = conflictIndex."
    fn next_by_hint(&self, reply: &AppendReply) -> Option<u64> {
        let Outcome::Refused { hint: Some(Hint { term, index }) } = reply.outcome else {
            return None;
        };
        let of_term = term.and_then(|term| self.durable.log.last_of(term));
        Some(of_term.map_or(index, |last| (last + 1).min(reply.about.prev)))
    }

    /// Rules for leaders: "If there exists an N such that N > commitIndex, a majority of
    /// matchIndex[i] ≥ N, and log[N].term == currentTerm: set commitIndex = N."
    pub(super) fn advance_commit(&mut self) {
        let Role::Leader(reign) = &self.role else { return };
        let matched = |server: usize| match server == self.me {
            true => self.saved_upto,
            false => reign.followers[server].matched,
        };
        let mut matched: Vec<u64> = (0..self.servers).map(matched).collect();
        matched.sort_unstable();
        let majority_has = matched[(self.servers - 1) / 2];
        if self.durable.log.term_at(majority_has) == Some(self.durable.term) {
            self.commit_upto(majority_has);
        }
    }

    /// The habit `check_quorum`: without a majority it is no use to go on.
    pub(super) fn check_quorum(&mut self, now: Instant) {
        let (me, servers) = (self.me, self.servers);
        let Role::Leader(reign) = &mut self.role else { return };
        if !self.habits.check_quorum || now < reign.quorum_check_at {
            return;
        }
        reign.quorum_check_at = now + quorum_timeout();
        let lately = |server: &usize| reign.followers[*server].heard_at + quorum_timeout() > now;
        let heard = (0..servers).filter(|server| *server == me || lately(server)).count();
        if !self.is_majority(heard) {
            self.follow(now);
        }
    }

    pub(super) fn follower(&self, server: usize) -> &Progress {
        match &self.role {
            Role::Leader(reign) => &reign.followers[server],
            _ => unreachable!("only a leader sends AppendEntries"),
        }
    }

    pub(super) fn follower_mut(&mut self, server: usize) -> &mut Progress {
        match &mut self.role {
            Role::Leader(reign) => &mut reign.followers[server],
            _ => unreachable!("only a leader sends AppendEntries"),
        }
    }
}

fn quorum_timeout() -> Duration {
    Duration::from_millis(*ELECTION.end())
}
