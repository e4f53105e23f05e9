//! What a run's messages have shown, and the way of each event through the rules.

use std::collections::BTreeMap;

use labtrace::Verdict;

use super::bases::{Given, SentSnapshot};
use super::calls::{self, Append, Asked, Call, Calls, Delivered, Sent};
use super::elections::Elections;
use super::evidence::Server;
use super::heartbeats::{Flows, News};
use super::matching::Entries;
use super::persister::{Look, SavedStates};
use super::reigns::Reigns;
use super::resends::Resends;
use super::saved::check_log;
use super::settled::Settled;
use super::slow::Slow;
use super::snapshots::Sendings;
use super::understanding::missing as rules;
use super::understanding::{Install, Leader, Missing, Part, Place, Reply, Request};

#[cfg(test)]
mod tests;

/// Fine, or the verdict of a broken rule.
pub(crate) type Checked<T = ()> = Result<T, Box<Verdict>>;

/// What is known of a cluster's past from its messages.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    pub(super) servers: Vec<Server>,
    /// The calls whose reply may still come.
    pub(super) calls: Calls,
    pub(super) elections: Elections,
    pub(super) entries: Entries,
    pub(super) reigns: Reigns,
    pub(super) settled: Settled,
    pub(super) flows: Flows,
    pub(super) resends: Resends,
    pub(super) slow: Slow,
    /// The calls of `start` that have not returned: server, and since when.
    pub(super) starts: BTreeMap<u64, (usize, u64)>,
    starts_made: u64,
    pub(super) sendings: Sendings,
    pub(super) given: Given,
    /// Some snapshot was seen.
    pub(super) snapshots_seen: bool,
    /// Somebody tells all that servers apply.
    pub(crate) hears_applied: bool,
    /// Some follower has said yes with a number: the number is not for refusals only.
    pub(super) yes_has_number: bool,
    /// Some AppendEntries was seen.
    pub(super) append_seen: bool,
    /// Some server has applied all that was committed just then: the service sees all entries.
    pub(super) all_applied: bool,
    /// Some server knew after a restart what nobody had told it since: this Raft saves the commit index.
    pub(super) commit_is_saved: bool,
    /// Some server stood for election after a restart, and had applied nothing of what it had known to
    /// be committed before: this Raft does not save the commit index.
    pub(super) commit_is_forgotten: bool,
    /// Some leader names another one than itself as leader, by a number that is no server's.
    leaders_are_misnamed: bool,
    /// What has turned out not to be understood.
    doubts: Vec<(Part, &'static str)>,
    /// How many commands were offered to a cluster of one.
    offered_alone: u64,
    /// Counts the requests that are sent.
    pub(super) now: u64,
}

/// What messages are judged by, beside themselves.
pub(crate) struct Means<'a> {
    pub(crate) missing: &'a Missing,
    pub(crate) saved: SavedStates<'a>,
}

#[cfg(test)]
impl Means<'_> {
    /// For tests of rules: nothing is saved.
    pub(crate) fn with<R>(missing: &Missing, rules: impl FnOnce(&mut Means<'_>) -> R) -> R {
        let mut saves = vec![super::persister::Saves::none(); 9];
        let reading = super::persister::Reading::of(crate::RaftType::of::<crate::tests::OneByte>());
        rules(&mut Means { missing, saved: SavedStates::new(&mut saves, reading) })
    }
}

/// What a reply means as an answer to this. Some tell an old leader of a newer term by what looks like a yes that
/// accepts up to nothing.
fn meant(asked: Asked, reply: Reply) -> Reply {
    let is_newer = reply.term > asked.term();
    match asked {
        Asked::Append(_) if is_newer && reply.upto == Some(0) => Reply { yes: None, ..reply },
        _ => reply,
    }
}

impl Judge {
    pub(crate) fn new(servers: usize) -> Judge {
        Judge {
            servers: vec![Server::default(); servers],
            calls: Calls::new(servers),
            reigns: Reigns::new(servers),
            elections: Elections::new(servers),
            ..Judge::default()
        }
    }

    pub(crate) fn started(&mut self, server: usize, instance: u64) {
        self.servers[server].start(instance);
        self.starts.retain(|_, (of, _)| *of != server);
        let lost: Vec<u64> = self.calls.open_at(server).map(|call| call.number).collect();
        for call in lost {
            self.unanswered(call);
            if calls::original_of(call) != call {
                // Nobody will hear that a copy is over.
                self.calls.remove(call);
            }
        }
    }

    pub(crate) fn crashed(&mut self, server: usize) {
        // What it has not answered yet, it may have saved.
        self.servers[server].knows = self.can_know(server);
        self.servers[server].alive = false;
        self.servers[server].paused = false;
    }

    /// A server does nothing for a while, or goes on.
    pub(crate) fn paused(&mut self, server: usize, paused: bool, us: u64) {
        let server = &mut self.servers[server];
        (server.paused, server.resumed_us) = (paused, (!paused).then_some(us));
        server.deaf = None; // it may have been about to say more
        (server.heeded, server.stood_soon) = (None, Vec::new());
        server.refusals = None;
    }

    /// A server's clock runs at so many thousandths of the usual speed.
    pub(crate) fn has_clock(&mut self, server: usize, thousandths: u32) {
        self.servers[server].clock = Some(thousandths);
    }

    /// The request of a call will come twice.
    pub(crate) fn duplicated(&mut self, number: u64) {
        self.calls.duplicate(number);
    }

    /// The copy of a request reaches its server; the number that it has from here on.
    pub(crate) fn copy_arrives(&mut self, number: u64) -> Option<u64> {
        self.calls.copy_arrives(number)
    }

    /// A copy is answered.
    pub(crate) fn copy_is_over(&mut self, copy: u64) {
        self.calls.remove(copy);
    }

    pub(crate) fn has_seen_append(&self) -> bool {
        self.append_seen || self.servers.len() == 1
    }

    pub(crate) fn has_seen_vote(&self) -> bool {
        self.elections.seen || self.servers.len() == 1
    }

    /// The entries that have been sent as those of an index, as facts of a verdict.
    pub(crate) fn entries_sent(&self, index: u64) -> Vec<labtrace::Fact> {
        self.entries.sent(index)
    }

    /// The highest term that a server has shown.
    pub(crate) fn term(&self, server: usize) -> u64 {
        self.servers[server].promised.term
    }

    pub(super) fn is_live(&self, server: usize, instance: u64) -> bool {
        self.servers.get(server).is_some_and(|s| s.alive && s.instance == instance)
    }

    /// A server has saved something.
    pub(crate) fn saved(
        &mut self,
        server: usize,
        instance: u64,
        us: u64,
        means: &mut Means<'_>,
    ) -> Checked {
        if !self.is_live(server, instance) {
            return Ok(());
        }
        self.sees_snapshot(server, us, means);
        // It is shorter when entries have moved into a snapshot.
        let size = means.saved.state_size(server);
        let before = std::mem::replace(&mut self.servers[server].state_size, size);
        match before > size {
            true => self.check_base(server, Look::Surely, us, means),
            false => Ok(()),
        }
    }

    /// A request has been sent; what a dead server says does not count, nor what one says to itself.
    pub(crate) fn sent(&mut self, sent: Sent<'_>, means: &mut Means<'_>) -> Checked {
        let Sent { from, instance, to, .. } = sent;
        self.now += 1;
        if !self.is_live(from, instance) || from == to || to >= self.servers.len() {
            return Ok(());
        }
        self.servers[from].sent_us = Some(sent.us);
        self.may_wait(from);
        self.check_base(from, Look::IfCheap, sent.us, means)?;
        let asked = self.asks(&sent, means)?;
        check_log(from, means.saved.disorder(from))?;
        self.calls.insert(Call::new(&sent, self.servers[to].instance, asked, self.now));
        Ok(())
    }

    /// What has turned out not to be understood since this was asked last, and why.
    pub(crate) fn take_doubts(&mut self) -> Vec<(Part, &'static str)> {
        std::mem::take(&mut self.doubts)
    }

    /// True if what a message says of a leader is its sender's own word; else that is noted.
    fn is_own_word(&mut self, from: usize, request: &Request<'_>) -> bool {
        let (term, leader) = match request {
            Request::Append(append) => (append.term, append.leader),
            Request::Install(install) => (install.term, install.leader),
            Request::Beat { term, leader, .. } => (*term, *leader),
            _ => return true,
        };
        let named = match leader {
            Leader::Sender => return true,
            Leader::Named(named) => usize::try_from(named).ok(),
            Leader::Unsaid => None,
        };
        let is_leader = named.is_some() && named == self.elections.leader_of(term);
        let doubt = match request {
            _ if named == Some(from) => return true,
            Request::Beat { .. } if self.elections.is_elected(from, term) => return true,
            Request::Beat { .. } => (Part::Others, "who does not lead may send heartbeats, too"),
            _ if is_leader && !self.leaders_are_misnamed => {
                (Part::Appends, "a server passes on what the leader that it names sends")
            }
            _ => {
                self.leaders_are_misnamed = true;
                return true;
            }
        };
        self.doubts.push(doubt);
        false
    }

    fn asks(&mut self, sent: &Sent<'_>, means: &mut Means<'_>) -> Checked<Asked> {
        let Sent { call, from, to, ref request, us, .. } = *sent;
        if !self.is_own_word(from, request) {
            return Ok(Asked::Nothing);
        }
        match request {
            Request::Vote { term, last } => {
                self.asks_in(from, *term, us, means.missing)?;
                // That it stands in a later term ends nothing: what it has prepared as leader may still leave.
                if self.servers[from].newer.is_some_and(|newer| newer.term > *term) {
                    self.goes_on(call, (from, to), *term, us, means.missing)?;
                }
                self.stands(from, *term, *last, us, means.missing)?;
                Ok(Asked::Vote { term: *term, last: *last })
            }
            Request::Append(append) => {
                self.append_seen = true;
                self.speaks(from, append.term, us, means.missing)?;
                self.leads(from, append.term, us, means)?;
                self.goes_on(call, (from, to), append.term, us, means.missing)?;
                let last = self.brings(from, append, us, means.missing)?;
                let commit = append.commit.unwrap_or(0);
                self.commits(from, append.term, commit, us, means)?;
                let may_be_told_to_stand = self.flows.may_tell_to_stand((from, to), append);
                let news = (News::of(append), append.entries.are_none());
                self.check_heartbeat((from, to), news, us, means.missing)?;
                let append = Append {
                    term: append.term,
                    prev: append.prev,
                    last,
                    commit,
                    may_be_told_to_stand,
                };
                self.resends((from, to), append, us, means.missing)?;
                Ok(Asked::Append(append))
            }
            Request::Install(install) => {
                self.speaks(from, install.term, us, means.missing)?;
                self.leads(from, install.term, us, means)?;
                self.goes_on(call, (from, to), install.term, us, means.missing)?;
                self.offers((from, to), *install, us, means)?;
                Ok(Asked::Install(*install))
            }
            Request::Beat { term, commit, message, .. } => {
                self.speaks(from, *term, us, means.missing)?;
                self.leads(from, *term, us, means)?;
                self.goes_on(call, (from, to), *term, us, means.missing)?;
                let news = News::of_beat(*term, *commit, *message);
                let commit = commit.unwrap_or(0);
                self.commits(from, *term, commit, us, means)?;
                self.check_heartbeat((from, to), (news, true), us, means.missing)?;
                Ok(Asked::Beat { term: *term, commit })
            }
            Request::Stand | Request::Nothing | Request::Unknown => Ok(Asked::Nothing),
        }
    }

    /// A server that has just been started has read this from its persister.
    pub(crate) fn begins_in(&mut self, server: usize, term: u64, vote: Option<usize>) {
        self.servers[server].begins_in(term);
        self.elections.is_saved(server, term, vote);
    }

    /// A live server asks for votes in a term.
    fn asks_in(&mut self, server: usize, term: u64, us: u64, missing: &Missing) -> Checked {
        self.check_term_after_restart(server, term, missing)?;
        self.servers[server].shows(term, us);
        Ok(())
    }

    /// A live server speaks as leader of a term.
    fn speaks(&mut self, server: usize, term: u64, us: u64, missing: &Missing) -> Checked {
        self.check_term_after_restart(server, term, missing)?;
        self.servers[server].promise(term, us);
        Ok(())
    }

    /// A request reaches its server: the handler may begin.
    pub(crate) fn delivered(&mut self, number: u64, us: u64, means: &Means<'_>) {
        let Some(call) = self.calls.get(number) else { return };
        let server = &mut self.servers[call.to];
        // A request goes to the instance that was there when it was sent: its successor hears nothing of it.
        if !server.alive || server.instance != call.to_instance {
            return;
        }
        let held = server.held();
        let (from, to, asked) = (call.from, call.to, call.asked);
        if let Some(append) = asked.append() {
            server.reached(from, calls::original_of(number), append.term, us);
            // A snapshot brings all that is before its end.
            let is_snapshot = matches!(asked, Asked::Install(_));
            server.is_brought(append.term, if is_snapshot { 0 } else { append.prev.index });
        }
        let Server { instance, promised, appends, .. } = *server;
        let saves = means.saved.count(to);
        if !matches!(asked, Asked::Vote { .. }) {
            server.refusals = None;
        }
        if call.tells_to_stand {
            server.told_to_stand_us = Some(us);
        }
        self.calls.reach(number, Delivered { instance, promised, held, appends, saves });
        match asked {
            Asked::Append(append) => self.reaches(to, append),
            Asked::Install(Install { last, done, .. }) => {
                let newer = server.was_offered.is_none_or(|known| known.upto < last.index);
                if done && newer {
                    server.was_offered = Some(SentSnapshot { us, upto: last.index });
                }
                server.snapshot_upto = server.snapshot_upto.max(last.index);
                server.began = server.began.filter(|began| last.index <= began.upto);
            }
            Asked::Beat { term, commit } => {
                server.hears(term, us);
                server.tell(term, commit, 0, us);
            }
            Asked::Vote { .. } | Asked::Nothing => {}
        }
    }

    /// A follower has been sent what an AppendEntries brings.
    fn reaches(&mut self, to: usize, append: Append) {
        let Append { term, prev, last, .. } = append;
        let Some(reign) = self.reigns.of(term) else { return };
        for (term, first, last) in reign.terms.between(prev, last) {
            self.servers[to].was_sent(term, first, last);
        }
    }

    /// A server has answered.
    pub(crate) fn replied(
        &mut self,
        number: u64,
        reply: Reply,
        us: u64,
        means: &mut Means<'_>,
    ) -> Checked {
        let Some(call) = self.calls.get(number) else { return Ok(()) };
        let Some(delivered) = call.delivered else { return Ok(()) };
        // While the call is open: what it has told counts.
        if self.is_live(call.to, delivered.instance) {
            self.check_base(call.to, Look::IfCheap, us, means)?;
        }
        self.calls.answer(number);
        if !self.is_live(call.to, delivered.instance) {
            return Ok(());
        }
        if call.asked.append().is_some() {
            self.servers[call.to].open = self.servers[call.to].open.saturating_sub(1);
        }
        let reply = meant(call.asked, reply);
        if means.missing.allows(&rules::TERM) {
            self.check_term_of_reply(&call, delivered, reply, us)?;
        }
        match call.asked {
            Asked::Vote { term, last } => {
                if let Some(known) = self.calls.get_mut(number) {
                    known.granted = reply.yes == Some(true);
                }
                self.votes(&call, delivered, (term, last), reply, us, means)?;
                match reply.yes {
                    Some(false) => self.refuses(call.to, us, means.missing)?,
                    _ => self.may_wait(call.to),
                }
            }
            Asked::Append(append) => {
                if let Some(known) = self.calls.get_mut(number) {
                    known.refused = reply.yes == Some(false);
                }
                self.answers(&call, delivered, append, reply, us, means)?;
                self.heeds_append(&call, append, reply);
            }
            Asked::Install(install) => {
                self.answers_install(&call, delivered, install, reply, us, means)?;
            }
            Asked::Beat { term, .. } => {
                if reply.yes != Some(false) {
                    self.heeds(&call, term, reply);
                }
            }
            Asked::Nothing => {}
        }
        self.says_accepted(&call, reply, us);
        let term = call.asked.term();
        if let (Some(asked), Some(term)) = (term, reply.term)
            && term > asked
        {
            self.servers[call.to].promise(term, us);
            if let Some(known) = self.calls.get_mut(number) {
                known.newer = Some(term);
            }
        }
        check_log(call.to, means.saved.disorder(call.to))
    }

    /// A server gives an answer that it has given before. It says nothing new, but its caller may hear it only now.
    pub(crate) fn answers_again(&mut self, number: u64, first: Call) {
        let Some(call) = self.calls.get(number) else { return };
        let Some(delivered) = call.delivered else { return };
        self.calls.answer(number);
        if !self.is_live(call.to, delivered.instance) {
            return;
        }
        if call.asked.append().is_some() {
            self.servers[call.to].open = self.servers[call.to].open.saturating_sub(1);
        }
        if let Some(known) = self.calls.get_mut(number) {
            let Call { accepted, kept, granted, installed, newer, .. } = first;
            *known = Call { accepted, kept, granted, installed, newer, ..*known };
        }
    }

    /// A request has been handled or not, and there will be no answer: it may have told.
    fn unanswered(&mut self, number: u64) {
        let Some(call) = self.calls.get(number) else { return };
        let (Some(delivered), Some(append)) = (call.delivered, call.asked.append()) else { return };
        if self.calls.answer(number) {
            let server = &mut self.servers[call.to];
            server.tell(append.term, append.commit, append.last.index, call.sent_us);
            if server.instance == delivered.instance {
                server.open = server.open.saturating_sub(1);
            }
            if let Some(reign) = self.reigns.of_mut(append.term) {
                let taken = &mut reign.taken[call.to];
                *taken = (*taken).max(append.last.index);
            }
        }
    }

    /// A call is over.
    pub(crate) fn over(&mut self, number: u64, failed: bool, us: u64) {
        if failed {
            self.unanswered(number);
        }
        let Some(call) = self.calls.remove(number) else { return };
        if failed {
            self.sendings.failed(&call);
        }
        let Call { from, to, asked, accepted, granted, installed, newer, sent_us, .. } = call;
        self.flows.over(&call, failed, us);
        self.slow.over(&call, failed, us);
        if call.instance != self.servers[from].instance {
            return;
        }
        if let (Asked::Vote { term, .. }, true, false) = (asked, granted, failed) {
            self.elections.receives(from, term, to);
        }
        if let (Asked::Append(append), false) = (asked, failed) {
            self.resends.over(&call, append);
        }
        if let (Some(term), Some(place), false) = (asked.term(), accepted, failed) {
            self.counts(from, to, term, place);
        }
        if let (Asked::Install(install), true, false) = (asked, installed, failed) {
            self.knows_installed(&call, install, us);
        }
        if let (Some(term), false) = (newer, failed) {
            self.hears_of_newer(from, to, term, (us, us.saturating_sub(sent_us)));
        }
    }

    /// An acceptance has come back. It counts if its leader leads still.
    fn counts(&mut self, leader: usize, follower: usize, term: u64, place: Place) {
        let server = &mut self.servers[leader];
        if let Some(reign) = self.reigns.of_mut(term).filter(|_| server.promised.term == term)
            && let Some(committed) = reign.counts(term, follower, place)
        {
            server.knows = server.knows.max(committed);
            server.heard_now = server.heard_now.max(committed);
        }
    }

    /// A command is about to be offered to a server. The number stands for this until it [returns](Self::offered).
    pub(crate) fn offering(&mut self, server: usize, us: u64) -> u64 {
        self.starts_made += 1;
        self.starts.insert(self.starts_made, (server, us));
        if self.servers.len() == 1 {
            self.offered_alone += 1;
            self.reigns.committed = self.offered_alone;
        }
        self.starts_made
    }

    /// `start` has returned.
    pub(crate) fn offered(&mut self, start: u64) {
        self.starts.remove(&start);
    }

    /// What has reached a server and is not answered: it may have told it.
    pub(super) fn open_appends(&self, server: usize) -> impl Iterator<Item = Append> + '_ {
        self.calls.open_at(server).filter_map(|call| call.asked.append())
    }
}
