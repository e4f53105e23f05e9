//! Which situations of a Raft a step leads into.

use run_record::situations::Situation;

/// A set of situations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen(u32);

impl Seen {
    pub(crate) fn add_if(&mut self, is_there: bool, situation: Situation) {
        self.0 |= u32::from(is_there) << situation as u32;
    }

    pub(crate) fn and(self, other: Seen) -> Seen {
        Seen(self.0 | other.0)
    }

    /// Calls `each` with the place of each situation among those of a Raft.
    pub(crate) fn for_each(self, mut each: impl FnMut(usize)) {
        let mut left = self.0;
        while left != 0 {
            each(left.trailing_zeros() as usize);
            left &= left - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use run_record::situations::Layer;

    use super::*;

    #[test]
    fn each_situation_has_a_place_of_its_own() {
        for (place, &situation) in Layer::Raft.situations().iter().enumerate() {
            let mut seen = Seen::default();
            seen.add_if(false, Situation::SplitVote);
            seen.add_if(true, situation);
            let mut places = Vec::new();
            seen.for_each(|place| places.push(place));
            assert_eq!(places, [place]);
        }
    }
}
