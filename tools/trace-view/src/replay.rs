//! Walks through a trace and knows at each moment what each server is.
//!
//! ```
//! use run_record::trace::Trace;
//! use trace_view::replay::Replay;
//!
//! fn terms_at(trace: &Trace, us: u64) -> Vec<Option<u64>> {
//!     let mut replay = Replay::new(trace);
//!     replay.run_to(us);
//!     replay.servers().iter().map(|server| server.term).collect()
//! }
//! ```
//!
//! Nothing here trusts the trace: what makes no sense changes nothing.

use std::collections::BTreeMap;

use run_record::trace::{Event, LogBase, LogChange, Role, SpanOf, Trace, What};
use serde_json::Value;

use crate::fields::{self, Kind};
use crate::groups;

/// As many servers as are followed; a trace that claims more is not of a Raft cluster.
pub const MOST_SERVERS: u32 = 64;

/// The entries of a log that is learned from messages stand no further apart than this. Their indices come from
/// code that may be wrong, such as `u64::MAX` for "none"; what a trace leaves out of one message is far less.
const MOST_APART: u64 = 1 << 16;

/// A walk through a trace, standing between two of its events.
#[derive(Clone, Debug)]
pub struct Replay<'t> {
    trace: &'t Trace,
    /// What messages have for what is before the first entry.
    base: u64,
    position: usize,
    us: u64,
    servers: Vec<Server<'t>>,
    calls: BTreeMap<u64, Call<'t>>,
    spans: BTreeMap<u64, Span<'t>>,
    operations: BTreeMap<u64, Operation<'t>>,
    network: Option<Conditions>,
}

/// What is known of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server<'t> {
    /// True from its start to its crash.
    pub up: bool,
    /// True if it can reach others.
    pub connected: bool,
    /// Its role, if it or its messages told; none after a crash.
    pub role: Option<Role>,
    /// Its term.
    pub term: Option<u64>,
    /// Whom it voted for in this term.
    pub vote: Option<u32>,
    /// Its commit index, if it reports one.
    pub commit: Option<u64>,
    /// Its log.
    pub log: Log<'t>,
    /// The last index it has applied since its last start, be it a command or in a snapshot; 0 for none.
    pub applied: u64,
    /// True if it reports its state itself. If not, role and term are inferred from its messages.
    pub reports: bool,
    /// True if it reports its log. If not, the log holds the entries that it has sent, accepted or
    /// applied, and begins behind the last snapshot that its service gave or got.
    pub reports_log: bool,
    /// What it has said last of the shards of its group; none after a crash.
    pub shards: Option<Shards<'t>>,
}

/// What a server says of the shards of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shards<'t> {
    /// The number of the group.
    pub group: u64,
    /// The number of the configuration that it has come to.
    pub config: u64,
    /// The shards of which it answers clients.
    pub serves: &'t [u32],
    /// The shards of which it has data and answers nobody.
    pub keeps: &'t [u32],
}

/// What is known of a log. It may have gaps if the trace has lost its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log<'t> {
    base: u64,
    /// The term at the base, if it is known.
    base_term: Option<u64>,
    entries: BTreeMap<u64, Entry<'t>>,
    last: u64,
    /// The first index where it is otherwise than when somebody last took note.
    changed: Option<u64>,
}

/// An entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'t> {
    /// Its term; none if only its being applied is known.
    pub term: Option<u64>,
    /// Its command, for people to read.
    pub command: &'t str,
}

/// What is known of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call<'t> {
    /// Who sent the request; none if the trace does not say.
    pub from: Option<u32>,
    /// Whom it goes to.
    pub to: u32,
    /// Its name on the wire.
    pub method: &'t str,
    /// The arguments.
    pub args: &'t Value,
    /// When it was sent, in microseconds.
    pub sent_us: u64,
    /// The reply, once there is one.
    pub reply: Option<&'t Value>,
}

/// Something that takes time and is not over yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span<'t> {
    /// Whose it is.
    pub of: SpanOf,
    /// What is done.
    pub name: &'t str,
    /// When it began, in microseconds.
    pub began_us: u64,
}

/// An operation of a client that has begun and not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation<'t> {
    /// Whose it is.
    pub lane: Option<u32>,
    /// What was asked for.
    pub text: &'t str,
    /// When it began, in microseconds.
    pub began_us: u64,
}

/// The network's conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// Nothing is lost and requests arrive at once.
    pub reliable: bool,
    /// Many replies are late.
    pub long_reordering: bool,
    /// Calls that reach no server take seconds to fail.
    pub long_delays: bool,
}

impl<'t> Log<'t> {
    /// The index of the last entry; that of the base for a log without entries.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Up to which index a snapshot has taken the place of the entries; 0 if none has.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The term at the base, if it is known.
    pub fn base_term(&self) -> Option<u64> {
        self.base_term
    }

    /// The entry with this index, if it is known.
    pub fn get(&self, index: u64) -> Option<Entry<'t>> {
        self.entries.get(&index).copied()
    }

    /// All that is known, by index.
    pub fn entries(&self) -> impl Iterator<Item = (u64, Entry<'t>)> + '_ {
        self.entries.iter().map(|(index, entry)| (*index, *entry))
    }

    /// The index of the first entry that is known from an index on, and what is known from there, in a row.
    /// Behind a gap that no log can have nothing more is told.
    pub(crate) fn row(&self, from: u64) -> (u64, Vec<Option<Entry<'t>>>) {
        let mut known =
            self.entries.range(from..).map(|(index, entry)| (*index, *entry)).peekable();
        let first = known.peek().map_or(from, |(index, _)| *index);
        let (mut next, mut row) = (first, Vec::new());
        for (index, entry) in known {
            let gap = index - next;
            if gap > MOST_APART {
                break;
            }
            row.extend((0..gap).map(|_| None));
            row.push(Some(entry));
            next = index.saturating_add(1);
        }
        (first, row)
    }

    fn change(&mut self, change: &'t LogChange) {
        let from = change.from.max(1);
        self.note_change(from);
        self.entries.split_off(&from);
        self.last = from - 1;
        for entry in &change.entries {
            self.last = self.last.saturating_add(1);
            let (term, command) = (Some(entry.term), entry.command.as_str());
            self.entries.insert(self.last, Entry { term, command });
        }
        if let Some(LogBase { index, term }) = change.base {
            self.begin_behind(index, Some(term));
        }
    }

    /// A snapshot has taken the place of the entries up to an index. What is behind it stays.
    fn begin_behind(&mut self, index: u64, term: Option<u64>) {
        if index < self.base {
            return;
        }
        let term = term.or_else(|| self.term_at(index));
        self.entries = self.entries.split_off(&index.saturating_add(1));
        (self.base, self.base_term) = (index, term);
        self.last = self.last.max(index);
        self.note_change(self.last.saturating_add(1));
    }

    /// A leader's snapshot has come: it takes the place of all entries, unless the log holds the last
    /// one that it covers (Figure 13).
    fn install(&mut self, index: u64, term: Option<u64>) {
        let held = self.term_at(index);
        if index > self.base && (held.is_none() || term.is_some() && held != term) {
            self.entries.clear();
            self.last = index;
            self.note_change(index.saturating_add(1));
        }
        self.begin_behind(index, term);
    }

    fn term_at(&self, index: u64) -> Option<u64> {
        match index == self.base {
            true => self.base_term,
            false => self.get(index)?.term,
        }
    }

    fn note_change(&mut self, index: u64) {
        self.changed = Some(self.changed.map_or(index, |first| first.min(index)));
    }

    /// The log holds this entry; if it held one of another term there, what followed it is gone.
    ///
    /// A log has no wide gaps. So one far ahead of all that is known changes nothing; and if one comes far
    /// before all that is known, it is that which was wrong.
    fn store(&mut self, index: u64, entry: Entry<'t>) {
        let is_known = self.base > 0 || !self.entries.is_empty();
        if index <= self.base || is_known && index.saturating_sub(self.last) > MOST_APART {
            return;
        }
        let first = self.entries.first_key_value().map_or(index, |(first, _)| *first);
        if first.saturating_sub(index) > MOST_APART {
            self.entries.clear();
            self.last = index;
        }
        let known = self.entries.get(&index).copied();
        let conflicts = known.is_some_and(|known| known.term.is_some() && known.term != entry.term);
        if conflicts && entry.term.is_some() {
            self.entries.split_off(&index);
            self.last = index;
        }
        // What was applied is what was stored: it tells nothing new but its command.
        let is_new = match entry.term {
            Some(_) => known != Some(entry),
            None => known.is_none_or(|known| known.command != entry.command),
        };
        if is_new {
            self.note_change(index);
            self.entries.insert(index, entry);
        }
        self.last = self.last.max(index);
    }
}

impl<'t> Server<'t> {
    /// True if it runs and others can hear it.
    pub fn reachable(&self) -> bool {
        self.up && self.connected
    }

    /// True if it runs and leads, whether or not anybody can hear it.
    pub fn leads(&self) -> bool {
        self.up && self.role == Some(Role::Leader)
    }

    fn applied(&mut self, index: u64, command: &'t str) {
        self.applied = index;
        if !self.reports_log {
            self.log.store(index, Entry { term: None, command });
        }
    }

    /// The server has these entries up to an index, since it sent or accepted them.
    fn has_entries(&mut self, args: &'t Value, upto: u64, base: u64) {
        if self.reports_log {
            return;
        }
        let entries = fields::numbered_entries(args, base).into_iter();
        for (index, term, command) in entries.filter(|(index, ..)| *index <= upto) {
            self.log.store(index, Entry { term, command });
        }
    }

    /// The server sends its snapshot: it is behind it by now.
    fn sends_snapshot(&mut self, args: &'t Value, base: u64) {
        if let (Some(index), term) = fields::included(args, base)
            && !self.reports_log
        {
            self.log.begin_behind(index, term);
        }
    }

    /// The server has the snapshot that it was sent, or had all of it before.
    fn has_snapshot(&mut self, args: &'t Value, base: u64) {
        if let (Some(index), term) = fields::included(args, base)
            && !self.reports_log
            && index > self.applied
        {
            self.log.install(index, term);
        }
    }

    /// The server has taken a command from the tester.
    fn took(&mut self, index: u64, term: Option<u64>, command: &'t str) {
        if !self.reports_log {
            self.log.store(index, Entry { term, command });
        }
    }

    /// The service has given the server a snapshot.
    fn snapshot(&mut self, index: u64) {
        if !self.reports_log {
            self.log.begin_behind(index, None);
        }
    }

    /// A leader's snapshot has come to the server and then to its service.
    fn installed(&mut self, index: u64, term: Option<u64>) {
        self.applied = index;
        if self.reports_log {
            return;
        }
        match term {
            Some(_) => self.log.install(index, term),
            None => self.log.begin_behind(index, None),
        }
    }

    fn started(&mut self) {
        self.up = true;
        self.forget();
    }

    /// What is not saved does not survive.
    fn forget(&mut self) {
        self.role = None;
        self.commit = None;
        self.applied = 0;
        self.shards = None;
    }
}

impl<'t> Replay<'t> {
    /// Stands before the first event.
    pub fn new(trace: &'t Trace) -> Replay<'t> {
        let count = trace.header.servers.min(MOST_SERVERS) as usize;
        // Of a trace that has lost its beginning it is likelier that a server runs than that not.
        let began = trace.events.first().is_some_and(|event| event.n > 1);
        let server = Server { up: began, connected: began, ..Server::default() };
        Replay {
            trace,
            base: fields::base(trace),
            position: 0,
            us: 0,
            servers: vec![server; count],
            calls: BTreeMap::new(),
            spans: BTreeMap::new(),
            operations: BTreeMap::new(),
            network: None,
        }
    }

    /// How many events have been walked over.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The time of the last event that was walked over, in microseconds.
    pub fn us(&self) -> u64 {
        self.us
    }

    /// The servers, by number.
    pub fn servers(&self) -> &[Server<'t>] {
        &self.servers
    }

    /// The server in a lane; none for lanes that are not of a server.
    pub fn server(&self, lane: u32) -> Option<&Server<'t>> {
        self.servers.get(lane as usize)
    }

    /// A call whose request has been sent.
    pub fn call(&self, number: u64) -> Option<&Call<'t>> {
        self.calls.get(&number)
    }

    /// A span that has begun and not ended.
    pub fn span(&self, number: u64) -> Option<&Span<'t>> {
        self.spans.get(&number)
    }

    /// All spans that have begun and not ended, by number.
    pub fn spans(&self) -> impl Iterator<Item = &Span<'t>> {
        self.spans.values()
    }

    /// An operation of a client that has begun and not ended.
    pub fn operation(&self, number: u64) -> Option<&Operation<'t>> {
        self.operations.get(&number)
    }

    /// True if the client of this lane has an operation under way.
    pub fn asks(&self, lane: u32) -> bool {
        self.operations.values().any(|operation| operation.lane == Some(lane))
    }

    /// What somebody is called where there is little room: a server by its number, after that of its
    /// group if it has one, and `c3` for `client 3`.
    pub(crate) fn short_name(&self, lane: u32) -> String {
        let name = self.trace.header.lanes.get(lane as usize);
        let client = name.filter(|_| self.server(lane).is_none());
        match client.and_then(|name| name.strip_prefix("client ")) {
            Some(number) => format!("c{number}"),
            None => groups::short(self.trace, lane as usize),
        }
    }

    /// The network's conditions, if the trace has told them.
    pub fn network(&self) -> Option<Conditions> {
        self.network
    }

    /// The next event.
    pub fn peek(&self) -> Option<&'t Event> {
        self.trace.events.get(self.position)
    }

    /// Walks over the next event and returns it.
    pub fn step(&mut self) -> Option<&'t Event> {
        let event = self.peek()?;
        self.position += 1;
        self.us = event.us;
        self.learn(event);
        Some(event)
    }

    /// Walks over all events up to and at this time.
    pub fn run_to(&mut self, us: u64) {
        while self.peek().is_some_and(|event| event.us <= us) {
            self.step();
        }
    }

    /// The first index where a server's log has changed since this was last asked, and the log.
    pub(crate) fn take_change(&mut self, lane: u32) -> Option<(u64, &Log<'t>)> {
        let log = &mut self.server_mut(Some(lane))?.log;
        let from = log.changed.take()?;
        Some((from, log))
    }

    fn learn(&mut self, event: &'t Event) {
        let base = self.base;
        match &event.what {
            What::Sent { call, to, method, args, .. } => {
                let (from, sent_us) = (event.lane, event.us);
                let sent = Call { from, to: *to, method, args, sent_us, reply: None };
                self.calls.insert(*call, sent);
                if let Some(server) = self.server_mut(from) {
                    match Kind::of(method, args) {
                        Kind::Snapshot => server.sends_snapshot(args, base),
                        _ => server.has_entries(args, u64::MAX, base),
                    }
                }
            }
            What::Replied { call, reply, .. } => {
                let Some(call) = self.calls.get_mut(call) else { return };
                call.reply = Some(reply);
                let (to, method, args) = (call.to, call.method, call.args);
                let Some(server) = self.server_mut(Some(to)) else { return };
                match Kind::of(method, args) {
                    Kind::Snapshot if fields::installs(args, reply) == Some(true) => {
                        server.has_snapshot(args, base);
                    }
                    Kind::Snapshot => {}
                    _ if fields::accepts(reply) => {
                        let upto = fields::accepted(args, reply, base).unwrap_or_default();
                        server.has_entries(args, upto, base);
                    }
                    _ => {}
                }
            }
            What::Network { reliable, long_reordering, long_delays } => {
                self.network = Some(Conditions {
                    reliable: *reliable,
                    long_reordering: *long_reordering,
                    long_delays: *long_delays,
                });
            }
            // What the logs were is not known any more, unless servers say it anew.
            What::LeftOut { .. } => {
                let forgotten = || Log { changed: Some(1), ..Log::default() };
                self.servers.iter_mut().for_each(|server| server.log = forgotten());
            }
            What::Begin { span, of, name } => {
                self.spans.insert(*span, Span { of: *of, name, began_us: event.us });
            }
            What::End { span, .. } => {
                self.spans.remove(span);
            }
            What::Called { op, text } => {
                let (lane, began_us) = (event.lane, event.us);
                self.operations.insert(*op, Operation { lane, text, began_us });
            }
            What::Answered { op, .. } => {
                self.operations.remove(op);
            }
            what => {
                if let Some(server) = self.server_mut(event.lane) {
                    server.learn(what);
                }
            }
        }
    }

    fn server_mut(&mut self, lane: Option<u32>) -> Option<&mut Server<'t>> {
        self.servers.get_mut(usize::try_from(lane?).ok()?)
    }
}

impl<'t> Server<'t> {
    fn learn(&mut self, what: &'t What) {
        match what {
            What::Started => self.started(),
            What::Crashed => {
                self.up = false;
                self.forget();
            }
            What::Connected => self.connected = true,
            What::Disconnected => self.connected = false,
            What::Applied { index, command } => self.applied(*index, command),
            What::Snapshot { index, .. } => self.snapshot(*index),
            What::Installed { index, term, .. } => self.installed(*index, *term),
            What::Offered { command, index: Some(index), term } => {
                self.took(*index, *term, command);
            }
            What::State(state) => {
                self.reports = true;
                (self.role, self.term) = (Some(state.role), Some(state.term));
                (self.vote, self.commit) = (state.vote, state.commit.or(self.commit));
                if let Some(change) = &state.log {
                    if !self.reports_log {
                        (self.reports_log, self.log) = (true, Log::default());
                    }
                    self.log.change(change);
                }
            }
            What::Shards { group, config, serves, keeps } => {
                let (group, config) = (*group, *config);
                self.shards = Some(Shards { group, config, serves, keeps });
            }
            What::Inferred { role, term } => {
                if self.term != Some(*term) {
                    self.vote = None;
                }
                (self.role, self.term) = (Some(*role), Some(*term));
            }
            _ => {}
        }
    }
}
