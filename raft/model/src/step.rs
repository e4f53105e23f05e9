//! What an action makes of a state of the whole cluster.

use raft::{Log, Place};
use run_record::situations::Situation;

use crate::history::{Committed, History};
use crate::message::{Payload, in_short};
use crate::model::Spent;
use crate::seen::Seen;
use crate::server::{Server, holds};
use crate::sights;
use crate::state::{Action, State, What};
use crate::tables::{Effect, Key, Tables, Unknown};
use crate::violation::{Property, Violation};

/// What comes of an action.
#[derive(Debug)]
pub(crate) enum Outcome<'t> {
    /// No new state: at most a message leaves the network. These situations were shown all the same.
    Same(Seen),
    /// Not enough is known.
    Unknown(Unknown),
    /// A property does not hold behind it.
    Broken(Violation),
    /// The state changes.
    Change(Change<'t>),
}

/// How an action changes a state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'t> {
    /// Who has changed,
    pub(crate) server: usize,
    /// into this one.
    pub(crate) next: u32,
    /// What leaves the network, at this place.
    pub(crate) removed: Option<usize>,
    /// What comes into it.
    pub(crate) sent: &'t [u32],
    pub(crate) history: u32,
    pub(crate) spent: Spent,
    pub(crate) seen: Seen,
    /// Messages may arrive any number of times: each is in the network once, for ever.
    pub(crate) any_number: bool,
}

impl State {
    /// The state behind a change.
    pub(crate) fn change(&mut self, change: &Change<'_>) {
        self.servers[change.server] = change.next;
        if let Some(place) = change.removed {
            self.network.remove(place);
        }
        for &message in change.sent {
            if !self.has_already(change, message) {
                self.network.push(message);
            }
        }
        (self.history, self.spent) = (change.history, change.spent);
    }

    /// What an action makes of this state.
    pub(crate) fn step<'t>(&self, tables: &'t Tables, action: Action) -> Outcome<'t> {
        match self.try_step(tables, action) {
            Ok(outcome) => outcome,
            Err(unknown) => Outcome::Unknown(unknown),
        }
    }

    fn try_step<'t>(&self, tables: &'t Tables, action: Action) -> Result<Outcome<'t>, Unknown> {
        let (server, key, place, spent) = self.read_action(tables, action);
        let (number, effect) = tables.effect(self.servers[server], key)?;
        let effect = match effect {
            Ok(effect) => effect,
            Err(violation) => return Ok(Outcome::Broken(violation.clone())),
        };
        let (next, sent) = match (action.cut_short, &effect.interrupted) {
            (false, _) => (effect.next, &effect.sent),
            (true, Some((server, sent))) => (*server, sent),
            (true, None) => return Ok(Outcome::Same(Seen::default())),
        };
        // Of what was only to be told after the save, nobody knows.
        let history = match effect.news.is_some() && !action.cut_short {
            false => self.history,
            true => match tables.successor(self.history, number)? {
                Ok(history) => *history,
                Err(violation) => return Ok(Outcome::Broken(violation.clone())),
            },
        };
        let seen = Seen::default();
        let any_number = tables.any_number();
        let stays = any_number || matches!(action.what, What::Duplicate(_));
        let removed = place.filter(|_| !stays);
        let mut change = Change { server, next, removed, sent, history, spent, seen, any_number };
        if let Err(violation) = self.check(tables, &change, effect) {
            return Ok(Outcome::Broken(violation));
        }
        change.seen = self.sights(tables, &change, effect, action);
        match self.is_same(&change, action) {
            true => Ok(Outcome::Same(change.seen)),
            false => Ok(Outcome::Change(change)),
        }
    }

    /// True if an action only takes a message out of the network. What can happen without that message
    /// can also happen with it, if it never arrives: so this leads to nothing new.
    fn is_same(&self, change: &Change<'_>, action: Action) -> bool {
        let arrives = matches!(action.what, What::Deliver(_) | What::Duplicate(_));
        let changes = change.next != self.servers[change.server] || change.history != self.history;
        arrives && !changes && change.sent.iter().all(|message| self.has_already(change, *message))
    }

    /// True if a message that is sent does not come into the network, since it is there.
    pub(crate) fn has_already(&self, change: &Change<'_>, message: u32) -> bool {
        change.any_number && self.network.contains(&message)
    }

    /// To whom something happens, what, the place of the message that it is about, and what is spent then.
    pub(crate) fn read_action(
        &self,
        tables: &Tables,
        action: Action,
    ) -> (usize, Key, Option<usize>, Spent) {
        let mut spent = self.spent;
        spent.crashes += u8::from(action.cut_short);
        let (server, key, place) = match action.what {
            What::Timeout(server) => (server.into(), Key::Timeout, None),
            What::Heartbeat(server) => {
                spent.heartbeats += 1;
                (server.into(), Key::Heartbeat, None)
            }
            What::Propose(server) => {
                spent.commands += 1;
                (server.into(), Key::Propose(self.spent.commands), None)
            }
            What::Snapshot(server, index) => {
                spent.snapshots += 1;
                (server.into(), Key::Snapshot(index), None)
            }
            What::Crash(server) => {
                spent.crashes += 1;
                (server.into(), Key::Crash, None)
            }
            What::Restart(server) => (server.into(), Key::Restart, None),
            What::Deliver(place) | What::Duplicate(place) | What::Fail(place) => {
                let number = self.network[usize::from(place)];
                let message = tables.messages.get(number);
                let place = Some(usize::from(place));
                match action.what {
                    What::Deliver(_) => (message.to, Key::Deliver(number), place),
                    What::Duplicate(_) => {
                        spent.duplicates += 1;
                        (message.to, Key::Deliver(number), place)
                    }
                    _ => {
                        spent.failures += 1;
                        (message.caller(), Key::Fail(number), place)
                    }
                }
            }
        };
        (server, key, place, spent)
    }

    /// All servers as they are behind a change.
    fn behind<'t>(
        &self,
        tables: &'t Tables,
        change: &Change<'_>,
    ) -> impl Iterator<Item = &'t Server> + Clone {
        let (changed, next) = (change.server, change.next);
        let numbers = self.servers.clone().into_iter().enumerate();
        numbers.map(move |(server, number)| {
            tables.servers.get(if server == changed { next } else { number })
        })
    }

    fn check(
        &self,
        tables: &Tables,
        change: &Change<'_>,
        effect: &Effect,
    ) -> Result<(), Violation> {
        if effect.changed_log || effect.changed_disk {
            check_matching(tables.servers.get(change.next), self.behind(tables, change))?;
        }
        if change.history != self.history {
            check_leaders(tables.history(change.history), self.behind(tables, change))?;
        }
        if effect.changed_disk || change.history != self.history {
            check_majority(tables.history(change.history), self.behind(tables, change))?;
        }
        Ok(())
    }

    /// The situations that the step leads into.
    fn sights(
        &self,
        tables: &Tables,
        change: &Change<'_>,
        effect: &Effect,
        action: Action,
    ) -> Seen {
        let mut seen = Seen::default();
        let me = change.server;
        match action.what {
            What::Crash(_) => {
                let down = self.behind(tables, change).all(|server| server.core.is_none());
                seen.add_if(down, Situation::AllDown);
            }
            What::Restart(_) => self.see_restart(tables, me, &mut seen),
            What::Timeout(_) => {
                let heartbeat = self.network.iter().any(|&number| {
                    let message = tables.messages.get(number);
                    let term = tables.outline(self.servers[me]).term;
                    message.to == me && message.payload.leader_term() == Some(term)
                });
                seen.add_if(heartbeat, Situation::TimeoutWhileHeartbeatTravels);
            }
            What::Propose(_) => {
                let leads_later = |&number: &u32| {
                    let other = tables.outline(number);
                    other.leads && other.term > tables.outline(self.servers[me]).term
                };
                let deposed = self.servers.iter().any(leads_later);
                seen.add_if(deposed, Situation::StaleLeaderAccepts);
            }
            What::Deliver(place) | What::Duplicate(place) => {
                self.see_overtaking(tables, place.into(), &mut seen);
                // Nobody answers a reply.
                let is_request =
                    !tables.messages.get(self.network[usize::from(place)]).payload.is_reply();
                seen.add_if(action.cut_short && is_request, Situation::CrashBeforeReply);
            }
            What::Heartbeat(_) | What::Snapshot(..) | What::Fail(_) => {}
        }
        if action.cut_short {
            return seen;
        }
        if effect.voted {
            let split = is_split(self.behind(tables, change));
            seen.add_if(split, Situation::SplitVote);
        }
        if effect.news.as_ref().is_some_and(|news| news.elected.is_some()) {
            let term = tables.outline(change.next).term;
            let stood = |other: &Server| {
                other.me != me
                    && other.hard().term == term
                    && other.hard().voted_for == Some(other.me)
            };
            let contested = self.behind(tables, change).any(stood);
            seen.add_if(contested, Situation::ContestedTerm);
        }
        self.see_tails(tables, change, &mut seen);
        seen.and(effect.seen)
    }

    fn see_restart(&self, tables: &Tables, me: usize, seen: &mut Seen) {
        let network = self.network.iter().map(|&number| tables.messages.get(number));
        let asked = sights::is_asked_again(tables.servers.get(self.servers[me]), network);
        seen.add_if(asked, Situation::AskedAgainAfterCrash);
    }

    fn see_tails(&self, tables: &Tables, change: &Change<'_>, seen: &mut Seen) {
        let [before, after] = [self.servers[change.server], change.next];
        if tables.outline(before).commit >= tables.outline(after).commit {
            return;
        }
        let leaders = &tables.history(change.history).leaders;
        let led = |term: u64| *leaders.get(usize::try_from(term).ok()?.checked_sub(1)?)?;
        let has_left = |term: u64| {
            led(term).is_some_and(|leader| {
                let now = if leader == change.server { after } else { self.servers[leader] };
                tables.outline(now).term > term
            })
        };
        let [before, after] = [before, after].map(|number| tables.servers.get(number));
        if let (Some(before), Some(after)) = (&before.core, &after.core) {
            let commits = sights::commits_tail(before, after, has_left);
            seen.add_if(commits, Situation::TailCommitted);
        }
    }

    fn see_overtaking(&self, tables: &Tables, place: usize, seen: &mut Seen) {
        let message = tables.messages.get(self.network[place]);
        let Payload::Append(args, _) = &message.payload else { return };
        // What is sent later stands behind what was sent before.
        for &earlier in &self.network[..place] {
            let other = tables.messages.get(earlier);
            if (other.from, other.to) != (message.from, message.to) {
                continue;
            }
            match &other.payload {
                Payload::Append(other, _) => seen.add_if(
                    other.term == args.term && other.entries.is_empty() != args.entries.is_empty(),
                    Situation::Overtaken,
                ),
                Payload::Install(other, _) => {
                    seen.add_if(other.term == args.term, Situation::SnapshotOvertaken);
                }
                _ => {}
            }
        }
    }
}

/// Several candidates in the latest term, and none of them can win any more.
fn is_split<'t>(servers: impl Iterator<Item = &'t Server> + Clone) -> bool {
    let term = servers.clone().map(|server| server.hard().term).max().unwrap_or(0);
    let quorum = servers.clone().count() / 2 + 1;
    let stood =
        |server: &&Server| server.hard().term == term && server.hard().voted_for == Some(server.me);
    let could_win = |candidate: &Server| {
        let for_it = |server: &&Server| {
            let hard = server.hard();
            let free = hard.term < term || hard.voted_for.is_none();
            free || hard.voted_for == Some(candidate.me)
        };
        servers.clone().filter(for_it).count() >= quorum
    };
    servers.clone().filter(stood).count() > 1 && !servers.clone().filter(stood).any(could_win)
}

/// Log Matching, between one server and all others.
fn check_matching<'t>(
    changed: &Server,
    servers: impl Iterator<Item = &'t Server>,
) -> Result<(), Violation> {
    for other in servers.filter(|other| other.me != changed.me) {
        let (ours, theirs) = (changed.log(), other.log());
        if let Some(index) = mismatch(ours, theirs) {
            let words = format!(
                "the logs of servers {} and {} have a common entry behind index {index}, where they \
                 differ: {} and {}",
                changed.me,
                other.me,
                in_short(ours.entries()),
                in_short(theirs.entries())
            );
            return Err(Violation::new(Property::LogMatching, words));
        }
    }
    Ok(())
}

/// An index at which two logs differ, at or before a later one that they have in common.
fn mismatch(ours: &Log, theirs: &Log) -> Option<u64> {
    let first = ours.first_index().max(theirs.first_index());
    let last = ours.last_index().min(theirs.last_index());
    let common = (first..=last).rev().find(|&at| ours.term_at(at) == theirs.term_at(at))?;
    (first..=common).find(|&at| ours.get(at) != theirs.get(at))
}

/// What was committed is in the logs of all leaders of later terms: of who is elected now, and of who led when
/// a leader of an earlier term committed.
fn check_leaders<'t>(
    history: &History,
    servers: impl Iterator<Item = &'t Server>,
) -> Result<(), Violation> {
    for leader in servers.filter(|server| server.is_leader()) {
        history.check_complete(leader.me, leader.hard().term, leader.log())?;
    }
    Ok(())
}

/// What was committed is on the disks of a majority.
fn check_majority<'t>(
    history: &History,
    servers: impl Iterator<Item = &'t Server> + Clone,
) -> Result<(), Violation> {
    let quorum = servers.clone().count() / 2 + 1;
    for (index, Committed { entry, .. }) in (1..).zip(&history.committed) {
        let place = Place { index, term: entry.term };
        let have = servers.clone().filter(|server| holds(&server.disk, place)).count();
        if have < quorum {
            let words = format!(
                "entry {index}, {}, was committed, and is on the disks of {have} servers only",
                in_short(std::slice::from_ref(entry))
            );
            return Err(Violation::new(Property::OnMajority, words));
        }
    }
    Ok(())
}
