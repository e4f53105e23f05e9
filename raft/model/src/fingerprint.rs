//! Fingerprints: 128 bits that stand for a part of a state, also as it is if servers change names.
//!
//! A state's fingerprint is the sum of those of its parts, and the least such sum over all ways to name
//! the servers. So messages need no order, one that is under way twice counts twice, and a step only
//! changes what the step has changed.

use std::hash::{DefaultHasher, Hasher};

/// What stands for a part of a state.
pub(crate) type Fingerprint = u128;

/// The fingerprint of what `write` hands over. Parts of different kinds never hand over the same.
pub(crate) fn fingerprint(write: impl Fn(&mut DefaultHasher)) -> Fingerprint {
    let half = |which: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(which);
        write(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

/// New names of servers: the one that was called `i` is now called `self.0[i]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Renaming(Vec<usize>);

impl Renaming {
    /// All ways to rename so many servers. The first one leaves each name as it is; if servers are not
    /// to be exchanged, it is the only one.
    pub(crate) fn all(servers: usize, exchange: bool) -> Vec<Renaming> {
        let mut all = vec![Vec::new()];
        for _ in 0..servers {
            let longer = |names: Vec<usize>| {
                let free: Vec<usize> = (0..servers).filter(|name| !names.contains(name)).collect();
                free.into_iter().map(move |name| [&names[..], &[name]].concat())
            };
            all = all.into_iter().flat_map(longer).collect();
        }
        all.truncate(if exchange { all.len() } else { 1 });
        all.into_iter().map(Renaming).collect()
    }

    /// The new name.
    pub(crate) fn of(&self, server: usize) -> usize {
        self.0[server]
    }

    /// The new name, as messages have it.
    pub(crate) fn of_number(&self, server: u32) -> u32 {
        self.0[server as usize] as u32
    }

    /// The same things, in the order of their servers' new names.
    pub(crate) fn rearranged<'a, T>(&self, things: &'a [T]) -> Vec<&'a T> {
        let mut order: Vec<usize> = (0..things.len()).collect();
        order.sort_by_key(|&server| self.of(server));
        order.into_iter().map(|server| &things[server]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_servers_have_six_ways_to_be_named_and_the_first_changes_nothing() {
        let all = Renaming::all(3, true);
        assert_eq!(all.len(), 6);
        assert_eq!(all[0], Renaming(vec![0, 1, 2]));
        assert_eq!(Renaming::all(3, false), all[..1]);
    }

    #[test]
    fn things_follow_the_names_of_their_servers() {
        let renaming = Renaming(vec![2, 0, 1]);
        assert_eq!(renaming.rearranged(&["a", "b", "c"]), [&"b", &"c", &"a"]);
    }
}
