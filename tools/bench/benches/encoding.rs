//! labgob beside bare bincode, on Raft's AppendEntries with 0 to 100 entries of 100 bytes.
//!
//! `cargo measure --bench encoding`. Compare the lines of each group. The third line is of a type with a part
//! that no message ever has, so that each message is looked through for it.

use std::hint::black_box;
use std::time::Duration;

use bincode::config::standard;
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use labgob::{Deserialize, Gob, Serialize};

#[derive(Serialize, Deserialize, Gob, Clone)]
#[serde(crate = "labgob::serde")]
struct AppendEntries {
    term: u64,
    leader: u32,
    prev_index: u64,
    prev_term: u64,
    entries: Vec<Entry>,
    commit: u64,
}

#[derive(Serialize, Deserialize, Gob, Clone)]
#[serde(crate = "labgob::serde")]
struct Entry {
    term: u64,
    command: Bytes,
}

/// With something that never comes.
type Watched = (AppendEntries, Option<u8>);

fn message(entries: usize) -> AppendEntries {
    let entry = |n: usize| Entry { term: 7, command: Bytes::from(vec![n as u8; 100]) };
    AppendEntries {
        term: 7,
        leader: 2,
        prev_index: 70_000,
        prev_term: 6,
        entries: (0..entries).map(entry).collect(),
        commit: 69_990,
    }
}

fn compare(c: &mut Criterion) {
    // The first uses of a type are checked. They are not what is measured here.
    drop(labgob::encode(&message(1)));
    drop(labgob::encode::<Watched>(&(message(1), None)));

    for entries in [0, 1, 10, 100] {
        let message = message(entries);
        let ours = labgob::encode(&message);
        let bare = bincode::serde::encode_to_vec(&message, standard()).unwrap();
        assert_eq!(ours[4..], bare[..], "only the fingerprint is added");
        let watched: Watched = (message.clone(), None);
        let ours_watched = labgob::encode(&watched);

        let mut group = c.benchmark_group("encode");
        group.throughput(Throughput::Bytes(bare.len() as u64));
        group.bench_function(BenchmarkId::new("bincode", entries), |b| {
            b.iter(|| bincode::serde::encode_to_vec(black_box(&message), standard()).unwrap());
        });
        group.bench_function(BenchmarkId::new("labgob", entries), |b| {
            b.iter(|| labgob::encode(black_box(&message)));
        });
        group.bench_function(BenchmarkId::new("labgob, not all met", entries), |b| {
            b.iter(|| labgob::encode(black_box(&watched)));
        });
        group.finish();

        let mut group = c.benchmark_group("decode");
        group.throughput(Throughput::Bytes(bare.len() as u64));
        group.bench_function(BenchmarkId::new("bincode", entries), |b| {
            b.iter(|| {
                let bytes = black_box(&bare[..]);
                let (message, _): (AppendEntries, usize) =
                    bincode::serde::borrow_decode_from_slice(bytes, standard()).unwrap();
                message
            });
        });
        group.bench_function(BenchmarkId::new("labgob", entries), |b| {
            b.iter(|| labgob::decode::<AppendEntries>(black_box(&ours)).unwrap());
        });
        group.bench_function(BenchmarkId::new("labgob, not all met", entries), |b| {
            b.iter(|| labgob::decode::<Watched>(black_box(&ours_watched)).unwrap());
        });
        group.finish();
    }
}

fn quick() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = quick(); targets = compare }
criterion_main!(benches);
