//! The files of a persister.
#![cfg(unix)]

use std::fs;
use std::path::Path;

use fuzz::{Form, Target};
use persister::{FilePersister, Persister};
use tempfile::tempdir;

/// See the front page of `persister`.
const STATE: &str = "raft-state";
const HEADER: usize = 44;
const HEAD: usize = 12;
const SECTOR: usize = 512;
const MARK: u8 = 0xff;

/// What a directory holds after some saves, and how much of it is the base.
fn right() -> [Vec<u8>; 2] {
    let dir = tempdir().unwrap();
    let disk = FilePersister::open_unsynced(dir.path()).unwrap();
    disk.save_state_and_snapshot(b"base", b"a snapshot").unwrap();
    let long = [7; 1_000];
    for record in [&b"first"[..], b"", &long] {
        disk.append_raft_state(record).unwrap();
    }
    drop(disk);
    let name = fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name());
    let snapshot =
        name.map(|name| name.into_string().unwrap()).find(|name| name.starts_with("snap"));
    [STATE, &snapshot.expect("it was saved")].map(|name| fs::read(dir.path().join(name)).unwrap())
}

/// The same file with marks and checksums that fit, so that what they guard is looked at.
fn repaired(mut file: Vec<u8>) -> Vec<u8> {
    let checksum = |bytes: &[u8]| crc32fast::hash(bytes).to_le_bytes();
    if file.len() < HEADER {
        return file;
    }
    let header = checksum(&file[..HEADER - 4]);
    file[HEADER - 4..HEADER].copy_from_slice(&header);
    let is_marked = file[8] == 2;
    let mut at = HEADER;
    while at < file.len() {
        // Where its bytes are.
        let mut places = Vec::new();
        let mut record = Vec::new();
        let mut length = HEAD;
        for (place, byte) in file.iter_mut().enumerate().skip(at) {
            if is_marked && (place == at || place % SECTOR == 0) {
                *byte = MARK;
                continue;
            }
            places.push(place);
            record.push(*byte);
            if record.len() == 4 {
                let payload = u32::from_le_bytes(record[..].try_into().expect("four bytes"));
                length = length.saturating_add(payload as usize);
            }
            if record.len() == length {
                break;
            }
        }
        let Some(last) = places.last().filter(|_| record.len() >= HEAD) else { break };
        let next = last + 1;
        if record.len() == length {
            let payload = checksum(&record[HEAD..]);
            record[4..8].copy_from_slice(&payload);
        }
        let guarded = [&(at as u64).to_le_bytes()[..], &record[..8]].concat();
        record[8..HEAD].copy_from_slice(&checksum(&guarded));
        places.iter().zip(&record[..HEAD]).for_each(|(&place, &byte)| file[place] = byte);
        at = next;
    }
    file
}

#[test]
fn a_right_file_needs_no_repair() {
    let [state, _] = right();
    assert_eq!(repaired(state.clone()), state);
}

/// The first byte says which file the rest is, and whether its checksums are made right.
#[test]
fn files() {
    let right = right();
    let inputs = [(0, 0), (1, 0), (2, 1)].map(|(how, file)| [&[how], &right[file][..]].concat());
    let target = Target::new("files", Form::Bytes).right(inputs);
    let dir = tempdir().unwrap();
    target.inputs(500).memory(100_000, 20).run(|input| {
        let Some((how, bytes)) = input.split_first() else { return false };
        let mut files = right.clone();
        match how % 3 {
            0 => files[0] = bytes.to_vec(),
            1 => files[0] = repaired(bytes.to_vec()),
            _ => files[1] = bytes.to_vec(),
        }
        open(dir.path(), &files)
    });
}

/// Whether a directory with these files can be opened.
fn open(dir: &Path, files: &[Vec<u8>; 2]) -> bool {
    for file in fs::read_dir(dir).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    let snapshot = format!("snapshot-{:016x}", generation(&files[0]));
    for (name, bytes) in [STATE, &snapshot].iter().zip(files) {
        fs::write(dir.join(name), bytes).unwrap();
    }
    match FilePersister::open_unsynced(dir) {
        Ok(disk) => {
            let read = |disk: &FilePersister| (disk.read_raft_state(), disk.read_snapshot());
            let (state, snapshot) = read(&disk);
            let found = (state.unwrap(), snapshot.unwrap());
            drop(disk);
            let again = FilePersister::open_unsynced(dir).expect("it has just been opened");
            assert_eq!((again.read_raft_state().unwrap(), again.read_snapshot().unwrap()), found);
            true
        }
        Err(error) => {
            let text = error.to_string();
            assert!(error.path().is_some() && !text.contains(|c: char| c.is_control()), "{text}");
            let now = [STATE, &snapshot].map(|name| fs::read(dir.join(name)).unwrap());
            assert_eq!(&now, files, "a refused open changes nothing");
            false
        }
    }
}

/// The generation of the snapshot, as the header has it.
fn generation(state: &[u8]) -> u64 {
    state.get(12..20).map_or(1, |bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
}
