//! What is seen in a run besides situations, for a search that wants to know whether a run is like
//! another one.

use run_record::coverage::{Coverage, Kind};
use run_record::mix;
use run_record::situations::Situation;

use super::{Asked, Call, Spotter};
use crate::understanding::Reply;

/// What was seen of a group, if somebody wants to know.
#[derive(Debug)]
pub(super) struct Seen {
    all: Coverage,
    /// The last event of each server.
    last: Vec<u32>,
    /// What the servers were like together after the last event.
    state: u32,
}

/// Something that happens at a server.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Starts,
    Crashes,
    Accepts,
    Sends(Asked),
    /// A request, and the term of who gets it.
    Hears(Asked, u64),
    Answers(Call, Reply),
    /// The end of a call, and the term of who made it.
    Learns(Call, Option<Reply>, u64),
}

impl Seen {
    pub(super) fn new(servers: usize) -> Seen {
        Seen { all: Coverage::default(), last: vec![0; servers], state: 0 }
    }

    pub(super) fn all(&self) -> Coverage {
        self.all.clone()
    }
}

impl Spotter {
    /// Something has happened at a server. What has become of its role and of what all know is there
    /// already.
    pub(super) fn see(&mut self, server: usize, event: Event) {
        let Some(mut seen) = self.seen.take() else { return };
        let us = labtrace::now_us();
        for (situation, count) in self.counts.fresh() {
            seen.all.see(Kind::Situations, hash([of_situation(situation), count]), us);
        }
        let event = hash([u64::from(event.code()), self.servers[server].role as u64]);
        let before = std::mem::replace(&mut seen.last[server], event);
        seen.all.see(Kind::Pairs, hash([u64::from(before), u64::from(event)]), us);
        let state = self.state();
        if std::mem::replace(&mut seen.state, state) != state {
            seen.all.see(Kind::States, state, us);
        }
        self.seen = Some(seen);
    }

    /// What the servers are like together, whichever of them is which and whatever the numbers are: roles,
    /// and the orders of terms, of the last entries' terms and places, and of what is known as committed.
    fn state(&self) -> u32 {
        let count = self.servers.len();
        let lasts: Vec<u64> = (0..count).map(|server| self.logs.last(server)).collect();
        let columns = [
            ranks(self.servers.iter().map(|server| server.term)),
            ranks((0..count).map(|server| self.logs.term_at(server, lasts[server]))),
            ranks(lasts.iter().copied()),
            ranks(self.servers.iter().map(|server| server.commit)),
        ];
        let of = |server: usize| {
            let known = &self.servers[server];
            let plain = 4 * u64::from(known.alive) + known.role as u64;
            columns.iter().fold(plain, |sum, ranks| 16 * sum + ranks[server].min(15))
        };
        let mut all: Vec<u64> = (0..count).map(of).collect();
        all.sort_unstable();
        hash(all)
    }
}

impl Event {
    /// What kind of event it is, in a number below 256.
    fn code(self) -> u32 {
        match self {
            Event::Starts => 1,
            Event::Crashes => 2,
            Event::Accepts => 3,
            Event::Sends(asked) => 8 + kind(&asked),
            Event::Hears(asked, own) => 16 + 3 * kind(&asked) + order(asked.term(), own),
            Event::Answers(call, reply) => 40 + 4 * kind(&call.asked) + answer(Some(reply)),
            Event::Learns(call, reply, own) => {
                let term = reply.and_then(|reply| reply.term);
                80 + 12 * kind(&call.asked) + 3 * answer(reply) + order(term, own)
            }
        }
    }
}

/// A kind of request, below 6.
fn kind(asked: &Asked) -> u32 {
    match asked {
        Asked::Vote { .. } => 0,
        Asked::Append(append) if append.brings_some() => 1,
        Asked::Append(_) => 2,
        Asked::Beat { .. } => 3,
        Asked::Install(_) => 4,
        Asked::Nothing => 5,
    }
}

/// Yes, no, something else or nothing: below 4.
fn answer(reply: Option<Reply>) -> u32 {
    match reply {
        None => 0,
        Some(reply) => reply.yes.map_or(3, |yes| 1 + u32::from(yes)),
    }
}

/// How a message's term lies to one's own: below 3.
fn order(term: Option<u64>, own: u64) -> u32 {
    match term {
        Some(term) if term > own => 2,
        Some(term) if term < own => 1,
        _ => 0,
    }
}

fn of_situation(situation: Situation) -> u64 {
    situation.key().bytes().fold(0, |sum, byte| mix(sum ^ u64::from(byte)))
}

/// The place of each value among all different ones.
fn ranks(values: impl Iterator<Item = u64> + Clone) -> Vec<u64> {
    let mut sorted: Vec<u64> = values.clone().collect();
    sorted.sort_unstable();
    sorted.dedup();
    values.map(|value| sorted.partition_point(|other| *other < value) as u64).collect()
}

fn hash(words: impl IntoIterator<Item = u64>) -> u32 {
    (words.into_iter().fold(0, |sum, word| mix(sum ^ word)) >> 32) as u32
}
