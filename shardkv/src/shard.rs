//! The data of one shard.

use std::collections::BTreeMap;

use labgob::Gob;
use rsm::once::{Numbered, Replies};
use serde::{Deserialize, Serialize};

use crate::message::Op;

/// The keys and values of one shard, with what is known of the clerks' writes to it.
///
/// The two belong together wherever the shard goes: a write that was executed at one group and is sent
/// again to the next one must be known there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub struct Shard {
    values: BTreeMap<String, String>,
    written: Replies<()>,
}

/// What a clerk wants written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) struct Write {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) op: Op,
}

impl Shard {
    pub(crate) fn get(&self, key: &str) -> Option<&String> {
        self.values.get(key)
    }

    /// Executes a write, unless that has been done.
    pub(crate) fn write(&mut self, write: Numbered<Write>) {
        let Numbered { client, number, request: Write { key, value, op } } = write;
        let values = &mut self.values;
        // `None`: the clerk has written again since, so it has had its answer.
        let _ = self.written.once(client, number, || {
            let there = values.entry(key).or_default();
            match op {
                Op::Put => *there = value,
                Op::Append => there.push_str(&value),
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(shard: &mut Shard, number: u64, op: Op, value: &str) {
        let write = Write { key: "k".into(), value: value.into(), op };
        shard.write(Numbered { client: 7, number, request: write });
    }

    #[test]
    fn put_replaces_and_append_adds() {
        let mut shard = Shard::default();
        assert_eq!(shard.get("k"), None);
        write(&mut shard, 1, Op::Append, "a");
        write(&mut shard, 2, Op::Append, "b");
        assert_eq!(shard.get("k").map(String::as_str), Some("ab"));
        write(&mut shard, 3, Op::Put, "c");
        assert_eq!(shard.get("k").map(String::as_str), Some("c"));
    }

    #[test]
    fn a_write_that_comes_again_changes_nothing_also_where_the_shard_has_gone() {
        let mut shard = Shard::default();
        write(&mut shard, 1, Op::Append, "a");
        write(&mut shard, 2, Op::Append, "b");
        let mut elsewhere: Shard = labgob::decode(&labgob::encode(&shard)).expect("it is one");
        write(&mut elsewhere, 2, Op::Append, "b");
        write(&mut elsewhere, 1, Op::Append, "a");
        assert_eq!(elsewhere, shard);
    }
}
