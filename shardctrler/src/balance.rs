//! The balance, as a pure function.

use std::collections::{BTreeMap, BTreeSet};

use shard_api::{Gid, NOBODY};

/// Divides the shards among the groups: balanced, with as few moves as that takes.
///
/// `shards` has the group of each shard. Afterwards each is at one of `groups`, and the group with the
/// most shards has at most one more than the one with the fewest; without groups, all are at
/// [`NOBODY`].
///
/// The same arguments always give the same result. Of groups with equally many shards, those with
/// lower numbers come first; and so do shards.
pub fn balance(shards: &mut [Gid], groups: &BTreeSet<Gid>) {
    let mut room = quotas(shards, groups);
    for shard in shards.iter_mut() {
        match room.get_mut(shard) {
            Some(room) if *room > 0 => *room -= 1,
            _ => *shard = NOBODY,
        }
    }
    let mut places = room.iter().flat_map(|(gid, room)| std::iter::repeat_n(*gid, *room));
    for shard in shards.iter_mut().filter(|shard| **shard == NOBODY) {
        *shard = places.next().unwrap_or(NOBODY);
    }
}

/// How many shards each group is to have. The groups that have the most get one more, where the
/// shards do not come out even: so as many as possible stay where they are.
fn quotas(shards: &[Gid], groups: &BTreeSet<Gid>) -> BTreeMap<Gid, usize> {
    if groups.is_empty() {
        return BTreeMap::new();
    }
    let (each, more) = (shards.len() / groups.len(), shards.len() % groups.len());
    let has = |gid: Gid| shards.iter().filter(|shard| **shard == gid).count();
    let mut by_load: Vec<Gid> = groups.iter().copied().collect();
    by_load.sort_by_key(|gid| std::cmp::Reverse(has(*gid))); // stable: ties stay in order of gid
    let quota = |(place, gid)| (gid, each + usize::from(place < more));
    by_load.into_iter().enumerate().map(quota).collect()
}

#[cfg(test)]
mod tests {
    use labrt::rng::{RngExt, Stream};

    use super::*;

    fn balanced(shards: &[Gid], groups: &BTreeSet<Gid>) -> BTreeSet<usize> {
        assert!(shards.iter().all(|gid| groups.contains(gid)), "{shards:?} among {groups:?}");
        groups.iter().map(|gid| shards.iter().filter(|shard| *shard == gid).count()).collect()
    }

    fn is_balanced(shards: &[Gid], groups: &BTreeSet<Gid>) -> bool {
        let counts = balanced(shards, groups);
        counts.last().zip(counts.first()).is_none_or(|(most, least)| most - least <= 1)
    }

    fn moved(before: &[Gid], after: &[Gid]) -> usize {
        before.iter().zip(after).filter(|(before, after)| before != after).count()
    }

    /// All lists of this length of these elements.
    fn lists(length: usize, elements: &[Gid]) -> Vec<Vec<Gid>> {
        let longer = |lists: Vec<Vec<Gid>>, _| {
            let with = |list: &Vec<Gid>, element: &Gid| [&list[..], &[*element]].concat();
            lists
                .iter()
                .flat_map(|list| elements.iter().map(move |element| with(list, element)))
                .collect()
        };
        (0..length).fold(vec![Vec::new()], longer)
    }

    #[test]
    fn no_balanced_assignment_needs_fewer_moves_in_any_small_case() {
        for (shards, most_groups) in [(1, 4), (2, 4), (3, 4), (4, 4), (5, 3), (6, 2)] {
            for groups in (1..=most_groups).map(|most| (1..=most).collect::<BTreeSet<Gid>>()) {
                let there: Vec<Gid> = groups.iter().copied().collect();
                let mut goals = lists(shards, &there);
                goals.retain(|goal| is_balanced(goal, &groups));
                // Somebody has left, and some shards are nobody's.
                let owners = [&there[..], &[NOBODY, 9]].concat();
                for before in lists(shards, &owners) {
                    let mut after = before.clone();
                    balance(&mut after, &groups);
                    assert!(is_balanced(&after, &groups), "{before:?} became {after:?}");
                    let least = goals.iter().map(|goal| moved(&before, goal)).min();
                    assert_eq!(Some(moved(&before, &after)), least, "{before:?} became {after:?}");
                }
            }
        }
    }

    /// The fewest moves, over every choice of the groups that have one shard more.
    fn fewest_moves(before: &[Gid], groups: &BTreeSet<Gid>) -> usize {
        let (each, more) = (before.len() / groups.len(), before.len() % groups.len());
        let choices = (0_u32..1 << groups.len()).filter(|c| c.count_ones() as usize == more);
        let kept = |choice: u32| {
            let keeps = |(place, gid): (usize, &Gid)| {
                let has = before.iter().filter(|shard| *shard == gid).count();
                has.min(each + usize::from(choice >> place & 1 == 1))
            };
            groups.iter().enumerate().map(keeps).sum::<usize>()
        };
        before.len() - choices.map(kept).max().expect("there is a choice")
    }

    #[test]
    fn thousands_of_joins_leaves_and_moves_in_a_row_stay_balanced_with_the_fewest_moves() {
        for seed in 0..20 {
            let mut rng = Stream::seeded(seed);
            let (mut shards, mut groups) = ([NOBODY; shard_api::SHARDS], BTreeSet::new());
            for _ in 0..1000 {
                for gid in (0..rng.random_range(1..=3)).map(|_| rng.random_range(1..=12)) {
                    if !groups.remove(&gid) {
                        groups.insert(gid);
                    }
                }
                if rng.random_bool(0.3) {
                    // A Move, which the next balance may undo.
                    let gid = groups.iter().next().copied().unwrap_or(NOBODY);
                    shards[rng.random_range(0..shards.len())] = gid;
                }
                let before = shards;
                balance(&mut shards, &groups);
                if groups.is_empty() {
                    assert_eq!(shards, [NOBODY; shard_api::SHARDS]);
                } else {
                    assert!(is_balanced(&shards, &groups), "{before:?} became {shards:?}");
                    assert_eq!(moved(&before, &shards), fewest_moves(&before, &groups));
                }
            }
        }
    }

    #[test]
    fn what_is_balanced_stays() {
        let groups = BTreeSet::from([1, 2, 3]);
        let mut shards = [3, 2, 1, 3, 2, 1, 3, 2, 1, 2];
        balance(&mut shards, &groups);
        assert_eq!(shards, [3, 2, 1, 3, 2, 1, 3, 2, 1, 2], "and group 2 has one more");
    }

    #[test]
    fn ties_go_by_number() {
        let mut shards = [NOBODY; 10];
        balance(&mut shards, &BTreeSet::from([30, 10, 20]));
        assert_eq!(shards, [10, 10, 10, 10, 20, 20, 20, 30, 30, 30]);
        balance(&mut shards, &BTreeSet::from([20, 30]));
        assert_eq!(shards, [20, 20, 30, 30, 20, 20, 20, 30, 30, 30]);
        balance(&mut shards, &BTreeSet::new());
        assert_eq!(shards, [NOBODY; 10]);
    }
}
