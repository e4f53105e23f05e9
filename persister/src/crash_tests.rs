//! Power cuts at every moment, with every outcome.
//!
//! A script of writes runs on a simulated disk, which stops before operation 0, 1, 2, and so on.
//! Whatever the platter may then hold, the next open must find the content before or after the
//! write in flight, and after every acknowledged one.

use std::path::Path;

use crate::disk::Disk;
use crate::sim_disk::{DIR, Fault, SimDisk};
use crate::{FilePersister, PersistError, Persister};

/// State and snapshot.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// One write.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Append(Vec<u8>),
    Save(Vec<u8>),
    SavePair(Vec<u8>, Vec<u8>),
}

impl Write {
    pub(crate) fn apply(&self, to: &FilePersister) -> Result<(), PersistError> {
        match self {
            Write::Append(record) => to.append_raft_state(record),
            Write::Save(state) => to.save_raft_state(state),
            Write::SavePair(state, snapshot) => to.save_state_and_snapshot(state, snapshot),
        }
    }

    fn apply_to_pair(&self, (old_state, old_snapshot): &Pair) -> Pair {
        match self {
            Write::Append(record) => ([&old_state[..], record].concat(), old_snapshot.clone()),
            Write::Save(state) => (state.clone(), old_snapshot.clone()),
            Write::SavePair(state, snapshot) => (state.clone(), snapshot.clone()),
        }
    }
}

/// A text of the given length in which no byte is zero and neighbours differ.
fn long(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251 + 1) as u8).collect()
}

/// Short and long records, with and without a snapshot, before and after each kind of write.
pub(crate) fn script() -> Vec<Write> {
    use Write::{Append, Save, SavePair};
    vec![
        Append(b"first".into()),
        Append(b"".into()),
        Append(long(1300)),
        Append(b"after a long one".into()),
        Save(b"replaced".into()),
        Append(b"one".into()),
        SavePair(b"s1".into(), b"snapshot one".into()),
        Append(b"two".into()),
        SavePair(long(600), long(1100)),
        Save(b"keeps its snapshot".into()),
        Append(long(450)),
        SavePair(b"s3".into(), b"".into()),
        Append(vec![0; 20]),
        Append(vec![0; 900]),
        Save(b"".into()),
        SavePair(b"".into(), b"snapshot four".into()),
        SavePair(b"s5".into(), b"snapshot five".into()),
        Append(b"last".into()),
    ]
}

/// The content before the first write and after each.
pub(crate) fn history(script: &[Write]) -> Vec<Pair> {
    let mut history = vec![Pair::default()];
    for write in script {
        history.push(write.apply_to_pair(history.last().unwrap()));
    }
    history
}

pub(crate) fn open(disk: &SimDisk) -> Result<FilePersister, PersistError> {
    let dir = Path::new(DIR);
    disk.make_dirs().map_err(|source| PersistError::Io {
        action: "create",
        path: dir.to_owned(),
        source,
    })?;
    FilePersister::on(Box::new(disk.clone()), dir)
}

pub(crate) fn content(of: &FilePersister) -> Pair {
    let pair = (of.read_raft_state().unwrap(), of.read_snapshot().unwrap());
    assert_eq!((of.raft_state_size(), of.snapshot_size()), (pair.0.len(), pair.1.len()));
    pair
}

/// Opens a disk after a crash and checks that it holds one of the allowed contents, can be written,
/// and keeps what was written.
pub(crate) fn check_restart(disk: &SimDisk, allowed: &[Pair], context: &str) -> Pair {
    let disk = disk.restarted(None);
    let persister = open(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
    let found = content(&persister);
    assert!(allowed.contains(&found), "{context}: found {found:?}, allowed {allowed:?}");
    let survivor = disk.restarted(None);

    persister.append_raft_state(b"+").unwrap();
    persister.save_state_and_snapshot(b"new", b"pair").unwrap();
    drop(persister);
    let written = (b"new".to_vec(), b"pair".to_vec());
    let again = open(&disk.restarted(None)).unwrap();
    assert_eq!(content(&again), written, "{context}");
    for cut in disk.power_cuts() {
        let again = open(&cut).unwrap_or_else(|error| panic!("{context}, cut at last: {error}"));
        assert_eq!(content(&again), written, "{context}, cut at last");
    }

    // What was read stays, whatever a power cut right after the open does.
    for cut in survivor.power_cuts() {
        let again = open(&cut).unwrap_or_else(|error| panic!("{context}, cut after open: {error}"));
        assert_eq!(content(&again), found, "{context}, cut after open");
    }
    found
}

/// Runs the script until a write fails. Returns how many were acknowledged, and none if not even
/// the open succeeded.
pub(crate) fn run(disk: &SimDisk, script: &[Write]) -> Option<usize> {
    let persister = open(disk).ok()?;
    Some(script.iter().take_while(|write| write.apply(&persister).is_ok()).count())
}

/// What may be found after a crash with so many writes acknowledged.
pub(crate) fn allowed(history: &[Pair], acknowledged: Option<usize>) -> &[Pair] {
    match acknowledged {
        Some(done) => &history[done..(done + 2).min(history.len())],
        None => &history[..1],
    }
}

/// How many operations of the disk the whole script takes.
pub(crate) fn ops_of_script(script: &[Write]) -> usize {
    let disk = SimDisk::default();
    assert_eq!(run(&disk, script), Some(script.len()));
    disk.ops().len()
}

#[test]
fn a_power_cut_leaves_the_content_before_or_after_the_write_in_flight() {
    let (script, mut checked) = (script(), 0);
    let history = history(&script);
    for at in 0..=ops_of_script(&script) {
        let disk = SimDisk::default().restarted(Some(Fault::Cut(at)));
        let allowed = allowed(&history, run(&disk, &script));
        let context = format!("cut before operation {at}, {:?}", disk.ops().last());
        for cut in disk.power_cuts() {
            check_restart(&cut, allowed, &context);
            checked += 1;
        }
    }
    assert!(checked > 1_000, "only {checked} outcomes");
}

/// The first process is killed before it has synced the way to its new directory; the second finds
/// the directory there, and cannot know.
#[test]
fn a_directory_that_was_there_lasts_as_surely_as_a_new_one() {
    for killed_at in 0..6 {
        let first = SimDisk::default().restarted(Some(Fault::Cut(killed_at)));
        let _ = open(&first);
        let disk = first.restarted(None);
        open(&disk).unwrap().append_raft_state(b"acknowledged").unwrap();
        for cut in disk.power_cuts() {
            let found = content(&open(&cut).unwrap()).0;
            assert_eq!(found, b"acknowledged", "killed before operation {killed_at}");
        }
    }
}

/// As it is if the directory was open without syncing.
#[test]
fn a_snapshot_that_was_never_synced_lasts_after_an_open() {
    let disk = SimDisk::default();
    open(&disk).unwrap().save_state_and_snapshot(b"state", b"snapshot").unwrap();
    let name = "snapshot-0000000000000001";
    disk.create(name).unwrap().write_at(0, b"snapshot").unwrap();
    disk.sync().unwrap();
    open(&disk).unwrap().append_raft_state(b"+").unwrap();
    for cut in disk.power_cuts() {
        let again = open(&cut).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(content(&again), (b"state+".to_vec(), b"snapshot".to_vec()));
    }
}

#[test]
fn a_killed_process_leaves_the_same_and_what_its_successor_reads_stays() {
    let script = script();
    let history = history(&script);
    for at in 0..=ops_of_script(&script) {
        let disk = SimDisk::default().restarted(Some(Fault::Cut(at)));
        let allowed = allowed(&history, run(&disk, &script));
        check_restart(&disk, allowed, &format!("killed before operation {at}"));
    }
}

#[test]
fn a_second_crash_during_the_recovery_does_no_harm() {
    let script = script();
    let history = history(&script);
    for at in 0..=ops_of_script(&script) {
        let disk = SimDisk::default().restarted(Some(Fault::Cut(at)));
        let allowed = allowed(&history, run(&disk, &script));
        // First crash: the power, or only the process.
        let mut first = disk.power_cuts();
        first.push(disk);
        for disk in first {
            for second_at in 0.. {
                assert!(second_at < 50, "an open has fewer operations than that");
                let disk = disk.restarted(Some(Fault::Cut(second_at)));
                let opened = open(&disk).is_ok();
                let context = format!("cut before {at}, then before {second_at} of the open");
                for cut in disk.power_cuts() {
                    let again = open(&cut).unwrap_or_else(|error| panic!("{context}: {error}"));
                    let found = content(&again);
                    assert!(allowed.contains(&found), "{context}: found {found:?}");
                }
                if opened {
                    break;
                }
            }
        }
    }
}
