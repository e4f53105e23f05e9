//! Shards that move between groups: what is served meanwhile, and what is left where.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use labrt::sync::atomic::AtomicUsize;
use labrt::thread;
use labrt::time::Instant;
use shard_api::{Clerk as _, ControllerClerk, shard_of};

use crate::world::{Clerk, World, each_seed, ms, on_the_real_clock, sleep};

fn keys() -> impl Iterator<Item = String> {
    (0..10).map(|key| key.to_string())
}

fn put_all(clerk: &mut Clerk) -> BTreeMap<String, String> {
    let pairs: BTreeMap<_, _> =
        keys().map(|key| (key.clone(), format!("value of {key}"))).collect();
    pairs.iter().for_each(|(key, value)| clerk.put(key, value));
    pairs
}

fn check_all(clerk: &mut Clerk, expected: &BTreeMap<String, String>) {
    for (key, value) in expected {
        assert_eq!(&clerk.get(key), value, "the value of key {key}");
    }
}

fn check_and_append_all(clerk: &mut Clerk, expected: &mut BTreeMap<String, String>) {
    for (key, value) in expected {
        assert_eq!(&clerk.get(key), value, "the value of key {key}");
        clerk.append(key, "+");
        value.push('+');
    }
}

fn values_go_where_the_configuration_says() {
    let mut world = World::new(3, Some(1000));
    let mut clerk = world.clerk();
    assert_eq!(world.config().number, 0);
    world.join(&[100]);
    let mut expected = put_all(&mut clerk);
    for change in 0..4 {
        match change {
            0 => world.join(&[101, 102]),
            1 => world.leave(&[100]),
            2 => world.join(&[100]),
            _ => world.leave(&[101, 102]),
        }
        check_and_append_all(&mut clerk, &mut expected);
    }
    // All that is needed is at group 100 now.
    sleep(500);
    world.group(101).crash_all();
    world.group(102).crash_all();
    check_all(&mut clerk, &expected);
}

#[test]
fn values_go_where_the_configuration_says_on_the_simulated_clock() {
    each_seed(values_go_where_the_configuration_says);
}

#[test]
fn values_go_where_the_configuration_says_on_the_real_clock() {
    on_the_real_clock(values_go_where_the_configuration_says);
}

#[test]
fn a_move_of_one_shard_moves_it_and_back() {
    each_seed(|| {
        let mut world = World::new(2, None);
        let mut clerk = world.clerk();
        world.join(&[100, 101]);
        let mut expected = put_all(&mut clerk);
        for gid in [100, 101, 100, 101] {
            world.admin.move_shard(shard_of("0"), gid);
            check_and_append_all(&mut clerk, &mut expected);
        }
    });
}

/// As many threads as keys, each with a clerk of its own that asks for one key: how many of them get
/// an answer.
fn answers_within(world: &mut World, time: u64, expected: &BTreeMap<String, String>) -> usize {
    let answered = Arc::new(AtomicUsize::new(0));
    for (key, value) in expected.clone() {
        let (mut clerk, answered) = (world.clerk(), answered.clone());
        thread::spawn(move || {
            assert_eq!(clerk.get(&key), value);
            answered.fetch_add(1, Ordering::SeqCst);
        });
    }
    sleep(time);
    answered.load(Ordering::SeqCst)
}

#[test]
fn a_group_that_is_down_takes_its_own_shards_with_it_and_no_others() {
    each_seed(|| {
        let mut world = World::new(2, None);
        let mut clerk = world.clerk();
        world.join(&[100]);
        world.join(&[101]);
        let expected = put_all(&mut clerk);
        world.group(101).crash_all();
        assert_eq!(answers_within(&mut world, 3000, &expected), 5);
        world.group(101).start_all();
        check_all(&mut clerk, &expected);
    });
}

#[test]
fn a_group_of_which_one_server_is_cut_off_goes_on_and_takes_shards() {
    each_seed(|| {
        let mut world = World::new(2, None);
        let mut clerk = world.clerk();
        world.join(&[100]);
        let mut expected = put_all(&mut clerk);
        for gid in [100, 101] {
            // If it leads, it takes requests and never answers them.
            sleep(700);
            let leader = world.groups[&gid].leader().expect("somebody leads after so long");
            world.groups[&gid].cut(leader, true);
            match gid {
                100 => world.join(&[101]),
                _ => world.leave(&[100]),
            }
            check_and_append_all(&mut clerk, &mut expected);
            world.groups[&gid].cut(leader, false);
        }
        check_all(&mut clerk, &expected);
    });
}

#[test]
fn shards_that_are_sent_to_the_wrong_group_are_kept_for_the_right_one() {
    each_seed(|| {
        let mut world = World::new(2, None);
        let mut clerk = world.clerk();
        world.join(&[100]);
        let mut expected = put_all(&mut clerk);
        // By mistake the new group has the names of the old one's servers.
        let wrong = world.groups[&100].names().to_vec();
        world.admin.join(BTreeMap::from([(101, wrong)]));
        sleep(2000);
        world.join(&[101]);
        check_and_append_all(&mut clerk, &mut expected);
    });
}

#[test]
fn a_leader_that_is_alone_keeps_shards_that_are_handed_to_it_again_and_again_once() {
    each_seed(|| {
        let mut world = World::new(2, None);
        let mut clerk = world.clerk();
        world.join(&[100]);
        let long = "x".repeat(20_000);
        keys().for_each(|key| clerk.put(&key, &long));
        // The new group comes to know that it is to get them while the old one is down.
        world.group(100).crash_all();
        world.join(&[101]);
        sleep(1500);
        let leader = world.group(101).leader().expect("somebody leads after so long");
        (0..3).filter(|server| *server != leader).for_each(|server| world.group(101).crash(server));
        world.group(100).start_all();
        sleep(30_000);
        let (state, _) = world.group(101).saved()[leader];
        assert!(state < 2 * 5 * long.len(), "it has saved {state} bytes");
        world.group(101).start_all();
        keys().for_each(|key| assert_eq!(clerk.get(&key), long));
    });
}

#[test]
fn unaffected_and_received_shards_are_served_while_others_are_missing() {
    each_seed(|| {
        let mut world = World::new(3, None);
        let mut clerk = world.clerk();
        world.network.set_reliable(false);
        world.join(&[100, 101, 102]);
        sleep(1000);
        let expected = put_all(&mut clerk);
        let owners = world.config().shards;
        world.group(100).crash_all();
        world.leave(&[100, 102]);
        // Group 101 has its own shards, gets those of 102, and never those of 100.
        let reachable = |key: &&String| owners[shard_of(key)] != 100;
        for key in expected.keys().filter(reachable) {
            assert_eq!(clerk.get(key), expected[key]);
            clerk.append(key, "!");
            assert_eq!(clerk.get(key), format!("{}!", expected[key]));
        }
        // And when it comes back, nothing is missing.
        world.group(100).start_all();
        for (key, value) in &expected {
            let more = if owners[shard_of(key)] == 100 { "" } else { "!" };
            assert_eq!(clerk.get(key), format!("{value}{more}"));
        }
    });
}

#[test]
fn a_group_does_not_wait_for_one_that_it_gives_shards_to() {
    each_seed(|| {
        let mut world = World::new(3, None);
        let mut clerk = world.clerk();
        world.join(&[100]);
        let expected = put_all(&mut clerk);
        world.group(101).crash_all();
        world.join(&[101]);
        world.join(&[102]);
        // Five shards have to go to 101 first. The others are at 100 or, from there, at 102.
        assert_eq!(answers_within(&mut world, 3000, &expected), 5);
        assert!(world.config().shards.contains(&102));
        world.group(101).start_all();
        check_all(&mut clerk, &expected);
    });
}

#[test]
fn what_nobody_owns_for_a_while_is_not_lost() {
    each_seed(|| {
        let mut world = World::new(2, None);
        let mut clerk = world.clerk();
        world.join(&[100]);
        let expected = put_all(&mut clerk);
        world.leave(&[100]);
        sleep(500);
        world.group(100).crash_all();
        world.join(&[101]);
        sleep(500);
        world.group(100).start_all();
        check_all(&mut clerk, &expected);
    });
}

#[test]
fn servers_make_one_end_for_each_name() {
    each_seed(|| {
        let mut world = World::new(3, None);
        let mut clerk = world.clerk();
        world.join(&[100]);
        let mut expected = put_all(&mut clerk);
        for _ in 0..3 {
            world.join(&[101, 102]);
            check_and_append_all(&mut clerk, &mut expected);
            world.leave(&[101, 102]);
            check_and_append_all(&mut clerk, &mut expected);
        }
        // To the three of its own group, to the controller's, and to those of two other groups.
        let most = world.groups.values().map(|group| group.most_ends()).max();
        assert!(most <= Some(3 + 3 + 6), "{most:?} ends");
    });
}

/// After a restart a server's machine is as in its last snapshot, until it knows which of the later
/// entries are committed. How much that leaves open depends on the limit.
#[test]
fn a_group_that_nobody_asks_for_anything_goes_on_after_a_restart() {
    for limit in (100..1200).step_by(100) {
        each_seed(move || {
            let mut world = World::new(3, Some(limit));
            let mut clerk = world.clerk();
            world.join(&[100]);
            let expected = put_all(&mut clerk);
            world.join(&[101]);
            sleep(1000);
            world.group(101).crash_all();
            world.group(101).start_all();
            world.join(&[102]);
            let owners = world.config().shards;
            for (key, value) in &expected {
                if owners[shard_of(key)] == 102 {
                    assert_eq!(&clerk.get(key), value);
                }
            }
        });
    }
}

/// The sizes of the values in the lab's test of challenge 1.
#[test]
fn lost_shards_are_deleted_when_their_new_owner_has_them() {
    each_seed(|| {
        let mut world = World::new(3, Some(1));
        let mut clerk = world.clerk();
        world.join(&[100]);
        let expected: BTreeMap<String, String> =
            (0..30).map(|key| (key.to_string(), "v".repeat(1000))).collect();
        expected.iter().for_each(|(key, value)| clerk.put(key, value));
        for _ in 0..2 {
            world.join(&[101]);
            world.leave(&[100]);
            world.join(&[102]);
            // They are deleted also if nobody remembers what was on its way.
            sleep(200);
            (100..103).for_each(|gid| world.group(gid).crash_all());
            (100..103).for_each(|gid| world.group(gid).start_all());
            sleep(3000);
            world.leave(&[101]);
            world.join(&[100]);
            world.leave(&[102]);
            sleep(3000);
        }
        world.join(&[101, 102]);
        check_all(&mut clerk, &expected);
        sleep(3000);
        let saved: usize = world
            .groups
            .values()
            .flat_map(|group| group.saved())
            .map(|(state, snapshot)| state + snapshot)
            .sum();
        let all = 3 * 30 * 1000;
        assert!((all..all + all / 5).contains(&saved), "{saved} bytes are saved");
        check_all(&mut clerk, &expected);
    });
}

#[test]
fn a_move_takes_less_than_half_a_second() {
    each_seed(|| {
        let mut world = World::new(2, None);
        let mut clerk = world.clerk();
        world.join(&[100]);
        put_all(&mut clerk);
        sleep(1000);
        world.join(&[101]);
        let began = Instant::now();
        keys().for_each(|key| clerk.append(&key, "."));
        assert!(began.elapsed() < ms(500), "{:?}", began.elapsed());
    });
}
