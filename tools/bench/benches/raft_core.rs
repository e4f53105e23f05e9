//! From proposing to applying on three servers in memory: our core beside tikv's.
//!
//! Both move messages as they are, keep entries as they are, and handle what has come together in
//! one round. Neither sends anything only to say what is committed. See `bench::tikv` for the
//! settings.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "benches measure the real clock, and some measure against its own threads and channels"
)]

use std::time::{Duration, Instant};

use bench::cluster::{Cluster, Plain};
use bench::{each, only_tests, ratio, tikv};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use raft::storage::Storage;

const COMMAND: usize = 100;

/// So many commands; making them is part of both sides' work.
fn commands(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| vec![n as u8; COMMAND]).collect()
}

/// How many rounds make a measurement, for batches of this size.
fn rounds(batch: usize) -> usize {
    if only_tests() { 2 } else { 8_192 / batch }
}

fn compare(c: &mut Criterion) {
    for batch in [1, 64] {
        let rounds = rounds(batch);
        let mut group = c.benchmark_group("core");
        group.throughput(Throughput::Elements((rounds * batch) as u64)).sample_size(20);
        group.bench_function(BenchmarkId::new("ours", batch), |b| {
            b.iter_batched(ours::<Plain>, |it| run(it, rounds, batch), BatchSize::PerIteration);
        });
        group.bench_function(BenchmarkId::new("ours, encoded for a persister", batch), |b| {
            b.iter_batched(ours::<Storage>, |it| run(it, rounds, batch), BatchSize::PerIteration);
        });
        group.bench_function(BenchmarkId::new("tikv", batch), |b| {
            b.iter_batched(theirs, |it| run(it, rounds, batch), BatchSize::PerIteration);
        });
        group.finish();

        let theirs = || time(theirs(), rounds, batch);
        let name = format!("core: batches of {batch}, time of ours / tikv's");
        ratio(&name, "1", || time(ours::<Plain>(), rounds, batch), theirs);
        let name = format!("core: batches of {batch}, time of ours with encoding / tikv's without");
        ratio(&name, "none", || time(ours::<Storage>(), rounds, batch), theirs);
    }
}

trait Committing {
    fn commit(&mut self, commands: Vec<Vec<u8>>);
}

impl<S: bench::cluster::Store> Committing for Cluster<S> {
    fn commit(&mut self, commands: Vec<Vec<u8>>) {
        Cluster::commit(self, commands);
    }
}

impl Committing for tikv::Cluster {
    fn commit(&mut self, commands: Vec<Vec<u8>>) {
        tikv::Cluster::commit(self, commands);
    }
}

fn ours<S: bench::cluster::Store>() -> Cluster<S> {
    Cluster::new(3)
}

fn theirs() -> tikv::Cluster {
    tikv::Cluster::new(3)
}

/// Returns the cluster, so that its end is not measured.
fn run<C: Committing>(mut cluster: C, rounds: usize, batch: usize) -> C {
    for _ in 0..rounds {
        cluster.commit(commands(batch));
    }
    cluster
}

/// The time of one command.
fn time(cluster: impl Committing, rounds: usize, batch: usize) -> Duration {
    let began = Instant::now();
    let cluster = run(cluster, rounds, batch);
    let took = began.elapsed();
    drop(cluster);
    each(took, (rounds * batch) as u64)
}

fn quick() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = quick(); targets = compare }
criterion_main!(benches);
