//! What one more committed entry costs when the log is long, and when it lies behind a large snapshot:
//! core and storage of three servers.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "benches measure the real clock, and some measure against its own threads and channels"
)]

use std::time::{Duration, Instant};

use bench::cluster::Cluster;
use bench::{each, only_tests, ratio};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use raft::storage::Storage;

const COMMAND: usize = 100;
const SHORT: u64 = 1_000;
const LONG: u64 = 100_000;
const SMALL_SNAPSHOT: usize = 100;
const LARGE_SNAPSHOT: usize = 10_000_000;

/// A cluster whose log has about the same length, however much is committed.
struct Kept {
    cluster: Cluster<Storage>,
    length: u64,
    /// The size of the snapshot that the log lies behind; 0 for none.
    snapshot: usize,
}

impl Kept {
    fn new(length: u64) -> Kept {
        Kept::behind(0, length)
    }

    fn behind(snapshot: usize, length: u64) -> Kept {
        let mut kept = Kept { cluster: Cluster::new(3), length, snapshot };
        kept.fill();
        kept
    }

    fn fill(&mut self) {
        if self.snapshot > 0 {
            // The second one tells the followers that the first is committed.
            self.cluster.commit(vec![vec![0; COMMAND]]);
            self.cluster.commit(vec![vec![0; COMMAND]]);
            self.cluster.snapshot(self.snapshot);
        }
        while self.cluster.log_length() < self.length {
            self.cluster.commit(vec![vec![0; COMMAND]; 50]);
        }
    }

    /// The time that so many more entries take, one after the other.
    fn commit(&mut self, mut count: u64) -> Duration {
        let mut took = Duration::ZERO;
        while count > 0 {
            if self.cluster.log_length() >= self.length + self.length / 2 {
                self.cluster = Cluster::new(3);
                self.fill();
            }
            let now = count.min(self.length / 2);
            let began = Instant::now();
            for _ in 0..now {
                self.cluster.commit(vec![vec![1; COMMAND]]);
            }
            took += began.elapsed();
            count -= now;
        }
        took
    }
}

/// The time that so many more entries take if every tenth is followed by a snapshot on every server.
fn commit_with_snapshots(cluster: &mut Cluster<Storage>, count: u64, snapshot: usize) -> Duration {
    let began = Instant::now();
    for number in 1..=count {
        cluster.commit(vec![vec![1; COMMAND]]);
        if number % 10 == 0 {
            cluster.snapshot(snapshot);
        }
    }
    began.elapsed()
}

fn compare(c: &mut Criterion) {
    let (mut short, mut long) = (Kept::new(SHORT), Kept::new(LONG));
    let mut group = c.benchmark_group("one more entry at log length");
    for kept in [&mut short, &mut long] {
        group.bench_function(BenchmarkId::from_parameter(kept.length), |b| {
            b.iter_custom(|count| kept.commit(count));
        });
    }
    group.finish();

    let mut group = c.benchmark_group("one more entry behind a snapshot");
    let (mut small, mut large) =
        (Kept::behind(SMALL_SNAPSHOT, SHORT), Kept::behind(LARGE_SNAPSHOT, LONG));
    for kept in [&mut small, &mut large] {
        let name = format!("{} bytes, log length {}", kept.snapshot, kept.length);
        group.bench_function(name, |b| b.iter_custom(|count| kept.commit(count)));
    }
    group.finish();

    let mut group = c.benchmark_group("one more entry, a snapshot every tenth");
    let mut forgetting = Cluster::new(3);
    for snapshot in [SMALL_SNAPSHOT, 10_000] {
        group.bench_function(format!("{snapshot} bytes"), |b| {
            b.iter_custom(|count| commit_with_snapshots(&mut forgetting, count, snapshot));
        });
    }
    group.finish();

    let count = if only_tests() { 10 } else { 500 };
    ratio(
        "log length: one more entry at 100,000 / at 1,000",
        "1.2",
        || each(long.commit(count), count),
        || each(short.commit(count), count),
    );
    ratio(
        "snapshots: one more entry behind 10 MB at 100,000 / behind 100 bytes at 1,000",
        "1.2",
        || each(large.commit(count), count),
        || each(small.commit(count), count),
    );
    ratio(
        "snapshots: one more entry with a snapshot of 100 bytes every tenth / without",
        "2",
        || each(commit_with_snapshots(&mut forgetting, count, SMALL_SNAPSHOT), count),
        || each(short.commit(count), count),
    );
}

fn quick() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(30)
}

criterion_group! { name = benches; config = quick(); targets = compare }
criterion_main!(benches);
