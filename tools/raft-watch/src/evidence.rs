//! What is known of each server: only what it has promised, and what has reached it.
//!
//! A promise is a request that a live instance has sent as candidate or leader, a vote, an acceptance,
//! and a refusal that shows a later term than its request (one that shows the same term may only send
//! it back). What a candidate has asked for binds its next instance only if it was saved or has made it
//! leader: who asks has promised nobody anything yet. What has been delivered may have been handled, or not yet.

use std::collections::BTreeMap;

use labtrace::Verdict;

use super::bases::{Began, Pending, SentSnapshot, Stored};
use super::standing::{Heeded, Refusals};
use super::understanding::Place;

/// A term that a server has promised not to go behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Promise {
    pub(crate) term: u64,
    /// When.
    pub(crate) us: u64,
    pub(crate) instance: u64,
}

/// An entry that a server's log has, and what led to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) place: Place,
    /// Whose log it is that the server's agrees with up to there: the leader of this term.
    pub(crate) leader: usize,
    pub(crate) in_term: u64,
    pub(crate) us: u64,
    pub(crate) instance: u64,
}

/// What AppendEntries of one term have told a follower.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    /// The highest `leaderCommit`.
    pub(crate) commit: u64,
    /// Up to which index they have checked its log.
    pub(crate) checked: u64,
    pub(crate) us: u64,
}

/// A follower that has lost what it had accepted, if it is still in this term and was not only busy.
#[derive(Clone, Debug)]
pub(crate) struct Suspicion {
    pub(crate) term: u64,
    /// It has refused what follows this entry, which it had.
    pub(crate) refused: u64,
    /// It has been sent what it may have lost again since.
    pub(crate) resent: bool,
    pub(crate) verdict: Box<Verdict>,
}

impl Suspicion {
    /// True if entries behind this one may be what it has lost. Some leaders go back by one entry whenever they are
    /// refused; one that goes further was refused again, or was told how much is lost.
    pub(crate) fn is_resent_by(&self, prev: u64) -> bool {
        prev.saturating_add(1) < self.refused
    }
}

/// A candidate that has refused to follow the leader of its term, if it is still in this term and was not only busy.
#[derive(Clone, Debug)]
pub(crate) struct Deaf {
    pub(crate) term: u64,
    pub(crate) us: u64,
    /// The index of the entry that the leader's first request followed: the last one of its log.
    pub(crate) log_end: u64,
    /// When it refused a request that was sent after that.
    pub(crate) again_us: Option<u64>,
    pub(crate) verdict: Box<Verdict>,
}

/// A reply has shown a server a newer term than its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newer {
    pub(crate) term: u64,
    pub(crate) by: usize,
    pub(crate) us: u64,
}

/// One server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Server {
    pub(crate) instance: u64,
    pub(crate) alive: bool,
    pub(crate) promised: Promise,
    /// The same without what it has only stood for election in.
    bound: Promise,
    /// What the instance before this one had shown in all.
    shown_before: Promise,
    /// What its earlier instances had promised.
    pub(crate) before: Promise,
    held: Option<Held>,
    /// By term: the indexes at which it has been sent an entry of that term, from the first to the last.
    sent: BTreeMap<u64, (u64, u64)>,
    /// The highest term of an AppendEntries that has reached it.
    append_term: u64,
    /// How many AppendEntries have reached it, and how many of them it has not answered.
    pub(crate) appends: u64,
    pub(crate) open: u64,
    /// By sender: the AppendEntries that was sent last of those that have reached it.
    pub(crate) newest: BTreeMap<usize, u64>,
    /// Up to which index snapshots have been sent to it.
    pub(crate) snapshot_upto: u64,
    told: BTreeMap<u64, Told>,
    /// Up to which index it can know that entries are committed: it was told, or it has led.
    pub(crate) knows: u64,
    /// What this instance can have heard or counted: the highest `leaderCommit` that reached it, or what
    /// it had on a majority.
    pub(crate) heard_now: u64,
    /// When a `leaderCommit` has last raised that, in microseconds.
    pub(crate) heard_now_us: u64,
    pub(crate) applied: u64,
    /// The index of the stored snapshot that this instance's service began with; 0 for none.
    pub(crate) restored: u64,
    /// What its saved log began behind when that was looked at last, and how long its state was.
    pub(crate) base: Place,
    pub(crate) state_size: usize,
    /// The snapshot that it has saved.
    pub(crate) stored: Stored,
    /// The stored snapshot that this instance began with, unless it may have got a later one from a leader.
    pub(crate) began: Option<Began>,
    /// The snapshot with the last index of those that leaders have sent to this instance.
    pub(crate) was_offered: Option<SentSnapshot>,
    /// The oldest snapshot of its service that it is not known to have saved.
    pub(crate) pending: Option<Pending>,
    /// The most that an earlier instance had applied.
    pub(crate) applied_before: u64,
    /// The term that this instance has led last; 0 for none.
    pub(crate) led: u64,
    /// What it had applied when it last stood for election.
    pub(crate) applied_when_stood: u64,
    pub(crate) suspicion: Option<Suspicion>,
    pub(crate) newer: Option<Newer>,
    /// The latest request of its leader that it has followed.
    pub(crate) heeded: Option<Heeded>,
    /// When it was last told to stand for election at once.
    pub(crate) told_to_stand_us: Option<u64>,
    /// When it stood for election right after such a request, without another election of its own in between.
    pub(crate) stood_soon: Vec<u64>,
    /// That it has done nothing for a while but refuse its vote.
    pub(crate) refusals: Option<Refusals>,
    /// When it refused to follow, if it is still in this term.
    pub(crate) deaf: Option<Deaf>,
    /// The end of its log as it said when it last stood for election, and how many AppendEntries had
    /// reached it by then.
    pub(crate) log_end: Option<(Place, u64)>,
    /// When a leader whose term was not behind its own has last reached it.
    pub(crate) heard_us: Option<u64>,
    /// When this instance has last sent a request.
    pub(crate) sent_us: Option<u64>,
    /// It does nothing at present, though it has not crashed.
    pub(crate) paused: bool,
    /// When it last went on after that.
    pub(crate) resumed_us: Option<u64>,
    /// The speed of its clock in thousandths, if that is not the usual one.
    pub(crate) clock: Option<u32>,
}

impl Server {
    pub(crate) fn start(&mut self, instance: u64) {
        self.shown_before = self.promised;
        self.before = self.before.max(self.bound);
        self.promised = self.before;
        self.applied_before = self.applied_before.max(self.applied);
        (self.instance, self.alive, self.applied) = (instance, true, 0);
        (self.heard_now, self.applied_when_stood, self.led) = (0, 0, 0);
        (self.restored, self.pending, self.deaf, self.refusals) = (0, None, None, None);
        (self.stored.saves, self.began, self.was_offered) = (0, None, None);
        (self.heeded, self.stood_soon, self.told_to_stand_us) = (None, Vec::new(), None);
        (self.open, self.newer, self.log_end) = (0, None, None);
        (self.heard_us, self.sent_us) = (None, None);
    }

    /// The instance that has just been made has read this term from its persister.
    pub(crate) fn begins_in(&mut self, term: u64) {
        if self.shown_before.term <= term {
            self.before = self.before.max(self.shown_before);
            self.bound = self.before;
            self.promised = self.before;
        }
    }

    pub(crate) fn promise(&mut self, term: u64, us: u64) {
        self.shows(term, us);
        if term > self.bound.term {
            let first = if self.promised.term == term { self.promised.us } else { us };
            self.bound = Promise { term, us: first, instance: self.instance };
        }
    }

    /// It stands for election in a term.
    pub(crate) fn shows(&mut self, term: u64, us: u64) {
        if term > self.promised.term {
            self.promised = Promise { term, us, instance: self.instance };
        }
        if self.suspicion.as_ref().is_some_and(|suspicion| suspicion.term < term) {
            self.suspicion = None;
        }
    }

    /// An entry that its log has for certain: nothing has reached it that could have cut it off.
    pub(crate) fn held(&self) -> Option<Held> {
        self.held.filter(|held| held.in_term >= self.append_term)
    }

    /// Its log agrees with a leader's up to a place.
    pub(crate) fn holds(&mut self, held: Held) {
        let later = |old: &Held| (old.in_term, old.place.index) <= (held.in_term, held.place.index);
        if held.in_term >= self.append_term && self.held.as_ref().is_none_or(later) {
            self.held = Some(held);
        }
    }

    /// An AppendEntries has reached it, or an InstallSnapshot.
    pub(crate) fn reached(&mut self, from: usize, call: u64, term: u64, us: u64) {
        self.append_term = self.append_term.max(term);
        self.appends += 1;
        self.open += 1;
        self.hears(term, us);
        let newest = self.newest.entry(from).or_default();
        *newest = (*newest).max(call);
    }

    /// True if a message of a leader of this term, or of a later one, has reached it.
    pub(crate) fn was_led_in(&self, term: u64) -> bool {
        self.append_term >= term || self.told.contains_key(&term)
    }

    /// A message of a leader has reached it. It is none of its own leader's if it is stale.
    pub(crate) fn hears(&mut self, term: u64, us: u64) {
        if term >= self.promised.term {
            self.heard_us = Some(us);
        }
    }

    /// What a leader of this term sends brings entries behind this place. What the server may have lost of them it has
    /// again.
    pub(crate) fn is_brought(&mut self, term: u64, prev: u64) {
        if let Some(suspicion) = &mut self.suspicion {
            suspicion.resent |= suspicion.term == term && suspicion.is_resent_by(prev);
        }
    }

    /// It follows the leader of this term, whatever it has refused.
    pub(crate) fn follows(&mut self, term: u64) {
        self.deaf.take_if(|deaf| deaf.term == term);
    }

    /// Entries of one term have been sent to it.
    pub(crate) fn was_sent(&mut self, term: u64, from: u64, to: u64) {
        let (first, last) = self.sent.entry(term).or_insert((from, to));
        (*first, *last) = ((*first).min(from), (*last).max(to));
    }

    /// True if an entry may have been sent to it.
    pub(crate) fn may_have_been_sent(&self, place: Place) -> bool {
        let range = self.sent.get(&place.term);
        range.is_some_and(|(first, last)| (*first..=*last).contains(&place.index))
    }

    /// A leader of this term has told it that so much is committed, or has checked its log so far.
    pub(crate) fn tell(&mut self, term: u64, commit: u64, checked: u64, us: u64) {
        let told = self.told.entry(term).or_default();
        told.us = if commit > told.commit { us } else { told.us };
        (told.commit, told.checked) = (told.commit.max(commit), told.checked.max(checked));
        let checked = told.checked;
        self.knows = self.knows.max(self.told_up_to(term).min(checked));
        if commit > self.heard_now {
            (self.heard_now, self.heard_now_us) = (commit, us);
        }
    }

    pub(crate) fn told(&self, term: u64) -> Told {
        self.told.get(&term).copied().unwrap_or_default()
    }

    /// The most that it was told to be committed by leaders of this term and of those before: all later leaders have it.
    pub(crate) fn told_up_to(&self, term: u64) -> u64 {
        self.told.range(..=term).map(|(_, told)| told.commit).max().unwrap_or(0)
    }

    /// The latest term in which it was told anything.
    pub(crate) fn told_last(&self) -> Option<(u64, Told)> {
        self.told.last_key_value().map(|(term, told)| (*term, *told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(in_term: u64, index: u64) -> Held {
        let place = Place { index, term: in_term };
        Held { place, leader: 0, in_term, us: 0, instance: 1 }
    }

    #[test]
    fn a_term_is_promised_when_it_is_shown_first() {
        let mut server = Server::default();
        server.start(1);
        [(4, 10), (4, 20), (3, 30)].into_iter().for_each(|(term, us)| server.promise(term, us));
        assert_eq!(server.promised, Promise { term: 4, us: 10, instance: 1 });
        // Across a restart it counts on.
        server.start(2);
        server.promise(4, 40);
        assert_eq!(server.promised, Promise { term: 4, us: 10, instance: 1 });
        server.promise(5, 50);
        assert_eq!(server.promised, Promise { term: 5, us: 50, instance: 2 });
    }

    #[test]
    fn what_a_candidate_asks_for_binds_its_next_instance_if_it_was_saved_or_has_led() {
        let mut stood = Server::default();
        stood.start(1);
        stood.promise(4, 10);
        stood.shows(6, 20);
        assert_eq!(stood.promised.term, 6);
        let restarted = |mut server: Server, saved: u64| {
            server.start(2);
            server.begins_in(saved);
            [server.before.term, server.promised.term]
        };
        assert_eq!([4, 5, 6, 7].map(|saved| restarted(stood.clone(), saved)[0]), [4, 4, 6, 6]);
        stood.promise(6, 30);
        assert_eq!(restarted(stood, 5), [6, 6]);
    }

    #[test]
    fn a_suspicion_lasts_as_long_as_its_term() {
        let mut server = Server::default();
        let verdict = Box::new(labtrace::verdict("a rule", "words").build());
        server.suspicion = Some(Suspicion { term: 4, refused: 0, resent: false, verdict });
        [3, 4].into_iter().for_each(|term| server.promise(term, 0));
        assert!(server.suspicion.is_some());
        server.promise(5, 0);
        assert!(server.suspicion.is_none());
    }

    #[test]
    fn a_log_holds_the_last_entry_that_the_latest_leader_has_checked() {
        let mut server = Server::default();
        let holds = |server: &Server| server.held().map(|held| (held.in_term, held.place.index));
        for (place, known) in
            [((4, 5), (4, 5)), ((4, 3), (4, 5)), ((4, 7), (4, 7)), ((5, 2), (5, 2))]
        {
            server.holds(held(place.0, place.1));
            assert_eq!(holds(&server), Some(known));
        }
        // What has come from a later leader may have cut it off.
        server.reached(2, 1, 6, 0);
        assert_eq!(holds(&server), None);
        server.holds(held(5, 9));
        assert_eq!(holds(&server), None);
        server.holds(held(6, 1));
        assert_eq!(holds(&server), Some((6, 1)));
    }

    #[test]
    fn what_reaches_a_server_is_counted_and_open_until_it_is_answered() {
        let mut server = Server::default();
        server.reached(2, 7, 4, 10);
        server.reached(2, 5, 4, 20);
        assert_eq!((server.appends, server.open, server.heard_us), (2, 2, Some(20)));
        assert_eq!(server.newest[&2], 7);
    }

    #[test]
    fn who_is_in_a_later_term_does_not_hear_of_its_leader_by_a_stale_message() {
        let mut server = Server::default();
        server.reached(2, 1, 4, 10);
        server.promise(5, 20);
        server.reached(2, 2, 4, 30);
        assert_eq!((server.appends, server.heard_us), (2, Some(10)));
        server.hears(5, 40);
        assert_eq!(server.heard_us, Some(40));
    }

    #[test]
    fn what_it_was_told_is_known_by_term_and_since_when() {
        let mut server = Server::default();
        let told = |server: &Server, term| {
            let Told { commit, checked, us } = server.told(term);
            (commit, checked, us)
        };
        server.tell(4, 3, 5, 10);
        // The same again, and less, is no news.
        server.tell(4, 3, 6, 20);
        server.tell(4, 2, 2, 30);
        assert_eq!(told(&server, 4), (3, 6, 10));
        server.tell(4, 7, 6, 40);
        assert_eq!(told(&server, 4), (7, 6, 40));
        assert_eq!((server.knows, server.heard_now), (6, 7));
        server.tell(5, 1, 1, 50);
        assert_eq!(told(&server, 5), (1, 1, 50));
        assert_eq!(
            (server.told_last().map(|(term, _)| term), told(&server, 6)),
            (Some(5), (0, 0, 0))
        );
    }
}
