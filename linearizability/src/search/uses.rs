//! Which operations that never returned were used at each point.
//!
//! With fewer of them used there is only more that can follow, so a set is known if a part of it was seen. Of some
//! points there are many thousands of sets, and no short way to find a part of one among them: all are looked at. So
//! those of a point stand side by side, in blocks of which each has room for twice as many as the one before.

use super::bits::is_subset;

/// Sets of numbers, each a few words, by points that are numbered from 0 on.
pub(super) struct Uses {
    /// How many words a set has.
    width: usize,
    /// The last block of each point.
    last: Vec<u32>,
    blocks: Vec<Block>,
    words: Vec<u64>,
    /// How many words were looked at or written; see [`SEVERAL`].
    looked: u64,
}

/// Some sets of one point.
struct Block {
    /// The block before of the same point.
    before: u32,
    /// Where it begins, how many sets it has, and how many it has room for.
    from: u32,
    sets: u32,
    room: u32,
}

/// No block.
const NONE: u32 = u32::MAX;

/// The most sets of a block: room for as many may be wasted at each point.
const MOST: u32 = 256;

/// So many words are compared before it is looked whether one fits: a processor compares several at once.
const TOGETHER: usize = 16;
/// Sets of several words are compared one by one, which takes so many times longer for each word.
const SEVERAL: u64 = 4;

impl Uses {
    /// For sets of so many words.
    pub(super) fn new(width: usize) -> Uses {
        Uses { width, last: Vec::new(), blocks: Vec::new(), words: Vec::new(), looked: 0 }
    }

    /// One more point, of which nothing is known.
    pub(super) fn add_point(&mut self) {
        if self.width > 0 {
            self.last.push(NONE);
        }
    }

    /// Notes a set. False if a part of it, or all of it, is known at this point.
    pub(super) fn is_new(&mut self, point: u32, used: &[u64]) -> bool {
        if self.width == 0 {
            return false;
        }
        let mut next = self.last[point as usize];
        while let Some(block) = self.blocks.get(next as usize) {
            let words =
                &self.words[block.from as usize * self.width..][..block.sets as usize * self.width];
            self.looked += words.len() as u64 * if self.width == 1 { 1 } else { SEVERAL };
            if has_part(words, used) {
                return false;
            }
            next = block.before;
        }
        self.add(point, used);
        true
    }

    /// Notes a set that is not known.
    pub(super) fn add(&mut self, point: u32, used: &[u64]) {
        if self.width == 0 {
            return;
        }
        self.looked += used.len() as u64;
        let last = &mut self.last[point as usize];
        let room = match self.blocks.get(*last as usize) {
            Some(block) if block.sets < block.room => None,
            Some(block) => Some((block.room * 2).min(MOST)),
            None => Some(1),
        };
        if let Some(room) = room {
            let from = u32::try_from(self.words.len() / self.width);
            let from = from.expect("the limit in bytes comes first");
            self.words.resize(self.words.len() + room as usize * self.width, 0);
            let before = std::mem::replace(last, self.blocks.len() as u32);
            self.blocks.push(Block { before, from, sets: 0, room });
        }
        let block = &mut self.blocks[*last as usize];
        let place = (block.from + block.sets) as usize * self.width;
        self.words[place..place + self.width].copy_from_slice(used);
        block.sets += 1;
    }

    /// How many words were looked at or written; each of a set of several counts [`SEVERAL`] times.
    pub(super) fn looked(&self) -> u64 {
        self.looked
    }

    /// About how many bytes all this takes.
    pub(super) fn bytes(&self) -> usize {
        super::seen::room(&self.last)
            + super::seen::room(&self.blocks)
            + super::seen::room(&self.words)
    }
}

/// Whether one of these sets is a part of `used`.
fn has_part(sets: &[u64], used: &[u64]) -> bool {
    let [used] = used else {
        return sets.chunks_exact(used.len()).any(|set| is_subset(set, used));
    };
    let is_part = |set: &u64| set & !used == 0;
    sets.chunks(TOGETHER).any(|sets| sets.iter().fold(false, |any, set| any | is_part(set)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets of one and of two words: a set of numbers that no other one has a part of, and larger ones.
    #[test]
    fn a_part_is_found_wherever_it_stands() {
        for width in [1, 2] {
            let mut uses = Uses::new(width);
            let set = |bits: u64| [vec![bits], vec![bits.rotate_left(5); width - 1]].concat();
            for _ in 0..3 {
                uses.add_point();
            }
            // All pairs of 48 numbers, which are no parts of each other.
            let pairs =
                || (0..48u64).flat_map(|one| (0..one).map(move |other| 1 << one | 1 << other));
            for (place, pair) in pairs().enumerate() {
                assert!(uses.is_new(1, &set(pair)), "{width}: {place}");
            }
            for pair in pairs() {
                assert!(!uses.is_new(1, &set(pair)) && !uses.is_new(1, &set(pair | 1 << 48)));
                assert!(!uses.is_new(1, &set(pair | 1 << 63)));
            }
            // One number more or less is another matter; and each point has its own.
            assert!(uses.is_new(1, &set(1 << 3)) && !uses.is_new(1, &set(1 << 3 | 1 << 60)));
            assert!(uses.is_new(0, &set(3)) && uses.is_new(2, &set(3)));
        }
    }

    #[test]
    fn what_is_looked_at_and_taken_is_counted() {
        let mut uses = Uses::new(2);
        uses.add_point();
        uses.add(0, &[1, 0]);
        assert_eq!(uses.looked(), 2);
        assert!(uses.is_new(0, &[2, 0]));
        assert_eq!(uses.looked(), 2 + 2 * SEVERAL + 2);
        assert!(!uses.is_new(0, &[3, 0]));
        // The last block first: it has two sets' room, and one in it.
        assert_eq!(uses.looked(), 2 + 2 * SEVERAL + 2 + 2 * SEVERAL);
        for set in 2..1_002 {
            uses.add(0, &[1 << (set % 60), set]);
        }
        let sets = 1_002 * 2 * size_of::<u64>();
        assert!((sets..sets * 2).contains(&uses.bytes()), "{}", uses.bytes());
        // Nothing is kept of sets that cannot have anything in them.
        let mut none = Uses::new(0);
        none.add_point();
        none.add(0, &[]);
        assert!(!none.is_new(0, &[]));
        assert_eq!((none.bytes(), none.looked()), (0, 0));
    }
}
