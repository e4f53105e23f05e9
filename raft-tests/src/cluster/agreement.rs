//! What servers apply: whether they agree, and how long that takes.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use labrt::thread;
use labrt::time::Instant;
use labtrace::{Span, SpanOf, show, verdict};
use raft_api::Started;

use super::Cluster;
use super::leaders::takes_nothing;
use crate::applied::place;

/// Commands that are agreed on.
impl Cluster {
    /// How many servers have applied this index, and with which command.
    pub fn committed(&self, index: u64) -> (usize, Option<Bytes>) {
        self.inner.applied.with(|all| {
            let place = place(index);
            let count = all.logs.iter().filter(|log| log.len() > place).count();
            let command = all.history.get(&index).map(|(_, command, _)| command.clone());
            (count, command.filter(|_| count > 0))
        })
    }

    /// The most bytes of Raft state that a server has saved, running or not.
    pub fn log_size(&self) -> usize {
        (0..self.servers()).map(|server| self.inner.group.state_size(server)).max().unwrap_or(0)
    }

    /// Makes sure that nobody has applied an index that was offered since servers were cut off, unless
    /// a majority is connected all the same.
    ///
    /// # Panics
    /// If somebody has.
    #[track_caller]
    pub fn check_minority_commits_nothing(&self, index: u64) {
        let (count, _) = self.committed(index);
        assert!(self.has_majority() || count == 0, "{count} committed but no majority");
    }

    /// Waits, for half a minute at most, until `servers` have applied this index; returns the
    /// command. With a `term`, gives up and returns `None` when some server has gone on to a later
    /// one.
    ///
    /// # Panics
    /// If too few servers apply it.
    #[track_caller]
    pub fn wait(&self, index: u64, servers: usize, term: Option<u64>) -> Option<Bytes> {
        let span = Span::begin(
            SpanOf::Tester,
            &format_args!("wait until {servers} servers apply index {index}"),
        );
        let mut pause = Duration::from_millis(10);
        for _ in 0..30 {
            if self.committed(index).0 >= servers {
                break;
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(1));
            if let Some(term) = term
                && self.states().any(|(_, state)| state.term > term)
            {
                span.end("a server is in a later term");
                return None;
            }
        }
        let (count, command) = self.committed(index);
        if count < servers {
            let words = format!("only {count} decided for index {index}; wanted {servers}");
            let broken = self.situation(verdict("wait", words)).index(index);
            self.fail(broken.hint(NOT_BROUGHT_UP_TO_DATE));
        }
        span.end(command.as_deref().map_or_else(String::new, show));
        command
    }

    /// Has the cluster agree on a command, whoever leads; returns its index.
    ///
    /// For up to 10 s it is offered to one server after the other until one accepts it; then
    /// `servers` of them have 2 s to apply it. If they do not, it is offered again with `retry`.
    ///
    /// # Panics
    /// If there is no agreement.
    #[track_caller]
    pub fn one(&self, command: Bytes, servers: usize, retry: bool) -> u64 {
        let span = Span::begin(
            SpanOf::Tester,
            &format_args!("one({}) on {servers} servers", show(&command)),
        );
        let mut accepted = Vec::new();
        let began = Instant::now();
        let mut candidate = 0;
        while began.elapsed() < Duration::from_secs(10) {
            let started = (0..self.servers()).find_map(|_| {
                candidate = (candidate + 1) % self.servers();
                let offer = self.is_connected(candidate);
                offer.then(|| self.start(candidate, command.clone())).flatten()
            });
            let Some(Started { index, term }) = started else {
                thread::sleep(Duration::from_millis(50));
                continue;
            };
            accepted.push((labtrace::now_us(), candidate, index, term));
            let offered = Instant::now();
            while offered.elapsed() < Duration::from_secs(2) {
                let (count, applied) = self.committed(index);
                if count >= servers && applied.as_ref() == Some(&command) {
                    span.end(format_args!("index {index}"));
                    return index;
                }
                thread::sleep(Duration::from_millis(20));
            }
            if !retry {
                break;
            }
        }
        let words = format!("one({}) failed to reach agreement", show(&command));
        let mut broken = verdict("agreement", words);
        for (us, server, index, term) in &accepted {
            let text = format!("server {server} accepted it at index {index} in term {term}");
            broken = broken.fact_at(*us, *server, text).index(*index);
        }
        let offered: BTreeSet<u64> = accepted.iter().map(|(_, _, index, _)| *index).collect();
        let since = accepted.first().map_or(u64::MAX, |(us, ..)| *us);
        if let Some((index, server, us)) = self.applied_elsewhere(&command, &offered, since) {
            let text = format!("server {server} applied the same command at index {index}");
            self.fail(broken.index(index).fact_at(us, server, text).hint(ANOTHER_INDEX));
        }
        if !accepted.is_empty() {
            self.fail(self.situation(broken).hint(NOT_COMMITTED));
        }
        match self.leads_and_takes_nothing(&command) {
            Some(who) => self.fail(self.situation(takes_nothing(broken, who))),
            None => self.fail(self.situation(broken).hint(NOBODY_TOOK_IT)),
        }
    }

    /// Where a command was applied first since some moment, at none of these indexes: who did, and when.
    fn applied_elsewhere(
        &self,
        command: &Bytes,
        offered: &BTreeSet<u64>,
        since: u64,
    ) -> Option<(u64, usize, u64)> {
        self.inner.applied.with(|all| {
            let mut applied = all.history.iter();
            let found = applied.find(|(index, (_, applied, us))| {
                *us >= since && applied == command && !offered.contains(index)
            });
            found.map(|(index, (server, _, us))| (*index, *server, *us))
        })
    }

    /// Makes sure that a command has come to the index that it must have.
    ///
    /// # Panics
    /// With these words if it has not.
    #[track_caller]
    pub fn check_index(&self, got: u64, expected: u64, words: &str) {
        if got != expected {
            let broken = verdict("index", words).index(got);
            self.fail(broken.hint(INDEX_OF_COMMAND));
        }
    }
}

/// What usually leads to an index that nobody has offered.
const ANOTHER_INDEX: &str = "`start` returned another index than that of the entry that it has appended: it \
     is the base of the log and the number of entries behind it, counted with the new one";

/// What usually leads to a command with a wrong index.
const INDEX_OF_COMMAND: &str = "the first command has index 1, and the next ones follow it: entries without a \
     command, such as one at the beginning of a term, must not take an index of the service";

/// What usually leads to a command that nobody accepts.
const NOBODY_TOOK_IT: &str = "no connected server took it for 10 s: elections do not \
     succeed (do refused votes or newer terms start election timers anew?), or a server waits (for a \
     lock, for a reply) instead of answering";

/// What usually leads to a follower that does not apply what others have applied.
const NOT_BROUGHT_UP_TO_DATE: &str = "the leader does not bring a follower up to date, or does not \
     tell it what is committed; or an applier waits for a signal before it looks whether there is something to \
     apply, and misses those that come while it hands over a command";

/// What usually leads to a command that is accepted and not applied.
const NOT_COMMITTED: &str = "a leader accepted it and could not have it applied: AppendEntries that \
     are refused without end (nextIndex does not go back, or goes back to the wrong place), a \
     commit index that does not advance or is not passed on, an applier that has stopped, or no leader \
     after it (do refused votes or newer terms start election timers anew?)";
