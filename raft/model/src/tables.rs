//! What is known: servers, messages and histories, and what events make of them.
//!
//! A core is a function from events to effects, so what an event makes of a server is worked out once
//! and looked up ever after. There are few servers beside the states of whole clusters: so states are
//! mostly stepped through without a core being touched.
//!
//! The search only reads what is known. What it misses it notes, and between two rounds all of that is
//! worked out, on all cores, and kept in one order. So no lock is needed, and numbers do not depend on
//! how many threads there are.

use hashbrown::HashMap;
use rayon::prelude::*;
use rustc_hash::FxBuildHasher;

use crate::event::Event;
use crate::fingerprint::{Fingerprint, Renaming};
use crate::history::{History, News};
use crate::interned::{Interned, Part, Printed};
use crate::message::Message;
use crate::mistakes::Mistake;
use crate::model::{Model, Spent};
use crate::seen::Seen;
use crate::server::{Interrupted, Server, Step};
use crate::state::State;
use crate::violation::Violation;

/// An event, as far as it is not said by whom it happens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    Timeout,
    Heartbeat,
    Propose(u8),
    Snapshot(u8),
    Deliver(u32),
    Fail(u32),
    Crash,
    Restart,
}

/// What an event makes of a server.
#[derive(Debug)]
pub(crate) struct Effect {
    pub(crate) next: u32,
    pub(crate) sent: Box<[u32]>,
    pub(crate) interrupted: Option<(u32, Box<[u32]>)>,
    pub(crate) news: Option<Box<News>>,
    pub(crate) changed_log: bool,
    pub(crate) changed_disk: bool,
    pub(crate) voted: bool,
    pub(crate) seen: Seen,
}

/// What is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Unknown {
    /// What an event makes of a server.
    Effect(u32, Key),
    /// What an effect makes of a history.
    History(u32, u32),
}

/// What the next step of a server depends on, in short.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outline {
    pub(crate) is_up: bool,
    pub(crate) leads: bool,
    pub(crate) term: u64,
    pub(crate) base: u64,
    pub(crate) commit: u64,
}

type Table<K, V> = HashMap<K, V, FxBuildHasher>;

/// All that is known.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) servers: Interned<Server>,
    pub(crate) messages: Interned<Message>,
    histories: Interned<History>,
    outlines: Vec<Outline>,
    effects: Vec<Result<Effect, Violation>>,
    by_event: Table<(u32, Key), u32>,
    successors: Table<(u32, u32), Result<u32, Violation>>,
    renamings: Vec<Renaming>,
    mistake: Option<Mistake>,
    any_number: bool,
}

/// What was worked out, to be kept.
enum Worked {
    Effect((u32, Key), Result<Box<PrintedStep>, Violation>),
    History((u32, u32), Result<Printed<History>, Violation>),
}

struct PrintedStep {
    step: Step,
    next: Printed<Server>,
    sent: Vec<Printed<Message>>,
    interrupted: Option<(Printed<Server>, Vec<Printed<Message>>)>,
}

impl Tables {
    /// What is known at first, and the state that a model begins with.
    pub(crate) fn new(model: &Model) -> (Tables, State) {
        let renamings = Renaming::all(model.servers, model.symmetry);
        let mut tables = Tables {
            servers: Interned::new(renamings.len()),
            messages: Interned::new(renamings.len()),
            histories: Interned::new(renamings.len()),
            outlines: Vec::new(),
            effects: Vec::new(),
            by_event: Table::default(),
            successors: Table::default(),
            renamings,
            mistake: model.mistake,
            any_number: model.duplicates.is_none(),
        };
        let (servers, history) = model.start.cluster(model.servers);
        let print = |server| Printed::new(server, &tables.renamings);
        let servers: Vec<Printed<Server>> = servers.into_iter().map(print).collect();
        let history = Printed::new(history, &tables.renamings);
        let spent = Spent { commands: model.start.commands(), ..Spent::default() };
        let state = State {
            servers: servers.into_iter().map(|server| tables.keep_server(server)).collect(),
            history: tables.histories.keep(history),
            spent,
            network: Vec::new(),
        };
        (tables, state)
    }

    pub(crate) fn outline(&self, server: u32) -> Outline {
        self.outlines[server as usize]
    }

    pub(crate) fn history(&self, number: u32) -> &History {
        self.histories.get(number)
    }

    pub(crate) fn history_prints(&self, number: u32) -> &[Fingerprint] {
        self.histories.prints(number)
    }

    /// True if messages may arrive any number of times.
    pub(crate) fn any_number(&self) -> bool {
        self.any_number
    }

    /// How many ways there are to name the servers.
    pub(crate) fn renamings(&self) -> usize {
        self.renamings.len()
    }

    /// How many servers, messages and effects were met.
    pub(crate) fn sizes(&self) -> [usize; 3] {
        [self.servers.len(), self.messages.len(), self.effects.len()]
    }

    /// What an event makes of a server, and its number.
    pub(crate) fn effect(
        &self,
        server: u32,
        key: Key,
    ) -> Result<(u32, &Result<Effect, Violation>), Unknown> {
        match self.by_event.get(&(server, key)) {
            Some(&number) => Ok((number, &self.effects[number as usize])),
            None => Err(Unknown::Effect(server, key)),
        }
    }

    /// What an effect makes of a history.
    pub(crate) fn successor(
        &self,
        history: u32,
        effect: u32,
    ) -> Result<&Result<u32, Violation>, Unknown> {
        self.successors.get(&(history, effect)).ok_or(Unknown::History(history, effect))
    }

    /// Works out what is not known.
    pub(crate) fn learn(&mut self, mut unknown: Vec<Unknown>) {
        unknown.sort_unstable();
        unknown.dedup();
        let worked: Vec<Worked> = unknown.par_iter().map(|one| self.work_out(*one)).collect();
        worked.into_iter().for_each(|worked| self.keep(worked));
    }

    fn work_out(&self, unknown: Unknown) -> Worked {
        match unknown {
            Unknown::Effect(server, key) => {
                let step = self.servers.get(server).step(&self.event(key), self.mistake);
                Worked::Effect((server, key), step.map(|step| Box::new(self.print(step))))
            }
            Unknown::History(history, effect) => {
                let effect_news = match &self.effects[effect as usize] {
                    Ok(Effect { news: Some(news), .. }) => news,
                    other => panic!("nothing to do with a history: {other:?}"),
                };
                let next = self.histories.get(history).with(effect_news);
                let next = next.map(|next| Printed::new(next, &self.renamings));
                Worked::History((history, effect), next)
            }
        }
    }

    /// What stands behind a key.
    pub(crate) fn event(&self, key: Key) -> Event {
        match key {
            Key::Timeout => Event::Timeout,
            Key::Heartbeat => Event::Heartbeat,
            Key::Propose(number) => Event::Propose(number),
            Key::Snapshot(index) => Event::Snapshot(index.into()),
            Key::Deliver(message) => Event::Deliver(self.messages.get(message).clone()),
            Key::Fail(message) => Event::Fail(self.messages.get(message).clone()),
            Key::Crash => Event::Crash,
            Key::Restart => Event::Restart,
        }
    }

    fn print(&self, mut step: Step) -> PrintedStep {
        let messages = |messages: Vec<Message>| -> Vec<Printed<Message>> {
            messages.into_iter().map(|message| Printed::new(message, &self.renamings)).collect()
        };
        let interrupted = step.interrupted.take().map(|Interrupted { server, sent }| {
            (Printed::new(server, &self.renamings), messages(sent))
        });
        PrintedStep {
            next: Printed::new(step.next.clone(), &self.renamings),
            sent: messages(std::mem::take(&mut step.sent)),
            interrupted,
            step,
        }
    }

    fn keep(&mut self, worked: Worked) {
        match worked {
            Worked::Effect(key, step) => {
                let effect = step.map(|step| self.keep_step(*step));
                self.by_event.insert(key, self.effects.len() as u32);
                self.effects.push(effect);
            }
            Worked::History(key, next) => {
                let next = next.map(|next| self.histories.keep(next));
                self.successors.insert(key, next);
            }
        }
    }

    fn keep_step(&mut self, printed: PrintedStep) -> Effect {
        let PrintedStep { step, next, sent, interrupted } = printed;
        Effect {
            next: self.keep_server(next),
            sent: self.keep_messages(sent),
            interrupted: interrupted
                .map(|(server, sent)| (self.keep_server(server), self.keep_messages(sent))),
            news: step.news.map(Box::new),
            changed_log: step.changed_log,
            changed_disk: step.changed_disk,
            voted: step.voted,
            seen: step.seen,
        }
    }

    fn keep_messages(&mut self, messages: Vec<Printed<Message>>) -> Box<[u32]> {
        messages.into_iter().map(|message| self.messages.keep(message)).collect()
    }

    fn keep_server(&mut self, server: Printed<Server>) -> u32 {
        let number = self.servers.keep(server);
        if number as usize == self.outlines.len() {
            let server = self.servers.get(number);
            self.outlines.push(Outline {
                is_up: server.core.is_some(),
                leads: server.is_leader(),
                term: server.hard().term,
                base: server.log().base().index,
                commit: server.core.as_ref().map_or(0, raft::rules::Core::commit_index),
            });
        }
        number
    }
}

impl Part for Server {
    fn fingerprint(&self, renaming: &Renaming) -> Fingerprint {
        self.fingerprint(renaming)
    }
}

impl Part for Message {
    fn fingerprint(&self, renaming: &Renaming) -> Fingerprint {
        self.fingerprint(renaming)
    }
}

impl Part for History {
    fn fingerprint(&self, renaming: &Renaming) -> Fingerprint {
        self.fingerprint(renaming)
    }
}
