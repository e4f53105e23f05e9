//! What every persister promises, checked for each of them by the same code.

#![allow(clippy::disallowed_methods, reason = "these threads belong to no simulated world")]

use std::sync::Arc;
use std::thread;

#[cfg(unix)]
use persister::FilePersister;
use persister::{MemoryPersister, Persister};
use tempfile::TempDir;

/// An empty persister, with the directory it lives in, if any.
type Made = (Arc<dyn Persister>, Option<TempDir>);

fn memory() -> Made {
    (Arc::new(MemoryPersister::new()), None)
}

#[cfg(unix)]
fn file() -> Made {
    let dir = TempDir::new().unwrap();
    (Arc::new(FilePersister::open(dir.path()).unwrap()), Some(dir))
}

#[cfg(unix)]
fn file_unsynced() -> Made {
    let dir = TempDir::new().unwrap();
    (Arc::new(FilePersister::open_unsynced(dir.path()).unwrap()), Some(dir))
}

macro_rules! laws {
    ($($law:ident),* $(,)?) => {
        mod in_memory { $(#[test] fn $law() { super::$law(&*super::memory().0); })* }
        #[cfg(unix)]
        mod on_disk { $(#[test] fn $law() { let made = super::file(); super::$law(&*made.0); })* }
        #[cfg(unix)]
        mod on_disk_unsynced {
            $(#[test] fn $law() { let made = super::file_unsynced(); super::$law(&*made.0); })*
        }
        // `Arc<dyn Persister>` is itself a persister.
        mod shared { $(#[test] fn $law() { super::$law(&super::memory().0); })* }
    };
}

laws!(
    empty_at_first,
    a_save_replaces,
    an_append_adds,
    empty_strings_are_strings,
    a_pair_replaces_both,
    a_state_keeps_its_snapshot,
    an_empty_snapshot_erases_the_stored_one,
    strings_of_any_bytes_and_length,
    many_threads_append_whole_records,
    many_threads_save_whole_states,
);

#[track_caller]
fn expect(of: &dyn Persister, state: &[u8], snapshot: &[u8]) {
    assert_eq!(of.read_raft_state().unwrap(), state);
    assert_eq!(of.read_snapshot().unwrap(), snapshot);
    assert_eq!(of.raft_state_size(), state.len());
    assert_eq!(of.snapshot_size(), snapshot.len());
}

fn empty_at_first(p: &dyn Persister) {
    expect(p, b"", b"");
}

fn a_save_replaces(p: &dyn Persister) {
    p.save_raft_state(b"a long first state").unwrap();
    expect(p, b"a long first state", b"");
    p.save_raft_state(b"short").unwrap();
    expect(p, b"short", b"");
}

fn an_append_adds(p: &dyn Persister) {
    p.append_raft_state(b"one").unwrap();
    p.append_raft_state(b", two").unwrap();
    expect(p, b"one, two", b"");
    p.save_raft_state(b"base").unwrap();
    p.append_raft_state(b", three").unwrap();
    expect(p, b"base, three", b"");
}

fn empty_strings_are_strings(p: &dyn Persister) {
    p.append_raft_state(b"").unwrap();
    expect(p, b"", b"");
    p.save_state_and_snapshot(b"state", b"snapshot").unwrap();
    p.append_raft_state(b"").unwrap();
    expect(p, b"state", b"snapshot");
    p.save_raft_state(b"").unwrap();
    expect(p, b"", b"snapshot");
    p.save_state_and_snapshot(b"", b"").unwrap();
    expect(p, b"", b"");
}

fn a_pair_replaces_both(p: &dyn Persister) {
    p.append_raft_state(b"old").unwrap();
    for i in 0..5_u8 {
        p.save_state_and_snapshot(&[i; 3], &[i + 100; 7]).unwrap();
        expect(p, &[i; 3], &[i + 100; 7]);
        p.append_raft_state(&[i; 2]).unwrap();
        expect(p, &[i; 5], &[i + 100; 7]);
    }
}

fn a_state_keeps_its_snapshot(p: &dyn Persister) {
    p.save_state_and_snapshot(b"1", b"kept").unwrap();
    p.save_raft_state(b"2").unwrap();
    expect(p, b"2", b"kept");
}

/// What the later course's `Save(state, nil)` does.
fn an_empty_snapshot_erases_the_stored_one(p: &dyn Persister) {
    p.save_state_and_snapshot(b"1", b"stored").unwrap();
    p.append_raft_state(b"2").unwrap();
    expect(p, b"12", b"stored");
    p.save_state_and_snapshot(b"3", b"").unwrap();
    expect(p, b"3", b"");
    p.save_state_and_snapshot(b"4", b"new").unwrap();
    expect(p, b"4", b"new");
}

fn strings_of_any_bytes_and_length(p: &dyn Persister) {
    let mut state = Vec::new();
    for len in [1, 11, 12, 13, 499, 500, 511, 512, 513, 4096, 70_000] {
        let record: Vec<u8> = (0..len).map(|i| (i * 7 + len) as u8).collect();
        p.append_raft_state(&record).unwrap();
        state.extend(record);
    }
    expect(p, &state, b"");
    p.save_state_and_snapshot(&[0; 3000], &state).unwrap();
    expect(p, &[0; 3000], &state);
}

fn many_threads_append_whole_records(p: &dyn Persister) {
    const THREADS: u8 = 8;
    const EACH: u8 = 20;
    thread::scope(|scope| {
        let write = |writer: u8| {
            for count in 0..EACH {
                p.append_raft_state(&[writer, count, !writer, !count]).unwrap();
            }
        };
        let writers: Vec<_> = (0..THREADS).map(|i| scope.spawn(move || write(i))).collect();
        let mut last = 0;
        while !writers.iter().all(|writer| writer.is_finished()) {
            let size = p.raft_state_size();
            let state = p.read_raft_state().unwrap();
            assert!(last <= size && size <= state.len(), "a size that was seen stays readable");
            assert_eq!(state.len() % 4, 0, "half a record");
            last = size;
        }
    });
    assert_eq!(p.raft_state_size(), usize::from(THREADS) * usize::from(EACH) * 4);
    let state = p.read_raft_state().unwrap();
    let mut next = [0; THREADS as usize];
    for record in state.chunks(4) {
        let (writer, count) = (record[0], record[1]);
        assert_eq!(record, [writer, count, !writer, !count]);
        assert_eq!(count, next[usize::from(writer)], "records of writer {writer} out of order");
        next[usize::from(writer)] += 1;
    }
    assert_eq!(next, [EACH; THREADS as usize]);
}

fn many_threads_save_whole_states(p: &dyn Persister) {
    thread::scope(|scope| {
        for writer in 1..=4_u8 {
            scope.spawn(move || {
                for len in 1..=10 {
                    p.save_state_and_snapshot(&vec![writer; len * 10], &vec![writer; len]).unwrap();
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..50 {
                let state = p.read_raft_state().unwrap();
                assert!(state.iter().all(|byte| *byte == state[0]), "a mixed state: {state:?}");
            }
        });
    });
    let (state, snapshot) = (p.read_raft_state().unwrap(), p.read_snapshot().unwrap());
    assert_eq!((state[0], state.len()), (snapshot[0], snapshot.len() * 10));
}

#[test]
fn a_copy_shares_nothing() {
    let old = MemoryPersister::new();
    old.save_state_and_snapshot(b"state", b"snapshot").unwrap();
    let new = old.copy();
    old.append_raft_state(b" of a dead instance").unwrap();
    expect(&new, b"state", b"snapshot");
    new.save_state_and_snapshot(b"", b"next").unwrap();
    expect(&old, b"state of a dead instance", b"snapshot");
    expect(&new, b"", b"next");
}

#[test]
fn a_copy_under_way_sees_whole_pairs() {
    let disk = MemoryPersister::new();
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for i in 0..20_000_u32 {
                disk.save_state_and_snapshot(&i.to_le_bytes(), &i.to_le_bytes()).unwrap();
            }
        });
        while !writer.is_finished() {
            let copy = disk.copy();
            assert_eq!(copy.read_raft_state().unwrap(), copy.read_snapshot().unwrap());
        }
    });
}

#[test]
fn an_arc_hands_every_call_on() {
    let inner = Arc::new(MemoryPersister::new());
    let outer: Arc<dyn Persister> = Arc::new(Arc::clone(&inner));
    outer.save_raft_state(b"a").unwrap();
    outer.append_raft_state(b"b").unwrap();
    expect(&*inner, b"ab", b"");
    outer.save_state_and_snapshot(b"c", b"d").unwrap();
    expect(&*inner, b"c", b"d");
    expect(&outer, b"c", b"d");
}

#[test]
fn debug_output_shows_sizes_not_bytes() {
    let disk = MemoryPersister::new();
    disk.save_state_and_snapshot(b"secret", b"1234").unwrap();
    assert_eq!(format!("{disk:?}"), "MemoryPersister { raft_state_size: 6, snapshot_size: 4 }");
}

/// Where a promise cannot be kept, it is not given.
#[test]
#[cfg(not(unix))]
fn there_are_no_files_where_they_cannot_be_kept() {
    let dir = TempDir::new().unwrap();
    for open in [persister::FilePersister::open, persister::FilePersister::open_unsynced] {
        let error = open(dir.path().join("new")).unwrap_err();
        assert!(error.to_string().contains("Use a `MemoryPersister`"), "{error}");
        assert!(!dir.path().join("new").exists());
    }
}
