//! Which group serves which shard.

use std::collections::BTreeMap;

use labgob::Gob;
use serde::{Deserialize, Serialize};

/// How many shards there are.
///
/// Go: `NShards`.
pub const SHARDS: usize = 10;

/// The number of a group. 0 is no group's, but [`NOBODY`].
pub type Gid = u64;

/// Stands in a [`Config`] for a shard that no group serves.
///
/// Its data are not lost. They stay with its last owner, which does not serve them any more, also if that group has left;
/// the group that a later configuration gives the shard to gets them from there.
pub const NOBODY: Gid = 0;

/// The shard of a key: its first byte modulo [`SHARDS`], and 0 if it is empty.
///
/// Go: `key2shard`.
pub fn shard_of(key: &str) -> usize {
    key.as_bytes().first().map_or(0, |first| usize::from(*first) % SHARDS)
}

/// A configuration: which groups there are, and which of them serves which shard.
///
/// The default is the first one of all, with number 0: no groups, and all shards at [`NOBODY`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub struct Config {
    /// Counts the configurations.
    pub number: u64,
    /// The group of each shard.
    pub shards: [Gid; SHARDS],
    /// The groups, with the names of their servers: what [`MakeEnd`](crate::MakeEnd) wants.
    pub groups: BTreeMap<Gid, Vec<String>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ten_digits_cover_the_ten_shards() {
        let digits = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        assert_eq!(digits.map(shard_of), [8, 9, 0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn only_the_first_byte_counts() {
        assert_eq!(shard_of("27"), shard_of("2"));
        assert_eq!(shard_of(""), 0);
        assert_eq!(shard_of("ü"), usize::from("ü".as_bytes()[0]) % SHARDS);
    }

    #[test]
    fn of_thirty_keys_two_shards_have_eleven_each() {
        let mut keys = [0; SHARDS];
        (0..30).for_each(|key: u32| keys[shard_of(&key.to_string())] += 1);
        assert_eq!(keys, [11, 1, 1, 1, 1, 1, 1, 1, 1, 11]);
    }
}
