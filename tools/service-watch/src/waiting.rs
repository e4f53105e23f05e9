//! Nobody waits for ever: a server that does not lead any more lets go of those who wait.
//!
//! A server that was deposed may hope for a while that what it has started is committed all the same.
//! Once as much is committed as it had started as a leader, its entries are or are not among it, and
//! nothing that could still happen would free a client that waits.

use labtrace::{Verdict, verdict};

use crate::{Checked, State};

/// How long a server may keep somebody waiting who waits for nothing, in microseconds. The course's
/// tester gives 1 + 3 s after a partition has healed.
const LONG_US: u64 = 3_000_000;

/// How often a server is looked at.
const LOOK_US: u64 = 100_000;

/// A request that a server has not answered.
#[derive(Debug)]
pub(crate) struct Waiting {
    client: u64,
    method: String,
    /// The highest term that the server had shown when the request reached it.
    term: u64,
    /// When that was.
    us: u64,
    /// Since when it is known to wait for nothing: as much is committed by then.
    in_vain: Option<(u64, u64)>,
}

impl Waiting {
    pub(crate) fn new(client: u64, method: &str, term: u64, us: u64) -> Waiting {
        Waiting { client, method: method.to_string(), term, us, in_vain: None }
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
        let below = &seen.below;
        let (term, Some(known)) = (below.shown_term(server), below.can_know(server)) else {
            return Ok(());
        };
        if below.shown_as_leader(server, term) > 0 || known < below.shown_before(server, term) {
            return Ok(());
        }
        for waiting in of.waiting.values_mut().filter(|waiting| waiting.term < term) {
            let (since, _) = *waiting.in_vain.get_or_insert((us, known));
            if us >= since + LONG_US {
                let lane = seen.members.lane(server) as usize;
                let client = operations.name_of(waiting.client);
                return Err(Box::new(in_vain(waiting, (server, lane), &client, term, us)));
            }
        }
        Ok(())
    }
}

fn in_vain(
    waiting: &Waiting,
    (server, lane): (usize, usize),
    client: &str,
    term: u64,
    us: u64,
) -> Verdict {
    let Waiting { method, .. } = waiting;
    let (since, known) = waiting.in_vain.unwrap_or((us, 0));
    let waited = us.saturating_sub(waiting.us) as f64 / 1e6;
    let words = format!(
        "server {server} has kept {client} waiting for {waited:.1} s in {method}, and nothing will come \
         of it"
    );
    let asked = format!("server {server} was asked, and had shown term {}", waiting.term);
    let decided = format!(
        "server {server} is in term {term}, which it does not lead, and can know that {known} entries \
         are committed: all that it had started before is decided"
    );
    verdict("nobody waits for ever", words)
        .fact_at(waiting.us, lane, asked)
        .fact_at(since, lane, decided)
        .hint(
            "a leader that was deposed must let go of those who wait: when the term moves on, or when \
             another request is executed where theirs was to stand",
        )
        .at(format!("what {method} of server {server} waits for"))
        .build()
}
