//! What configurations must be like, each by itself and each after the one before.

use std::collections::BTreeMap;

use labtrace::{Verdict, VerdictBuilder, verdict};
use shard_api::{Config, Gid, NOBODY, SHARDS};

use crate::admin::Admin;

/// Fine, or what is wrong.
type Checked = Result<(), Box<Verdict>>;

fn wrong(broken: VerdictBuilder) -> Checked {
    Err(Box::new(broken.build()))
}

#[track_caller]
fn fail_if_wrong(checked: Checked) {
    if let Err(broken) = checked {
        labtrace::fail(*broken);
    }
}

/// Checks that a configuration has exactly these groups, and divides the shards evenly among them.
///
/// # Panics
/// If it does not.
#[track_caller]
pub(crate) fn check_groups(config: &Config, expected: &[Gid]) {
    fail_if_wrong(find(config, expected));
}

fn find(config: &Config, expected: &[Gid]) -> Checked {
    let there: Vec<Gid> = config.groups.keys().copied().collect();
    let mut wanted = expected.to_vec();
    wanted.sort_unstable();
    if there != wanted {
        let words = format!(
            "configuration {} has the groups {there:?}, and should have {wanted:?}",
            config.number
        );
        return wrong(verdict("groups", words));
    }
    is_balanced(config)
}

/// Whether every shard is at a group of the configuration, evenly divided; at nobody if there is none.
fn is_balanced(config: &Config) -> Checked {
    let Config { number, shards, groups } = config;
    let is_right =
        |gid: &Gid| if groups.is_empty() { *gid == NOBODY } else { groups.contains_key(gid) };
    if let Some(shard) = shards.iter().position(|gid| !is_right(gid)) {
        let gid = shards[shard];
        let words = match groups.is_empty() {
            true => {
                format!("configuration {number} has no groups, and shard {shard} at group {gid}")
            }
            false => format!(
                "shard {shard} is at group {gid}, which configuration {number} does not have"
            ),
        };
        return wrong(verdict("groups", words).fact(None, shown(config)));
    }
    let loads = groups.keys().map(|gid| load(shards, *gid));
    let (most, least) = (loads.clone().max().unwrap_or(0), loads.min().unwrap_or(0));
    if most > least + 1 {
        let words = format!("configuration {number}: max {most} too much larger than min {least}");
        let broken = verdict("balance", words).fact(None, shown(config));
        return wrong(broken.hint("a group without shards counts, too"));
    }
    Ok(())
}

fn load(shards: &[Gid; SHARDS], gid: Gid) -> usize {
    shards.iter().filter(|at| **at == gid).count()
}

fn shown(config: &Config) -> String {
    format!("configuration {} has the shards at {:?}", config.number, config.shards)
}

/// How many shards must move, at least, from this division to a balanced one among these groups.
///
/// Each group keeps what it has up to its share, and those that have more keep one more, as far as
/// shards do not come out even. All else moves.
fn least_moves(shards: &[Gid; SHARDS], groups: &BTreeMap<Gid, Vec<String>>) -> usize {
    if groups.is_empty() {
        return shards.iter().filter(|gid| **gid != NOBODY).count();
    }
    let (share, one_more) = (SHARDS / groups.len(), SHARDS % groups.len());
    let loads = groups.keys().map(|gid| load(shards, *gid));
    let kept: usize = loads.clone().map(|load| load.min(share)).sum();
    SHARDS - kept - loads.filter(|load| *load > share).count().min(one_more)
}

/// Checks a configuration that a Join or a Leave has made of another one: it is balanced, and no more
/// shards have moved than that takes.
///
/// # Panics
/// If it is not so.
#[track_caller]
pub(crate) fn check_rebalanced(before: &Config, after: &Config) {
    fail_if_wrong(is_rebalanced(before, after));
}

fn is_rebalanced(before: &Config, after: &Config) -> Checked {
    is_balanced(after)?;
    let moved = moved(before, after);
    let least = least_moves(&before.shards, &after.groups);
    if moved > least {
        let words = format!(
            "{moved} shards moved from configuration {} to {}, and {least} are enough",
            before.number, after.number
        );
        let broken = verdict("minimal movement", words);
        let broken = broken.fact(None, shown(before)).fact(None, shown(after));
        return wrong(broken.hint(
            "a group that has at most its share keeps all that it has; of those that have more, as \
             many as may keep one more than others do",
        ));
    }
    Ok(())
}

pub(crate) fn moved(before: &Config, after: &Config) -> usize {
    before.shards.iter().zip(&after.shards).filter(|(before, after)| before != after).count()
}

/// Checks that two servers have shown the same configuration.
///
/// # Panics
/// If they have not.
#[track_caller]
pub(crate) fn check_same(one: &Config, other: &Config) {
    if one != other {
        let words =
            format!("two answers differ, for configurations {} and {}", one.number, other.number);
        let fact = |broken: VerdictBuilder, config: &Config| {
            broken
                .fact(None, shown(config))
                .fact(None, format!("and the groups {:?}", config.groups))
        };
        let broken = [one, other].into_iter().fold(verdict("same configuration", words), fact);
        broken
            .hint(
                "every server must come to the same result from the same log: no order of a hash \
                 table, no random number; and a new configuration must not share its groups with an \
                 older one",
            )
            .fail();
    }
}

/// Checks the answer to a Query of a number that no configuration has yet: it must be the latest one.
///
/// # Panics
/// If it is not.
#[track_caller]
pub(crate) fn check_too_large(number: u64, latest: &Config, got: &Config) {
    if got != latest {
        let words = format!(
            "Query({number}) gave configuration {}, and not the latest one, which is {}",
            got.number, latest.number
        );
        verdict("numbers", words)
            .fact(None, shown(latest))
            .fact(None, shown(got))
            .hint("a number that is too large asks for the latest configuration")
            .fail();
    }
}

/// Checks all configurations that there are: their numbers, and what each has made of the one before.
///
/// # Panics
/// If one is wrong.
pub(crate) fn check_all(admin: &mut Admin) {
    let latest = admin.latest().number;
    let mut before = Config::default();
    for number in 0..=latest {
        let config = admin.numbered(number);
        fail_if_wrong(follows(&before, &config, number));
        before = config;
    }
}

/// Whether a configuration of this number can follow another one.
fn follows(before: &Config, config: &Config, number: u64) -> Checked {
    if config.number != number {
        let words = format!("Query({number}) gave configuration {}", config.number);
        return wrong(verdict("numbers", words).hint("all configurations are kept, for ever"));
    }
    if number == 0 {
        return match *config == Config::default() {
            true => Ok(()),
            false => wrong(
                verdict("first configuration", "configuration 0 is not empty".to_string())
                    .fact(None, shown(config)),
            ),
        };
    }
    if config.groups == before.groups && moved(before, config) <= 1 {
        return Ok(()); // a Move
    }
    is_rebalanced(before, config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(number: u64, shards: [Gid; SHARDS], gids: &[Gid]) -> Config {
        let groups = gids.iter().map(|gid| (*gid, vec![format!("server of {gid}")])).collect();
        Config { number, shards, groups }
    }

    /// What is said of a configuration that is wrong.
    fn words(found: Checked) -> String {
        found.expect_err("it is wrong").words
    }

    const TWO: [Gid; SHARDS] = [1, 1, 1, 1, 1, 2, 2, 2, 2, 2];

    #[test]
    fn groups_and_balance_are_looked_at() {
        assert!(find(&config(3, TWO, &[1, 2]), &[2, 1]).is_ok());
        assert!(find(&Config::default(), &[]).is_ok());
        assert!(words(find(&config(3, TWO, &[1, 2]), &[1])).contains("should have [1]"));
        assert!(words(find(&config(3, TWO, &[1]), &[1])).contains("shard 5 is at group 2, which"));
        assert!(words(find(&config(3, TWO, &[]), &[])).contains("has no groups"));
        let uneven = [1, 1, 1, 1, 1, 1, 2, 2, 2, 2];
        let max = words(find(&config(3, uneven, &[1, 2]), &[1, 2]));
        assert!(max.contains("max 6 too much larger than min 4"), "{max}");
        let none = words(find(&config(3, TWO, &[1, 2, 3]), &[1, 2, 3]));
        assert!(none.contains("max 5 too much larger than min 0"), "{none}");
    }

    #[test]
    fn the_least_moves_are_what_balance_forces() {
        let groups = |gids: &[Gid]| config(0, TWO, gids).groups;
        for (shards, gids, least) in [
            ([0; 10], vec![1], 10),
            ([0; 10], vec![], 0),
            (TWO, vec![], 10),
            (TWO, vec![1, 2], 0),
            (TWO, vec![1, 2, 3], 3),
            (TWO, vec![1], 5),
            (TWO, vec![3, 4], 10),
            ([1, 1, 1, 1, 2, 2, 2, 3, 3, 3], vec![1, 2, 3, 4], 2),
            ([1, 1, 2, 2, 3, 3, 4, 4, 5, 5], vec![1, 2, 3], 4),
            ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], (1..=15).collect(), 0),
            ([1, 1, 1, 1, 1, 1, 1, 1, 1, 2], vec![1, 2], 4), // after a Move
        ] {
            assert_eq!(least_moves(&shards, &groups(&gids)), least, "{shards:?} among {gids:?}");
        }
    }

    #[test]
    fn a_shard_that_moves_without_need_is_found() {
        let before = config(2, TWO, &[1, 2]);
        let after = |shards| config(3, shards, &[1, 2, 3]);
        assert!(follows(&before, &after([1, 1, 1, 1, 3, 3, 3, 2, 2, 2]), 3).is_ok());
        let more = follows(&before, &after([1, 1, 1, 2, 3, 3, 3, 2, 2, 1]), 3);
        assert!(words(more).contains("5 shards moved from configuration 2 to 3, and 3 are enough"));
    }

    #[test]
    fn a_move_may_leave_the_shards_uneven_and_nothing_else_may() {
        let before = config(2, TWO, &[1, 2]);
        let one = [2, 1, 1, 1, 1, 2, 2, 2, 2, 2];
        assert!(follows(&before, &config(3, one, &[1, 2]), 3).is_ok());
        let two = [2, 2, 1, 1, 1, 2, 2, 2, 2, 2];
        assert!(words(follows(&before, &config(3, two, &[1, 2]), 3)).contains("max 7"));
    }

    #[test]
    fn numbers_go_up_by_one_from_the_empty_one_on() {
        let first = Config::default();
        assert!(follows(&first, &first, 0).is_ok());
        assert!(words(follows(&first, &config(0, TWO, &[1, 2]), 0)).contains("is not empty"));
        assert!(words(follows(&first, &config(2, TWO, &[1, 2]), 1)).contains("Query(1) gave"));
    }
}
