//! The schedule is a pure function of the seed.

use std::collections::BTreeSet;
use std::time::Duration;

use labrt::rng::RngExt;
use labrt::sync::atomic::{AtomicU32, Ordering};
use labrt::sync::{Arc, Mutex};
use labrt::world::{Builder, Change};
use labrt::{Node, Schedule, SwitchBy, channel, rng, simulate, thread};

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

/// Seeds stand for runs in reports and in the tests of other crates: these hashes change only together
/// with what a step is.
#[test]
fn the_walk_of_a_seed_stays_as_it_is() {
    let hashes = [0, 1, 2].map(|seed| trace(simulate(seed, busy_world)).hash);
    let known = [13890794762257691703, 9587838314160726167, 17078602517077807410];
    assert_eq!(hashes, known);
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

/// All ways to choose the next task.
const SCHEDULES: [Schedule; 4] =
    [Schedule::Walk, Schedule::Pct { depth: 3 }, Schedule::Pos, Schedule::Surw];

#[test]
fn a_schedule_is_a_function_of_the_seed_also_with_threads() {
    let work = Arc::new(Builder::simulated(0).estimate(busy_world));
    assert_eq!(*work, Builder::simulated(0).estimate(busy_world), "so is the estimate");
    let mut hashes = BTreeSet::new();
    for schedule in SCHEDULES {
        for seed in 0..20 {
            let run = |by| {
                let world = Builder::simulated(seed).schedule(schedule).work(work.clone());
                world.switch_by(by).run(busy_world).expect("nothing can fail").trace
            };
            let trace = run(SwitchBy::Coroutines);
            assert_eq!(trace, run(SwitchBy::Threads), "{schedule:?}, seed {seed}");
            hashes.insert(trace.expect("it is simulated").hash);
        }
    }
    assert_eq!(hashes.len(), 20 * SCHEDULES.len(), "schedules and seeds give different runs");
}

#[test]
fn no_schedule_forces_more_switches_than_it_may() {
    for schedule in SCHEDULES {
        for most in [0, 3] {
            let world = Builder::simulated(5).schedule(schedule).forced_switches(most);
            let trace = world.run(busy_world).expect("nothing can fail").trace;
            assert!(trace.expect("it is simulated").forced_switches <= most, "{schedule:?}");
        }
    }
}

/// Two tasks of which each waits in a loop for the other one.
fn each_spins() {
    let turn = Arc::new(AtomicU32::new(0));
    let tasks = [0, 1].map(|me| {
        let turn = turn.clone();
        thread::spawn(move || {
            for round in 0..3 {
                while turn.load(Ordering::SeqCst) != 2 * round + me {}
                turn.store(2 * round + me + 1, Ordering::SeqCst);
            }
        })
    });
    tasks.into_iter().for_each(|task| task.join().expect("it does not panic"));
}

#[test]
fn who_spins_lets_others_have_their_turn() {
    for schedule in SCHEDULES {
        for seed in 0..20 {
            let world = Builder::simulated(seed).schedule(schedule).steps_per_instant(200_000);
            if let Err(failure) = world.run(each_spins) {
                panic!("{schedule:?}: {failure}");
            }
        }
    }
}

#[test]
fn an_estimate_does_not_depend_on_where_memory_is_used_again() {
    let world = |leaks: bool| {
        move || {
            let (sender, receiver) = channel::unbounded::<u32>();
            let taker = thread::spawn(move || {
                (0..3).for_each(|_| _ = receiver.recv());
                if leaks {
                    std::mem::forget(receiver);
                }
            });
            (0..3).for_each(|n| sender.send(n).expect("it receives"));
            drop(sender);
            taker.join().expect("it ends");
            // This one may lie where the first one was.
            let (sender, receiver) = channel::unbounded::<u32>();
            let giver = thread::spawn(move || (0..10).for_each(|n| _ = sender.send(n)));
            (0..10).for_each(|_| _ = receiver.recv());
            giver.join().expect("it ends");
        }
    };
    let of = |by, leaks| Builder::simulated(0).switch_by(by).estimate(world(leaks));
    let estimate = of(SwitchBy::Coroutines, false);
    assert_eq!(estimate, of(SwitchBy::Coroutines, true));
    assert_eq!(estimate, of(SwitchBy::Threads, false));
}

#[test]
fn an_estimate_counts_what_a_run_did_up_to_its_end() {
    let steps = |rounds| {
        let work = Builder::simulated(1).estimate(move || {
            let total = Mutex::new(0);
            (0..rounds).for_each(|_| *total.lock() += 1);
            panic!("how it ends does not matter");
        });
        work.operations()
    };
    assert_eq!(steps(50) - steps(20), 30);
    assert_eq!(Builder::real().estimate(|| Mutex::new(0).lock().to_owned()).operations(), 0);
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

/// What two tasks draw, and how the world went, with these changes (seconds, number).
fn drawn(changes: &[(u64, u64)]) -> (Vec<(u64, u64)>, labrt::world::Trace) {
    let change = |&(at, number)| Change { at: Duration::from_secs(at), number };
    let changes = changes.iter().map(change).collect();
    let outcome = Builder::simulated(3).changes(changes).record_events(true).run(|| {
        let (mut early, drawn) = (rng::stream("one"), Arc::new(Mutex::new(Vec::new())));
        for _ in 0..4 {
            let mut late = rng::stream("late");
            let (drawn, one) = (drawn.clone(), early.random());
            let other = thread::spawn(move || drawn.lock().push((one, late.random())));
            thread::sleep(Duration::from_secs(1));
            other.join().unwrap();
        }
        drawn.lock().clone()
    });
    let outcome = outcome.unwrap();
    (outcome.value, outcome.trace.unwrap())
}

#[test]
fn from_a_change_on_all_draws_are_others_and_up_to_it_none() {
    let (without, trace) = drawn(&[]);
    let (changed, other) = drawn(&[(2, 7)]);
    assert_eq!(without[..2], changed[..2]);
    for (one, other) in without[2..].iter().zip(&changed[2..]) {
        assert!(one.0 != other.0 && one.1 != other.1, "{one:?} {other:?}");
    }
    let before = |trace: &labrt::world::Trace| {
        let until = |event: &&labrt::world::Event| event.time < Duration::from_secs(2);
        trace.events.iter().take_while(until).copied().collect::<Vec<_>>()
    };
    assert_eq!(before(&trace), before(&other));
    assert_eq!(drawn(&[(2, 7)]), drawn(&[(2, 7)]), "a run with changes can be repeated");
}

#[test]
fn each_change_has_its_own_draws() {
    let all = [
        drawn(&[(1, 7)]).0,
        drawn(&[(1, 8)]).0,
        drawn(&[(1, 7), (2, 7)]).0,
        drawn(&[(1, 7), (3, 9)]).0,
    ];
    assert!(all.iter().all(|one| one[0] == all[0][0]));
    assert_ne!(all[0][1], all[1][1]);
    assert_eq!(all[0][1], all[2][1]);
    assert_ne!(all[0][2], all[2][2]);
    assert_eq!(all[0][..3], all[3][..3]);
    assert_eq!(drawn(&[(3, 9), (1, 7)]).0, all[3], "their order does not matter");
    assert_eq!(drawn(&[(99, 1)]), drawn(&[]), "one that is never reached changes nothing");
}
