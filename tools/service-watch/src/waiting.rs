//! Nobody waits for ever: a server that does not lead any more lets go of those who wait.
//!
//! A leader that was deposed may hope that what it has started is committed all the same, and while it
//! is cut off it cannot know that it was deposed. But once it is in a later term and hears of that term's
//! leader again and again, whoever waits at it must be told to go elsewhere: nothing else frees him.

use labtrace::{Verdict, verdict};
use tester::Members;

use crate::operations::{Number, Operations};
use crate::{Checked, State};

/// How long a deposed server may keep somebody waiting while it hears of the new leader, in
/// microseconds: as the course's tester has it, 1 + 3 s after a partition has healed.
const LONG_US: u64 = 4_000_000;

/// How often a server is looked at.
const LOOK_US: u64 = 100_000;

/// A server hears of its leader if it did so within this time.
const HEARD_US: u64 = 500_000;

/// A request that a server has not answered.
#[derive(Debug)]
pub(crate) struct Waiting {
    client: u64,
    /// For which of its operations it made the call, if it has said so.
    operation: Option<Number>,
    method: String,
    /// The highest term that the server had shown when the request reached it.
    term: u64,
    /// When that was.
    us: u64,
    /// When it was first seen to wait at a deposed server, and for how long it has, so far.
    deposed: Option<(u64, u64)>,
}

impl Waiting {
    pub(crate) fn new(
        (client, operation): (u64, Option<Number>),
        method: &str,
        term: u64,
        us: u64,
    ) -> Waiting {
        Waiting { client, operation, method: method.to_string(), term, us, deposed: None }
    }

    /// When the request reached the server, in microseconds.
    pub(crate) fn since(&self) -> u64 {
        self.us
    }

    /// Whether the client has had an answer, from elsewhere perhaps, or has been stopped: it does not wait any more.
    pub(crate) fn is_over(&self, operations: &Operations) -> bool {
        let operation = self.operation.and_then(|number| operations.get(number));
        operation.is_some_and(|operation| !operation.is_under_way())
    }

    /// What is asked for: the method, and the number of the client.
    pub(crate) fn what(&self) -> (&str, u64) {
        (&self.method, self.client)
    }
}

impl State {
    /// Looks whether somebody waits in vain at a server.
    pub(crate) fn check_waiting(&mut self, group: usize, server: usize, us: u64) -> Checked {
        let State { groups, operations, .. } = self;
        let seen = &mut groups[group];
        let of = &mut seen.servers[server];
        if of.waiting.is_empty() || us < of.next_look {
            return Ok(());
        }
        of.next_look = us + LOOK_US;
        let since = std::mem::replace(&mut of.last_look, us).max(us.saturating_sub(2 * LOOK_US));
        let below = &seen.below;
        let term = below.shown_term(server);
        let leader = below.leader_of(term).filter(|leader| *leader != server);
        let hears = below.heard(server).is_some_and(|heard| us <= heard + HEARD_US);
        for waiting in of.waiting.values_mut().filter(|waiting| waiting.term < term) {
            if waiting.is_over(operations) {
                continue;
            }
            let Some(leader) = leader else {
                waiting.deposed = None; // it may lead again, or hope to
                continue;
            };
            // At the first look, too: it may have been deposed since the one before.
            let (_, waited) = waiting.deposed.get_or_insert((us, 0));
            *waited += if hears { us - since } else { 0 };
            if *waited >= LONG_US {
                let client = operations.name_of(waiting.client);
                let led = below.leader_of(waiting.term) == Some(server);
                let verdict =
                    in_vain(waiting, &seen.members, (server, led), &client, (term, leader), us);
                return Err(Box::new(verdict));
            }
        }
        Ok(())
    }
}

fn in_vain(
    waiting: &Waiting,
    members: &Members,
    (server, led): (usize, bool),
    client: &str,
    (term, leader): (u64, usize),
    us: u64,
) -> Verdict {
    let Waiting { method, .. } = waiting;
    let (name, lane) = (members.node_name(server), members.lane(server) as usize);
    let leader = members.node_name(leader);
    let (since, _) = waiting.deposed.unwrap_or((us, 0));
    let waited = us.saturating_sub(waiting.us) as f64 / 1e6;
    let words = format!(
        "{name} has kept {client} waiting for {waited:.1} s in {method}, and does not lead{}",
        if led { " any more" } else { "" }
    );
    let asked = format!("{name} was asked, and had shown term {}", waiting.term);
    let deposed = format!("{name} is in term {term}, which {leader} leads");
    verdict("nobody waits for ever", words)
        .fact_at(waiting.us, lane, asked)
        .fact_at(since, lane, deposed)
        .fact_at(us, lane, format!("{name} hears of its leader, and has not answered"))
        .hint(
            "who does not lead must let go of those who wait, also a leader that was deposed: when the term moves on, or when \
             another request is executed where theirs was to stand",
        )
        .at(format!("what {method} of {name} waits for"))
        .build()
}
