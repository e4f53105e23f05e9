//! Which situations a service and its clients come into. Nothing here is a rule, and nobody is accused: what
//! is seen is counted.

use std::collections::{BTreeMap, BTreeSet};

use labrpc::CallStep;
use run_record::situations::{Counts, Layer, Situation};

use crate::operations::{Entry, Number};
use crate::{Change, State};

/// Counts the situations of a run.
#[derive(Debug)]
pub(crate) struct Spotter {
    counts: Counts,
    /// By group and number: what the calls of clients are made for. Copies of a request may come late, so
    /// nothing is forgotten.
    requests: BTreeMap<(usize, u64), Number>,
    /// What calls were made for, and those of them that were made when the same had been asked for before.
    asked: BTreeSet<Number>,
    again: BTreeSet<(usize, u64)>,
}

impl Default for Spotter {
    fn default() -> Spotter {
        Spotter {
            counts: Counts::of(Layer::Service),
            requests: BTreeMap::new(),
            asked: BTreeSet::new(),
            again: BTreeSet::new(),
        }
    }
}

impl Spotter {
    /// What was seen.
    pub(crate) fn seen(&self) -> &Counts {
        &self.counts
    }

    /// The operation that a call to a group was made for.
    pub(crate) fn operation_of(&self, group: usize, call: u64) -> Option<Number> {
        self.requests.get(&(group, call)).copied()
    }

    /// So many writes have entries of one more leader, beside those of others in the same group.
    pub(crate) fn have_one_more_leader(&mut self, writes: u64, us: u64) {
        self.counts.add(Situation::WriteAtTwoLeaders, writes, || us);
    }
}

impl State {
    /// Something happens to a call of a client to a server of a group.
    pub(crate) fn spot(&mut self, to: (usize, usize), client: u64, call: u64, step: CallStep<'_>) {
        let key = (to.0, call);
        match step {
            CallStep::Sent { .. } => {
                let of = self.operations.number_of(client);
                let Some(of) = of else { return };
                self.spotter.requests.insert(key, of);
                if !self.spotter.asked.insert(of) {
                    self.spotter.again.insert(key);
                }
            }
            // A copy that the network makes comes when it will: that says nothing of the client, who does not hear its
            // answer either.
            CallStep::Delivered => {
                let of = self.spotter.requests.get(&key).copied();
                let waits = of.filter(|of| self.operations.number_of(client) == Some(*of));
                let again = self.spotter.again.remove(&key);
                if let Some(of) = waits {
                    self.reaches(to, of, again);
                }
            }
            _ => {}
        }
    }

    /// A request reaches a server, whose client waits for it. `again`: it had asked for the same before.
    fn reaches(&mut self, (group, server): (usize, usize), of: Number, again: bool) {
        let Some(operation) = self.operations.get(of) else { return };
        if operation.asked.change == Change::Nothing {
            let deposed = self.groups[group].below.is_deposed(server);
            self.spotter.counts.add(
                Situation::ReadAtDeposedLeader,
                u64::from(deposed),
                labtrace::now_us,
            );
        } else if again {
            self.read_entries();
            let committed = self.has_committed(of, group);
            self.spotter.counts.add(
                Situation::RetryAfterCommit,
                u64::from(committed),
                labtrace::now_us,
            );
        }
    }

    /// An entry of an operation is known to be committed in a group's log.
    fn has_committed(&self, of: Number, group: usize) -> bool {
        let below = &self.groups[group].below;
        let is_committed = |entry: &Entry| {
            let Entry { place, term, .. } = *entry;
            place.group == group && below.committed_term_at(place.index) == Some(term)
        };
        self.operations.get(of).is_some_and(|operation| operation.entries.iter().any(is_committed))
    }
}
