//! A follower that hears of no leader and gives nobody its vote stands for election.

use labtrace::verdict;

use super::judge::{Checked, Judge};
use super::understanding::Missing;
use super::understanding::missing as rules;

/// Within this time by its own clock a server stands for election: the lab wants a new leader by then.
const STANDS_US: u64 = 5_000_000;

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
                     granted vote does, and an AppendEntries of the current leader",
                )
                .build(),
        ))
    }
}
