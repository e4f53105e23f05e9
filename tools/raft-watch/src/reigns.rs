//! Leaders in their terms: what their logs are known to hold, and who has accepted it.

use std::collections::BTreeMap;

use super::understanding::Place;

/// The terms of the entries of one log, as far as they are known.
///
/// Terms never fall from one entry to the next, so between two entries of one term all are of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms(BTreeMap<u64, (u64, u64)>);

impl Terms {
    /// The log has this entry; or the one that it had, and that contradicts it.
    pub(crate) fn add(&mut self, place: Place) -> Result<(), Place> {
        let Place { index, term } = place;
        if index == 0 {
            return Ok(());
        }
        if let Some((earlier, (_, last))) = self.0.range(..term).next_back()
            && *last >= index
        {
            return Err(Place { index: *last, term: *earlier });
        }
        if let Some((later, (first, _))) = self.0.range(term.saturating_add(1)..).next()
            && term < *later
            && *first <= index
        {
            return Err(Place { index: *first, term: *later });
        }
        let (first, last) = self.0.entry(term).or_insert((index, index));
        (*first, *last) = ((*first).min(index), (*last).max(index));
        Ok(())
    }

    /// The term of an entry.
    pub(crate) fn at(&self, index: u64) -> Option<u64> {
        let holds = |(_, (first, last)): &(&u64, &(u64, u64))| (*first..=*last).contains(&index);
        self.0.iter().rev().find(holds).map(|(term, _)| *term)
    }

    /// The terms of the entries after one place and up to another, with their indexes.
    pub(crate) fn between(
        &self,
        prev: Place,
        last: Place,
    ) -> impl Iterator<Item = (u64, u64, u64)> {
        let terms = prev.term..=last.term.max(prev.term);
        self.0.range(terms).filter_map(move |(term, (from, to))| {
            let from = (*from).max(prev.index.saturating_add(1));
            let to = (*to).min(last.index);
            (from <= to).then_some((*term, from, to))
        })
    }
}

/// A part of a log as its entries are encoded, one behind the other.
///
/// Most entries have been seen before: they are sent to each follower, and again. To see that, their
/// bytes are compared as a whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Encoded {
    /// The index of the first entry.
    first: u64,
    bytes: Vec<u8>,
    /// For each entry, where it ends, and its term.
    ends: Vec<(usize, u64)>,
}

impl Encoded {
    /// If these entries, of which the first has this index, are all known: the last one's place.
    pub(crate) fn last_of(&self, index: u64, entries: &[u8]) -> Option<Place> {
        let skip = usize::try_from(index.checked_sub(self.first)?).ok()?;
        let start = match skip.checked_sub(1) {
            None => 0,
            Some(before) => self.ends.get(before)?.0,
        };
        let end = start.checked_add(entries.len())?;
        let known = self.bytes.get(start..end)?;
        let last = self.ends.binary_search_by_key(&end, |(end, _)| *end).ok()?;
        let place = Place { index: self.first + last as u64, term: self.ends[last].1 };
        (known == entries).then_some(place)
    }

    /// Entries that have been looked at one by one; `lengths` and terms are theirs.
    pub(crate) fn learn(&mut self, index: u64, entries: &[u8], parts: &[(usize, u64)]) {
        let next = self.first.saturating_add(self.ends.len() as u64);
        let skip = match index.checked_sub(self.first).map(usize::try_from) {
            Some(Ok(skip)) if index <= next && !self.ends.is_empty() => skip,
            // What is known begins later or ends earlier. The longer part is worth more.
            _ if parts.len() >= self.ends.len() => {
                (self.first, self.bytes, self.ends) = (index, Vec::new(), Vec::new());
                0
            }
            _ => return,
        };
        if skip + parts.len() < self.ends.len() {
            return;
        }
        self.ends.truncate(skip);
        self.bytes.truncate(self.ends.last().map_or(0, |(end, _)| *end));
        let mut end = self.bytes.len();
        self.bytes.extend_from_slice(entries);
        self.ends.extend(parts.iter().map(|(length, term)| {
            end += length;
            (end, *term)
        }));
    }
}

/// What a follower has accepted from a leader.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    pub(crate) place: Place,
    pub(crate) us: u64,
    /// The number of the event.
    pub(crate) at: u64,
    pub(crate) instance: u64,
}

/// Refusals in a row of one follower, all with the same `prevLogIndex`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Refused {
    pub(crate) prev: u64,
    pub(crate) count: u64,
}

/// A leader in its term.
#[derive(Clone, Debug)]
pub(crate) struct Reign {
    pub(crate) leader: usize,
    pub(crate) terms: Terms,
    pub(crate) encoded: Encoded,
    /// The highest index of an entry that it has sent.
    pub(crate) shown: u64,
    /// The highest `leaderCommit` that it has sent.
    pub(crate) commit: u64,
    /// By server: what it has accepted last.
    pub(crate) accepted: Vec<Option<Accepted>>,
    /// The same, as far as it has come back to the leader.
    counted: Vec<Option<Place>>,
    pub(crate) refused: Vec<Refused>,
    /// Up to which index a majority, itself included, has what ends with an entry of its own term.
    pub(crate) committed: u64,
    pub(crate) committed_us: u64,
}

impl Reign {
    pub(crate) fn new(leader: usize, servers: usize) -> Reign {
        Reign {
            leader,
            terms: Terms::default(),
            encoded: Encoded::default(),
            shown: 0,
            commit: 0,
            accepted: vec![None; servers],
            counted: vec![None; servers],
            refused: vec![Refused::default(); servers],
            committed: 0,
            committed_us: 0,
        }
    }

    /// What a majority has, the leader included.
    fn of_a_majority(&self) -> Option<Place> {
        majority(self.accepted.iter().flatten().map(|accepted| accepted.place), self.accepted.len())
    }

    /// An acceptance has come back to the leader. Returns what it may count as committed now.
    pub(crate) fn counts(&mut self, term: u64, server: usize, place: Place) -> Option<u64> {
        let known = &mut self.counted[server];
        if known.is_some_and(|known| known.index >= place.index) {
            return None;
        }
        *known = Some(place);
        let place = majority(self.counted.iter().flatten().copied(), self.counted.len())?;
        (place.term == term).then_some(place.index)
    }

    /// Who has accepted up to an index.
    pub(crate) fn holders(&self, index: u64) -> impl Iterator<Item = usize> + '_ {
        let has = move |accepted: &Option<Accepted>| {
            accepted.is_some_and(|accepted| accepted.place.index >= index)
        };
        self.accepted.iter().enumerate().filter(move |(_, a)| has(a)).map(|(server, _)| server)
    }
}

/// What a majority of so many servers has, if these are the followers' last entries.
fn majority(places: impl Iterator<Item = Place>, servers: usize) -> Option<Place> {
    let mut places: Vec<Place> = places.collect();
    places.sort_unstable_by_key(|place| std::cmp::Reverse(place.index));
    places.get((servers / 2).checked_sub(1)?).copied()
}

/// All leaders, and what is committed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reigns {
    servers: usize,
    by_term: BTreeMap<u64, Reign>,
    /// The highest index that some leader was seen to have on a majority with an entry of its own term.
    pub(crate) committed: u64,
}

impl Reigns {
    pub(crate) fn new(servers: usize) -> Reigns {
        Reigns { servers, ..Reigns::default() }
    }

    pub(crate) fn of(&self, term: u64) -> Option<&Reign> {
        self.by_term.get(&term)
    }

    pub(crate) fn of_mut(&mut self, term: u64) -> Option<&mut Reign> {
        self.by_term.get_mut(&term)
    }

    /// The reign of a leader, which may begin now.
    pub(crate) fn led_by(&mut self, leader: usize, term: u64) -> &mut Reign {
        let servers = self.servers;
        self.by_term.entry(term).or_insert_with(|| Reign::new(leader, servers))
    }

    /// How many there were.
    pub(crate) fn count(&self) -> usize {
        self.by_term.len()
    }

    /// The term of the entry at an index, as the latest leader knew it that has shown it.
    pub(crate) fn term_at(&self, index: u64) -> Option<u64> {
        self.by_term.values().rev().find_map(|reign| reign.terms.at(index))
    }

    /// The latest one.
    pub(crate) fn last(&self) -> Option<(u64, &Reign)> {
        self.by_term.last_key_value().map(|(term, reign)| (*term, reign))
    }

    /// A follower has accepted.
    pub(crate) fn accept(&mut self, term: u64, server: usize, accepted: Accepted) {
        let Some(reign) = self.by_term.get_mut(&term) else { return };
        let known = &mut reign.accepted[server];
        if known.is_some_and(|known| known.place.index >= accepted.place.index) {
            return;
        }
        *known = Some(accepted);
        if let Some(place) = reign.of_a_majority().filter(|place| place.term == term)
            && place.index > reign.committed
        {
            (reign.committed, reign.committed_us) = (place.index, accepted.us);
            self.committed = self.committed.max(place.index);
        }
    }
}
