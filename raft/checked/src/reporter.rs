//! What a server tells the trace of its run about itself.

use labtrace::{LogBase, LogChange, Role, State};

use raft::Place;
use raft::rules::{self, Core, Unsaved};

/// Tells the trace what a server is, each time that changes. Costs nothing while nothing is traced.
#[derive(Debug, Default)]
pub(crate) struct Reporter {
    /// What the trace knows already.
    known: Option<Known>,
}

#[derive(Debug, PartialEq)]
struct Known {
    role: Role,
    term: u64,
    vote: Option<u32>,
    commit: u64,
}

impl Known {
    fn of(core: &Core) -> Known {
        let number = |server: usize| u32::try_from(server).unwrap_or(u32::MAX);
        Known {
            role: match core.role() {
                rules::Role::Follower => Role::Follower,
                rules::Role::Candidate { .. } => Role::Candidate,
                rules::Role::Leader { .. } => Role::Leader,
            },
            term: core.term(),
            vote: core.hard_state().voted_for.map(number),
            commit: core.commit_index(),
        }
    }
}

impl Reporter {
    /// The server's state after some events; `saved` says what of it has changed.
    pub(crate) fn report(&mut self, core: &Core, saved: &Unsaved) {
        if !labtrace::is_on() {
            return;
        }
        // A server votes for itself when it hears of no leader, and never otherwise.
        if saved.hard_state && core.hard_state().voted_for == Some(core.me()) {
            let term = core.term();
            labtrace::note!("timer", "no leader heard of: the election of term {term} begins");
        }
        let now = Known::of(core);
        let log_from = match self.known {
            None => Some(core.log().first_index()),
            // What is behind the snapshot stays as it is.
            Some(_) if saved.snapshot => {
                Some(saved.log_from.unwrap_or(core.log().last_index() + 1))
            }
            Some(_) => saved.log_from,
        };
        if log_from.is_none() && self.known.as_ref() == Some(&now) {
            return;
        }
        let has_new_base = self.known.is_none() || saved.snapshot;
        let log = log_from.map(|from| {
            let entries = core.log().from(from).iter();
            let change =
                labtrace::log_change(from, entries.map(|entry| (entry.term, &*entry.command)));
            LogChange { base: base(core).filter(|_| has_new_base), ..change }
        });
        let Known { role, term, vote, commit } = now;
        labtrace::state(|| State { role, term, vote, commit: Some(commit), log });
        self.known = Some(Known { role, term, vote, commit });
    }
}

/// Where the log begins, if a snapshot holds what was before.
fn base(core: &Core) -> Option<LogBase> {
    let Place { index, term } = core.log().base();
    (index > 0).then_some(LogBase { index, term })
}
