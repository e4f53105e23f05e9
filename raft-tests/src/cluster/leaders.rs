//! What servers say: who leads, in which term, and what becomes of a command that is offered.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use labrt::rng::RngExt;
use labrt::{observe, thread};
use labtrace::{Span, SpanOf, VerdictBuilder, What, show, verdict};
use raft_api::{RaftState, Started};

use super::{Cluster, Inner, RaftServer};

/// Asking servers, and the checks of leaders and terms.
impl Cluster {
    /// Term and role of a server; `None` if it does not run.
    pub fn state(&self, server: usize) -> Option<RaftState> {
        self.inner.group.instance(server)?.enter(|raft| raft.0.state())
    }

    /// Offers a command to a server; `None` if it does not run or does not lead.
    pub fn start(&self, server: usize, command: Bytes) -> Option<Started> {
        let Inner { watch, applied, .. } = &*self.inner;
        let before = applied.with(|all| (all.instances[server], all.logs[server].len() as u64));
        let since_us = labtrace::now_us();
        let started = self.offer(server, command);
        self.check_start_was_prompt(server, before.0, since_us);
        let started = started?;
        watch.accepted(server, started);
        self.check_new_index(server, started, before);
        Some(started)
    }

    /// A leader's log holds all that it has applied, so a new command comes behind that. `before` is of just before the
    /// command was offered: the server's instance, and how much it had applied.
    fn check_new_index(&self, server: usize, started: Started, before: (u64, u64)) {
        let Started { index, term } = started;
        let (instance, applied) = before;
        let same = self.inner.applied.with(|all| all.instances[server] == instance);
        if index > applied || !same {
            return;
        }
        let words = format!(
            "`start` of server {server} returned index {index}, but it had applied {applied} entries before"
        );
        let broken = verdict("a new index", words)
            .index(index)
            .fact(server, format!("it accepted a command at index {index}, in term {term}"));
        self.fail(broken.hint(NEW_INDEX).at(format!("`start` of server {server}")));
    }

    fn offer(&self, server: usize, command: Bytes) -> Option<Started> {
        let instance = self.inner.group.instance(server)?;
        let session = self.run().session();
        if !session.keeps_events() {
            return instance.enter(|raft| self.call_start(server, raft, command))?;
        }
        let offer = What::Offered { command: show(&command), index: None, term: None };
        let event = self.inner.group.record(server, offer);
        let start = || instance.enter(|raft| self.call_start(server, raft, command));
        let started = observe::with_cause(event, start)?;
        if let Some(started) = started {
            session.amend(event, |what| {
                if let What::Offered { index, term, .. } = what {
                    (*index, *term) = (Some(started.index), Some(started.term));
                }
            });
        }
        started
    }

    /// If the task is killed in it, the watch goes on to take it for a call that has not returned.
    fn call_start(&self, server: usize, raft: &RaftServer, command: Bytes) -> Option<Started> {
        let start = self.inner.watch.offering(server);
        let started = raft.0.start(command);
        self.inner.watch.offered(start);
        started
    }

    pub(super) fn states(&self) -> impl Iterator<Item = (usize, RaftState)> {
        (0..self.servers()).filter_map(|server| Some((server, self.state(server)?)))
    }

    /// Asks only those that are connected: another one may be stuck, which is not the question.
    fn connected_states(&self) -> impl Iterator<Item = (usize, RaftState)> {
        let connected = (0..self.servers()).filter(|server| self.is_connected(*server));
        connected.filter_map(|server| Some((server, self.state(server)?)))
    }

    /// A connected server that says that it leads, and whose `start` takes no command all the same; with its term.
    pub(super) fn leads_and_takes_nothing(&self, command: &Bytes) -> Option<(usize, u64)> {
        let connected = (0..self.servers()).filter(|server| self.is_connected(*server));
        let takes_nothing = |server: usize| {
            let before = self.state(server).filter(|state| state.is_leader)?;
            let refused = self.start(server, command.clone()).is_none();
            // It may have lost its place just then.
            (refused && self.state(server) == Some(before)).then_some((server, before.term))
        };
        connected.filter_map(takes_nothing).next()
    }

    /// Ends the test because no leader has stayed for long enough, or none has taken a command.
    ///
    /// # Panics
    /// Always.
    #[track_caller]
    pub(crate) fn fail_unsettled(&self, command: &Bytes) -> ! {
        match self.leads_and_takes_nothing(command) {
            Some(who) => {
                let words = "no leader took a command";
                self.fail(takes_nothing(verdict("agreement", words), who));
            }
            None => panic!("term changed too often"),
        }
    }

    /// Waits until the connected servers have a leader and returns it.
    ///
    /// # Panics
    /// If there is none within some 5 s, or there are two in one term.
    #[track_caller]
    pub fn check_one_leader(&self) -> usize {
        let span = Span::begin(SpanOf::Tester, &"check one leader");
        for _ in 0..10 {
            let pause = self.draw(|rng| rng.random_range(450..=549));
            thread::sleep(Duration::from_millis(pause));
            let mut leaders: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
            for (server, state) in self.connected_states().filter(|(_, state)| state.is_leader) {
                leaders.entry(state.term).or_default().push(server);
            }
            if let Some((term, both)) = leaders.iter().find(|(_, servers)| servers.len() > 1) {
                let words =
                    format!("term {term} has {} (>1) leaders: servers {both:?}", both.len());
                let claim = |broken: VerdictBuilder, server: &usize| {
                    let text = format!("server {server} claims to be leader of term {term}");
                    broken.fact(*server, text)
                };
                let broken = both.iter().fold(verdict("Election Safety", words), claim);
                self.fail(broken.hint(TWO_LEADERS));
            }
            if let Some((term, servers)) = leaders.last_key_value() {
                span.end(format_args!("server {} leads term {term}", servers[0]));
                return servers[0];
            }
        }
        let broken = self.situation(verdict("one leader", "expected one leader, got none"));
        self.fail(broken.hint(NO_LEADER));
    }

    /// The term of the connected servers.
    ///
    /// # Panics
    /// If they disagree.
    #[track_caller]
    pub fn check_terms(&self) -> u64 {
        let span = Span::begin(SpanOf::Tester, &"check terms");
        let terms: BTreeMap<usize, u64> =
            self.connected_states().map(|(server, state)| (server, state.term)).collect();
        let mut distinct = terms.values();
        let term = *distinct.next().expect("some server is connected");
        if distinct.any(|other| *other != term) {
            let words = format!("servers disagree on term: by server, {terms:?}");
            let say = |broken: VerdictBuilder, (server, term): (&usize, &u64)| {
                broken.fact(*server, format!("server {server} is in term {term}"))
            };
            let broken = terms.iter().fold(verdict("terms", words), say);
            self.fail(
                broken.hint("a higher term in a request or a reply does not reach currentTerm"),
            );
        }
        span.end(format_args!("term {term}"));
        term
    }

    /// True if a majority of the servers run and are connected with each other.
    ///
    /// A test that has cut servers off must ask: the run's setting may have denied it.
    pub fn has_majority(&self) -> bool {
        let group = &self.inner.group;
        (0..self.servers()).any(|one| {
            let reached = |other: &usize| group.is_running(*other) && group.reaches(one, *other);
            (0..self.servers()).filter(reached).count() > self.servers() / 2
        })
    }

    /// Makes sure that no connected server claims to lead. They must be no majority.
    ///
    /// # Panics
    /// If one does, unless it may have been elected with votes from before the others were cut off. A leader of an
    /// earlier term than one that had a leader by then is not excused: it has been told since.
    #[track_caller]
    pub fn check_no_leader(&self) {
        let span = Span::begin(SpanOf::Tester, &"check no leader");
        let connected = (0..self.servers()).filter(|server| self.is_connected(*server));
        self.check_nobody_leads(connected);
        span.end("none");
    }

    /// The same for these servers, which may be connected with each other and are no majority.
    #[track_caller]
    pub(crate) fn check_nobody_leads(&self, servers: impl IntoIterator<Item = usize>) {
        let states = servers.into_iter().filter_map(|server| Some((server, self.state(server)?)));
        let leads = |(server, state): &(usize, RaftState)| {
            state.is_leader && !self.stood_before_links_changed(*server, state.term)
        };
        if let Some((leader, state)) = states.into_iter().find(leads) {
            let term = state.term;
            let words =
                format!("expected no leader, but {leader} claims to be leader (of term {term})");
            let broken = verdict("no leader", words)
                .fact(leader, format!("server {leader} claims to be leader of term {term}"))
                .fact(None, "the connected servers are no majority");
            let change = self.inner.links_changed.with(|last| *last);
            // Nobody needs votes to lead on.
            let broken = match term < change.led {
                true => {
                    let text = format!(
                        "term {} had a leader by {:.3} s, when servers were last connected or cut off",
                        change.led,
                        change.us as f64 / 1e6
                    );
                    broken.fact(None, text).hint(LEADS_ON)
                }
                false => broken.hint(MISCOUNTED),
            };
            self.fail(broken);
        }
    }

    /// Whether the server's election in this term was under way when servers were last connected or cut off: votes of
    /// a majority may have been on their way to it. It was over if a later term had a leader.
    fn stood_before_links_changed(&self, server: usize, term: u64) -> bool {
        let change = self.inner.links_changed.with(|last| *last);
        let stood = self.inner.watch.stood_us(server, term);
        term >= change.led && stood.is_some_and(|stood| stood <= change.us)
    }
}

/// A verdict with what is known of a server that says that it leads this term, and takes no command.
pub(super) fn takes_nothing(broken: VerdictBuilder, who: (usize, u64)) -> VerdictBuilder {
    let (server, term) = who;
    let text =
        format!("server {server} says that it leads term {term}, and its `start` took no command");
    broken.fact(server, text).hint(TAKES_NOTHING)
}

/// What usually leads to a leader that takes no command.
const TAKES_NOTHING: &str = "`start` returned `None` at a server whose `state` says that it leads: there it \
     appends the command and returns index and term";

/// What usually leads to an index that is not new.
const NEW_INDEX: &str = "`start` returns the index of the entry that it has appended: the first one is 1, \
     and entries that are in a snapshot count too, so it is not the length of the log that is left";

/// What usually leads to two leaders in a term.
const TWO_LEADERS: &str = "a server voted twice in this term, or a candidate counted votes of \
     another term, or of less than a majority";

/// What usually leads to a leader without a majority.
const MISCOUNTED: &str =
    "a candidate counts its votes against the wrong number, or counts some twice";

/// The same, if a later term has had a leader.
const LEADS_ON: &str =
    "a newer term in a request or reply is not taken over, and leadership is not given up";

/// What usually leads to elections that nobody wins.
const NO_LEADER: &str = "elections do not succeed: timers that do not fire, fire all at once, or are \
     started anew by a refused vote or a newer term, votes that are refused or not counted, or a server \
     that waits (for a lock, for a reply) instead of answering";
