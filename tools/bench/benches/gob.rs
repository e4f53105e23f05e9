//! labgob beside bare bincode on the AppendEntries of our Raft. The crate labgob has a bench of its
//! own with a type like it.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "benches measure the real clock, and some measure against its own threads and channels"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bench::{each, only_tests, ratio};
use bincode::config::standard;
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use raft::{AppendEntriesArgs, Entry};

fn message(entries: usize) -> AppendEntriesArgs {
    let entry = |n: usize| Entry { term: 7, command: Bytes::from(vec![n as u8; 100]) };
    AppendEntriesArgs {
        term: 7,
        leader_id: 2,
        prev_log_index: 70_000,
        prev_log_term: 6,
        entries: (0..entries).map(entry).collect(),
        leader_commit: 69_990,
    }
}

fn encode_bare(message: &AppendEntriesArgs) -> Vec<u8> {
    bincode::serde::encode_to_vec(message, standard()).expect("it can be encoded")
}

fn decode_bare(bytes: &[u8]) -> AppendEntriesArgs {
    bincode::serde::borrow_decode_from_slice(bytes, standard()).expect("it was encoded").0
}

fn decode(bytes: &[u8]) -> AppendEntriesArgs {
    labgob::decode(bytes).expect("it was encoded")
}

fn compare(c: &mut Criterion) {
    // The first uses of a type are checked. They are not what is measured here.
    for entries in [0, 1] {
        decode(&labgob::encode(&message(entries)));
    }
    for entries in [0, 1, 10, 100] {
        let message = message(entries);
        let (ours, bare) = (labgob::encode(&message), encode_bare(&message));
        assert_eq!(ours[4..], bare[..], "only the fingerprint is added");

        let mut group = c.benchmark_group("gob");
        group.bench_function(BenchmarkId::new("encode, bincode", entries), |b| {
            b.iter(|| encode_bare(black_box(&message)));
        });
        group.bench_function(BenchmarkId::new("encode, labgob", entries), |b| {
            b.iter(|| labgob::encode(black_box(&message)));
        });
        group.bench_function(BenchmarkId::new("decode, bincode", entries), |b| {
            b.iter(|| decode_bare(black_box(&bare)));
        });
        group.bench_function(BenchmarkId::new("decode, labgob", entries), |b| {
            b.iter(|| decode(black_box(&ours)));
        });
        group.finish();

        let name = format!("gob: encode {entries} entries, labgob / bincode");
        let labgob = || time(entries, || labgob::encode(black_box(&message)));
        ratio(&name, "1.1", labgob, || time(entries, || encode_bare(black_box(&message))));
        let name = format!("gob: decode {entries} entries, labgob / bincode");
        let labgob = || time(entries, || decode(black_box(&ours)));
        ratio(&name, "1.1", labgob, || time(entries, || decode_bare(black_box(&bare))));
    }
}

/// The time that one of many calls of `f` takes, for messages of so many entries.
fn time<T>(entries: usize, f: impl Fn() -> T) -> Duration {
    let count = if only_tests() { 10 } else { 200_000 / (entries as u64 + 1) };
    let began = Instant::now();
    for _ in 0..count {
        black_box(f());
    }
    each(began.elapsed(), count)
}

fn quick() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30)
}

criterion_group! { name = benches; config = quick(); targets = compare }
criterion_main!(benches);
