//! The machine: all configurations, from the first one on.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use labgob::{DecodeError, Gob};
use rsm::Machine;
use rsm::once::{Numbered, Once};
use serde::{Deserialize, Serialize};
use shard_api::{Config, Gid, NOBODY};

use crate::balance;

/// What stands in the log. To ask twice does no harm, so only changes have numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) enum Request {
    Query { number: Option<u64> },
    Change(Numbered<Change>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) enum Change {
    Join { groups: BTreeMap<Gid, Vec<String>> },
    Leave { gids: Vec<Gid> },
    Move { shard: usize, gid: Gid },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Config(Config),
    Changed,
}

/// All configurations, with what is known of the clerks' changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Controller(Once<History>);

impl Machine for Controller {
    type Request = Request;
    type Reply = Reply;

    fn apply(&mut self, request: Request) -> Reply {
        match request {
            Request::Query { number } => Reply::Config(self.0.machine().query(number).clone()),
            Request::Change(change) => {
                // `None`: the clerk has made later changes, so it has had this answer.
                let _ = self.0.apply(change);
                Reply::Changed
            }
        }
    }

    fn snapshot(&self) -> Bytes {
        self.0.snapshot()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), DecodeError> {
        self.0.restore(snapshot)
    }
}

/// All configurations; the one with number `n` has place `n`. There is always the first one.
#[derive(Clone, Debug)]
struct History(Vec<Config>);

impl Default for History {
    fn default() -> Self {
        History(vec![Config::default()])
    }
}

impl History {
    fn latest(&self) -> &Config {
        self.0.last().expect("the first one is never taken away")
    }

    fn query(&self, number: Option<u64>) -> &Config {
        let place = number.and_then(|number| usize::try_from(number).ok());
        place.and_then(|place| self.0.get(place)).unwrap_or_else(|| self.latest())
    }

    /// The configuration that a change of the latest one leads to; `None` if it makes no sense.
    fn changed(&self, change: Change) -> Option<Config> {
        let mut config = self.latest().clone();
        config.number += 1;
        match change {
            Change::Join { groups } => {
                // Of a group without servers nobody could get or bring a shard.
                if groups.iter().any(|(gid, names)| *gid == NOBODY || names.is_empty()) {
                    return None;
                }
                config.groups.extend(groups);
                rebalance(&mut config);
            }
            Change::Leave { gids } => {
                config.groups.retain(|gid, _| !gids.contains(gid));
                rebalance(&mut config);
            }
            Change::Move { shard, gid } => {
                let owner = config.shards.get_mut(shard)?;
                *owner = config.groups.contains_key(&gid).then_some(gid)?;
            }
        }
        Some(config)
    }
}

fn rebalance(config: &mut Config) {
    let groups: BTreeSet<Gid> = config.groups.keys().copied().collect();
    balance(&mut config.shards, &groups);
}

impl Machine for History {
    type Request = Change;
    type Reply = ();

    fn apply(&mut self, change: Change) {
        self.0.extend(self.changed(change));
    }

    fn snapshot(&self) -> Bytes {
        Bytes::from(labgob::encode(&self.0))
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), DecodeError> {
        self.0 = labgob::decode(snapshot)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(of: &str) -> Vec<String> {
        (0..3).map(|server| format!("{of}{server}")).collect()
    }

    fn join(gids: &[Gid]) -> Change {
        let groups = gids.iter().map(|gid| (*gid, names(&format!("g{gid}-")))).collect();
        Change::Join { groups }
    }

    fn after(changes: impl IntoIterator<Item = Change>) -> History {
        let mut history = History::default();
        changes.into_iter().for_each(|change| history.apply(change));
        history
    }

    fn count(config: &Config, gid: Gid) -> usize {
        config.shards.iter().filter(|shard| **shard == gid).count()
    }

    #[test]
    fn the_first_configuration_has_no_groups_and_all_shards_at_nobody() {
        let first = History::default().latest().clone();
        assert_eq!((first.number, first.shards, first.groups.len()), (0, [NOBODY; 10], 0));
    }

    #[test]
    fn each_change_makes_one_configuration_and_all_of_them_stay() {
        let leave = |gids: &[Gid]| Change::Leave { gids: gids.to_vec() };
        let history = after([join(&[1, 2]), join(&[3]), leave(&[1, 3]), leave(&[2])]);
        let groups = |config: &Config| config.groups.keys().copied().collect::<Vec<_>>();
        assert_eq!(
            history.0.iter().map(groups).collect::<Vec<_>>(),
            [vec![], vec![1, 2], vec![1, 2, 3], vec![2], vec![]]
        );
        assert!(history.0.iter().zip(0..).all(|(config, number)| config.number == number));
        assert_eq!(history.query(Some(2)).number, 2);
        assert_eq!([Some(5), Some(u64::MAX), None].map(|n| history.query(n).number), [4, 4, 4]);
        assert_eq!(history.latest().shards, [NOBODY; 10]);
    }

    #[test]
    fn a_move_changes_one_shard_and_nothing_else() {
        let mut history = after([join(&[1, 2])]);
        let before = history.latest().clone();
        let shard = before.shards.iter().position(|gid| *gid == 1).expect("it has some");
        history.apply(Change::Move { shard, gid: 2 });
        let mut expected = before;
        expected.number += 1;
        expected.shards[shard] = 2;
        assert_eq!(history.latest(), &expected);
        assert_eq!([count(&expected, 1), count(&expected, 2)], [4, 6], "which is not balanced");
        history.apply(join(&[3]));
        let latest = history.latest();
        assert_eq!([1, 2, 3].map(|gid| count(latest, gid)), [3, 4, 3]);
    }

    #[test]
    fn a_move_to_where_the_shard_is_makes_a_configuration_too() {
        let mut history = after([join(&[1])]);
        history.apply(Change::Move { shard: 0, gid: 1 });
        assert_eq!(history.latest().number, 2);
    }

    #[test]
    fn what_makes_no_sense_changes_nothing() {
        let mut history = after([join(&[1])]);
        let before = history.0.clone();
        for shard_and_gid in [(0, 7), (0, NOBODY), (10, 1), (usize::MAX, 1)] {
            let (shard, gid) = shard_and_gid;
            history.apply(Change::Move { shard, gid });
            assert_eq!(history.0, before, "a Move of shard {shard} to {gid}");
        }
        history.apply(join(&[NOBODY, 2]));
        assert_eq!(history.0, before, "a Join of nobody");
        let groups = BTreeMap::from([(2, names("g2-")), (3, Vec::new())]);
        history.apply(Change::Join { groups });
        assert_eq!(history.0, before, "a Join of a group without servers");
    }

    #[test]
    fn a_group_that_left_may_come_back_and_one_that_is_there_may_change_its_names() {
        let again = Change::Join { groups: BTreeMap::from([(1, names("other"))]) };
        let history = after([join(&[1, 2]), Change::Leave { gids: vec![1] }, again, join(&[2])]);
        assert_eq!(history.latest().groups[&1], names("other"));
        assert_eq!(history.query(Some(1)).groups[&1], names("g1-"), "what was stays as it was");
        assert_eq!(history.latest().number, 4);
    }

    #[test]
    fn a_change_that_comes_again_happens_once_also_after_a_restart() {
        let join = Request::Change(Numbered { client: 7, number: 1, request: join(&[1]) });
        let latest =
            |controller: &mut Controller| match controller.apply(Request::Query { number: None }) {
                Reply::Config(config) => config.number,
                Reply::Changed => unreachable!("it was a question"),
            };
        let mut controller = Controller::default();
        assert_eq!(controller.apply(join.clone()), Reply::Changed);
        assert_eq!(controller.apply(join.clone()), Reply::Changed);
        assert_eq!(latest(&mut controller), 1);
        let mut restored = Controller::default();
        restored.restore(&controller.snapshot()).expect("it is one");
        restored.apply(join);
        assert_eq!(latest(&mut restored), 1);
        assert!(restored.restore(b"nonsense").is_err());
    }
}
