//! The schedule is a pure function of the seed.

use std::collections::BTreeSet;
use std::time::Duration;

use labrt::rng::RngExt;
use labrt::sync::{Arc, Mutex};
use labrt::world::Builder;
use labrt::{Node, SwitchBy, channel, rng, simulate, thread};

use crate::{millis, trace};

/// A bit of everything: locks, channels, sleeps, random numbers, a node that is killed.
fn busy_world() -> u64 {
    let total = Arc::new(Mutex::new(0u64));
    let (sender, receiver) = channel::bounded(2);
    let node = Node::new("victim");
    let mut handles = Vec::new();
    for worker in 0..4u64 {
        let (total, sender) = (total.clone(), sender.clone());
        handles.push(thread::spawn(move || {
            let mut rng = rng::stream("worker");
            for round in 0..20 {
                thread::sleep(millis(rng.random_range(0..5)));
                *total.lock() += rng.random_range(0..100u64);
                sender.send(worker * 100 + round).unwrap();
            }
        }));
    }
    drop(sender);
    let victim_total = total.clone();
    node.spawn(move || {
        loop {
            thread::sleep(millis(3));
            *victim_total.lock() += 1;
        }
    });
    let mut sum = 0;
    for (count, message) in receiver.iter().enumerate() {
        sum += message;
        if count == 30 {
            node.kill();
        }
    }
    for handle in handles {
        handle.join().unwrap();
    }
    sum * 1000 + *total.lock()
}

#[test]
fn equal_seeds_give_equal_traces_also_under_load() {
    const SEEDS: u64 = 200;
    let once: Vec<_> = (0..SEEDS).map(|seed| trace(simulate(seed, busy_world))).collect();
    let again: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                (0..SEEDS).map(|seed| trace(simulate(seed, busy_world))).collect::<Vec<_>>()
            })
        })
        .collect();
    for run in again {
        assert_eq!(run.join().unwrap(), once);
    }
    let hashes: BTreeSet<_> = once.iter().map(|trace| trace.hash).collect();
    assert_eq!(hashes.len() as u64, SEEDS, "different seeds give different runs");
}

#[test]
fn both_ways_of_switching_run_the_same_schedule() {
    for seed in 0..50 {
        let run = |by| {
            let builder = Builder::simulated(seed).record_events(true).switch_by(by);
            let outcome = builder.run(busy_world).unwrap();
            (outcome.value, outcome.trace)
        };
        assert_eq!(run(SwitchBy::Coroutines), run(SwitchBy::Threads), "seed {seed}");
    }
}

#[test]
fn streams_are_independent_of_each_other() {
    let draw = |extra: bool| {
        simulate(3, move || {
            let mut one = rng::stream("one");
            if extra {
                one.random_range(0..10u32);
            }
            let again = rng::stream("two").random_range(0..u64::MAX);
            (again, rng::stream("two").random_range(0..u64::MAX))
        })
    };
    let (without, with) = (draw(false).unwrap().value, draw(true).unwrap().value);
    assert_eq!(without, with);
    assert_ne!(with.0, with.1, "a label asked for twice gives two streams");
}

#[test]
fn worlds_run_side_by_side() {
    let worlds: Vec<_> = (0..8u64)
        .map(|seed| {
            std::thread::spawn(move || {
                let marker = simulate(seed, move || {
                    *labrt::world::local::<Mutex<u64>>().unwrap().lock() = seed;
                    thread::sleep(Duration::from_secs(seed));
                    *labrt::world::local::<Mutex<u64>>().unwrap().lock()
                });
                marker.unwrap()
            })
        })
        .collect();
    for (seed, world) in worlds.into_iter().enumerate() {
        let outcome = world.join().unwrap();
        assert_eq!(outcome.value, seed as u64);
        assert_eq!(outcome.elapsed, Duration::from_secs(seed as u64));
    }
}
