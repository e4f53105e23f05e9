//! What messages mean, whoever wrote them.
//!
//! A Raft may say itself what a message means ([`raft_api::Raft::read_message`]). If it does not, its
//! type is looked at: once for each method and type it is worked out where the fields are that the
//! rules need ([`plan`], [`entries`]), by the table of names in [`run_record::names`]. After that a
//! message is read where it lies encoded.
//!
//! What is not understood is noted as a missing [`Part`], with the reason. A rule that needs the part
//! is not judged from then on, and each test says so.

mod changed;
mod entries;
pub(crate) mod missing;
mod plan;
mod reading;
mod reply;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use bytes::Bytes;
use labgob::{Peek, Shape};
use raft_api::{Meaning, Wire};
use run_record::names::{self, Name};

pub(crate) use entries::{Command, Entry};
use entries::{EntryPlan, Numbers};
pub(crate) use missing::{Missing, Part};
use plan::{Plan, Unread};
use reading::Reading;
pub(crate) use reply::Reply;

/// An entry's index and its term; both 0 for what is before the first entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) index: u64,
    pub(crate) term: u64,
}

impl Place {
    /// What logs are compared by (section 5.4.1).
    pub(crate) fn up_to_date(self) -> (u64, u64) {
        (self.term, self.index)
    }
}

/// Who leads by what a message says that leaders send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Leader {
    /// Its sender: nobody else sends such messages.
    #[default]
    Sender,
    /// The server of this number, as it says.
    Named(u64),
    /// It does not say, and who does not lead may send it too.
    Unsaid,
}

/// What a request says, as far as it is understood.
#[derive(Debug)]
pub(crate) enum Request<'a> {
    /// It asks for a vote.
    Vote {
        term: u64,
        /// The last entry of the candidate's log.
        last: Place,
    },
    /// It brings entries, or checks that they are there.
    Append(Append<'a>),
    /// It brings a snapshot, or a part of one.
    Install(Install),
    /// It says no more than who leads, and perhaps what is committed.
    Beat {
        term: u64,
        leader: Leader,
        commit: Option<u64>,
        /// All of the message as one number.
        message: u64,
    },
    /// It tells its receiver to stand for election at once.
    Stand,
    /// It promises nothing.
    Nothing,
    /// Nobody here knows.
    Unknown,
}

/// What an AppendEntries says.
#[derive(Debug)]
pub(crate) struct Append<'a> {
    pub(crate) term: u64,
    pub(crate) leader: Leader,
    pub(crate) prev: Place,
    pub(crate) commit: Option<u64>,
    pub(crate) entries: Entries<'a>,
    /// What else it brings that nobody here understands, as one number; none if nothing.
    pub(crate) other: Option<u64>,
    /// What else it may tell in a word: one number for each field, 0 if it tells nothing.
    pub(crate) marks: Vec<u64>,
}

/// What an InstallSnapshot says, but for the snapshot itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Install {
    pub(crate) term: u64,
    pub(crate) leader: Leader,
    /// The last entry that the snapshot takes the place of.
    pub(crate) last: Place,
    /// Where in the snapshot this part of it begins.
    pub(crate) offset: u64,
    /// No part is to come behind this one.
    pub(crate) done: bool,
    /// The length of the message.
    pub(crate) bytes: u64,
    /// The message as one number, if nothing says which part of the snapshot it brings: each may bring another one.
    pub(crate) part: Option<u64>,
}

/// The entries of an AppendEntries.
#[derive(Debug)]
pub(crate) enum Entries<'a> {
    /// As they lie encoded.
    Encoded(Peek<'a>, Arc<EntryPlan>),
    /// As the Raft itself has read them.
    Read(Vec<(u64, Bytes)>),
    /// There may be some, but nobody here can read them.
    Unknown,
}

impl<'a> Entries<'a> {
    /// True if there are none.
    pub(crate) fn are_none(&self) -> bool {
        match self {
            Entries::Encoded(list, _) => {
                list.items().is_none_or(|mut items| items.next().is_none())
            }
            Entries::Read(entries) => entries.is_empty(),
            Entries::Unknown => false,
        }
    }

    /// True if a number counts as their term only for its place.
    fn are_by_place(&self) -> bool {
        matches!(self, Entries::Encoded(_, plan) if plan.is_by_place())
    }

    /// All of them, one after the other as they are encoded: what equal entries are equal in.
    pub(crate) fn encoded(&self) -> Option<&'a [u8]> {
        let Entries::Encoded(list, _) = self else { return None };
        let first = list.items()?.next()?;
        let length = list.bytes().as_ptr_range().end.addr() - first.bytes().as_ptr().addr();
        Some(&list.bytes()[list.bytes().len() - length..])
    }

    /// One after the other; for each the length of its encoding.
    pub(crate) fn read(&self) -> Vec<(Entry<'_>, usize)> {
        match self {
            Entries::Encoded(list, plan) => {
                let read = |entry: Peek<'a>| Some((plan.read(entry)?, entry.bytes().len()));
                plan.entries(*list).map_while(read).collect()
            }
            Entries::Read(entries) => entries
                .iter()
                .map(|(term, command)| {
                    let command = Command { bytes: command, shape: None };
                    (Entry { term: *term, command }, 0)
                })
                .collect(),
            Entries::Unknown => Vec::new(),
        }
    }
}

/// Understands the messages of one run.
pub(crate) struct Understanding {
    read_message: fn(&Wire<'_>) -> Meaning,
    /// By method and type. There are few.
    known: Vec<Known>,
    said: Vec<Said>,
    missing: Missing,
    bases: Bases,
    numbers: Numbers,
}

/// A type of which the Raft itself says what it means.
struct Said {
    method: Box<str>,
    reply: bool,
    shape: &'static Shape,
    /// What an AppendEntries has by the usual names, and what it may have beside.
    plan: Plan,
    unread: Unread,
}

struct Known {
    method: Box<str>,
    reply: bool,
    shape: &'static Shape,
    reading: Reading,
}

/// From where a Raft counts, as its first messages show: all logs are empty then.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bases {
    index: Option<u64>,
    commit: Option<u64>,
}

impl Bases {
    /// The first candidate of a run has an empty log.
    fn learn_index(&mut self, last: u64, term: u64) {
        let base = if term == 0 { last } else { 0 };
        self.index.get_or_insert(base);
    }

    /// The first leader of a run has committed nothing yet.
    fn learn_commit(&mut self, commit: u64) {
        let base = if commit == u64::MAX { commit } else { 0 };
        self.commit.get_or_insert(base);
    }

    /// An index as the service counts: the first entry has 1.
    fn index(self, wire: u64) -> u64 {
        wire.wrapping_sub(self.index.unwrap_or(0))
    }

    fn commit(self, wire: u64) -> u64 {
        wire.wrapping_sub(self.commit.unwrap_or(0))
    }
}

impl Understanding {
    pub(crate) fn new(read_message: fn(&Wire<'_>) -> Meaning) -> Understanding {
        let (known, said) = (Vec::new(), Vec::new());
        let (missing, bases) = (Missing::default(), Bases::default());
        Understanding { read_message, known, said, missing, bases, numbers: Numbers::default() }
    }

    /// What is not understood.
    pub(crate) fn missing(&self) -> &Missing {
        &self.missing
    }

    pub(crate) fn missing_mut(&mut self) -> &mut Missing {
        &mut self.missing
    }

    /// What a request says.
    pub(crate) fn request<'a>(&mut self, method: &str, message: Encoded<'a>) -> Request<'a> {
        match self.meaning(method, false, message) {
            Meaning::ByNames => self.request_by_names(method, message),
            Meaning::RequestVote { term, last_log_index, last_log_term } => {
                self.bases.index.get_or_insert(0);
                let last = Place { index: last_log_index, term: last_log_term };
                Request::Vote { term, last }
            }
            Meaning::AppendEntries {
                term,
                prev_log_index,
                prev_log_term,
                entries,
                leader_commit,
            } => {
                let prev = Place { index: prev_log_index, term: prev_log_term };
                let (commit, entries) = (Some(leader_commit), Entries::Read(entries));
                let (other, marks) = self.beside(method, message, entries.are_none());
                let leader = Leader::Sender;
                Request::Append(Append { term, leader, prev, commit, entries, other, marks })
            }
            Meaning::InstallSnapshot { term, last_included_index, last_included_term } => {
                let last = Place { index: last_included_index, term: last_included_term };
                let (leader, bytes) = (Leader::Sender, message.bytes.len() as u64);
                let (offset, done, part) = (0, true, None);
                Request::Install(Install { term, leader, last, offset, done, bytes, part })
            }
            _ => Request::Nothing,
        }
    }

    /// What the Raft itself says of a message. That somebody may learn from it what is committed it cannot say: that
    /// its names tell.
    fn meaning(&mut self, method: &str, reply: bool, message: Encoded<'_>) -> Meaning {
        let meaning = (self.read_message)(&Wire { method, reply, bytes: message.bytes });
        if meaning != Meaning::ByNames && self.said(method, reply, message.shape).is_none() {
            let shape = message.shape;
            reading::hearsay(method, reply, shape, &mut self.missing);
            let plan = Plan::of(shape, reading::APPEND);
            let unread = plan.unread(shape);
            self.said.push(Said { method: method.into(), reply, shape, plan, unread });
        }
        meaning
    }

    fn said(&self, method: &str, reply: bool, shape: &'static Shape) -> Option<&Said> {
        self.said.iter().find(|said| {
            std::ptr::eq(said.shape, shape) && said.reply == reply && *said.method == *method
        })
    }

    /// What an AppendEntries has beside what its Raft says of it.
    fn beside(&self, method: &str, message: Encoded<'_>, is_bare: bool) -> (Option<u64>, Vec<u64>) {
        let Some(value) = message.value else { return (None, Vec::new()) };
        let Some(Said { plan, unread, .. }) = self.said(method, false, message.shape) else {
            return (None, Vec::new());
        };
        let other = if is_bare && unread.lists { plan.lists(value) } else { None };
        (other, if unread.marks { plan.marks(value) } else { Vec::new() })
    }

    fn request_by_names<'a>(&mut self, method: &str, message: Encoded<'a>) -> Request<'a> {
        let Some(value) = message.value else { return Request::Unknown };
        let place = self.known(method, false, message.shape);
        let reading = &self.known[place].reading;
        let request = reading.request(value, &mut self.bases);
        if let Some((part, why)) = reading.trouble(value, &request) {
            self.missing.note(part, format!("{} {why}", names::method(method)));
        }
        match &request {
            Request::Beat { leader: Leader::Unsaid, .. } => {}
            Request::Beat { term, .. } => self.numbers.leads(*term),
            Request::Append(Append { term, prev, entries, .. }) if entries.are_by_place() => {
                self.numbers.leads(*term);
                if !self.numbers.may_be_terms(*term, *prev, entries) {
                    let why = format!(
                        "the entries of {} cannot be read: the number in them is perhaps no term",
                        names::method(method)
                    );
                    self.missing.note(Part::Entries, why);
                }
            }
            _ => {}
        }
        request
    }

    /// What a reply says.
    pub(crate) fn reply(&mut self, method: &str, message: Encoded<'_>) -> Reply {
        match self.meaning(method, true, message) {
            Meaning::ByNames => {
                let Some(value) = message.value else { return Reply::default() };
                let place = self.known(method, true, message.shape);
                let mut reply = self.known[place].reading.reply(value);
                reply.upto = reply.upto.map(|index| self.bases.index(index));
                reply
            }
            Meaning::Vote { term, granted } => Reply::new(term, granted, None),
            Meaning::Appended { term, success, match_index } => {
                let exact = match_index.is_some();
                Reply { exact, ..Reply::new(term, success, match_index) }
            }
            Meaning::SnapshotInstalled { term } => Reply::of_term(term),
            _ => Reply::default(),
        }
    }

    /// Where it is known how to read a message of this type.
    fn known(&mut self, method: &str, reply: bool, shape: &'static Shape) -> usize {
        let is = |known: &Known| {
            std::ptr::eq(known.shape, shape) && known.reply == reply && *known.method == *method
        };
        self.known.iter().position(is).unwrap_or_else(|| {
            let reading = Reading::of(method, reply, shape, &mut self.missing);
            self.known.push(Known { method: method.into(), reply, shape, reading });
            self.known.len() - 1
        })
    }
}

/// A message as it travels.
#[derive(Clone, Copy)]
pub(crate) struct Encoded<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) shape: &'static Shape,
    /// What is in the bytes; none if they are no value of the type.
    pub(crate) value: Option<Peek<'a>>,
}

/// What a method is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Vote,
    Append,
    Beat,
    PreVote,
    Install,
    TimeoutNow,
    Other,
}

impl Method {
    pub(crate) fn of(method: &str) -> Method {
        let short = names::method(method);
        match () {
            () if names::is(short, Name::RequestVote) => Method::Vote,
            () if names::is(short, Name::AppendEntries) => Method::Append,
            () if names::is(short, Name::Heartbeat) => Method::Beat,
            () if names::is(short, Name::PreVoteMethod) => Method::PreVote,
            () if names::is(short, Name::InstallSnapshot) => Method::Install,
            () if names::is(short, Name::TimeoutNow) => Method::TimeoutNow,
            () => Method::Other,
        }
    }
}
