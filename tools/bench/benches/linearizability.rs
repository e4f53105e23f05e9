//! The linearizability checker, alone and beside others: CPU time, of all threads.
//!
//! `LINEARIZABILITY_RECORDED` names the folder of Porcupine's recorded histories; without it only
//! histories are measured that are made here.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use bench::checkers::{self, Etcd};
use bench::cpu::{self, ProcessCpu};
use bench::{fact, only_tests};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use linearizability::models::{CasRegister, Kv, KvInput, KvOutput, Unsplit};
use linearizability::{History, Limits, Means, Operation, check, check_by, read, witness};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// How many operations the history with a witness has, and its clients.
const LONG: usize = 1_000_000;
const CLIENTS: u64 = 64;

/// A history of a map that takes effect in the order of its operations, each client with one at a
/// time.
fn long_history(length: usize) -> History<KvInput, KvOutput> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut values = vec![String::new(); 256];
    let mut free: Vec<u64> = vec![0; CLIENTS as usize];
    let operation = |n: usize| {
        let now = 10 * n as u64;
        // It takes effect now: it was called before and returns later, so at most 30 are under way.
        let first = random.random_range(0..free.len());
        let mut clients = (0..free.len()).map(|next| (first + next) % free.len());
        let client = clients.find(|&client| free[client] <= now).expect("some client is free");
        let call = free[client].max(now.saturating_sub(random.random_range(0..300)));
        let at = now + random.random_range(1..300);
        free[client] = at + 1;
        let number = random.random_range(0..values.len());
        let (key, value) = (format!("k{number}"), &mut values[number]);
        let (input, output) = match random.random_range(0..10) {
            0..5 => (KvInput::Get { key }, KvOutput::Value(value.clone())),
            5..9 if value.len() < 200 => {
                let text = format!("x {client} {n} y");
                *value += &text;
                (KvInput::Append { key, value: text }, KvOutput::Done)
            }
            _ => {
                *value = format!("x {client} {n} y");
                (KvInput::Put { key, value: value.clone() }, KvOutput::Done)
            }
        };
        Operation::new(client as u64, call, input, at, output)
    };
    History::new((0..length).map(operation).collect()).expect("the times are right")
}

fn with_witness(c: &mut Criterion<ProcessCpu>) {
    let length = if only_tests() { LONG / 100 } else { LONG };
    let history = long_history(length);
    let order: Vec<usize> = (0..length).collect();
    let whole = || witness::verify(&Kv, &history, &order).expect("it is one");
    let mut group = c.benchmark_group("linearizability");
    group.sample_size(10);
    group.bench_function("1,000,000 operations, witness", |b| b.iter(whole));
    group.bench_function("1,000,000 operations, distinct values", |b| {
        b.iter(|| check_by(&Kv, &history, &[Means::Distinct], &Limits::default()));
    });
    group.finish();
    let began = cpu::used();
    black_box(whole());
    let used = cpu::used() - began;
    let text = format!("{used:.2?}, {:.0?} for each", used / length as u32);
    fact("linearizability: 1,000,000 operations of 64 clients with a witness; goal 2 s", &text);
    let began = cpu::used();
    let report = check_by(&Kv, &history, &[Means::Search], &Limits::default());
    let text = format!("{:.2?}, {} steps", cpu::used() - began, report.work.steps);
    assert!(report.answer.is_linearizable());
    fact("linearizability: the same by search, without the witness", &text);
}

/// Short histories as model checkers have them, by each checker.
fn short(c: &mut Criterion<ProcessCpu>) {
    let histories: Vec<Etcd> = (0..200).map(checkers::short_history).collect();
    compare(c, "200 histories of 12 operations", &histories, true);
}

fn recorded(c: &mut Criterion<ProcessCpu>) {
    let Some(folder) = std::env::var_os("LINEARIZABILITY_RECORDED").map(PathBuf::from) else {
        fact("linearizability: recorded histories", "skipped: LINEARIZABILITY_RECORDED is not set");
        return;
    };
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).expect("the file is there");
    let numbers = (0..102).filter(|n| folder.join(format!("etcd_{n:03}.log")).exists());
    let etcd: Vec<Etcd> = numbers
        .map(|n| read::cas_register(&text(&format!("etcd_{n:03}.log"))).expect("it is a history"))
        .map(|history| checkers::etcd(&history))
        .collect();
    compare(c, &format!("{} histories of etcd", etcd.len()), &etcd, false);

    let kv = read::kv(&text("c10-ok.txt")).expect("it is a history");
    let theirs = checkers::porcupine_kv(&kv);
    let ours = || check(&Unsplit(Kv), &kv, &Limits::default()).answer.is_linearizable();
    c.bench_function("linearizability, c10-ok as one object/this", |b| b.iter(|| assert!(ours())));
    if !only_tests() {
        // Once: it takes long.
        let began = cpu::used();
        assert!(theirs.is_linearizable());
        let text = format!("{:.2?}", cpu::used() - began);
        fact("linearizability, c10-ok as one object: porcupine-rs, CPU time", &text);
    }
}

/// Measures each checker on these histories, after a look whether all give the same answers.
fn compare(c: &mut Criterion<ProcessCpu>, what: &str, histories: &[Etcd], with_stateright: bool) {
    let model = CasRegister { initial: None };
    for (number, history) in histories.iter().enumerate() {
        let answers = [history.ours(), history.porcupine(), Etcd::todc(history.todc.clone())];
        let all = [answers[0]; 3];
        assert_eq!(answers, all, "this, porcupine-rs, todc-utils disagree on {number}");
        if with_stateright {
            assert_eq!(answers[0], history.stateright(), "stateright disagrees on {number}");
        }
    }
    let mut group = c.benchmark_group(format!("linearizability, {what}"));
    group.sample_size(10);
    group.bench_function("this", |b| b.iter(|| histories.iter().filter(|of| of.ours()).count()));
    group.bench_function("this, with explanations", |b| {
        let explained =
            |of: &&Etcd| check(&model, &of.ours, &Limits::default()).answer.is_linearizable();
        b.iter(|| histories.iter().filter(explained).count());
    });
    group.bench_function("porcupine-rs", |b| {
        b.iter(|| histories.iter().filter(|of| of.porcupine()).count());
    });
    group.bench_function("todc-utils", |b| {
        let copies = || histories.iter().map(|of| of.todc.clone()).collect();
        let decide = |copies: Vec<_>| copies.into_iter().map(Etcd::todc).filter(|of| *of).count();
        b.iter_batched(copies, decide, BatchSize::SmallInput);
    });
    if with_stateright {
        group.bench_function("stateright", |b| {
            b.iter(|| histories.iter().filter(|of| of.stateright()).count());
        });
    }
    group.finish();
}

fn cpu_time() -> Criterion<ProcessCpu> {
    Criterion::default().with_measurement(ProcessCpu).warm_up_time(Duration::from_millis(500))
}

criterion_group! {
    name = benches;
    config = cpu_time();
    targets = short, recorded, with_witness
}
criterion_main!(benches);
