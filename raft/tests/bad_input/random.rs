//! Random messages and events: nothing panics, and no promise is broken.

use labrt::rng::{RngExt, Stream};
use raft::rules::{Core, InstallTicket, MAX_LEAP, Output, Request, Ticket};
use raft::{
    AppendEntriesArgs, AppendEntriesReply, Conflict, Entry, InstallSnapshotArgs,
    InstallSnapshotReply, Place, RequestVoteReply,
};

use crate::common::{core_behind, entries, request_vote, terms};
use crate::{appends, end_round};

/// A random message or event, plausible enough to get past the first check now and then.
struct Fuzz {
    rng: Stream,
    servers: usize,
    /// What the core has sent.
    tickets: Vec<(usize, Ticket)>,
    installs: Vec<(usize, InstallTicket)>,
}

impl Fuzz {
    fn number(&mut self, near: u64) -> u64 {
        match self.rng.random_range(0..100) {
            0 => u64::MAX,
            1 => u64::MAX - self.rng.random_range(0..3),
            2 => 0,
            _ => (near + self.rng.random_range(0..5)).saturating_sub(2),
        }
    }

    /// Terms near the core's, or out of its reach.
    fn term(&mut self, core: &Core) -> u64 {
        match self.rng.random_range(0..50) {
            0 => self.rng.random_range(core.term() + MAX_LEAP + 1..=u64::MAX),
            1..4 => core.term() + 1,
            _ => core.term().saturating_sub(self.rng.random_range(0..2)),
        }
    }

    fn server(&mut self) -> usize {
        match self.rng.random_range(0..50) {
            0 => usize::MAX,
            _ => self.rng.random_range(0..=self.servers),
        }
    }

    fn entries(&mut self, core: &Core, prev: u64) -> Vec<Entry> {
        let count = self.rng.random_range(0..4);
        let mut terms: Vec<u64> = (0..count).map(|_| self.term(core)).collect();
        if self.rng.random_bool(0.9) {
            terms.sort_unstable();
        }
        entries(prev.wrapping_add(1), &terms)
    }

    fn append_entries(&mut self, core: &mut Core) {
        let prev_log_index = match self.rng.random_bool(0.5) {
            true => self.number(core.log().last_index()),
            false => {
                let least = core.log().base().index.saturating_sub(4);
                self.rng.random_range(least..=core.log().last_index())
            }
        };
        let held = core.log().term_at(prev_log_index);
        let prev_log_term = match held.filter(|_| self.rng.random_bool(0.8)) {
            Some(term) => term,
            None => self.term(core),
        };
        let args = AppendEntriesArgs {
            term: self.term(core),
            leader_id: u32::try_from(self.server()).unwrap_or(u32::MAX),
            prev_log_index,
            prev_log_term,
            entries: self.entries(core, prev_log_index),
            leader_commit: self.number(core.commit_index()),
        };
        let reply = core.append_entries(&args);
        assert_eq!(reply.term, core.term());
        assert!(!reply.success || args.term == core.term());
    }

    fn install_snapshot(&mut self, core: &mut Core) {
        let index = self.number(core.log().last_index());
        let held = core.log().term_at(index).filter(|_| self.rng.random_bool(0.5));
        let args = InstallSnapshotArgs {
            term: self.term(core),
            leader_id: u32::try_from(self.server()).unwrap_or(u32::MAX),
            last_included_index: index,
            last_included_term: held.unwrap_or_else(|| self.term(core)),
            data: if self.rng.random_bool(0.95) { "all".into() } else { "".into() },
        };
        assert_eq!(core.install_snapshot(&args).term, core.term());
    }

    /// The service's snapshot, of what it was given.
    fn take_snapshot(&mut self, core: &mut Core) {
        let given =
            core.output().committed.as_ref().map_or(core.commit_index(), |all| all.start() - 1);
        core.take_snapshot(given - self.rng.random_range(0..3).min(given), "all".into());
    }

    fn replies(&mut self, core: &mut Core) {
        let term = self.term(core);
        let success = self.rng.random_bool(0.5);
        if !self.installs.is_empty() && self.rng.random_bool(0.2) {
            let (from, ticket) = self.installs[self.rng.random_range(0..self.installs.len())];
            match success {
                true => core.install_reply(from, ticket, &InstallSnapshotReply { term }),
                false => core.install_failed(from, ticket),
            }
            return;
        }
        if self.tickets.is_empty() || self.rng.random_bool(0.3) {
            let (from, sent_in) = (self.server(), self.term(core));
            core.vote_reply(from, sent_in, &RequestVoteReply { term, vote_granted: success });
            return;
        }
        let (from, ticket) = self.tickets[self.rng.random_range(0..self.tickets.len())];
        let conflict = self.rng.random_bool(0.7).then(|| Conflict {
            term: self.rng.random_bool(0.5).then(|| self.number(2)),
            index: self.number(core.log().last_index()),
        });
        match self.rng.random_bool(0.1) {
            true => core.append_failed(from, ticket),
            false => {
                core.append_reply(from, ticket, &AppendEntriesReply { term, success, conflict })
            }
        }
    }

    fn event(&mut self, core: &mut Core) {
        match self.rng.random_range(0..100) {
            0..3 => core.election_timeout(),
            3..8 => core.heartbeat_timeout(),
            8..18 => drop(core.propose("x".into())),
            18..30 => {
                let last = (self.number(core.log().last_index()), self.term(core));
                let candidate = u32::try_from(self.server()).unwrap_or(u32::MAX);
                core.request_vote(&request_vote(self.term(core), candidate, last));
            }
            30..60 => self.replies(core),
            60..64 => self.take_snapshot(core),
            64..70 => self.install_snapshot(core),
            _ => self.append_entries(core),
        }
    }
}

/// What must hold between a core before an event and after it, whatever the event.
fn check(before: &Core, after: &Core) {
    let (was, is) = (before.hard_state(), after.hard_state());
    assert!(is.term >= was.term && is.term <= was.term + MAX_LEAP);
    assert!(is.term > was.term || was.voted_for.is_none() || is.voted_for == was.voted_for);
    assert!(
        after.commit_index() >= before.commit_index()
            && after.commit_index() <= after.log().last_index()
    );
    let (base, first) = (after.log().base(), after.log().first_index());
    assert!(base.index >= before.log().base().index && base.index <= after.commit_index());
    for index in first..=before.commit_index() {
        assert_eq!(after.log().get(index), before.log().get(index), "entry {index} was committed");
    }
    assert!(
        base.index > before.commit_index() || before.log().term_at(base.index) == Some(base.term)
    );
    let terms = terms(after.log());
    assert!(terms.is_sorted() && terms.iter().all(|term| (1..=is.term).contains(term)));
    if before.is_leader() && after.is_leader() && is.term == was.term {
        let kept = before.log().from(first);
        assert!(after.log().entries().starts_with(kept));
    }
}

/// A thousand cores, of clusters of 1 to 5 servers, get a hundred messages or events each. Their logs
/// begin behind this base.
fn random_messages(base: Place) {
    let (mut led, mut committed, mut forgotten) = (0, 0, 0);
    for (seed, servers) in (0..1000).zip((1..=5).cycle()) {
        let (tickets, installs) = (Vec::new(), Vec::new());
        let mut fuzz = Fuzz { rng: Stream::seeded(seed), servers, tickets, installs };
        let mut core = core_behind(base, 0, servers, 1, &[]);
        for _ in 0..100 {
            let before = core.clone();
            fuzz.event(&mut core);
            check(&before, &core);
            if fuzz.rng.random_bool(0.7) {
                let output = end_round(&mut core);
                assert!(output.requests.iter().all(|(to, _)| (1..servers).contains(to)));
                fuzz.tickets.extend(appends(&output).map(|(to, _, ticket)| (to, ticket)));
                fuzz.installs.extend(installs_of(&output));
            }
            led += u64::from(core.is_leader());
            forgotten += u64::from(core.log().base() != before.log().base());
        }
        committed += core.commit_index() - base.index;
    }
    // Otherwise the messages get nowhere, and nothing is tested.
    assert!(
        led > 10_000 && committed > 1_000 && forgotten > 500,
        "led {led}, committed {committed}, forgotten {forgotten}"
    );
}

fn installs_of(output: &Output) -> impl Iterator<Item = (usize, InstallTicket)> {
    output.requests.iter().filter_map(|(to, request)| match request {
        Request::Install(_, ticket) => Some((*to, *ticket)),
        _ => None,
    })
}

#[test]
fn a_hundred_thousand_random_messages_break_nothing() {
    random_messages(Place::default());
}

#[test]
fn nor_do_they_if_the_log_begins_behind_a_base() {
    random_messages(Place { index: 9, term: 1 });
}
