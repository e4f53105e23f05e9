//! What is seen in a run besides situations, for a search that wants to know whether a run is like
//! another one.

use run_record::coverage::{Coverage, Kind, hash};

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

/// The place of each value among all different ones.
fn ranks(values: impl Iterator<Item = u64> + Clone) -> Vec<u64> {
    let mut sorted: Vec<u64> = values.clone().collect();
    sorted.sort_unstable();
    sorted.dedup();
    values.map(|value| sorted.partition_point(|other| *other < value) as u64).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Role;
    use super::*;
    use crate::calls::Append;
    use crate::understanding::{Install, Leader, Place};

    fn place(index: u64) -> Place {
        Place { index, term: 4 }
    }

    fn append(last: u64) -> Asked {
        Asked::Append(Append {
            term: 4,
            prev: place(1),
            last: place(last),
            commit: 0,
            may_be_told_to_stand: false,
        })
    }

    /// One request of each kind, of term 4.
    fn requests() -> [Asked; 6] {
        let install = Install {
            term: 4,
            leader: Leader::Sender,
            last: place(1),
            offset: 0,
            done: true,
            bytes: 1,
            part: None,
        };
        [
            Asked::Vote { term: 4, last: place(1) },
            append(2),
            append(1),
            Asked::Beat { term: 4, commit: 0 },
            Asked::Install(install),
            Asked::Nothing,
        ]
    }

    fn call(asked: Asked) -> Call {
        let (delivered, lost, reply) = (None, false, None);
        Call { from: 0, instance: 1, to: 1, to_instance: 1, asked, delivered, lost, reply }
    }

    /// Numbers of events are kept from one program to the next.
    #[test]
    fn each_kind_of_event_has_a_number_of_its_own_that_stays() {
        let plain = [Event::Starts, Event::Crashes, Event::Accepts].map(Event::code);
        assert_eq!(plain, [1, 2, 3]);
        let sends = requests().map(|asked| Event::Sends(asked).code());
        assert_eq!(sends, [8, 9, 10, 11, 12, 13]);
        // By a server of the same term, a later one and an earlier one.
        let hears = requests().map(|asked| [4, 5, 3].map(|own| Event::Hears(asked, own).code()));
        let expected = [[16, 17, 18], [19, 20, 21], [22, 23, 24], [25, 26, 27], [28, 29, 30]];
        assert_eq!(hears[..5], expected);
        assert_eq!(hears[5], [31, 31, 31], "what has no term is neither early nor late");
        let replies = [Reply::new(4, false, None), Reply::new(4, true, None), Reply::of_term(4)];
        let answers =
            requests().map(|asked| replies.map(|it| Event::Answers(call(asked), it).code()));
        let expected =
            [[41, 42, 43], [45, 46, 47], [49, 50, 51], [53, 54, 55], [57, 58, 59], [61, 62, 63]];
        assert_eq!(answers, expected);
        let mut learns = Vec::new();
        for asked in requests() {
            learns.push(Event::Learns(call(asked), None, 4).code());
            for reply in replies {
                learns.extend(
                    [4, 5, 3].map(|own| Event::Learns(call(asked), Some(reply), own).code()),
                );
            }
        }
        let of_kind =
            |kind: u32| [0, 3, 4, 5, 6, 7, 8, 9, 10, 11].map(|code| 80 + 12 * kind + code);
        assert_eq!(learns, (0..6).flat_map(of_kind).collect::<Vec<_>>());
    }

    #[test]
    fn servers_are_told_apart_by_what_each_is_and_by_how_they_lie_to_each_other() {
        let state = |change: &dyn Fn(&mut Spotter)| {
            let mut spotter = Spotter::new(3, true);
            (0..3).for_each(|server| spotter.started(server, 1));
            change(&mut spotter);
            spotter.state()
        };
        let states = [
            state(&|_| {}),
            state(&|spotter| spotter.servers[0].alive = false),
            state(&|spotter| spotter.servers[0].role = Role::Candidate),
            state(&|spotter| spotter.servers[0].role = Role::Leader),
            state(&|spotter| {
                (spotter.servers[0].alive, spotter.servers[0].role) = (false, Role::Candidate);
            }),
            state(&|spotter| spotter.servers[0].term = 7),
            state(&|spotter| spotter.servers[0].commit = 7),
            state(&|spotter| spotter.logs.appends(0, 1, 1)),
            state(&|spotter| {
                spotter.logs.appends(0, 1, 2);
                spotter.logs.appends(1, 1, 1);
            }),
            state(&|spotter| {
                spotter.logs.appends(0, 1, 1);
                spotter.logs.appends(1, 1, 1);
            }),
        ];
        let different: std::collections::BTreeSet<u32> = states.into_iter().collect();
        assert_eq!(different.len(), states.len(), "{states:?}");
        // Neither who it is, nor the number itself.
        assert_eq!(state(&|spotter| spotter.servers[2].term = 9), states[5]);
    }

    #[test]
    fn a_rank_is_a_place_among_the_different_values() {
        assert_eq!(ranks([5, 3, 5, 9].into_iter()), [1, 0, 1, 2]);
    }
}
