//! What a run's messages have shown, and the way of each event through the rules.

use std::collections::BTreeMap;

use labtrace::Verdict;

use super::bases::{Given, SentSnapshot};
use super::calls::{self, Append, Asked, Call, Calls, Delivered, Sent};
use super::elections::Elections;
use super::evidence::Server;
use super::heartbeats::Flows;
use super::matching::Entries;
use super::persister::{Look, SavedStates};
use super::reigns::Reigns;
use super::resends::Resends;
use super::settled::Settled;
use super::slow::Slow;
use super::snapshots::Sendings;
use super::understanding::{Install, Missing, Place, Reply, Request};

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
        self.may_wait(from);
        self.check_base(from, Look::IfCheap, sent.us, means)?;
        let asked = self.asks(&sent, means)?;
        self.calls.insert(Call::new(&sent, asked, self.now));
        Ok(())
    }

    fn asks(&mut self, sent: &Sent<'_>, means: &mut Means<'_>) -> Checked<Asked> {
        let Sent { call, from, to, ref request, us, .. } = *sent;
        match request {
            Request::Vote { term, last } => {
                self.asks_in(from, *term, us)?;
                if self.servers[from].newer.is_some_and(|newer| newer.term > *term) {
                    self.goes_on(call, (from, to), *term, us)?;
                }
                self.stands(from, *term, *last, us, means.missing)?;
                Ok(Asked::Vote { term: *term, last: *last })
            }
            Request::Append(append) => {
                self.append_seen = true;
                self.speaks(from, append.term, us)?;
                self.leads(from, append.term, us, means)?;
                self.goes_on(call, (from, to), append.term, us)?;
                let last = self.brings(from, append, us, means.missing)?;
                let commit = append.commit.unwrap_or(0);
                self.commits(from, append.term, commit, us, means)?;
                let says_more = self.flows.says_more((from, to), append);
                self.check_heartbeat((from, to), append, us, means.missing)?;
                let append =
                    Append { term: append.term, prev: append.prev, last, commit, says_more };
                self.resends((from, to), append, us, means.missing)?;
                Ok(Asked::Append(append))
            }
            Request::Install(install) => {
                self.speaks(from, install.term, us)?;
                self.leads(from, install.term, us, means)?;
                self.goes_on(call, (from, to), install.term, us)?;
                self.offers((from, to), *install, us, means)?;
                Ok(Asked::Install(*install))
            }
            Request::Beat { term, commit } => {
                self.speaks(from, *term, us)?;
                self.leads(from, *term, us, means)?;
                self.goes_on(call, (from, to), *term, us)?;
                let commit = commit.unwrap_or(0);
                self.commits(from, *term, commit, us, means)?;
                Ok(Asked::Beat { term: *term, commit })
            }
            Request::Nothing | Request::Unknown => Ok(Asked::Nothing),
        }
    }

    /// A server that has just been started has read this from its persister.
    pub(crate) fn begins_in(&mut self, server: usize, term: u64, vote: Option<usize>) {
        self.servers[server].begins_in(term);
        self.elections.is_saved(server, term, vote);
    }

    /// A live server asks for votes in a term.
    fn asks_in(&mut self, server: usize, term: u64, us: u64) -> Checked {
        self.check_term_after_restart(server, term)?;
        self.servers[server].shows(term, us);
        Ok(())
    }

    /// A live server speaks as leader of a term.
    fn speaks(&mut self, server: usize, term: u64, us: u64) -> Checked {
        self.check_term_after_restart(server, term)?;
        self.servers[server].promise(term, us);
        Ok(())
    }

    /// A request reaches its server: the handler may begin.
    pub(crate) fn delivered(&mut self, number: u64, us: u64, means: &Means<'_>) {
        let Some(call) = self.calls.get(number) else { return };
        let server = &mut self.servers[call.to];
        if !server.alive {
            return;
        }
        let held = server.held();
        let (from, to, asked) = (call.from, call.to, call.asked);
        if let Some(append) = asked.append() {
            server.reached(from, calls::original_of(number), append.term, us);
        }
        let Server { instance, promised, appends, .. } = *server;
        let saves = means.saved.count(to);
        if !matches!(asked, Asked::Vote { .. }) {
            server.refusals = None;
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
            Asked::Beat { term, commit } => server.tell(term, commit, 0, us),
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
        self.check_term_of_reply(&call, delivered, reply, us)?;
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
                self.heeds(&call, append, reply);
            }
            Asked::Install(install) => {
                self.answers_install(&call, delivered, install, reply, us, means)?;
            }
            Asked::Beat { .. } | Asked::Nothing => {}
        }
        let term = call.asked.term();
        if let (Some(asked), Some(term)) = (term, reply.term)
            && term > asked
        {
            self.servers[call.to].promise(term, us);
            if let Some(known) = self.calls.get_mut(number) {
                known.newer = Some(term);
            }
        }
        Ok(())
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
        if let (Asked::Append(append), Some(place), false) = (asked, accepted, failed) {
            self.counts(from, to, append.term, place);
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

#[cfg(test)]
mod tests {
    use super::super::evidence::Newer;
    use super::*;

    const THREE: Place = Place { index: 3, term: 4 };

    fn three() -> Judge {
        let mut judge = Judge::new(3);
        (0..3).for_each(|server| judge.started(server, 1));
        judge
    }

    /// A leader may say that it leads by a call without entries, or with a snapshot.
    fn leads(term: u64) -> [Request<'static>; 2] {
        let install = Install { term, last: THREE, offset: 0, done: true, bytes: 10, part: None };
        [Request::Beat { term, commit: Some(3) }, Request::Install(install)]
    }

    /// What is broken when server 0 leads this term by its second instance.
    fn broken_by(judge: &Judge, request: Request<'_>) -> Option<Box<Verdict>> {
        let mut judge = Judge { servers: judge.servers.clone(), ..three() };
        judge.elections.leaders.insert(5, (1, 0, super::super::elections::Claim::Sent));
        judge.reigns.committed = 3;
        let sent = Sent { call: 7, from: 0, instance: 1, to: 1, request, us: 5_000_000 };
        Means::with(&Missing::default(), |means| judge.sent(sent, means)).err()
    }

    #[track_caller]
    fn assert_broken(judge: &Judge, term: u64, checks: [&str; 2]) {
        for (request, check) in leads(term).into_iter().zip(checks) {
            let words = format!("{request:?}");
            let broken = broken_by(judge, request).expect("a rule is broken");
            assert_eq!(broken.check, check, "{words}");
            assert!(broken.servers.contains(&0), "{words}: {broken:?}");
        }
    }

    #[test]
    fn whatever_a_leader_sends_says_that_it_leads() {
        let mut judge = three();
        judge.servers[0].knows = 3;
        for request in leads(4) {
            assert!(broken_by(&judge, request).is_none());
        }
        assert_broken(&judge, 5, ["Election Safety"; 2]);
        judge.servers[0].newer = Some(Newer { term: 6, by: 1, us: 0 });
        assert_broken(&judge, 4, ["a newer term is taken over"; 2]);
        judge.servers[0].before.term = 7;
        assert_broken(&judge, 4, ["persistence: term"; 2]);
    }

    #[test]
    fn whatever_a_leader_sends_says_no_more_than_it_can_know() {
        let mut judge = three();
        judge.servers[0].knows = 2;
        let checks = ["committed by a majority", "snapshots of what is committed"];
        assert_broken(&judge, 4, checks);
    }

    /// Server 0 leads term 4, and says to server 1 that three entries are committed.
    fn tells_three() -> Judge {
        let mut judge = three();
        judge.reigns.led_by(0, 4);
        let append = Append { term: 4, prev: THREE, last: THREE, commit: 3, says_more: false };
        let (from, to, request) = (0, 1, Request::Nothing);
        let sent = Sent { call: 7, from, instance: 1, to, request, us: 0 };
        judge.calls.insert(Call::new(&sent, Asked::Append(append), 1));
        judge
    }

    fn reaches(judge: &mut Judge) {
        Means::with(&Missing::default(), |means| judge.delivered(7, 20, means));
    }

    fn answers(judge: &mut Judge, yes: bool) {
        let reply = Reply::new(4, yes, None);
        let missing = Missing::default();
        Means::with(&missing, |means| judge.replied(7, reply, 30, means)).expect("it is right");
    }

    #[test]
    fn a_request_tells_from_when_it_comes_until_it_is_refused() {
        let mut judge = tells_three();
        judge.servers[1].snapshot_upto = 3;
        assert_eq!(judge.can_know(1), 0);
        reaches(&mut judge);
        assert_eq!((judge.can_know(1), judge.servers[1].heard_us), (3, Some(20)));
        answers(&mut judge, false);
        assert_eq!((judge.can_know(1), judge.servers[1].open), (0, 0));
    }

    /// The server repeats what it has said in an earlier term: that is no new promise. But the leader hears it only now.
    #[test]
    fn an_answer_that_is_given_again_says_what_it_said_the_first_time() {
        let mut judge = tells_three();
        judge.servers[0].promise(4, 0);
        judge.servers[1].snapshot_upto = 3;
        reaches(&mut judge);
        answers(&mut judge, true);
        let first = judge.calls.get(7).expect("it is open");
        judge.over(7, true, 40);
        assert_eq!(judge.servers[0].knows, 0);
        judge.servers[1].promise(5, 50);
        judge.calls.insert(Call { number: 8, delivered: None, answered: false, ..first });
        Means::with(&Missing::default(), |means| judge.delivered(8, 60, means));
        judge.answers_again(8, first);
        assert_eq!((judge.calls.open_at(1).count(), judge.servers[1].open), (0, 0));
        judge.over(8, false, 70);
        assert_eq!(judge.servers[0].knows, 3);
    }

    #[test]
    fn what_comes_to_a_crashed_server_and_what_it_answers_does_not_count() {
        let accepted = |judge: &Judge| judge.reigns.of(4).expect("it leads").accepted[1].is_some();
        let mut judge = tells_three();
        judge.crashed(1);
        reaches(&mut judge);
        assert_eq!((judge.can_know(1), judge.servers[1].heard_us), (0, None));
        let mut judge = tells_three();
        judge.servers[1].snapshot_upto = 3;
        reaches(&mut judge);
        judge.crashed(1);
        answers(&mut judge, true);
        assert!(!accepted(&judge));
        // Alive it has accepted by that.
        let mut judge = tells_three();
        judge.servers[1].snapshot_upto = 3;
        reaches(&mut judge);
        answers(&mut judge, true);
        assert!(accepted(&judge));
    }

    #[test]
    fn what_an_earlier_instance_had_not_answered_may_have_told_and_is_over() {
        let mut judge = tells_three();
        judge.servers[1].snapshot_upto = 3;
        reaches(&mut judge);
        judge.crashed(1);
        judge.started(1, 2);
        assert_eq!((judge.calls.open_at(1).count(), judge.servers[1].open), (0, 0));
        assert_eq!(judge.can_know(1), 3);
    }

    #[test]
    fn a_server_that_crashes_in_a_pause_is_not_paused_any_more() {
        let mut judge = three();
        judge.paused(0, true, 5);
        assert!(judge.servers[0].paused);
        judge.crashed(0);
        judge.started(0, 2);
        assert!(!judge.servers[0].paused);
    }

    #[test]
    fn what_an_earlier_instance_saves_does_not_count() {
        let size_after = |instance| {
            let mut judge = three();
            judge.started(0, 2);
            judge.servers[0].state_size = 5;
            let saves = |means: &mut Means<'_>| judge.saved(0, instance, 0, means);
            Means::with(&Missing::default(), saves).expect("there are no snapshots");
            judge.servers[0].state_size
        };
        // Nothing is saved at present.
        assert_eq!([1, 2].map(size_after), [5, 0]);
    }
}
