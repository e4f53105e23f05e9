//! A follower that hears of no leader and gives nobody its vote stands for election; one that hears its leader waits.

use labtrace::{VerdictBuilder, verdict};

use super::calls::{Append, Call};
use super::judge::{Checked, Judge};
use super::understanding::missing as rules;
use super::understanding::{Missing, Reply};

/// Within this time by its own clock a server stands for election: the lab wants a new leader by then.
const STANDS_US: u64 = 5_000_000;

/// Within this time by its own clock after a request of its leader no server stands for election: heartbeats are that
/// far apart, and a timeout is longer than that.
const WAITS_US: u64 = 100_000;
/// Once it may have stood already in its mind, or a timer has fired at the same moment. So often in a row it has not.
const IN_A_ROW: usize = 3;
/// What came while a server was paused may reach it together with its timer.
const AFTER_PAUSE_US: u64 = 1_000_000;
/// And so long it may take a server to do what it was told.
const AFTER_ORDER_US: u64 = 1_000_000;

/// A request of its leader that a server has followed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heeded {
    term: u64,
    leader: usize,
    /// When it was sent: it has reached the server later.
    sent_us: u64,
}

/// A server that has done nothing for a while but refuse its vote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusals {
    /// When it did so first.
    since_us: u64,
    count: u64,
}

impl Judge {
    /// A server has sent a request, has given its vote, or has been sent something else than a request for a vote: it
    /// may rightly wait anew.
    pub(super) fn may_wait(&mut self, server: usize) {
        self.servers[server].refusals = None;
    }

    /// A server refuses its vote. "If election timeout elapses without receiving AppendEntries RPC from
    /// current leader or granting vote to candidate: convert to candidate" (Figure 2).
    pub(super) fn refuses(&mut self, server: usize, us: u64, missing: &Missing) -> Checked {
        let known = &mut self.servers[server];
        let refusals = known.refusals.get_or_insert(Refusals { since_us: us, count: 0 });
        refusals.count += 1;
        let Refusals { since_us, count } = *refusals;
        let own_us = (us - since_us) * u64::from(known.clock.unwrap_or(1000)) / 1000;
        // Who waits for the answer to a call of its own may be held up by that.
        let calls = self.calls.all().any(|call| call.from == server);
        if own_us < STANDS_US || calls || !missing.allows(&rules::STANDS) {
            return Ok(());
        }
        let words = format!(
            "server {server} has refused its vote {count} times within {:.1} s, has heard of no leader \
             meanwhile, and has not stood for election itself",
            (us - since_us) as f64 / 1e6
        );
        Err(Box::new(
            //= followers.stand
            verdict("a follower stands for election", words)
                .fact_at(since_us, server, "it refused its vote")
                .fact_at(us, server, format!("it refused its vote, as {count} times in all"))
                .hint(
                    "a refused vote must not restart the election timer, nor must a newer term: only a \
                     granted vote does, and an AppendEntries of the current leader; or the election timeout \
                     is too long: the lab wants a new leader within five seconds",
                )
                .build(),
        ))
    }

    /// A server has answered an AppendEntries of its leader. That may be one to stand for election at once, as a leader
    /// sends it that hands its leadership over (Ongaro's thesis, section 3.10).
    pub(super) fn heeds_append(&mut self, call: &Call, append: Append, reply: Reply) {
        if append.may_be_told_to_stand {
            self.servers[call.to].heeded = None;
        } else if reply.yes == Some(true) {
            self.heeds(call, append.term, reply);
        }
    }

    /// A server has not refused a request of its leader.
    pub(super) fn heeds(&mut self, call: &Call, term: u64, reply: Reply) {
        if reply.term.is_some_and(|shown| shown != term) {
            return;
        }
        self.servers[call.to].follows(term);
        let heeded = Heeded { term, leader: call.from, sent_us: call.sent_us };
        let known = &mut self.servers[call.to].heeded;
        if known.is_none_or(|known| (known.term, known.sent_us) < (term, call.sent_us)) {
            *known = Some(heeded);
        }
    }

    /// True if no timer can have elapsed at a server since a message of its leader, and nothing else may have made it
    /// stand for election.
    pub(super) fn stands_too_soon(&self, server: usize, since_us: u64, us: u64) -> bool {
        let known = &self.servers[server];
        // It may stand for election before it answers who has told it to.
        let told = known.told_to_stand_us.is_some_and(|told| us < told + AFTER_ORDER_US)
            || self.open_appends(server).any(|append| append.may_be_told_to_stand);
        let paused = known.resumed_us.is_some_and(|resumed| us < resumed + AFTER_PAUSE_US);
        let clock = u64::from(known.clock.unwrap_or(1000));
        us.saturating_sub(since_us) * clock / 1000 < WAITS_US && !paused && !told
    }

    /// A server stands for election in a term. "Followers: if election timeout elapses without receiving
    /// AppendEntries RPC from current leader" (Figure 2).
    ///
    /// In the term after that of its leader it was in that term until now, so it has not lost its leader by a newer term.
    pub(super) fn check_waits(
        &mut self,
        server: usize,
        term: u64,
        us: u64,
        missing: &Missing,
    ) -> Checked {
        let heeded = self.servers[server].heeded.filter(|heeded| {
            heeded.term.checked_add(1) == Some(term)
                && self.stands_too_soon(server, heeded.sent_us, us)
        });
        let known = &mut self.servers[server];
        let Some(heeded) = heeded else {
            known.stood_soon.clear();
            return Ok(());
        };
        known.stood_soon.push(us);
        if known.stood_soon.len() < IN_A_ROW || !missing.allows(&rules::WAITS) {
            return Ok(());
        }
        let after = (us - heeded.sent_us) as f64 / 1e3;
        let words = format!(
            "server {server} stands for election in term {term}, {after:.0} ms after its leader has sent it \
             AppendEntries that it has accepted; so it did the last {} times",
            known.stood_soon.len()
        );
        let accepted = format!(
            "server {} led term {}, and sent AppendEntries that server {server} has accepted",
            heeded.leader, heeded.term
        );
        let earlier = known.stood_soon.split_last().map_or(&[][..], |(_, earlier)| earlier);
        let stood = |broken: VerdictBuilder, us: &u64| {
            broken.fact_at(*us, server, "it stood for election, as soon after a leader's request")
        };
        let broken = earlier.iter().fold(verdict("a follower waits", words), stood);
        Err(Box::new(
            broken
                .fact_at(heeded.sent_us, heeded.leader, accepted)
                .fact_at(us, server, format!("server {server} stands for election"))
                .hint(
                    "each AppendEntries of the current leader restarts the election timer, an empty one too; \
                     and the timeout is much longer than the time between two heartbeats",
                )
                .build(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::calls::{Asked, Sent};
    use super::super::judge::Means;
    use super::super::understanding::{Place, Request};
    use super::*;

    /// Server 1 stands for the next term right after each of some leaders' requests that it has accepted.
    fn stands_at_once(may_be_told_to_stand: bool, answers: bool) -> Checked {
        let mut judge = Judge::new(3);
        (0..3).for_each(|server| judge.started(server, 1));
        let missing = Missing::default();
        for term in [4, 6, 8, 10] {
            let (us, place) = (term * 1_000_000, Place { index: 3, term: 3 });
            let append = Append { term, prev: place, last: place, commit: 0, may_be_told_to_stand };
            let request = Request::Nothing;
            let sent = Sent { call: term, from: 0, instance: 1, to: 1, request, us };
            let call = Call::new(&sent, 1, Asked::Append(append), term);
            if answers {
                judge.heeds_append(&call, append, Reply::new(term, true, None));
            } else {
                // The one before it was answered.
                judge.heeds_append(
                    &call,
                    Append { may_be_told_to_stand: false, ..append },
                    Reply::new(term, true, None),
                );
                judge.calls.insert(call);
                Means::with(&missing, |means| judge.delivered(term, us, means));
            }
            judge.check_waits(1, term + 1, us + 10, &missing)?;
        }
        Ok(())
    }

    #[test]
    fn who_may_have_been_told_to_stand_for_election_need_not_wait() {
        for answers in [true, false] {
            let broken = stands_at_once(false, answers).expect_err("it does not wait");
            assert_eq!(broken.check, "a follower waits");
            assert!(stands_at_once(true, answers).is_ok(), "{answers}");
        }
    }
}
