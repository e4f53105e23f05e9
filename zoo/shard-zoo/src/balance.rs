//! The balance of the controller, one shard after the other.

use shard_api::{Config, Gid, NOBODY};

use crate::Mistake;
use crate::controller::Rules;

/// Divides the shards among the groups.
pub(crate) fn balance(config: &mut Config, rules: &Rules) {
    let groups = order(config, rules);
    let Some(&first) = groups.first() else {
        config.shards.fill(NOBODY);
        return;
    };
    let anew = rules.mistake == Some(Mistake::DealtAnew);
    for (place, shard) in config.shards.iter_mut().enumerate() {
        if anew {
            *shard = groups[place % groups.len()];
        } else if !groups.contains(shard) {
            *shard = NOBODY;
        }
    }
    if rules.mistake == Some(Mistake::OneTakesAll) {
        let lost = config.shards.iter_mut().filter(|shard| **shard == NOBODY);
        lost.for_each(|shard| *shard = first);
        return;
    }
    while let Some((place, to)) = next_move(&config.shards, &groups) {
        config.shards[place] = to;
    }
}

/// The groups in the order in which they are looked at.
fn order(config: &Config, rules: &Rules) -> Vec<Gid> {
    let mut groups: Vec<Gid> = config.groups.keys().copied().collect();
    if rules.mistake == Some(Mistake::BalancedByHashOrder) {
        // Each process has another seed for its hash maps.
        groups.sort_by_key(|gid| {
            (gid ^ rules.hash).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23)
        });
    }
    groups
}

/// A shard that is nobody's, or one too many of its group, and where it goes.
fn next_move(shards: &[Gid], groups: &[Gid]) -> Option<(usize, Gid)> {
    let load = |gid: Gid| shards.iter().filter(|shard| **shard == gid).count();
    let least = *groups.iter().min_by_key(|gid| load(**gid))?;
    if let Some(place) = shards.iter().position(|shard| *shard == NOBODY) {
        return Some((place, least));
    }
    let most = *groups.iter().max_by_key(|gid| load(**gid))?;
    let place = shards.iter().position(|shard| *shard == most)?;
    (load(most) > load(least) + 1).then_some((place, least))
}
