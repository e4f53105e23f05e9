//! Leaders in their terms: what their logs are known to hold, and who has accepted it.

use std::collections::{BTreeMap, BTreeSet};

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
        let known = self.0.get(&term);
        if index == 0 || known.is_some_and(|(first, last)| (*first..=*last).contains(&index)) {
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

    /// The index of the first entry of a term that is known.
    pub(crate) fn first_of(&self, term: u64) -> Option<u64> {
        self.0.get(&term).map(|(first, _)| *first)
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
    /// How many requests had been sent by then.
    pub(crate) at: u64,
    pub(crate) instance: u64,
}

impl Accepted {
    /// Takes the place of what was known if it is more.
    fn goes_beyond(self, known: &mut Option<Accepted>) -> bool {
        if let Some(known) = known
            && known.place.index >= self.place.index
        {
            if known.place == self.place && known.instance != self.instance {
                // It still had them after its restart.
                (known.us, known.instance) = (self.us, self.instance);
            }
            return false;
        }
        *known = Some(self);
        true
    }
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
    /// By server: what it has accepted last, as the leader may count it.
    pub(crate) accepted: Vec<Option<Accepted>>,
    /// The same, as far as the follower must keep it. That may be less if it is not clear what its number means.
    pub(crate) kept: Vec<Option<Accepted>>,
    /// Up to which index it has said yes, whatever of that counts, or may have, with nobody to hear it.
    pub(crate) taken: Vec<u64>,
    /// The same, as far as it has come back to the leader.
    counted: Vec<Option<Place>>,
    pub(crate) refused: Vec<Refused>,
    /// Up to which index a majority, itself included, has what ends with an entry of its own term, or all have it.
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
            kept: vec![None; servers],
            taken: vec![0; servers],
            counted: vec![None; servers],
            refused: vec![Refused::default(); servers],
            committed: 0,
            committed_us: 0,
        }
    }

    /// Up to which index entries are committed in this term, by what followers have accepted.
    fn committed_by_answers(&self, term: u64) -> Option<u64> {
        let accepted = self.accepted.iter().flatten().map(|accepted| accepted.place);
        committed(term, accepted, self.accepted.len())
    }

    /// An acceptance has come back to the leader. Returns what it may count as committed now.
    pub(crate) fn counts(&mut self, term: u64, server: usize, place: Place) -> Option<u64> {
        let known = &mut self.counted[server];
        if known.is_some_and(|known| known.index >= place.index) {
            return None;
        }
        *known = Some(place);
        committed(term, self.counted.iter().flatten().copied(), self.counted.len())
    }

    /// Who has accepted up to an index.
    pub(crate) fn holders(&self, index: u64) -> impl Iterator<Item = usize> + '_ {
        let has = move |accepted: &Option<Accepted>| {
            accepted.is_some_and(|accepted| accepted.place.index >= index)
        };
        self.accepted.iter().enumerate().filter(move |(_, a)| has(a)).map(|(server, _)| server)
    }
}

/// Up to which index entries are committed if these are what the followers of so many servers have: what a majority
/// has, the leader included, if that ends with an entry of its term. "A leader could safely conclude that an older
/// log entry is committed (for example, if that entry is stored on every server)" (section 5.4.2).
fn committed(
    term: u64,
    places: impl Iterator<Item = Place> + Clone,
    servers: usize,
) -> Option<u64> {
    let everywhere = places.clone().map(|place| place.index).min();
    let everywhere = everywhere.filter(|_| places.clone().count() + 1 == servers);
    let of_term = majority(places, servers).filter(|place| place.term == term);
    of_term.map(|place| place.index).max(everywhere)
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
    /// The highest index that some leader was seen to have on a majority with an entry of its own term, or on all.
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

    /// In how many terms somebody is known to have led: it said so, or a later leader has an entry of that term.
    pub(crate) fn terms_led(&self) -> usize {
        let shown = self.by_term.values().flat_map(|reign| reign.terms.0.keys());
        self.by_term.keys().chain(shown).collect::<BTreeSet<_>>().len()
    }

    /// True if some leader has said that something is committed.
    pub(crate) fn says_committed(&self) -> bool {
        self.by_term.values().any(|reign| reign.commit > 0)
    }

    /// The term of the entry at an index, as the latest leader knew it that has shown it.
    pub(crate) fn term_at(&self, index: u64) -> Option<u64> {
        self.by_term.values().rev().find_map(|reign| reign.terms.at(index))
    }

    /// The latest one.
    pub(crate) fn last(&self) -> Option<(u64, &Reign)> {
        self.by_term.last_key_value().map(|(term, reign)| (*term, reign))
    }

    /// A follower has accepted; what of it it must keep.
    pub(crate) fn accept(&mut self, term: u64, server: usize, accepted: Accepted, kept: Place) {
        let Some(reign) = self.by_term.get_mut(&term) else { return };
        let taken = &mut reign.taken[server];
        *taken = (*taken).max(accepted.place.index);
        Accepted { place: kept, ..accepted }.goes_beyond(&mut reign.kept[server]);
        self.may_count(term, server, accepted);
    }

    /// A leader may count a follower for what that has accepted.
    pub(crate) fn may_count(&mut self, term: u64, server: usize, accepted: Accepted) {
        let Some(reign) = self.by_term.get_mut(&term) else { return };
        if !accepted.goes_beyond(&mut reign.accepted[server]) {
            return;
        }
        if let Some(index) = reign.committed_by_answers(term)
            && index > reign.committed
        {
            (reign.committed, reign.committed_us) = (index, accepted.us);
            self.committed = self.committed.max(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(index: u64, term: u64) -> Place {
        Place { index, term }
    }

    /// Entries of one byte each, one behind the other, all of this term.
    fn parts(count: usize, term: u64) -> Vec<(usize, u64)> {
        vec![(1, term); count]
    }

    fn knows(first: u64, entries: &[u8], term: u64) -> Encoded {
        let mut known = Encoded::default();
        known.learn(first, entries, &parts(entries.len(), term));
        known
    }

    #[test]
    fn entries_are_known_again_by_their_bytes_and_their_place() {
        let known = knows(5, b"abcd", 3);
        assert_eq!(known.last_of(5, b"abcd"), Some(place(8, 3)));
        assert_eq!(known.last_of(5, b"ab"), Some(place(6, 3)));
        assert_eq!(known.last_of(6, b"bc"), Some(place(7, 3)));
        assert_eq!(known.last_of(8, b"d"), Some(place(8, 3)));
        // Other bytes, another place, and what lies outside.
        assert_eq!(known.last_of(6, b"bx"), None);
        assert_eq!(known.last_of(6, b"ab"), None);
        assert_eq!(known.last_of(4, b"abcd"), None);
        assert_eq!(known.last_of(8, b"de"), None);
        assert_eq!(known.last_of(9, b"e"), None);
        assert_eq!(known.last_of(u64::MAX, b"a"), None);
    }

    #[test]
    fn entries_of_several_bytes_are_known_where_one_ends() {
        let mut known = Encoded::default();
        known.learn(1, b"aabbbc", &[(2, 1), (3, 2), (1, 4)]);
        assert_eq!(known.last_of(1, b"aabbb"), Some(place(2, 2)));
        assert_eq!(known.last_of(2, b"bbbc"), Some(place(3, 4)));
        assert_eq!(known.last_of(2, b"bb"), None);
        known.learn(3, b"dde", &[(2, 4), (1, 4)]);
        assert_eq!(known.last_of(1, b"aabbbdde"), Some(place(4, 4)));
        assert_eq!(known.last_of(4, b"e"), Some(place(4, 4)));
    }

    #[test]
    fn what_is_learned_goes_on_behind_what_is_known() {
        let mut known = knows(5, b"abcd", 3);
        known.learn(9, b"ef", &parts(2, 4));
        assert_eq!(known.last_of(5, b"abcdef"), Some(place(10, 4)));
        // From within, as far as the end or further.
        known.learn(10, b"xy", &parts(2, 5));
        assert_eq!(known.last_of(5, b"abcdexy"), Some(place(11, 5)));
        known.learn(11, b"z", &parts(1, 6));
        assert_eq!(known.last_of(9, b"exz"), Some(place(11, 6)));
        assert_eq!(known.last_of(11, b"y"), None);
        // What ends before the end changes nothing.
        known.learn(10, b"q", &parts(1, 7));
        assert_eq!(known.last_of(5, b"abcdexz"), Some(place(11, 6)));
    }

    #[test]
    fn of_two_parts_that_do_not_meet_the_longer_one_is_kept() {
        let mut known = knows(5, b"abcd", 3);
        // Behind a gap, and before the beginning.
        for other in [10, 2] {
            known.learn(other, b"xyz", &parts(3, 4));
            assert_eq!(known.last_of(5, b"abcd"), Some(place(8, 3)));
            assert_eq!(known.last_of(other, b"xyz"), None);
        }
        known.learn(10, b"wxyz", &parts(4, 4));
        assert_eq!(known.last_of(10, b"wxyz"), Some(place(13, 4)));
        assert_eq!(known.last_of(5, b"abcd"), None);
        known.learn(2, b"stuvw", &parts(5, 4));
        assert_eq!(known.last_of(2, b"stuvw"), Some(place(6, 4)));
        assert_eq!(known.last_of(10, b"wxyz"), None);
    }

    #[test]
    fn nothing_known_gives_way_to_anything() {
        let mut known = Encoded::default();
        known.learn(3, b"abc", &parts(3, 2));
        assert_eq!(known.last_of(3, b"abc"), Some(place(5, 2)));
        assert_eq!(known.last_of(1, b"abc"), None);
    }

    #[test]
    fn a_majority_is_more_than_half_with_the_leader() {
        let of = |indexes: &[u64], servers| {
            majority(indexes.iter().map(|index| place(*index, 1)), servers).map(|place| place.index)
        };
        assert_eq!(of(&[], 3), None);
        assert_eq!(of(&[7], 3), Some(7));
        assert_eq!(of(&[5, 7], 3), Some(7));
        assert_eq!(of(&[7], 5), None);
        assert_eq!(of(&[7, 5], 5), Some(5));
        assert_eq!(of(&[7, 5, 6, 4], 5), Some(6));
        assert_eq!(of(&[7], 4), None);
        assert_eq!(of(&[7, 5], 4), Some(5));
        assert_eq!(of(&[], 1), None);
    }

    #[test]
    fn the_terms_of_a_log_between_two_places() {
        let mut terms = Terms::default();
        for (index, term) in [(1, 1), (3, 1), (4, 3), (6, 3), (7, 6)] {
            assert_eq!(terms.add(place(index, term)), Ok(()));
        }
        let between = |prev, last| terms.between(prev, last).collect::<Vec<_>>();
        assert_eq!(between(place(0, 0), place(7, 6)), [(1, 1, 3), (3, 4, 6), (6, 7, 7)]);
        assert_eq!(between(place(1, 1), place(5, 3)), [(1, 2, 3), (3, 4, 5)]);
        assert_eq!(between(place(5, 3), place(6, 3)), [(3, 6, 6)]);
        assert_eq!(between(place(6, 3), place(6, 3)), []);
    }

    #[test]
    fn a_log_has_one_term_at_an_index_and_terms_do_not_fall() {
        let mut terms = Terms::default();
        assert_eq!(terms.add(place(0, 9)), Ok(()));
        assert_eq!((terms.add(place(2, 2)), terms.add(place(4, 4))), (Ok(()), Ok(())));
        assert_eq!(
            [0, 1, 2, 3, 4, 5].map(|index| terms.at(index)),
            [None, None, Some(2), None, Some(4), None]
        );
        assert_eq!(terms.add(place(4, 2)), Err(place(4, 4)));
        assert_eq!(terms.add(place(5, 2)), Err(place(4, 4)));
        assert_eq!(terms.add(place(2, 3)), Err(place(2, 2)));
        assert_eq!(terms.add(place(1, 3)), Err(place(2, 2)));
        assert_eq!(terms.add(place(3, 3)), Ok(()));
        assert_eq!(terms.at(3), Some(3));
    }

    /// A follower of the leader of term 4 accepts at this moment.
    fn accept(reigns: &mut Reigns, server: usize, index: u64, us: u64) {
        let accepted = Accepted { place: place(index, 4), us, at: 0, instance: 1 };
        reigns.accept(4, server, accepted, accepted.place);
    }

    fn accepted(reigns: &Reigns, server: usize) -> Option<u64> {
        let accepted = reigns.of(4).expect("it leads").accepted[server];
        accepted.map(|accepted| accepted.place.index)
    }

    #[test]
    fn what_a_follower_has_accepted_grows_and_does_not_shrink() {
        let mut reigns = Reigns::new(5);
        reigns.led_by(0, 4);
        accept(&mut reigns, 1, 3, 10);
        accept(&mut reigns, 1, 2, 11);
        assert_eq!(accepted(&reigns, 1), Some(3));
        accept(&mut reigns, 1, 5, 12);
        assert_eq!(accepted(&reigns, 1), Some(5));
        assert_eq!((accepted(&reigns, 0), reigns.committed), (None, 0));
        let holders = |index| reigns.of(4).expect("it leads").holders(index).collect::<Vec<_>>();
        assert_eq!((holders(5), holders(6)), (vec![1], vec![]));
    }

    #[test]
    fn an_entry_is_committed_from_the_moment_when_a_majority_has_it() {
        let mut reigns = Reigns::new(5);
        reigns.led_by(0, 4);
        accept(&mut reigns, 1, 3, 10);
        assert_eq!(reigns.committed, 0);
        accept(&mut reigns, 2, 3, 20);
        accept(&mut reigns, 3, 3, 30);
        let reign = reigns.of(4).expect("it leads");
        assert_eq!((reigns.committed, reign.committed, reign.committed_us), (3, 3, 20));
        // One of an earlier term does not count.
        let accepted = Accepted { place: place(9, 3), us: 40, at: 0, instance: 1 };
        reigns.led_by(0, 5);
        reigns.accept(5, 1, accepted, accepted.place);
        reigns.accept(5, 2, accepted, accepted.place);
        assert_eq!(reigns.committed, 3);
    }

    #[test]
    fn acceptances_count_for_the_leader_when_they_come_back() {
        let mut reign = Reign::new(0, 5);
        assert_eq!(reign.counts(4, 1, place(3, 4)), None);
        assert_eq!(reign.counts(4, 2, place(2, 4)), Some(2));
        assert_eq!(reign.counts(4, 2, place(2, 4)), None);
        assert_eq!(reign.counts(4, 3, place(5, 4)), Some(3));
        assert_eq!(reign.counts(4, 3, place(4, 4)), None);
        assert_eq!(Reign::new(0, 3).counts(4, 1, place(3, 3)), None);
    }

    #[test]
    fn the_latest_leader_that_has_shown_an_entry_says_what_it_is() {
        let mut reigns = Reigns::new(3);
        assert_eq!((reigns.terms_led(), reigns.term_at(1)), (0, None));
        assert!(reigns.last().is_none());
        for (leader, term, last) in [(0, 4, place(2, 4)), (1, 6, place(1, 3))] {
            reigns.led_by(leader, term).terms.add(last).expect("it fits");
        }
        // Nobody was seen to lead in term 3.
        assert_eq!(reigns.terms_led(), 3);
        assert_eq!([1, 2, 3].map(|index| reigns.term_at(index)), [Some(3), Some(4), None]);
        assert_eq!(reigns.last().map(|(term, reign)| (term, reign.leader)), Some((6, 1)));
    }
}
