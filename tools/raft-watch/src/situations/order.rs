//! Situations of messages that come in another order than they were sent in.
//!
//! Calls are numbered in the order in which they were made.

use std::collections::{BTreeMap, BTreeSet};

use run_record::situations::Situation;

use super::Counts;
use crate::calls::Asked;

/// What has come last between each two servers.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// By caller and server.
    delivered: BTreeMap<(usize, usize), Latest>,
    /// By caller and server: the latest call that was answered, and its term.
    returned: BTreeMap<(usize, usize), (u64, u64)>,
}

/// What has reached a server from a leader in one term.
#[derive(Debug, Default)]
struct Latest {
    term: u64,
    /// The call that was made last of those with entries, and of those without.
    with_entries: u64,
    without: u64,
    /// Which entries were brought: from where to where.
    brought: BTreeSet<(u64, u64)>,
}

impl Order {
    /// A request has reached its server.
    pub(super) fn delivered(
        &mut self,
        call: u64,
        between: (usize, usize),
        asked: Asked,
        counts: &mut Counts,
    ) {
        let Some(term) = asked.term().filter(|_| !matches!(asked, Asked::Vote { .. })) else {
            return;
        };
        let latest = self.delivered.entry(between).or_default();
        if latest.term != term {
            *latest = Latest { term, ..Latest::default() };
        }
        match asked {
            Asked::Append(append) if append.brings_some() => {
                counts.add_if(call < latest.without, Situation::Overtaken);
                latest.with_entries = latest.with_entries.max(call);
                let again = !latest.brought.insert((append.prev.index, append.last.index));
                counts.add_if(again, Situation::SameRequestTwice);
            }
            Asked::Append(_) | Asked::Beat { .. } => {
                counts.add_if(call < latest.with_entries, Situation::Overtaken);
                latest.without = latest.without.max(call);
            }
            Asked::Install(_) => {
                let appends = latest.with_entries.max(latest.without);
                counts.add_if(call < appends, Situation::SnapshotOvertaken);
            }
            Asked::Vote { .. } | Asked::Nothing => {}
        }
    }

    /// The answer to an AppendEntries of a term has come back.
    pub(super) fn returned(
        &mut self,
        call: u64,
        between: (usize, usize),
        term: u64,
        counts: &mut Counts,
    ) {
        let latest = self.returned.entry(between).or_insert((call, term));
        if latest.1 != term {
            *latest = (call, term);
        }
        counts.add_if(call < latest.0, Situation::LateReply);
        latest.0 = latest.0.max(call);
    }
}
