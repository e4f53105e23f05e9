//! Situations of messages that come in another order than they were sent in.
//!
//! Calls are numbered in the order in which they were made. A copy of a request has the number of its call.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use run_record::situations::Situation;

use super::Counts;
use crate::calls::Asked;
use crate::understanding::Install;

/// So much is kept in mind of what was brought: a request is sent again soon or not at all.
const MOST: usize = 2_000;

/// Of so many terms in which a leader has reached a server it is kept: what is late by more comes hardly ever.
const MOST_TERMS: usize = 8;

/// What has come last between each two servers.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// By caller and server, and by term.
    delivered: BTreeMap<(usize, usize), BTreeMap<u64, Latest>>,
    /// By caller and server: the latest call that was answered, of whichever term.
    returned: BTreeMap<(usize, usize), u64>,
    /// By candidate and server: the terms in which the one's request has reached the other.
    stood: BTreeMap<(usize, usize), BTreeSet<u64>>,
}

/// What has reached a server from the leader of one term.
#[derive(Debug, Default)]
struct Latest {
    /// The call that was made last of those with entries, and of those without.
    with_entries: u64,
    without: u64,
    brought: Brought,
}

/// What a request has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// From where to where.
    Entries(u64, u64),
    /// Its last entry, and which part of it.
    Snapshot { last: u64, offset: u64, part: Option<u64> },
}

/// What was brought last.
#[derive(Debug, Default)]
struct Brought {
    known: BTreeSet<What>,
    /// The same in the order in which it came.
    order: VecDeque<What>,
}

impl Brought {
    /// It is brought. True if it is known to have been before.
    fn again(&mut self, what: What) -> bool {
        if !self.known.insert(what) {
            return true;
        }
        self.order.push_back(what);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        false
    }
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
        if let Asked::Vote { term, .. } = asked {
            let again = !self.stood.entry(between).or_default().insert(term);
            counts.add_if(again, Situation::SameRequestTwice);
            return;
        }
        let Some(term) = asked.term() else { return };
        let terms = self.delivered.entry(between).or_default();
        // A late request of an earlier term must not throw away what is known of this one.
        let latest = terms.entry(term).or_default();
        match asked {
            Asked::Append(append) if append.brings_some() => {
                counts.add_if(call < latest.without, Situation::Overtaken);
                latest.with_entries = latest.with_entries.max(call);
                let again =
                    latest.brought.again(What::Entries(append.prev.index, append.last.index));
                counts.add_if(again, Situation::SameRequestTwice);
            }
            Asked::Append(_) | Asked::Beat { .. } => {
                counts.add_if(call < latest.with_entries, Situation::Overtaken);
                latest.without = latest.without.max(call);
            }
            Asked::Install(install) => {
                let appends = latest.with_entries.max(latest.without);
                counts.add_if(call < appends, Situation::SnapshotOvertaken);
                let Install { last, offset, part, .. } = install;
                let what = What::Snapshot { last: last.index, offset, part };
                counts.add_if(latest.brought.again(what), Situation::SameRequestTwice);
            }
            Asked::Vote { .. } | Asked::Nothing => {}
        }
        if terms.len() > MOST_TERMS {
            terms.pop_first();
        }
    }

    /// The answer to an AppendEntries has come back.
    pub(super) fn returned(&mut self, call: u64, between: (usize, usize), counts: &mut Counts) {
        let latest = self.returned.entry(between).or_default();
        counts.add_if(call < *latest, Situation::LateReply);
        *latest = call.max(*latest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_brought_last_is_known_again_and_the_rest_takes_no_room() {
        let mut brought = Brought::default();
        let most = MOST as u64;
        assert!((0..=most).all(|n| !brought.again(What::Entries(n, n + 1))));
        assert_eq!((brought.known.len(), brought.order.len()), (MOST, MOST));
        assert!(brought.again(What::Entries(1, 2)) && !brought.again(What::Entries(0, 1)));
    }

    #[test]
    fn the_latest_terms_are_kept_and_the_rest_takes_no_room() {
        let (mut order, mut counts) = (Order::default(), Counts::default());
        let terms = 2 * MOST_TERMS as u64;
        for term in 1..=terms {
            let beat = Asked::Beat { term, commit: 0 };
            order.delivered(term, (0, 1), beat, &mut counts);
        }
        let kept: Vec<u64> = order.delivered[&(0, 1)].keys().copied().collect();
        assert_eq!(kept, Vec::from_iter(terms - MOST_TERMS as u64 + 1..=terms));
    }
}
