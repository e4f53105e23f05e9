//! What must hold for every Raft, checked at every message.
//!
//! The rules are those of the paper's Figures 2 and 3, as far as messages show them. Each speaks of
//! messages that have left a live server, so that code which is merely slow to send is not accused:
//! a request that was prepared in an earlier term may well leave later.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use labgob::{Peek, Shape};
use labtrace::{Fact, Verdict, verdict};
use raft_api::{Persisted, SavedEntry};

use super::message::{AppendEntries, Reply, Request, command, term};
use super::replication::{Checked, Replication};

/// How many heartbeats to one follower are too many within [`WINDOW_US`]: ten a second and a tenth
/// more, for timers that are late once and on time the next time.
const MOST_HEARTBEATS: usize = 22;
const WINDOW_US: u64 = 2_000_000;

/// How many entries may lie between two that have been sent, without having been sent themselves.
const LARGEST_GAP: usize = 100_000;

/// What is known of a cluster's past from its messages.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    servers: Vec<Server>,
    /// Who has led each term, and since when.
    leaders: BTreeMap<u64, (usize, u64)>,
    /// Whom each server has voted for in each term.
    votes: BTreeMap<(usize, u64), Vote>,
    /// Whose votes have reached each candidate in each term.
    received: BTreeMap<(usize, u64), BTreeSet<usize>>,
    /// Replies to RequestVote say whether the vote was given.
    votes_understood: bool,
    /// By index: the entries that were sent, one of each term.
    entries: Vec<Vec<Known>>,
    /// The calls whose reply may still come.
    calls: BTreeMap<u64, Call>,
    replication: Replication,
    /// What was last sent from one server to another.
    flows: BTreeMap<(usize, usize), Flow>,
}

/// One server's latest instance.
#[derive(Clone, Debug, Default)]
struct Server {
    instance: u64,
    alive: bool,
    /// The highest term that it has shown in a message, and when.
    shown: (u64, u64),
    /// The highest term that its earlier instances had shown, and when.
    before: (u64, u64),
}

#[derive(Clone, Copy, Debug)]
struct Vote {
    candidate: usize,
    us: u64,
    instance: u64,
}

#[derive(Clone, Debug)]
struct Known {
    term: u64,
    /// Its encoding.
    bytes: Box<[u8]>,
    shape: &'static Shape,
    server: usize,
    us: u64,
}

impl Known {
    fn command(&self) -> String {
        command(Peek::part(self.shape, &self.bytes))
    }
}

#[derive(Clone, Copy, Debug)]
struct Call {
    from: usize,
    to: usize,
    asked: Asked,
    /// The instance that got the request, and the highest term it had shown by then, and when.
    delivered: Option<(u64, (u64, u64))>,
    /// A vote was given.
    granted: bool,
}

/// What a call asks its server for, as far as its reply promises it.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Vote {
        term: u64,
    },
    Append {
        term: u64,
        /// The index and the term of the last entry, if there are any.
        last: Option<(u64, u64)>,
    },
    Other,
}

/// AppendEntries from a leader to a follower that tell nothing new.
#[derive(Clone, Debug, Default)]
struct Flow {
    last: Option<News>,
    /// When those were sent that were like the one before.
    repeats: VecDeque<u64>,
    /// The last one failed: sending it again is no heartbeat.
    failed: bool,
}

/// What an AppendEntries without entries can have to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct News {
    term: u64,
    prev: Option<(u64, u64)>,
    commit: Option<u64>,
}

/// A request on its way out.
pub(crate) struct Sent<'a> {
    pub(crate) call: u64,
    pub(crate) from: usize,
    pub(crate) instance: u64,
    pub(crate) to: usize,
    pub(crate) request: Request<'a>,
}

impl Seen {
    pub(crate) fn new(servers: usize) -> Seen {
        Seen {
            servers: vec![Server::default(); servers],
            replication: Replication::new(servers),
            ..Seen::default()
        }
    }

    pub(crate) fn started(&mut self, server: usize, instance: u64) {
        let server = &mut self.servers[server];
        server.before = server.before.max(server.shown);
        *server = Server { instance, alive: true, shown: server.before, before: server.before };
    }

    pub(crate) fn crashed(&mut self, server: usize) {
        self.servers[server].alive = false;
    }

    /// What keeps the cluster from agreement, as facts of a verdict.
    pub(crate) fn obstacles(&self) -> Vec<Fact> {
        let last_leader = self.leaders.last_key_value();
        let since = last_leader.map_or(0, |(term, _)| *term);
        let elections = self
            .votes
            .iter()
            .filter(|((server, term), vote)| *term > since && vote.candidate == *server);
        let candidates: BTreeSet<usize> =
            elections.clone().map(|((server, _), _)| *server).collect();
        let count = elections.count();
        let mut facts = Vec::new();
        if count > 0 {
            let who = candidates.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let text = match last_leader {
                Some((term, (leader, _))) => format!(
                    "server {leader} was the last leader, of term {term}; {count} elections since \
                     then, of servers {who}, and none was won"
                ),
                None => format!("{count} elections, of servers {who}, and none was won"),
            };
            facts.push(Fact { text, us: last_leader.map(|(_, (_, us))| *us), server: None });
        }
        facts.extend(self.replication.obstacles());
        facts
    }

    /// The entries that have been sent as those of an index, as facts of a verdict.
    pub(crate) fn entries_sent(&self, index: u64) -> Vec<Fact> {
        let place = usize::try_from(index.saturating_sub(1)).unwrap_or(usize::MAX);
        let fact = |known: &Known| Fact {
            text: sent_entry(known.server, &known.command(), known.term, index),
            us: Some(known.us),
            server: u32::try_from(known.server).ok(),
        };
        self.entries.get(place).into_iter().flatten().map(fact).collect()
    }

    /// The highest term that a server has shown.
    pub(crate) fn term(&self, server: usize) -> u64 {
        self.servers[server].shown.0
    }

    fn is_live(&self, server: usize, instance: u64) -> bool {
        self.servers.get(server).is_some_and(|s| s.alive && s.instance == instance)
    }

    fn show(&mut self, server: usize, term: u64, us: u64) {
        let shown = &mut self.servers[server].shown;
        if term > shown.0 {
            *shown = (term, us);
        }
    }

    /// A live server has sent a request.
    pub(crate) fn sent(&mut self, sent: Sent<'_>, us: u64) -> Checked {
        let Sent { call, from, instance, to, request } = sent;
        if !self.is_live(from, instance) {
            return Ok(());
        }
        let asked = self.check_request(from, to, &request, us)?;
        let last = if let Asked::Append { last, .. } = asked { last } else { None };
        self.replication.sent(call, (from, to), &request, last)?;
        self.calls.insert(call, Call { from, to, asked, delivered: None, granted: false });
        Ok(())
    }

    fn check_request(
        &mut self,
        from: usize,
        to: usize,
        request: &Request<'_>,
        us: u64,
    ) -> Result<Asked, Box<Verdict>> {
        let term = match request {
            Request::Vote { term, .. } => *term,
            Request::Append(append) => append.term,
            Request::Other => return Ok(Asked::Other),
        };
        self.check_term_after_restart(from, term)?;
        self.show(from, term, us);
        match request {
            Request::Vote { .. } => {
                self.vote(from, term, from, us)?;
                self.received.entry((from, term)).or_default().insert(from);
                Ok(Asked::Vote { term })
            }
            Request::Append(append) => {
                self.check_leader(from, term, us)?;
                let last = self.check_entries(from, append, us)?;
                self.check_heartbeats(from, to, append, us)?;
                Ok(Asked::Append { term, last })
            }
            Request::Other => Ok(Asked::Other),
        }
    }

    /// `currentTerm` is persistent: no instance is behind an earlier one (Figure 2, State).
    fn check_term_after_restart(&self, server: usize, term: u64) -> Checked {
        let (before, then) = self.servers[server].before;
        if term >= before {
            return Ok(());
        }
        let words =
            format!("the term of server {server} went back from {before} to {term} in a restart");
        Err(Box::new(
            verdict("persistence: term", words)
                .fact_at(then, server, format!("server {server} sent a message of term {before}"))
                .fact(server, format!("since its restart it sends one of term {term}"))
                .hint(
                    "currentTerm is not saved each time it changes, or not read when the server \
                     is made, or read in another order than written; another server's higher term \
                     counts too",
                )
                .build(),
        ))
    }

    /// Election Safety: one leader in a term (Figure 3).
    fn check_leader(&mut self, server: usize, term: u64, us: u64) -> Checked {
        let known = self.leaders.get(&term).copied();
        let Some((leader, since)) = known else {
            self.leaders.insert(term, (server, us));
            return self.check_majority(server, term, us);
        };
        if leader == server {
            return Ok(());
        }
        let sent = |server| format!("server {server} sent AppendEntries as leader of term {term}");
        Err(Box::new(
            verdict(
                "Election Safety",
                format!("term {term} has two leaders: {leader} and {server}"),
            )
            .fact_at(since, leader, sent(leader))
            .fact_at(us, server, sent(server))
            .hint(
                "a server voted twice in this term (its vote was not saved, or not reset \
                     with the term only), or a candidate counted votes of another term",
            )
            .build(),
        ))
    }

    /// A leader has the votes of a majority, given in its term (Figure 2, Rules for candidates).
    fn check_majority(&self, server: usize, term: u64, us: u64) -> Checked {
        let voted_in = |term: u64| -> Vec<usize> {
            self.received.get(&(server, term)).into_iter().flatten().copied().collect()
        };
        let voters = voted_in(term);
        // Of a Raft whose votes have names that nobody knows, nothing can be said.
        let understood = self.votes_understood && voters.contains(&server);
        if !understood || voters.len() > self.servers.len() / 2 {
            return Ok(());
        }
        let words = format!(
            "server {server} leads term {term}, but only the votes of {} of {} servers had reached it \
             in that term",
            voters.len(),
            self.servers.len()
        );
        let mut broken = verdict("elected by a majority", words)
            .fact_at(
                us,
                server,
                format!("server {server} sends AppendEntries as leader of term {term}"),
            )
            .fact(server, format!("in term {term} it has the votes of servers {voters:?}"));
        if let Some(before) = (1..term).rev().find(|before| !voted_in(*before).is_empty()) {
            let voters = voted_in(before);
            let text = format!("in term {before} it had those of servers {voters:?}");
            broken = broken.fact(server, text);
        }
        Err(Box::new(
            broken
                .hint(
                    "a vote that was given in an earlier term was counted: a reply counts only \
                     while currentTerm is still the term of its request",
                )
                .build(),
        ))
    }

    /// A server votes once in a term, across restarts too (Figure 2, RequestVote).
    fn vote(&mut self, server: usize, term: u64, candidate: usize, us: u64) -> Checked {
        let instance = self.servers[server].instance;
        let vote = Vote { candidate, us, instance };
        let former = *self.votes.entry((server, term)).or_insert(vote);
        if former.candidate == candidate {
            return Ok(());
        }
        let says = |vote: Vote| {
            format!("server {server} gave its vote in term {term} to server {}", vote.candidate)
        };
        let hint = match former.instance == instance {
            true => {
                "votedFor must be set when a vote is given, also to oneself, and be reset only \
                 together with a new term"
            }
            false => {
                "the server restarted in between and had forgotten its vote: votedFor must be \
                 saved before the vote is given, and read when the server is made, in the order \
                 in which it was written"
            }
        };
        let mut broken = verdict(
            "one vote a term",
            format!(
                "server {server} voted for {} and for {candidate} in term {term}",
                former.candidate
            ),
        )
        .fact_at(former.us, server, says(former))
        .fact_at(us, server, says(vote));
        if former.instance != instance {
            broken = broken.detail(format!("server {server} was restarted between the two"));
        }
        Err(Box::new(broken.hint(hint).build()))
    }

    /// Log Matching: one entry for each index and term (Figure 3). Returns index and term of the
    /// last entry.
    fn check_entries(
        &mut self,
        server: usize,
        append: &AppendEntries<'_>,
        us: u64,
    ) -> Result<Option<(u64, u64)>, Box<Verdict>> {
        let mut last = None;
        for (index, entry) in append.numbered() {
            let Ok(place) = usize::try_from(index - 1) else { break };
            if place > self.entries.len() + LARGEST_GAP {
                // An index out of this world, which others judge.
                break;
            }
            if place >= self.entries.len() {
                self.entries.resize(place + 1, Vec::new());
            }
            let of_index = &mut self.entries[place];
            // Most entries have been seen before: they are sent to each follower, and again.
            let term = match of_index.iter().find(|known| *known.bytes == *entry.bytes()) {
                Some(known) => known.term,
                None => {
                    let Some(term) = term(entry) else { break };
                    if let Some(known) = of_index.iter().find(|known| known.term == term) {
                        return Err(Box::new(two_entries(index, known, server, entry, us)));
                    }
                    let (bytes, shape) = (entry.bytes().into(), entry.shape());
                    of_index.push(Known { term, bytes, shape, server, us });
                    term
                }
            };
            last = Some((index, term));
        }
        Ok(last)
    }

    /// At most ten heartbeats a second (the lab's handout). One that carries something new, or is
    /// sent again because the last one failed, does not count.
    fn check_heartbeats(
        &mut self,
        from: usize,
        to: usize,
        append: &AppendEntries<'_>,
        us: u64,
    ) -> Checked {
        let flow = self.flows.entry((from, to)).or_default();
        let AppendEntries { term, prev, commit, .. } = *append;
        let this = News { term, prev, commit };
        let again = flow.last.replace(this) == Some(this) && append.entries().next().is_none();
        if !again || std::mem::take(&mut flow.failed) {
            return Ok(());
        }
        flow.repeats.push_back(us);
        while flow.repeats.front().is_some_and(|first| us - first >= WINDOW_US) {
            flow.repeats.pop_front();
        }
        let count = flow.repeats.len();
        if count <= MOST_HEARTBEATS {
            return Ok(());
        }
        let first = flow.repeats.front().copied().unwrap_or(us);
        let seconds = (us - first) as f64 / 1e6;
        let words = format!(
            "server {from} sent {count} heartbeats to server {to} within {seconds:.2} s; at most \
             ten a second are allowed"
        );
        Err(Box::new(
            verdict("heartbeats", words)
                .fact_at(first, from, format!("the first of {count} heartbeats to server {to}"))
                .fact_at(us, from, "the last of them")
                .hint(
                    "the interval is too short, two tasks send heartbeats in one term, or each \
                     reply leads to the next one",
                )
                .build(),
        ))
    }

    /// A request reaches its server.
    pub(crate) fn delivered(&mut self, call: u64) {
        if let Some(known) = self.calls.get_mut(&call) {
            let server = &self.servers[known.to];
            known.delivered = server.alive.then_some((server.instance, server.shown));
        }
        self.replication.delivered(call);
    }

    /// A server has answered. `persisted` reads what it has saved, if it says so.
    pub(crate) fn replied(
        &mut self,
        call: u64,
        reply: Reply,
        us: u64,
        persisted: impl FnOnce() -> Option<Persisted>,
    ) -> Checked {
        let Some(&Call { from, to, asked, delivered, .. }) = self.calls.get(&call) else {
            return Ok(());
        };
        let Some((instance, shown)) = delivered else { return Ok(()) };
        if !self.is_live(to, instance) {
            return Ok(());
        }
        if let Some(term) = reply.term {
            check_term_of_reply(to, shown, term)?;
            self.show(to, term, us);
        }
        if let (Asked::Vote { term }, Some(granted)) = (asked, reply.yes) {
            self.votes_understood = true;
            if granted {
                self.vote(to, term, from, us)?;
            }
            if let Some(call) = self.calls.get_mut(&call) {
                call.granted = granted;
            }
        }
        self.replication.replied(call, reply, us)?;
        match persisted() {
            Some(saved) => check_saved(from, to, asked, reply, &saved),
            None => Ok(()),
        }
    }

    /// A call is over.
    pub(crate) fn over(&mut self, call: u64, failed: bool) {
        self.replication.over(call);
        let Some(Call { from, to, asked, granted, .. }) = self.calls.remove(&call) else { return };
        if let (Asked::Vote { term }, true, false) = (asked, granted, failed) {
            self.received.entry((from, term)).or_default().insert(to);
        }
        if let Some(flow) = self.flows.get_mut(&(from, to)) {
            flow.failed = failed;
        }
    }
}

fn sent_entry(server: usize, command: &str, term: u64, index: u64) -> String {
    format!("server {server} sent {command} as the entry of term {term} at index {index}")
}

fn two_entries(index: u64, known: &Known, server: usize, content: Peek<'_>, us: u64) -> Verdict {
    let Known { term, server: first, us: then, .. } = *known;
    let (one, other) = (known.command(), command(content));
    let sent = |server, command: &str| sent_entry(server, command, term, index);
    verdict(
        "Log Matching",
        format!("two different entries of term {term} at index {index}: {one} and {other}"),
    )
    .index(index)
    .fact_at(then, first, sent(first, &one))
    .fact_at(us, server, sent(server, &other))
    .hint(
        "a leader changed its own log, two leaders appended in one term, an entry's term or place \
         is not where prevLogIndex says, or a log was not saved before it was told of",
    )
    .build()
}

/// `currentTerm` never decreases: an answer to a request that came after the server had shown a term
/// is of that term or a later one.
fn check_term_of_reply(server: usize, shown: (u64, u64), term: u64) -> Checked {
    let (before, then) = shown;
    if term >= before {
        return Ok(());
    }
    Err(Box::new(
        verdict("term", format!("the term of server {server} went back from {before} to {term}"))
            .fact_at(then, server, format!("server {server} sent a message of term {before}"))
            .fact(server, format!("it answers a later request with term {term}"))
            .hint(
                "currentTerm is set from a message without looking whether that is higher, or \
                 was not saved before a restart",
            )
            .build(),
    ))
}

/// What a server has promised in a reply must be saved by then (Figure 2: "updated on stable storage
/// before responding to RPCs").
fn check_saved(
    from: usize,
    server: usize,
    asked: Asked,
    reply: Reply,
    saved: &Persisted,
) -> Checked {
    let behind = |promise: String, has: String| {
        let words = format!("server {server} {promise}, but {has} is saved");
        Err(Box::new(
            verdict("saved before answered", words)
                .fact(server, format!("server {server} {promise}"))
                .fact(server, format!("its persister holds {has}"))
                .hint(
                    "save term, vote and log before the handler returns, on every path; or they \
                     are saved and read in another order than written",
                )
                .build(),
        ))
    };
    if let Some(term) = reply.term.filter(|term| *term > saved.term) {
        return behind(format!("answered with term {term}"), format!("term {}", saved.term));
    }
    match (asked, reply.yes) {
        (Asked::Vote { term }, Some(true)) if saved.term == term => match saved.voted_for {
            Some(vote) if vote == from => Ok(()),
            vote => behind(
                format!("voted for {from} in term {term}"),
                vote.map_or("no vote".to_string(), |vote| format!("a vote for {vote}")),
            ),
        },
        // In a later term the entries may have been replaced since.
        (Asked::Append { term, last: Some((index, last)) }, Some(true)) if saved.term == term => {
            let accepted = format!("accepted entry {index} of term {last}");
            match saved.entry(index) {
                SavedEntry::OfTerm(term) if term != last => {
                    behind(accepted, format!("one of term {term}"))
                }
                SavedEntry::Missing => behind(accepted, "none there".to_string()),
                SavedEntry::OfTerm(_) | SavedEntry::InSnapshot => Ok(()),
            }
        }
        _ => Ok(()),
    }
}
