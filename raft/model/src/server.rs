//! One server: its core, its disk, and what one event makes of them.
//!
//! A step handles one event and performs what comes of it in the order of `perform` in
//! `raft/src/server/event_loop.rs`: save, then answer, then send, then apply. It may also be *interrupted*: the
//! server saves, and crashes before anybody is told.

use std::hash::Hash as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use raft::rules::{Core, Output, Reads, Role};
use raft::{HardState, Log, Place, Stored};

use crate::event::{Event, command};
use crate::fingerprint::{Fingerprint, Renaming, fingerprint};
use crate::history::News;
use crate::message::{Message, Payload};
use crate::mistakes::Mistake;
use crate::seen::Seen;
use crate::sights;
use crate::violation::{Property, Violation};

/// A server, up or down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) me: usize,
    /// How many servers there are.
    pub(crate) servers: usize,
    /// None while it is down.
    pub(crate) core: Option<Core>,
    /// What it finds when it comes back.
    pub(crate) disk: Stored,
    /// The latest term and vote that it has told anybody of. A right server has them on its disk.
    pub(crate) promised: HardState,
}

/// What an event makes of a server.
#[derive(Debug)]
pub(crate) struct Step {
    /// The server behind it.
    pub(crate) next: Server,
    /// What is sent: first the answer, then requests.
    pub(crate) sent: Vec<Message>,
    /// The same step, cut short by a crash; none if that were as if the event had not been.
    pub(crate) interrupted: Option<Interrupted>,
    /// What it does to the cluster's history, if anything.
    pub(crate) news: Option<News>,
    /// The log is another one now.
    pub(crate) changed_log: bool,
    /// The log on the disk is another one now.
    pub(crate) changed_disk: bool,
    /// The term or the vote is another one now.
    pub(crate) voted: bool,
    /// The situations that this one server can tell.
    pub(crate) seen: Seen,
}

/// A step that a crash cuts short.
#[derive(Debug)]
pub(crate) struct Interrupted {
    /// The server, down.
    pub(crate) server: Server,
    /// What was sent before the crash: nothing, unless the server makes a mistake.
    pub(crate) sent: Vec<Message>,
}

impl Server {
    /// A server that has just been started with this disk.
    pub(crate) fn new(me: usize, servers: usize, disk: Stored) -> Server {
        let promised = disk.hard;
        let core = Some(started(me, servers, &disk));
        Server { me, servers, core, disk, promised }
    }

    /// The log it works with; that on its disk while it is down.
    pub(crate) fn log(&self) -> &Log {
        self.core.as_ref().map_or(&self.disk.log, Core::log)
    }

    /// Term and vote, likewise.
    pub(crate) fn hard(&self) -> HardState {
        self.core.as_ref().map_or(self.disk.hard, Core::hard_state)
    }

    /// True if it is up and leads.
    pub(crate) fn is_leader(&self) -> bool {
        self.core.as_ref().is_some_and(Core::is_leader)
    }

    /// What an event makes of it.
    ///
    /// # Errors
    /// If the server breaks a property that it can break alone.
    ///
    /// # Panics
    /// If what happens cannot happen to a server that is down.
    pub(crate) fn step(&self, event: &Event, mistake: Option<Mistake>) -> Result<Step, Violation> {
        match event {
            Event::Crash => Ok(self.turned(None)),
            Event::Restart => {
                let core = caught(|| started(self.me, self.servers, &self.disk))?;
                Ok(self.turned(Some(core)))
            }
            _ => self.handle(event, mistake),
        }
    }

    /// Down, or up again.
    fn turned(&self, core: Option<Core>) -> Step {
        let seen = sights::restart(self, core.as_ref());
        let next = Server { core, ..self.clone() };
        Step {
            changed_log: next.log() != self.log(),
            next,
            sent: Vec::new(),
            interrupted: None,
            news: None,
            changed_disk: false,
            voted: false,
            seen,
        }
    }

    fn handle(&self, event: &Event, mistake: Option<Mistake>) -> Result<Step, Violation> {
        let before = self.core.as_ref().expect("only a restart happens to a server that is down");
        let mut heard = event.clone();
        if let (Event::Deliver(message), Some(mistake)) = (&mut heard, mistake) {
            mistake.hears(before, &mut message.payload);
        }
        let mut core = before.clone();
        let mut answer = caught(|| {
            let answer = react(&mut core, &heard);
            core.replicate();
            answer
        })?;
        let mut output = core.take_output();
        if let Some(mistake) = mistake {
            mistake.spoils(&mut core, &mut output, self.servers, &heard);
            mistake.tells(&core, answer.as_mut(), &mut output.requests);
        }
        check_append_only(before, &core)?;
        let next = self.next(core, &output, mistake)?;
        let seen = sights::event(before, next.core.as_ref().expect("it is up"), &heard);
        Ok(self.performed(next, output, answer, event, mistake, seen))
    }

    /// The server, once it has saved.
    fn next(
        &self,
        core: Core,
        output: &Output,
        mistake: Option<Mistake>,
    ) -> Result<Server, Violation> {
        let mut unsaved = output.unsaved.clone();
        if let Some(mistake) = mistake {
            mistake.saves(&core, &mut unsaved);
        }
        let mut disk = self.disk.clone();
        if unsaved.hard_state {
            disk.hard = core.hard_state();
        }
        if unsaved.snapshot {
            disk.snapshot = core.snapshot().clone();
            disk.log = core.log().clone();
        } else if let Some(from) = unsaved.log_from
            && (mistake.is_some() || same_before(&disk.log, core.log(), from))
        {
            disk.log = core.log().clone();
        }
        // Who makes a mistake may save too little: then it is for the other properties to find it.
        if mistake.is_none() && disk != stored(&core) {
            let words =
                format!("server {} is about to answer, but its state is not saved", self.me);
            return Err(Violation::new(Property::Saved, words));
        }
        let promised = self.promise(core.hard_state(), self.hard())?;
        Ok(Server { me: self.me, servers: self.servers, core: Some(core), disk, promised })
    }

    /// What it has told, once it tells this too.
    fn promise(&self, now: HardState, before: HardState) -> Result<HardState, Violation> {
        let (me, told) = (self.me, self.promised);
        let votes = now != before && now.voted_for.is_some();
        let again =
            now.term == told.term && told.voted_for.is_some_and(|v| Some(v) != now.voted_for);
        if votes && (now.term < told.term || again) {
            let whom =
                |vote: Option<usize>| vote.map_or("nobody".into(), |v| format!("server {v}"));
            let words = format!(
                "server {me} votes for {} in term {}, after it voted for {} in term {}",
                whom(now.voted_for),
                now.term,
                whom(told.voted_for),
                told.term
            );
            return Err(Violation::new(Property::OneVote, words));
        }
        let is_news = (now.term, now.voted_for.is_some()) > (told.term, told.voted_for.is_some());
        Ok(if is_news { now } else { told })
    }

    fn performed(
        &self,
        next: Server,
        output: Output,
        answer: Option<Payload>,
        event: &Event,
        mistake: Option<Mistake>,
        seen: Seen,
    ) -> Step {
        let core = next.core.as_ref().expect("it is up");
        let news = News::of(core, &output);
        let from = self.me;
        let answer = answer.map(|payload| match event {
            Event::Deliver(request) => Message { from, to: request.from, payload },
            _ => unreachable!("only a message is answered"),
        });
        let requests = output.requests.into_iter();
        let requests =
            requests.map(|(to, request)| Message { from, to, payload: Payload::of(request) });
        let sent: Vec<Message> = answer.into_iter().chain(requests).collect();
        let interrupted = match mistake {
            Some(mistake) if mistake.answers_first() => Some(Interrupted {
                server: Server { core: None, promised: next.promised, ..self.clone() },
                sent: sent.clone(),
            }),
            _ => (next.disk != self.disk).then(|| Interrupted {
                server: Server { core: None, ..next.clone() },
                sent: Vec::new(),
            }),
        };
        Step {
            changed_log: next.log() != self.log(),
            changed_disk: next.disk.log != self.disk.log,
            voted: next.hard() != self.hard(),
            next,
            sent,
            interrupted,
            news,
            seen,
        }
    }

    /// What stands for it if the servers are renamed.
    ///
    /// Each part of a core that can differ must be in it: who keeps servers compares those with one
    /// fingerprint, whole.
    pub(crate) fn fingerprint(&self, renaming: &Renaming) -> Fingerprint {
        let hard = |state: HardState| (state.term, state.voted_for.map(|vote| renaming.of(vote)));
        let disk = &self.disk;
        let on_disk = ("server", renaming.of(self.me), hard(disk.hard), &disk.log, &disk.snapshot);
        let promised = hard(self.promised);
        let Some(core) = &self.core else {
            return fingerprint(|hasher| (&on_disk, promised).hash(hasher));
        };
        let memory = (hard(core.hard_state()), core.log(), core.snapshot(), core.commit_index());
        fingerprint(|hasher| {
            (&on_disk, promised, &memory).hash(hasher);
            match core.role() {
                Role::Follower => "follower".hash(hasher),
                Role::Candidate { votes } => {
                    let votes = votes.iter().map(|&vote| 1u32 << renaming.of(vote));
                    ("candidate", votes.sum::<u32>()).hash(hasher);
                }
                Role::Leader { progress, reads } => {
                    assert!(*reads == Reads::default(), "nobody reads without a log entry here");
                    ("leader", renaming.rearranged(progress)).hash(hasher);
                }
            }
        })
    }
}

/// A core that has just been started, and has nothing to do.
fn started(me: usize, servers: usize, disk: &Stored) -> Core {
    let mut core = Core::new(me, servers, disk.clone());
    core.take_output();
    core
}

/// What the core has to have on its disk.
fn stored(core: &Core) -> Stored {
    let (log, snapshot) = (core.log().clone(), core.snapshot().clone());
    Stored { hard: core.hard_state(), log, snapshot }
}

/// Hands an event to a core. Returns its answer.
fn react(core: &mut Core, event: &Event) -> Option<Payload> {
    match event {
        Event::Timeout => core.election_timeout(),
        Event::Heartbeat => core.heartbeat_timeout(),
        Event::Propose(number) => drop(core.propose(command(*number))),
        Event::Snapshot(index) => {
            let data = snapshot(core, *index);
            core.take_snapshot(*index, data);
        }
        Event::Deliver(message) => return deliver(core, message),
        Event::Fail(message) => {
            let peer = if message.from == core.me() { message.to } else { message.from };
            match message.payload {
                Payload::Append(_, ticket) | Payload::Appended(ticket, _) => {
                    core.append_failed(peer, ticket);
                }
                Payload::Install(_, ticket) | Payload::Installed(ticket, _) => {
                    core.install_failed(peer, ticket);
                }
                Payload::Vote(_) | Payload::Voted { .. } => {}
            }
        }
        Event::Crash | Event::Restart => unreachable!("no event of a core"),
    }
    None
}

fn deliver(core: &mut Core, message: &Message) -> Option<Payload> {
    let from = message.from;
    match &message.payload {
        Payload::Vote(args) => {
            return Some(Payload::Voted { sent_in: args.term, reply: core.request_vote(args) });
        }
        Payload::Append(args, ticket) => {
            return Some(Payload::Appended(*ticket, core.append_entries(args)));
        }
        Payload::Install(args, ticket) => {
            return Some(Payload::Installed(*ticket, core.install_snapshot(args)));
        }
        Payload::Voted { sent_in, reply } => core.vote_reply(from, *sent_in, reply),
        Payload::Appended(ticket, reply) => core.append_reply(from, *ticket, reply),
        Payload::Installed(ticket, reply) => core.install_reply(from, *ticket, reply),
    }
    None
}

/// A service's snapshot of all up to this index: the text of all commands.
fn snapshot(core: &Core, index: u64) -> Bytes {
    let newer = (core.log().first_index()..=index).filter_map(|index| core.log().get(index));
    let newer = newer.flat_map(|entry| entry.command.iter());
    core.snapshot().iter().chain(newer).copied().collect()
}

/// Turns a broken promise of the core's own into a violation.
fn caught<T>(act: impl FnOnce() -> T) -> Result<T, Violation> {
    // What a panic leaves is thrown away.
    catch_unwind(AssertUnwindSafe(act)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied());
        Violation::new(Property::OwnPromises, text.unwrap_or("a panic without words").into())
    })
}

/// True if two logs are the same before an index, as far as both know it.
fn same_before(a: &Log, b: &Log, index: u64) -> bool {
    let reaches = a.last_index() + 1 >= index;
    reaches && a.base() == b.base() && (a.first_index()..index).all(|at| a.get(at) == b.get(at))
}

/// Leader Append-Only.
fn check_append_only(before: &Core, after: &Core) -> Result<(), Violation> {
    let leads = before.is_leader() && after.is_leader() && before.term() == after.term();
    let (old, new) = (before.log(), after.log());
    let mut there = new.first_index()..=old.last_index();
    match there.find(|&index| leads && new.get(index) != old.get(index)) {
        None => Ok(()),
        Some(index) => {
            let (me, term) = (after.me(), after.term());
            let words = format!("server {me} leads term {term} and changes its entry {index}");
            Err(Violation::new(Property::LeaderAppendOnly, words))
        }
    }
}

/// The last index that a leader knows a majority to have; 0 for who does not lead.
pub(crate) fn matched_by_majority(core: &Core) -> u64 {
    let Role::Leader { progress, .. } = core.role() else { return 0 };
    let mut matched: Vec<u64> = progress.iter().map(|one| one.matched).collect();
    matched[core.me()] = core.log().last_index();
    matched.sort_unstable_by(|a, b| b.cmp(a));
    matched[matched.len() / 2]
}

/// True if a disk has this entry, or a snapshot that covers it.
pub(crate) fn holds(disk: &Stored, place: Place) -> bool {
    disk.log.base().index >= place.index || disk.log.term_at(place.index) == Some(place.term)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_saved_is_noticed() {
        let server = Server::new(0, 3, Stored::default());
        let mut core = server.core.clone().expect("it is up");
        core.election_timeout();
        let mut output = core.take_output();
        assert!(server.next(core.clone(), &output, None).is_ok());
        output.unsaved.hard_state = false;
        let broken = server.next(core, &output, None).expect_err("its vote is not saved");
        assert_eq!(broken.property, Property::Saved);
    }

    #[test]
    fn a_leader_that_changes_its_log_is_noticed() {
        let leader = |number| {
            let mut core = Core::new(0, 1, Stored::default());
            core.election_timeout();
            core.propose(command(number));
            core
        };
        assert_eq!(check_append_only(&leader(0), &leader(0)), Ok(()));
        let broken = check_append_only(&leader(0), &leader(1)).expect_err("another entry");
        assert_eq!(broken.property, Property::LeaderAppendOnly);
    }
}
