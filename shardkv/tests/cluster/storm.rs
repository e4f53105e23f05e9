//! Everything at once: clerks that append, configurations that change, servers and whole groups that
//! crash, on a network that loses messages. In the end every append has happened exactly once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use labrt::rng::{self, RngExt, Stream};
use labrt::sync::atomic::AtomicBool;
use labrt::thread;
use shard_api::{Clerk as _, ControllerClerk, Gid};

use crate::world::{World, each_seed, ms, sleep};

const GROUPS: u64 = 3;
const CLERKS: usize = 5;

/// How long the storm lasts, in rounds of some tenths of a second.
const ROUNDS: usize = 12;

/// Appends to keys at random until told to stop, and sometimes reads one; returns how many appends
/// each key got.
fn append_until(
    stop: &AtomicBool,
    who: usize,
    mut clerk: impl shard_api::Clerk,
) -> BTreeMap<String, usize> {
    let mut rng = rng::stream("appends");
    let mut done: BTreeMap<String, usize> = BTreeMap::new();
    while !stop.load(Ordering::SeqCst) {
        let key = rng.random_range(0..10).to_string();
        let count = done.entry(key.clone()).or_default();
        if rng.random_bool(0.2) {
            check_appends(&clerk.get(&key), who, *count);
        } else {
            clerk.append(&key, &format!("({who}:{count})"));
            *count += 1;
        }
        thread::sleep(ms(rng.random_range(0..20)));
    }
    done
}

/// A value has these appends of a clerk once, in their order.
fn check_appends(value: &str, who: usize, count: usize) {
    let prefix = format!("({who}:");
    let found: Vec<&str> = value.split_inclusive(')').filter(|a| a.starts_with(&prefix)).collect();
    let expected: Vec<String> = (0..count).map(|n| format!("({who}:{n})")).collect();
    assert_eq!(found, expected, "in `{value}`");
}

fn any_group(rng: &mut Stream) -> Gid {
    100 + rng.random_range(0..GROUPS)
}

/// One thing that changes or goes wrong.
fn trouble(world: &mut World, rng: &mut Stream) {
    let (gid, other, server) = (any_group(rng), any_group(rng), rng.random_range(0..3));
    match rng.random_range(0..12) {
        0 | 1 => world.join(&[gid]),
        2 => world.leave(&[gid]),
        3 => world.admin.move_shard(rng.random_range(0..10), gid),
        4 => world.group(gid).crash(server),
        5 => world.group(gid).crash_all(),
        6 => world.group(gid).start_all(),
        7 => world.group(gid).cut(server, true),
        8 if gid != other => world.group(gid).cut_from(&format!("server-{other}"), true),
        9 => world.group(gid).cut_from("controller", true),
        10 => {
            // The power fails, everywhere.
            world.groups.values_mut().for_each(|group| group.crash_all());
            world.controller.crash_all();
            world.groups.values_mut().for_each(|group| group.start_all());
            world.controller.start_all();
        }
        _ => {
            // One at a time: without a majority nobody answers the next change.
            world.controller.start_all();
            world.controller.crash(server);
        }
    }
}

fn heal(world: &mut World) {
    world.network.set_reliable(true);
    world.controller.start_all();
    for group in world.groups.values_mut() {
        group.start_all();
        group.cut_from("server", false);
        group.cut_from("controller", false);
    }
}

fn storm(reliable: bool, max_raft_state: Option<usize>) {
    let mut world = World::new(GROUPS, max_raft_state);
    let mut rng = rng::stream("trouble");
    world.network.set_reliable(reliable);
    world.join(&[any_group(&mut rng)]);
    let stop = Arc::new(AtomicBool::new(false));
    let appenders: Vec<_> = (0..CLERKS)
        .map(|who| {
            let (stop, clerk) = (stop.clone(), world.clerk());
            thread::spawn(move || append_until(&stop, who, clerk))
        })
        .collect();
    for _ in 0..ROUNDS {
        trouble(&mut world, &mut rng);
        sleep(rng.random_range(0..600));
    }
    heal(&mut world);
    world.join(&[any_group(&mut rng)]); // or the clerks would wait for ever
    sleep(2000);
    stop.store(true, Ordering::SeqCst);
    let done: Vec<BTreeMap<String, usize>> =
        appenders.into_iter().map(|task| task.join().expect("it does not fail")).collect();
    let mut clerk = world.clerk();
    for key in (0..10).map(|key| key.to_string()) {
        let value = clerk.get(&key);
        for (who, done) in done.iter().enumerate() {
            check_appends(&value, who, done.get(&key).copied().unwrap_or(0));
        }
    }
    assert!(done.iter().flat_map(BTreeMap::values).sum::<usize>() > 50, "somebody got through");
}

#[test]
fn appends_happen_once_on_a_reliable_network() {
    each_seed(|| storm(true, None));
}

#[test]
fn appends_happen_once_on_an_unreliable_network() {
    each_seed(|| storm(false, None));
}

#[test]
fn appends_happen_once_with_a_snapshot_after_each_entry() {
    each_seed(|| storm(true, Some(1)));
}

#[test]
fn appends_happen_once_with_snapshots_on_an_unreliable_network() {
    each_seed(|| storm(false, Some(1000)));
}
