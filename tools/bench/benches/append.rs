//! The cost of one append to a short state and to a long one.
//!
//! ```sh
//! cargo measure --bench append
//! ```
//!
//! `append` compares states of 1,000 and of 100,000 records, 100 bytes each. `fill` grows a state
//! in memory from nothing, so that its figures include the doubling of the vector, which `append`
//! leaves out.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a bench measures wall time"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use persister::{FilePersister, MemoryPersister, Persister};

const RECORD: [u8; 100] = [7; 100];
const LENGTHS: [u64; 2] = [1_000, 100_000];

fn fill(disk: &dyn Persister, records: u64) {
    for _ in 0..records {
        disk.append_raft_state(black_box(&RECORD)).unwrap();
    }
}

/// Times `iters` appends, but starts afresh as soon as the state has grown by so many records.
fn timed<P: Persister>(iters: u64, growth: u64, fresh: impl Fn() -> P) -> Duration {
    let mut spent = Duration::ZERO;
    let mut left = iters;
    while left > 0 {
        let now = left.min(growth);
        let disk = fresh();
        let start = Instant::now();
        fill(&disk, now);
        spent += start.elapsed();
        left -= now;
    }
    spent
}

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    group.sample_size(30);
    group.warm_up_time(Duration::from_secs(1));
    group.measurement_time(Duration::from_secs(4));
    for length in LENGTHS {
        group.bench_function(BenchmarkId::new("memory", length), |bencher| {
            bencher.iter_custom(|iters| {
                // From 1,000 records to 1,020: the vector doubles at 1,024.
                timed(iters, length / 50, || {
                    let disk = MemoryPersister::new();
                    fill(&disk, length);
                    disk
                })
            });
        });
    }
    let files = if cfg!(unix) { &[("file_unsynced", false), ("file", true)][..] } else { &[] };
    for &(name, synced) in files {
        for length in LENGTHS {
            let parent = tempfile::tempdir().unwrap();
            let full = parent.path().join("full");
            fill(&FilePersister::open_unsynced(&full).unwrap(), length);
            let work = parent.path().join("work");
            std::fs::create_dir(&work).unwrap();
            group.bench_function(BenchmarkId::new(name, length), |bencher| {
                bencher.iter_custom(|iters| {
                    timed(iters, length / 10, || {
                        std::fs::copy(full.join("raft-state"), work.join("raft-state")).unwrap();
                        let open =
                            if synced { FilePersister::open } else { FilePersister::open_unsynced };
                        open(work.clone()).unwrap()
                    })
                });
            });
        }
    }
    group.finish();
}

fn fill_memory(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fill");
    group.sample_size(20);
    for length in LENGTHS {
        group.throughput(Throughput::Elements(length));
        group.bench_function(BenchmarkId::new("memory", length), |bencher| {
            bencher.iter(|| {
                let disk = MemoryPersister::new();
                fill(&disk, length);
                disk
            });
        });
    }
    group.finish();
}

criterion_group!(benches, append, fill_memory);
criterion_main!(benches);
