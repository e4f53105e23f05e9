//! The controller alone, as a cluster: its log, its clerks, its crashes. What its machine makes of the
//! changes, the tests of the crate `shardctrler` say.

use std::collections::BTreeMap;

use labrt::rng::{self, RngExt};
use labrt::thread;
use shard_api::{Config, ControllerClerk, Gid, NOBODY};

use crate::world::{World, each_seed, sleep};

/// Checks that a configuration has these groups, and that the shards are divided evenly among them.
fn check_balanced(config: &Config, gids: &[Gid]) {
    let groups: Vec<Gid> = config.groups.keys().copied().collect();
    assert_eq!(groups, gids, "the groups of configuration {}", config.number);
    let count = |gid: &Gid| config.shards.iter().filter(|shard| *shard == gid).count();
    let counts: Vec<usize> = gids.iter().map(count).collect();
    let all = if gids.is_empty() { count(&NOBODY) } else { counts.iter().sum() };
    assert_eq!(all, config.shards.len(), "{config:?}");
    let (least, most) = (counts.iter().min(), counts.iter().max());
    assert!(most.zip(least).is_none_or(|(most, least)| most - least <= 1), "{config:?}");
}

fn join_one(clerk: &mut impl ControllerClerk, gid: Gid) {
    let names = ["a", "b", "c"].map(|server| format!("{gid}{server}"));
    clerk.join(BTreeMap::from([(gid, names.to_vec())]));
}

#[test]
fn changes_of_many_clerks_happen_once_each_whatever_is_lost_and_whoever_crashes() {
    each_seed(|| {
        let mut world = World::new(0, None);
        world.network.set_reliable(false);
        let mut rng = rng::stream("trouble");
        let clerks: Vec<_> = (0..5)
            .map(|who| {
                let mut clerk = world.admin_clerk();
                thread::spawn(move || {
                    let gid = 10 * (who + 1);
                    join_one(&mut clerk, gid);
                    join_one(&mut clerk, gid + 1);
                    clerk.leave(&[gid]);
                })
            })
            .collect();
        for _ in 0..5 {
            world.controller.crash(rng.random_range(0..3));
            sleep(rng.random_range(0..300));
            world.controller.start_all();
        }
        clerks.into_iter().for_each(|clerk| clerk.join().expect("it does not fail"));
        let latest = world.config();
        assert_eq!(latest.number, 15, "one for each change");
        check_balanced(&latest, &[11, 21, 31, 41, 51]);
        for number in 0..15 {
            let config = world.admin.query(Some(number));
            assert_eq!(config.number, number);
            check_balanced(&config, &config.groups.keys().copied().collect::<Vec<_>>());
        }
    });
}

#[test]
fn what_was_is_known_whichever_server_is_down() {
    each_seed(|| {
        let mut world = World::new(0, None);
        for gid in [1, 2, 3] {
            join_one(&mut world.admin, gid);
        }
        world.leave(&[2, 1]);
        let history: Vec<Config> = (0..5).map(|n| world.admin.query(Some(n))).collect();
        for server in 0..3 {
            world.controller.crash(server);
            for config in &history {
                assert_eq!(&world.admin.query(Some(config.number)), config);
            }
            world.controller.start(server);
        }
        world.controller.crash_all();
        world.controller.start_all();
        assert_eq!(&world.config(), &history[4], "after a crash of all");
    });
}

#[test]
fn a_query_shows_every_change_that_was_answered_before() {
    each_seed(|| {
        let mut world = World::new(0, None);
        for number in 1..=6 {
            join_one(&mut world.admin, number);
            // Of all that were asked, the one that leads is cut off. It does not know that.
            let leader = world.controller.leader().expect("somebody has just answered");
            world.controller.cut(leader, true);
            let mut other = world.admin_clerk();
            assert_eq!(other.query(None).number, number);
            world.controller.cut(leader, false);
        }
    });
}
