//! All entries that were sent, whoever's they are: which of them can be that of a write in disguise.
//!
//! A service that shows some of what clients write need not show all of it. It may compress an entry, so that only
//! what has not come before stands in it; it may leave out what a later write of the same entry makes invisible. So
//! that no entry is seen to hold a write says little by itself. But whatever its entry looks like, it was first sent
//! after its client had called.

use std::collections::BTreeMap;

use crate::Place;
use crate::operations::{Operation, Reply};

#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// By group, in the order in which they were first sent: the places and the terms.
    by_group: BTreeMap<usize, Vec<(Place, u64)>>,
}

impl Sent {
    pub(crate) fn add(&mut self, place: Place, term: u64) {
        self.by_group.entry(place.group).or_default().push((place, term));
    }

    /// Whether some entry can be that of this write, for all that who replied could know of it. `committed` gives the
    /// term of what was committed at a place, if that is known.
    pub(crate) fn may_hide(
        &self,
        operation: &Operation,
        reply: &Reply,
        committed: impl Fn(Place) -> Option<u64>,
    ) -> bool {
        let may_know = |place: Place| {
            place.group != reply.group || reply.known.is_none_or(|known| place.index <= known)
        };
        let stands = |place: Place, term: u64| committed(place).is_none_or(|of| of == term);
        let of_group = |entries: &Vec<(Place, u64)>| {
            let from = entries.partition_point(|(place, _)| place.us < operation.began);
            let meanwhile = entries[from..].iter().take_while(|(place, _)| place.us <= reply.us);
            meanwhile.into_iter().any(|(place, term)| may_know(*place) && stands(*place, *term))
        };
        self.by_group.values().any(of_group)
    }
}
