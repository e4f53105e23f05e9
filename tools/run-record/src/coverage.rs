//! What was seen in a run, in so much detail that two runs can be told apart by it.
//!
//! A search goes by it: a run in which something was seen that no other had shown is worth varying.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::mix;

/// The environment variable that asks for it; whatever its value.
pub const VARIABLE: &str = "LAB_COVERAGE";

/// A way to look at a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// How often the servers came into each [situation](crate::situations), by powers of two.
    Situations,
    /// Which kinds of events followed on each other at a server.
    Pairs,
    /// What the servers of a group were like together: roles, and the orders of terms, logs and commits.
    States,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::Situations, Kind::Pairs, Kind::States];
}

/// What was seen, by hashes of it, and when it was seen first: in microseconds of lab time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Lists", into = "Lists")]
pub struct Coverage(BTreeMap<Kind, BTreeMap<u32, u64>>);

/// The same in lists: in a record, which has a tag, a map cannot have numbers as keys.
type Lists = BTreeMap<Kind, Vec<(u32, u64)>>;

impl From<Lists> for Coverage {
    fn from(lists: Lists) -> Coverage {
        let map = |(kind, list): (Kind, Vec<_>)| (kind, list.into_iter().collect());
        Coverage(lists.into_iter().map(map).collect())
    }
}

impl From<Coverage> for Lists {
    fn from(coverage: Coverage) -> Lists {
        let list = |(kind, seen): (Kind, BTreeMap<_, _>)| (kind, seen.into_iter().collect());
        coverage.0.into_iter().map(list).collect()
    }
}

/// The hash of something that these numbers stand for.
pub fn hash(words: impl IntoIterator<Item = u64>) -> u32 {
    (words.into_iter().fold(0, |sum, word| mix(sum ^ word)) >> 32) as u32
}

impl Coverage {
    /// True if nothing was seen, or nobody has looked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Something was seen.
    pub fn see(&mut self, kind: Kind, hash: u32, us: u64) {
        let seen = self.0.entry(kind).or_default();
        seen.entry(hash).and_modify(|first| *first = us.min(*first)).or_insert(us);
    }

    /// What was seen of a kind: hashes and first times.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.0.get(&kind).into_iter().flatten().map(|(hash, us)| (*hash, *us))
    }

    /// Adds what was seen in another part of the run.
    pub fn add(&mut self, other: &Coverage) {
        for kind in Kind::ALL {
            other.of(kind).for_each(|(hash, us)| self.see(kind, hash, us));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;

    #[test]
    fn the_first_time_counts() {
        let (mut one, mut other) = (Coverage::default(), Coverage::default());
        one.see(Kind::Pairs, 7, 30);
        one.see(Kind::Pairs, 7, 20);
        other.see(Kind::Pairs, 7, 10);
        other.see(Kind::States, 8, 40);
        one.add(&other);
        assert_eq!(one.of(Kind::Pairs).collect::<Vec<_>>(), [(7, 10)]);
        assert_eq!(one.of(Kind::States).collect::<Vec<_>>(), [(8, 40)]);
    }

    #[test]
    fn it_comes_through_a_record() {
        let mut coverage = Coverage::default();
        coverage.see(Kind::Pairs, 7, 10);
        coverage.see(Kind::States, u32::MAX, u64::MAX);
        let line = r#"{"event":"end","test":"a","part":"2A","clock":"sim","seed":1,"lab_us":0,
            "wall_us":0,"cpu_us":0,"servers":3,"rpcs":0,"bytes":0,"committed":0,"hash":null,
            "failure":null}"#;
        let Ok(Record::End(mut end)) = Record::from_line(line) else { panic!("no end of a run") };
        end.coverage = coverage;
        let record = Record::End(end);
        assert_eq!(Record::from_line(&record.to_line()).expect("a record"), record);
    }
}
