//! Watching a service on a Raft from outside: what must hold whatever the service is.
//!
//! A [`Watch`] is told of the operations of clients by whoever makes them, and sees by itself each
//! step of each call from clients to servers, what servers save, and through [`raft_watch`] what
//! messages show of the logs below. The service needs to know nothing of it, and nothing here is a step
//! of a simulated run. A service may stand on several groups: each is [added](Watch::add).
//!
//! # Whose entry an entry is
//!
//! A log holds bytes, and only the service knows what they mean. But what a client writes has to be in
//! them: an entry is that of a write if it holds the text that is written, and was first sent after
//! the client had called. Texts that are too short to be told from others by chance have to stand
//! there with their length in front, as labgob writes them, and with the name of the object that is
//! written to, at another place. Of several texts that are written at once all have to stand there; if these are
//! only a few bytes together, nothing is said of the write. An empty text is no text: no rule is about it. A service whose entries were never
//! seen to hold what clients write (it may compress them) is not judged by the rules that need it.
//!
//! That some entries hold what is written does not mean that all do. A right service may compress those that are
//! long, or leave out a write that a later one of the same entry makes invisible. So a write of which no entry was
//! seen is taken for a wrong one only if no entry at all was sent meanwhile that could be its own, whatever it
//! looks like (`sent`). Otherwise nothing is said of it until something goes wrong: then it is a fact of the
//! verdict, if what was read lacks it. And once somebody has read what no entry was seen to hold, an entry that is
//! seen to hold a write need not be its first one: the service is no longer judged by where entries stand.
//!
//! An entry in whose place another one was committed is none: whoever answers for it has looked at the index alone.
//!
//! A write may have several entries: a client asks again, and the service finds out when it executes
//! them. That is no mistake. They may stand in the logs of several groups: one refuses it, another one
//! executes it, and an entry by which a group takes over what another one had holds the texts of all that
//! was written there. What is read leaves no mark in an entry, so nothing is asked of that.
//!
//! # The rules
//!
//! | file | rule | broken if |
//! |---|---|---|
//! | `replies` | answered when applied | a write is answered by servers of which none could know, when it replied, that an entry of it is committed; or its client is done though its calls have failed, and nobody has replied |
//! | `replies` | a read that cannot know | a read is answered by servers of which none could know of a write that was acknowledged before the read began |
//! | `twice` | applied once | a text that was appended once stands in what is read twice; where one text begins another one, nobody can tell |
//! | `waiting` | nobody waits for ever | a server has not answered a request, for which its client still waits, after 4 s in which it was in a later term and heard of that term's leader |
//! | `sizes` | log size, snapshot size | what a server has saved outgrows its limit and stays so for a second in which it can know of new committed entries; a snapshot is larger than it may ever be |
//!
//! Of several groups each is judged by its own log. A write that was seen in the log of one may be
//! answered by another one: it may have learned from the first that it was executed.
//!
//! The first two compare with what the server *can* know ([`raft_watch::Watch::can_know`]): one that
//! replies after an entry was committed and before it has applied it itself goes unseen. A right service
//! that answers reads without an entry (by asking a majority whether it still leads) breaks none.
//!
//! Each rule is checked when it can be decided and not before: an answer when the operation returns,
//! since only the client knows which reply it took for one.
//!
//! If nothing comes at all, `obstacles` tells what clients wait for, and at whom
//! ([`Watch::obstacles`]); `tries` keeps account of whom they have asked.
//!
//! `situations` is no rule: it counts what the run comes into, such as a request for what is committed already.
//!
//! # What is missing
//!
//! After a message that is neither of Figure 2 nor InstallSnapshot, `raft-watch` may not know what a server
//! can know; then the rules that need it are silent, and each test says so.

mod began;
mod facts;
mod group;
mod obstacles;
mod operations;
mod replies;
mod sent;
mod situations;
mod sizes;
mod tries;
mod twice;
mod waiting;

use std::fmt;
use std::sync::Arc;

use labrt::sync::Leaf;
use labtrace::Verdict;
use tester::{Client, Group, Judged, Run, Server};

pub use facts::end_of;
use group::{Eye, Seen};
use operations::{Number, Operations};
use situations::Spotter;
pub use sizes::Limits;

/// What a client asks for, as far as the rules need to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// In words, such as `Get "x"`.
    pub text: String,
    /// The object that it is about: a key. Operations on different objects have nothing to do with each
    /// other.
    pub object: String,
    /// What it does to that.
    pub change: Change,
}

/// What an operation does to its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: it reads it.
    Nothing,
    /// This text takes the place of what was there.
    Set(String),
    /// This text comes behind what was there.
    Add(String),
    /// All these texts come to what was there, at once. An entry that is its own holds all of them. So texts that
    /// are too short to tell alone tell together, and the name of the object need not stand beside them. What is
    /// read is not searched for them.
    AddAll(Vec<String>),
}

impl Change {
    /// What it writes, if that is a single text that can be looked for in what is read.
    fn text(&self) -> Option<&str> {
        match self {
            Change::Nothing | Change::AddAll(_) => None,
            Change::Set(text) | Change::Add(text) => Some(text),
        }
    }

    /// All that it writes.
    fn texts(&self) -> &[String] {
        match self {
            Change::Nothing => &[],
            Change::Set(text) | Change::Add(text) => std::slice::from_ref(text),
            Change::AddAll(texts) => texts,
        }
    }
}

/// An operation under the watch's eyes.
#[derive(Clone, Copy, Debug)]
pub struct Operation(Number);

/// A client waits for an operation, for as long as this is there. If it is dropped before the watch has been told of the
/// answer, and not by the run's end, the client was stopped, wherever it was: it does not wait any more, and whether what
/// it asked for is done remains open.
#[must_use = "the client waits for as long as it is there"]
pub struct UnderWay {
    watch: Watch,
    operation: Operation,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if labrt::observe::is_ending() {
            return; // whoever waited when the run failed still waited then
        }
        let us = labtrace::now_us();
        self.watch.inner.with(|state| state.operations.give_up(self.operation.0, us));
    }
}

impl fmt::Debug for UnderWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnderWay").field("operation", &self.operation).finish_non_exhaustive()
    }
}

/// Where an entry stands. Places are in the order in which their entries were first sent: in one group
/// that is the order of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When it was first sent, in microseconds.
    pub us: u64,
    /// The number of its group, in the order in which they were added.
    pub group: usize,
    /// Its index there.
    pub index: u64,
}

/// How an operation went, of which it is certain who answered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Who asked for what.
    pub text: String,
    /// The object that it is about.
    pub object: String,
    /// It was a write.
    pub wrote: bool,
    /// The client's lane.
    pub lane: u32,
    /// When it began and ended, in microseconds.
    pub us: (u64, u64),
    /// The name of the group that answered.
    pub group: String,
}

/// What watches one service. Clones are the same watch.
#[derive(Clone, Default)]
pub struct Watch {
    inner: Arc<Leaf<State>>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) operations: Operations,
    pub(crate) groups: Vec<Seen>,
    pub(crate) read: twice::Read,
    pub(crate) spotter: Spotter,
    /// It sees nothing and judges nothing.
    blind: bool,
}

/// Fine, or the verdict of a broken rule.
pub(crate) type Checked = Result<(), Box<Verdict>>;

impl Watch {
    /// A watch of a service without servers.
    pub fn new() -> Watch {
        Watch::default()
    }

    /// A watch for a run: one that sees nothing if the run is not judged by rules.
    pub fn of(run: &Run) -> Watch {
        let blind = run.judged() < Judged::ByRules;
        Watch { inner: Arc::new(Leaf::new(State { blind, ..State::default() })) }
    }

    fn is_blind(&self) -> bool {
        self.inner.with(|state| state.blind)
    }

    /// Watches a group of the service's servers as well, from now on; `below` watches their Rafts. None
    /// may have been started yet.
    pub fn add(&self, group: &Group<impl Server>, below: &raft_watch::Watch, limits: Limits) {
        if self.is_blind() {
            return;
        }
        let seen = Seen::new(group.members().clone(), below.clone(), limits);
        let number = self.inner.with(|state| {
            state.groups.push(seen);
            state.groups.len() - 1
        });
        group.watch(Arc::new(Eye { watch: self.clone(), group: number }));
    }

    /// A client asks for something.
    pub fn asks(&self, client: &Client, asked: Asked) -> Operation {
        let us = labtrace::now_us();
        Operation(self.inner.with(|state| {
            if state.blind {
                return Number::MAX; // No operation has it.
            }
            let number = state.operations.begin(client, asked, us);
            state.writes(number);
            number
        }))
    }

    /// The client waits for an operation until what this returns is dropped. Whoever may be stopped in the middle of one
    /// keeps it until the watch has been told of the answer: what is told of those who wait would speak of it for ever.
    pub fn waits(&self, operation: Operation) -> UnderWay {
        UnderWay { watch: self.clone(), operation }
    }

    /// The client has its answer: what it read, if it did.
    ///
    /// # Panics
    /// If a rule is broken by that.
    pub fn answered(&self, operation: Operation, read: Option<&str>) {
        let us = labtrace::now_us();
        let Operation(number) = operation;
        let checked = self.inner.with(|state| {
            if state.blind {
                return Ok(());
            }
            state.read_entries();
            let State { groups, operations, .. } = &mut *state;
            operations.look_for_replaced(number, |place| {
                groups[place.group].below.committed_term_at(place.index)
            });
            state.operations.end(number, us);
            state.learn_from(number, read);
            let checked = state.check_replies(number, read);
            let checked = checked.and_then(|()| state.check_once(number, read));
            state.operations.settle(number, read);
            checked
        });
        self.fail_if_broken(checked);
    }

    fn fail_if_broken(&self, checked: Checked) {
        if let Err(broken) = checked
            && !labrt::observe::is_unwinding()
        {
            labtrace::fail(*broken);
        }
    }

    /// How those operations went that have ended behind this bookmark, which is set forward. One is left
    /// out if servers of several groups replied to its client meanwhile: only the client knows which of
    /// these it took for an answer.
    pub fn answers(&self, bookmark: &mut usize) -> Vec<Answered> {
        self.inner.with(|state| {
            let new = state.operations.done_since(bookmark);
            new.filter_map(|number| state.answer(number)).collect()
        })
    }

    /// Where the first committed entry of an operation stands, if one is known: in the log of the group
    /// that answered it, if it has one there. In others it may have been refused.
    pub fn place(&self, operation: Operation) -> Option<Place> {
        self.inner.with(|state| {
            state.read_entries();
            state.place(operation.0)
        })
    }

    /// What stands in the way of clients that wait: what they wait for, who keeps them waiting, and what
    /// [`raft_watch`] knows of each group. As facts of a verdict.
    pub fn obstacles(&self) -> Vec<labtrace::Fact> {
        let us = labtrace::now_us();
        self.inner.with(|state| {
            state.read_entries();
            let mut facts = state.clients_wait(us);
            for group in 0..state.groups.len() {
                facts.extend(state.servers_keep_waiting(group, us));
            }
            for seen in &state.groups {
                facts.extend(seen.members.facts(seen.below.obstacles()));
            }
            facts
        })
    }

    /// The entries and replies behind an operation, as facts of a verdict.
    pub fn behind(&self, operation: Operation) -> Vec<labtrace::Fact> {
        self.inner.with(|state| {
            state.read_entries();
            state.facts_behind(operation.0)
        })
    }
}

impl State {
    /// An operation has read something: whose text stands in it was executed, with an entry or without.
    fn learn_from(&mut self, number: Number, read: Option<&str>) {
        if self.operations.hides() {
            return; // there is nothing more to learn
        }
        let (Some(of), Some(value)) = (self.operations.get(number), read) else { return };
        let object = &of.asked.object;
        let executed = |(number, write): (Number, &operations::Operation)| {
            let text = write.asked.change.text().unwrap_or_default();
            write.asked.stands_in(value) && self.read.only_writer(object, text) == Some(number)
        };
        if self.operations.unseen(object).any(executed) {
            self.operations.note_hiding();
        }
    }

    /// Learns of the entries that were sent since it last looked.
    fn read_entries(&mut self) {
        let State { groups, operations, spotter, .. } = self;
        for (group, seen) in groups.iter_mut().enumerate() {
            seen.below.read_entries(&mut seen.bookmark, |entry| {
                spotter.have_one_more_leader(operations.sees(group, &entry), entry.us);
            });
        }
    }

    fn answer(&self, number: Number) -> Option<Answered> {
        let operations::Operation { name, asked, lane, began, ended, replies, .. } =
            self.operations.get(number)?;
        let group = replies.first()?.group;
        let alone = replies.iter().all(|reply| reply.group == group);
        Some(Answered {
            text: format!("{name}: {}", asked.text),
            object: asked.object.clone(),
            wrote: asked.change != Change::Nothing,
            lane: *lane,
            us: (*began, (*ended)?),
            group: self.groups[group].members.group().to_string(),
        })
        .filter(|_| alone)
    }

    /// The first entry of an operation that the latest leaders have in their logs.
    fn place(&self, number: Number) -> Option<Place> {
        let operation = self.operations.get(number)?;
        let stands = |entry: &&operations::Entry| {
            let below = &self.groups[entry.place.group].below;
            below.term_at(entry.place.index) == Some(entry.term)
        };
        let answered = operation.replies.last().map(|reply| reply.group);
        let standing = operation.entries.iter().filter(stands).map(|entry| entry.place);
        standing.min_by_key(|place| (Some(place.group) != answered, *place))
    }
}
