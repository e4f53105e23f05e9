//! How a property comes to be broken, step by step.

use crate::event::{Event, command};
use crate::message::{Message, in_short, text};
use crate::model::Model;
use crate::server::Server;
use crate::state::{Action, State, What, actions};
use crate::step::Outcome;
use crate::tables::Tables;
use crate::violation::Violation;

/// One of the shortest ways in which a property is broken.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// What is broken, by the last step.
    pub violation: Violation,
    /// The servers at the beginning.
    pub(crate) servers: Vec<Server>,
    pub(crate) steps: Vec<Told>,
}

/// A step, with all that there is to tell of it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// Whom it happens to.
    pub(crate) server: usize,
    pub(crate) event: Event,
    /// It crashes before it tells anybody.
    pub(crate) cut_short: bool,
    /// Which of all messages arrives or is lost.
    pub(crate) message: Option<usize>,
    /// That message stays under way.
    pub(crate) stays: bool,
    /// The server behind the step; none if it breaks down.
    pub(crate) after: Option<Server>,
    /// What it sends, each with its number among all messages.
    pub(crate) sent: Vec<(usize, Message)>,
}

impl Counterexample {
    /// Goes once more along a path, which is given by the places of actions.
    pub(crate) fn new(
        model: &Model,
        tables: &Tables,
        start: &State,
        path: &[u16],
        violation: Violation,
    ) -> Counterexample {
        let servers = start.servers.iter().map(|&server| tables.servers.get(server).clone());
        let servers = servers.collect();
        let mut teller = Teller { tables, state: start.clone(), network: Vec::new(), messages: 0 };
        let mut list = Vec::new();
        let steps = path.iter().map(|&place| {
            actions(model, tables, &teller.state, &mut list);
            teller.step(list[usize::from(place)])
        });
        Counterexample { steps: steps.collect(), violation, servers }
    }

    /// The steps in words, one a line, and what is broken.
    pub fn words(&self) -> String {
        let mut out = String::new();
        for (number, step) in (1..).zip(&self.steps) {
            out += &format!("{number:>4}. {}\n", step.words());
        }
        out + &format!("      {}\n", self.violation)
    }
}

/// A state, in which each message under way has a number of its own.
struct Teller<'t> {
    tables: &'t Tables,
    state: State,
    /// The numbers of the messages under way, in the order of the state's.
    network: Vec<usize>,
    messages: usize,
}

impl Teller<'_> {
    fn step(&mut self, action: Action) -> Told {
        let (server, key, place, _) = self.state.read_action(self.tables, action);
        let mut told = Told {
            server,
            event: self.tables.event(key),
            cut_short: action.cut_short,
            message: place.map(|place| self.network[place]),
            stays: matches!(action.what, What::Duplicate(_)),
            after: None,
            sent: Vec::new(),
        };
        // The last step breaks something; then the server behind it may not be known.
        if let Outcome::Change(change) = self.state.step(self.tables, action) {
            if let Some(place) = change.removed {
                self.network.remove(place);
            }
            for &message in change.sent {
                let number = self.number(message);
                told.sent.push((number, self.tables.messages.get(message).clone()));
            }
            told.after = Some(self.tables.servers.get(change.next).clone());
            self.state.change(&change);
        }
        told
    }

    /// The number that a message has which is sent now: a new one, unless it is there already and stays
    /// there for ever.
    fn number(&mut self, message: u32) -> usize {
        let there = self.state.network.iter().position(|&other| other == message);
        if let Some(place) = there.filter(|_| self.tables.any_number()) {
            return self.network[place];
        }
        self.messages += 1;
        self.network.push(self.messages);
        self.messages
    }
}

impl Told {
    /// The step in words.
    fn words(&self) -> String {
        let me = self.server;
        let mut words = match &self.event {
            Event::Timeout => format!("server {me} hears of no leader and stands for election"),
            Event::Heartbeat => format!("server {me} sends heartbeats"),
            Event::Propose(number) => {
                format!("server {me} gets the command {}", text(&command(*number)))
            }
            Event::Snapshot(index) => format!("server {me} takes a snapshot up to {index}"),
            Event::Deliver(message) if self.stays => format!("{message} (and once more later)"),
            Event::Deliver(message) => message.to_string(),
            Event::Fail(message) => format!("server {me} hears that this is lost: {message}"),
            Event::Crash => format!("server {me} crashes"),
            Event::Restart => format!("server {me} comes back"),
        };
        if self.cut_short {
            words += match self.sent.is_empty() {
                true => "; it saves, and crashes before it tells anybody",
                false => "; it crashes when it has told, before it saves",
            };
        }
        match &self.after {
            Some(after) => format!("{words:<75} | {}", state(after)),
            None => words,
        }
    }
}

/// A server, in short.
fn state(server: &Server) -> String {
    let Server { me, core, .. } = server;
    let Some(core) = core else { return format!("{me}: down") };
    use raft::rules::Role;
    let role = match core.role() {
        Role::Follower => "follows",
        Role::Candidate { .. } => "stands",
        Role::Leader { .. } => "leads",
    };
    let base = core.log().base();
    let base =
        if base.index > 0 { format!("({}/{}) ", base.index, base.term) } else { String::new() };
    let log = in_short(core.log().entries());
    format!("{me}: {role} in term {}, {base}{log}, committed {}", core.term(), core.commit_index())
}
