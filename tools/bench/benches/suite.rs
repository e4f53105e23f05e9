//! The whole simulated suite on one thread, and the two ways of switching between tasks.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "benches measure the real clock, and some measure against its own threads and channels"
)]

use std::time::{Duration, Instant};

use bench::cpu::{self, ProcessCpu};
use bench::{each, fact, only_tests, ratio, suite};
use criterion::{Criterion, criterion_group, criterion_main};
use labrt::SwitchBy::{self, Coroutines, Threads};
use labrt::thread;
use labrt::world::Builder;
use labtrace::Keep;
use raft_api::Raft;
use raft_checked::CheckedRaft;
use raft_tests::run::Test;
use raft_tests::{RaftType, all_tests};

/// One seed of each test; returns how much simulated time and how many steps they had.
fn all<R: Raft>(seed: u64, by: SwitchBy) -> (Duration, u64) {
    recorded::<R>(seed, by, Keep::Nothing)
}

/// The same, with so much of each run recorded.
fn recorded<R: Raft>(seed: u64, by: SwitchBy, keep: Keep) -> (Duration, u64) {
    let (tests, raft) = (all_tests(), RaftType::of::<R>());
    let run = |(name, test): &(&str, Test)| suite::run(name, test, raft, seed, by, keep);
    let results: Vec<_> = tests.iter().map(run).collect();
    let time = results.iter().map(|(totals, _)| totals.time).sum();
    (time, results.iter().map(|(_, trace)| trace.steps).sum())
}

fn whole(c: &mut Criterion<ProcessCpu>) {
    let mut group = c.benchmark_group("suite, CPU time");
    let mut seeds = 0..;
    group.bench_function("raft::Raft", |b| {
        b.iter(|| all::<raft::Raft>(seeds.next().expect("seeds do not end"), Coroutines));
    });
    let mut seeds = 0..;
    group.bench_function("raft_checked::CheckedRaft", |b| {
        b.iter(|| all::<CheckedRaft>(seeds.next().expect("seeds do not end"), Coroutines));
    });
    group.finish();

    let began = cpu::used();
    let (time, steps) = all::<raft::Raft>(0, Coroutines);
    let cpu = cpu::used() - began;
    let speed = time.as_secs_f64() / cpu.as_secs_f64();
    let step = each(cpu, steps);
    let text = format!("{time:.1?} of lab time in {cpu:.1?} of CPU time: {speed:.0} times as fast");
    fact("suite: raft::Raft, seed 0; goal 700", &text);
    fact("suite: steps, and CPU time of each", &format!("{steps}, {step:?}"));
    if !only_tests() {
        each_test();
    }
}

/// Where the suite's CPU time goes, test by test.
fn each_test() {
    let raft = RaftType::of::<raft::Raft>();
    for (name, test) in all_tests() {
        let began = cpu::used();
        let rounds = 5;
        let steps: u64 = (0..rounds)
            .map(|seed| suite::run(name, &test, raft, seed, Coroutines, Keep::Nothing).1.steps)
            .sum();
        let cpu = each(cpu::used() - began, rounds);
        fact(&format!("suite: {name}"), &format!("{cpu:.1?}, {} steps", steps / rounds));
    }
}

/// Two tasks hand the turn to each other; the time of one switch.
fn switches(by: SwitchBy, count: u64) -> Duration {
    let world = Builder::simulated(1).switch_by(by).steps_per_instant(u64::MAX).switch_every(0);
    let took = world.run(move || {
        let tasks =
            [(), ()].map(|()| thread::spawn(move || (0..count).for_each(|_| thread::yield_now())));
        let began = Instant::now();
        for task in tasks {
            task.join().expect("it only yields");
        }
        began.elapsed()
    });
    each(took.unwrap_or_else(|failure| panic!("{failure}")).value, 2 * count)
}

fn switching(_: &mut Criterion<ProcessCpu>) {
    let count = if only_tests() { 10 } else { 5_000 };
    let name = "switch: coroutines / threads, two tasks that yield";
    ratio(name, "none", || switches(Coroutines, count), || switches(Threads, count));

    let run = |by| {
        let began = cpu::used();
        all::<raft::Raft>(0, by);
        cpu::used() - began
    };
    let name = "switch: coroutines / threads, CPU time of the suite";
    ratio(name, "none", || run(Coroutines), || run(Threads));
}

/// What it costs to record everything, and to keep the end of it only.
fn recording(_: &mut Criterion<ProcessCpu>) {
    let run = |keep| {
        let began = cpu::used();
        recorded::<raft::Raft>(0, Coroutines, keep);
        cpu::used() - began
    };
    let name = "recording: all events / none, CPU time of the suite";
    ratio(name, "none", || run(Keep::All), || run(Keep::Nothing));
    let name = "recording: the last 32,768 events / none, CPU time of the suite";
    ratio(name, "none", || run(Keep::Last(1 << 15)), || run(Keep::Nothing));
}

fn slow() -> Criterion<ProcessCpu> {
    Criterion::default()
        .with_measurement(ProcessCpu)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(5))
        .sample_size(10)
}

criterion_group! { name = benches; config = slow(); targets = whole, switching, recording }
criterion_main!(benches);
