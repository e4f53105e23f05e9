//! Files that were cut off, flipped, swapped or removed. The answer is a clear error that changes
//! nothing, or, if a crash could have done it, an earlier acknowledged content.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use persister::{FilePersister, PersistError, Persister};
use tempfile::TempDir;

const SNAPSHOT: &str = "snapshot-0000000000000001";
/// The bytes of the header, and of a record before its payload: its mark and its head. All these records are in one
/// sector.
const HEADER: usize = 44;
const HEAD: usize = 13;
const BASE: &[u8] = b"base";
const APPENDS: [&[u8]; 3] = [b"first", b"", b"the third"];

/// A directory with a snapshot, a base record and three appended ones.
struct Sample {
    dir: TempDir,
    good: BTreeMap<&'static str, Vec<u8>>,
}

impl Sample {
    fn new() -> Sample {
        let dir = TempDir::new().unwrap();
        // Unsynced: these tests open the directory hundreds of times, and cut no power.
        let disk = FilePersister::open_unsynced(dir.path()).unwrap();
        disk.save_state_and_snapshot(BASE, b"a snapshot").unwrap();
        for record in APPENDS {
            disk.append_raft_state(record).unwrap();
        }
        drop(disk);
        let read = |name| (name, fs::read(dir.path().join(name)).unwrap());
        let good = ["raft-state", SNAPSHOT].map(read).into();
        Sample { dir, good }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Puts both files back as they were made.
    fn restore(&self) {
        for (name, bytes) in &self.good {
            fs::write(self.path(name), bytes).unwrap();
        }
    }

    /// Opens the directory with one file replaced.
    fn open_with(&self, name: &str, bytes: &[u8]) -> Result<FilePersister, PersistError> {
        self.restore();
        fs::write(self.path(name), bytes).unwrap();
        FilePersister::open_unsynced(self.dir.path())
    }

    /// The same, but it must fail, name the file and change nothing.
    fn refused_with(&self, name: &str, bytes: &[u8], context: &str) -> PersistError {
        let error = match self.open_with(name, bytes) {
            Ok(disk) => panic!("{context}: opened as {disk:?}"),
            Err(error) => error,
        };
        assert_eq!(error.path(), Some(&*self.path(name)), "{context}");
        self.expect_unchanged(name, bytes, context);
        error
    }

    fn expect_unchanged(&self, changed: &str, bytes: &[u8], context: &str) {
        let mut expected = self.good.clone();
        *expected.iter_mut().find(|(name, _)| **name == changed).unwrap().1 = bytes.to_vec();
        assert_eq!(files(self.dir.path()), expected.into_iter().collect::<Vec<_>>(), "{context}");
    }
}

fn files(dir: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let known = ["raft-state", SNAPSHOT].into_iter().find(|known| *known == name);
        files.push((known.expect("no further file"), fs::read(entry.path()).unwrap()));
    }
    files.sort();
    files
}

/// Where each record ends, and the state up to there.
fn ends() -> Vec<(usize, Vec<u8>)> {
    let mut ends = vec![(HEADER + HEAD + BASE.len(), BASE.to_vec())];
    for record in APPENDS {
        let (end, state) = ends.last().unwrap();
        ends.push((end + HEAD + record.len(), [state, record].concat()));
    }
    ends
}

#[test]
fn a_state_file_cut_anywhere_gives_an_earlier_state_or_an_error() {
    let sample = Sample::new();
    let good = &sample.good["raft-state"];
    let ends = ends();
    assert_eq!(good.len(), ends.last().unwrap().0);
    for len in 0..good.len() {
        let context = format!("cut to {len} bytes");
        let cut = &good[..len];
        // The last record that is still there as a whole.
        match ends.iter().rfind(|(end, _)| *end <= len) {
            // The base was never at risk, so a crash cannot explain this.
            None => {
                let error = sample.refused_with("raft-state", cut, &context);
                assert!(matches!(error, PersistError::Damaged { .. }), "{context}: {error}");
            }
            Some((end, state)) => {
                let disk = sample.open_with("raft-state", cut).unwrap();
                assert_eq!(disk.read_raft_state().unwrap(), *state, "{context}");
                assert_eq!(disk.read_snapshot().unwrap(), b"a snapshot", "{context}");
                assert_eq!(disk.recovered(), (len - end) as u64, "{context}");
                assert_eq!(fs::metadata(sample.path("raft-state")).unwrap().len(), *end as u64);
            }
        }
    }
}

#[test]
fn a_flipped_bit_in_the_state_file_is_an_error() {
    let sample = Sample::new();
    let good = &sample.good["raft-state"];
    for bit in 0..good.len() * 8 {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let context = format!("bit {bit}");
        let error = sample.refused_with("raft-state", &flipped, &context);
        // In the version too: who wrote the file must not be asked to open it.
        let PersistError::Damaged { offset, .. } = error else { panic!("{context}: {error}") };
        assert!(offset <= bit as u64 / 8, "{context} but reported at byte {offset}");
    }
}

/// A record may have zeros of its own in all that it has in a sector. That is none that a power cut lost.
#[test]
fn a_flipped_bit_is_an_error_though_the_record_has_a_sector_of_zeros() {
    // One zero in the next sector, and four whole sectors of them.
    let short = [&[7; 440][..], &[0]].concat();
    let long = [&[7; 100][..], &[0; 2000]].concat();
    for (record, flipped) in [(short, 200), (long, 120)] {
        let dir = TempDir::new().unwrap();
        let disk = FilePersister::open_unsynced(dir.path()).unwrap();
        disk.save_raft_state(BASE).unwrap();
        disk.append_raft_state(&record).unwrap();
        drop(disk);
        let path = dir.path().join("raft-state");
        let mut bytes = fs::read(&path).unwrap();
        bytes[flipped] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let error = FilePersister::open_unsynced(dir.path()).unwrap_err();
        assert!(matches!(error, PersistError::Damaged { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn a_snapshot_with_any_change_is_an_error() {
    let sample = Sample::new();
    let good = &sample.good[SNAPSHOT];
    for bit in 0..good.len() * 8 {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        sample.refused_with(SNAPSHOT, &flipped, &format!("bit {bit}"));
    }
    for len in 0..good.len() {
        let error = sample.refused_with(SNAPSHOT, &good[..len], &format!("cut to {len}"));
        assert!(error.to_string().contains(&format!("found {len} bytes")), "{error}");
    }
    sample.refused_with(SNAPSHOT, &[good, &b"+"[..]].concat(), "longer");
}

#[test]
fn a_tail_of_zeros_is_dropped_and_reported() {
    let sample = Sample::new();
    let good = &sample.good["raft-state"];
    for zeros in [1, 11, 12, 13, 100, 600] {
        let bytes = [good, &vec![0; zeros][..]].concat();
        let disk = sample.open_with("raft-state", &bytes).unwrap();
        assert_eq!(disk.recovered(), zeros as u64);
        assert_eq!(disk.read_raft_state().unwrap(), ends().last().unwrap().1);
        disk.append_raft_state(b", fourth").unwrap();
        drop(disk);
        let disk = FilePersister::open_unsynced(sample.dir.path()).unwrap();
        assert_eq!(disk.recovered(), 0);
        assert!(disk.read_raft_state().unwrap().ends_with(b"third, fourth"));
    }
}

#[test]
fn zeros_before_a_good_record_are_an_error() {
    let sample = Sample::new();
    let ends = ends();
    for (i, pair) in ends.windows(2).enumerate() {
        let mut bytes = sample.good["raft-state"].clone();
        bytes[pair[0].0..pair[1].0].fill(0);
        if i + 2 < ends.len() {
            sample.refused_with("raft-state", &bytes, &format!("record {i}"));
        } else {
            // Nothing follows the last one: a power cut during its append leaves just this.
            let disk = sample.open_with("raft-state", &bytes).unwrap();
            assert_eq!(disk.read_raft_state().unwrap(), pair[0].1);
        }
    }
}

#[test]
fn a_missing_file_is_an_error() {
    let sample = Sample::new();
    for (removed, kept) in [("raft-state", SNAPSHOT), (SNAPSHOT, "raft-state")] {
        sample.restore();
        fs::remove_file(sample.path(removed)).unwrap();
        let error = FilePersister::open_unsynced(sample.dir.path()).unwrap_err();
        assert_eq!(error.path(), Some(&*sample.path(removed)));
        assert!(error.to_string().contains("found no such file"), "{error}");
        assert_eq!(files(sample.dir.path()), [(kept, sample.good[kept].clone())]);
    }
}

#[test]
fn the_message_says_where_and_what_and_what_to_do() {
    let sample = Sample::new();
    let mut bytes = sample.good["raft-state"].clone();
    bytes[HEADER + HEAD] ^= 1;
    let error = sample.refused_with("raft-state", &bytes, "flipped");
    let text = error.to_string();
    for words in ["raft-state is damaged at byte 57", "expected 4 bytes with", "found", "retire"] {
        assert!(text.contains(words), "{words:?} is missing in: {text}");
    }
    let error =
        sample.refused_with("raft-state", b"somebody else's file, and long enough for it!", "");
    assert!(error.to_string().contains("expected \"RAFTSAVE\", found \"somebody\""), "{error}");
}

#[test]
fn damage_while_the_directory_is_open_is_noticed_by_the_next_read() {
    let sample = Sample::new();
    let disk = sample.open_with("raft-state", &sample.good["raft-state"]).unwrap();
    // Both changes would pass for a torn write at the next open, but all this was acknowledged.
    let mut zeroed = sample.good["raft-state"].clone();
    zeroed[ends()[2].0..].fill(0);
    fs::write(sample.path("raft-state"), &zeroed).unwrap();
    let error = disk.read_raft_state().unwrap_err();
    assert!(matches!(error, PersistError::Damaged { .. }), "{error}");
    fs::write(sample.path("raft-state"), &zeroed[..ends()[2].0]).unwrap();
    let error = disk.read_raft_state().unwrap_err();
    assert!(matches!(error, PersistError::Io { action: "read", .. }), "{error}");
    fs::write(sample.path(SNAPSHOT), b"A SNAPSHOT").unwrap();
    let error = disk.read_snapshot().unwrap_err();
    assert!(matches!(error, PersistError::Damaged { .. }), "{error}");
}
