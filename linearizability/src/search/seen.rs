//! Where the search has been (Lowe's cache).
//!
//! What is possible from some point on depends on which operations are ordered and on the state, not
//! on how one came there. So a point that was seen before need not be looked at again.
//!
//! Operations that never returned need not be ordered at all. With fewer of them used there is only
//! more that can follow: a point is also known if one was seen that is the same but for having used
//! fewer.

use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use super::uses::Uses;

/// All points that were seen.
pub(super) struct Seen {
    /// How many words a point has.
    width: usize,
    /// The points without what is used, one after the other: frontier and state, then the slots.
    points: Vec<u64>,
    /// What was used at each of them of what never returned.
    uses: Uses,
    table: HashTable<u32>,
    /// The point that is asked for.
    probe: Vec<u64>,
}

impl Seen {
    /// For so many words that say which operations are ordered, and which of those are used that never returned.
    pub(super) fn new(done_words: usize, used_words: usize) -> Seen {
        Seen {
            width: 1 + done_words,
            points: Vec::new(),
            uses: Uses::new(used_words),
            table: HashTable::new(),
            probe: Vec::new(),
        }
    }

    /// How many words were looked at beside the points themselves.
    pub(super) fn looked(&self) -> u64 {
        self.uses.looked()
    }

    /// Notes a point. False if it is known, or one from which no less is possible.
    pub(super) fn is_new(&mut self, at: usize, state: u32, done: &[u64], used: &[u64]) -> bool {
        self.probe.clear();
        self.probe.push((at as u64) << 32 | u64::from(state));
        self.probe.extend_from_slice(done);
        let Seen { points, table, probe, width, .. } = self;
        let width = *width;
        let point = |number: u32| number as usize * width..(number as usize + 1) * width;
        let hash = |words: &[u64]| FxBuildHasher.hash_one(Words(words));
        let wanted = hash(probe);
        if let Some(&number) = table.find(wanted, |&number| points[point(number)] == probe[..]) {
            return self.uses.is_new(number, used);
        }
        let number = (points.len() / width) as u32;
        points.extend_from_slice(probe);
        table.insert_unique(wanted, number, |&number| hash(&points[point(number)]));
        self.uses.add_point();
        self.uses.add(number, used);
        true
    }

    /// About how many bytes all this takes.
    pub(super) fn bytes(&self) -> u64 {
        (self.table.allocation_size() + room(&self.points) + self.uses.bytes()) as u64
    }
}

/// How many bytes a vector takes.
pub(super) fn room<T>(vector: &Vec<T>) -> usize {
    vector.capacity() * size_of::<T>()
}

/// Words to hash, without their number, which is always the same.
struct Words<'a>(&'a [u64]);

impl Hash for Words<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|word| state.write_u64(*word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_new_once() {
        let mut seen = Seen::new(1, 0);
        assert!(seen.is_new(1, 2, &[3], &[]));
        assert!(!seen.is_new(1, 2, &[3], &[]));
        assert!(seen.is_new(1, 2, &[4], &[]));
        assert!(seen.is_new(1, 3, &[3], &[]));
        assert!(seen.is_new(2, 2, &[3], &[]));
        // A frontier and a state are not taken for each other, nor for what is ordered.
        assert!(seen.is_new(2, 1, &[3], &[]));
        assert!(seen.is_new(3, 3, &[2], &[]));
        assert!(!seen.is_new(2, 1, &[3], &[]));
    }

    #[test]
    fn what_it_takes_is_counted_with_the_room_for_more() {
        let takes = |seen: &Seen, bytes: u64| {
            assert!((bytes..=bytes * 5 / 2).contains(&seen.bytes()), "{}: {bytes}", seen.bytes());
        };
        let mut points = Seen::new(2, 0);
        assert_eq!(points.bytes(), 0);
        (0..1_000).for_each(|at| assert!(points.is_new(at, 0, &[0, 0], &[])));
        takes(&points, 1_000 * (3 * 8 + 5));
        let mut uses = Seen::new(0, 2);
        (0..1_000).for_each(|n| assert!(uses.is_new(0, 0, &[], &[n, !n])));
        takes(&uses, 1_000 * 2 * 8);
        let mut both = Seen::new(0, 1);
        (0..1_000).for_each(|at| assert!(both.is_new(at, 0, &[], &[1])));
        takes(&both, 1_000 * (8 + 5 + 4 + 16 + 8));
    }

    #[test]
    fn using_less_is_new_and_using_more_is_not() {
        let mut seen = Seen::new(1, 1);
        assert!(seen.is_new(1, 2, &[3], &[0b0110]));
        assert!(!seen.is_new(1, 2, &[3], &[0b1110]));
        assert!(seen.is_new(1, 2, &[3], &[0b1001]));
        assert!(!seen.is_new(1, 2, &[3], &[0b1101]));
        assert!(seen.is_new(1, 2, &[3], &[0b0100]));
        assert!(!seen.is_new(1, 2, &[3], &[0b0101]));
        // What was used elsewhere says nothing.
        assert!(seen.is_new(1, 2, &[4], &[0b1111]));
        assert!(!seen.is_new(1, 2, &[3], &[0b0110]), "the first of several");
    }

    #[test]
    fn what_was_used_is_compared_in_all_words() {
        let mut seen = Seen::new(1, 2);
        assert!(seen.is_new(1, 2, &[3], &[1, 2]));
        assert!(seen.is_new(1, 2, &[3], &[1, 1]));
        assert!(seen.is_new(1, 2, &[3], &[2, 2]));
        assert!(!seen.is_new(1, 2, &[3], &[1, 3]));
        assert!(!seen.is_new(1, 2, &[3], &[2, 6]));
        assert!(seen.is_new(1, 2, &[3], &[0, 1]));
    }
}
